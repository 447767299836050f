/* families.h - what is known of metric families: type, help, unit. Filled from the WAL's metadata
 * records and from Prometheus' API; the last word wins. Never needed for samples.
 *
 * Owns its texts. Families are numbered in the order in which they were first seen and never go:
 * at most METADATA_FAMILIES_MAX and METADATA_BYTES_MAX, later ones are not taken then. */
#ifndef ENGINE_FAMILIES_H
#define ENGINE_FAMILIES_H

#include <walship/rw.h>

struct families;

struct families *families_new(const struct hash_key *key);
void families_free(struct families *families);
/* False: no room. Longer help than METADATA_TEXT_BYTES_MAX is left away. */
bool families_put(struct families *families, const struct rw_metadata *metadata);
/* The family that a series of this name belongs to. */
struct rw_text families_name(struct rw_text series, uint8_t type);
/* By a series' name: its own, or that of the histogram or summary it is a part of. */
bool families_find(const struct families *families, struct rw_text series, struct rw_metadata *out);
size_t families_count(const struct families *families);
size_t families_bytes(const struct families *families);
struct rw_metadata families_at(const struct families *families, size_t index);

/* The answer of /api/v1/metadata, whole or cut: what could be read is taken. False: it is not such
 * an answer to its end. */
bool families_read_json(struct families *families, const void *text, size_t bytes);

#endif
