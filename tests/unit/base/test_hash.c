/* test_hash.c - SipHash-1-3 against a second, byte-wise rendering of its paper, and against values
 * other implementations publish; the shard of a series hangs on it. */
#include <check.h>
#include <walship/assert.h>
#include <walship/hash.h>
#include <walship/rng.h>

static uint64_t turn(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void round_of(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = turn(v[1], 13);
    v[3] = turn(v[3], 16);
    v[1] ^= v[0];
    v[3] ^= v[2];
    v[0] = turn(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = turn(v[1], 17);
    v[3] = turn(v[3], 21);
    v[1] ^= v[2];
    v[3] ^= v[0];
    v[2] = turn(v[2], 32);
}

static uint64_t by_the_paper(const struct hash_key *key, const uint8_t *bytes, size_t count)
{
    uint64_t v[4] = {0x736f6d6570736575u ^ key->k0, 0x646f72616e646f6du ^ key->k1,
                     0x6c7967656e657261u ^ key->k0, 0x7465646279746573u ^ key->k1};
    for (size_t block = 0; block <= count / 8; block++) {
        uint64_t word = 0;
        for (size_t i = 0; i < 8; i++) {
            size_t at = block * 8 + i;
            uint64_t byte = at < count ? bytes[at] : i == 7 ? count & 0xff : 0;
            word |= byte << (8 * i);
        }
        v[3] ^= word;
        round_of(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    round_of(v);
    round_of(v);
    round_of(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

START_TEST(hashes_are_those_of_the_paper)
{
    uint8_t bytes[600];
    struct rng rng = {5};
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)rng_next(&rng);
    }
    for (size_t count = 0; count < sizeof bytes - 8; count++) {
        struct hash_key key = {rng_next(&rng), rng_next(&rng)};
        const uint8_t *at = bytes + count % 8;
        ck_assert_uint_eq(hash_bytes(&key, at, count), by_the_paper(&key, at, count));
    }
}

/* Input i is the bytes 0 .. i - 1, the key the bytes 0 .. 15. */
static const uint64_t published[] = {0xabac0158050fc4dcu, 0xc9f49bf37d57ca93u, 0x82cb9b024dc7d44du,
                                     0x8bf80ab8e7ddf7fbu};

START_TEST(published_vectors_come_out)
{
    static const uint8_t bytes[] = {0, 1, 2, 3};
    struct hash_key key = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    ck_assert_uint_eq(hash_bytes(&key, bytes, (size_t)_i), published[_i]);
}

Suite *suite_hash(void);
Suite *suite_hash(void)
{
    Suite *suite = suite_create("hash");
    TCase *tests = tcase_create("hash");
    tcase_add_test(tests, hashes_are_those_of_the_paper);
    tcase_add_loop_test(tests, published_vectors_come_out, 0, ARRAY_COUNT(published));
    suite_add_tcase(suite, tests);
    return suite;
}
