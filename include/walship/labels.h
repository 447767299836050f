/* labels.h - label sets: canonical order, hash, comparison, interning.
 *
 * Names and values are raw bytes with a length (any UTF-8, unverified). A set is interned once: the
 * strings in a symbol table, the set as an array of symbol ids; equal sets have equal ids. Ids are
 * small integers, reused after the last release: whoever caches by id must drop the entry when
 * labels_release says the set is gone.
 * Memory: about 8 bytes a label and 24 a set, plus each distinct string once.
 * Pure; one table for the whole process. */
#ifndef WALSHIP_LABELS_H
#define WALSHIP_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/assert.h>
#include <walship/buf.h>
#include <walship/hash.h>

struct label {
    const char *name;
    const char *value;
    uint32_t name_bytes;
    uint32_t value_bytes;
};

#define LABELS_NONE UINT32_MAX

/* By name, bytewise (shorter first on a common prefix). */
int label_compare(const struct label *a, const struct label *b);
/* Sorts by name; of equal names the LAST stays; labels with an empty name or value go. New count.
 */
size_t labels_canonical(struct label *labels, size_t count);
/* Merge of two canonical lists into out (room for both); on equal names `base` wins, as Prometheus'
 * external_labels. Strings stay borrowed. */
size_t labels_merge(const struct label *base, size_t base_count, const struct label *extra,
                    size_t extra_count, struct label *out);
/* Hash of a canonical list. `fold`: ASCII letters as lower case in names and values (Azure). Stable
 * over versions and machines: it decides the shard, which is saved. */
uint64_t labels_hash(const struct hash_key *key, const struct label *labels, size_t count,
                     bool fold);
/* {__name__="x", a="b"} as promtool prints; values quoted and escaped as Go's %q; names that are
 * not [a-zA-Z_][a-zA-Z0-9_]* quoted too. False when out is full. */
MUST_USE bool labels_format(const struct label *labels, size_t count, struct buf *out);

struct labels;

struct labels *labels_new(const struct hash_key *key);
void labels_free(struct labels *labels);
/* Id of this canonical list, with one reference added. The strings are copied when new. */
uint32_t labels_intern(struct labels *labels, const struct label *list, size_t count);
void labels_retain(struct labels *labels, uint32_t set);
/* Told each set that goes, whoever released it: for the last time labels_get has it. One listener.
 */
typedef void labels_gone_fn(void *context, uint32_t set);
void labels_on_gone(struct labels *labels, labels_gone_fn *gone, void *context);
/* Drops one reference; true: the set is gone and its id may come back for another. */
bool labels_release(struct labels *labels, uint32_t set);
size_t labels_count(const struct labels *labels, uint32_t set);
/* Fills out[0..count); returns count. Pointers hold while the set has a reference. */
size_t labels_get(const struct labels *labels, uint32_t set, struct label *out, size_t room);
/* One past the largest id in use: the size of an array indexed by set. */
uint32_t labels_bound(const struct labels *labels);
size_t labels_sets(const struct labels *labels);  /* sets alive */
size_t labels_bytes(const struct labels *labels); /* memory held */

#endif
