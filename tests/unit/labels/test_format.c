/* test_format.c - sets as Prometheus' tools print them: Go's strconv.Quote. */
#include <check.h>
#include <walship/labels.h>

#define L(n, v)                                                                                    \
    {                                                                                              \
        .name = (n), .value = (v), .name_bytes = sizeof(n) - 1, .value_bytes = sizeof(v) - 1       \
    }

static const struct {
    struct label labels[3];
    size_t count;
    const char *text;
} rows[] = {
    {{{0}}, 0, "{}"},
    {{L("__name__", "x"), L("a", "b")}, 2, "{__name__=\"x\", a=\"b\"}"},
    {{L("_a1B_", ""), L("b", "c d"), L("z", "{},=")}, 3, "{_a1B_=\"\", b=\"c d\", z=\"{},=\"}"},
    {{L("AZ_az09", "1"), L("a/b", "2"), L("a@", "3")},
     3,
     "{AZ_az09=\"1\", \"a/b\"=\"2\", \"a@\"=\"3\"}"},
    {{L("9a", "1"), L("a.b", "2"), L("a:b", "3")},
     3,
     "{\"9a\"=\"1\", \"a.b\"=\"2\", \"a:b\"=\"3\"}"},
    {{L("", "1"), L("a\"\n", "2")}, 2, "{\"\"=\"1\", \"a\\\"\\n\"=\"2\"}"},
    {{L("v", "\"\\\a\b\f\n\r\t\v'")}, 1, "{v=\"\\\"\\\\\\a\\b\\f\\n\\r\\t\\v'\"}"},
    {{L("v", "\0\x01\x1f\x7f")}, 1, "{v=\"\\x00\\x01\\x1f\\x7f\"}"},
    {{L("v", "\xff\xc3(\xed\xa0\x80\xe2\x82")}, 1, "{v=\"\\xff\\xc3(\\xed\\xa0\\x80\\xe2\\x82\"}"},
    {{L("\xc3\xa9", "\xc3\xa9\xe2\x82\xac\xe6\x97\xa5\xf0\x9f\x98\x80")},
     1,
     "{\"\xc3\xa9\"=\"\xc3\xa9\xe2\x82\xac\xe6\x97\xa5\xf0\x9f\x98\x80\"}"},
    /* a written U+FFFD is a character like others */
    {{L("v", "\xef\xbf\xbd")}, 1, "{v=\"\xef\xbf\xbd\"}"},
    /* no-break space, soft hyphen, C1, zero width space, BOM, private use: not printable */
    {{L("v", "\xc2\xa0\xc2\xad\xc2\x85")}, 1, "{v=\"\\u00a0\\u00ad\\u0085\"}"},
    {{L("v", "\xe2\x80\x8b\xef\xbb\xbf\xee\x80\x80\xe3\x80\x80")},
     1,
     "{v=\"\\u200b\\ufeff\\ue000\\u3000\"}"},
    {{L("v", "\xf3\xa0\x81\x81\xf4\x8f\xbf\xbf")}, 1, "{v=\"\\U000e0041\\U0010ffff\"}"},
    /* first and last of a range, and what lies beside: U+00A1, U+0377, U+0378, U+E01EF, U+E01F0 */
    {{L("v", "\xc2\xa1\xcd\xb7\xcd\xb8\xf3\xa0\x87\xaf\xf3\xa0\x87\xb0")},
     1,
     "{v=\"\xc2\xa1\xcd\xb7\\u0378\xf3\xa0\x87\xaf\\U000e01f0\"}"},
};

START_TEST(sets_are_printed_as_promtool_prints_them)
{
    struct buf out;
    buf_init(&out, 1000);
    ck_assert(labels_format(rows[_i].labels, rows[_i].count, &out));
    ck_assert(buf_append(&out, "", 1));
    ck_assert_str_eq((const char *)out.data, rows[_i].text);
    buf_release(&out);
}

START_TEST(a_buffer_too_small_by_any_amount_is_told)
{
    size_t need = strlen(rows[_i].text);
    for (size_t limit = 1; limit <= need + 1; limit++) {
        struct buf out;
        buf_init(&out, limit);
        ck_assert_int_eq(labels_format(rows[_i].labels, rows[_i].count, &out), limit >= need);
        buf_release(&out);
    }
}

Suite *suite_format(void);
Suite *suite_format(void)
{
    Suite *suite = suite_create("format");
    TCase *tests = tcase_create("format");
    tcase_add_loop_test(tests, sets_are_printed_as_promtool_prints_them, 0, ARRAY_COUNT(rows));
    tcase_add_loop_test(tests, a_buffer_too_small_by_any_amount_is_told, 0, ARRAY_COUNT(rows));
    suite_add_tcase(suite, tests);
    return suite;
}
