/* test_rw_kinds.c - histograms, exemplars and metadata in both versions, and the 2.0 request:
 * bytes worked out by hand, and protobuf-c as an oracle over random series. */
#include <check.h>
#include <remote_write.pb-c.h>
#include <walship/mem.h>
#include <walship/rng.h>
#include <walship/rw.h>

enum { LABELS_MAX = 12, ITEMS_MAX = 6, CELLS_MAX = 40, SERIES_MAX = 6, LIMIT = 64 << 20 };

static const struct hash_key key = {11, 12};

static struct label label(const char *name, const char *value)
{
    return (struct label){.name = name,
                          .value = value,
                          .name_bytes = (uint32_t)strlen(name),
                          .value_bytes = (uint32_t)strlen(value)};
}

static void expect_out(const struct buf *out, const void *bytes, size_t count)
{
    ck_assert_uint_eq(out->bytes, count);
    ck_assert_mem_eq(out->data, bytes, count);
}

/* ---- by hand ---- */

START_TEST(an_integer_histogram_has_its_exact_bytes)
{
    static const struct wal_span spans[] = {{0, 2}, {1, 2}};
    static const uint64_t deltas[] = {1, 1, (uint64_t)-1, 0};
    struct wal_histogram histogram = {.t_ms = 1700000000000,
                                      .schema = 1,
                                      .reset_hint = 2,
                                      .zero_threshold_bits = 0x3F50624DD2F1A9FC,
                                      .zero_count = 2,
                                      .count = 12,
                                      .sum_bits = 0x4032666666666666,
                                      .spans = {spans, NULL},
                                      .spans_count = {2, 0},
                                      .buckets = {deltas, NULL},
                                      .buckets_count = {4, 0}};
    static const char golden[] = "\x08\x0C"
                                 "\x19\x66\x66\x66\x66\x66\x66\x32\x40"
                                 "\x20\x02"
                                 "\x29\xFC\xA9\xF1\xD2\x4D\x62\x50\x3F"
                                 "\x30\x02"
                                 "\x5A\x04\x08\x00\x10\x02"
                                 "\x5A\x04\x08\x02\x10\x02"
                                 "\x62\x04\x02\x02\x01\x00"
                                 "\x70\x02"
                                 "\x78\x80\xD0\x95\xFF\xBC\x31";
    struct buf out;
    buf_init(&out, 1000);
    ck_assert(rw_histogram(&out, &histogram));
    expect_out(&out, golden, sizeof golden - 1);
    buf_release(&out);
}

START_TEST(a_float_histogram_of_custom_bounds_has_its_exact_bytes)
{
    static const struct wal_span span = {0, 1};
    static const uint64_t count = 0x4008000000000000, bound = 0x3FE0000000000000;
    struct wal_histogram histogram = {.t_ms = -1,
                                      .is_float = true,
                                      .schema = HISTOGRAM_SCHEMA_CUSTOM,
                                      .count = 0x4008000000000000,
                                      .sum_bits = 0x7FF0000000000002,
                                      .spans = {&span, NULL},
                                      .spans_count = {1, 0},
                                      .buckets = {&count, NULL},
                                      .buckets_count = {1, 0},
                                      .custom_bits = &bound,
                                      .custom_count = 1};
    static const char golden[] = "\x11\0\0\0\0\0\0\x08\x40"
                                 "\x19\x02\0\0\0\0\0\xF0\x7F"
                                 "\x20\x69"
                                 "\x29\0\0\0\0\0\0\0\0"
                                 "\x39\0\0\0\0\0\0\0\0"
                                 "\x5A\x04\x08\x00\x10\x01"
                                 "\x6A\x08\0\0\0\0\0\0\x08\x40"
                                 "\x70\x00"
                                 "\x78\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"
                                 "\x82\x01\x08\0\0\0\0\0\0\xE0\x3F";
    struct buf out;
    buf_init(&out, 1000);
    ck_assert(rw_histogram(&out, &histogram));
    expect_out(&out, golden, sizeof golden - 1);
    buf_release(&out);
    buf_init(&out, sizeof golden - 2); /* one byte short */
    ck_assert(!rw_histogram(&out, &histogram));
    ck_assert_uint_eq(out.bytes, 0);
    buf_release(&out);
}

START_TEST(the_worked_example_of_2_0_gives_its_bytes)
{
    /* metadata written in full: the example leaves its unit, which is \"\", away */
    static const char golden[] = "\x22\x00\x22\x08__name__\x22\x02up\x22\x03job\x22\x01"
                                 "a\x22\x03Up.\x2A\x27\x0A\x04\x01\x02\x03\x04\x12\x17"
                                 "\x09\0\0\0\0\0\0\xF0\x3F\x10\x80\xD0\x95\xFF\xBC\x31"
                                 "\x18\xF0\x81\x95\xFF\xBC\x31\x2A\x06\x08\x02\x18\x05\x20\x00";
    struct label labels[] = {label("__name__", "up"), label("job", "a")};
    struct rw_sample sample = {.t_ms = 1700000000000, .bits = 0x3FF0000000000000};
    int64_t start_ms = 1699999990000;
    struct rw_metadata metadata = {.type = 2, .help = {"Up.", 3}, .unit = {"", 0}};
    struct rw_series series = {.labels = labels,
                               .labels_count = 2,
                               .samples = &sample,
                               .samples_count = 1,
                               .starts_ms = &start_ms,
                               .metadata = &metadata};
    struct rw2 *rw2 = rw2_new(&key, 1000);
    struct buf out;
    buf_init(&out, 1000);
    rw2_begin(rw2);
    ck_assert(rw2_write(rw2, &series));
    ck_assert(rw2_end(rw2, &out));
    expect_out(&out, golden, sizeof golden - 1);
    rw2_free(rw2);
    buf_release(&out);
}

START_TEST(a_family_of_1_0_metadata_has_its_exact_bytes)
{
    static const char golden[] = "\x1A\x0F\x08\x01\x12\x02up\x22\x03Up.\x2A\x02ms";
    struct rw_metadata metadata = {
        .type = 1, .family = {"up", 2}, .help = {"Up.", 3}, .unit = {"ms", 2}};
    struct buf out;
    buf_init(&out, sizeof golden - 1);
    ck_assert(rw1_metadata(&out, &metadata));
    expect_out(&out, golden, sizeof golden - 1);
    ck_assert(!rw1_metadata(&out, &metadata));
    expect_out(&out, golden, sizeof golden - 1);
    buf_release(&out);
}

START_TEST(a_full_2_0_request_is_refused_and_the_next_one_is_whole)
{
    struct label labels[] = {label("__name__", "a_name_of_some_length")};
    struct rw_sample sample = {.t_ms = 1, .bits = 1};
    struct rw_series series = {
        .labels = labels, .labels_count = 1, .samples = &sample, .samples_count = 1};
    struct rw2 *rw2 = rw2_new(&key, 60);
    struct buf first, second;
    buf_init(&first, 60);
    buf_init(&second, 60);
    rw2_begin(rw2);
    ck_assert(rw2_write(rw2, &series));
    ck_assert(rw2_end(rw2, &first));
    ck_assert(!rw2_write(rw2, &series)); /* its series would pass the limit, its symbols not */
    rw2_begin(rw2);
    ck_assert(rw2_write(rw2, &series));
    ck_assert(rw2_end(rw2, &second));
    expect_out(&second, first.data, first.bytes);
    labels[0] = label("__name__", "another_name_that_does_not_fit_the_limit_of_the_symbols_at_all");
    rw2_begin(rw2);
    ck_assert(!rw2_write(rw2, &series));
    rw2_free(rw2);
    buf_release(&first);
    buf_release(&second);
}

/* ---- the oracle ---- */

struct made {
    struct label labels[LABELS_MAX];
    struct label exemplar_labels[ITEMS_MAX][LABELS_MAX];
    struct rw_sample samples[ITEMS_MAX];
    int64_t starts_ms[ITEMS_MAX];
    struct rw_exemplar exemplars[ITEMS_MAX];
    struct wal_histogram values[ITEMS_MAX];
    struct wal_span spans[ITEMS_MAX][2][CELLS_MAX];
    uint64_t cells[ITEMS_MAX][3][CELLS_MAX];
    struct buf bytes[ITEMS_MAX];
    struct rw_histogram histograms[ITEMS_MAX];
    struct rw_metadata metadata;
    struct rw_series series;
};

static uint64_t random_bits(struct rng *rng)
{
    static const uint64_t special[] = {0, 0x8000000000000000, 0x7FF0000000000002, UINT64_MAX, 1};
    return rng_below(rng, 3) == 0 ? special[rng_below(rng, ARRAY_COUNT(special))]
                                  : rng_next(rng) >> rng_below(rng, 64);
}

static const char pool[] = "a pool of letters in which many strings are the same: aaaaaaaaaaaaaaaa";

static struct rw_text random_text(struct rng *rng)
{
    size_t at = rng_below(rng, sizeof pool - 8);
    return (struct rw_text){pool + at, rng_below(rng, 8)};
}

static size_t random_labels(struct rng *rng, struct label *out)
{
    size_t count = rng_below(rng, LABELS_MAX + 1);
    for (size_t i = 0; i < count; i++) {
        struct rw_text name = random_text(rng), value = random_text(rng);
        out[i] =
            (struct label){name.bytes, value.bytes, (uint32_t)name.count, (uint32_t)value.count};
    }
    return count;
}

static void random_histogram(struct rng *rng, struct made *made, size_t index)
{
    struct wal_histogram *value = &made->values[index];
    *value = (struct wal_histogram){.t_ms = (int64_t)random_bits(rng),
                                    .st_ms = (int64_t)random_bits(rng),
                                    .is_float = rng_below(rng, 2) == 0,
                                    .reset_hint = (uint8_t)rng_below(rng, 4),
                                    .schema = (int32_t)rng_below(rng, 62) - 53,
                                    .zero_threshold_bits = random_bits(rng),
                                    .zero_count = random_bits(rng),
                                    .count = random_bits(rng),
                                    .sum_bits = random_bits(rng)};
    for (int sign = 0; sign < 2; sign++) {
        value->spans[sign] = made->spans[index][sign];
        value->buckets[sign] = made->cells[index][sign];
        value->spans_count[sign] = (uint32_t)rng_below(rng, 5);
        value->buckets_count[sign] = (uint32_t)rng_below(rng, CELLS_MAX);
        for (size_t i = 0; i < CELLS_MAX; i++) {
            made->cells[index][sign][i] = random_bits(rng);
            made->spans[index][sign][i] =
                (struct wal_span){(int32_t)random_bits(rng), (uint32_t)random_bits(rng)};
        }
    }
    value->custom_bits = made->cells[index][2];
    value->custom_count = (uint32_t)rng_below(rng, CELLS_MAX);
    for (size_t i = 0; i < CELLS_MAX; i++) {
        made->cells[index][2][i] = random_bits(rng);
    }
    buf_init(&made->bytes[index], 1 << 16);
    ck_assert(rw_histogram(&made->bytes[index], value));
    made->histograms[index] =
        (struct rw_histogram){made->bytes[index].data, made->bytes[index].bytes, value->st_ms};
}

static void random_made(struct rng *rng, struct made *made)
{
    struct rw_series *series = &made->series;
    *series = (struct rw_series){.labels = made->labels,
                                 .labels_count = random_labels(rng, made->labels),
                                 .samples = made->samples,
                                 .samples_count = rng_below(rng, ITEMS_MAX + 1),
                                 .starts_ms = rng_below(rng, 2) == 0 ? NULL : made->starts_ms,
                                 .histograms = made->histograms,
                                 .histograms_count = rng_below(rng, ITEMS_MAX + 1),
                                 .exemplars = made->exemplars,
                                 .exemplars_count = rng_below(rng, ITEMS_MAX + 1),
                                 .metadata = rng_below(rng, 2) == 0 ? NULL : &made->metadata};
    made->metadata = (struct rw_metadata){(uint8_t)rng_below(rng, 8), random_text(rng),
                                          random_text(rng), random_text(rng)};
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        made->samples[i] = (struct rw_sample){(int64_t)random_bits(rng), random_bits(rng)};
        made->starts_ms[i] = (int64_t)random_bits(rng);
        random_histogram(rng, made, i);
        made->exemplars[i] = (struct rw_exemplar){made->exemplar_labels[i],
                                                  random_labels(rng, made->exemplar_labels[i]),
                                                  (int64_t)random_bits(rng), random_bits(rng)};
    }
}

static void expect_text(ProtobufCBinaryData got, const char *bytes, size_t count)
{
    ck_assert_uint_eq(got.len, count);
    ck_assert(count == 0 || memcmp(got.data, bytes, count) == 0);
}

static void expect_double(double got, uint64_t want)
{
    uint64_t bits = 0;
    memcpy(&bits, &got, sizeof bits);
    ck_assert_uint_eq(bits, want);
}

static void expect_doubles(const double *got, size_t count, const uint64_t *want)
{
    for (size_t i = 0; i < count; i++) {
        expect_double(got[i], want[i]);
    }
}

static void expect_spans(Oracle__BucketSpan **got, size_t count, const struct wal_histogram *want,
                         int sign)
{
    ck_assert_uint_eq(count, want->spans_count[sign]);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(got[i]->offset, want->spans[sign][i].offset);
        ck_assert_uint_eq(got[i]->length, want->spans[sign][i].length);
    }
}

static void expect_histogram(const Oracle__Histogram *got, const struct wal_histogram *want)
{
    bool is_float = want->is_float;
    ck_assert_int_eq(got->count_case, is_float ? ORACLE__HISTOGRAM__COUNT_COUNT_FLOAT
                                               : ORACLE__HISTOGRAM__COUNT_COUNT_INT);
    ck_assert_int_eq(got->zero_count_case, is_float ? ORACLE__HISTOGRAM__ZERO_COUNT_ZERO_COUNT_FLOAT
                                                    : ORACLE__HISTOGRAM__ZERO_COUNT_ZERO_COUNT_INT);
    ck_assert_uint_eq(got->count_int, want->count); /* a union with the float */
    ck_assert_uint_eq(got->zero_count_int, want->zero_count);
    expect_double(got->sum, want->sum_bits);
    expect_double(got->zero_threshold, want->zero_threshold_bits);
    ck_assert_int_eq(got->schema, want->schema);
    ck_assert_uint_eq(got->reset_hint, want->reset_hint);
    ck_assert_int_eq(got->timestamp, want->t_ms);
    expect_spans(got->positive_spans, got->n_positive_spans, want, 0);
    expect_spans(got->negative_spans, got->n_negative_spans, want, 1);
    ck_assert_uint_eq(got->n_positive_deltas, is_float ? 0 : want->buckets_count[0]);
    ck_assert_uint_eq(got->n_negative_deltas, is_float ? 0 : want->buckets_count[1]);
    ck_assert_uint_eq(got->n_positive_counts, is_float ? want->buckets_count[0] : 0);
    ck_assert_uint_eq(got->n_negative_counts, is_float ? want->buckets_count[1] : 0);
    for (size_t i = 0; i < got->n_positive_deltas; i++) {
        ck_assert_uint_eq((uint64_t)got->positive_deltas[i], want->buckets[0][i]);
    }
    for (size_t i = 0; i < got->n_negative_deltas; i++) {
        ck_assert_uint_eq((uint64_t)got->negative_deltas[i], want->buckets[1][i]);
    }
    expect_doubles(got->positive_counts, got->n_positive_counts, want->buckets[0]);
    expect_doubles(got->negative_counts, got->n_negative_counts, want->buckets[1]);
    ck_assert_uint_eq(got->n_custom_values, want->custom_count);
    expect_doubles(got->custom_values, got->n_custom_values, want->custom_bits);
}

static void expect_labels(Oracle__Label **got, size_t count, const struct label *want)
{
    for (size_t i = 0; i < count; i++) {
        expect_text(got[i]->name, want[i].name, want[i].name_bytes);
        expect_text(got[i]->value, want[i].value, want[i].value_bytes);
    }
}

static void expect_1(const Oracle__TimeSeries *got, const struct made *made)
{
    const struct rw_series *want = &made->series;
    ck_assert_uint_eq(got->n_labels, want->labels_count);
    ck_assert_uint_eq(got->n_samples, want->samples_count);
    ck_assert_uint_eq(got->n_exemplars, want->exemplars_count);
    ck_assert_uint_eq(got->n_histograms, want->histograms_count);
    expect_labels(got->labels, got->n_labels, want->labels);
    for (size_t i = 0; i < got->n_exemplars; i++) {
        const struct rw_exemplar *exemplar = &want->exemplars[i];
        ck_assert_uint_eq(got->exemplars[i]->n_labels, exemplar->labels_count);
        expect_labels(got->exemplars[i]->labels, exemplar->labels_count, exemplar->labels);
        expect_double(got->exemplars[i]->value, exemplar->bits);
        ck_assert_int_eq(got->exemplars[i]->timestamp, exemplar->t_ms);
    }
    for (size_t i = 0; i < got->n_histograms; i++) {
        expect_histogram(got->histograms[i], &made->values[i]);
        ck_assert_int_eq(got->histograms[i]->start_timestamp, 0);
    }
}

START_TEST(what_1_0_encodes_protobuf_c_decodes_to_the_same_bits)
{
    struct rng rng = {.state = (uint64_t)_i};
    struct made *made = mem_new(1, sizeof *made);
    struct buf out;
    buf_init(&out, LIMIT);
    for (int round = 0; round < 100; round++) {
        random_made(&rng, made);
        buf_clear(&out);
        ck_assert(rw1_write(&out, &made->series) && rw1_metadata(&out, &made->metadata));
        Oracle__WriteRequest *got = oracle__write_request__unpack(NULL, out.bytes, out.data);
        ck_assert_ptr_nonnull(got);
        ck_assert_uint_eq(got->n_timeseries, 1);
        expect_1(got->timeseries[0], made);
        ck_assert_uint_eq(got->n_metadata, 1);
        const struct rw_metadata *want = &made->metadata;
        ck_assert_uint_eq(got->metadata[0]->type, want->type);
        expect_text(got->metadata[0]->metric_family_name, want->family.bytes, want->family.count);
        expect_text(got->metadata[0]->help, want->help.bytes, want->help.count);
        expect_text(got->metadata[0]->unit, want->unit.bytes, want->unit.count);
        oracle__write_request__free_unpacked(got, NULL);
        for (size_t i = 0; i < ITEMS_MAX; i++) {
            buf_release(&made->bytes[i]);
        }
    }
    buf_release(&out);
    mem_free(made);
}

static void expect_refs(const Oracle__Request2 *got, const uint32_t *refs, size_t refs_count,
                        const struct label *want, size_t count)
{
    ck_assert_uint_eq(refs_count, 2 * count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_lt(refs[2 * i], got->n_symbols);
        ck_assert_uint_lt(refs[2 * i + 1], got->n_symbols);
        expect_text(got->symbols[refs[2 * i]], want[i].name, want[i].name_bytes);
        expect_text(got->symbols[refs[2 * i + 1]], want[i].value, want[i].value_bytes);
    }
}

static void expect_2(const Oracle__Request2 *request, const Oracle__TimeSeries2 *got,
                     const struct made *made)
{
    const struct rw_series *want = &made->series;
    expect_refs(request, got->labels_refs, got->n_labels_refs, want->labels, want->labels_count);
    ck_assert_uint_eq(got->n_samples, want->samples_count);
    ck_assert_uint_eq(got->n_exemplars, want->exemplars_count);
    ck_assert_uint_eq(got->n_histograms, want->histograms_count);
    for (size_t i = 0; i < got->n_samples; i++) {
        expect_double(got->samples[i]->value, want->samples[i].bits);
        ck_assert_int_eq(got->samples[i]->timestamp, want->samples[i].t_ms);
        ck_assert_int_eq(got->samples[i]->start_timestamp,
                         want->starts_ms == NULL ? 0 : want->starts_ms[i]);
    }
    for (size_t i = 0; i < got->n_exemplars; i++) {
        const Oracle__Exemplar2 *exemplar = got->exemplars[i];
        expect_refs(request, exemplar->labels_refs, exemplar->n_labels_refs,
                    want->exemplars[i].labels, want->exemplars[i].labels_count);
        expect_double(exemplar->value, want->exemplars[i].bits);
        ck_assert_int_eq(exemplar->timestamp, want->exemplars[i].t_ms);
    }
    for (size_t i = 0; i < got->n_histograms; i++) {
        expect_histogram(got->histograms[i], &made->values[i]);
        ck_assert_int_eq(got->histograms[i]->start_timestamp, made->values[i].st_ms);
    }
    ck_assert_ptr_nonnull(got->metadata);
    const struct rw_metadata *metadata = want->metadata;
    static const struct rw_metadata none = {0};
    metadata = metadata == NULL ? &none : metadata;
    ck_assert_uint_eq(got->metadata->type, metadata->type);
    expect_text(request->symbols[got->metadata->help_ref], metadata->help.bytes,
                metadata->help.count);
    expect_text(request->symbols[got->metadata->unit_ref], metadata->unit.bytes,
                metadata->unit.count);
}

static void expect_symbols_differ(const Oracle__Request2 *got)
{
    ck_assert_uint_ge(got->n_symbols, 1);
    ck_assert_uint_eq(got->symbols[0].len, 0);
    for (size_t i = 0; i < got->n_symbols; i++) {
        for (size_t k = 0; k < i; k++) {
            ck_assert(got->symbols[i].len != got->symbols[k].len ||
                      memcmp(got->symbols[i].data, got->symbols[k].data, got->symbols[k].len) != 0);
        }
    }
}

START_TEST(what_2_0_encodes_protobuf_c_decodes_to_the_same_bits)
{
    struct rng rng = {.state = (uint64_t)_i};
    struct made *made = mem_new(SERIES_MAX, sizeof *made);
    struct rw2 *rw2 = rw2_new(&key, LIMIT);
    struct buf out;
    buf_init(&out, LIMIT);
    for (int round = 0; round < 40; round++) {
        size_t count = rng_below(&rng, SERIES_MAX + 1);
        buf_clear(&out);
        rw2_begin(rw2);
        for (size_t i = 0; i < count; i++) {
            random_made(&rng, &made[i]);
            ck_assert(rw2_write(rw2, &made[i].series));
        }
        ck_assert(rw2_end(rw2, &out));
        Oracle__Request2 *got = oracle__request2__unpack(NULL, out.bytes, out.data);
        ck_assert_ptr_nonnull(got);
        ck_assert_uint_eq(got->n_timeseries, count);
        expect_symbols_differ(got);
        for (size_t i = 0; i < count; i++) {
            expect_2(got, got->timeseries[i], &made[i]);
            for (size_t k = 0; k < ITEMS_MAX; k++) {
                buf_release(&made[i].bytes[k]);
            }
        }
        oracle__request2__free_unpacked(got, NULL);
    }
    rw2_free(rw2);
    buf_release(&out);
    mem_free(made);
}

/* More symbols than the table's first size, so that it grows in the middle of a request. */
START_TEST(ten_thousand_symbols_keep_their_numbers)
{
    enum { SYMBOLS = 10000 };
    struct rw2 *rw2 = rw2_new(&key, LIMIT);
    struct buf out;
    buf_init(&out, LIMIT);
    rw2_begin(rw2);
    for (int i = 0; i < SYMBOLS; i++) {
        char text[32];
        struct rw_sample sample = {i, (uint64_t)i};
        snprintf(text, sizeof text, "value-%d", i);
        struct label labels[] = {label("name", text)};
        struct rw_series series = {
            .labels = labels, .labels_count = 1, .samples = &sample, .samples_count = 1};
        ck_assert(rw2_write(rw2, &series));
    }
    ck_assert(rw2_end(rw2, &out));
    Oracle__Request2 *got = oracle__request2__unpack(NULL, out.bytes, out.data);
    ck_assert_ptr_nonnull(got);
    ck_assert_uint_eq(got->n_symbols, SYMBOLS + 2);
    for (int i = 0; i < SYMBOLS; i++) {
        char text[32];
        snprintf(text, sizeof text, "value-%d", i);
        struct label want = label("name", text);
        expect_refs(got, got->timeseries[i]->labels_refs, 2, &want, 1);
    }
    oracle__request2__free_unpacked(got, NULL);
    rw2_free(rw2);
    buf_release(&out);
}

Suite *suite_rw_kinds(void);
Suite *suite_rw_kinds(void)
{
    Suite *suite = suite_create("rw_kinds");
    TCase *golden = tcase_create("golden");
    tcase_add_test(golden, an_integer_histogram_has_its_exact_bytes);
    tcase_add_test(golden, a_float_histogram_of_custom_bounds_has_its_exact_bytes);
    tcase_add_test(golden, the_worked_example_of_2_0_gives_its_bytes);
    tcase_add_test(golden, a_family_of_1_0_metadata_has_its_exact_bytes);
    tcase_add_test(golden, a_full_2_0_request_is_refused_and_the_next_one_is_whole);
    suite_add_tcase(suite, golden);
    TCase *oracle = tcase_create("oracle");
    tcase_set_timeout(oracle, 60);
    tcase_add_loop_test(oracle, what_1_0_encodes_protobuf_c_decodes_to_the_same_bits, 0, 6);
    tcase_add_loop_test(oracle, what_2_0_encodes_protobuf_c_decodes_to_the_same_bits, 0, 6);
    tcase_add_test(oracle, ten_thousand_symbols_keep_their_numbers);
    suite_add_tcase(suite, oracle);
    return suite;
}
