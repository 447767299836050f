/* test_json_flat.c - one JSON object from anyone: what is read of it, and what is refused. */
#include "json_flat.h"

#include <check.h>
#include <walship/buf.h>

/* Every member as name=value (kind), or "malformed". */
static void describe(const char *text, char *out, size_t room)
{
    struct json_flat json;
    struct json_member member;
    struct buf buf;
    buf_init(&buf, 4096);
    json_flat_init(&json, text, strlen(text));
    while (json_flat_next(&json, &member)) {
        char value[256] = "?";
        if (member.kind == JSON_OTHER || !json_text(&member, value, sizeof value, NULL)) {
            (void)snprintf(value, sizeof value, "?");
        }
        ck_assert(buf_format(&buf, "%.*s=%s%s ", (int)view_left(&member.name),
                             (const char *)member.name.at, member.kind == JSON_NUMBER ? "#" : "",
                             value));
    }
    if (!json_flat_ok(&json)) {
        buf_clear(&buf);
        ck_assert(buf_format(&buf, "malformed"));
    }
    ck_assert(buf.bytes < room && buf_append(&buf, "", 1));
    memcpy(out, buf.data, buf.bytes);
    buf_release(&buf);
}

static const struct {
    const char *text;
    const char *read;
} cases[] = {
    {"{}", ""},
    {" { \"a\" : \"b\" } \n", "a=b "},
    {"{\"a\":1,\"b\":-2.5e3,\"c\":true,\"d\":null}", "a=#1 b=#-2.5e3 c=? d=? "},
    {"{\"a\":{\"b\":[1,\"}\",{\"c\":[]}]},\"d\":\"e\"}", "a=? d=e "},
    {"{\"a\":[],\"b\":\"\"}", "a=? b= "},
    {"{\"a\":\"x\\\"y\\\\z\\/\\u0041\"}", "a=x\"y\\z/A "},
    {"{\"a\":\"\\u00e9\\u20ac\\ud83d\\ude00\"}", "a=\303\251\342\202\254\360\237\230\200 "},
    {"{\"a\":\"\\b\\f\\n\\r\\t\"}", "a=\b\f\n\r\t "},
    {"{\"a\":\"\\u0000\"}", "a=? "},
    {"{\"a\":\"\\ud83d\"}", "a=? "},
    {"{\"a\":\"\\ude00\"}", "a=? "},
    {"{\"a\":\"\\ud83d\\u0041\"}", "a=? "},
    {"{\"a\":\"\\x\"}", "a=? "},
    {"{\"a\":\"\\u00g0\"}", "a=? "},
    {"", "malformed"},
    {"[]", "malformed"},
    {"{", "malformed"},
    {"{\"a\"}", "malformed"},
    {"{\"a\":}", "malformed"},
    {"{\"a\":1", "malformed"},
    {"{\"a\":\"b}", "malformed"},
    {"{\"a\":\"b\\\"}", "malformed"},
    {"{\"a\":\"b\nc\"}", "malformed"},
    {"{\"a\":1,}", "malformed"},
    {"{,\"a\":1}", "malformed"},
    {"{\"a\":1 \"b\":2}", "malformed"},
    {"{\"a\":[1}", "malformed"},
    {"{\"a\":[{]}}", "malformed"},
    {"{\"a\":1}x", "malformed"},
    {"{\"a\":1}{}", "malformed"},
    {"<html>", "malformed"},
};

START_TEST(an_object_gives_its_members)
{
    char read[512];
    describe(cases[_i].text, read, sizeof read);
    ck_assert_str_eq(read, cases[_i].read);
}
END_TEST

START_TEST(nesting_and_members_have_a_limit)
{
    char text[4096], read[512];
    for (unsigned depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        struct buf buf;
        buf_init(&buf, sizeof text);
        ck_assert(buf_format(&buf, "{\"a\":"));
        for (unsigned i = 0; i < 2 * depth; i++) {
            ck_assert(buf_append(&buf, i < depth ? "[" : "]", 1));
        }
        ck_assert(buf_append(&buf, "}", 2));
        describe((const char *)buf.data, read, sizeof read);
        ck_assert_str_eq(read, depth <= JSON_DEPTH_MAX ? "a=? " : "malformed");
        buf_release(&buf);
    }
    size_t used = 1;
    text[0] = '{';
    for (unsigned i = 0; i <= JSON_MEMBERS_MAX; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\"a\":1", i > 0 ? "," : "");
    }
    (void)snprintf(text + used, sizeof text - used, "}");
    describe(text, read, sizeof read);
    ck_assert_str_eq(read, "malformed");
}
END_TEST

START_TEST(a_value_longer_than_its_room_is_not_cut_but_refused)
{
    static const char text[] = "{\"a\":\"12345\"}";
    struct json_flat json;
    struct json_member member;
    char out[6];
    size_t bytes;
    json_flat_init(&json, text, sizeof text - 1);
    ck_assert(json_flat_next(&json, &member));
    ck_assert(!json_text(&member, out, 5, &bytes));
    ck_assert(json_text(&member, out, 6, &bytes));
    ck_assert_uint_eq(bytes, 5);
    ck_assert_str_eq(out, "12345");
    ck_assert(json_name_is(&member, "a") && !json_name_is(&member, "ab"));
}
END_TEST

Suite *suite_json_flat(void);
Suite *suite_json_flat(void)
{
    Suite *suite = suite_create("json_flat");
    TCase *tcase = tcase_create("objects");
    tcase_add_loop_test(tcase, an_object_gives_its_members, 0, (int)ARRAY_COUNT(cases));
    tcase_add_test(tcase, nesting_and_members_have_a_limit);
    tcase_add_test(tcase, a_value_longer_than_its_room_is_not_cut_but_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
