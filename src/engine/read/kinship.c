/* kinship.c - is this segment of a later life of the WAL the one that an earlier life had under its
 * number? All that compare lives ask here, and two things tell:
 *
 * - The file. An inode number tells it where the earlier one is kept as that very file (a link, or
 *   open). The number of a file that nobody keeps, or only a copy of, may have been given to
 *   another one: it tells nothing.
 * - The beginning: the checksum of the first record with times, by which lives differ. Alike, it is
 *   that segment or was written from it (a repair, a copy put back, a power loss): all below it is
 *   common, but how far it goes itself the records must tell (fork.c).
 *
 * What the earlier life says of its own segment decides: what was read of it, then or, where it is
 * kept, now. Of what it says nothing the lives before it may speak, for a file that was there
 * before and after was there in between: that can prove kinship and never deny it. For the later
 * segment nothing speaks but itself: what was read of it or, where no commit told of that, is kept
 * of it. */
#include "internal.h"

/* What the spool keeps of it; NULL: nothing, or it is not of an earlier life. */
static const struct waldir_segment *kept(const struct engine *engine, uint32_t generation,
                                         uint32_t number)
{
    return past_is(engine, generation) ? waldir_find(dir_of(engine, generation), number) : NULL;
}

static enum kinship compare(const struct engine *engine, const struct store_segment *later,
                            uint32_t generation)
{
    const struct store_segment *known = segment_known(engine, generation, later->number);
    const struct waldir_segment *here = kept(engine, generation, later->number);
    if (known != NULL) {
        return known->first_crc == later->first_crc ? KIN_ALIKE : KIN_OTHER;
    }
    if (here != NULL && here->has_identity) {
        return here->identity == later->first_crc ? KIN_ALIKE : KIN_OTHER;
    }
    known = segment_last_known(engine, generation, later->number);
    return known != NULL && known->first_crc == later->first_crc ? KIN_ALIKE : KIN_UNKNOWN;
}

enum kinship kin_begins(const struct engine *engine, const struct waldir_segment *segment,
                        uint32_t generation)
{
    if (segment == NULL || !segment->has_identity) {
        return KIN_UNKNOWN;
    }
    struct store_segment later = {.number = segment->number, .first_crc = segment->identity};
    return compare(engine, &later, generation);
}

enum kinship kin_told(const struct engine *engine, const struct position *at, uint32_t generation)
{
    const struct store_segment *later = segment_known(engine, at->generation, at->segment);
    ASSERT(at->generation > generation);
    return later != NULL
               ? compare(engine, later, generation)
               : kin_begins(engine, kept(engine, at->generation, at->segment), generation);
}

/* It is the very file that is kept of that generation. */
static bool is_kept_file(struct engine *engine, const struct waldir_segment *segment,
                         uint32_t generation)
{
    const struct pin *pin = pins_find(&engine->pins, generation, segment->number);
    return pin != NULL && pin_keeps_inode(pin) && segment->device == pin->device &&
           segment->inode == pin->inode;
}

enum kinship kin_of(struct engine *engine, const struct waldir_segment *segment,
                    uint32_t generation)
{
    return is_kept_file(engine, segment, generation) ? KIN_SAME
                                                     : kin_begins(engine, segment, generation);
}

uint32_t kin_unread(struct engine *engine, const struct waldir_segment *segment,
                    uint32_t generation)
{
    const struct waldir_segment *here = kept(engine, generation, segment->number);
    bool read = segment_last_known(engine, generation, segment->number) != NULL;
    if (is_kept_file(engine, segment, generation)) {
        return 0;
    }
    if (!segment->has_identity) {
        return read || here != NULL ? past_after(engine, generation) : 0;
    }
    bool own = segment_known(engine, generation, segment->number) != NULL;
    return here != NULL && !here->has_identity && !own ? generation : 0;
}
