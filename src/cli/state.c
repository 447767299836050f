/* state.c - see state.h. */
#include "state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <walship/mem.h>

int state_open(struct state *state, int argc, char **argv, bool asks)
{
    struct err err = {0};
    *state = (struct state){0};
    struct read_args *args = &state->args;
    int code = read_args_parse(args, argc, argv, NULL);
    if (code == 0 && args->http_config != NULL && !asks) {
        code = read_args_usage(args, "it asks nobody, so there is no use for --http-config ",
                               args->http_config);
    }
    if (code != 0) {
        return code;
    }
    state->conf = read_args_conf(args);
    if (state->conf == NULL) {
        return 1;
    }
    if (!store_look(state->conf->state_dir, &state->look, &err)) {
        (void)fprintf(stderr, "walship %s: %s\n", args->command, err.text);
        return 1;
    }
    return 0;
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

void state_text_none(struct buf *out, const struct store_look *look)
{
    if (look->image.destinations_count == 0) {
        state_text(out, "nothing was saved of any destination yet\n");
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
