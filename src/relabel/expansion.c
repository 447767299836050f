/* expansion.c - a text with $1, ${1}, $name, ${name} and $$, cut apart once. An unbraced name is
 * the longest run of letters, digits and underscores, so $1_x asks for a group called 1_x. */
#include "inside.h"

#include <walship/mem.h>
#include <walship/utf8.h>

enum { NUMBER_MAX = 100000000 }; /* Go stops reading a number there */

/* Letter or decimal digit of any script; asked of the regex library, which has the tables. */
static bool is_word_beyond_ascii(const char *at, size_t bytes)
{
    static const char pattern[] = "[\\p{L}\\p{Nd}]";
    char why[64];
    struct regex *regex = regex_new(pattern, sizeof pattern - 1, why, sizeof why);
    ASSERT(regex != NULL);
    bool matches = regex_matches(regex, at, bytes);
    regex_free(regex);
    return matches;
}

/* Bytes of the name at `at`; 0: none. */
static size_t name_bytes(const char *at)
{
    size_t bytes = 0;
    size_t left = strlen(at);
    while (bytes < left) {
        uint32_t rune = 0;
        size_t next = utf8_decode((const uint8_t *)at + bytes, left - bytes, &rune);
        bool word = (rune >= '0' && rune <= '9') || (rune >= 'a' && rune <= 'z') ||
                    (rune >= 'A' && rune <= 'Z') || rune == '_';
        if (next == 0 || (!word && (rune < 0x80 || !is_word_beyond_ascii(at + bytes, next)))) {
            break;
        }
        bytes += next;
    }
    return bytes;
}

/* The group that a name of this many bytes means; one that does not exist: regex_groups. */
static size_t group_of(const char *name, size_t bytes, const struct regex *regex)
{
    size_t number = 0;
    size_t i = 0;
    while (i < bytes && name[i] >= '0' && name[i] <= '9' && number < NUMBER_MAX) {
        number = number * 10 + (size_t)(name[i++] - '0');
    }
    if (i == bytes && (bytes == 1 || name[0] != '0')) {
        return number < regex_groups(regex) ? number : regex_groups(regex);
    }
    size_t named = regex_group_named(regex, name, bytes);
    return named == 0 ? regex_groups(regex) : named;
}

static void part_add(struct expansion *expansion, const struct expansion_part *part)
{
    if (part->literal != NULL && part->bytes == 0) {
        return;
    }
    expansion->parts = mem_grow(expansion->parts, expansion->count + 1, sizeof *expansion->parts);
    expansion->parts[expansion->count++] = *part;
}

/* The variable behind a $; where the text goes on. A $ of its own is added as it is. */
static const char *variable(struct expansion *expansion, const char *at, const struct regex *regex)
{
    if (*at == '$') {
        part_add(expansion, &(struct expansion_part){.literal = at, .bytes = 1});
        return at + 1;
    }
    bool brace = *at == '{';
    const char *name = at + brace;
    size_t bytes = name_bytes(name);
    if (bytes == 0 || (brace && name[bytes] != '}')) {
        part_add(expansion, &(struct expansion_part){.literal = at - 1, .bytes = 1});
        return at;
    }
    size_t group = group_of(name, bytes, regex);
    if (group < regex_groups(regex)) {
        part_add(expansion, &(struct expansion_part){.group = group});
    }
    return name + bytes + brace;
}

void expansion_init(struct expansion *expansion, const char *text, const struct regex *regex)
{
    *expansion = (struct expansion){.text = mem_string(text)};
    const char *at = expansion->text;
    for (const char *dollar = strchr(at, '$'); dollar != NULL; dollar = strchr(at, '$')) {
        part_add(expansion,
                 &(struct expansion_part){.literal = at, .bytes = (size_t)(dollar - at)});
        at = variable(expansion, dollar + 1, regex);
    }
    part_add(expansion, &(struct expansion_part){.literal = at, .bytes = strlen(at)});
}

void expansion_release(struct expansion *expansion)
{
    mem_free(expansion->text);
    mem_free(expansion->parts);
    *expansion = (struct expansion){0};
}

static struct span part_span(const struct expansion_part *part, const struct regex_group *groups)
{
    if (part->literal != NULL) {
        return (struct span){part->literal, part->bytes};
    }
    const struct regex_group *group = &groups[part->group];
    return group->at == NULL ? (struct span){"", 0} : (struct span){group->at, group->bytes};
}

bool expansion_expand(const struct expansion *expansion, const struct regex_group *groups,
                      struct scratch *scratch, struct span *out)
{
    *out = (struct span){"", 0};
    if (expansion->count == 0) {
        return true;
    }
    if (expansion->count == 1) { /* mostly: nothing to put together */
        *out = part_span(&expansion->parts[0], groups);
        return true;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < expansion->count; i++) {
        bytes += part_span(&expansion->parts[i], groups).bytes;
    }
    char *made = scratch_take(scratch, bytes);
    if (made == NULL) {
        return false;
    }
    *out = (struct span){made, bytes};
    for (size_t i = 0; i < expansion->count; i++) {
        struct span part = part_span(&expansion->parts[i], groups);
        memcpy(made, part.at, part.bytes);
        made += part.bytes;
    }
    return true;
}
