/* run_reload.c - see run_reload.h. The new file is read and checked as at a start before anything
 * is touched; then the engine takes it or leaves all as it is. */
#include "run_reload.h"

#include "guard.h"
#include "run.h"

#include <string.h>
#include <walship/http_curl.h>
#include <walship/log.h>
#include <walship/mem.h>

static void conf_forget(struct run *run, struct conf *conf)
{
    for (size_t i = 0; i < conf->destinations_count; i++) {
        const struct conf_destination *destination = &conf->destinations[i];
        for (size_t k = 0; k < destination->endpoints_count; k++) {
            http_curl_forget(run->http, &destination->endpoints[k].client);
            http_curl_forget(run->http, &destination->endpoints[k].token_client);
        }
    }
    conf_free(conf);
}

void run_reload_tidy(struct run *run)
{
    struct retired *retired = &run->retired;
    for (int i = retired->count; i > 0; i--) {
        if (!engine_borrows(run->engine, retired->list[i - 1])) {
            conf_forget(run, retired->list[i - 1]);
            retired->list[i - 1] = retired->list[--retired->count];
        }
    }
}

void run_reload_release(struct run *run)
{
    while (run->retired.count > 0) {
        conf_free(run->retired.list[--run->retired.count]);
    }
}

/* The sentence goes to the log and to who asked. */
static bool refused(struct run *run, struct buf *said, const char *why, const char *text)
{
    size_t bytes = strlen(text);
    bytes -= bytes > 0 && text[bytes - 1] == '\n'; /* the last of several problems ends its line */
    char *line = mem_format("%.*s", (int)bytes, text);
    run->pages.process.reload_good = false;
    LOG_ERROR("reload refused, nothing changed", LOG_STR("asked_by", why), LOG_STR("err", line));
    if (!buf_format(said, "%s\n", line)) {
        buf_clear(said); /* the log has it */
    }
    mem_free(line);
    return false;
}

static bool web_good(const struct run *run, const struct conf *conf, struct err *err)
{
    return run->status == NULL || conf->web == NULL || status_mhd_check(conf->web, err);
}

static bool take(struct run *run, struct conf *conf, const char *why, struct buf *said)
{
    struct err err = {0};
    if (!guard_check(conf, &err) || !web_good(run, conf, &err) ||
        !engine_reconfigure(run->engine, conf, &err)) {
        conf_free(conf);
        return refused(run, said, why, err.text);
    }
    ASSERT(run->retired.count < RELOAD_RETIRED_MAX);
    run->retired.list[run->retired.count++] = run->conf;
    run->conf = conf;
    chores_web_changed(run);
    run->pages.process.reload_good = true;
    run->pages.process.reloaded_seconds = (double)run->os->wall_ms(run->os) / 1000;
    LOG_INFO("configuration reloaded", LOG_STR("asked_by", why),
             LOG_U64("destinations", conf->destinations_count));
    return true;
}

bool run_reload(struct run *run, const char *why, struct buf *said)
{
    struct conf_problems problems;
    run_reload_tidy(run);
    if (run->retired.count == RELOAD_RETIRED_MAX) {
        return refused(run, said, why,
                       "requests of too many earlier configurations are still in flight, try again "
                       "in a minute");
    }
    conf_problems_init(&problems);
    struct conf *conf = run_conf(run->args, &problems);
    bool good = conf != NULL ? take(run, conf, why, said)
                             : refused(run, said, why, conf_problems_text(&problems));
    conf_problems_release(&problems);
    return good;
}
