/* explain.h - one series in words: its labels as the WAL has them and as each destination gets
 * them, its shard, where that is at home, and what the running walship says of it. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "shards.h"

#include <walship/expo.h>

enum { EXPLAIN_SERIES_MAX = 100 }; /* shown; the rest is counted */

struct explain {
    const struct conf *conf;
    const struct shards *live; /* NULL: nothing runs, or it does not answer */
    struct routing_room room;
    struct buf labels; /* scratch */
    struct buf *out;
    struct json *json;    /* NULL: text */
    const uint16_t *home; /* by destination, then shard */
    char (*rules)[ROUTE_FINGERPRINT_CHARS];
};

/* Borrows all but what it makes; labels canonical. */
void explain_init(struct explain *explain, const struct conf *conf, struct buf *out);
void explain_release(struct explain *explain);
void explain_series(struct explain *explain, const struct label *labels, size_t count);

#endif
