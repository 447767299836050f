/* cli.c - the table of commands. */
#include "commands.h"

#include <stdbool.h>
#include <walship/assert.h>
#include <walship/cli.h>

struct command {
    const char *group; /* first word, NULL: none */
    const char *name;
    const char *usage;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {NULL, "run",
     "[--config F] [--once [--timeout D]] [--adopt OLD=NEW] [--forget OLD] [--log-level L]\n"
     "                                        ship; --once: up to what is there at start",
     cmd_run},
    {NULL, "check",
     "[--config F] [--probe]          every error of a configuration; --probe: asks every endpoint",
     cmd_check},
    {NULL, "status",
     "[--config F] [--json] [--http-config F]\n"
     "                                        what was saved, how far behind it is, what the running "
     "one says",
     cmd_status},
    {NULL, "losses", "[--config F] [--json]           what was lost: how much, when, why",
     cmd_losses},
    {NULL, "explain",
     "SELECTOR [--config F] [--json] [--http-config F]\n"
     "                                        where series go and why: labels, shard, home, present "
     "endpoint",
     cmd_explain},
    {NULL, "plan",
     "DIR [--json] [--max-samples-per-send N] [--max-bytes-per-send B] [--batch-send-deadline D]\n"
     "                                        what the load of a WAL needs: requests, pairs, "
     "workspaces; no network",
     cmd_plan},
    {"wal", "dump",
     "DIR [--from T --to T --match S]\n"
     "                                        what a WAL directory holds, as promtool prints it",
     cmd_wal_dump},
    {"wal", "stat", "DIR                        records, series, samples, bytes, damage",
     cmd_wal_stat},
};

static void command_help(FILE *out, const struct command *command)
{
    fprintf(out, "  walship %s%s%s %s\n", command->group == NULL ? "" : command->group,
            command->group == NULL ? "" : " ", command->name, command->usage);
}

static void help(FILE *out)
{
    fprintf(out, "walship %s: ships the WAL of a Prometheus by remote write\n\n", WALSHIP_VERSION);
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        command_help(out, &commands[i]);
    }
    fprintf(
        out,
        "  walship --version | --help\n\nWithout --config F: by the environment variables of the Azure side car (docs/MIGRATING.md).\n--http-config F: how to ask a running walship that has a "
        "web_config (basic_auth, tls_config).\nTimes T are Unix milliseconds or 2006-01-02T15:04:05Z, durations D as 30s or 5m. "
        "Exit code: 0 done, 1 failed, 2 usage.\n");
}

static bool asks_help(const char *text)
{
    return strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0;
}

static int run_command(const struct command *command, int skip, int argc, char **argv)
{
    if (argc > skip + 1 && asks_help(argv[skip + 1])) {
        command_help(stdout, command);
        return 0;
    }
    return command->run(argc - skip, argv + skip);
}

/* `walship wal`, `walship wal --help`: what there is of it. */
static int group_help(int argc, char **argv)
{
    bool asked = argc > 2 && asks_help(argv[2]);
    size_t found = 0;
    for (size_t i = 0; (asked || argc == 2) && i < ARRAY_COUNT(commands); i++) {
        if (commands[i].group != NULL && strcmp(argv[1], commands[i].group) == 0) {
            command_help(asked ? stdout : stderr, &commands[i]);
            found++;
        }
    }
    if (found > 0) {
        return asked ? 0 : 2;
    }
    fprintf(stderr, "walship: unknown command %s%s%s; see walship --help\n", argv[1],
            argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
    return 2;
}

int cli_main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "walship: no command; see walship --help\n");
        return 2;
    }
    if (asks_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("walship %s\n", WALSHIP_VERSION);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        const struct command *command = &commands[i];
        if (command->group == NULL && strcmp(argv[1], command->name) == 0) {
            return run_command(command, 1, argc, argv);
        }
        if (command->group != NULL && argc > 2 && strcmp(argv[1], command->group) == 0 &&
            strcmp(argv[2], command->name) == 0) {
            return run_command(command, 2, argc, argv);
        }
    }
    return group_help(argc, argv);
}
