/* fuzz_relabel.c - rules and labels of any bytes. The input is a row of parts, each a length byte
 * and its bytes: first the rules (action, target, replacement, separator, regex, sources; an empty
 * action ends them), then labels. Whatever a rule does, the result is canonical, within the limits,
 * and the same the second time. */
#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/relabel.h>
#include <walship/view.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RULES_MAX = 8, LIST_MAX = 60, TEXT_BYTES_MAX = 1 << 20, SOURCES_MAX = 3 };

static char *next_text(struct view *input)
{
    struct view part = view_take(input, view_u8(input));
    size_t bytes = view_ok(input) ? view_left(&part) : 0;
    return mem_format("%.*s", (int)bytes, bytes > 0 ? (const char *)part.at : "");
}

static struct relabel_rule *next_rule(struct view *input, bool *more)
{
    char *sources[SOURCES_MAX];
    struct relabel_spec spec = {.action = next_text(input), .source_labels = sources};
    *more = *spec.action != 0;
    spec.target_label = next_text(input);
    spec.replacement = next_text(input);
    spec.separator = next_text(input);
    spec.regex = next_text(input);
    uint8_t bits = view_u8(input);
    spec.source_labels_count = bits % (SOURCES_MAX + 1);
    spec.has_source_labels = spec.source_labels_count > 0;
    spec.modulus = bits / (SOURCES_MAX + 1);
    for (size_t i = 0; i < spec.source_labels_count; i++) {
        sources[i] = next_text(input);
    }
    char why[100] = "";
    const char *key = NULL;
    struct relabel_rule *rule = *more ? relabel_rule_new(&spec, &key, why, sizeof why) : NULL;
    ASSERT(!*more || (rule == NULL) == (key != NULL && *why != 0));
    mem_free(spec.action);
    mem_free(spec.target_label);
    mem_free(spec.replacement);
    mem_free(spec.separator);
    mem_free(spec.regex);
    for (size_t i = 0; i < spec.source_labels_count; i++) {
        mem_free(sources[i]);
    }
    return rule;
}

static size_t next_labels(struct view *input, struct label *out)
{
    size_t count = 0;
    while (view_left(input) > 0 && count < LIST_MAX) {
        struct view name = view_take(input, view_u8(input) % 32);
        struct view value = view_take(input, view_u8(input));
        if (!view_ok(input)) {
            break;
        }
        out[count++] = (struct label){(const char *)name.at, (const char *)value.at,
                                      (uint32_t)view_left(&name), (uint32_t)view_left(&value)};
    }
    return labels_canonical(out, count);
}

/* The result as text; what it was is the first byte. */
static void run(struct relabel_room *room, struct relabel_rule *const *rules,
                const struct label *labels, size_t count, struct buf *out)
{
    size_t own = count / 2;
    relabel_start(room, labels, own, labels + own, count - own);
    enum relabel_verdict verdict = RELABEL_GOES_ON;
    for (size_t i = 0; rules[i] != NULL && verdict == RELABEL_GOES_ON; i++) {
        verdict = relabel_apply(room, rules[i]);
    }
    ASSERT(buf_append(out, &(char){(char)('0' + (int)verdict)}, 1));
    if (verdict != RELABEL_GOES_ON) {
        return;
    }
    const struct label *result;
    size_t kept = relabel_result(room, &result);
    ASSERT(kept <= LABELS_FINAL_MAX);
    for (size_t i = 0; i < kept; i++) {
        ASSERT(result[i].name_bytes > 0 && result[i].value_bytes > 0);
        ASSERT(i == 0 || label_compare(&result[i - 1], &result[i]) < 0);
        if (!buf_append(out, result[i].name, result[i].name_bytes) ||
            !buf_append(out, result[i].value, result[i].value_bytes)) {
            return; /* long enough to compare */
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view input = view_of(data, size);
    struct relabel_rule *rules[RULES_MAX + 1] = {NULL};
    struct label labels[LIST_MAX];
    size_t rules_count = 0;
    bool more = true;
    while (more && rules_count < RULES_MAX) {
        struct relabel_rule *rule = next_rule(&input, &more);
        if (rule != NULL) {
            rules[rules_count++] = rule;
        }
        more = more && view_ok(&input);
    }
    size_t count = view_ok(&input) ? next_labels(&input, labels) : 0;
    static struct relabel_room *room; /* one for all: it is large */
    room = room == NULL ? relabel_room_new() : room;
    struct buf first;
    struct buf second;
    buf_init(&first, TEXT_BYTES_MAX);
    buf_init(&second, TEXT_BYTES_MAX);
    run(room, rules, labels, count, &first);
    run(room, rules, labels, count, &second);
    ASSERT(first.bytes == second.bytes && memcmp(first.data, second.data, first.bytes) == 0);
    for (size_t i = 0; i < rules_count; i++) {
        relabel_rule_free(rules[i]);
    }
    buf_release(&first);
    buf_release(&second);
    return 0;
}
