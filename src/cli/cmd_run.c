/* cmd_run.c - `walship run`: wires the engine to the real world and turns the one loop. */
#include "commands.h"
#include "pages.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
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

enum { WAIT_MS_MAX = 60000 };

struct run_args {
    const char *config;
    int64_t timeout_ms; /* --once; 0: none */
    struct engine_options options;
    char *adopt; /* OLD, owned; options point into it */
};

struct run {
    struct conf *conf;
    struct os *os;
    struct http *http;
    struct store *store;
    struct spool *spool;
    struct engine *engine;
    struct status *status;
    struct pages pages;
    int signal_fd;
};

static int usage(const char *text, const char *value)
{
    fprintf(stderr, "walship run: %s%s; see walship --help\n", text, value);
    return 2;
}

static int adopt_parse(struct run_args *args, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == 0) {
        return usage("--adopt wants OLD=NEW, not ", text);
    }
    mem_free(args->adopt);
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
    if (args->config == NULL) {
        return usage("--config F is missing", "");
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

static bool run_open(struct run *run, const struct run_args *args, struct err *err)
{
    struct engine_options options = args->options;
    const struct identity_world world = {.variable = variable};
    options.world = &world;
    run->signal_fd = signals_open(err);
    if (run->signal_fd < 0) {
        return false;
    }
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
        return false;
    }
    if (*run->conf->listen_address != 0 && !args->options.once) {
        double now = (double)run->os->wall_ms(run->os) / 1000;
        run->pages.engine = run->engine;
        run->pages.process = (struct metrics_process){
            .started_seconds = now, .reload_good = true, .reloaded_seconds = now};
        run->status = status_mhd_open(run->conf->listen_address, pages_write, &run->pages, err);
        return run->status != NULL;
    }
    return true;
}

static void run_close(struct run *run)
{
    status_mhd_close(run->status);
    spool_linux_close(run->spool); /* its thread may be reading a file that the engine holds */
    engine_free(run->engine);
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

static void signals_take(struct run *run, int64_t now_ms)
{
    struct signalfd_siginfo info;
    while (read(run->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            LOG_WARN("SIGHUP: reload is not supported yet, restart to change the configuration");
        } else {
            LOG_INFO("stopping", LOG_U64("signal", info.ssi_signo));
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
    wait_ms = until_ms - now_ms < wait_ms ? until_ms - now_ms : wait_ms;
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

/* False: --timeout passed first. */
static bool run_loop(struct run *run, const struct run_args *args)
{
    int64_t until_ms = INT64_MAX;
    if (args->timeout_ms > 0) {
        until_ms = run->os->now_ms(run->os) + args->timeout_ms;
    }
    for (;;) {
        int64_t now_ms = run->os->now_ms(run->os);
        http_curl_run(run->http);
        signals_take(run, now_ms);
        engine_turn(run->engine, now_ms);
        if (run->status != NULL) {
            status_mhd_run(run->status);
        }
        if (engine_finished(run->engine)) {
            return true;
        }
        if (now_ms >= until_ms) {
            return false;
        }
        run_wait(run, until_ms);
    }
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

static struct conf *conf_load(const char *path)
{
    struct conf_problems problems;
    struct conf *conf = NULL;
    conf_problems_init(&problems);
    if (!conf_yaml_load(path, &problems, &conf)) {
        (void)fwrite(problems.text.data, 1, problems.text.bytes, stderr);
    }
    conf_problems_release(&problems);
    return conf;
}

int cmd_run(int argc, char **argv)
{
    struct run_args args = {0};
    struct run run = {.signal_fd = -1};
    struct err err = {0};
    struct rlimit no_core = {0, 0};
    int code = args_parse(argc, argv, &args);
    if (code == 0 && (run.conf = conf_load(args.config)) == NULL) {
        code = 1;
    }
    if (code == 0 && setrlimit(RLIMIT_CORE, &no_core) != 0) {
        LOG_WARN("core dumps can't be switched off", LOG_STR("err", strerror(errno)));
    }
    if (code == 0 && !run_open(&run, &args, &err)) {
        fprintf(stderr, "walship: %s\n", err.text);
        code = 1;
    }
    if (code == 0) {
        LOG_INFO("walship runs", LOG_STR("version", WALSHIP_VERSION),
                 LOG_STR("wal", run.conf->wal_dir));
        bool done = run_loop(&run, &args);
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
