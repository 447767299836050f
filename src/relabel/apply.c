/* apply.c - the rules over one series.
 *
 * The order of the labels under way is upstream's, because labelmap may make one name of two and
 * the last one wins: first what the series came with, by name, then what was set, in the order in
 * which it was set first. A label that is set anew moves from the first part to the second. */
#include "inside.h"

#include <inttypes.h>
#include <walship/mem.h>

struct relabel_room {
    struct label labels[LABELS_FINAL_MAX + 1];
    size_t count;
    size_t own;                                /* the first so many are as the series came */
    struct label before[LABELS_FINAL_MAX + 1]; /* while a rule goes over all of them */
    struct scratch scratch;
    struct regex_group groups[REGEX_GROUPS_MAX + 1];
};

char *scratch_take(struct scratch *scratch, size_t bytes)
{
    ASSERT(scratch->used <= RELABEL_BYTES_MAX);
    if (scratch->full || bytes > RELABEL_BYTES_MAX - scratch->used) {
        scratch->full = true;
        return NULL;
    }
    char *taken = scratch->bytes + scratch->used;
    scratch->used += bytes;
    return taken;
}

struct relabel_room *relabel_room_new(void)
{
    struct relabel_room *room = mem_new(1, sizeof *room);
    room->scratch.bytes = mem_new(RELABEL_BYTES_MAX, 1);
    return room;
}

void relabel_room_free(struct relabel_room *room)
{
    if (room != NULL) {
        mem_free(room->scratch.bytes);
        mem_free(room);
    }
}

void relabel_start(struct relabel_room *room, const struct label *own, size_t own_count,
                   const struct label *external, size_t external_count)
{
    ASSERT(own_count + external_count <= LABELS_FINAL_MAX);
    room->scratch.used = 0;
    room->scratch.full = false;
    room->own = own_count;
    room->count = own_count;
    if (own_count > 0) {
        memcpy(room->labels, own, own_count * sizeof *own);
    }
    size_t known = 0; /* both are in order */
    for (size_t i = 0; i < external_count; i++) {
        while (known < own_count && label_compare(&own[known], &external[i]) < 0) {
            known++;
        }
        if (known == own_count || label_compare(&own[known], &external[i]) != 0) {
            room->labels[room->count++] = external[i];
        }
    }
}

/* ---- the labels ---- */

static size_t find(const struct relabel_room *room, const struct span *name)
{
    size_t i = 0;
    while (i < room->count &&
           (room->labels[i].name_bytes != name->bytes ||
            (name->bytes > 0 && memcmp(room->labels[i].name, name->at, name->bytes) != 0))) {
        i++;
    }
    return i;
}

static struct span get(const struct relabel_room *room, const struct span *name)
{
    size_t i = find(room, name);
    if (i == room->count) {
        return (struct span){"", 0};
    }
    return (struct span){room->labels[i].value, room->labels[i].value_bytes};
}

static void drop_at(struct relabel_room *room, size_t i)
{
    room->count--;
    room->own -= i < room->own;
    memmove(&room->labels[i], &room->labels[i + 1], (room->count - i) * sizeof room->labels[0]);
}

/* An empty value is no label; nor is an empty name, which only labelmap can make. */
static void set(struct relabel_room *room, const struct span *name, const struct span *value)
{
    size_t i = find(room, name);
    if (i < room->count && (i < room->own || value->bytes == 0)) {
        drop_at(room, i);
        i = room->count;
    }
    if (value->bytes == 0 || name->bytes == 0) {
        return;
    }
    if (i == room->count) {
        if (room->count == LABELS_FINAL_MAX) {
            room->scratch.full = true;
            return;
        }
        room->count++;
    }
    room->labels[i] =
        (struct label){name->at, value->at, (uint32_t)name->bytes, (uint32_t)value->bytes};
}

/* ---- the actions ---- */

/* The values of the source labels with the separator between them. False: too big. */
static bool source_value(struct relabel_room *room, const struct relabel_rule *rule,
                         struct span *out)
{
    *out = rule->sources_count == 1 ? get(room, &rule->sources[0]) : (struct span){"", 0};
    if (rule->sources_count <= 1) {
        return true;
    }
    size_t bytes = (rule->sources_count - 1) * rule->separator.bytes;
    for (size_t i = 0; i < rule->sources_count; i++) {
        bytes += get(room, &rule->sources[i]).bytes;
    }
    char *made = scratch_take(&room->scratch, bytes);
    if (made == NULL) {
        return false;
    }
    *out = (struct span){made, bytes};
    for (size_t i = 0; i < rule->sources_count; i++) {
        struct span value = get(room, &rule->sources[i]);
        memcpy(made, value.at, value.bytes);
        made += value.bytes;
        if (i + 1 < rule->sources_count) {
            memcpy(made, rule->separator.at, rule->separator.bytes);
            made += rule->separator.bytes;
        }
    }
    return true;
}

static void replace(struct relabel_room *room, const struct relabel_rule *rule,
                    const struct span *value)
{
    struct span target;
    struct span made;
    if (!regex_find(rule->regex, value->at, value->bytes, room->groups) ||
        !expansion_expand(&rule->target, room->groups, &room->scratch, &target) ||
        !expansion_expand(&rule->replacement, room->groups, &room->scratch, &made)) {
        return;
    }
    if (target.bytes > 0) { /* else no name: nothing is set */
        set(room, &target, &made);
    }
}

static void hashmod(struct relabel_room *room, const struct relabel_rule *rule,
                    const struct span *value)
{
    enum { DIGITS_MAX = 21 };
    uint8_t digest[MD5_BYTES];
    uint64_t number = 0;
    md5(value->at, value->bytes, digest);
    for (size_t i = MD5_BYTES / 2; i < MD5_BYTES; i++) {
        number = number << 8 | digest[i];
    }
    char *made = scratch_take(&room->scratch, DIGITS_MAX);
    if (made != NULL) {
        int bytes = snprintf(made, DIGITS_MAX, "%" PRIu64, number % rule->modulus);
        set(room, &rule->target_label, &(struct span){made, (size_t)bytes});
    }
}

static void change_case(struct relabel_room *room, const struct relabel_rule *rule,
                        const struct span *value)
{
    struct span made;
    if (fold_text(value, rule->action == RELABEL_UPPERCASE, &room->scratch, &made)) {
        set(room, &rule->target_label, &made);
    }
}

/* labelmap, labeldrop, labelkeep: over the labels as they are before the rule. */
static void by_name(struct relabel_room *room, const struct relabel_rule *rule)
{
    size_t count = room->count;
    memcpy(room->before, room->labels, count * sizeof room->labels[0]);
    for (size_t i = 0; i < count; i++) {
        const struct label *label = &room->before[i];
        struct span name = {label->name, label->name_bytes};
        struct span value = {label->value, label->value_bytes};
        bool matches = regex_find(rule->regex, name.at, name.bytes, room->groups);
        if (rule->action != RELABEL_LABELMAP) {
            if (matches == (rule->action == RELABEL_LABELDROP)) {
                drop_at(room, find(room, &name));
            }
        } else if (matches &&
                   expansion_expand(&rule->replacement, room->groups, &room->scratch, &name)) {
            set(room, &name, &value);
        }
    }
}

static bool equal(const struct span *a, const struct span *b)
{
    return a->bytes == b->bytes && (a->bytes == 0 || memcmp(a->at, b->at, a->bytes) == 0);
}

/* False: the series goes. */
static bool run(struct relabel_room *room, const struct relabel_rule *rule,
                const struct span *value)
{
    struct span target;
    switch (rule->action) {
    case RELABEL_KEEP:
        return regex_matches(rule->regex, value->at, value->bytes);
    case RELABEL_DROP:
        return !regex_matches(rule->regex, value->at, value->bytes);
    case RELABEL_KEEPEQUAL:
        target = get(room, &rule->target_label);
        return equal(&target, value);
    case RELABEL_DROPEQUAL:
        target = get(room, &rule->target_label);
        return !equal(&target, value);
    case RELABEL_REPLACE:
        replace(room, rule, value);
        return true;
    case RELABEL_HASHMOD:
        hashmod(room, rule, value);
        return true;
    case RELABEL_LOWERCASE:
    case RELABEL_UPPERCASE:
        change_case(room, rule, value);
        return true;
    case RELABEL_LABELMAP:
    case RELABEL_LABELDROP:
    case RELABEL_LABELKEEP:
        by_name(room, rule);
        return true;
    case RELABEL_ACTIONS:
        break;
    }
    ASSERT(!"an action is one of the table");
    return true;
}

enum relabel_verdict relabel_apply(struct relabel_room *room, const struct relabel_rule *rule)
{
    struct span value;
    ASSERT(room->count <= LABELS_FINAL_MAX && room->own <= room->count);
    if (!source_value(room, rule, &value)) {
        return RELABEL_TOO_BIG;
    }
    if (!run(room, rule, &value)) {
        return RELABEL_DROPPED;
    }
    return room->scratch.full ? RELABEL_TOO_BIG : RELABEL_GOES_ON;
}

size_t relabel_result(struct relabel_room *room, const struct label **out)
{
    room->count = labels_canonical(room->labels, room->count);
    room->own = room->count;
    *out = room->labels;
    return room->count;
}
