/* world_judge.c - what the receivers of a story like: see world.h. */
#include "world.h"

#include <check.h>
#include <walship/mem.h>

void world_judged(void *context, struct fake_request *request)
{
    struct world *world = context;
    ck_assert_uint_lt(request->receiver, ARRAY_COUNT(world->judges));
    fake_judge_request(&world->judges[request->receiver], request);
}

static struct fake_judge *judge_of(struct world *world, const char *url)
{
    for (size_t i = 0; i < world->http->receivers_count; i++) {
        if (strcmp(world->http->receivers[i].url, url) == 0) {
            return &world->judges[i];
        }
    }
    ck_abort_msg("no endpoint %s", url);
}

static void do_dislike(struct world *world, const char *line)
{
    char url[64], how[16], name[1024];
    long long t_ms = INT64_MIN;
    ck_assert_int_ge(sscanf(line, "%63s %15s %1023s %lld", url, how, name, &t_ms), 3);
    struct label label = {"__name__", name, 8, (uint32_t)strlen(name)};
    struct fake_rule rule = {.how = strcmp(how, "fail") == 0 ? FAKE_FAILS : FAKE_REFUSES,
                             .series = label_ids_of(world->ids, &label, 1),
                             .t_ms = t_ms};
    fake_judge_dislike(judge_of(world, url), &rule);
}

static void do_redirect(struct world *world, const char *line)
{
    char url[64];
    struct fake_plan plan = fake_plan_good();
    plan.stored = false;
    ck_assert_int_eq(sscanf(line, "%63s %d %63s", url, &plan.status, plan.location), 3);
    fake_http_script(world->http, (size_t)(judge_of(world, url) - world->judges), &plan);
}

static void do_order(struct world *world, const char *line)
{
    char url[64], how[16];
    ck_assert_int_eq(sscanf(line, "%63s %15s", url, how), 2);
    judge_of(world, url)->order = strcmp(how, "whole") == 0  ? FAKE_ORDER_WHOLE
                                  : strcmp(how, "keep") == 0 ? FAKE_ORDER_KEEP
                                                             : FAKE_ORDER_ANY;
}

bool world_judge_step(struct world *world, const char *verb, const char *line)
{
    if (strcmp(verb, "dislike") == 0) {
        do_dislike(world, line);
    } else if (strcmp(verb, "order") == 0) {
        do_order(world, line);
    } else if (strcmp(verb, "redirect") == 0) {
        do_redirect(world, line);
    } else if (strcmp(verb, "receiver") == 0) {
        (void)fake_http_receive(world->http, line);
    } else if (strcmp(verb, "refuse-all") == 0) {
        judge_of(world, line)->refuses_all = true;
    } else if (strcmp(verb, "like-all") == 0) {
        fake_judge_forget(judge_of(world, line));
    } else {
        return false;
    }
    return true;
}
