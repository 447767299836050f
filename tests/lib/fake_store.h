/* fake_store.h - durable memory as the tests want it: the store seam over an image in memory.
 *
 * A commit is copied, takes simulated time, and is applied to the image whole at `apply_ms`; its
 * result is given at `result_ms`. Or it fails and changes nothing. A crash loses one that is not
 * applied yet; load gives the last durable image.
 * The image keeps rows as store.h keys them; losses stay single rows, in order of arrival. */
#ifndef LIB_FAKE_STORE_H
#define LIB_FAKE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/store.h>

/* Rows own their strings. */
struct fake_rows {
    struct store_destination *destinations;
    size_t destinations_count;
    struct store_watermark *watermarks;
    size_t watermarks_count;
    struct store_lane *lanes;
    size_t lanes_count;
    struct store_segment *segments;
    size_t segments_count;
    struct store_loss *losses;
    size_t losses_count;
    struct store_quota *quotas;
    size_t quotas_count;
};

struct fake_commit_plan {
    bool fails;
    int64_t apply_ms;  /* after the commit call */
    int64_t result_ms; /* after the commit call; not before apply_ms */
};

struct fake_store_hooks {
    void *context;
    void (*plan)(void *context, struct fake_commit_plan *out);
    void (*taken)(void *context); /* a commit was accepted; its contents are those of this moment */
    void (*applied)(void *context); /* it is durable now */
};

struct fake_store {
    struct store seam; /* first */
    const int64_t *now_ms;
    struct fake_store_hooks hooks;
    struct fake_rows durable;
    bool lost; /* what the next load says */
    bool busy; /* a commit is under way */
    struct fake_rows pending;
    bool has_segments_before;
    struct position segments_before;
    char *forget, *adopt_old, *adopt_new;
    struct fake_commit_plan plan;
    int64_t apply_at_ms, result_at_ms;
    bool settled; /* applied or failed; the result waits */
    uint64_t commits, failures;
    bool load_fails;
};

struct fake_store *fake_store_new(const int64_t *now_ms, const struct fake_store_hooks *hooks);
void fake_store_free(struct fake_store *store);
/* Applies what is due. */
void fake_store_run(struct fake_store *store);
int64_t fake_store_deadline(const struct fake_store *store);
/* The process died. applied: the commit under way was durable already, only nobody heard of it. */
void fake_store_crash(struct fake_store *store, bool applied);
/* The file is gone or corrupt: the next load says so. Not while a commit is under way. */
void fake_store_lose(struct fake_store *store);
/* NULL when there is none. */
const struct store_destination *fake_store_destination(const struct fake_store *store,
                                                       const char *name);
const struct store_watermark *fake_store_watermark(const struct fake_store *store,
                                                   const char *destination, const char *domain);

#endif
