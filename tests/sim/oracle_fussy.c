/* oracle_fussy.c - destinations whose receivers have an opinion: what may rightly be lost there. */
#include "oracle.h"

bool oracle_fussy(const struct oracle_destination *destination)
{
    const struct fake_judge *judge = &destination->judge;
    return judge->order != FAKE_ORDER_ANY || judge->refuses_series_each > 0 ||
           judge->refuses_t_each > 0 || judge->fails_t_each > 0;
}

/* By the labels that its series has, or had in some life. */
static bool disliked(const struct oracle *oracle, const struct oracle_destination *destination,
                     const struct oracle_item *item)
{
    bool yes = false;
    for (uint32_t i = 0; i < ORACLE_NAMES_MAX; i++) {
        struct fake_sample sample = {.series = oracle->series[item->series].names[i],
                                     .t_ms = item->t_ms};
        bool had = ((oracle->names_used >> i) & 1) != 0;
        yes = yes || (had && (fake_judge_dislikes(&destination->judge, &sample, FAKE_REFUSES) ||
                              fake_judge_dislikes(&destination->judge, &sample, FAKE_FAILS)));
    }
    return yes;
}

bool oracle_refuses(const struct oracle *oracle, const struct oracle_destination *destination,
                    uint32_t number)
{
    const struct oracle_item *item = &oracle->items[number];
    bool in_order = destination->judge.order == FAKE_ORDER_ANY;
    bool refuses = false;
    uint32_t at = oracle->series[item->series].first;
    for (; at != ORACLE_NONE && !refuses; at = oracle->items[at].next) {
        const struct oracle_item *other = &oracle->items[at];
        bool late = !in_order && at < number && other->t_ms >= item->t_ms;
        refuses =
            late || disliked(oracle, destination, other); /* a bad series may be quarantined */
    }
    return refuses;
}
