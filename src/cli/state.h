/* state.h - what `losses` and `status` share: their arguments, the configuration, the saved state,
 * and how places, times and numbers are written for people. */
#ifndef CLI_STATE_H
#define CLI_STATE_H

#include "read_args.h"

#include <walship/buf.h>
#include <walship/store_sqlite_look.h>

enum { STATE_TEXT_BYTES_MAX = 256 << 20 };

struct state {
    struct read_args args;
    struct conf *conf;
    struct store_look look;
};

/* asks: whether --http-config makes sense. 0, or the exit code; what was wrong was said. Release in
 * both cases. */
int state_open(struct state *state, int argc, char **argv, bool asks);
void state_release(struct state *state);

/* "1/5/10/3": generation, segment, record, item. */
void state_place(struct buf *out, const struct position *at);
/* RFC 3339 in UTC, to the millisecond. */
void state_time(struct buf *out, int64_t ms);
/* What `out` holds goes to standard output. False: that failed. */
bool state_print(const struct buf *out);
/* A line, if nothing was saved: an empty report would not tell that from one that failed. */
void state_text_none(struct buf *out, const struct store_look *look);
/* buf_format for texts that have no limit but STATE_TEXT_BYTES_MAX. */
void state_text(struct buf *out, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
