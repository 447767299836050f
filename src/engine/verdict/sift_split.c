/* sift_split.c - lanes of a sifted batch whose items all have their end leave it: they need not
 * wait for the culprit, and what they send next shows whether the endpoint takes anything. A series
 * is in one lane, so nothing that belongs together is parted. */
#include "sift.h"

static uint32_t mapped(const uint32_t *map, uint32_t place)
{
    return place == NOBODY ? NOBODY : map[place];
}

/* What was found out so far, for the items that stay. */
static void knowledge_move(struct sift *to, const struct sift *from, const uint32_t *map)
{
    for (uint32_t i = 0; i < from->open_count; i++) {
        to->open[i] = map[from->open[i]]; /* what is open stays, in the same order */
        ASSERT(to->open[i] != NOBODY);
    }
    to->open_count = from->open_count;
    to->postponed = from->postponed;
    to->suspect = from->suspect;
    to->series = mapped(map, from->series);
    for (uint32_t i = 0; i < from->heard_count; i++) {
        uint32_t head = mapped(map, from->heard[i]);
        if (head != NOBODY) {
            to->heard[to->heard_count++] = head;
        }
    }
    for (uint32_t i = 0; i < from->alone_count; i++) {
        to->alone[i] = from->alone[i];
        to->alone[i].place = map[from->alone[i].place];
    }
    to->alone_count = from->alone_count;
}

struct sift *sift_part(const struct sift *from, const struct destination *destination,
                       const struct batch *batch, const uint8_t *which)
{
    struct sift *to = sift_new(destination, batch);
    uint32_t *map = mem_new(from->items, sizeof *map);
    uint32_t count = 0;
    for (uint32_t i = 0; i < from->items; i++) {
        map[i] = NOBODY;
        if (which[i]) {
            to->fates[count] = from->fates[i];
            to->region[count] = from->region[i];
            to->blurred[count] = from->blurred[i]; /* a head stays one: lanes stay whole */
            map[i] = count++;
        }
    }
    ASSERT(count == to->items);
    sift_compact(to);
    to->piece_max = from->piece_max;
    to->piece_grows = from->piece_grows;
    to->asking = from->asking;
    to->asked = from->asked;
    to->disproved = from->disproved;
    to->whole = from->whole;
    to->there = from->there;
    to->others = from->others;
    to->taken = from->taken;
    memcpy(to->words, from->words, sizeof to->words);
    if (to->open_count > 0) {
        knowledge_move(to, from, map);
    } else {
        to->asking = false;
    }
    mem_free(map);
    return to;
}
