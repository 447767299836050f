/* test_identities.c - the registry: one for all who say the same, a limit, and room again after a
 * sweep. */
#include "lab.h"

static struct lab lab;

static void setup(void)
{
    lab_init(&lab);
    lab.all = identities_new(&lab.world);
}

static void teardown(void)
{
    lab_release(&lab);
}

static struct identity *add(unsigned number, struct err *err)
{
    char user[32];
    char password[] = "x";
    (void)snprintf(user, sizeof user, "user-%u", number);
    struct conf_auth auth = {.kind = CONF_AUTH_BASIC, .username = user, .secret = password};
    return identities_add(lab.all, &auth, err);
}

START_TEST(equal_settings_share_one)
{
    struct err err = {0};
    struct identity *one = add(1, &err);
    ck_assert_ptr_nonnull(one);
    ck_assert_ptr_eq(add(1, &err), one);
    ck_assert_ptr_ne(add(2, &err), one);
    ck_assert_uint_eq(identities_count(lab.all), 2);
}

START_TEST(a_full_registry_takes_more_after_a_sweep)
{
    struct err err = {0};
    struct identity *kept[3];
    for (unsigned i = 0; i < IDENTITIES_MAX; i++) {
        ck_assert_ptr_nonnull(add(i, &err));
    }
    ck_assert_ptr_null(add(IDENTITIES_MAX, &err));
    ck_assert_str_eq(err.text, "more than 2048 identities");
    kept[0] = add(0, &err);
    kept[1] = add(1000, &err);
    kept[2] = add(IDENTITIES_MAX - 1, &err);
    identities_sweep(lab.all, kept, 3);
    ck_assert_ptr_eq(identities_at(lab.all, 0), kept[0]);
    ck_assert_ptr_eq(identities_at(lab.all, 1000), kept[1]);
    ck_assert_ptr_null(identities_at(lab.all, 1));
    for (unsigned i = 1; i <= IDENTITIES_MAX - 3; i++) {
        ck_assert_ptr_nonnull(add(10000 + i, &err));
    }
    ck_assert_ptr_null(add(20000, &err));
    ck_assert_uint_eq(identities_count(lab.all), IDENTITIES_MAX);
    ck_assert_ptr_eq(add(1000, &err), kept[1]);
    ck_assert_ptr_eq(identities_at(lab.all, 1000), kept[1]);
}

Suite *suite_identities(void);
Suite *suite_identities(void)
{
    Suite *suite = suite_create("identities");
    TCase *cases = tcase_create("identities");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, equal_settings_share_one);
    tcase_add_test(cases, a_full_registry_takes_more_after_a_sweep);
    suite_add_tcase(suite, cases);
    return suite;
}
