/* cmd_check.c - `walship check`: every error of a configuration, and what of the machine can be
 * looked at without changing anything: is there a WAL to read, is there a place for the state. */
#include "commands.h"
#include "files_check.h"
#include "probe.h"
#include "sidecar.h"
#include "spool_check.h"
#include "workspace_check.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/conf_yaml.h>
#include <walship/mem.h>
#include <walship/os_linux.h>
#include <walship/status_mhd.h>
#include <walship/tail.h>

struct check {
    const char *file;
    const struct conf_node *root; /* NULL: by the environment */
    const struct conf *conf;
    struct conf_problems *problems;
};

static int usage(const char *text, const char *value)
{
    (void)fprintf(stderr, "walship check: %s%s; see walship --help\n", text, value);
    return 2;
}

/* At the key's value, or at the top of the file when the default is what is wrong. */
static void problem_of(const struct check *check, const char *key, const char *text)
{
    unsigned line = 1;
    unsigned column = 1;
    for (size_t i = 0; check->root != NULL && i < check->root->count; i++) {
        if (check->root->keys[i]->kind == CONF_SCALAR &&
            strcmp(check->root->keys[i]->text, key) == 0) {
            line = check->root->values[i]->line;
            column = check->root->values[i]->column;
        }
    }
    conf_problem(check->problems, check->file, line, column, "%s: %s", key, text);
}

static void check_wal(const struct check *check)
{
    struct err err;
    struct os *os = os_linux_new();
    struct waldir *dir = waldir_open(os, check->conf->wal_dir, &err);
    if (dir == NULL) {
        problem_of(check, "wal_dir", err.text);
    }
    waldir_free(dir);
    os_linux_free(os);
}

/* A directory of walship's own. It may still be missing; then its parent must take it, unless that
 * is `made` first. What is found holds for who runs the check: another user has other rights. */
static void check_own(const struct check *check, const char *key, const char *path,
                      const char *made)
{
    char text[PATH_MAX + 128];
    struct stat status;
    unsigned user = (unsigned)getuid(); /* as access has it */
    if (stat(path, &status) == 0) {
        if (!S_ISDIR(status.st_mode)) {
            problem_of(check, key, "not a directory");
        } else if (access(path, R_OK | W_OK | X_OK) != 0) {
            (void)snprintf(text, sizeof text, "%s: user %u may not write there: %s", path, user,
                           strerror(errno));
            problem_of(check, key, text);
        }
        return;
    }
    int error = errno;
    const char *slash = strrchr(path, '/');
    char *parent = slash == NULL   ? mem_string(".")
                   : slash == path ? mem_string("/")
                                   : mem_format("%.*s", (int)(slash - path), path);
    bool comes = made != NULL && strcmp(parent, made) == 0; /* what is wrong there is said there */
    if (!comes && (error != ENOENT || access(parent, W_OK | X_OK) != 0)) {
        error = error != ENOENT ? error : errno;
        (void)snprintf(text, sizeof text, "cannot be made: %s: %s", parent, strerror(error));
        problem_of(check, key, text);
    }
    mem_free(parent);
}

/* The names were compared already; links may still lead into Prometheus' directory (I5). */
static void check_links(const struct check *check, const char *key, const char *path)
{
    char *own = realpath(path, NULL);
    char *data = realpath(check->conf->wal_dir, NULL);
    if (own != NULL && data != NULL) {
        size_t bytes = strlen(data);
        if (bytes > 4 && strcmp(data + bytes - 4, "/wal") == 0) {
            bytes -= 4;
        }
        if (strncmp(own, data, bytes) == 0 && (own[bytes] == '\0' || own[bytes] == '/')) {
            problem_of(check, key, "leads into Prometheus' data directory");
        }
    }
    free(own); /* realpath's own memory */
    free(data);
}

/* What its TLS names must be there, and fit together: `run` would not start. */
static void check_web(const struct check *check)
{
    struct err err = {0};
    if (check->conf->web != NULL && !status_mhd_check(check->conf->web, &err)) {
        const char *text = err.text;
        const char *name = "web_config: "; /* problem_of says it */
        text += strncmp(text, name, strlen(name)) == 0 ? strlen(name) : 0;
        problem_of(check, "web_config", text);
    }
}

static void print_good(const char *file, const struct conf *conf)
{
    size_t endpoints = 0;
    for (size_t i = 0; i < conf->destinations_count; i++) {
        endpoints += conf->destinations[i].endpoints_count;
    }
    printf("%s: ok, %zu destination%s, %zu endpoint%s\n", file, conf->destinations_count,
           conf->destinations_count == 1 ? "" : "s", endpoints, endpoints == 1 ? "" : "s");
}

/* file: NULL, the variables of the side car. False: an endpoint did not take the empty write; a
 * line says why. */
static bool check_file(const char *file, bool probe, struct conf_problems *problems)
{
    bool ok = true;
    struct conf_yaml *yaml = file != NULL ? conf_yaml_read(file, problems) : NULL;
    const struct conf_node *root = yaml != NULL ? conf_yaml_root(yaml) : NULL;
    struct conf *conf = file == NULL   ? sidecar_conf(problems)
                        : root != NULL ? conf_yaml_bind(root, file, problems)
                                       : NULL;
    file = file != NULL ? file : sidecar_source;
    if (conf != NULL) {
        struct check check = {file, root, conf, problems};
        check_wal(&check);
        check_own(&check, "state_dir", conf->state_dir, NULL);
        check_own(&check, "spool_dir", conf->spool_dir, conf->state_dir);
        check_links(&check, "state_dir", conf->state_dir);
        check_links(&check, "spool_dir", conf->spool_dir);
        check_web(&check);
        if (problems->count == 0) {
            print_good(file, conf);
            spool_check(conf);
            workspace_check(file, conf);
            files_check(file, conf);
            ok = !probe || probe_endpoints(conf);
        }
    }
    conf_free(conf);
    conf_yaml_free(yaml);
    return ok;
}

/* 0, or the exit code of a usage error. */
static int args_parse(int argc, char **argv, const char **file, bool *probe)
{
    static const struct option table[] = {{"config", required_argument, NULL, 'c'},
                                          {"probe", no_argument, NULL, 'p'},
                                          {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == 'c') {
            *file = optarg;
        } else if (option == 'p') {
            *probe = true;
        } else {
            return usage("unknown option or missing value: ", argv[optind - 1]);
        }
    }
    if (optind < argc) {
        return usage("unexpected argument ", argv[optind]);
    }
    return *file == NULL && !sidecar_wanted()
               ? usage("--config F is missing, and INGESTION_URL is not set", "")
               : 0;
}

int cmd_check(int argc, char **argv)
{
    const char *file = NULL;
    bool probe = false;
    ASSERT(argc >= 1 && argv != NULL);
    int code = args_parse(argc, argv, &file, &probe);
    if (code != 0) {
        return code;
    }
    struct conf_problems problems;
    conf_problems_init(&problems);
    code = check_file(file, probe, &problems) ? 0 : 1;
    if (problems.count > 0) {
        (void)fwrite(problems.text.data, 1, problems.text.bytes, stderr);
        code = 1;
    }
    conf_problems_release(&problems);
    return code;
}
