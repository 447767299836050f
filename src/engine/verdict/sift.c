/* sift.c - which items of a refused batch are to blame: pieces of it go one after another, until
 * each item has its end. Its lanes stay busy meanwhile (I2).
 *
 * The pieces are prefixes of what is still open, in lane order: one that is taken is settled, one
 * that is refused halves the search. So no sample leaves before an earlier one of its series, and
 * one culprit costs log2(items) + 3 requests. Who is to blame is for sift_blame.c. */
#include "sift.h"

struct by_set {
    uint32_t set, place;
};

static int by_set_compare(const void *left, const void *right)
{
    const struct by_set *a = left;
    const struct by_set *b = right;
    if (a->set != b->set) {
        return a->set < b->set ? -1 : 1;
    }
    return a->place < b->place ? -1 : a->place > b->place;
}

static void series_link(struct sift *sift)
{
    struct by_set *order = mem_new(sift->items, sizeof *order);
    for (uint32_t i = 0; i < sift->items; i++) {
        order[i] = (struct by_set){sift->sets[i], i};
    }
    qsort(order, sift->items, sizeof *order, by_set_compare);
    uint32_t head = 0;
    int64_t newest_ms = TIMELESS;
    for (uint32_t i = 0; i < sift->items; i++) {
        bool begins = i == 0 || order[i].set != order[i - 1].set;
        bool ends = i + 1 == sift->items || order[i + 1].set != order[i].set;
        head = begins ? order[i].place : head;
        sift->heads[order[i].place] = head;
        sift->next[order[i].place] = ends ? NOBODY : order[i + 1].place;
        int64_t t_ms = sift->times[order[i].place];
        newest_ms = begins ? TIMELESS : newest_ms;
        sift->rises[order[i].place] = t_ms > newest_ms;
        newest_ms = t_ms > newest_ms ? t_ms : newest_ms;
    }
    mem_free(order);
}

/* Items of the part into the next places. */
static struct stretch stretch_fill(struct sift *sift, const struct destination *destination,
                                   const struct batch_part *part)
{
    const struct lane *lane = &destination->lanes[part->lane];
    const struct domain *domain = destination->domains[lane->domain];
    struct stretch stretch = {.newest_ms = lane->newest_ms,
                              .ordered = !destination->relaid && !lane_mixed(domain, lane)};
    struct position before = {0};
    struct lane_walk walk;
    lane_walk_start(&walk, lane);
    for (uint32_t i = 0; i < part->count; i++) {
        uint32_t place = sift->open_count++;
        const struct item *item = lane_walk_next(&walk);
        bool goes = item->end == ITEM_GOES;
        sift->open[place] = place;
        sift->sets[place] = item->set;
        sift->fates[place] = goes ? FATE_OPEN : FATE_JUDGED;
        bool sent = item_end_sent((enum item_end)item->end);
        sift->times[place] = sent && item->kind != ITEM_EXEMPLAR ? item->t_ms : TIMELESS;
        sift->late[place] = item->late;
        struct position at = ring_of(&domain->ring, item->record)->at;
        sift->enters[place] = i > 0 && !position_together(&at, &before);
        before = at;
        if (i < lane->unsure || domain_doubts(domain, &at)) {
            stretch.doubtful = place + 1;
        }
    }
    stretch.end = sift->open_count;
    return stretch;
}

struct sift *sift_new(const struct destination *destination, const struct batch *batch)
{
    struct sift *sift = mem_new(1, sizeof *sift);
    ASSERT(batch->samples > 0 && batch->samples <= BATCH_SAMPLES_MAX);
    sift->items = batch->samples;
    sift->sets = mem_new(sift->items, sizeof *sift->sets);
    sift->next = mem_new(sift->items, sizeof *sift->next);
    sift->heads = mem_new(sift->items, sizeof *sift->heads);
    sift->open = mem_new(sift->items, sizeof *sift->open);
    sift->fates = mem_new(sift->items, 1);
    sift->times = mem_new(sift->items, sizeof *sift->times);
    sift->rises = mem_new(sift->items, 1);
    sift->enters = mem_new(sift->items, 1);
    sift->late = mem_new(sift->items, 1);
    sift->wanted = mem_new(sift->items, 1);
    sift->blurred = mem_new(sift->items, 1);
    sift->region = mem_new(sift->items, 1);
    sift->series = NOBODY;
    sift->stretches = mem_new(batch->parts_count, sizeof *sift->stretches);
    for (size_t i = 0; i < batch->parts_count; i++) {
        sift->stretches[sift->stretches_count++] =
            stretch_fill(sift, destination, &batch->parts[i]);
    }
    ASSERT(sift->open_count == sift->items);
    series_link(sift);
    sift_compact(sift);
    return sift;
}

void sift_free(struct sift *sift)
{
    if (sift == NULL) {
        return;
    }
    mem_free(sift->sets);
    mem_free(sift->next);
    mem_free(sift->heads);
    mem_free(sift->open);
    mem_free(sift->fates);
    mem_free(sift->times);
    mem_free(sift->rises);
    mem_free(sift->stretches);
    mem_free(sift->enters);
    mem_free(sift->late);
    mem_free(sift->wanted);
    mem_free(sift->blurred);
    mem_free(sift->region);
    mem_free(sift);
}

bool sift_wants(const struct sift *sift, uint32_t place)
{
    ASSERT(place < sift->items);
    return sift->wanted[place] != 0;
}

uint32_t sift_first_open(const struct sift *sift, uint32_t place)
{
    uint32_t at = sift->heads[place];
    while (at != NOBODY && sift->fates[at] != FATE_OPEN) {
        at = sift->next[at];
    }
    return at;
}

/* What has its end leaves `open`; the counts over it follow. */
void sift_compact(struct sift *sift)
{
    uint32_t kept = 0, suspect = 0, postponed = 0;
    uint32_t behind = sift->open_count - sift->postponed;
    for (uint32_t i = 0; i < sift->open_count; i++) {
        if (sift->fates[sift->open[i]] != FATE_OPEN) {
            continue;
        }
        suspect += i < sift->suspect;
        postponed += i >= behind;
        sift->open[kept++] = sift->open[i];
    }
    sift->open_count = kept;
    sift->suspect = suspect;
    sift->postponed = postponed;
}

void sift_settle(struct sift *sift, const uint8_t *chosen, enum fate fate)
{
    const uint8_t *those = chosen != NULL ? chosen : sift->wanted;
    ASSERT(fate != FATE_OPEN);
    for (uint32_t i = 0; i < sift->items; i++) {
        if (those[i] && (sift->fates[i] == FATE_OPEN || sift->fates[i] == FATE_APART)) {
            sift->fates[i] = (uint8_t)fate;
        }
    }
    sift->taken = sift->taken || fate == FATE_ACKED;
    sift_compact(sift);
    sift_alone_tidy(sift);
    sift->failures = 0;
    sift->maybe = false;
}

/* ---- pieces ---- */

/* Whether the present piece has this open item. */
static bool piece_has(const struct sift *sift, uint32_t index, const uint8_t *front)
{
    uint32_t place = sift->open[index];
    switch (sift->piece) {
    case PIECE_FRONT:
        return index < sift->place;
    case PIECE_SERIES:
        return sift->heads[place] == sift->heads[sift->place];
    case PIECE_ITEM:
        return place == sift->place;
    case PIECE_OTHERS:
        return index < sift->open_count - sift->postponed && !front[sift->heads[place]];
    case PIECE_APART:
        return false; /* not open */
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

/* A piece that may have been delivered is left for another one. */
static void blur(struct sift *sift)
{
    for (uint32_t i = 0; sift->maybe && i < sift->items; i++) {
        if (sift->wanted[i]) {
            sift->blurred[sift->heads[i]] = 1;
        }
    }
    sift->maybe = false;
}

void sift_want(struct sift *sift, enum piece piece, uint32_t place)
{
    blur(sift);
    sift->piece = piece;
    sift->place = place;
    sift->wanted_count = 0;
    sift->failures = 0;
    memset(sift->wanted, 0, sift->items);
    uint8_t *front = mem_new(sift->items, 1); /* heads of the series in the front */
    for (uint32_t i = 0; piece == PIECE_OTHERS && i < place; i++) {
        front[sift->heads[sift->open[i]]] = 1;
    }
    for (uint32_t i = 0; i < sift->open_count; i++) {
        if (piece_has(sift, i, front)) {
            sift->wanted[sift->open[i]] = 1;
            sift->wanted_count++;
        }
    }
    mem_free(front);
    for (uint32_t i = 0; piece == PIECE_APART && i < sift->items; i++) {
        if (sift->fates[i] == FATE_APART && sift->heads[i] == sift->heads[place]) {
            sift->wanted[i] = 1;
            sift->wanted_count++;
        }
    }
}
