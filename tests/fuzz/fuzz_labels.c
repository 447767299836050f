/* fuzz_labels.c - label lists of any bytes: canonical form, hash, table, text. The input is a row
 * of parts, each a length byte and its bytes; two parts make a label, an empty name ends a list. */
#include <walship/labels.h>
#include <walship/mem.h>
#include <walship/utf8.h>
#include <walship/view.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIST_MAX = 100, SETS_MAX = 50, TEXT_BYTES_MAX = 200000 };

static size_t next_list(struct view *input, struct label *out)
{
    size_t count = 0;
    while (view_left(input) > 0 && count < LIST_MAX) {
        struct view name = view_take(input, view_u8(input) % 32);
        struct view value = view_take(input, view_u8(input));
        if (!view_ok(input) || (view_left(&name) == 0 && view_left(&value) == 0)) {
            break;
        }
        out[count++] = (struct label){(const char *)name.at, (const char *)value.at,
                                      (uint32_t)view_left(&name), (uint32_t)view_left(&value)};
    }
    return count;
}

/* One line, all of it well-formed UTF-8 without controls: that is what escaping is for. */
static void check_text(const struct buf *text)
{
    for (size_t at = 0; at < text->bytes;) {
        uint32_t rune = 0;
        size_t bytes = utf8_decode(text->data + at, text->bytes - at, &rune);
        ASSERT(bytes > 0 && rune >= 0x20 && rune != 0x7f && !(rune >= 0x80 && rune < 0xa0));
        at += bytes;
    }
}

static void check_equal(const struct label *a, const struct label *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ASSERT(a[i].name_bytes == b[i].name_bytes && a[i].value_bytes == b[i].value_bytes);
        ASSERT(memcmp(a[i].name, b[i].name, a[i].name_bytes) == 0);
        ASSERT(memcmp(a[i].value, b[i].value, a[i].value_bytes) == 0);
        ASSERT(i == 0 || label_compare(&a[i - 1], &a[i]) < 0);
    }
}

static uint32_t take_list(struct labels *labels, struct label *list, size_t count)
{
    static const struct hash_key key = {3, 4};
    count = labels_canonical(list, count);
    ASSERT(labels_canonical(list, count) == count);
    uint32_t set = labels_intern(labels, list, count);
    struct label kept[LIST_MAX];
    ASSERT(labels_get(labels, set, kept, LIST_MAX) == count);
    check_equal(kept, list, count);
    ASSERT(labels_hash(&key, kept, count, true) == labels_hash(&key, list, count, true));
    struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    ASSERT(labels_format(kept, count, &text));
    check_text(&text);
    buf_release(&text);
    return set;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hash_key key = {1, 2};
    struct labels *labels = labels_new(&key);
    struct view input = view_of(data, size);
    uint32_t sets[SETS_MAX];
    size_t count = 0;
    while (view_left(&input) > 0 && count < SETS_MAX) {
        struct label list[LIST_MAX];
        size_t list_count = next_list(&input, list);
        sets[count++] = take_list(labels, list, list_count);
        if (count % 3 == 0) { /* some go meanwhile, so that ids and blocks are used again */
            labels_release(labels, sets[--count]);
        }
    }
    while (count > 0) {
        labels_release(labels, sets[--count]);
    }
    ASSERT(labels_sets(labels) == 0);
    labels_free(labels);
    return 0;
}
