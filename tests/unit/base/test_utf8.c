/* test_utf8.c - exactly the well-formed characters are decoded. */
#include "expect.h"

#include <check.h>
#include <stdbool.h>
#include <string.h>
#include <walship/utf8.h>

static size_t encode(uint32_t rune, uint8_t *out)
{
    if (rune < 0x80) {
        out[0] = (uint8_t)rune;
        return 1;
    }
    size_t bytes = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
    static const uint8_t heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = bytes; i-- > 1; rune >>= 6) {
        out[i] = (uint8_t)(0x80 | (rune & 0x3f));
    }
    out[0] = (uint8_t)(heads[bytes] | rune);
    return bytes;
}

START_TEST(every_character_comes_back)
{
    for (uint32_t rune = 0; rune <= 0x10ffff; rune++) {
        uint8_t bytes[4] = {0};
        size_t count = encode(rune, bytes);
        uint32_t decoded = UINT32_MAX;
        bool surrogate = rune >= 0xd800 && rune <= 0xdfff;
        EXPECT(utf8_decode(bytes, 4, &decoded) == (surrogate ? 0 : count));
        EXPECT(surrogate || decoded == rune);
        EXPECT(count == 1 || utf8_decode(bytes, count - 1, &decoded) == 0);
    }
}

static const char *const malformed[] = {
    "\x80",
    "\xbf",
    "\xc0\xaf",
    "\xc1\xbf",
    "\xe0\x9f\xbf",
    "\xed\xa0\x80",
    "\xed\xbf\xbf",
    "\xf0\x8f\xbf\xbf",
    "\xf4\x90\x80\x80",
    "\xf5\x80\x80\x80",
    "\xf8\x88\x80",
    "\xfe",
    "\xff",
    "\xc3(",
    "\xe2\x82(",
    "\xf0\x9f\x98(",
    "\xe2(\x82",
};

START_TEST(malformed_bytes_are_refused)
{
    uint32_t rune;
    const uint8_t *bytes = (const uint8_t *)malformed[_i];
    ck_assert_uint_eq(utf8_decode(bytes, strlen(malformed[_i]) + 1, &rune), 0);
}

Suite *suite_utf8(void);
Suite *suite_utf8(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tests = tcase_create("utf8");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_character_comes_back);
    tcase_add_loop_test(tests, malformed_bytes_are_refused, 0,
                        sizeof malformed / sizeof malformed[0]);
    suite_add_tcase(suite, tests);
    return suite;
}
