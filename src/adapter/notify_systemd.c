/* notify_systemd.c - see notify_systemd.h. The protocol is one datagram of VARIABLE=VALUE lines to
 * the socket that $NOTIFY_SOCKET names; no library is needed for that. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <walship/assert.h>
#include <walship/mem.h>
#include <walship/notify_systemd.h>

struct notify {
    int socket;
    struct sockaddr_un to;
    socklen_t to_bytes;
    int64_t watchdog_ms; /* 0: none */
};

/* Half of what systemd waits, as it advises; the variable may be meant for another process. */
static int64_t watchdog_of(const char *usec, const char *pid)
{
    if (usec == NULL || (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid())) {
        return 0;
    }
    long long value = strtoll(usec, NULL, 10);
    return value > 0 ? value / 2000 : 0;
}

struct notify *notify_systemd_open(void)
{
    struct notify *notify = mem_new(1, sizeof *notify);
    const char *path = getenv("NOTIFY_SOCKET");
    notify->socket = -1;
    if (path == NULL || (*path != '/' && *path != '@') ||
        strlen(path) >= sizeof notify->to.sun_path) {
        return notify;
    }
    size_t bytes = strlen(path);
    notify->to.sun_family = AF_UNIX;
    memcpy(notify->to.sun_path, path, bytes);
    if (*path == '@') {
        notify->to.sun_path[0] = 0; /* an abstract name: not ended by a NUL */
    }
    notify->to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
    notify->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    notify->watchdog_ms = watchdog_of(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
    return notify;
}

void notify_systemd_close(struct notify *notify)
{
    if (notify != NULL) {
        if (notify->socket >= 0) {
            close(notify->socket);
        }
        mem_free(notify);
    }
}

bool notify_systemd_wanted(const struct notify *notify)
{
    return notify->socket >= 0;
}

int64_t notify_systemd_watchdog_ms(const struct notify *notify)
{
    return notify->socket >= 0 ? notify->watchdog_ms : 0;
}

void notify_systemd_say(struct notify *notify, const char *text)
{
    ASSERT(text != NULL);
    if (notify->socket >= 0) { /* what systemd doesn't take now is of no use later */
        (void)!sendto(notify->socket, text, strlen(text), MSG_NOSIGNAL,
                      (const struct sockaddr *)&notify->to, notify->to_bytes);
    }
}
