/* metadata.h - types and help texts beside the samples (metadata.c). Included by internal.h only.
 */
#ifndef ENGINE_METADATA_H
#define ENGINE_METADATA_H

#include "senders.h"

#include <walship/http.h>
#include <walship/view.h>

struct route;

/* The engine's: what is known, and the asking. */
struct metadata {
    struct families *families;
    struct families *renamed; /* by the names that rules gave to series: over 2.0 only */
    bool wanted;              /* by some destination */
    bool asking, asked;
    uint64_t id;
    int64_t ask_ms, interval_ms;
};

/* A destination's: rounds of requests that hold nothing else. */
struct metadata_sending {
    struct batch batch; /* without parts */
    struct sender *sender;
    size_t next; /* family */
    uint32_t count;
    uint32_t rounds;
    int64_t due_ms;
};

/* written.c: what a 2.0 receiver says it wrote */
void version_set(struct destination *destination, enum rw_version version);
void written_judge(struct batch *batch, struct http_result *result);
void written_settle(struct destination *destination, struct batch *batch);
/* True: the batch is to be made anew, in 1.0. */
bool written_fallback(struct engine *engine, struct destination *destination,
                      const struct batch *batch, const struct http_result *result);

/* metadata.c */
void metadata_open(struct engine *engine);
void metadata_free(struct engine *engine);
/* Another configuration: before its endpoints change, and after. */
void metadata_recall(struct engine *engine, struct destination *destination);
void metadata_reconfigure(struct engine *engine);
/* A series has got its route, or something was told of it. */
void metadata_rename(struct engine *engine, const struct destination *destination, uint32_t set,
                     const struct route *route);
void metadata_record(struct engine *engine, struct view record, const struct position *at);
bool metadata_of(const struct engine *engine, const struct label *labels, size_t count,
                 struct rw_metadata *out);
void metadata_run(struct engine *engine);
bool metadata_result(struct engine *engine, const struct http_result *result);
int64_t metadata_deadline(const struct engine *engine);
bool metadata_settled(const struct engine *engine);

#endif
