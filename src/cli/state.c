/* state.c - see state.h. */
#include "state.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <walship/conf_yaml.h>
#include <walship/mem.h>

static int usage(const char *command, const char *text, const char *value)
{
    (void)fprintf(stderr, "walship %s: %s%s; see walship --help\n", command, text, value);
    return 2;
}

/* 0, or the exit code of a usage error. */
static int args_parse(struct state *state, int argc, char **argv, const char **file)
{
    static const struct option table[] = {{"config", required_argument, NULL, 'c'},
                                          {"http-config", required_argument, NULL, 'h'},
                                          {"json", no_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == 'c') {
            *file = optarg;
        } else if (option == 'h') {
            state->http_config = optarg;
        } else if (option == 'j') {
            state->json = true;
        } else {
            return usage(argv[0], "unknown option or missing value: ", argv[optind - 1]);
        }
    }
    if (optind < argc) {
        return usage(argv[0], "unexpected argument ", argv[optind]);
    }
    return *file == NULL ? usage(argv[0], "--config F is missing", "") : 0;
}

int state_open(struct state *state, int argc, char **argv, bool asks)
{
    struct conf_problems problems;
    struct err err = {0};
    const char *file = NULL;
    ASSERT(argc >= 1 && argv != NULL);
    *state = (struct state){0};
    int code = args_parse(state, argc, argv, &file);
    if (code == 0 && state->http_config != NULL && !asks) {
        code = usage(argv[0], "it asks nobody, so there is no use for --http-config ",
                     state->http_config);
    }
    if (code != 0) {
        return code;
    }
    conf_problems_init(&problems);
    if (!conf_yaml_load(file, &problems, &state->conf)) {
        (void)fwrite(problems.text.data, 1, problems.text.bytes, stderr);
        code = 1;
    } else if (!store_look(state->conf->state_dir, &state->look, &err)) {
        (void)fprintf(stderr, "walship %s: %s\n", argv[0], err.text);
        code = 1;
    }
    conf_problems_release(&problems);
    return code;
}

void state_release(struct state *state)
{
    store_look_release(&state->look);
    conf_free(state->conf);
    *state = (struct state){0};
}

void state_text(struct buf *out, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ASSERT(count >= 0);
    size_t bytes = (size_t)count < sizeof text ? (size_t)count : sizeof text - 1;
    if (!buf_append(out, text, bytes)) {
        ASSERT(!"a report fits, since the ledger is bounded");
    }
}

void state_place(struct buf *out, const struct position *at)
{
    state_text(out, "%u/%u/%u/%u", at->generation, at->segment, at->record, at->item);
}

void state_time(struct buf *out, int64_t ms)
{
    struct tm parts;
    char text[64];
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        state_text(out, "%lldms", (long long)ms); /* no calendar goes that far */
        return;
    }
    state_text(out, "%s.%03lldZ", text, (long long)(ms - (int64_t)seconds * 1000));
}

bool state_print(const struct buf *out)
{
    bool good = fwrite(out->data, 1, out->bytes, stdout) == out->bytes && fflush(stdout) == 0;
    if (!good) {
        (void)fprintf(stderr, "walship: the report can't be written: %s\n", strerror(errno));
    }
    return good;
}
