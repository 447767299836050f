/* fake_os_inside.h - struct fake_os, for fake_os.c (the seam, the clocks, the faults) and
 * fake_os_world.c (what the world does to the files) only. */
#ifndef FAKE_OS_INSIDE_H
#define FAKE_OS_INSIDE_H

#include "fake_os.h"

enum { FD_FIRST = 1000, FDS_MAX = 256, FREE_INODES_MAX = 64, PATH_BYTES_MAX = 4096 };

struct node {
    uint64_t inode;
    uint64_t bytes, capacity, synced;
    uint8_t *data;
    uint32_t users; /* names and descriptors */
    bool is_directory;
    int error; /* every call fails with it; 0: none */
};

struct name {
    char *path;
    uint64_t hash;
    size_t parent_bytes; /* of `path`, up to the last slash, without it */
    struct node *node;
};

struct fake_os {
    struct os os; /* first: the seam's functions cast back */
    struct rng rng;
    int64_t now_ms, wall_ms;
    struct name *names;
    size_t names_count, names_capacity;
    struct node *fds[FDS_MAX];
    size_t open_count;
    uint64_t next_inode;
    uint64_t free_inodes[FREE_INODES_MAX];
    size_t free_inodes_count;
    bool reuse_inodes;
    bool hints_available;
    const struct node *watched; /* a watch dies with its directory, or when it is renamed */
    unsigned hints_pending;
    unsigned missed_percent, doubled_percent, short_percent;
    uint64_t calls[FAKE_OS_CALLS];
    uint64_t fail_at[FAKE_OS_CALLS];
    int fail_errno[FAKE_OS_CALLS];
};

struct name *fake_name_find(const struct fake_os *fake, const char *path);
struct node *fake_path_node(const struct fake_os *fake, const char *path);
struct node *fake_node_of(const struct fake_os *fake, const char *path);
struct node *fake_node_new(struct fake_os *fake, bool is_directory);
void fake_node_drop(struct fake_os *fake, struct node *node);
void fake_name_set_path(struct name *name, const char *path);
struct name *fake_name_add(struct fake_os *fake, const char *path, bool is_directory);
void fake_name_remove(struct fake_os *fake, struct name *name);
bool fake_name_is_under(const struct name *name, const char *directory);
void fake_node_resize(struct node *node, uint64_t bytes);
void fake_changed(struct fake_os *fake);

#endif
