/* test_rw1.c - the 1.0 encoder against bytes worked out by hand, and against protobuf-c as an
 * oracle: random series from a seed, encoded by us, decoded by it, compared field by field and bit
 * by bit. */
#include <check.h>
#include <remote_write.pb-c.h>
#include <walship/mem.h>
#include <walship/rng.h>
#include <walship/rw.h>

enum { LABELS_MAX = 40, SAMPLES_MAX = 300, SERIES_MAX = 8, STRING_BYTES_MAX = 20000 };
enum { POOL_BYTES = 2 * STRING_BYTES_MAX };

struct series {
    struct label labels[LABELS_MAX];
    size_t labels_count;
    struct rw_sample samples[SAMPLES_MAX];
    size_t samples_count;
};

static struct label label(const char *name, const char *value)
{
    return (struct label){.name = name,
                          .value = value,
                          .name_bytes = (uint32_t)strlen(name),
                          .value_bytes = (uint32_t)strlen(value)};
}

START_TEST(the_worked_example_gives_its_46_bytes)
{
    static const char golden[] = "\x0A\x2C"
                                 "\x0A\x0E\x0A\x08__name__\x12\x02up"
                                 "\x0A\x08\x0A\x03job\x12\x01"
                                 "a"
                                 "\x12\x10\x09\x00\x00\x00\x00\x00\x00\xF0\x3F"
                                 "\x10\x80\xD0\x95\xFF\xBC\x31";
    struct label labels[] = {label("__name__", "up"), label("job", "a")};
    struct rw_sample sample = {.t_ms = 1700000000000, .bits = 0x3FF0000000000000};
    struct buf out;
    buf_init(&out, 1000);
    ck_assert(rw1_series(&out, labels, 2, &sample, 1));
    ck_assert_uint_eq(out.bytes, 46);
    ck_assert_mem_eq(out.data, golden, 46);
    ck_assert_uint_eq(rw1_series_bytes(labels, 2, &sample, 1), 46);
    buf_release(&out);
}

static const struct {
    int64_t t_ms;
    uint64_t bits;
    const char *bytes; /* of the one TimeSeries without labels */
    size_t count;
} edges[] = {
    {0, 0, "\x0A\x0D\x12\x0B\x09\0\0\0\0\0\0\0\0\x10\x00", 15},
    {127, 0x8000000000000000, "\x0A\x0D\x12\x0B\x09\0\0\0\0\0\0\0\x80\x10\x7F", 15},
    {128, 0x7FF0000000000002, "\x0A\x0E\x12\x0C\x09\x02\0\0\0\0\0\xF0\x7F\x10\x80\x01", 16},
    {-1, 0x7FF8000000000001,
     "\x0A\x16\x12\x14\x09\x01\0\0\0\0\0\xF8\x7F\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 24},
    {INT64_MIN, 1,
     "\x0A\x16\x12\x14\x09\x01\0\0\0\0\0\0\0\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 24},
    {INT64_MAX, 1, "\x0A\x15\x12\x13\x09\x01\0\0\0\0\0\0\0\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F",
     23},
};

START_TEST(zeros_negative_times_and_special_values_have_their_exact_bytes)
{
    struct rw_sample sample = {.t_ms = edges[_i].t_ms, .bits = edges[_i].bits};
    struct buf out;
    buf_init(&out, 1000);
    ck_assert(rw1_series(&out, NULL, 0, &sample, 1));
    ck_assert_uint_eq(out.bytes, edges[_i].count);
    ck_assert_mem_eq(out.data, edges[_i].bytes, edges[_i].count);
    buf_release(&out);
}

START_TEST(a_full_buffer_stays_as_it_was)
{
    struct label labels[] = {label("__name__", "up"), label("job", "a")};
    struct rw_sample sample = {.t_ms = 1700000000000, .bits = 0x3FF0000000000000};
    struct buf out;
    buf_init(&out, 46 + 45); /* one byte short of two */
    ck_assert(rw1_series(&out, labels, 2, &sample, 1));
    ck_assert(!rw1_series(&out, labels, 2, &sample, 1));
    ck_assert_uint_eq(out.bytes, 46);
    buf_release(&out);

    buf_init(&out, 46 + 46);
    ck_assert(rw1_series(&out, labels, 2, &sample, 1));
    ck_assert(rw1_series(&out, labels, 2, &sample, 1));
    ck_assert_uint_eq(out.bytes, 92);
    ck_assert_mem_eq(out.data, out.data + 46, 46);
    buf_release(&out);
}

/* ---- the oracle ---- */

/* Lengths around every varint boundary, and now and then long ones. */
static uint32_t random_length(struct rng *rng)
{
    static const uint32_t near[] = {0, 1, 2, 119, 120, 124, 127, 128, 129, 16380, 16383, 16384};
    switch (rng_below(rng, 8)) {
    case 0:
        return near[rng_below(rng, ARRAY_COUNT(near))];
    case 1:
        return (uint32_t)rng_below(rng, STRING_BYTES_MAX);
    default:
        return (uint32_t)rng_below(rng, 30);
    }
}

static uint64_t random_bits(struct rng *rng)
{
    static const uint64_t special[] = {0,
                                       0x8000000000000000,
                                       0x7FF0000000000002,
                                       0x7FF8000000000001,
                                       0xFFF0000000000000,
                                       0x7FF0000000000000,
                                       0xFFFFFFFFFFFFFFFF,
                                       0x7FF4DEADBEEF0001,
                                       1,
                                       0x3FF0000000000000};
    return rng_below(rng, 3) == 0 ? special[rng_below(rng, ARRAY_COUNT(special))] : rng_next(rng);
}

static int64_t random_time(struct rng *rng)
{
    int64_t t = (int64_t)(rng_next(rng) >> rng_below(rng, 64));
    return rng_below(rng, 4) == 0 ? -(t & INT64_MAX) : t;
}

static void random_series(struct rng *rng, const char *pool, struct series *out)
{
    out->labels_count = rng_below(rng, LABELS_MAX + 1);
    out->samples_count = rng_below(rng, 10) == 0 ? rng_below(rng, SAMPLES_MAX) : rng_below(rng, 4);
    for (size_t i = 0; i < out->labels_count; i++) {
        out->labels[i] = (struct label){.name = pool + rng_below(rng, STRING_BYTES_MAX),
                                        .value = pool + rng_below(rng, STRING_BYTES_MAX),
                                        .name_bytes = random_length(rng),
                                        .value_bytes = random_length(rng)};
    }
    for (size_t i = 0; i < out->samples_count; i++) {
        out->samples[i] = (struct rw_sample){.t_ms = random_time(rng), .bits = random_bits(rng)};
    }
}

static void expect_bytes(ProtobufCBinaryData got, const char *bytes, uint32_t count)
{
    ck_assert_uint_eq(got.len, count);
    ck_assert(count == 0 || memcmp(got.data, bytes, count) == 0);
}

static void expect_series(const Oracle__TimeSeries *got, const struct series *want)
{
    ck_assert_uint_eq(got->n_labels, want->labels_count);
    for (size_t i = 0; i < want->labels_count; i++) {
        const struct label *l = &want->labels[i];
        expect_bytes(got->labels[i]->name, l->name, l->name_bytes);
        expect_bytes(got->labels[i]->value, l->value, l->value_bytes);
    }
    ck_assert_uint_eq(got->n_samples, want->samples_count);
    for (size_t i = 0; i < want->samples_count; i++) {
        uint64_t bits = 0;
        memcpy(&bits, &got->samples[i]->value, sizeof bits);
        ck_assert_uint_eq(bits, want->samples[i].bits);
        ck_assert_int_eq(got->samples[i]->timestamp, want->samples[i].t_ms);
    }
}

static char *random_pool(struct rng *rng)
{
    char *pool = mem_new(POOL_BYTES, 1);
    for (size_t i = 0; i < POOL_BYTES; i++) {
        pool[i] = (char)rng_next(rng);
    }
    return pool;
}

START_TEST(what_we_encode_protobuf_c_decodes_to_the_same_bits)
{
    struct rng rng = {.state = (uint64_t)_i};
    char *pool = random_pool(&rng);
    struct series *series = mem_new(SERIES_MAX, sizeof *series);
    struct buf out;
    buf_init(&out, 64u << 20);
    for (int round = 0; round < 200; round++) {
        size_t count = 1 + rng_below(&rng, SERIES_MAX);
        size_t expected_bytes = 0;
        buf_clear(&out);
        for (size_t i = 0; i < count; i++) {
            struct series *s = &series[i];
            random_series(&rng, pool, s);
            ck_assert(rw1_series(&out, s->labels, s->labels_count, s->samples, s->samples_count));
            expected_bytes +=
                rw1_series_bytes(s->labels, s->labels_count, s->samples, s->samples_count);
        }
        ck_assert_uint_eq(out.bytes, expected_bytes);
        Oracle__WriteRequest *got = oracle__write_request__unpack(NULL, out.bytes, out.data);
        ck_assert_ptr_nonnull(got);
        ck_assert_uint_eq(got->n_timeseries, count);
        for (size_t i = 0; i < count; i++) {
            expect_series(got->timeseries[i], &series[i]);
        }
        oracle__write_request__free_unpacked(got, NULL);
    }
    buf_release(&out);
    mem_free(series);
    mem_free(pool);
}

/* The other direction: where nothing is zero or empty, protobuf-c writes the same bytes. */
START_TEST(protobuf_c_writes_the_same_bytes_where_no_field_is_at_its_default)
{
    uint8_t name_bytes[] = "__name__", value_bytes[] = "x";
    Oracle__Label name = ORACLE__LABEL__INIT;
    name.name = (ProtobufCBinaryData){.data = name_bytes, .len = 8};
    name.value = (ProtobufCBinaryData){.data = value_bytes, .len = 1};
    Oracle__Label *labels[] = {&name};
    Oracle__Sample sample = ORACLE__SAMPLE__INIT;
    sample.value = 1.5;
    sample.timestamp = -5;
    Oracle__Sample *samples[] = {&sample};
    Oracle__TimeSeries one = ORACLE__TIME_SERIES__INIT;
    one.n_labels = 1;
    one.labels = labels;
    one.n_samples = 1;
    one.samples = samples;
    Oracle__TimeSeries *all[] = {&one};
    Oracle__WriteRequest request = ORACLE__WRITE_REQUEST__INIT;
    request.n_timeseries = 1;
    request.timeseries = all;
    uint8_t want[200];
    size_t want_bytes = oracle__write_request__pack(&request, want);

    struct label ours = label("__name__", "x");
    struct rw_sample our_sample = {.t_ms = -5, .bits = 0x3FF8000000000000};
    struct buf out;
    buf_init(&out, 1000);
    ck_assert(rw1_series(&out, &ours, 1, &our_sample, 1));
    ck_assert_uint_eq(out.bytes, want_bytes);
    ck_assert_mem_eq(out.data, want, want_bytes);
    buf_release(&out);
}

Suite *suite_rw1(void);
Suite *suite_rw1(void)
{
    Suite *suite = suite_create("rw1");
    TCase *golden = tcase_create("golden");
    tcase_add_test(golden, the_worked_example_gives_its_46_bytes);
    tcase_add_loop_test(golden, zeros_negative_times_and_special_values_have_their_exact_bytes, 0,
                        (int)ARRAY_COUNT(edges));
    tcase_add_test(golden, a_full_buffer_stays_as_it_was);
    suite_add_tcase(suite, golden);
    TCase *oracle = tcase_create("oracle");
    tcase_set_timeout(oracle, 60);
    tcase_add_loop_test(oracle, what_we_encode_protobuf_c_decodes_to_the_same_bits, 0, 8);
    tcase_add_test(oracle, protobuf_c_writes_the_same_bytes_where_no_field_is_at_its_default);
    suite_add_tcase(suite, oracle);
    return suite;
}
