/* fake_os.c - names and nodes apart, as in a real file system: a name points to a node, a node
 * lives while a name or a descriptor needs it. Names are few (a WAL directory), so a scan that
 * compares hashes first beats any tree, and a simulation of millions of calls stays cheap. */
#include "fake_os_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <walship/assert.h>
#include <walship/hash.h>
#include <walship/mem.h>

static struct fake_os *fake_of(struct os *os)
{
    ASSERT(os != NULL);
    return (struct fake_os *)(void *)os;
}

/* ---- names and nodes ---- */

static uint64_t path_hash(const char *path)
{
    static const struct hash_key key = {1, 2};
    return hash_bytes(&key, path, strlen(path));
}

struct name *fake_name_find(const struct fake_os *fake, const char *path)
{
    uint64_t hash = path_hash(path);
    for (size_t i = 0; i < fake->names_count; i++) {
        if (fake->names[i].hash == hash && strcmp(fake->names[i].path, path) == 0) {
            return &fake->names[i];
        }
    }
    return NULL;
}

/* NULL: there is none. */
struct node *fake_path_node(const struct fake_os *fake, const char *path)
{
    static const char own[] = "/proc/self/fd/";
    if (strncmp(path, own, sizeof own - 1) == 0) {
        long fd = strtol(path + sizeof own - 1, NULL, 10) - FD_FIRST;
        return fd >= 0 && fd < FDS_MAX ? fake->fds[fd] : NULL;
    }
    struct name *name = fake_name_find(fake, path);
    return name == NULL ? NULL : name->node;
}

struct node *fake_node_of(const struct fake_os *fake, const char *path)
{
    struct node *node = fake_path_node(fake, path);
    ASSERT(node != NULL);
    return node;
}

struct node *fake_node_new(struct fake_os *fake, bool is_directory)
{
    struct node *node = mem_new(1, sizeof *node);
    node->is_directory = is_directory;
    if (fake->reuse_inodes && fake->free_inodes_count > 0) {
        node->inode = fake->free_inodes[--fake->free_inodes_count];
    } else {
        node->inode = fake->next_inode++;
    }
    return node;
}

void fake_node_drop(struct fake_os *fake, struct node *node)
{
    ASSERT(node->users > 0);
    if (--node->users > 0) {
        return;
    }
    if (fake->watched == node) {
        fake->watched = NULL;
        fake->hints_pending = 1; /* of its end */
    }
    if (fake->free_inodes_count < FREE_INODES_MAX) {
        fake->free_inodes[fake->free_inodes_count++] = node->inode;
    }
    mem_free(node->data);
    mem_free(node);
}

void fake_name_set_path(struct name *name, const char *path)
{
    const char *slash = strrchr(path, '/');
    ASSERT(slash != NULL);
    name->path = mem_string(path);
    name->hash = path_hash(path);
    name->parent_bytes = (size_t)(slash - path);
}

struct name *fake_name_add(struct fake_os *fake, const char *path, bool is_directory)
{
    ASSERT(path[0] == '/' && fake_name_find(fake, path) == NULL);
    if (fake->names_count == fake->names_capacity) {
        fake->names_capacity = fake->names_capacity * 2 + 16;
        fake->names = mem_grow(fake->names, fake->names_capacity, sizeof *fake->names);
    }
    struct name *name = &fake->names[fake->names_count++];
    fake_name_set_path(name, path);
    name->node = fake_node_new(fake, is_directory);
    name->node->users = 1;
    return name;
}

void fake_name_remove(struct fake_os *fake, struct name *name)
{
    ASSERT(name >= fake->names && name < fake->names + fake->names_count);
    fake_node_drop(fake, name->node);
    mem_free(name->path);
    *name = fake->names[--fake->names_count];
}

bool fake_name_is_under(const struct name *name, const char *directory)
{
    size_t bytes = strlen(directory);
    return strncmp(name->path, directory, bytes) == 0 && name->path[bytes] == '/';
}

static bool name_parent_is(const struct name *name, const char *directory)
{
    size_t bytes = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
    return name->parent_bytes == bytes && memcmp(name->path, directory, bytes) == 0 &&
           name->path[bytes + 1] != 0;
}

void fake_node_resize(struct node *node, uint64_t bytes)
{
    ASSERT(!node->is_directory);
    if (bytes > node->capacity) {
        node->capacity = bytes + bytes / 2 + 64;
        node->data = mem_grow(node->data, node->capacity, 1);
    }
    if (bytes > node->bytes) {
        memset(node->data + node->bytes, 0, bytes - node->bytes);
    }
    node->bytes = bytes;
    if (node->synced > bytes) {
        node->synced = bytes;
    }
}

/* ---- faults ---- */

static bool chance(struct fake_os *fake, unsigned percent)
{
    return percent > 0 && rng_below(&fake->rng, 100) < percent;
}

void fake_changed(struct fake_os *fake)
{
    if (fake->watched == NULL || chance(fake, fake->missed_percent)) {
        return;
    }
    fake->hints_pending = chance(fake, fake->doubled_percent) ? 2 : 1;
}

/* 0, or the errno that this call has to fail with. */
static int call_error(struct fake_os *fake, enum fake_os_call call, const struct node *node)
{
    fake->calls[call]++;
    if (fake->fail_at[call] == fake->calls[call]) {
        return fake->fail_errno[call];
    }
    return node == NULL ? ENOENT : node->error;
}

/* ---- the seam ---- */

static int64_t fake_now_ms(struct os *os)
{
    return fake_of(os)->now_ms;
}

static int64_t fake_wall_ms(struct os *os)
{
    return fake_of(os)->wall_ms;
}

static uint64_t fake_random(struct os *os)
{
    return rng_next(&fake_of(os)->rng);
}

static int fake_open(struct os *os, const char *path)
{
    struct fake_os *fake = fake_of(os);
    struct node *node = fake_path_node(fake, path);
    int error = call_error(fake, FAKE_OS_OPEN, node);
    if (error != 0) {
        return -error;
    }
    ASSERT(node != NULL);
    for (int i = 0; i < FDS_MAX; i++) {
        if (fake->fds[i] == NULL) {
            fake->fds[i] = node;
            node->users++;
            fake->open_count++;
            return FD_FIRST + i;
        }
    }
    return -EMFILE;
}

static struct node *fd_node(const struct fake_os *fake, int fd)
{
    ASSERT(fd >= FD_FIRST && fd < FD_FIRST + FDS_MAX);
    ASSERT(fake->fds[fd - FD_FIRST] != NULL);
    return fake->fds[fd - FD_FIRST];
}

static void fake_close(struct os *os, int fd)
{
    struct fake_os *fake = fake_of(os);
    fake_node_drop(fake, fd_node(fake, fd));
    fake->fds[fd - FD_FIRST] = NULL;
    fake->open_count--;
}

static int stat_node(struct fake_os *fake, const struct node *node, struct os_stat *out)
{
    int error = call_error(fake, FAKE_OS_STAT, node);
    if (error != 0) {
        return -error;
    }
    ASSERT(node != NULL);
    *out = (struct os_stat){.device = 1,
                            .inode = node->inode,
                            .bytes = node->bytes,
                            .is_directory = node->is_directory};
    return 0;
}

static int fake_stat_fd(struct os *os, int fd, struct os_stat *out)
{
    struct fake_os *fake = fake_of(os);
    return stat_node(fake, fd_node(fake, fd), out);
}

static int fake_stat_path(struct os *os, const char *path, struct os_stat *out)
{
    struct fake_os *fake = fake_of(os);
    return stat_node(fake, fake_path_node(fake, path), out);
}

static int64_t fake_pread(struct os *os, int fd, void *out, size_t bytes, uint64_t at)
{
    struct fake_os *fake = fake_of(os);
    const struct node *node = fd_node(fake, fd);
    int error = call_error(fake, FAKE_OS_PREAD, node);
    if (error != 0 || node->is_directory) {
        return error != 0 ? -error : -EISDIR;
    }
    if (at >= node->bytes || bytes == 0) {
        return 0;
    }
    uint64_t count = node->bytes - at;
    count = count < bytes ? count : bytes;
    if (chance(fake, fake->short_percent)) {
        count = 1 + rng_below(&fake->rng, count);
    }
    memcpy(out, node->data + at, count);
    return (int64_t)count;
}

static int fake_list(struct os *os, const char *path, os_entry_fn *each, void *context)
{
    struct fake_os *fake = fake_of(os);
    struct node *directory = fake_path_node(fake, path);
    int error = call_error(fake, FAKE_OS_LIST, directory);
    if (error != 0) {
        return -error;
    }
    ASSERT(directory != NULL);
    if (!directory->is_directory) {
        return -ENOTDIR;
    }
    for (size_t i = 0; i < fake->names_count; i++) {
        const struct name *name = &fake->names[i];
        if (name_parent_is(name, path) && !each(context, name->path + name->parent_bytes + 1)) {
            break;
        }
    }
    return 0;
}

static void fake_watch(struct os *os, const char *path)
{
    struct fake_os *fake = fake_of(os);
    const struct node *node = fake_path_node(fake, path);
    fake->watched = node != NULL && node->is_directory ? node : NULL;
}

static enum os_hint fake_hint(struct os *os)
{
    struct fake_os *fake = fake_of(os);
    if (!fake->hints_available) {
        return OS_HINT_UNAVAILABLE;
    }
    if (fake->hints_pending > 0) {
        fake->hints_pending--;
        return OS_HINT_CHANGED;
    }
    return fake->watched == NULL ? OS_HINT_UNAVAILABLE : OS_HINT_NONE;
}

struct fake_os *fake_os_new(uint64_t seed)
{
    struct fake_os *fake = mem_new(1, sizeof *fake);
    fake->os = (struct os){.now_ms = fake_now_ms,
                           .wall_ms = fake_wall_ms,
                           .random = fake_random,
                           .open = fake_open,
                           .stat_fd = fake_stat_fd,
                           .stat_path = fake_stat_path,
                           .pread = fake_pread,
                           .close = fake_close,
                           .list = fake_list,
                           .watch = fake_watch,
                           .hint = fake_hint};
    fake->rng.state = seed;
    fake->now_ms = 1000000;
    fake->wall_ms = 1700000000000;
    fake->next_inode = 100;
    fake->hints_available = true;
    fake_name_add(fake, "/", true);
    return fake;
}

void fake_os_free(struct fake_os *fake)
{
    if (fake == NULL) {
        return;
    }
    ASSERT(fake->open_count == 0);
    while (fake->names_count > 0) {
        fake_name_remove(fake, &fake->names[fake->names_count - 1]);
    }
    mem_free(fake->names);
    mem_free(fake);
}

struct os *fake_os_seam(struct fake_os *fake)
{
    ASSERT(fake != NULL);
    return &fake->os;
}

/* ---- clocks ---- */

void fake_os_advance(struct fake_os *fake, int64_t ms)
{
    ASSERT(ms >= 0);
    fake->now_ms += ms;
    fake->wall_ms += ms;
}

void fake_os_set_wall(struct fake_os *fake, int64_t ms)
{
    fake->wall_ms = ms;
}

int64_t fake_os_now(const struct fake_os *fake)
{
    return fake->now_ms;
}

/* ---- ordering faults, and what was seen ---- */

void fake_os_fail_nth(struct fake_os *fake, enum fake_os_call call, uint64_t nth, int error)
{
    ASSERT(call < FAKE_OS_CALLS && error > 0);
    fake->fail_at[call] = fake->calls[call] + nth;
    fake->fail_errno[call] = error;
}

void fake_os_fail_path(struct fake_os *fake, const char *path, int error)
{
    ASSERT(error >= 0);
    fake_node_of(fake, path)->error = error;
}

void fake_os_short_reads(struct fake_os *fake, unsigned percent)
{
    ASSERT(percent <= 100);
    fake->short_percent = percent;
}

void fake_os_hint_faults(struct fake_os *fake, unsigned missed_percent, unsigned doubled_percent)
{
    ASSERT(missed_percent <= 100 && doubled_percent <= 100);
    fake->missed_percent = missed_percent;
    fake->doubled_percent = doubled_percent;
}

void fake_os_hints_available(struct fake_os *fake, bool available)
{
    fake->hints_available = available;
}

uint64_t fake_os_calls(const struct fake_os *fake, enum fake_os_call call)
{
    ASSERT(call < FAKE_OS_CALLS);
    return fake->calls[call];
}

size_t fake_os_open_count(const struct fake_os *fake)
{
    return fake->open_count;
}

void fake_os_close_all(struct fake_os *fake)
{
    for (int i = 0; i < FDS_MAX; i++) {
        if (fake->fds[i] != NULL) {
            fake_close(&fake->os, FD_FIRST + i);
        }
    }
    ASSERT(fake->open_count == 0);
}
