/* cmd_run.c - `walship run`: wires the engine to the real world and turns the one loop. */
#include "commands.h"
#include "forget_check.h"
#include "guard.h"
#include "run.h"
#include "sidecar.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <walship/conf_yaml.h>
#include <walship/engine.h>
#include <walship/http_curl.h>
#include <walship/limits.h>
#include <walship/log.h>
#include <walship/mem.h>
#include <walship/os_linux.h>
#include <walship/spool_linux.h>
#include <walship/status_mhd.h>
#include <walship/store_sqlite.h>

static int usage(const char *text, const char *value)
{
    fprintf(stderr, "walship run: %s%s; see walship --help\n", text, value);
    return 2;
}

static int adopt_parse(struct run_args *args, const char *text)
{
    ASSERT(text != NULL);
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == 0) {
        return usage("--adopt wants OLD=NEW, not ", text);
    }
    if (args->adopt != NULL) {
        return usage("--adopt goes once a start: rename one destination after the other, not also ",
                     text);
    }
    args->adopt = mem_string(text);
    args->adopt[equals - text] = 0;
    args->options.adopt_old = args->adopt;
    args->options.adopt_new = args->adopt + (equals - text) + 1;
    return 0;
}

/* 0, or the exit code of a usage error. */
static int args_parse(int argc, char **argv, struct run_args *args)
{
    static const struct option table[] = {{"config", required_argument, NULL, 'c'},
                                          {"once", no_argument, NULL, 'o'},
                                          {"timeout", required_argument, NULL, 't'},
                                          {"adopt", required_argument, NULL, 'a'},
                                          {"forget", required_argument, NULL, 'f'},
                                          {"log-level", required_argument, NULL, 'l'},
                                          {NULL, 0, NULL, 0}};
    enum log_level level;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == 'c') {
            args->config = optarg;
        } else if (option == 'o') {
            args->options.once = true;
        } else if (option == 't') {
            if (!conf_duration_parse(optarg, &args->timeout_ms) || args->timeout_ms <= 0) {
                return usage("--timeout wants a duration such as 30s, not ", optarg);
            }
        } else if (option == 'a') {
            if (adopt_parse(args, optarg) != 0) {
                return 2;
            }
        } else if (option == 'f') {
            if (args->options.forget != NULL) {
                return usage("--forget goes once a start, not also ", optarg);
            }
            args->options.forget = optarg;
        } else if (option == 'l') {
            if (!log_level_parse(optarg, &level)) {
                return usage("--log-level wants debug, info, warn or error, not ", optarg);
            }
            log_set_level(level);
        } else {
            return usage("unknown option or missing value: ", argv[optind - 1]);
        }
    }
    if (optind < argc) {
        return usage("unexpected argument ", argv[optind]);
    }
    if (args->config == NULL && !sidecar_wanted()) {
        return usage("--config F is missing, and INGESTION_URL is not set", "");
    }
    if (args->timeout_ms > 0 && !args->options.once) {
        return usage("--timeout goes with --once", "");
    }
    return 0;
}

/* SIGTERM and SIGINT end it; SIGHUP is kept from killing it. All by descriptor, in the loop. */
static int signals_open(struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        err_set(err, errno, "sigprocmask: %s", strerror(errno));
        return -1;
    }
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        err_set(err, errno, "signalfd: %s", strerror(errno));
    }
    return fd;
}

static const char *variable(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

static bool reload_by_page(void *context, struct buf *said)
{
    return run_reload(context, "POST /-/reload", said);
}

static bool run_open(struct run *run, struct err *err)
{
    struct engine_options options = run->args->options;
    const struct identity_world world = {.variable = variable};
    options.world = &world;
    run->signal_fd = signals_open(err);
    if (run->signal_fd < 0) {
        return false;
    }
    if (!guard_check(run->conf, err) || !forget_check(run->conf, options.forget, err)) {
        return false;
    }
    run->notify = notify_systemd_open();
    run->os = os_linux_new();
    run->http = http_curl_new();
    run->store = store_sqlite_open(run->conf->state_dir, err);
    if (run->store == NULL) {
        return false;
    }
    run->spool = spool_linux_open(run->conf->spool_dir, err);
    if (run->spool == NULL) {
        return false;
    }
    options.spool = run->spool;
    options.key.k0 = run->os->random(run->os);
    options.key.k1 = run->os->random(run->os);
    run->engine = engine_new(run->conf, &options, run->os, run->http, run->store);
    if (!engine_start(run->engine, err)) {
        bool mount = run->args->config == NULL && access(run->conf->wal_dir, R_OK | X_OK) != 0;
        return mount && err_wrap(err, "%s", sidecar_hint());
    }
    if (*run->conf->listen_address != 0 && !run->args->options.once) {
        double now = (double)run->os->wall_ms(run->os) / 1000;
        run->pages.engine = run->engine;
        run->pages.process = (struct metrics_process){
            .started_seconds = now, .reload_good = true, .reloaded_seconds = now};
        run->pages.reload = reload_by_page;
        run->pages.context = run;
        run->web = run->conf->web;
        run->conf->web = NULL;
        run->status =
            status_mhd_open(run->conf->listen_address, run->web, pages_write, &run->pages, err);
        return run->status != NULL;
    }
    return true;
}

static void run_close(struct run *run)
{
    notify_systemd_close(run->notify);
    status_mhd_close(run->status);
    spool_linux_close(run->spool); /* its thread may be reading a file that the engine holds */
    engine_free(run->engine);
    run_reload_release(run);
    conf_web_free(run->web);
    if (run->store != NULL) {
        store_sqlite_close(run->store);
    }
    if (run->http != NULL) {
        http_curl_free(run->http);
    }
    if (run->os != NULL) {
        os_linux_free(run->os);
    }
    if (run->signal_fd >= 0) {
        close(run->signal_fd);
    }
    conf_free(run->conf);
}

static void summary(const struct run *run)
{
    struct engine_stats all;
    engine_stats(run->engine, &all);
    for (size_t i = 0; i < all.destinations_count; i++) {
        struct engine_destination_stats stats;
        engine_destination_stats(run->engine, i, &stats);
        LOG_INFO("destination", LOG_STR("name", stats.name),
                 LOG_U64("read", stats.counts[STORE_READ]),
                 LOG_U64("acked", stats.counts[STORE_ACKED]),
                 LOG_U64("dropped", stats.counts[STORE_DROPPED]),
                 LOG_U64("lost", stats.counts[STORE_LOST]), LOG_U64("pending", stats.pending),
                 LOG_U64("behind_bytes", stats.behind_bytes));
    }
}

struct conf *run_conf(const struct run_args *args, struct conf_problems *problems)
{
    struct conf *conf = NULL;
    if (args->config == NULL) {
        return sidecar_conf(problems);
    }
    return conf_yaml_load(args->config, problems, &conf) ? conf : NULL;
}

static struct conf *conf_first(const struct run_args *args)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf *conf = run_conf(args, &problems);
    if (conf == NULL) {
        (void)fwrite(problems.text.data, 1, problems.text.bytes, stderr);
    }
    conf_problems_release(&problems);
    return conf;
}

int cmd_run(int argc, char **argv)
{
    struct run_args args = {0};
    struct run run = {.args = &args, .signal_fd = -1};
    struct err err = {0};
    struct rlimit no_core = {0, 0};
    int code = args_parse(argc, argv, &args);
    if (code == 0 && (run.conf = conf_first(&args)) == NULL) {
        code = 1;
    }
    if (code == 0 && setrlimit(RLIMIT_CORE, &no_core) != 0) {
        LOG_WARN("core dumps can't be switched off", LOG_STR("err", strerror(errno)));
    }
    if (code == 0 && !run_open(&run, &err)) {
        fprintf(stderr, "walship: %s\n", err.text);
        code = 1;
    }
    if (code == 0) {
        LOG_INFO("walship runs", LOG_STR("version", WALSHIP_VERSION),
                 LOG_STR("wal", run.conf->wal_dir));
        bool done = run_loop(&run);
        summary(&run);
        if (!done) {
            fprintf(stderr, "walship: --timeout passed before everything was settled\n");
        }
        code = done ? 0 : 1;
    }
    run_close(&run);
    mem_free(args.adopt);
    return code;
}
