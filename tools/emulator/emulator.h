/* emulator.h - the emulator itself: pairs by path, what each counted, and the handlers.
 *
 * A pair is one write endpoint (one DCE and DCR), found by its exact URL path. Loop thread only.
 * Limits: as many pairs as the configuration lists; one decompressed request at a time. */
#ifndef EMULATOR_EMULATOR_H
#define EMULATOR_EMULATOR_H

#include "azure.h"
#include "recorder.h"

enum { REQUEST_RAW_BYTES_MAX = 32 << 20 }; /* decompressed, as Prometheus' own receiver has it */
enum { REQUEST_V1_BYTES_MAX = 256 << 20 }; /* the same with each label written out */

struct pair_counts {
    uint64_t requests;
    uint64_t accepted;
    uint64_t refused; /* by our own checks */
    uint64_t faulted; /* by a fault */
    uint64_t samples; /* kept (or counted, with store: none) */
    uint64_t dropped; /* accepted, but not kept by the workspace */
    uint64_t exemplars;
    uint64_t histograms;
    uint64_t metadata;
    uint64_t bytes;     /* bodies on the wire */
    int64_t arrival_ms; /* Unix time of the last request; 0: none */
    int64_t newest_ms;  /* largest sample timestamp; 0: none */
};

struct pair {
    const char *name;
    const char *path;
    int64_t id; /* in the database */
    struct fault fault;
    struct pair_counts counts;
    const struct endpoint_options *options;
    struct workspace *workspace; /* NULL: keeps all */
    struct bucket requests;
    struct bucket bytes;
};

struct emulator {
    struct pair *pairs;
    size_t pairs_count;
    struct recorder *recorder; /* NULL: count only */
    struct buf raw;            /* the request at hand, decompressed */
    struct buf raw_v1;         /* one of version 2.0 as 1.0 */
    struct azure azure;
    struct workspace **workspaces;
    size_t workspaces_count;
    struct buf reasons; /* of the request at hand: why each sample was dropped */
    struct script *script;
    bool failed; /* the database can't be written: the program ends */
    struct err err;
};

/* options must outlive it. False: the database can't be opened. */
bool emulator_open(struct emulator *emulator, const struct options *options, struct err *err);
/* The clocks of role delays and of the script begin here; never called: at 0. */
void emulator_start(struct emulator *emulator, int64_t now_ms);
/* What a body of this request may have on the wire. */
uint64_t emulator_body_bytes_max(struct emulator *emulator, const struct exchange *exchange,
                                 uint64_t otherwise);
/* False: the last rows could not be written. */
bool emulator_close(struct emulator *emulator, struct err *err);
/* Answers any request. answer->body must be initialised. */
void emulator_answer(struct emulator *emulator, const struct exchange *exchange,
                     struct answer *answer);
/* Commits what is due. */
void emulator_run(struct emulator *emulator, int64_t now_ms);
/* When emulator_run should be called next (monotonic); INT64_MAX: no hurry. */
int64_t emulator_deadline(const struct emulator *emulator);

/* ---- the handlers, one file each ---- */

struct pair *emulator_pair(struct emulator *emulator, const char *path);
struct pair_route;
void ingest_answer(struct emulator *emulator, const struct pair_route *route,
                   const struct exchange *exchange, struct answer *answer);
void stats_answer(const struct emulator *emulator, struct answer *answer);
void fault_answer(struct emulator *emulator, const struct exchange *exchange,
                  struct answer *answer);
void role_answer(struct emulator *emulator, const struct exchange *exchange, struct answer *answer);
void identity_answer(struct emulator *emulator, const struct exchange *exchange,
                     struct answer *answer);
void tokens_answer(struct emulator *emulator, const struct exchange *exchange,
                   struct answer *answer);
/* What control requests and the script share; each gives how many it meant. `name`: a pair's, a
 * token source's, or * for all pairs. */
size_t emulator_set_fault(struct emulator *emulator, const char *name, const struct fault *fault);
size_t emulator_set_role(struct emulator *emulator, const char *identity, const char *pair,
                         const struct grant *grant);

#endif
