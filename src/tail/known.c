/* known.c - what was read of each segment in this generation. It outlives the files: whoever looks
 * for a place of this generation in the next one asks whether a segment there is one of these. */
#include "dir.h"

#include <string.h>
#include <walship/mem.h>

/* Where the number is, or would be. */
static size_t place_of(const struct waldir *dir, uint32_t number)
{
    size_t low = 0;
    size_t high = dir->known_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (dir->known[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void dir_known_add(struct waldir *dir, const struct waldir_segment *segment)
{
    ASSERT(segment->has_identity);
    size_t place = place_of(dir, segment->number);
    if (place < dir->known_count && dir->known[place].number == segment->number) {
        return;
    }
    if (dir->known_count == dir->known_capacity) {
        dir->known_capacity = dir->known_capacity == 0 ? 16 : dir->known_capacity * 2;
        dir->known = mem_grow(dir->known, dir->known_capacity, sizeof *dir->known);
    }
    memmove(&dir->known[place + 1], &dir->known[place],
            (dir->known_count - place) * sizeof *dir->known);
    dir->known[place] = *segment;
    dir->known_count++;
}

size_t waldir_known_count(const struct waldir *dir)
{
    return dir->known_count;
}

const struct waldir_segment *waldir_known_at(const struct waldir *dir, size_t index)
{
    ASSERT(index < dir->known_count);
    return &dir->known[index];
}

void waldir_known_forget(struct waldir *dir, uint32_t before)
{
    size_t gone = place_of(dir, before);
    if (gone > 0) {
        dir->known_count -= gone;
        memmove(&dir->known[0], &dir->known[gone], dir->known_count * sizeof *dir->known);
    }
}
