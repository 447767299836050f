/* names.c - the names in a WAL directory: which are segments, which is the newest checkpoint.
 *
 * Prometheus' readers take any name that is wholly a number, so must we; sorting is by number,
 * since 100000000 comes before 99999999 as a string. */
#include "dir.h"

#include <stdlib.h>
#include <string.h>
#include <walship/mem.h>

/* False: not wholly decimal digits, or too large to be a segment. */
static bool name_number(const char *name, uint32_t *out)
{
    uint64_t value = 0;
    size_t bytes = 0;
    for (; name[bytes] != 0; bytes++) {
        if (name[bytes] < '0' || name[bytes] > '9' || bytes + 1 == DIR_NAME_BYTES) {
            return false;
        }
        value = value * 10 + (uint64_t)(name[bytes] - '0');
        if (value >= UINT32_MAX) {
            return false;
        }
    }
    *out = (uint32_t)value;
    return bytes > 0;
}

static bool name_is_repair(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && strcmp(dot, ".repair") == 0;
}

/* What Prometheus itself leaves beside segments and checkpoints. */
static bool name_is_known(const char *name)
{
    static const char *const prefixes[] = {"checkpoint.", "series_state.json"};
    for (size_t i = 0; i < ARRAY_COUNT(prefixes); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void list_grow(struct dir_list *list)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 32;
        list->segments = mem_grow(list->segments, list->capacity, sizeof *list->segments);
    }
}

struct dir_segment *dir_list_insert(struct dir_list *list, uint32_t number)
{
    list_grow(list);
    size_t index = list->count++;
    for (; index > 0 && list->segments[index - 1].seen.number > number; index--) {
        list->segments[index] = list->segments[index - 1];
    }
    ASSERT(index == 0 || list->segments[index - 1].seen.number < number);
    list->segments[index] = (struct dir_segment){.seen = {.number = number}};
    return &list->segments[index];
}

static void list_add(struct dir_list *list, uint32_t number, const char *name)
{
    list_grow(list);
    struct dir_segment *segment = &list->segments[list->count++];
    *segment = (struct dir_segment){.seen = {.number = number}};
    ASSERT(strlen(name) < sizeof segment->name);
    memcpy(segment->name, name, strlen(name) + 1);
}

/* The newest one counts, and the next below it. */
static void list_checkpoint(struct dir_list *list, uint32_t number, const char *name)
{
    bool newest = !list->has_checkpoint || number > list->checkpoint;
    uint32_t other = newest ? list->checkpoint : number;
    if (list->has_checkpoint && (!list->has_older || other > list->older)) {
        list->has_older = true;
        list->older = other;
    }
    if (newest) {
        list->has_checkpoint = true;
        list->checkpoint = number;
        ASSERT(strlen(name) < sizeof list->checkpoint_name);
        memcpy(list->checkpoint_name, name, strlen(name) + 1);
    }
}

static bool list_take(void *context, const char *name)
{
    static const char checkpoint[] = "checkpoint.";
    struct dir_list *list = context;
    uint32_t number;
    if (name_number(name, &number)) {
        list_add(list, number, name);
    } else if (strncmp(name, checkpoint, sizeof checkpoint - 1) == 0 &&
               name_number(name + sizeof checkpoint - 1, &number)) {
        list_checkpoint(list, number, name);
    } else if (name_is_repair(name)) {
        list->repairing = true;
    } else if (!name_is_known(name)) {
        list->has_others = true;
    }
    return true;
}

/* By number; of two names of one number the one that Prometheus would write comes first. */
static int segment_order(const void *left, const void *right)
{
    const struct dir_segment *a = left;
    const struct dir_segment *b = right;
    if (a->seen.number != b->seen.number) {
        return a->seen.number < b->seen.number ? -1 : 1;
    }
    bool a_usual = strlen(a->name) == 8;
    bool b_usual = strlen(b->name) == 8;
    if (a_usual != b_usual) {
        return a_usual ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

bool dir_list_read(struct dir_list *list, struct os *os, const char *path, struct err *err)
{
    list->count = 0;
    list->has_checkpoint = false;
    list->has_older = false;
    list->repairing = false;
    list->has_others = false;
    int status = os->list(os, path, list_take, list);
    if (status != 0) {
        ASSERT(status < 0);
        return err_set(err, -status, "list %s: %s", path, strerror(-status));
    }
    if (list->count > 1) {
        qsort(list->segments, list->count, sizeof *list->segments, segment_order);
    }
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || list->segments[kept - 1].seen.number != list->segments[i].seen.number) {
            list->segments[kept++] = list->segments[i];
        }
    }
    list->count = kept;
    return true;
}

void dir_list_release(struct dir_list *list)
{
    mem_free(list->segments);
    *list = (struct dir_list){0};
}
