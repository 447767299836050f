/* cmd_plan.c - `walship plan`: what the load of a WAL directory needs; reads only, no network. */
#include "commands.h"
#include "plan.h"
#include "walscan.h"

#include <getopt.h>
#include <walship/conf.h>
#include <walship/limits.h>

struct plan_args {
    const char *dir;
    struct plan_options options;
    bool json;
};

static int usage(const char *text, const char *value)
{
    fprintf(stderr, "walship plan: %s%s; see walship --help\n", text, value);
    return 2;
}

static int failed(const char *text)
{
    fprintf(stderr, "walship plan: %s\n", text);
    return 1;
}

/* False: out of range, which was said. The same ranges as in the configuration. */
static bool number_take(const char *name, const char *value, uint32_t least, uint32_t *out)
{
    uint64_t number = 0;
    uint32_t most = *out;
    char range[128];
    if (conf_bytes_parse(value, &number) && number >= least && number <= most) {
        *out = (uint32_t)number;
        return true;
    }
    (void)snprintf(range, sizeof range, "%s wants %u to %u, not ", name, least, most);
    (void)usage(range, value);
    return false;
}

/* False: not a possible value, which was said. */
static bool option_take(struct plan_args *args, int option, const char *value)
{
    struct plan_options *options = &args->options;
    switch (option) {
    case 's':
        options->samples_max = BATCH_SAMPLES_MAX;
        return number_take("--max-samples-per-send", value, 1, &options->samples_max);
    case 'b':
        options->bytes_max = BATCH_COMPRESSED_BYTES_MAX;
        return number_take("--max-bytes-per-send", value, 1024, &options->bytes_max);
    case 'd':
        if (!conf_duration_parse(value, &options->deadline_ms) || options->deadline_ms <= 0) {
            (void)usage("--batch-send-deadline wants a duration such as 1s, not ", value);
            return false;
        }
        return true;
    default:
        args->json = true;
        return true;
    }
}

/* 0, or the exit code. */
static int args_parse(int argc, char **argv, struct plan_args *out)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"max-samples-per-send", required_argument, NULL, 's'},
                                            {"max-bytes-per-send", required_argument, NULL, 'b'},
                                            {"batch-send-deadline", required_argument, NULL, 'd'},
                                            {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    *out = (struct plan_args){
        .options = {.samples_max = 2000, .bytes_max = 1 << 20, .deadline_ms = 1000}};
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == ':') {
            return usage("a value is missing for ", argv[optind - 1]);
        }
        if (option == '?') {
            return usage("unknown option ", argv[optind - 1]);
        }
        if (!option_take(out, option, optarg)) {
            return 2;
        }
    }
    if (optind + 1 != argc) {
        return optind == argc ? usage("no directory given", "")
                              : usage("one directory only, not also ", argv[optind + 1]);
    }
    out->dir = argv[optind];
    return 0;
}

/* Damage and gaps are passed over: `wal stat` says them. */
static bool pass(struct walscan *scan, struct plan *plan, bool learning, struct err *err)
{
    struct tail_out out;
    walscan_begin(scan, learning);
    for (;;) {
        switch (walscan_next(scan, &out, err)) {
        case WALSCAN_RECORD:
            if (learning) {
                plan_learn(plan, out.record, &out.at);
            } else {
                plan_record(plan, out.record, &out.at);
            }
            break;
        case WALSCAN_DAMAGE:
        case WALSCAN_GAP:
            break;
        case WALSCAN_END:
            return true;
        case WALSCAN_FAILED:
            return false;
        }
    }
}

static int report(const struct plan_args *args, const struct plan *plan)
{
    enum { PAGE_BYTES_MAX = 64 << 20 }; /* twenty rows, each with a label value at most */
    struct buf out;
    buf_init(&out, PAGE_BYTES_MAX);
    bool good = args->json ? plan_json(plan, &out) : plan_text(plan, &out);
    ASSERT(good);
    good = fwrite(out.data, 1, out.bytes, stdout) == out.bytes && fflush(stdout) == 0;
    buf_release(&out);
    return good ? 0 : failed("stdout can't be written");
}

int cmd_plan(int argc, char **argv)
{
    struct plan_args args;
    struct plan plan;
    struct walscan scan;
    struct err err = {0};
    int code = args_parse(argc, argv, &args);
    if (code != 0) {
        return code;
    }
    if (!walscan_open(&scan, args.dir, 2, false, &err)) {
        return failed(err.text);
    }
    plan_init(&plan, &args.options);
    bool good = pass(&scan, &plan, true, &err) && pass(&scan, &plan, false, &err);
    walscan_close(&scan);
    if (!good) {
        code = failed(err.text);
    } else if (plan.samples == 0) { /* a plan of nothing would say that one pair is enough */
        err_set(&err, 0, "%s holds no samples yet: nothing can be planned from it", args.dir);
        code = failed(err.text);
    } else {
        plan_end(&plan);
        code = report(&args, &plan);
    }
    plan_release(&plan);
    return code;
}
