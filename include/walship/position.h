/* position.h - where in the WAL: generation, segment, record ordinal, item index, compared in that
 * order. A value; nothing to own. A position names the NEXT thing: "everything before it". */
#ifndef WALSHIP_POSITION_H
#define WALSHIP_POSITION_H

#include <stdbool.h>
#include <stdint.h>

struct position {
    uint32_t generation; /* one unbroken life of the WAL directory, from 1; 0 is before all */
    uint32_t segment;    /* its number */
    uint32_t record; /* ordinal of the record in the segment, from 0; damaged ones not counted */
    uint32_t item;   /* index of the item in the record, from 0 */
};

/* <0, 0, >0 */
static inline int position_compare(const struct position *a, const struct position *b)
{
    if (a->generation != b->generation) {
        return a->generation < b->generation ? -1 : 1;
    }
    if (a->segment != b->segment) {
        return a->segment < b->segment ? -1 : 1;
    }
    if (a->record != b->record) {
        return a->record < b->record ? -1 : 1;
    }
    if (a->item != b->item) {
        return a->item < b->item ? -1 : 1;
    }
    return 0;
}

static inline bool position_before(const struct position *a, const struct position *b)
{
    return position_compare(a, b) < 0;
}

/* Of one segment in one life. */
static inline bool position_together(const struct position *a, const struct position *b)
{
    return a->generation == b->generation && a->segment == b->segment;
}

#endif
