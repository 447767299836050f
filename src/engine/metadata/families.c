/* families.c - a hash table of numbers into an array of families, one allocation of text each. */
#include "families.h"

#include <walship/limits.h>
#include <walship/mem.h>

enum { SLOTS_FIRST = 1024, TYPE_HISTOGRAM = 3, TYPE_GAUGE_HISTOGRAM = 4, TYPE_SUMMARY = 5 };

struct family {
    char *text; /* name, help, unit behind each other */
    uint32_t hash;
    uint32_t name_bytes, help_bytes, unit_bytes;
    uint8_t type;
};

struct families {
    struct hash_key key;
    struct family *all;
    uint32_t *slots; /* index + 1; 0: free */
    uint32_t slots_count;
    size_t count, capacity, bytes;
};

struct families *families_new(const struct hash_key *key)
{
    struct families *families = mem_new(1, sizeof *families);
    families->key = *key;
    families->slots_count = SLOTS_FIRST;
    families->slots = mem_new(SLOTS_FIRST, sizeof *families->slots);
    return families;
}

void families_free(struct families *families)
{
    if (families == NULL) {
        return;
    }
    for (size_t i = 0; i < families->count; i++) {
        mem_free(families->all[i].text);
    }
    mem_free(families->all);
    mem_free(families->slots);
    mem_free(families);
}

/* Where this name is, or would be. */
static uint32_t *slot_of(const struct families *families, struct rw_text name, uint32_t hash)
{
    uint32_t at = hash & (families->slots_count - 1);
    for (;;) {
        uint32_t number = families->slots[at];
        if (number == 0) {
            return &families->slots[at];
        }
        const struct family *family = &families->all[number - 1];
        if (family->hash == hash && family->name_bytes == name.count &&
            memcmp(family->text, name.bytes, name.count) == 0) {
            return &families->slots[at];
        }
        at = (at + 1) & (families->slots_count - 1);
    }
}

static void slots_grow(struct families *families)
{
    mem_free(families->slots);
    families->slots_count *= 2;
    families->slots = mem_new(families->slots_count, sizeof *families->slots);
    for (size_t i = 0; i < families->count; i++) {
        const struct family *family = &families->all[i];
        struct rw_text name = {family->text, family->name_bytes};
        *slot_of(families, name, family->hash) = (uint32_t)i + 1;
    }
}

static void text_add(struct family *family, size_t *at, struct rw_text text)
{
    if (text.count > 0) {
        memcpy(family->text + *at, text.bytes, text.count);
    }
    *at += text.count;
}

static struct family *family_add(struct families *families, uint32_t *slot, uint32_t hash)
{
    if (families->count == families->capacity) {
        families->capacity = families->capacity * 2 + 256;
        families->all = mem_grow(families->all, families->capacity, sizeof *families->all);
    }
    struct family *family = &families->all[families->count++];
    *family = (struct family){.hash = hash};
    *slot = (uint32_t)families->count;
    families->bytes += sizeof *family;
    return family;
}

bool families_put(struct families *families, const struct rw_metadata *metadata)
{
    struct rw_text name = metadata->family;
    struct rw_text none = {"", 0};
    struct rw_text help = metadata->help.count > METADATA_TEXT_BYTES_MAX ? none : metadata->help;
    struct rw_text unit = metadata->unit.count > METADATA_TEXT_BYTES_MAX ? none : metadata->unit;
    size_t bytes = name.count + help.count + unit.count;
    uint32_t hash = (uint32_t)hash_bytes(&families->key, name.bytes, name.count);
    uint32_t *slot = slot_of(families, name, hash);
    if (name.count == 0 || name.count > METADATA_TEXT_BYTES_MAX ||
        families->bytes + bytes > METADATA_BYTES_MAX ||
        (*slot == 0 && families->count == METADATA_FAMILIES_MAX)) {
        return false;
    }
    bool grows = *slot == 0 && families->count * 2 >= families->slots_count;
    struct family *family =
        *slot == 0 ? family_add(families, slot, hash) : &families->all[*slot - 1];
    char *old = family->text;
    families->bytes -=
        old == NULL ? 0 : (size_t)family->name_bytes + family->help_bytes + family->unit_bytes;
    families->bytes += bytes;
    family->text = mem_new(bytes + 1, 1);
    size_t at = 0;
    text_add(family, &at, name);
    text_add(family, &at, help);
    text_add(family, &at, unit);
    mem_free(old); /* last: the caller's texts may be its own */
    family->name_bytes = (uint32_t)name.count;
    family->help_bytes = (uint32_t)help.count;
    family->unit_bytes = (uint32_t)unit.count;
    family->type = metadata->type;
    if (grows) {
        slots_grow(families);
    }
    return true;
}

static bool cut_suffix(struct rw_text *name, const char *suffix)
{
    size_t count = strlen(suffix);
    if (name->count <= count || memcmp(name->bytes + name->count - count, suffix, count) != 0) {
        return false;
    }
    name->count -= count;
    return true;
}

struct rw_text families_name(struct rw_text series, uint8_t type)
{
    struct rw_text name = series;
    switch (type) {
    case TYPE_HISTOGRAM:
        (void)(cut_suffix(&name, "_bucket") || cut_suffix(&name, "_count") ||
               cut_suffix(&name, "_sum"));
        break;
    case TYPE_GAUGE_HISTOGRAM:
        (void)(cut_suffix(&name, "_bucket") || cut_suffix(&name, "_gcount") ||
               cut_suffix(&name, "_gsum"));
        break;
    case TYPE_SUMMARY:
        (void)(cut_suffix(&name, "_count") || cut_suffix(&name, "_sum"));
        break;
    default:
        break;
    }
    return name;
}

static bool find(const struct families *families, struct rw_text name, struct rw_metadata *out)
{
    uint32_t hash = (uint32_t)hash_bytes(&families->key, name.bytes, name.count);
    uint32_t number = *slot_of(families, name, hash);
    if (number != 0) {
        *out = families_at(families, number - 1);
    }
    return number != 0;
}

bool families_find(const struct families *families, struct rw_text series, struct rw_metadata *out)
{
    static const char *const suffixes[] = {"_bucket", "_count", "_sum",     "_total",
                                           "_gcount", "_gsum",  "_created", "_info"};
    if (find(families, series, out)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
        struct rw_text name = series;
        if (cut_suffix(&name, suffixes[i]) && find(families, name, out)) {
            return true;
        }
    }
    return false;
}

size_t families_count(const struct families *families)
{
    return families->count;
}

size_t families_bytes(const struct families *families)
{
    return families->bytes + families->slots_count * sizeof *families->slots;
}

struct rw_metadata families_at(const struct families *families, size_t index)
{
    ASSERT(index < families->count);
    const struct family *family = &families->all[index];
    const char *help = family->text + family->name_bytes;
    return (struct rw_metadata){.type = family->type,
                                .family = {family->text, family->name_bytes},
                                .help = {help, family->help_bytes},
                                .unit = {help + family->help_bytes, family->unit_bytes}};
}
