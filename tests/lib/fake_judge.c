/* fake_judge.c - see fake_judge.h. */
#include "fake_judge.h"

#include <walship/mem.h>

void fake_judge_release(struct fake_judge *judge)
{
    mem_free(judge->rules);
    mem_free(judge->newest);
    *judge = (struct fake_judge){0};
}

void fake_judge_dislike(struct fake_judge *judge, const struct fake_rule *rule)
{
    judge->rules = mem_grow(judge->rules, judge->rules_count + 1, sizeof *judge->rules);
    judge->rules[judge->rules_count++] = *rule;
}

void fake_judge_forget(struct fake_judge *judge)
{
    judge->rules_count = 0;
    judge->refuses_all = false;
    judge->refuses_series_each = 0;
    judge->refuses_t_each = 0;
    judge->fails_t_each = 0;
}

bool fake_judge_dislikes(const struct fake_judge *judge, const struct fake_sample *sample,
                         enum fake_dislike how)
{
    bool refuses = how == FAKE_REFUSES;
    uint32_t series_each = refuses ? judge->refuses_series_each : 0;
    uint32_t t_each = refuses ? judge->refuses_t_each : judge->fails_t_each;
    if ((series_each > 0 && sample->series % series_each == 0) ||
        (t_each > 0 && sample->t_ms % t_each == 0)) {
        return true;
    }
    for (size_t i = 0; i < judge->rules_count; i++) {
        const struct fake_rule *rule = &judge->rules[i];
        if (rule->how == how && rule->series == sample->series &&
            (rule->t_ms == INT64_MIN || rule->t_ms == sample->t_ms)) {
            return true;
        }
    }
    return false;
}

static struct fake_newest *newest_of(struct fake_judge *judge, uint32_t series)
{
    if (series >= judge->newest_count) {
        size_t count = (size_t)series + 64;
        judge->newest = mem_grow(judge->newest, count, sizeof *judge->newest);
        memset(judge->newest + judge->newest_count, 0,
               (count - judge->newest_count) * sizeof *judge->newest);
        judge->newest_count = count;
    }
    return &judge->newest[series];
}

/* As new as what is there, and not the same. */
static bool late(struct fake_judge *judge, const struct fake_sample *sample)
{
    const struct fake_newest *newest = newest_of(judge, sample->series);
    if (sample->kind == RW_DECODED_EXEMPLAR) {
        return false;
    }
    bool same = newest->t_ms == sample->t_ms && newest->bits == sample->bits;
    return judge->order != FAKE_ORDER_ANY && newest->any && sample->t_ms <= newest->t_ms && !same;
}

static void answer(struct fake_judge *judge, struct fake_request *request, int status,
                   const char *body)
{
    request->plan.status = status;
    snprintf(request->plan.body, sizeof request->plan.body, "%s", body);
    judge->refusals++;
}

/* False: the request as a whole is not liked. */
static bool whole(struct fake_judge *judge, struct fake_request *request)
{
    for (size_t i = 0; i < request->samples_count; i++) {
        const struct fake_sample *sample = &request->samples[i];
        if (judge->refuses_all) {
            answer(judge, request, 400, "not for you");
            return false;
        }
        if (fake_judge_dislikes(judge, sample, FAKE_FAILS)) {
            answer(judge, request, 500, "stumbled");
            return false;
        }
        if (fake_judge_dislikes(judge, sample, FAKE_REFUSES)) {
            answer(judge, request, 400, "label value not allowed");
            return false;
        }
        if (judge->order == FAKE_ORDER_WHOLE && late(judge, sample)) {
            answer(judge, request, 400, "out of order sample");
            return false;
        }
    }
    return true;
}

static void keep(struct fake_judge *judge, const struct fake_sample *sample)
{
    struct fake_newest *newest = newest_of(judge, sample->series);
    bool newer = !newest->any || sample->t_ms >= newest->t_ms;
    if (newer && sample->kind != RW_DECODED_EXEMPLAR) {
        *newest = (struct fake_newest){sample->t_ms, sample->bits, true};
    }
}

void fake_judge_request(struct fake_judge *judge, struct fake_request *request)
{
    ASSERT(request->refused == NULL);
    request->refused = mem_new(request->samples_count + 1, 1);
    if (!whole(judge, request)) {
        memset(request->refused, 1, request->samples_count);
        return;
    }
    for (size_t i = 0; i < request->samples_count; i++) {
        request->refused[i] = late(judge, &request->samples[i]);
        if (request->refused[i]) {
            answer(judge, request, 400, "sample (err-mimir-sample-out-of-order)");
        }
    }
    for (size_t i = 0; i < request->samples_count; i++) {
        if (!request->refused[i]) {
            keep(judge, &request->samples[i]);
        }
    }
}
