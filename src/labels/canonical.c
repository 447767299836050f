/* canonical.c - label lists as values: order, merge, hash. Nothing here knows the table. */
#include <walship/labels.h>
#include <walship/mem.h>

/* Longer lists are sorted by merging, so that a hostile one costs no quadratic time. */
enum { INSERTION_COUNT_MAX = 32, HASH_STACK_BYTES = 4096 };

int label_compare(const struct label *a, const struct label *b)
{
    uint32_t common = a->name_bytes < b->name_bytes ? a->name_bytes : b->name_bytes;
    int order = common == 0 ? 0 : memcmp(a->name, b->name, common);
    if (order != 0) {
        return order;
    }
    return (a->name_bytes > b->name_bytes) - (a->name_bytes < b->name_bytes);
}

static void sort_by_insertion(struct label *labels, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct label moving = labels[i];
        size_t to = i;
        for (; to > 0 && label_compare(&labels[to - 1], &moving) > 0; to--) {
            labels[to] = labels[to - 1];
        }
        labels[to] = moving;
    }
}

/* Merges the sorted runs from[0..middle) and from[middle..count); of equals the left one first. */
static void merge_runs(const struct label *from, size_t middle, size_t count, struct label *to)
{
    ASSERT(middle <= count);
    size_t left = 0;
    size_t right = middle;
    for (size_t i = 0; i < count; i++) {
        bool take_left =
            right == count || (left < middle && label_compare(&from[left], &from[right]) <= 0);
        to[i] = take_left ? from[left++] : from[right++];
    }
}

static void sort_by_merging(struct label *labels, size_t count)
{
    struct label *spare = mem_new(count, sizeof *spare);
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t start = 0; start < count; start += 2 * run) {
            size_t rest = count - start;
            size_t middle = run < rest ? run : rest;
            merge_runs(labels + start, middle, 2 * run < rest ? 2 * run : rest, spare + start);
        }
        memcpy(labels, spare, count * sizeof *labels);
    }
    mem_free(spare);
}

static bool is_canonical(const struct label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (labels[i].name_bytes == 0 || labels[i].value_bytes == 0 ||
            (i > 0 && label_compare(&labels[i - 1], &labels[i]) >= 0)) {
            return false;
        }
    }
    return true;
}

size_t labels_canonical(struct label *labels, size_t count)
{
    ASSERT(labels != NULL || count == 0);
    if (is_canonical(labels, count)) {
        return count; /* as they come from the WAL */
    }
    if (count <= INSERTION_COUNT_MAX) {
        sort_by_insertion(labels, count);
    } else {
        sort_by_merging(labels, count);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool replaced = i + 1 < count && label_compare(&labels[i], &labels[i + 1]) == 0;
        if (!replaced && labels[i].name_bytes > 0 && labels[i].value_bytes > 0) {
            labels[kept++] = labels[i];
        }
    }
    ASSERT(kept <= count);
    return kept;
}

size_t labels_merge(const struct label *base, size_t base_count, const struct label *extra,
                    size_t extra_count, struct label *out)
{
    ASSERT(base != NULL || base_count == 0);
    ASSERT(extra != NULL || extra_count == 0);
    size_t b = 0;
    size_t e = 0;
    size_t count = 0;
    while (b < base_count && e < extra_count) {
        int order = label_compare(&base[b], &extra[e]);
        out[count++] = order <= 0 ? base[b] : extra[e];
        b += order <= 0;
        e += order >= 0;
    }
    while (b < base_count) {
        out[count++] = base[b++];
    }
    while (e < extra_count) {
        out[count++] = extra[e++];
    }
    ASSERT(count <= base_count + extra_count);
    return count;
}

static uint8_t *put_part(uint8_t *at, const char *text, uint32_t bytes, bool fold)
{
    for (uint32_t i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)text[i];
        bool upper = fold && byte >= 'A' && byte <= 'Z';
        at[i] = upper ? (uint8_t)(byte | 0x20) : byte;
    }
    at[bytes] = 0xff; /* in no UTF-8 text, so that parts can't run into each other */
    return at + bytes + 1;
}

uint64_t labels_hash(const struct hash_key *key, const struct label *labels, size_t count,
                     bool fold)
{
    ASSERT(key != NULL);
    ASSERT(labels != NULL || count == 0);
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += (size_t)labels[i].name_bytes + labels[i].value_bytes + 2;
    }
    uint8_t stack[HASH_STACK_BYTES];
    uint8_t *encoded = bytes <= sizeof stack ? stack : mem_new(bytes, 1);
    uint8_t *at = encoded;
    for (size_t i = 0; i < count; i++) {
        at = put_part(at, labels[i].name, labels[i].name_bytes, fold);
        at = put_part(at, labels[i].value, labels[i].value_bytes, fold);
    }
    ASSERT(at == encoded + bytes);
    uint64_t hash = hash_bytes(key, encoded, bytes);
    if (encoded != stack) {
        mem_free(encoded);
    }
    return hash;
}
