/* fake_os_world.c - what the world does to the files: the writer of a WAL, an operator, a power
 * cut. */
#include "fake_os_inside.h"

#include <string.h>
#include <walship/assert.h>
#include <walship/mem.h>

static struct name *name_with_parent(struct fake_os *fake, const char *path)
{
    char parent[PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    ASSERT(slash != NULL && (size_t)(slash - path) < sizeof parent);
    size_t bytes = (size_t)(slash - path);
    memcpy(parent, path, bytes);
    parent[bytes] = 0;
    ASSERT(bytes == 0 || fake_node_of(fake, parent)->is_directory);
    return fake_name_find(fake, path);
}

void fake_os_mkdir(struct fake_os *fake, const char *path)
{
    if (name_with_parent(fake, path) == NULL) {
        fake_name_add(fake, path, true);
        fake_changed(fake);
    }
}

void fake_os_append(struct fake_os *fake, const char *path, const void *bytes, size_t count)
{
    struct name *name = name_with_parent(fake, path);
    if (name == NULL) {
        name = fake_name_add(fake, path, false);
    }
    uint64_t at = name->node->bytes;
    fake_node_resize(name->node, at + count);
    if (count > 0) {
        memcpy(name->node->data + at, bytes, count);
    }
    fake_changed(fake);
}

void fake_os_replace(struct fake_os *fake, const char *path, const void *bytes, size_t count)
{
    struct name *name = name_with_parent(fake, path);
    if (name != NULL) {
        /* made before the old one goes: never the inode it replaces */
        struct node *node = fake_node_new(fake, false);
        node->users = 1;
        fake_node_drop(fake, name->node);
        name->node = node;
    }
    fake_os_append(fake, path, bytes, count);
}

void fake_os_overwrite(struct fake_os *fake, const char *path, uint64_t at, const void *bytes,
                       size_t count)
{
    struct node *node = fake_node_of(fake, path);
    ASSERT(at + count <= node->bytes);
    memcpy(node->data + at, bytes, count);
    fake_changed(fake);
}

void fake_os_truncate(struct fake_os *fake, const char *path, uint64_t bytes)
{
    fake_node_resize(fake_node_of(fake, path), bytes);
    fake_changed(fake);
}

void fake_os_unlink(struct fake_os *fake, const char *path)
{
    ASSERT(fake_name_find(fake, path) != NULL);
    fake_name_remove(fake, fake_name_find(fake, path));
    fake_os_clear(fake, path);
}

void fake_os_clear(struct fake_os *fake, const char *path)
{
    for (size_t i = fake->names_count; i-- > 0;) {
        if (fake_name_is_under(&fake->names[i], path)) {
            fake_name_remove(fake, &fake->names[i]);
        }
    }
    fake_changed(fake);
}

static void name_rename(struct name *name, const char *to)
{
    mem_free(name->path);
    fake_name_set_path(name, to);
}

void fake_os_rename(struct fake_os *fake, const char *from, const char *to)
{
    ASSERT(strcmp(from, to) != 0 && fake_name_find(fake, from) != NULL);
    struct name *target = name_with_parent(fake, to);
    if (target != NULL) {
        fake_name_remove(fake, target);
    }
    fake->watched = fake_node_of(fake, from) == fake->watched ? NULL : fake->watched;
    name_rename(fake_name_find(fake, from), to);
    for (size_t i = 0; i < fake->names_count; i++) {
        if (fake_name_is_under(&fake->names[i], from)) {
            char *path = mem_format("%s%s", to, fake->names[i].path + strlen(from));
            name_rename(&fake->names[i], path);
            mem_free(path);
        }
    }
    fake_changed(fake);
}

void fake_os_link(struct fake_os *fake, const char *from, const char *to)
{
    struct node *node = fake_node_of(fake, from);
    ASSERT(!node->is_directory && name_with_parent(fake, to) == NULL);
    struct name *name = fake_name_add(fake, to, false);
    fake_node_drop(fake, name->node);
    name->node = node;
    node->users++;
}

void fake_os_names(const struct fake_os *fake, const char *path, os_entry_fn *each, void *context)
{
    for (size_t i = 0; i < fake->names_count; i++) {
        const struct name *name = &fake->names[i];
        if (fake_name_is_under(name, path) && !each(context, name->path + name->parent_bytes + 1)) {
            return;
        }
    }
}

bool fake_os_exists(const struct fake_os *fake, const char *path)
{
    return fake_name_find(fake, path) != NULL;
}

uint64_t fake_os_bytes(const struct fake_os *fake, const char *path)
{
    return fake_node_of(fake, path)->bytes;
}

const uint8_t *fake_os_data(const struct fake_os *fake, const char *path)
{
    return fake_node_of(fake, path)->data;
}

void fake_os_reuse_inodes(struct fake_os *fake, bool on)
{
    fake->reuse_inodes = on;
}

void fake_os_sync(struct fake_os *fake, const char *path)
{
    struct node *node = fake_node_of(fake, path);
    node->synced = node->bytes;
}

void fake_os_power_cut(struct fake_os *fake, struct rng *rng)
{
    for (size_t i = 0; i < fake->names_count; i++) {
        struct node *node = fake->names[i].node;
        uint64_t lost = node->bytes - node->synced;
        if (node->is_directory || lost == 0) {
            continue;
        }
        uint64_t kept = rng == NULL ? 0 : rng_below(rng, lost + 1);
        fake_node_resize(node, node->synced + kept);
        if (kept > 0 && rng_below(rng, 2) == 0) {
            memset(node->data + node->synced, 0, kept);
        }
        node->synced = node->bytes;
    }
}
