/* shards.h - the page /api/v1/shards, written by a running walship and read by `walship explain`:
 * where each shard is at home, where it is now, and what is known of the endpoints.
 *
 * Plain lines, since it is a table: numbers first, free text last, control characters as '?'.
 *
 *     destination RULES NAME                         RULES: fingerprint of labels and shards
 *     endpoint STATE LENDING URL
 *     error TEXT                                     of the endpoint above it, if there is one
 *     shard NUMBER HOME PRESENT PENDING ACKED_MS     endpoints by index; "-": none acked yet */
#ifndef CLI_SHARDS_H
#define CLI_SHARDS_H

#include <walship/engine.h>
#include <walship/limits.h>
#include <walship/routing.h>

enum {
    SHARDS_ROWS_MAX = 4 * DESTINATIONS_MAX, /* those that leave with a reload too */
    SHARDS_PAGE_BYTES_MAX = 4 << 20
};
static_assert(SHARDS_ROWS_MAX * SHARDS_COUNT * 64 < SHARDS_PAGE_BYTES_MAX, "its shards fit");

/* False: out is full. */
MUST_USE bool shards_write(const struct engine *engine, struct buf *out);

struct shards_endpoint {
    const char *state, *lending, *url;
    const char *error; /* "": none */
};
struct shards_destination {
    const char *rules, *name;
    struct shards_endpoint endpoints[ENDPOINTS_MAX];
    size_t endpoints_count;
    struct engine_shard_stats shards[SHARDS_COUNT];
    size_t shards_count;
};
struct shards { /* texts point into the page */
    struct shards_destination *rows;
    size_t count;
};
/* page: NUL-terminated, taken apart in place. False: not such a page; nothing to release. */
MUST_USE bool shards_read(struct shards *shards, char *page);
void shards_release(struct shards *shards);
const struct shards_destination *shards_find(const struct shards *shards, const char *name);

#endif
