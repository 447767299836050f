/* chores.c - see chores.h. */
#include "chores.h"

#include "run.h"

#include <walship/conf_yaml.h>
#include <walship/log.h>

enum { STATUS_MS = 10000, WATCH_MS = 5000 };

/* One line for `systemctl status`. */
static void status_say(struct run *run)
{
    struct engine_stats all;
    char text[256];
    uint64_t acked = 0, pending = 0, behind = 0;
    engine_stats(run->engine, &all);
    for (size_t i = 0; i < all.destinations_count; i++) {
        struct engine_destination_stats stats;
        engine_destination_stats(run->engine, i, &stats);
        acked += stats.counts[STORE_ACKED];
        pending += stats.pending;
        behind = stats.behind_bytes > behind ? stats.behind_bytes : behind;
    }
    (void)snprintf(text, sizeof text,
                   "STATUS=%s%llu items accepted, %llu pending, %llu bytes of the WAL unread",
                   all.scanning ? "loading series; " : "", (unsigned long long)acked,
                   (unsigned long long)pending, (unsigned long long)behind);
    notify_systemd_say(run->notify, text);
}

/* Ready for systemd is the process: whether receivers take what is sent is /-/ready's to say, and
 * no reason to kill walship while it starts. */
static void systemd_run(struct run *run, int64_t now_ms)
{
    struct chores *chores = &run->chores;
    if (!notify_systemd_wanted(run->notify)) {
        return;
    }
    if (!chores->ready_said) {
        notify_systemd_say(run->notify, "READY=1");
        chores->ready_said = true;
    }
    int64_t watchdog_ms = notify_systemd_watchdog_ms(run->notify);
    if (watchdog_ms > 0 && now_ms >= chores->watchdog_at_ms) {
        notify_systemd_say(run->notify, "WATCHDOG=1");
        chores->watchdog_at_ms = now_ms + watchdog_ms;
    }
    if (now_ms >= chores->status_at_ms) {
        status_say(run);
        chores->status_at_ms = now_ms + STATUS_MS;
    }
}

static bool web_changed(struct run *run)
{
    const char *const paths[] = {run->conf->web_config, run->web->cert_file, run->web->key_file,
                                 run->web->client_ca_file};
    return watch_changed(&run->chores.web, paths, ARRAY_COUNT(paths));
}

/* Takes `web` over; the old one serves on where it can't be used. */
static void web_take(struct run *run, struct conf_web *web)
{
    struct err err = {0};
    if (status_mhd_renew(run->status, web, &err)) {
        LOG_INFO("the pages are served with a new web_config");
        conf_web_free(run->web);
        run->web = web;
    } else {
        LOG_ERROR("web_config can't be used, the old one serves on", LOG_STR("err", err.text));
        conf_web_free(web);
    }
}

/* web_config is followed: a renewed certificate needs no reload. */
static void web_follow(struct run *run)
{
    struct conf_problems problems;
    if (run->status == NULL || run->web == NULL || run->conf->web_config == NULL ||
        !web_changed(run)) {
        return;
    }
    conf_problems_init(&problems);
    struct conf_web *web = conf_yaml_web(run->conf->web_config, &problems);
    if (web == NULL) {
        LOG_ERROR("web_config changed and is not good, the old one serves on",
                  LOG_STR("problems", conf_problems_text(&problems)));
    } else {
        web_take(run, web);
    }
    conf_problems_release(&problems);
}

void chores_web_changed(struct run *run)
{
    run->chores.web_stale = run->conf->web != NULL || run->web != NULL;
}

static void web_renew(struct run *run)
{
    struct chores *chores = &run->chores;
    if (chores->web_stale && run->status != NULL) {
        struct conf_web *web = run->conf->web;
        run->conf->web = NULL;
        web_take(run, web);
        chores->web = (struct watch){0};
    }
    chores->web_stale = false;
}

static void prometheus_follow(struct run *run)
{
    const char *const paths[] = {run->conf->prometheus_config};
    struct buf said;
    if (paths[0] == NULL || !watch_changed(&run->chores.prometheus, paths, ARRAY_COUNT(paths))) {
        return;
    }
    buf_init(&said, 1 << 20);
    (void)run_reload(run, "prometheus_config changed", &said); /* logged there */
    buf_release(&said);
}

void chores_begin(struct run *run, int64_t now_ms)
{
    struct chores *chores = &run->chores;
    *chores = (struct chores){.watch_at_ms = now_ms};
    minute_begin(&chores->minute, now_ms, run->args->config == NULL);
}

void chores_run(struct run *run, int64_t now_ms)
{
    struct chores *chores = &run->chores;
    systemd_run(run, now_ms);
    minute_run(&chores->minute, run->engine, now_ms);
    web_renew(run);
    if (now_ms >= chores->watch_at_ms) {
        chores->watch_at_ms = now_ms + WATCH_MS;
        web_follow(run);
        prometheus_follow(run);
        run_reload_tidy(run);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t chores_deadline(const struct run *run)
{
    const struct chores *chores = &run->chores;
    int64_t deadline = minute_deadline(&chores->minute);
    if (run->web != NULL || run->conf->prometheus_config != NULL || run->retired.count > 0) {
        deadline = earlier(deadline, chores->watch_at_ms);
    }
    if (notify_systemd_wanted(run->notify)) {
        deadline = earlier(deadline, chores->status_at_ms);
        if (notify_systemd_watchdog_ms(run->notify) > 0) {
            deadline = earlier(deadline, chores->watchdog_at_ms);
        }
    }
    return deadline;
}

void chores_end(struct run *run)
{
    notify_systemd_say(run->notify, "STOPPING=1");
}
