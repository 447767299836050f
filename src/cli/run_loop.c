/* run_loop.c - the one loop: what arrived, one turn of the engine, the pages, the chores, one
 * sleep. */
#include "run.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <walship/http_curl.h>
#include <walship/log.h>
#include <walship/os_linux.h>
#include <walship/spool_linux.h>
#include <walship/store_sqlite.h>

enum { WAIT_MS_MAX = 60000 };

static void reload_by_signal(struct run *run)
{
    struct buf said;
    buf_init(&said, 1 << 20);
    (void)run_reload(run, "SIGHUP", &said); /* logged there */
    buf_release(&said);
}

static void signals_take(struct run *run, int64_t now_ms)
{
    struct signalfd_siginfo info;
    while (read(run->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            reload_by_signal(run);
        } else {
            LOG_INFO("stopping", LOG_U64("signal", info.ssi_signo));
            chores_end(run);
            engine_stop(run->engine, now_ms);
        }
    }
}

/* The deadline is asked last, after all work of the turn: 0 while anything is runnable. */
static void run_wait(struct run *run, int64_t until_ms)
{
    enum { FDS_MAX = 5 };
    struct pollfd fds[FDS_MAX];
    size_t count = 0;
    int64_t now_ms = run->os->now_ms(run->os);
    int64_t wait_ms = engine_deadline(run->engine, now_ms) - now_ms;
    int status_ms = run->status == NULL ? -1 : status_mhd_timeout(run->status);
    int64_t chores_ms = chores_deadline(run);
    wait_ms = until_ms - now_ms < wait_ms ? until_ms - now_ms : wait_ms;
    wait_ms = chores_ms - now_ms < wait_ms ? chores_ms - now_ms : wait_ms;
    wait_ms = status_ms >= 0 && status_ms < wait_ms ? status_ms : wait_ms;
    wait_ms = wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : wait_ms;
    fds[count++] = (struct pollfd){.fd = run->signal_fd, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = store_sqlite_fd(run->store), .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = spool_linux_fd(run->spool), .events = POLLIN};
    if (os_linux_fd(run->os) >= 0) {
        fds[count++] = (struct pollfd){.fd = os_linux_fd(run->os), .events = POLLIN};
    }
    if (run->status != NULL) {
        fds[count++] = (struct pollfd){.fd = status_mhd_fd(run->status), .events = POLLIN};
    }
    http_curl_wait(run->http, fds, count, wait_ms < 0 ? 0 : (int)wait_ms);
}

bool run_loop(struct run *run)
{
    int64_t until_ms = INT64_MAX;
    if (run->args->timeout_ms > 0) {
        until_ms = run->os->now_ms(run->os) + run->args->timeout_ms;
    }
    chores_begin(run, run->os->now_ms(run->os));
    for (;;) {
        int64_t now_ms = run->os->now_ms(run->os);
        http_curl_run(run->http);
        signals_take(run, now_ms);
        engine_turn(run->engine, now_ms);
        if (run->status != NULL) {
            status_mhd_run(run->status);
        }
        chores_run(run, now_ms);
        if (engine_finished(run->engine)) {
            return true;
        }
        if (now_ms >= until_ms) {
            return false;
        }
        run_wait(run, until_ms);
    }
}
