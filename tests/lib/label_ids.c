/* label_ids.c - the text of a set, escaped so that it is unambiguous, is its key; chained hashing.
 */
#include "label_ids.h"

#include <walship/buf.h>
#include <walship/mem.h>

enum { SLOTS = 4096, TEXT_BYTES_MAX = 4 << 20 };

struct entry {
    char *text;
    uint64_t hash;
    uint32_t next; /* in its slot; UINT32_MAX ends */
};

struct label_ids {
    struct entry *entries;
    uint32_t count, capacity;
    uint32_t slots[SLOTS];
    struct buf text;
};

struct label_ids *label_ids_new(void)
{
    struct label_ids *ids = mem_new(1, sizeof *ids);
    memset(ids->slots, 0xff, sizeof ids->slots);
    buf_init(&ids->text, TEXT_BYTES_MAX);
    return ids;
}

void label_ids_free(struct label_ids *ids)
{
    if (ids == NULL) {
        return;
    }
    for (uint32_t i = 0; i < ids->count; i++) {
        mem_free(ids->entries[i].text);
    }
    mem_free(ids->entries);
    buf_release(&ids->text);
    mem_free(ids);
}

static void append_escaped(struct buf *out, const char *bytes, uint32_t count)
{
    bool ok = true;
    for (uint32_t i = 0; i < count; i++) {
        char byte = bytes[i];
        if (byte == '"' || byte == '\\' || byte == '=' || byte == ' ' || byte == '\0') {
            ok = ok && buf_format(out, "\\%02x", (unsigned)(uint8_t)byte);
        } else {
            ok = ok && buf_append(out, &byte, 1);
        }
    }
    ASSERT(ok);
}

static void text_of(struct buf *out, const struct label *labels, size_t count)
{
    buf_clear(out);
    for (size_t i = 0; i < count; i++) {
        bool ok = i == 0 || buf_append(out, " ", 1);
        append_escaped(out, labels[i].name, labels[i].name_bytes);
        ok = ok && buf_append(out, "=\"", 2);
        append_escaped(out, labels[i].value, labels[i].value_bytes);
        ok = ok && buf_append(out, "\"", 1);
        ASSERT(ok);
    }
    bool ended = buf_append(out, "", 1);
    ASSERT(ended);
}

static uint64_t fnv(const struct buf *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < text->bytes; i++) {
        hash = (hash ^ text->data[i]) * 0x100000001b3u;
    }
    return hash;
}

uint32_t label_ids_of(struct label_ids *ids, const struct label *labels, size_t count)
{
    text_of(&ids->text, labels, count);
    uint64_t hash = fnv(&ids->text);
    uint32_t *slot = &ids->slots[hash % SLOTS];
    for (uint32_t id = *slot; id != UINT32_MAX; id = ids->entries[id].next) {
        const struct entry *entry = &ids->entries[id];
        if (entry->hash == hash && strcmp(entry->text, (const char *)ids->text.data) == 0) {
            return id;
        }
    }
    if (ids->count == ids->capacity) {
        ids->capacity = ids->capacity * 2 + 64;
        ids->entries = mem_grow(ids->entries, ids->capacity, sizeof *ids->entries);
    }
    ids->entries[ids->count] =
        (struct entry){mem_string((const char *)ids->text.data), hash, *slot};
    *slot = ids->count;
    return ids->count++;
}

size_t label_ids_count(const struct label_ids *ids)
{
    return ids->count;
}

const char *label_ids_text(const struct label_ids *ids, uint32_t id)
{
    ASSERT(id < ids->count);
    return ids->entries[id].text;
}
