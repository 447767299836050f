/* series.h - WAL ref -> label set, versioned by position.
 *
 * Prometheus gives every series a number (ref) and logs its labels once. After a repair or a lost
 * tail a ref may come to mean other labels, and cursors stand at different places: each resolves a
 * ref by the newest definition at or before ITS position. Several refs may share one set.
 * Owns one reference of the set of every definition. Pure.
 * Limits: refs are 64 bits, definitions below 2^32 - 1. About 45 bytes a ref with its hash slot. */
#ifndef WALSHIP_SERIES_H
#define WALSHIP_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/labels.h>
#include <walship/position.h>

struct series;

struct series *series_new(struct labels *labels, uint64_t seed);
void series_free(struct series *series);
/* As it was when it was new. Caches by set id must forget what no other reference holds. */
void series_clear(struct series *series);
/* ref means this set from `at` on. Takes the caller's reference of the set. The same set again
 * costs at most one more definition a generation (the first and the last of a row in it are kept);
 * a definition at a position already known is replaced; an older position than known ones is
 * inserted in its place.
 * True when what the ref means at `at` changed. */
bool series_define(struct series *series, uint64_t ref, uint32_t take_set,
                   const struct position *at);
/* The set id, or LABELS_NONE when no definition is at or before `at`. */
uint32_t series_resolve(const struct series *series, uint64_t ref, const struct position *at);
/* The same; `*said`: where that definition is, if there is one. */
uint32_t series_said(const struct series *series, uint64_t ref, const struct position *at,
                     struct position *said);
/* What each ref means just before `before`, as far as that was said at `from` or later. Nothing may
 * be defined or collected meanwhile. */
typedef void series_export_fn(void *context, uint64_t ref, uint32_t set);
void series_export(const struct series *series, const struct position *from,
                   const struct position *before, series_export_fn *each, void *context);
size_t series_refs(const struct series *series);
size_t series_bytes(const struct series *series); /* without the labels */

/* Collection. A checkpoint N lists every ref that is still alive; between begin and end each of
 * them is marked, then every unmarked ref whose newest definition lies before `before` (the slowest
 * watermark, and at most the start of segment N + 1) is removed. `gone` is told each set whose last
 * reference went (caches by set id must forget it). Defining marks too. Returns refs removed. */
void series_collect_begin(struct series *series);
void series_collect_mark(struct series *series, uint64_t ref);
typedef void series_gone_fn(void *context, uint32_t set);
size_t series_collect_end(struct series *series, const struct position *before,
                          series_gone_fn *gone, void *context);
/* used[set] = 1 for every set that some definition means; room for labels_bound. */
void series_mark_sets(const struct series *series, uint8_t *used);
/* Older versions that no cursor at or after `before` can see are dropped as well by collect_end. */

#endif
