/* label_ids.h - label sets to small numbers, for the oracles of the tests: independent of
 * src/labels.
 *
 * Two sets are the same when all their names and values are, in the order given (sorted by name).
 * Ids count from 0 and are never reused. */
#ifndef LIB_LABEL_IDS_H
#define LIB_LABEL_IDS_H

#include <stddef.h>
#include <stdint.h>
#include <walship/labels.h>

struct label_ids;

struct label_ids *label_ids_new(void);
void label_ids_free(struct label_ids *ids);
uint32_t label_ids_of(struct label_ids *ids, const struct label *labels, size_t count);
size_t label_ids_count(const struct label_ids *ids);
/* a="b" c="d", for messages; holds as long as the table. */
const char *label_ids_text(const struct label_ids *ids, uint32_t id);

#endif
