/* os.h - the seam to the operating system: clocks, files (read only), the directory, random bytes.
 *
 * A struct of function pointers with no code: adapter/os_linux is the real one, tests/lib has the
 * fake. Loop thread only. Errors are -errno. Nothing here can write: the WAL directory never
 * changes (I5); what walship writes goes through store.h. */
#ifndef WALSHIP_OS_H
#define WALSHIP_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct os_stat {
    uint64_t device;
    uint64_t inode;
    uint64_t bytes;
    bool is_directory;
};

/* Called for each entry but . and ..; return false to stop. */
typedef bool os_entry_fn(void *context, const char *name);

enum os_hint {
    OS_HINT_NONE,       /* nothing is known to have changed since the last call */
    OS_HINT_CHANGED,    /* something in a watched directory may have */
    OS_HINT_UNAVAILABLE /* no notification here: poll */
};

struct os {
    int64_t (*now_ms)(struct os *os);             /* monotonic; starts anywhere >= 0 */
    int64_t (*wall_ms)(struct os *os);            /* Unix time; may jump */
    uint64_t (*random)(struct os *os);            /* from the kernel */
    int (*open)(struct os *os, const char *path); /* read only; fd or -errno */
    int (*stat_fd)(struct os *os, int fd, struct os_stat *out);
    int (*stat_path)(struct os *os, const char *path, struct os_stat *out);
    /* bytes read (fewer only at the end), or -errno; EINTR is handled inside */
    int64_t (*pread)(struct os *os, int fd, void *out, size_t bytes, uint64_t at);
    void (*close)(struct os *os, int fd);
    int (*list)(struct os *os, const char *path, os_entry_fn *each, void *context);
    /* Watches a directory; later hints cover it. Never fails: without it OS_HINT_UNAVAILABLE. */
    void (*watch)(struct os *os, const char *path);
    enum os_hint (*hint)(struct os *os);
};

#endif
