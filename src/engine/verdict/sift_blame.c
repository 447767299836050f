/* sift_blame.c - what is asked next, and who is to blame.
 *
 * What is refused alone is asked for again after the endpoint took something else, and only then
 * lost: one that refuses everything, for ever or for a moment, must not empty the WAL. Meanwhile
 * its series goes behind all others, so that nothing of it leaves out of order. */
#include "sift.h"

enum {
    FAILURES_SIFTED = 3, /* of a piece: it is the piece's fault, if others succeed */
    FAILURES_FINAL = 8,  /* of one that would be lost: as many as a whole batch gets */
    ALONE_SPREAD = 4,    /* items from all over the batch, before all of it is thought refused */
    ALONE_TIMES = 7      /* half a minute apart in the end: others of the batch were taken */
};

static bool is_alone(const struct sift *sift, uint32_t place, uint32_t *index)
{
    for (uint32_t i = 0; i < sift->alone_count; i++) {
        if (sift->heads[sift->alone[i].place] == sift->heads[place]) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* Postponed series behind all others. */
static void partition(struct sift *sift)
{
    uint32_t *behind = mem_new(sift->items, sizeof *behind);
    uint32_t kept = 0, count = 0, index;
    for (uint32_t i = 0; i < sift->open_count; i++) {
        uint32_t place = sift->open[i];
        if (is_alone(sift, place, &index)) {
            behind[count++] = place;
        } else {
            sift->open[kept++] = place;
        }
    }
    memcpy(&sift->open[kept], behind, count * sizeof *behind);
    mem_free(behind);
    sift->postponed = count;
    sift->suspect = 0;
}

void sift_alone_tidy(struct sift *sift)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sift->alone_count; i++) {
        if (sift->fates[sift->alone[i].place] == FATE_OPEN) {
            sift->alone[kept++] = sift->alone[i];
        }
    }
    if (kept != sift->alone_count) {
        sift->alone_count = kept;
        partition(sift);
    }
}

/* ---- what next ---- */

static uint32_t apart_find(const struct sift *sift)
{
    for (uint32_t i = 0; i < sift->items; i++) {
        if (sift->fates[i] == FATE_APART) {
            return i;
        }
    }
    return NOBODY;
}

static void alone_want(struct sift *sift, const struct alone *alone)
{
    sift_want(sift, alone->series ? PIECE_SERIES : PIECE_ITEM, alone->place);
}

/* The endpoint took something since it refused this one, and was not ill since then. */
static bool is_well(const struct progress *progress, const struct alone *alone)
{
    return progress->taken > alone->posted && progress->taken > progress->ill;
}

static bool again_choose(struct sift *sift, const struct progress *progress)
{
    for (uint32_t i = 0; i < sift->alone_count; i++) {
        if (is_well(progress, &sift->alone[i])) {
            alone_want(sift, &sift->alone[i]);
            return true;
        }
    }
    return false;
}

static bool special_choose(struct sift *sift, const struct progress *progress)
{
    uint32_t front = sift->others;
    sift->others = 0;
    if (sift->asking && there_choose(sift)) {
        return true;
    }
    if (front > 0) {
        sift_want(sift, PIECE_OTHERS, front);
        if (sift->wanted_count > 0) {
            return true;
        }
        sift->suspect = front; /* the piece is all there is: smaller ones */
    }
    if (again_choose(sift, progress)) {
        return true;
    }
    uint32_t rest = sift->series == NOBODY ? NOBODY : sift_first_open(sift, sift->series);
    sift->series = NOBODY;
    if (rest != NOBODY) {
        sift_want(sift, PIECE_SERIES, rest);
    }
    return rest != NOBODY;
}

enum choice sift_choose(struct sift *sift, const struct progress *progress)
{
    if (special_choose(sift, progress)) {
        return CHOICE_PIECE;
    }
    uint32_t active = sift->open_count - sift->postponed;
    bool bleak = !sift->taken && sift->alone_count >= ALONE_SEVERAL;
    if (active > 0 && bleak && sift->alone_count < ALONE_SEVERAL + ALONE_SPREAD) {
        uint32_t step = sift->alone_count - ALONE_SEVERAL + 1;
        uint32_t place = sift->open[(uint64_t)active * step / (ALONE_SPREAD + 1)];
        sift_want(sift, PIECE_ITEM, sift_first_open(sift, place));
        return CHOICE_PIECE;
    }
    if (active > 0 && sift->alone_count < ALONE_MAX && !bleak) {
        uint32_t count = sift->suspect == 0 ? active : (sift->suspect + 1) / 2;
        bool large = sift->piece_max > 0 && count > sift->piece_max;
        sift_want(sift, PIECE_FRONT, large ? sift->piece_max : count);
        return CHOICE_PIECE;
    }
    if (sift->alone_count > 0) {
        alone_want(sift, &sift->alone[0]);
        return CHOICE_WAIT;
    }
    ASSERT(sift->open_count == 0);
    uint32_t apart = apart_find(sift);
    if (apart == NOBODY) {
        return CHOICE_NONE;
    }
    sift_want(sift, PIECE_APART, apart);
    return CHOICE_PIECE;
}

/* ---- answers ---- */

uint32_t sift_first_wanted(const struct sift *sift)
{
    uint32_t i = 0;
    while (!sift->wanted[i]) {
        i++;
        ASSERT(i < sift->items);
    }
    return i;
}

static void culprit(struct sift *sift, const struct refusal_seen *seen)
{
    uint32_t place = sift_first_wanted(sift);
    uint32_t index = 0;
    bool known = is_alone(sift, place, &index);
    bool sure = seen->sure;
    if (known) {
        bool often = sift->taken && ++sift->alone[index].times >= ALONE_TIMES;
        sure = sure || often || is_well(&seen->progress, &sift->alone[index]);
    }
    if (sure) {
        sift->series = sift->wanted_count == 1 ? place : NOBODY; /* is the rest of it as bad? */
        sift_settle(sift, NULL, seen->why);
    } else if (!known) {
        ASSERT(sift->alone_count < ALONE_MAX);
        sift->alone[sift->alone_count++] =
            (struct alone){place, sift->wanted_count > 1, seen->progress.posted, 1};
        partition(sift);
    }
}

/* For their times each may be refused for a reason of its own: not the rest of the series again,
 * but its first item. */
static void series_part(struct sift *sift)
{
    uint32_t place = sift_first_wanted(sift);
    uint32_t index;
    if (is_alone(sift, place, &index)) {
        sift->alone[index].series = false;
        sift->alone[index].place = place;
    }
}

void sift_refused(struct sift *sift, const struct refusal_seen *seen)
{
    ASSERT(seen->why == FATE_REFUSED || seen->why == FATE_FAILED || seen->why == FATE_LATE);
    sift->asking = false;
    if (sift->piece == PIECE_APART) {
        sift_settle(sift, NULL, FATE_BANNED);
    } else if (sift->wanted_count == 1 || (sift->piece == PIECE_SERIES && seen->why != FATE_LATE)) {
        culprit(sift, seen);
    } else {
        if (sift->piece == PIECE_SERIES) {
            series_part(sift);
        }
        sift->suspect = sift->piece == PIECE_FRONT ? sift->wanted_count : 0;
    }
}

/* No answer in time, or 5xx: is it this piece? While nothing else is taken, ask the others. */
bool sift_failed(struct sift *sift, const struct progress *progress)
{
    if (sift->failures++ == 0) {
        sift->posted = progress->posted;
    }
    bool final = sift->wanted_count == 1 || sift->piece == PIECE_SERIES;
    if (sift->failures < (final ? FAILURES_FINAL : FAILURES_SIFTED)) {
        return false;
    }
    sift->failures = 0;
    if (progress->taken > sift->posted) {
        struct refusal_seen seen = {FATE_FAILED, *progress, .sure = true};
        sift_refused(sift, &seen);
    } else if (sift->piece == PIECE_FRONT) {
        sift->others = sift->place; /* is it the piece, or does nothing go? */
    } else if (sift->piece == PIECE_OTHERS) {
        sift->suspect = sift->place;
    } else {
        return false;
    }
    return true;
}
