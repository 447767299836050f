/* watch.h - did one of a few files change? By inode, size and time of change; asked, not told. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include <stdbool.h>
#include <stdint.h>

enum { WATCH_FILES_MAX = 4 };

struct watch {
    uint64_t seen; /* of all files together */
};

/* True: one of them is another than at the last call; the first call only looks. NULL paths are
 * passed over. */
bool watch_changed(struct watch *watch, const char *const *paths, int count);

#endif
