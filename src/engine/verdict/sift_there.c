/* sift_there.c - how much of a piece that was refused for its time is there already.
 *
 * Only questions that can do no harm are asked: of each lane the first item that has no end yet. If
 * it is taken, nothing of its series was skipped, and nothing of its lane overtaken; if it is
 * refused, the receiver has a later one of its series. (Sending the later half first, as a search
 * over time would, loses what lies between when it is taken.)
 *
 * A lane leaves in order (overtake.c says what when it does not). So when that later one was sent,
 * all that lies before it in the lane was, too: a question settles a round of the series of its
 * lane, as far as it lies in one segment. A request sent again with the same bytes was delivered
 * whole or not at all: then one question settles it, about a series of which no smaller piece may
 * have been delivered since.
 *
 * A refusal proves this only of an item that is newer than all of its series before it: of older
 * ones, which sources with an out-of-order window write, nobody knows why they are refused. */
#include "sift.h"

/* ---- what is known of an item ---- */

/* The first later one of its series that would make the receiver refuse this one. */
static uint32_t later_of(const struct sift *sift, uint32_t place)
{
    uint32_t at = sift->next[place];
    while (at != NOBODY && sift->times[at] < sift->times[place]) {
        at = sift->next[at];
    }
    return at;
}

/* Was it the region that brought the later one, or a piece of it? */
static bool is_blurred(const struct sift *sift, uint32_t place)
{
    return sift->there == THERE_WHOLE && sift->blurred[sift->heads[place]];
}

static bool is_witness(const struct sift *sift, uint32_t place)
{
    return sift->rises[place] && !sift->late[place] && !is_blurred(sift, place);
}

static struct stretch *stretch_of(const struct sift *sift, uint32_t place)
{
    struct stretch *stretch = sift->stretches;
    ASSERT(place < sift->items);
    while (stretch->end <= place) {
        stretch++;
    }
    return stretch;
}

static bool is_heard(const struct sift *sift, uint32_t place)
{
    bool heard = false;
    for (uint32_t i = 0; i < sift->heard_count; i++) {
        heard = heard || sift->heard[i] == sift->heads[place];
    }
    return heard;
}

static void hear(struct sift *sift, uint32_t place)
{
    if (!is_heard(sift, place) && sift->heard_count < WITNESSES) {
        sift->heard[sift->heard_count++] = sift->heads[place];
    }
}

/* It was refused, and was the first of its lane: is that since a later one is there? Where nothing
 * is known of the lane before, two series are believed. */
static bool is_proof(const struct sift *sift, uint32_t place)
{
    int64_t newest_ms = stretch_of(sift, place)->newest_ms;
    if (!is_witness(sift, place)) {
        return false;
    }
    bool two = sift->heard_count >= WITNESSES;
    bool enough = newest_ms == INT64_MIN || sift->there == THERE_REST;
    return enough ? two : sift->times[place] > newest_ms;
}

/* ---- the search ---- */

/* Some of it may be there, and not by what is sent from now on. */
static void region_blur(struct sift *sift)
{
    for (uint32_t i = 0; i < sift->items; i++) {
        if (sift->region[i]) {
            sift->blurred[sift->heads[i]] = 1;
        }
    }
}

void there_begin(struct sift *sift, enum there there)
{
    ASSERT(!sift->asking && sift->wanted_count > 0);
    memcpy(sift->region, sift->wanted, sift->items);
    sift->heard_count = 0;
    sift->there = there;
    sift->asked = true;
    sift->asking = true;
    sift->maybe = false; /* that is what is searched for now */
    if (there != THERE_WHOLE) {
        region_blur(sift); /* the search ends with what is taken, and tells nothing of the rest */
    }
    if (sift->piece == PIECE_FRONT) {
        sift->suspect = sift->wanted_count;
    }
}

/* It was not asked yet how much of this piece is there. */
bool there_unasked(const struct sift *sift)
{
    for (uint32_t i = 0; i < sift->items; i++) {
        if (sift->wanted[i] && (!sift->asked || !sift->region[i])) {
            return true;
        }
    }
    return false;
}

/* It would be refused if all of the region were there. */
static bool is_telling(const struct sift *sift, uint32_t place)
{
    uint32_t later = later_of(sift, place);
    return is_witness(sift, place) && later != NOBODY && sift->region[later];
}

/* The first of some lane; NOBODY: none tells anything. */
static uint32_t first_telling(const struct sift *sift)
{
    uint32_t behind = 0; /* the last lane seen ends here */
    for (uint32_t i = 0; i < sift->open_count - sift->postponed; i++) {
        uint32_t place = sift->open[i];
        bool first = place >= behind;
        behind = first ? stretch_of(sift, place)->end : behind;
        if (first && sift->region[place] && is_telling(sift, place) && !is_heard(sift, place)) {
            return place;
        }
    }
    return NOBODY;
}

/* So many from the front lie before the first that tells something; 0: none does. */
static uint32_t way_to_telling(const struct sift *sift)
{
    for (uint32_t i = 0; i < sift->open_count - sift->postponed; i++) {
        if (sift->region[sift->open[i]] && is_telling(sift, sift->open[i])) {
            return i > 0 ? i : 1;
        }
    }
    return 0;
}

bool there_choose(struct sift *sift)
{
    uint32_t active = sift->open_count - sift->postponed;
    bool any = active > 0 && sift->region[sift->open[0]];
    uint32_t way = any && sift->there == THERE_LANE ? 1 : 0;
    if (sift->there != THERE_LANE) {
        uint32_t place = first_telling(sift);
        if (place != NOBODY) {
            sift_want(sift, PIECE_ITEM, place);
            return true;
        }
        way = way_to_telling(sift);
    }
    sift->asking = way > 0;
    if (!sift->asking) {
        region_blur(sift);
    } else {
        bool large = sift->piece_max > 0 && way > sift->piece_max;
        sift_want(sift, PIECE_FRONT, large ? sift->piece_max : way);
    }
    return sift->asking;
}

/* Were all of the region there, one of these would have been refused. */
static bool disproves(const struct sift *sift)
{
    for (uint32_t i = 0; i < sift->items; i++) {
        if (sift->wanted[i] && is_telling(sift, i)) {
            return true;
        }
    }
    return false;
}

void there_taken(struct sift *sift)
{
    ASSERT(sift->asking);
    sift->disproved = sift->disproved || (sift->there != THERE_LANE && disproves(sift));
    sift->asking = sift->there != THERE_LANE && !sift->disproved;
    sift_settle(sift, NULL, FATE_ACKED);
}

/* Those from `from` on, up to `to`; of them all, or those of the region. */
static void settle_range(struct sift *sift, uint32_t from, uint32_t to, bool all)
{
    uint8_t *chosen = mem_new(sift->items, 1);
    ASSERT(from <= to && to <= sift->items);
    for (uint32_t i = from; i < to; i++) {
        chosen[i] = (all || sift->region[i]) && !sift->late[i];
    }
    sift_settle(sift, chosen, FATE_THERE);
    mem_free(chosen);
}

/* Behind what is there of the item's lane, since a later one of its series is. Which one that is,
 * only its own segment tells: a segment whose end is gone (torn, power loss, repair) may have held
 * later ones that were sent, and Prometheus goes on in another segment then. */
static uint32_t there_end(const struct sift *sift, uint32_t place)
{
    uint32_t later = later_of(sift, place);
    uint32_t most = stretch_of(sift, place)->doubtful;
    uint32_t end = place + 1;
    while (end < most && end != later && !sift->enters[end]) {
        end++;
    }
    return end;
}

void there_alone(struct sift *sift, uint32_t place)
{
    const struct stretch *stretch = stretch_of(sift, place);
    uint8_t *chosen = mem_new(sift->items, 1);
    ASSERT(sift->fates[place] == FATE_OPEN);
    chosen[place] = 1;
    sift_settle(sift, chosen, FATE_THERE);
    mem_free(chosen);
    sift->suspect = 0; /* of what it was refused with, this may have been the only one */
    if (!is_witness(sift, place)) {
        return;
    }
    hear(sift, place);
    if (sift->there == THERE_LANE && stretch->ordered && is_proof(sift, place)) {
        settle_range(sift, place, there_end(sift, place), true);
    } else if (sift->there != THERE_LANE && !sift->disproved && is_proof(sift, place)) {
        settle_range(sift, 0, sift->items, false);
    }
}

void there_refused(struct sift *sift)
{
    ASSERT(sift->asking);
    if (sift->wanted_count == 1) {
        there_alone(sift, sift_first_wanted(sift));
    } else {
        ASSERT(sift->piece == PIECE_FRONT);
        region_blur(sift);
        sift->asking = false; /* something is late for another reason: halves of it */
        sift->suspect = sift->wanted_count;
    }
}
