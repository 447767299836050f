/* test_record.c - every record type against bytes written out by hand from the format's
 * description. */
#include "wal_text.h"
#include "wal_writer.h"

#include <check.h>
#include <walship/limits.h>
#include <walship/rng.h>
#include <walship/wal_record.h>

#define T0   "0000018BCFE56800" /* 1700000000000 */
#define ONE  "3FF0000000000000"
#define HALF "3FE0000000000000"

struct golden {
    enum wal_type type;
    const char *hex; /* blanks are for the reader */
    const char *text;
};

static const struct golden goldens[] = {
    {WAL_SERIES, "01 0000000000000001 02 08 5F5F6E616D655F5F 02 7570 03 6A6F62 01 61",
     "series 1 {__name__=\"up\",job=\"a\"}\n"},
    {WAL_SERIES, "01 FFFFFFFFFFFFFFFF 00 0000000000000002 01 01 61 02 C3BC",
     "series 18446744073709551615 {}\nseries 2 {a=\"\xC3\xBC\"}\n"},
    {WAL_SAMPLES, "02 0000000000000001 " T0 " 00 00 " ONE " 08 09 7FF0000000000002",
     "sample 1 t 1700000000000 st 0 bits 3ff0000000000000\n"
     "sample 5 t 1699999999995 st 0 bits 7ff0000000000002\n"},
    {WAL_SAMPLES, "02", ""},
    /* references below the base, and beyond 2^64 */
    {WAL_SAMPLES, "02 0000000000000001 8000000000000000 00 00 " ONE " 03 02 " HALF,
     "sample 1 t -9223372036854775808 st 0 bits 3ff0000000000000\n"
     "sample 18446744073709551615 t -9223372036854775807 st 0 bits 3fe0000000000000\n"},
    {WAL_TOMBSTONES, "03 0000000000000005 FFFFFFFFFFFFFFFFFF01 FEFFFFFFFFFFFFFFFF01",
     "tombstone 5 -9223372036854775808 9223372036854775807\n"},
    {WAL_EXEMPLARS, "04 0000000000000007 " T0 " 00 00 " HALF " 01 08 74726163655F6964 02 6162",
     "exemplar 7 t 1700000000000 bits 3fe0000000000000 {trace_id=\"ab\"}\n"},
    {WAL_MMAP_MARKERS, "05 0000000000000001 0000000100000002", "markers\n"},
    {WAL_METADATA, "06 01 02 02 04 554E4954 00 04 48454C50 03 55702E",
     "metadata 1 type 2 unit \"\" help \"Up.\"\n"},
    {WAL_METADATA, "06 AC02 01 02 04 554E4954 05 6279746573 04 48454C50 00",
     "metadata 300 type 1 unit \"bytes\" help \"\"\n"},
    {WAL_HISTOGRAMS,
     "07 0000000000000009 " T0 " 00 00 00 02 3F50624DD2F1A9FC 02 0C 4032666666666666 "
     "02 00 02 02 02 00 04 02 02 01 00 00",
     "histogram 9 t 1700000000000 st 0 hint 0 schema 1 zt 3f50624dd2f1a9fc zc 2 c c "
     "sum 4032666666666666 pos(0,2)(1,2) 1 1 -1 0 neg\n"},
    {WAL_FLOAT_HISTOGRAMS,
     "08 0000000000000003 " T0 " 00 00 01 00 0000000000000000 3FF8000000000000 "
     "4010000000000000 4002000000000000 01 01 02 01 02 01 02 " ONE " 3FF8000000000000 01 " HALF,
     "float_histogram 3 t 1700000000000 st 0 hint 1 schema 0 zt 0 zc 3ff8000000000000 "
     "c 4010000000000000 sum 4002000000000000 pos(-1,2) 3ff0000000000000 3ff8000000000000 "
     "neg(1,1) 3fe0000000000000\n"},
    /* the base may be of an item that went to another record */
    {WAL_CUSTOM_HISTOGRAMS,
     "09 0000000000000004 " T0 " 02 04 03 69 0000000000000000 00 03 3FF8000000000000 "
     "01 00 02 00 02 02 02 00 02 3FB999999999999A " HALF,
     "histogram 5 t 1700000000002 st 0 hint 3 schema -53 zt 0 zc 0 c 3 sum 3ff8000000000000 "
     "pos(0,2) 1 1 neg le 3fb999999999999a 3fe0000000000000\n"},
    {WAL_CUSTOM_FLOAT_HISTOGRAMS,
     "0A 0000000000000004 " T0 " 00 00 02 69 0000000000000000 0000000000000000 " ONE
     " 3FF8000000000000 01 02 01 00 01 " ONE " 00 01 " HALF,
     "float_histogram 4 t 1700000000000 st 0 hint 2 schema -53 zt 0 zc 0 c 3ff0000000000000 "
     "sum 3ff8000000000000 pos(1,1) 3ff0000000000000 neg le 3fe0000000000000\n"},
    {WAL_SAMPLES_V2,
     "0B 02 80A0ABFEF962 E083AAFEF962 " ONE " 08 09 01 4000000000000000 "
     "03 00 00 4008000000000000 02 14 02 E807 4010000000000000",
     "sample 1 t 1700000000000 st 1699999990000 bits 3ff0000000000000\n"
     "sample 5 t 1699999999995 st 1699999990000 bits 4000000000000000\n"
     "sample 3 t 1700000000000 st 0 bits 4008000000000000\n"
     "sample 4 t 1700000000010 st 1699999990500 bits 4010000000000000\n"},
    {WAL_HISTOGRAMS_V2,
     "0C 12 80A0ABFEF962 E083AAFEF962 00 00 0000000000000000 01 01 " HALF " 00 00 00 00 "
     "02 02 01 00 69 0000000000000000 00 01 " HALF " 01 00 01 00 01 02 00 01 " ONE
     " 02 00 00 00 00 0000000000000000 00 00 " HALF " 00 00 00 00",
     "histogram 9 t 1700000000000 st 1699999990000 hint 0 schema 0 zt 0 zc 1 c 1 "
     "sum 3fe0000000000000 pos neg\n"
     "histogram 10 t 1700000000001 st 1699999990000 hint 0 schema -53 zt 0 zc 0 c 1 "
     "sum 3fe0000000000000 pos(0,1) 1 neg le 3ff0000000000000\n"
     "histogram 11 t 1700000000000 st 0 hint 0 schema 0 zt 0 zc 0 c 0 "
     "sum 3fe0000000000000 pos neg\n"},
    {WAL_FLOAT_HISTOGRAMS_V2,
     "0D 12 80A0ABFEF962 00 03 07 0000000000000000 0000000000000000 0000000000000000 "
     "7FF0000000000002 00 00 00 00 "
     "01 00 02 02 00 00 0000000000000000 " ONE " " ONE " " HALF " 00 01 03 02 00 02 " ONE " " HALF,
     "float_histogram 9 t 1700000000000 st 0 hint 3 schema -4 zt 0 zc 0 c 0 "
     "sum 7ff0000000000002 pos neg\n"
     "float_histogram 8 t 1700000000000 st 1 hint 0 schema 0 zt 0 zc 3ff0000000000000 "
     "c 3ff0000000000000 sum 3fe0000000000000 pos neg(-2,2) 3ff0000000000000 3fe0000000000000\n"},
};

static void unhex(const char *hex, struct buf *out)
{
    buf_clear(out);
    for (; *hex != '\0'; hex++) {
        if (*hex == ' ') {
            continue;
        }
        char digits[3] = {hex[0], hex[1], '\0'};
        uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);
        ck_assert(buf_append(out, &byte, 1));
        hex++;
    }
}

static struct view view_buf(const struct buf *buf)
{
    return view_of(buf->data, buf->bytes);
}

struct fixture {
    struct buf record, again, text;
};

static void fixture_init(struct fixture *fixture)
{
    buf_init(&fixture->record, WAL_WRITER_BUF_BYTES_MAX);
    buf_init(&fixture->again, WAL_WRITER_BUF_BYTES_MAX);
    buf_init(&fixture->text, WAL_WRITER_BUF_BYTES_MAX);
}

static void fixture_release(struct fixture *fixture)
{
    buf_release(&fixture->record);
    buf_release(&fixture->again);
    buf_release(&fixture->text);
}

static void expect_text(struct fixture *fixture, const char *text)
{
    buf_clear(&fixture->text);
    wal_text(view_buf(&fixture->record), &fixture->text);
    ck_assert(buf_append(&fixture->text, "", 1));
    ck_assert_str_eq((const char *)fixture->text.data, text);
}

static uint64_t lines_in(const char *text)
{
    uint64_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == '\n' ? 1 : 0;
    }
    return count;
}

START_TEST(golden_bytes_decode_to_their_items)
{
    struct fixture fixture;
    const struct golden *golden = &goldens[_i];
    fixture_init(&fixture);
    unhex(golden->hex, &fixture.record);
    uint64_t items = 99;
    ck_assert_int_eq(wal_record_type(view_buf(&fixture.record)), golden->type);
    ck_assert(wal_record_check(view_buf(&fixture.record), &items));
    ck_assert_uint_eq(items, lines_in(golden->text));
    expect_text(&fixture, golden->text);
    fixture_release(&fixture);
}
END_TEST

START_TEST(items_encode_to_their_golden_bytes)
{
    struct fixture fixture;
    fixture_init(&fixture);
    unhex(goldens[_i].hex, &fixture.record);
    ck_assert(wal_recode(view_buf(&fixture.record), &fixture.again));
    /* one golden record has a base that the writer itself would not choose: decode it again */
    if (goldens[_i].type == WAL_CUSTOM_HISTOGRAMS) {
        ck_assert(fixture.again.bytes == fixture.record.bytes);
        buf_clear(&fixture.record);
        ck_assert(buf_append(&fixture.record, fixture.again.data, fixture.again.bytes));
        expect_text(&fixture, goldens[_i].text);
    } else {
        ck_assert_uint_eq(fixture.again.bytes, fixture.record.bytes);
        ck_assert_mem_eq(fixture.again.data, fixture.record.data, fixture.record.bytes);
    }
    fixture_release(&fixture);
}
END_TEST

/* Where a cut happens to leave whole items the record is good and has fewer of them. */
START_TEST(a_record_cut_anywhere_is_refused_or_has_fewer_items)
{
    struct fixture fixture;
    fixture_init(&fixture);
    unhex(goldens[_i].hex, &fixture.record);
    uint64_t whole;
    ck_assert(wal_record_check(view_buf(&fixture.record), &whole));
    unsigned refused = 0;
    for (size_t bytes = 1; bytes < fixture.record.bytes; bytes++) {
        uint64_t items;
        bool good = wal_record_check(view_of(fixture.record.data, bytes), &items);
        ck_assert(!good || items < whole);
        refused += good ? 0 : 1;
    }
    ck_assert(refused + 2 * whole + 1 >= fixture.record.bytes - 1);
    fixture_release(&fixture);
}
END_TEST

START_TEST(bytes_behind_the_last_item_are_refused)
{
    struct fixture fixture;
    fixture_init(&fixture);
    unhex(goldens[_i].hex, &fixture.record);
    uint64_t items;
    ck_assert(buf_append(&fixture.record, "\x80", 1));
    ck_assert(!wal_record_check(view_buf(&fixture.record), &items));
    fixture_release(&fixture);
}
END_TEST

static const struct {
    const char *hex;
    const char *why;
} refused[] = {
    {"", "no type"},
    {"00", "type 0"},
    {"0E 00", "a type not known yet"},
    {"63 0102", "a type not known yet"},
    {"01 0000000000000001 FFFFFFFF0F", "more labels than bytes"},
    {"01 0000000000000001 01 FFFFFFFFFFFFFFFFFF01 61", "a string of 2^64 - 1 bytes"},
    {"02 0000000000000001 " T0 " FFFFFFFFFFFFFFFFFF02 00 " ONE, "a varint beyond 64 bits"},
    {"02 0000000000000001 " T0 " FFFFFFFFFFFFFFFFFFFF01 00 " ONE, "a varint of 11 bytes"},
    {"02 0000000000000001 " T0 " FFFFFFFFFFFFFFFFFF02 00 " ONE " 00 00 " ONE " 00 00 " ONE,
     "a varint beyond 64 bits, far from the end"},
    {"0B 02 02 02 " ONE " FFFFFFFFFFFFFFFFFF02 00 00 " ONE " 00 00 00 " ONE " 00 00 00 " ONE,
     "the same in the other encoding"},
    {"07 0000000000000009 " T0 " 00 00 00 02 0000000000000000 00 00 0000000000000000 FFFFFFFF0F",
     "more spans than bytes"},
    {"07 0000000000000009 " T0 " 00 00 00 02 0000000000000000 00 00 0000000000000000 00 00 05 00",
     "more buckets than bytes"},
    {"09 0000000000000009 " T0 " 00 00 00 69 0000000000000000 00 00 0000000000000000 00 00 00 00",
     "custom buckets without bounds"},
    {"05 0000000000000001 00000001000000", "half a marker"},
};

START_TEST(what_can_not_be_is_refused)
{
    struct fixture fixture;
    fixture_init(&fixture);
    unhex(refused[_i].hex, &fixture.record);
    uint64_t items;
    ck_assert_msg(!wal_record_check(view_buf(&fixture.record), &items), "%s", refused[_i].why);
    fixture_release(&fixture);
}
END_TEST

static void series_of(struct buf *out, size_t labels_count, size_t value_bytes)
{
    static struct label labels[LABELS_COUNT_MAX + 1];
    static char value[LABELS_BYTES_MAX + 1];
    memset(value, 'v', sizeof value);
    for (size_t i = 0; i < labels_count; i++) {
        labels[i] = (struct label){"n", value, 1, (uint32_t)value_bytes};
    }
    struct wal_series series = {1, labels_count, labels};
    wal_put_series(out, &series, 1);
}

START_TEST(label_sets_up_to_the_limits_are_taken_and_no_further)
{
    struct fixture fixture;
    uint64_t items;
    fixture_init(&fixture);
    series_of(&fixture.record, LABELS_COUNT_MAX, 3);
    ck_assert(wal_record_check(view_buf(&fixture.record), &items));
    series_of(&fixture.record, LABELS_COUNT_MAX + 1, 3);
    ck_assert(!wal_record_check(view_buf(&fixture.record), &items));
    series_of(&fixture.record, 1, LABELS_BYTES_MAX - 1);
    ck_assert(wal_record_check(view_buf(&fixture.record), &items));
    series_of(&fixture.record, 1, LABELS_BYTES_MAX);
    ck_assert(!wal_record_check(view_buf(&fixture.record), &items));
    fixture_release(&fixture);
}
END_TEST

/* 2^28 spans of a dozen bytes: refused before anything is reserved for them. */
START_TEST(a_hostile_count_reserves_no_memory)
{
    struct fixture fixture;
    struct wal_histogram_iter iter;
    struct wal_histogram histogram;
    fixture_init(&fixture);
    unhex("07 0000000000000009 " T0 " 00 00 00 02 0000000000000000 00 00 0000000000000000 "
          "FFFFFF7F 00 00 00 00 00 00 00 00",
          &fixture.record);
    wal_histogram_init(&iter, view_buf(&fixture.record));
    ck_assert(!wal_histogram_next(&iter, &histogram));
    ck_assert_uint_le(iter.room_bytes, 4096);
    wal_histogram_release(&iter);
    fixture_release(&fixture);
}
END_TEST

START_TEST(other_metadata_fields_are_passed_over)
{
    struct fixture fixture;
    fixture_init(&fixture);
    unhex("06 01 02 03 03 585858 01 61 04 48454C50 01 68 04 554E4954 01 75", &fixture.record);
    expect_text(&fixture, "metadata 1 type 2 unit \"u\" help \"h\"\n");
    fixture_release(&fixture);
}
END_TEST

START_TEST(schemas_that_upstream_keeps_are_known)
{
    static const int32_t known[] = {-53, -9, -4, 0, 8, 9, 52};
    static const int32_t unknown[] = {-54, -52, -10, 53, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        ck_assert(wal_histogram_schema_known(known[i]));
    }
    for (size_t i = 0; i < ARRAY_COUNT(unknown); i++) {
        ck_assert(!wal_histogram_schema_known(unknown[i]));
    }
}
END_TEST

START_TEST(types_have_the_names_of_prometheus_metric_labels)
{
    ck_assert_str_eq(wal_type_name(WAL_SERIES), "series");
    ck_assert_str_eq(wal_type_name(WAL_CUSTOM_FLOAT_HISTOGRAMS),
                     "custom_buckets_float_histogram_samples");
    ck_assert_str_eq(wal_type_name(WAL_UNKNOWN), "unknown");
    for (int type = 0; type < WAL_TYPES; type++) {
        ck_assert_ptr_nonnull(wal_type_name((enum wal_type)type));
    }
}
END_TEST

/* Numbers of every size, so that varints of every length occur. */
static uint64_t any_size(struct rng *rng)
{
    return rng_next(rng) >> rng_below(rng, 64);
}

START_TEST(random_samples_come_back_whatever_the_room)
{
    struct fixture fixture;
    struct rng rng = {(uint64_t)_i};
    struct wal_sample items[200];
    struct wal_sample got[200];
    enum wal_type type = _i % 2 == 0 ? WAL_SAMPLES : WAL_SAMPLES_V2;
    size_t count = (size_t)rng_below(&rng, ARRAY_COUNT(items) + 1);
    for (size_t i = 0; i < count; i++) {
        bool same = i > 0 && rng_below(&rng, 3) == 0;
        items[i] = (struct wal_sample){any_size(&rng), (int64_t)any_size(&rng), 0, rng_next(&rng)};
        items[i].st_ms = type == WAL_SAMPLES ? 0
                         : same              ? items[i - 1].st_ms
                                             : (int64_t)rng_below(&rng, 3) - 1;
    }
    fixture_init(&fixture);
    wal_put_samples(&fixture.record, type, items, count);
    uint64_t checked;
    ck_assert(wal_record_check(view_buf(&fixture.record), &checked));
    ck_assert_uint_eq(checked, count);
    struct wal_sample_iter iter;
    wal_sample_init(&iter, view_buf(&fixture.record));
    size_t read = 0;
    size_t more;
    do {
        size_t room = 1 + (size_t)rng_below(&rng, 20);
        room = room < ARRAY_COUNT(got) - read ? room : ARRAY_COUNT(got) - read;
        more = wal_sample_next(&iter, got + read, room);
        read += more;
    } while (more > 0);
    ck_assert_uint_eq(read, count);
    ck_assert(count == 0 || memcmp(got, items, count * sizeof *items) == 0);
    fixture_release(&fixture);
}
END_TEST

static bool ends_with(const struct buf *buf, const char *text)
{
    size_t bytes = strlen(text);
    return buf->bytes >= bytes && memcmp(buf->data + buf->bytes - bytes, text, bytes) == 0;
}

/* On the heap and exactly as long: a read past the end is seen by the address sanitizer. */
START_TEST(mutated_records_never_read_out_of_bounds_and_check_agrees_with_the_iterators)
{
    struct fixture fixture;
    struct rng rng = {(uint64_t)_i + 1};
    fixture_init(&fixture);
    unhex(goldens[_i].hex, &fixture.record);
    for (int round = 0; round < 2000; round++) {
        size_t bytes = 1 + (size_t)rng_below(&rng, fixture.record.bytes);
        uint8_t *copy = malloc(bytes);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, fixture.record.data, bytes);
        for (uint64_t flips = rng_below(&rng, 4); flips > 0; flips--) {
            copy[rng_below(&rng, bytes)] ^= (uint8_t)(1u << rng_below(&rng, 8));
        }
        uint64_t items;
        bool good = wal_record_check(view_of(copy, bytes), &items);
        buf_clear(&fixture.text);
        wal_text(view_of(copy, bytes), &fixture.text);
        bool broken = ends_with(&fixture.text, "broken\n") || ends_with(&fixture.text, "unknown\n");
        if (wal_record_type(view_of(copy, bytes)) != WAL_MMAP_MARKERS) {
            ck_assert_int_eq(good, !broken);
        }
        free(copy);
    }
    fixture_release(&fixture);
}
END_TEST

Suite *suite_record(void);
Suite *suite_record(void)
{
    Suite *suite = suite_create("record");
    TCase *tcase = tcase_create("record");
    int count = ARRAY_COUNT(goldens);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, golden_bytes_decode_to_their_items, 0, count);
    tcase_add_loop_test(tcase, items_encode_to_their_golden_bytes, 0, count);
    tcase_add_loop_test(tcase, a_record_cut_anywhere_is_refused_or_has_fewer_items, 0, count);
    tcase_add_loop_test(tcase, bytes_behind_the_last_item_are_refused, 0, count);
    tcase_add_loop_test(tcase, what_can_not_be_is_refused, 0, ARRAY_COUNT(refused));
    tcase_add_test(tcase, label_sets_up_to_the_limits_are_taken_and_no_further);
    tcase_add_test(tcase, a_hostile_count_reserves_no_memory);
    tcase_add_test(tcase, other_metadata_fields_are_passed_over);
    tcase_add_test(tcase, schemas_that_upstream_keeps_are_known);
    tcase_add_test(tcase, types_have_the_names_of_prometheus_metric_labels);
    tcase_add_loop_test(tcase, random_samples_come_back_whatever_the_room, 0, 100);
    tcase_add_loop_test(
        tcase, mutated_records_never_read_out_of_bounds_and_check_agrees_with_the_iterators, 0,
        count);
    suite_add_tcase(suite, tcase);
    return suite;
}
