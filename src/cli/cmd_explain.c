/* cmd_explain.c - `walship explain`: where the series of the WAL that match a selector go, and why.
 * Reads only; asks the running walship, if there is one. */
#include "catalog.h"
#include "commands.h"
#include "explain.h"
#include "live.h"
#include "selector.h"
#include "state.h"
#include "walscan.h"

#include <inttypes.h>
#include <walship/mem.h>

enum { OUT_BYTES_MAX = 1 << 30 }; /* one series in all destinations, then it is printed */

struct command {
    struct read_args args;
    struct conf_page *page; /* how it is asked for; NULL: as nobody */
    struct conf *conf;
    struct selector *selector;
    struct catalog catalog;
    char *url;        /* of the page; NULL: it does not listen */
    struct buf table; /* as it came */
    struct shards shards;
    struct err why; /* no page */
    struct buf out;
};

static int failed(const char *text)
{
    (void)fprintf(stderr, "walship explain: %s\n", text);
    return 1;
}

static int inputs_open(struct command *command)
{
    struct err err = {0};
    command->selector = selector_new(command->args.text, &err);
    if (command->selector == NULL) {
        return read_args_usage(&command->args, err.text, "");
    }
    command->conf = read_args_conf(&command->args);
    bool good = command->conf != NULL && live_page(command->args.http_config, &command->page);
    return good ? 0 : 1;
}

/* Every series of the WAL, the checkpoint's too; damage is passed over: `wal stat` says it. */
static bool catalog_read(struct command *command, struct err *err)
{
    struct walscan scan;
    struct tail_out out;
    uint64_t items;
    if (!walscan_open(&scan, command->conf->wal_dir, 1, false, err)) {
        return false;
    }
    walscan_begin(&scan, true);
    enum walscan_read read = walscan_next(&scan, &out, err);
    for (; read != WALSCAN_END && read != WALSCAN_FAILED; read = walscan_next(&scan, &out, err)) {
        if (read == WALSCAN_RECORD && wal_record_type(out.record) == WAL_SERIES &&
            wal_record_check(out.record, &items)) {
            catalog_learn(&command->catalog, out.record, &out.at);
        }
    }
    walscan_close(&scan);
    return read == WALSCAN_END;
}

static void live_read(struct command *command)
{
    command->url = live_url(command->conf, "/api/v1/shards");
    if (command->url == NULL) {
        err_set(&command->why, 0, "listen_address is empty");
        return;
    }
    struct live_ask ask = {command->conf, command->page, command->url, SHARDS_PAGE_BYTES_MAX};
    if (live_fetch(&ask, &command->table, &command->why) &&
        (!buf_append(&command->table, "", 1) ||
         !shards_read(&command->shards, (char *)command->table.data))) {
        err_set(&command->why, 0, "no table of shards: another version of walship?");
    }
}

/* How many matched. */
static uint64_t each_series(struct command *command, struct explain *explain, bool *good)
{
    struct catalog *catalog = &command->catalog;
    uint32_t bound = labels_bound(catalog->labels);
    uint8_t *used = mem_new((size_t)bound + 1, 1);
    uint64_t matched = 0;
    series_mark_sets(catalog->series, used);
    for (uint32_t set = 0; *good && set < bound; set++) {
        size_t count =
            used[set] ? labels_get(catalog->labels, set, catalog->room, LABELS_COUNT_MAX) : 0;
        if (!used[set] || !selector_matches(command->selector, catalog->room, count)) {
            continue;
        }
        if (matched++ < EXPLAIN_SERIES_MAX) {
            explain_series(explain, catalog->room, count);
            *good = state_print(&command->out);
            buf_clear(&command->out);
        }
    }
    mem_free(used);
    return matched;
}

static uint64_t more_than_shown(uint64_t matched)
{
    return matched <= EXPLAIN_SERIES_MAX ? 0 : matched - EXPLAIN_SERIES_MAX;
}

static bool text_report(struct command *command, struct explain *explain)
{
    bool good = true;
    bool live = explain->live != NULL;
    if (!live) {
        state_text(&command->out,
                   "a running walship can't be asked (%s%s%s): this is where series are at home\n",
                   command->url == NULL ? "" : command->url, command->url == NULL ? "" : ": ",
                   command->why.text);
    }
    uint64_t matched = each_series(command, explain, &good);
    if (matched == 0) {
        state_text(&command->out, "no series in %s matches %s\n", command->conf->wal_dir,
                   command->args.text);
    }
    if (more_than_shown(matched) > 0) {
        state_text(&command->out, "and %" PRIu64 " series more\n", more_than_shown(matched));
    }
    return good && state_print(&command->out);
}

static bool json_report(struct command *command, struct explain *explain, struct json *json)
{
    bool good = true;
    json_init(json, &command->out);
    explain->json = json;
    json_open(json, NULL, '{');
    if (explain->live == NULL) {
        json_string(json, "live_error", command->why.text);
    }
    json_open(json, "series", '[');
    uint64_t matched = each_series(command, explain, &good);
    json_close(json, ']');
    json_u64(json, "more", more_than_shown(matched));
    json_close(json, '}');
    ASSERT(json_ok(json));
    state_text(&command->out, "\n");
    return good && state_print(&command->out);
}

static int run(struct command *command)
{
    struct err err = {0};
    struct json json;
    struct explain explain;
    if (!catalog_read(command, &err)) {
        return failed(err.text);
    }
    live_read(command);
    explain_init(&explain, command->conf, &command->out);
    explain.live = command->shards.count > 0 ? &command->shards : NULL;
    bool good =
        command->args.json ? json_report(command, &explain, &json) : text_report(command, &explain);
    explain_release(&explain);
    return good ? 0 : 1;
}

int cmd_explain(int argc, char **argv)
{
    struct command command = {0};
    ASSERT(argc >= 1 && argv != NULL);
    int code = read_args_parse(&command.args, argc, argv, "a selector");
    if (code != 0) {
        return code;
    }
    buf_init(&command.out, OUT_BYTES_MAX);
    buf_init(&command.table, SHARDS_PAGE_BYTES_MAX + 1);
    catalog_init(&command.catalog, 0x77616C73686970u);
    code = inputs_open(&command);
    if (code == 0) {
        code = run(&command);
    }
    catalog_release(&command.catalog);
    selector_free(command.selector);
    shards_release(&command.shards);
    conf_free(command.conf);
    mem_free(command.url);
    conf_page_free(command.page);
    buf_release(&command.table);
    buf_release(&command.out);
    return code;
}
