/* main.c - walship-emulator: arguments, configuration, the loop. */
#include "server.h"
#include "tls.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <walship/conf_yaml.h>
#include <walship/log.h>

static const char USAGE[] =
    "usage: walship-emulator --config FILE [--check]\n"
    "\n"
    "A stand-in for Azure on loopback: remote write endpoints (DCE/DCR pairs) with their tokens,\n"
    "roles, quotas and workspaces, and the token sources (Entra, IMDS, Arc, App Service). Every\n"
    "sample that arrives is a row in SQLite. It does wrong what it is told to.\n"
    "\n"
    "  --config FILE   YAML: listen_address, database, endpoints (see tools/emulator/README.md)\n"
    "  --check         only read the configuration\n"
    "  --help          this\n"
    "  --version       the version\n"
    "\n"
    "While it runs:\n"
    "  GET  /stats                                        what each endpoint took, as JSON\n"
    "  POST /fault?endpoint=NAME&status=503&for=10s       make it fail; keys: status store delay\n"
    "                                                     cut retry_after body for count\n"
    "  DELETE /fault?endpoint=NAME                        end that; NAME * means all pairs, and\n"
    "                                                     imds, arc, app_service, entra are names\n"
    "  POST /role?identity=NAME&endpoint=NAME&delay=30s   grant a role; DELETE revokes it\n"
    "  POST /identity?name=NAME&secret=TEXT               change one; also disabled, expired_secret\n"
    "  POST /tokens?life=6s&expires_on=rfc3339            what tokens are like from now on\n"
    "  GET  /issuer/token?subject=TEXT                    a federated token\n"
    "SIGTERM and SIGINT write what is left and end it.\n";

struct arguments {
    const char *config;
    bool check;
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    int code = clock_gettime(clock, &now);
    ASSERT(code == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -1: go on; else the exit code. */
static int parse_arguments(int argc, char **argv, struct arguments *out)
{
    static const struct option OPTIONS[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    *out = (struct arguments){NULL, false};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'c':
            out->config = optarg;
            break;
        case 'k':
            out->check = true;
            break;
        case 'h':
            return fputs(USAGE, stdout) < 0;
        case 'v':
            return printf("walship-emulator %s\n", WALSHIP_VERSION) < 0;
        default:
            return 2;
        }
    }
    if (out->config == NULL || optind != argc) {
        (void)fprintf(stderr,
                      "walship-emulator: needs --config FILE and nothing else; see --help\n");
        return 2;
    }
    return -1;
}

static bool read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    bool good = buf_reserve(out, CONF_YAML_BYTES_MAX + 1);
    ASSERT(good);
    out->bytes = fread(out->data, 1, CONF_YAML_BYTES_MAX + 1, file);
    good = ferror(file) == 0;
    (void)fclose(file);
    return good;
}

static struct options *bind_file(const char *path, struct conf_problems *problems)
{
    struct buf text;
    buf_init(&text, CONF_YAML_BYTES_MAX + 1);
    struct options *options = NULL;
    errno = 0;
    if (!read_file(path, &text)) {
        conf_problem(problems, path, 1, 1, "%s", strerror(errno));
    } else {
        struct conf_yaml *yaml = conf_yaml_parse(text.data, text.bytes, path, problems);
        options = yaml == NULL ? NULL : options_bind(conf_yaml_root(yaml), path, problems);
        conf_yaml_free(yaml);
    }
    buf_release(&text);
    return options;
}

/* NULL after every problem was written to stderr. */
static struct options *load(const char *path)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct options *options = bind_file(path, &problems);
    (void)fwrite(problems.text.data, 1, problems.text.bytes, stderr);
    conf_problems_release(&problems);
    return options;
}

static int open_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    int code = sigprocmask(SIG_BLOCK, &set, NULL);
    ASSERT(code == 0);
    (void)signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    ASSERT(fd >= 0);
    return fd;
}

/* One listener, or a plain one and one with TLS. */
enum { SERVERS_MAX = 2 };

struct service {
    struct emulator *emulator;
    struct server *servers[SERVERS_MAX];
    size_t servers_count;
    struct tls_files tls;
    int signals;
};

/* poll's timeout until the nearest deadline, rounded up by nothing: 0 when it has passed. */
static int wait_ms(const struct service *service, int64_t now_ms)
{
    int64_t deadline = emulator_deadline(service->emulator);
    for (size_t index = 0; index < service->servers_count; index++) {
        int64_t own = server_deadline(service->servers[index], now_ms);
        deadline = own < deadline ? own : deadline;
    }
    if (deadline <= now_ms) {
        return 0;
    }
    return deadline - now_ms > 60000 ? 60000 : (int)(deadline - now_ms);
}

/* Until a signal, or until the database fails (then emulator->err says how). */
static void run(struct service *service)
{
    struct pollfd fds[1 + SERVERS_MAX] = {{.fd = service->signals, .events = POLLIN}};
    for (size_t index = 0; index < service->servers_count; index++) {
        fds[1 + index] =
            (struct pollfd){.fd = server_fd(service->servers[index]), .events = POLLIN};
    }
    while (!service->emulator->failed) {
        int ready =
            poll(fds, 1 + service->servers_count, wait_ms(service, clock_ms(CLOCK_MONOTONIC)));
        ASSERT(ready >= 0 || errno == EINTR);
        if (ready > 0 && fds[0].revents != 0) {
            return;
        }
        int64_t now_ms = clock_ms(CLOCK_MONOTONIC);
        emulator_run(service->emulator, now_ms); /* the script before the requests */
        for (size_t index = 0; index < service->servers_count; index++) {
            server_run(service->servers[index], now_ms, clock_ms(CLOCK_REALTIME));
        }
        emulator_run(service->emulator, now_ms);
    }
}

static bool add_server(struct service *service, const struct listener *listener, struct err *err)
{
    struct server *server = server_open(listener, service->emulator, err);
    if (server == NULL) {
        return false;
    }
    ASSERT(service->servers_count < SERVERS_MAX);
    service->servers[service->servers_count++] = server;
    LOG_INFO("listening", LOG_STR("host", listener->host), LOG_U64("port", server_port(server)),
             LOG_STR("protocol", listener->key_pem == NULL ? "http" : "https"),
             LOG_U64("endpoints", service->emulator->pairs_count));
    return true;
}

static bool open_servers(struct service *service, const struct options *options, struct err *err)
{
    struct listener plain = {
        .host = options->host, .port = options->port, .body_bytes_max = options->body_bytes_max};
    if (options->tls.directory == NULL) {
        return add_server(service, &plain, err);
    }
    if (!tls_open(options, &service->tls, err)) {
        return false;
    }
    struct listener secure = plain;
    secure.key_pem = service->tls.key_pem;
    secure.certificate_pem = service->tls.certificate_pem;
    if (options->tls.host == NULL) {
        return add_server(service, &secure, err);
    }
    secure.host = options->tls.host;
    secure.port = options->tls.port;
    return add_server(service, &plain, err) && add_server(service, &secure, err);
}

static bool serve(const struct options *options, struct emulator *emulator, struct err *err)
{
    struct service service = {.emulator = emulator, .signals = open_signals()};
    bool good = open_servers(&service, options, err);
    if (good) {
        emulator_start(emulator, clock_ms(CLOCK_MONOTONIC));
        run(&service);
    }
    for (size_t index = 0; index < service.servers_count; index++) {
        server_close(service.servers[index]);
    }
    tls_release(&service.tls);
    (void)close(service.signals);
    if (emulator->failed) {
        *err = emulator->err;
    }
    return good && !emulator->failed;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    int code = parse_arguments(argc, argv, &arguments);
    if (code >= 0) {
        return code;
    }
    struct options *options = load(arguments.config);
    if (options == NULL) {
        return 1;
    }
    struct err err = {0};
    struct emulator emulator;
    bool good = arguments.check;
    if (!arguments.check && emulator_open(&emulator, options, &err)) {
        good = serve(options, &emulator, &err);
        struct err last;
        if (!emulator_close(&emulator, &last) && good) {
            err = last;
            good = false;
        }
    }
    if (!good) {
        (void)fprintf(stderr, "walship-emulator: %s\n", err.text);
    }
    options_free(options);
    return good ? 0 : 1;
}
