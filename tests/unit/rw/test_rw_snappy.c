/* test_rw_snappy.c - the snappy block: golden bytes, round trips, caps, damage. */
#include <check.h>
#include <walship/rng.h>
#include <walship/rw.h>

static void fill(struct buf *buf, const void *bytes, size_t count)
{
    buf_clear(buf);
    ck_assert(buf_append(buf, bytes, count));
}

START_TEST(the_literal_only_block_of_the_worked_example_decodes)
{
    /* 2E: 46 bytes follow decoded; B4: a literal of 46 */
    uint8_t block[48] = {0x2E, 0xB4};
    for (size_t i = 0; i < 46; i++) {
        block[2 + i] = (uint8_t)i;
    }
    struct buf out;
    buf_init(&out, 46); /* exactly the cap */
    ck_assert(rw_decompress(block, sizeof block, &out));
    ck_assert_uint_eq(out.bytes, 46);
    ck_assert_mem_eq(out.data, block + 2, 46);
    buf_release(&out);
}

START_TEST(short_incompressible_bytes_become_one_literal)
{
    struct buf raw, out;
    buf_init(&raw, 100);
    buf_init(&out, 1000);
    fill(&raw, "abcdefg", 7);
    ck_assert(rw_compress(&raw, &out));
    ck_assert_uint_eq(out.bytes, 9);
    ck_assert_mem_eq(out.data,
                     "\x07\x18"
                     "abcdefg",
                     9);
    buf_release(&raw);
    buf_release(&out);
}

static const size_t sizes[] = {0, 1, 60, 61, 4096, 65535, 65536, 65537, 1 << 20};

START_TEST(what_is_compressed_comes_back)
{
    struct rng rng = {.state = 7};
    struct buf raw, block, back;
    buf_init(&raw, 2 << 20);
    buf_init(&block, 4 << 20);
    buf_init(&back, 2 << 20);
    for (size_t i = 0; i < sizes[_i]; i++) {
        uint8_t byte = (uint8_t)(rng_below(&rng, 4) == 0 ? rng_next(&rng) : 'a');
        ck_assert(buf_append(&raw, &byte, 1));
    }
    fill(&back, "old", 3);
    fill(&block, "old", 3);
    ck_assert(rw_compress(&raw, &block));
    ck_assert(rw_decompress(block.data, block.bytes, &back));
    ck_assert_uint_eq(back.bytes, raw.bytes);
    ck_assert(raw.bytes == 0 || memcmp(back.data, raw.data, raw.bytes) == 0);
    buf_release(&raw);
    buf_release(&block);
    buf_release(&back);
}

START_TEST(an_output_limit_below_the_worst_case_is_said)
{
    struct buf raw, out;
    buf_init(&raw, 1000);
    buf_init(&out, 100);
    for (int i = 0; i < 200; i++) {
        ck_assert(buf_append(&raw, "x", 1));
    }
    fill(&out, "old", 3);
    ck_assert(!rw_compress(&raw, &out));
    ck_assert_uint_eq(out.bytes, 0);
    buf_release(&raw);
    buf_release(&out);
}

static const struct {
    const char *bytes;
    size_t count;
} damaged[] = {
    {"", 0},                         /* not even a length */
    {"\xFF\xFF\xFF\xFF\xFF\xFF", 6}, /* a length without end */
    {"\xFF\xFF\xFF\xFF\x0F", 5},     /* claims 4 GiB */
    {"\x65", 1},                     /* 101, one above the cap */
    {"\x07\x18"
     "abcdef",
     8},                 /* cut literal */
    {"\x04\x05\x01", 3}, /* copy from before the start */
    {"\x01\x00"
     "ab",
     4}, /* more than it said */
};

START_TEST(damaged_or_oversized_blocks_are_refused)
{
    struct buf out;
    buf_init(&out, 100);
    ck_assert(!rw_decompress(damaged[_i].bytes, damaged[_i].count, &out));
    ck_assert_uint_eq(out.bytes, 0);
    ck_assert_uint_le(out.capacity, 100);
    buf_release(&out);
}

Suite *suite_rw_snappy(void);
Suite *suite_rw_snappy(void)
{
    Suite *suite = suite_create("rw_snappy");
    TCase *tests = tcase_create("block");
    tcase_add_test(tests, the_literal_only_block_of_the_worked_example_decodes);
    tcase_add_test(tests, short_incompressible_bytes_become_one_literal);
    tcase_add_loop_test(tests, what_is_compressed_comes_back, 0, (int)ARRAY_COUNT(sizes));
    tcase_add_test(tests, an_output_limit_below_the_worst_case_is_said);
    tcase_add_loop_test(tests, damaged_or_oversized_blocks_are_refused, 0,
                        (int)ARRAY_COUNT(damaged));
    suite_add_tcase(suite, tests);
    return suite;
}
