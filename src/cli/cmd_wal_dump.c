/* cmd_wal_dump.c - `walship wal dump`: what a WAL directory holds, line by line, as promtool prints
 * it.
 *
 * Two passes: the series definitions of all of it (the checkpoint's too), then the items. Items
 * inside a checkpoint are not shown: they are copies, and an agent's may be made up. */
#include "commands.h"
#include "dump.h"
#include "times.h"
#include "walscan.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>

struct dump_args {
    const char *dir;
    const char *from, *to, *match;
};

static int usage(const char *text, const char *value)
{
    fprintf(stderr, "walship wal dump: %s%s; see walship --help\n", text, value);
    return 2;
}

static int failed(const char *text)
{
    fprintf(stderr, "walship wal dump: %s\n", text);
    return 1;
}

/* 0, or the exit code. */
static int args_parse(int argc, char **argv, struct dump_args *out)
{
    static const struct option options[] = {{"from", required_argument, NULL, 'f'},
                                            {"to", required_argument, NULL, 't'},
                                            {"match", required_argument, NULL, 'm'},
                                            {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    *out = (struct dump_args){0};
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        switch (option) {
        case 'f':
            out->from = optarg;
            break;
        case 't':
            out->to = optarg;
            break;
        case 'm':
            out->match = optarg;
            break;
        case ':':
            return usage("a value is missing for ", argv[optind - 1]);
        default:
            return usage("unknown option ", argv[optind - 1]);
        }
    }
    if (optind + 1 != argc) {
        return optind == argc ? usage("no directory given", "")
                              : usage("one directory only, not also ", argv[optind + 1]);
    }
    out->dir = argv[optind];
    return 0;
}

static int args_apply(const struct dump_args *args, struct dump *dump)
{
    if (args->from != NULL && !time_parse(args->from, &dump->from_ms)) {
        return usage("--from wants Unix milliseconds or 2006-01-02T15:04:05Z, not ", args->from);
    }
    if (args->to != NULL && !time_parse(args->to, &dump->to_ms)) {
        return usage("--to wants Unix milliseconds or 2006-01-02T15:04:05Z, not ", args->to);
    }
    if (args->from != NULL && args->to != NULL && dump->from_ms > dump->to_ms) {
        return usage("--from is later than --to, so nothing lies between: ", args->from);
    }
    if (args->match != NULL) {
        struct err err = {0};
        dump->selector = selector_new(args->match, &err);
        if (dump->selector == NULL) {
            return usage("--match: ", err.text);
        }
    }
    return 0;
}

static void say_damage(struct walscan *scan, enum walscan_read read, const struct tail_out *out)
{
    progress_end(&scan->progress);
    if (read == WALSCAN_GAP) {
        fprintf(stderr, "walship wal dump: segments %u to %u are not there\n", out->gap_from,
                out->gap_to);
        return;
    }
    fprintf(stderr, "walship wal dump: %ssegment %u: %" PRIu64 " bytes passed over: %s\n",
            scan->in_checkpoint ? "checkpoint " : "", out->at.segment, out->damage_bytes,
            out->damage_text);
}

/* One walk over everything. Damage is said in the second one only. */
static bool pass(struct walscan *scan, struct dump *dump, bool learning, struct err *err)
{
    struct tail_out out;
    walscan_begin(scan, learning);
    for (;;) {
        enum walscan_read read = walscan_next(scan, &out, err);
        switch (read) {
        case WALSCAN_RECORD:
            if (learning) {
                dump_learn(dump, out.record, &out.at);
            } else {
                dump_record(dump, out.record, &out.at);
            }
            break;
        case WALSCAN_DAMAGE:
        case WALSCAN_GAP:
            if (!learning || scan->in_checkpoint) {
                say_damage(scan, read, &out);
            }
            break;
        case WALSCAN_END:
            return true;
        case WALSCAN_FAILED:
            return false;
        }
        if (dump->failed) {
            return true;
        }
    }
}

static void say_rest(const struct dump *dump)
{
    static const char format[] = "walship wal dump: %" PRIu64 " %s\n";
    if (dump->unknown_refs > 0) {
        fprintf(stderr, format, dump->unknown_refs,
                "items of series without a definition left out");
    }
    if (dump->unknown_schemas > 0) {
        fprintf(stderr, format, dump->unknown_schemas, "histograms of an unknown schema left out");
    }
    if (dump->undecodable > 0) {
        fprintf(stderr, format, dump->undecodable, "records that can't be decoded left out");
    }
    if (dump->unknown_types > 0) {
        fprintf(stderr, format, dump->unknown_types, "records of an unknown type left out");
    }
}

static int run(const struct dump_args *args, struct dump *dump)
{
    struct walscan scan;
    struct err err = {0};
    if (!walscan_open(&scan, args->dir, 2, true, &err)) {
        return failed(err.text);
    }
    bool good = pass(&scan, dump, true, &err) && pass(&scan, dump, false, &err);
    walscan_close(&scan);
    if (!dump_flush(dump)) {
        return errno == EPIPE ? 1 : failed("stdout can't be written");
    }
    if (!good) {
        return failed(err.text);
    }
    say_rest(dump);
    return 0;
}

int cmd_wal_dump(int argc, char **argv)
{
    struct dump_args args;
    struct dump dump;
    int code = args_parse(argc, argv, &args);
    if (code != 0) {
        return code;
    }
    dump_init(&dump, 0x77616C73686970u);
    code = args_apply(&args, &dump);
    if (code == 0) {
        code = run(&args, &dump);
    }
    dump_release(&dump);
    return code;
}
