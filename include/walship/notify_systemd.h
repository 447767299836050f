/* notify_systemd.h - tells systemd that walship is ready, alive, reloading or stopping, and how it
 * does. Without $NOTIFY_SOCKET nothing is said. Nothing blocks, nothing fails. Loop thread only. */
#ifndef WALSHIP_NOTIFY_SYSTEMD_H
#define WALSHIP_NOTIFY_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

struct notify;

struct notify *notify_systemd_open(void);
void notify_systemd_close(struct notify *notify); /* NULL-safe */
bool notify_systemd_wanted(const struct notify *notify);
/* How often WATCHDOG=1 is due; 0: never. */
int64_t notify_systemd_watchdog_ms(const struct notify *notify);
/* Lines of VARIABLE=VALUE: "READY=1\nSTATUS=..." */
void notify_systemd_say(struct notify *notify, const char *text);

#endif
