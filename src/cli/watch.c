/* watch.c - see watch.h. */
#include "watch.h"

#include <stddef.h>
#include <sys/stat.h>
#include <walship/assert.h>

static uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 0x100000001b3u + (sum >> 29);
}

bool watch_changed(struct watch *watch, const char *const *paths, int count)
{
    uint64_t sum = 0xcbf29ce484222325u;
    ASSERT(count <= WATCH_FILES_MAX);
    for (int i = 0; i < count; i++) {
        struct stat found = {0};
        if (paths[i] == NULL || stat(paths[i], &found) != 0) {
            sum = mix(sum, 1);
            continue;
        }
        sum = mix(sum, (uint64_t)found.st_ino);
        sum = mix(sum, (uint64_t)found.st_size);
        sum = mix(sum, (uint64_t)found.st_mtim.tv_sec);
        sum = mix(sum, (uint64_t)found.st_mtim.tv_nsec);
    }
    bool changed = watch->seen != 0 && watch->seen != sum;
    watch->seen = sum;
    return changed;
}
