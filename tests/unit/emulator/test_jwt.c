/* test_jwt.c - which tokens are taken and which are refused, and the bytes they are made of. */
#include "azure.h"
#include "claims.h"

#include <check.h>
#include <openssl/rsa.h>
#include <walship/mem.h>

static struct view text_view(const char *text)
{
    return view_of(text, strlen(text));
}

/* ---- base64 ---- */

struct base64_row {
    const char *text;
    const char *decoded; /* NULL: refused */
};

static const struct base64_row BASE64_ROWS[] = {
    {"", ""},        {"TQ", "M"},         {"TQ==", "M"},        {"TWE=", "Ma"},
    {"TWFu", "Man"}, {"_-8", "\xff\xef"}, {"/+8=", "\xff\xef"}, {"T", NULL},
    {"TWFuT", NULL}, {"TW Fu", NULL},     {"TW.u", NULL},       {"=TQ=", NULL},
};

START_TEST(both_alphabets_are_read_with_or_without_padding)
{
    const struct base64_row *row = &BASE64_ROWS[_i];
    struct buf out;
    buf_init(&out, 64);
    bool good = base64_any_decode(text_view(row->text), &out);
    ck_assert_int_eq(good, row->decoded != NULL);
    if (good) {
        ck_assert_uint_eq(out.bytes, strlen(row->decoded));
        ck_assert(out.bytes == 0 || memcmp(out.data, row->decoded, out.bytes) == 0);
    }
    buf_release(&out);
}

START_TEST(what_is_encoded_is_decoded_again)
{
    struct buf text, back;
    uint8_t bytes[64];
    for (size_t count = 0; count < sizeof bytes; count++) {
        bytes[count] = (uint8_t)(count * 37 + 251);
        buf_init(&text, 128);
        buf_init(&back, 128);
        base64_url_encode(bytes, count, &text);
        ck_assert(base64_any_decode(view_of(text.data, text.bytes), &back));
        ck_assert_uint_eq(back.bytes, count);
        ck_assert(count == 0 || memcmp(back.data, bytes, count) == 0);
        buf_release(&text);
        buf_release(&back);
    }
}

/* ---- claims ---- */

struct claims_row {
    const char *object;
    const char *text; /* of "a"; NULL: none */
};

static const struct claims_row CLAIMS_ROWS[] = {
    {"{\"a\":\"x\"}", "x"},
    {" { \"b\" : [1, {\"a\":\"no\"}] , \"a\" : \"x\" } ", "x"},
    {"{\"a\":[\"x\",\"y\"]}", "x"},
    {"{\"a\":\"q\\\"\\\\\\n\\u0041\\u00e9\\u20ac\"}", "q\"\\\nA\xc3\xa9\xe2\x82\xac"},
    {"{\"a\":\"first\",\"a\":\"second\"}", "first"},
    {"{\"a\":7}", NULL},
    {"{\"a\":null}", NULL},
    {"{\"a\":\"\\u0000\"}", NULL},
    {"{\"a\":\"\\q\"}", NULL},
    {"{\"aa\":\"x\"}", NULL},
    {"{}", NULL},
    {"[\"a\"]", NULL},
    {"{\"a\":\"this text is too long for the room\"}", NULL},
};

START_TEST(a_string_is_found_at_the_top_level_only)
{
    const struct claims_row *row = &CLAIMS_ROWS[_i];
    char text[16];
    bool good = claims_text(text_view(row->object), "a", text, sizeof text);
    ck_assert_int_eq(good, row->text != NULL);
    if (good) {
        ck_assert_str_eq(text, row->text);
    }
}

static const char *const BROKEN_ROWS[] = {
    "",           "{",           "}",           "{\"a\"}",        "{\"a\":}",
    "{\"a\":1,}", "{\"a\":1 2}", "{\"a\":[1}}", "{\"a\":\"x}",    "{\"a\":1}x",
    "{a:1}",      "{\"a\":1",    "{,}",         "{\"a\":\"\n\"}", "{\"a\":[[[[[[[[[[[[[[[[[",
};

START_TEST(what_is_no_object_is_refused)
{
    ck_assert(!claims_valid(text_view(BROKEN_ROWS[_i])));
}

START_TEST(numbers_and_lists_are_read)
{
    int64_t number;
    struct view object =
        text_view("{\"a\":12,\"b\":\"12\",\"c\":12.9,\"d\":[\"x\",\"y\"],\"e\":-3}");
    ck_assert(claims_valid(object));
    ck_assert(claims_integer(object, "a", &number) && number == 12);
    ck_assert(!claims_integer(object, "b", &number));
    ck_assert(claims_integer(object, "c", &number) && number == 12);
    ck_assert(claims_integer(object, "e", &number) && number == -3);
    ck_assert(!claims_integer(object, "f", &number));
    ck_assert(claims_has(object, "d", "y") && !claims_has(object, "d", "z"));
    ck_assert(claims_has(object, "b", "12"));
}

START_TEST(quoted_text_can_not_break_out)
{
    struct buf out;
    buf_init(&out, 64);
    ck_assert(claims_quote(&out, "a\"b\\c\n"));
    ck_assert(buf_append(&out, "", 1));
    ck_assert_str_eq((const char *)out.data, "\"a\\\"b\\\\c\\u000a\"");
    buf_release(&out);
}

/* ---- tokens ---- */

struct token_lab {
    struct endpoint_options endpoint;
    struct principal_options principal;
    struct options options;
    struct azure azure;
};

enum { NOW_MS = 1000000 };

static struct token_lab *token_lab_new(void)
{
    struct token_lab *lab = mem_new(1, sizeof *lab);
    lab->principal.name = mem_string("p");
    lab->principal.tenant = mem_string("t");
    lab->principal.client_id = mem_string("c");
    lab->principal.object_id = mem_string("o");
    lab->endpoint.name = mem_string("e");
    lab->options.endpoints = &lab->endpoint;
    lab->options.endpoints_count = 1;
    lab->options.azure.principals = &lab->principal;
    lab->options.azure.principals_count = 1;
    lab->options.azure.tokens.life_ms = 60000;
    azure_open(&lab->azure, &lab->options);
    return lab;
}

static void token_lab_free(struct token_lab *lab)
{
    azure_close(&lab->azure);
    mem_free(lab->principal.name);
    mem_free(lab->principal.tenant);
    mem_free(lab->principal.client_id);
    mem_free(lab->principal.object_id);
    mem_free(lab->endpoint.name);
    mem_free(lab);
}

static char *ask(struct token_lab *lab, enum token_source source, int64_t wall_ms)
{
    struct answer answer = {0};
    char *token = mem_new(4096, 1);
    buf_init(&answer.body, ANSWER_BYTES_MAX);
    struct token_request request = {&lab->azure.principals[0], "https://monitor.azure.com/", source,
                                    wall_ms};
    token_answer(&lab->azure, &request, &answer);
    ck_assert_int_eq(answer.status, 200);
    struct view body = view_of(answer.body.data, answer.body.bytes);
    ck_assert(claims_valid(body));
    ck_assert(claims_text(body, "access_token", token, 4096));
    buf_release(&answer.body);
    return token;
}

static enum token_verdict check(const struct token_lab *lab, const char *token, int64_t wall_ms)
{
    struct token_claims claims;
    return token_check(&lab->azure, text_view(token), wall_ms, &claims);
}

START_TEST(an_own_token_says_who_it_is_for_and_ends)
{
    struct token_lab *lab = token_lab_new();
    char *token = ask(lab, SOURCE_SECRET, NOW_MS);
    struct token_claims claims;
    ck_assert_int_eq(token_check(&lab->azure, text_view(token), NOW_MS, &claims), TOKEN_GOOD);
    ck_assert_str_eq(claims.audience, "https://monitor.azure.com/");
    ck_assert_str_eq(claims.object_id, "o");
    ck_assert_str_eq(claims.client_id, "c");
    ck_assert_str_eq(claims.tenant, "t");
    ck_assert_int_eq(check(lab, token, NOW_MS + 59999), TOKEN_GOOD);
    ck_assert_int_eq(check(lab, token, NOW_MS + 60000), TOKEN_EXPIRED);
    ck_assert_int_eq(check(lab, token, NOW_MS - 1000), TOKEN_EXPIRED);
    mem_free(token);
    token_lab_free(lab);
}

START_TEST(a_token_of_another_key_is_foreign)
{
    struct token_lab *lab = token_lab_new();
    struct token_lab *other = token_lab_new();
    char *token = ask(other, SOURCE_SECRET, NOW_MS);
    ck_assert_int_eq(check(lab, token, NOW_MS), TOKEN_FOREIGN);
    mem_free(token);
    token_lab_free(lab);
    token_lab_free(other);
}

START_TEST(one_changed_byte_anywhere_is_noticed)
{
    struct token_lab *lab = token_lab_new();
    char *token = ask(lab, SOURCE_SECRET, NOW_MS);
    size_t bytes = strlen(token);
    for (size_t at = 0; at + 1 < bytes; at += 7) { /* the last digit has bits that mean nothing */
        char kept = token[at];
        token[at] = kept == 'A' ? 'B' : 'A';
        ck_assert_int_ne(check(lab, token, NOW_MS), TOKEN_GOOD);
        token[at] = kept;
    }
    ck_assert_int_eq(check(lab, token, NOW_MS), TOKEN_GOOD);
    mem_free(token);
    token_lab_free(lab);
}

static const char *const NO_TOKENS[] = {
    "",
    ".",
    "..",
    "a.b.c",
    "e30.e30.e30",
    "e30.e30.",
    "e30.e30",
    "e30",
    "e30.e30.e30.e30",
    "eyJhbGciOiJub25lIn0.e30.AA",
    "eyJhbGciOiJIUzI1NiJ9.e30.AA",
};

START_TEST(what_is_no_token_is_refused)
{
    struct token_lab *lab = token_lab_new();
    ck_assert_int_ne(check(lab, NO_TOKENS[_i], NOW_MS), TOKEN_GOOD);
    token_lab_free(lab);
}

/* A token that asks for the key's public part to be used as a secret, or for no check at all. */
START_TEST(the_algorithm_of_the_header_is_not_obeyed_beyond_rsa)
{
    struct token_lab *lab = token_lab_new();
    char *token = ask(lab, SOURCE_SECRET, NOW_MS);
    struct buf forged;
    buf_init(&forged, 8192);
    static const char HEADER[] = "{\"alg\":\"none\"}";
    base64_url_encode(HEADER, sizeof HEADER - 1, &forged);
    ck_assert(buf_append(&forged, strchr(token, '.'), strlen(strchr(token, '.')) + 1));
    ck_assert_int_eq(check(lab, (const char *)forged.data, NOW_MS), TOKEN_FOREIGN);
    buf_release(&forged);
    mem_free(token);
    token_lab_free(lab);
}

START_TEST(a_metadata_service_keeps_a_token_for_a_while_and_entra_does_not)
{
    struct token_lab *lab = token_lab_new();
    lab->azure.tokens.keep_for_ms = 30000;
    char *first = ask(lab, SOURCE_IMDS, NOW_MS);
    char *second = ask(lab, SOURCE_IMDS, NOW_MS + 29999);
    char *third = ask(lab, SOURCE_IMDS, NOW_MS + 30000);
    char *fourth = ask(lab, SOURCE_SECRET, NOW_MS + 30000);
    ck_assert_str_eq(first, second);
    ck_assert_str_ne(second, third);
    ck_assert_str_ne(third, fourth);
    mem_free(first);
    mem_free(second);
    mem_free(third);
    mem_free(fourth);
    token_lab_free(lab);
}

Suite *suite_jwt(void);
Suite *suite_jwt(void)
{
    Suite *suite = suite_create("jwt");
    TCase *tests = tcase_create("jwt");
    tcase_add_loop_test(tests, both_alphabets_are_read_with_or_without_padding, 0,
                        ARRAY_COUNT(BASE64_ROWS));
    tcase_add_test(tests, what_is_encoded_is_decoded_again);
    tcase_add_loop_test(tests, a_string_is_found_at_the_top_level_only, 0,
                        ARRAY_COUNT(CLAIMS_ROWS));
    tcase_add_loop_test(tests, what_is_no_object_is_refused, 0, ARRAY_COUNT(BROKEN_ROWS));
    tcase_add_test(tests, numbers_and_lists_are_read);
    tcase_add_test(tests, quoted_text_can_not_break_out);
    tcase_add_test(tests, an_own_token_says_who_it_is_for_and_ends);
    tcase_add_test(tests, a_token_of_another_key_is_foreign);
    tcase_add_test(tests, one_changed_byte_anywhere_is_noticed);
    tcase_add_loop_test(tests, what_is_no_token_is_refused, 0, ARRAY_COUNT(NO_TOKENS));
    tcase_add_test(tests, the_algorithm_of_the_header_is_not_obeyed_beyond_rsa);
    tcase_add_test(tests, a_metadata_service_keeps_a_token_for_a_while_and_entra_does_not);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}
