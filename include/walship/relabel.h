/* relabel.h - write_relabel_configs: Prometheus' relabelling rules, as version 3 has them (label
 * names may be any UTF-8). Checks and messages are upstream's too.
 *
 * A rule is made once from its configuration. A room holds one series at a time while the rules go
 * over it; its result is to be kept by the caller (interned) before the next start.
 * Ownership: rules copy what they need. Labels given to relabel_start are borrowed until the next
 * start; those of the result live as long. Limits: RELABEL_*_MAX, LABELS_FINAL_MAX. Pure. */
#ifndef WALSHIP_RELABEL_H
#define WALSHIP_RELABEL_H

#include <walship/labels.h>

enum relabel_action {
    RELABEL_REPLACE,
    RELABEL_KEEP,
    RELABEL_DROP,
    RELABEL_KEEPEQUAL,
    RELABEL_DROPEQUAL,
    RELABEL_HASHMOD,
    RELABEL_LABELMAP,
    RELABEL_LABELDROP,
    RELABEL_LABELKEEP,
    RELABEL_LOWERCASE,
    RELABEL_UPPERCASE,
    RELABEL_ACTIONS
};

/* One element of the list as it is configured. */
struct relabel_spec {
    char *action; /* upper or lower case */
    char **source_labels;
    size_t source_labels_count;
    bool has_source_labels; /* an empty list counts */
    char *separator;
    char *regex;
    char *target_label;
    char *replacement;
    uint64_t modulus;
};

/* What the fields are when they are not said. */
#define RELABEL_SEPARATOR   ";"
#define RELABEL_REGEX       "(.*)"
#define RELABEL_REPLACEMENT "$1"
#define RELABEL_ACTION      "replace"

struct relabel_rule;

/* NULL: `why` says what upstream says of such a rule; *key names the option it is about. */
struct relabel_rule *relabel_rule_new(const struct relabel_spec *spec, const char **key, char *why,
                                      size_t why_bytes);
void relabel_rule_free(struct relabel_rule *rule);
/* All that decides what the rule does, as one line. False when out is full. */
MUST_USE bool relabel_rule_text(const struct relabel_rule *rule, struct buf *out);

enum relabel_verdict {
    RELABEL_GOES_ON,
    RELABEL_DROPPED, /* the series */
    RELABEL_TOO_BIG  /* beyond the limits: it has no final labels */
};

struct relabel_room;

struct relabel_room *relabel_room_new(void);
void relabel_room_free(struct relabel_room *room);
/* A series as the WAL has it, and the external labels: those whose names it lacks are added. Both
 * canonical. */
void relabel_start(struct relabel_room *room, const struct label *own, size_t own_count,
                   const struct label *external, size_t external_count);
/* After another verdict than RELABEL_GOES_ON nothing may follow but a start. */
enum relabel_verdict relabel_apply(struct relabel_room *room, const struct relabel_rule *rule);
/* Canonical. */
size_t relabel_result(struct relabel_room *room, const struct label **out);

#endif
