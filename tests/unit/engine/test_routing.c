/* test_routing.c - what routing.h says of a series is what the engine does with it. */
#include "world.h"

#include <check.h>
#include <walship/routing.h>

static struct world world;
static struct routing_room room;

static void setup(void)
{
    world_init(&world);
    routing_room_init(&room);
}

static void teardown(void)
{
    routing_room_release(&room);
    world_release(&world);
}

static void script(const char *text)
{
    char lines[1024];
    (void)snprintf(lines, sizeof lines, "%s", text);
    char *rest = lines;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        world_step(&world, line);
    }
}

static struct routing route(const char *job)
{
    static struct label labels[2];
    labels[0] = (struct label){"__name__", "up", 8, 2};
    labels[1] = (struct label){"job", job, 3, (uint32_t)strlen(job)};
    struct routing routing = {.all = &world.conf,
                              .conf = &world.conf.destinations[0],
                              .source = labels,
                              .source_count = 2};
    routing_make(&room, &routing);
    return routing;
}

static void expect_labels(const struct routing *routing, const char *expected)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    ck_assert(labels_format(routing->labels, routing->count, &text) && buf_append(&text, "", 1));
    ck_assert_str_eq((char *)text.data, expected);
    buf_release(&text);
}

START_TEST(labels_are_those_that_are_sent)
{
    script("destination a http://a/w\nexternal cluster x\nrelabel drop job secret\n"
           "relabel replace job (.*) job new-$1");
    struct routing routing = route("api");
    ck_assert_int_eq(routing.end, ROUTE_GOES);
    expect_labels(&routing, "{__name__=\"up\", cluster=\"x\", job=\"new-api\"}");
    ck_assert_uint_lt(routing.shard, SHARDS_COUNT);
    routing = route("secret");
    ck_assert_int_eq(routing.end, ROUTE_DROPPED);
}

START_TEST(without_rules_labels_stay)
{
    script("destination a http://a/w");
    struct routing routing = route("api");
    ck_assert_int_eq(routing.end, ROUTE_GOES);
    ck_assert_ptr_eq(routing.labels, routing.source);
}

START_TEST(the_engine_has_it_in_that_shard)
{
    struct engine_shard_stats stats;
    uint16_t home[SHARDS_COUNT];
    script("destination a http://a/w,http://b/w\nstart_at oldest\nseries 1 up,job=api\n"
           "samples 1 1000\nstart\nrun 1000");
    struct routing routing = route("api");
    routing_homes(&world.conf.destinations[0], home);
    for (uint16_t i = 0; i < SHARDS_COUNT; i++) {
        engine_shard_stats(world.engine, 0, i, &stats);
        ck_assert_uint_eq(stats.home, home[i]);
        ck_assert_uint_eq(stats.endpoint, home[i]);
        ck_assert_int_eq(stats.newest_acked_ms, i == routing.shard ? 1000 : INT64_MIN);
    }
    ck_assert_uint_eq(world.http->receivers[home[routing.shard]].arrivals_count, 1);
}

START_TEST(a_lent_shard_is_told)
{
    struct engine_shard_stats stats;
    uint16_t home[SHARDS_COUNT];
    char lines[512];
    script("destination a http://a/w,http://b/w\nstart_at oldest\nseries 1 up,job=api");
    uint16_t shard = route("api").shard;
    routing_homes(&world.conf.destinations[0], home);
    uint16_t sibling = home[shard] == 0 ? 1 : 0;
    const char *url = home[shard] == 0 ? "http://a/w" : "http://b/w";
    int used = snprintf(lines, sizeof lines, "start");
    for (int i = 0; i < 6; i++) {
        used += snprintf(lines + used, sizeof lines - (size_t)used, "\nrefuse %s", url);
    }
    (void)snprintf(lines + used, sizeof lines - (size_t)used, "\nsamples 1 1000\nrun 9000");
    script(lines);
    engine_shard_stats(world.engine, 0, shard, &stats);
    ck_assert_uint_eq(stats.home, home[shard]);
    ck_assert_uint_eq(stats.endpoint, sibling);
    ck_assert_int_eq(stats.newest_acked_ms, 1000);
    ck_assert_uint_eq(world.http->receivers[sibling].arrivals_count, 1);
}

Suite *suite_routing(void);
Suite *suite_routing(void)
{
    Suite *suite = suite_create("routing");
    TCase *cases = tcase_create("routing");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, labels_are_those_that_are_sent);
    tcase_add_test(cases, without_rules_labels_stay);
    tcase_add_test(cases, the_engine_has_it_in_that_shard);
    tcase_add_test(cases, a_lent_shard_is_told);
    suite_add_tcase(suite, cases);
    return suite;
}
