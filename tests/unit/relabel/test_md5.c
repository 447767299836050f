/* test_md5.c - RFC 1321's own examples, and the lengths around a block. */
#include "inside.h"

#include <check.h>

static const struct {
    const char *text;
    const char *digest;
} table[] = {
    {"", "d41d8cd98f00b204e9800998ecf8427e"},
    {"a", "0cc175b9c0f1b6a831c399e269772661"},
    {"abc", "900150983cd24fb0d6963f7d28e17f72"},
    {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
    {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
    {"1234567890123456789012345678901234567890123456789012345678901234567890"
     "1234567890",
     "57edf4a22be3c955ac49da2e2107b67a"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "04364420e25c512fd958a70738aa8f72"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "668a72d5ba17f08e62dabcafad6db14b"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "7dc2ca208106a2f703567bdff99d8981"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "c1bb4f81d892b2d57947682aeb252456"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "1bc932052302d074bdec39795fe00cf6"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "ab347a5f68c8a443cfcddc633f12c24f"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "fb98667f98096de92620b64f46e1c5b5"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "d69cb61a6ee87200676eb0d4b90edbcb"},
};

START_TEST(the_digest_is_the_known_one)
{
    uint8_t digest[MD5_BYTES];
    char text[2 * MD5_BYTES + 1];
    md5(table[_i].text, strlen(table[_i].text), digest);
    for (size_t i = 0; i < MD5_BYTES; i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    ck_assert_str_eq(text, table[_i].digest);
}

Suite *suite_md5(void);
Suite *suite_md5(void)
{
    Suite *suite = suite_create("relabel md5");
    TCase *tcase = tcase_create("digests");
    tcase_add_loop_test(tcase, the_digest_is_the_known_one, 0, (int)ARRAY_COUNT(table));
    suite_add_tcase(suite, tcase);
    return suite;
}
