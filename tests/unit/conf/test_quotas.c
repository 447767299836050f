/* test_quotas.c - shares scale quotas, groups must agree. */
#include <check.h>
#include <walship/conf_yaml.h>

#define HEAD "wal_dir: /p/data/wal\nremote_write:\n"
#define AT   "/etc/w/F:"

static struct conf *bind(const char *text, struct conf_problems *problems)
{
    struct conf_yaml *yaml = conf_yaml_parse(text, strlen(text), "/etc/w/F", problems);
    struct conf *conf = yaml != NULL ? conf_bind(conf_yaml_root(yaml), "/etc/w/F", problems) : NULL;
    conf_yaml_free(yaml);
    return conf;
}

static struct conf *bound(const char *text)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf *conf = bind(text, &problems);
    ck_assert_msg(conf != NULL, "%.*s", (int)problems.text.bytes, (char *)problems.text.data);
    conf_problems_release(&problems);
    return conf;
}

START_TEST(a_share_scales_all_limits_and_is_inherited_by_endpoints)
{
    struct conf *conf =
        bound(HEAD "  - quota: {share: 0.25, samples_per_minute: 1000000}\n"
                   "    endpoints:\n"
                   "    - {url: 'https://a/w', quota: {requests_per_minute: 15000, "
                   "bytes_per_minute: 50GB}}\n"
                   "    - {url: 'https://b/w', quota: {requests_per_minute: 15000, share: 1}}\n"
                   "    - {url: 'https://c/w', quota: {requests_per_minute: 2}}\n");
    const struct conf_destination *destination = &conf->destinations[0];
    ck_assert_uint_eq(destination->quota.samples_per_minute, 250000);
    ck_assert_uint_eq(destination->quota.requests_per_minute, 0);
    ck_assert_uint_eq(destination->endpoints[0].quota.requests_per_minute, 3750);
    ck_assert_uint_eq(destination->endpoints[0].quota.bytes_per_minute, ((uint64_t)50 << 30) / 4);
    ck_assert_uint_eq(destination->endpoints[1].quota.requests_per_minute, 15000);
    ck_assert_uint_eq(destination->endpoints[2].quota.requests_per_minute, 1); /* never none */
    conf_free(conf);
}
END_TEST

static const struct {
    const char *first, *second;
    double weights[2];
} weighed[] = {
    {"quota: {requests_per_minute: 600}", "quota: {requests_per_minute: 200}", {600, 200}},
    {"quota: {requests_per_minute: 600, share: 0.5}",
     "quota: {requests_per_minute: 200}",
     {300, 200}},
    {"quota: {requests_per_minute: 6, bytes_per_minute: 4KB}",
     "quota: {bytes_per_minute: 1KB}",
     {4096, 1024}},
    {"quota: {samples_per_minute: 10}", "quota: {samples_per_minute: 30}", {10, 30}},
    {"quota: {requests_per_minute: 600}", "quota: {bytes_per_minute: 1KB}", {1, 1}},
    {"quota: {requests_per_minute: 600}", "quota: {}", {1, 1}},
    {"weight: 2, quota: {requests_per_minute: 600}", "quota: {requests_per_minute: 200}", {2, 1}},
    {"weight: 2", "weight: 3", {2, 3}},
};

START_TEST(quotas_are_weights_where_none_is_given)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   HEAD "  - endpoints:\n    - {url: 'https://a/w', %s}\n"
                        "    - {url: 'https://b/w', %s}\n",
                   weighed[_i].first, weighed[_i].second);
    struct conf *conf = bound(text);
    const struct conf_endpoint *endpoints = conf->destinations[0].endpoints;
    ck_assert_double_eq_tol(endpoints[0].weight, weighed[_i].weights[0], 1e-9);
    ck_assert_double_eq_tol(endpoints[1].weight, weighed[_i].weights[1], 1e-9);
    conf_free(conf);
}
END_TEST

START_TEST(members_of_a_group_share_what_they_agree_on)
{
    struct conf *conf = bound(
        HEAD "  - {name: a, url: 'https://a/w', quota_group: g, quota: {samples_per_minute: 9}}\n"
             "  - {name: b, url: 'https://b/w', quota_group: g, quota: {samples_per_minute: 9}}\n"
             "  - {name: c, url: 'https://c/w', quota: {samples_per_minute: 8}}\n");
    ck_assert_str_eq(conf->destinations[1].quota_group, "g");
    conf_free(conf);
}
END_TEST

static const struct {
    const char *text;
    const char *told;
} bad[] = {
    {"  - {name: a, url: 'https://a/w', quota_group: g, quota: {samples_per_minute: 9}}\n"
     "  - {name: b, url: 'https://b/w', quota_group: g, quota: {samples_per_minute: 8}}\n",
     AT "4:5: quota_group g: the quota differs from that in line 3\n"},
    {"  - {name: a, url: 'https://a/w', quota_group: g}\n",
     AT "3:5: quota_group g: this destination has no quota to share\n"},
    {"  - {url: 'https://a/w', quota: {share: 0}}\n",
     AT "3:41: share must be above 0 and at most 1\n"},
    {"  - {url: 'https://a/w', quota: {share: 1.5}}\n",
     AT "3:41: share must be above 0 and at most 1\n"},
    {"  - {url: 'https://a/w', quota: {requests_per_minute: -4}}\n",
     AT "3:55: requests_per_minute must be at least 0\n"},
    {"  - {url: 'https://a/w'}\nspool_max_bytes: 0\n",
     AT "4:18: spool_max_bytes must be at least 1\n"},
};

START_TEST(a_bad_quota_is_told_where_it_stands)
{
    struct conf_problems problems;
    char text[1024];
    conf_problems_init(&problems);
    (void)snprintf(text, sizeof text, HEAD "%s", bad[_i].text);
    ck_assert_ptr_null(bind(text, &problems));
    ck_assert(buf_append(&problems.text, "", 1));
    ck_assert_str_eq((const char *)problems.text.data, bad[_i].told);
    conf_problems_release(&problems);
}
END_TEST

Suite *suite_quotas(void);
Suite *suite_quotas(void)
{
    Suite *suite = suite_create("quotas");
    TCase *tcase = tcase_create("quotas");
    tcase_add_loop_test(tcase, quotas_are_weights_where_none_is_given, 0,
                        (int)ARRAY_COUNT(weighed));
    tcase_add_test(tcase, a_share_scales_all_limits_and_is_inherited_by_endpoints);
    tcase_add_test(tcase, members_of_a_group_share_what_they_agree_on);
    tcase_add_loop_test(tcase, a_bad_quota_is_told_where_it_stands, 0,
                        (int)(sizeof bad / sizeof *bad));
    suite_add_tcase(suite, tcase);
    return suite;
}
