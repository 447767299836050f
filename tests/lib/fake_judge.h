/* fake_judge.h - a receiver with an opinion: refuses certain samples for ever, fails on certain
 * ones, and may take them in order only, as Prometheus without an out-of-order window does (the
 * first sample that does not fit rolls the whole request back), or as those that keep what fits.
 * One for each receiver of a fake_http; asked when a request is delivered. */
#ifndef LIB_FAKE_JUDGE_H
#define LIB_FAKE_JUDGE_H

#include "fake_http.h"

enum fake_order {
    FAKE_ORDER_ANY,
    FAKE_ORDER_WHOLE, /* Prometheus: all or nothing */
    FAKE_ORDER_KEEP   /* Mimir: what fits is kept, the answer is 400 all the same */
};

enum fake_dislike { FAKE_REFUSES, FAKE_FAILS }; /* 400, 500 */

struct fake_rule {
    enum fake_dislike how;
    uint32_t series;
    int64_t t_ms; /* INT64_MIN: any */
};

struct fake_newest {
    int64_t t_ms;
    uint64_t bits;
    bool any;
};

struct fake_judge {
    enum fake_order order;
    bool refuses_all;
    uint32_t refuses_series_each;          /* every so many-th series is refused; 0: none */
    uint32_t refuses_t_each, fails_t_each; /* the same of sample times */
    struct fake_rule *rules;
    size_t rules_count;
    struct fake_newest *newest; /* by series */
    size_t newest_count;
    uint64_t refusals;
};

void fake_judge_release(struct fake_judge *judge);
void fake_judge_dislike(struct fake_judge *judge, const struct fake_rule *rule);
void fake_judge_forget(struct fake_judge *judge); /* it likes everything again */
bool fake_judge_dislikes(const struct fake_judge *judge, const struct fake_sample *sample,
                         enum fake_dislike how);
/* Changes the plan of a request that is being delivered, and says which samples are not kept. */
void fake_judge_request(struct fake_judge *judge, struct fake_request *request);

#endif
