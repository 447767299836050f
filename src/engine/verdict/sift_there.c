/* sift_there.c - how much of a piece that was refused for its time is there already.
 *
 * Only questions that can do no harm are asked: an item of which every earlier one of its series
 * has its end. If it is taken, nothing was skipped; if it is refused, the receiver has a later one
 * of its series, so the next one is there too. (Sending the later half first, as a search over time
 * would, loses what lies between when it is taken.)
 *
 * A request sent again with the same bytes was delivered whole or not at all: a few series speak
 * for all of it. After a start, or after a lane was lent, batches are cut elsewhere, but a lane
 * leaves in order: what lies in it before an item that is there is there as well, which is believed
 * once two of its series agree. */
#include "sift.h"

static bool heard_of(const struct sift *sift, uint32_t place)
{
    for (uint32_t i = 0; i < sift->heard_count; i++) {
        if (sift->heard[i] == sift->heads[place]) {
            return true;
        }
    }
    return false;
}

static void hear(struct sift *sift, uint32_t place)
{
    if (!heard_of(sift, place) && sift->heard_count < WITNESSES) {
        sift->heard[sift->heard_count++] = sift->heads[place];
    }
}

/* The first open item of some series not heard yet, looked for from `from` on; one that has a
 * successor in the region can be refused when all is there, and is better. */
static uint32_t witness_find(const struct sift *sift, uint32_t from, bool successor)
{
    for (uint32_t i = 0; i < sift->open_count; i++) {
        uint32_t place = sift->open[(from + i) % sift->open_count];
        uint32_t next = sift->next[place];
        bool good = !successor || (next != NOBODY && sift->region[next]);
        if (good && sift->region[place] && !sift->late[place] && !heard_of(sift, place) &&
            sift_first_open(sift, place) == place) {
            return place;
        }
    }
    return NOBODY;
}

static uint32_t witness_next(const struct sift *sift)
{
    if (sift->open_count == 0) {
        return NOBODY;
    }
    uint32_t from = sift->by_lane ? 0 : sift->open_count / WITNESSES * sift->heard_count;
    uint32_t place = witness_find(sift, from, true);
    bool alone = place == NOBODY && sift->heard_count == 0;
    return alone ? witness_find(sift, from, false) : place;
}

void there_begin(struct sift *sift, bool by_lane)
{
    ASSERT(!sift->asking && sift->wanted_count > 0);
    memcpy(sift->region, sift->wanted, sift->items);
    sift->heard_count = 0;
    sift->by_lane = by_lane;
    sift->asked = true;
    if (sift->piece == PIECE_FRONT) {
        sift->suspect = sift->wanted_count;
    }
    sift->witness = witness_next(sift);
    sift->asking = sift->witness != NOBODY;
}

void there_taken(struct sift *sift)
{
    uint32_t next = sift->next[sift->witness];
    ASSERT(sift->asking);
    sift->asking = false;
    if (!sift->by_lane && next != NOBODY && sift->region[next]) {
        sift->disproved = true; /* were all of it there, this one would have been refused */
    }
}

/* Everything of the region up to this place is there. */
static void there_up_to(struct sift *sift, uint32_t last)
{
    uint8_t *chosen = mem_new(sift->items, 1);
    for (uint32_t i = 0; i < sift->items && i <= last; i++) {
        chosen[i] = sift->region[i] && !sift->late[i];
    }
    sift_settle(sift, chosen, FATE_THERE);
    mem_free(chosen);
}

void there_alone(struct sift *sift, uint32_t place)
{
    uint8_t *chosen = mem_new(sift->items, 1);
    ASSERT(sift->fates[place] == FATE_OPEN);
    chosen[place] = 1;
    sift_settle(sift, chosen, FATE_THERE);
    mem_free(chosen);
    if (sift->late[place]) {
        return;
    }
    hear(sift, place);
    /* One series may have a sample that is late for another reason: two are believed. Not what lies
     * behind it up to the next one of its series, though that one is there: it may have been asked
     * for, and taken, alone. */
    if (sift->by_lane && sift->one_lane && sift->heard_count >= 2) {
        there_up_to(sift, place);
    }
}

static void lane_refused(struct sift *sift, uint32_t place)
{
    uint32_t next = sift->next[place];
    there_alone(sift, place);
    while (next != NOBODY && sift->fates[next] != FATE_OPEN) {
        next = sift->next[next];
    }
    if (sift->heard_count >= 2 && next != NOBODY) {
        sift->witness = next; /* those before it have their end: it can do no harm */
    } else {
        sift->witness = witness_next(sift);
    }
    sift->asking = sift->witness != NOBODY;
}

void there_refused(struct sift *sift)
{
    uint32_t place = sift->witness;
    ASSERT(sift->asking && sift->fates[place] == FATE_OPEN);
    if (sift->by_lane) {
        lane_refused(sift, place);
        return;
    }
    hear(sift, place);
    sift->witness = witness_next(sift);
    sift->asking = sift->heard_count < WITNESSES && sift->witness != NOBODY;
    if (!sift->asking && sift->heard_count >= 2) {
        there_up_to(sift, sift->items);
    } else if (!sift->asking) {
        there_alone(sift, place); /* the others are asked for one by one, or taken */
    }
}
