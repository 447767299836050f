/* folded.c - series that differ only in the case of their letters, for a destination that takes
 * them for one (Azure). They go to one shard, so that they stay in order; that they are mixed up
 * there is the operator's to mend, who is told once of each that meets an earlier one. When that
 * earlier one goes, the others are not looked at again. Bounded: beyond FOLDED_SERIES_MAX no more
 * series are. */
#include "internal.h"

#include <walship/refmap.h>

/* Of the letters folded; 64 bits are enough not to compare the labels. */
static uint64_t folded_hash(const struct label *labels, size_t count)
{
    static const struct hash_key key = {0x63617365u, 0x666f6c64u};
    return labels_hash(&key, labels, count, true);
}

static char *text_of(const struct label *labels, size_t count)
{
    enum { SHOWN_BYTES_MAX = 400 };
    struct buf text;
    buf_init(&text, LABELS_FINAL_BYTES_MAX * 4);
    bool whole = labels_format(labels, count, &text);
    size_t bytes = text.bytes < SHOWN_BYTES_MAX ? text.bytes : SHOWN_BYTES_MAX;
    char *shown = mem_format("%.*s%s", (int)bytes, (const char *)text.data,
                             whole && bytes == text.bytes ? "" : "...");
    buf_release(&text);
    return shown;
}

static void collision_tell(struct engine *engine, const struct destination *destination,
                           uint32_t set, uint32_t other)
{
    char *texts[2];
    uint32_t sets[2] = {other, set};
    for (size_t i = 0; i < 2; i++) {
        size_t count = labels_get(engine->labels, sets[i], engine->label_room, LABELS_FINAL_MAX);
        texts[i] = text_of(engine->label_room, count);
    }
    trace_line(engine, "%s: %s and %s differ only in case", destination->conf->name, texts[0],
               texts[1]);
    LOG_WARN("two series differ only in the case of letters: to this destination they are one, and "
             "their samples are mixed up there",
             LOG_STR("destination", destination->conf->name), LOG_STR("one", texts[0]),
             LOG_STR("other", texts[1]));
    mem_free(texts[0]);
    mem_free(texts[1]);
}

void folded_note(struct engine *engine, struct destination *destination, uint32_t set)
{
    if (!destination->conf->fold_case) {
        return;
    }
    if (destination->folded == NULL) {
        destination->folded = refmap_new(engine->options.key.k1);
    }
    size_t count = labels_get(engine->labels, set, engine->label_room, LABELS_FINAL_MAX);
    uint64_t hash = folded_hash(engine->label_room, count);
    uint32_t other = refmap_get(destination->folded, hash);
    if (other == REFMAP_NONE && refmap_count(destination->folded) < FOLDED_SERIES_MAX) {
        refmap_put(destination->folded, hash, set);
    } else if (other != REFMAP_NONE && other != set) {
        destination->case_collisions++;
        collision_tell(engine, destination, set, other);
    }
}

/* The set is about to go; its labels are still there. */
void folded_forget(struct engine *engine, uint32_t set)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        if (destination->folded == NULL) {
            continue;
        }
        size_t count = labels_get(engine->labels, set, engine->label_room, LABELS_FINAL_MAX);
        uint64_t hash = folded_hash(engine->label_room, count);
        if (refmap_get(destination->folded, hash) == set) {
            (void)refmap_remove(destination->folded, hash);
        }
    }
}

void folded_release(struct destination *destination)
{
    if (destination->folded != NULL) {
        refmap_free(destination->folded);
        destination->folded = NULL;
    }
}
