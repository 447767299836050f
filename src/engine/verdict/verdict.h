/* verdict.h - part of internal.h: batches that were not simply taken, and series in quarantine. */
#ifndef ENGINE_VERDICT_H
#define ENGINE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>
#include <walship/endpoint.h>
#include <walship/store.h>

struct batch;
struct destination;
struct domain;
struct engine;
struct lane;
struct position;
struct sender;
struct sift;

/* verdict.c: what answers make of a batch */
/* Leaves out what is quarantined. False: nothing of it is to be sent (verdict_finish). */
bool verdict_prepare(struct engine *engine, struct destination *destination, struct batch *batch);
void verdict_finish(struct engine *engine, struct destination *destination, struct sender *sender,
                    struct batch *batch);
void verdict_acked(struct engine *engine, struct destination *destination, struct sender *sender,
                   struct batch *batch); /* a piece; the others: whole batches and pieces */
void verdict_refused(struct engine *engine, struct destination *destination, struct sender *sender,
                     struct batch *batch, enum verdict verdict);
void verdict_unsure(struct batch *batch); /* its present request may have been delivered */
void verdict_failed(struct engine *engine, struct destination *destination, struct sender *sender,
                    struct batch *batch);
uint32_t verdict_failures(const struct batch *batch); /* in a row, of what is asked now */
void verdict_given_up(struct engine *engine, struct destination *destination, struct sender *sender,
                      struct batch *batch);
/* 413 to a piece. False: it is not one, or a single item. */
bool verdict_smaller(struct engine *engine, struct destination *destination, struct sender *sender,
                     struct batch *batch);
/* Its lanes leave: what has a good end at their fronts is settled, the rest begins anew. */
void verdict_leave(struct engine *engine, struct destination *destination, struct sender *sender,
                   struct batch *batch);
bool sift_wants(const struct sift *sift, uint32_t place);
void sift_free(struct sift *sift);

/* overtake.c */
/* To a batch that was encoded: does it overtake what stays behind in its lanes? */
void overtake_note(struct engine *engine, struct destination *destination, struct batch *batch);
/* What it carries may leave only when a crash would know of it, and that is not durable yet. */
bool overtake_waits(const struct engine *engine, const struct batch *batch);
/* What may have left of it, perhaps not in order. */
bool lane_mixed(const struct domain *domain, const struct lane *lane);
/* An item there may have been sent by an earlier life. */
bool domain_doubts(const struct domain *domain, const struct position *at);

/* quarantine.c */
struct refused_series {
    uint32_t set;
    uint32_t items; /* more than one: it was asked for twice */
    enum loss_reason reason;
    const char *words;
};
enum quarantine_state { QUARANTINE_FREE, QUARANTINE_BANNED, QUARANTINE_DUE };
void quarantine_note(struct engine *engine, struct destination *destination,
                     const struct refused_series *refused);
enum quarantine_state quarantine_state(const struct engine *engine,
                                       const struct destination *destination, uint32_t set);
void quarantine_tried(const struct engine *engine, struct destination *destination, uint32_t set);
void quarantine_lift(struct engine *engine, struct destination *destination, uint32_t set);
/* The destination is no more. */
void quarantine_release(struct engine *engine, struct destination *destination);
/* What was said of it last; reason is set in any case. */
const char *quarantine_words(const struct destination *destination, uint32_t set,
                             enum loss_reason *reason);

#endif
