/* test_release.c - what a live configuration took away leaves nothing behind: identities that no
 * endpoint has, labels that only a quarantine held. */
#include "world.h"

#include <check.h>
#include <walship/mem.h>

static struct world world;

static void setup(void)
{
    world_init(&world);
}

static void teardown(void)
{
    world_release(&world);
}

static void steps(const char *script)
{
    char *copy = mem_string(script), *rest = copy;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        world_step(&world, line);
    }
    mem_free(copy);
}

/* Each configuration signs in elsewhere, so each has an identity of its own. */
START_TEST(a_new_secret_with_each_reload_does_not_fill_the_registry)
{
    char line[64];
    steps("destination d http://a auth\nstart\nseries 1 up\nsamples 1 1000\nrun 300");
    for (unsigned i = 0; i < IDENTITIES_MAX + 10; i++) {
        (void)snprintf(line, sizeof line, "next d http://a auth tenant t%u", i);
        world_step(&world, line);
        buf_clear(&world.out);
        steps("reload\nrun 20\nconfs");
        ck_assert(buf_append(&world.out, "", 1)); /* the end of a text */
        ck_assert_msg(strstr((const char *)world.out.data, "refused") == NULL, "reload %u", i);
    }
    steps("run 1000\nseries 2 down\nsamples 2 1000\nrun 1000");
    struct engine_endpoint_stats stats;
    engine_endpoint_stats(world.engine, 0, 0, &stats);
    ck_assert(stats.token_valid);
    ck_assert_uint_gt(stats.samples, 0);
}

static uint64_t label_sets(void)
{
    struct engine_stats stats;
    engine_stats(world.engine, &stats);
    return stats.series;
}

START_TEST(a_quarantine_goes_with_its_destination)
{
    steps("destination stays http://a\ndestination goes http://b\ndislike http://b refuse poison\n"
          "start\nseries 1 up 2 poison\nsamples 1 1000 2 1000\nrun 1000\n"
          "samples 1 2000 2 2000\nrun 1000\nsamples 1 3000 2 3000\nrun 1000");
    ck_assert(buf_append(&world.out, "", 1));
    ck_assert_ptr_nonnull(strstr((const char *)world.out.data, "refused again and again"));
    ck_assert_uint_eq(label_sets(), 2);
    steps("next stays http://a\nreload\nrun 2000\n"
          "roll\nsamples 1 4000\nroll\nsamples 1 5000\nrun 1500\ncheckpoint 1 1 up\nrun 2500\n"
          "samples 1 6000\nroll\nsamples 1 7000\nrun 1500\ncheckpoint 2 1 up\nrun 2500");
    ck_assert_uint_eq(label_sets(), 1);
}

Suite *suite_release(void);
Suite *suite_release(void)
{
    Suite *suite = suite_create("release");
    TCase *cases = tcase_create("release");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_new_secret_with_each_reload_does_not_fill_the_registry);
    tcase_add_test(cases, a_quarantine_goes_with_its_destination);
    suite_add_tcase(suite, cases);
    return suite;
}
