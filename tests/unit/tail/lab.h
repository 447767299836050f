/* lab.h - what the tests of this folder share: a fake disk with a WAL, a directory and a tail on
 * it.
 *
 * Record number k of a lab holds "r<k>" and filler, so that a test says which records it expects by
 * number. The tail does not decode them, so they need not be real ones. */
#ifndef TEST_TAIL_LAB_H
#define TEST_TAIL_LAB_H

#include "fake_os.h"
#include "wal_writer.h"

#include <check.h>
#include <errno.h>
#include <walship/crc32c.h>
#include <walship/limits.h>
#include <walship/tail.h>

enum { LAB_RECORD_BYTES_MAX = 200000 };

struct lab {
    struct fake_os *fake;
    struct os *os;
    struct waldir *dir;
    struct tail *tail;
    struct tail_out out;
    struct err err;
    bool changed, replaced;
};

static inline void lab_init(struct lab *lab)
{
    *lab = (struct lab){.fake = fake_os_new(1)};
    lab->os = fake_os_seam(lab->fake);
    fake_os_mkdir(lab->fake, "/wal");
}

static inline void lab_open(struct lab *lab)
{
    lab->dir = waldir_open(lab->os, "/wal", &lab->err);
    ck_assert_msg(lab->dir != NULL, "%s", lab->err.text);
    lab->tail = tail_new(lab->dir);
}

static inline void lab_release(struct lab *lab)
{
    tail_free(lab->tail);
    waldir_free(lab->dir);
    fake_os_free(lab->fake); /* aborts if a descriptor was left open */
}

/* Until the next call. */
static inline const char *lab_path(uint32_t number)
{
    static char path[64];
    (void)snprintf(path, sizeof path, "/wal/%08u", number);
    return path;
}

/* The same for a number and length, whatever the test. */
static inline size_t lab_record(uint8_t *out, uint32_t number, size_t bytes)
{
    struct rng rng = {number};
    size_t name = (size_t)snprintf((char *)out, 16, "r%u;", number);
    for (size_t i = name; i < bytes; i++) {
        out[i] = (uint8_t)rng_next(&rng);
    }
    return bytes > name ? bytes : name;
}

struct lab_records {
    uint32_t first, count;
    size_t bytes; /* of each record */
    bool padded;  /* the last page is filled with zeros */
    size_t torn;  /* that many bytes at the end are missing */
    enum wal_writer_compression compression;
};

static inline void lab_write(struct wal_writer *writer, const struct lab_records *records)
{
    static uint8_t record[LAB_RECORD_BYTES_MAX];
    wal_writer_init(writer, records->compression);
    for (uint32_t i = 0; i < records->count; i++) {
        size_t bytes = lab_record(record, records->first + i, records->bytes);
        wal_writer_log(writer, record, bytes);
    }
    if (records->padded) {
        wal_writer_pad(writer);
    }
    if (records->torn > 0) {
        wal_writer_tear(writer, records->torn);
    }
}

static inline void lab_file(struct lab *lab, const char *path, const struct lab_records *records)
{
    struct wal_writer writer;
    lab_write(&writer, records);
    fake_os_append(lab->fake, path, writer.bytes.data, writer.bytes.bytes);
    wal_writer_release(&writer);
}

static inline void lab_segment(struct lab *lab, uint32_t number, const struct lab_records *records)
{
    lab_file(lab, lab_path(number), records);
}

static inline void lab_refresh(struct lab *lab)
{
    bool ok = waldir_refresh(lab->dir, &lab->changed, &lab->replaced, &lab->err);
    ck_assert_msg(ok, "%s", lab->err.text);
}

/* Looks, and looks again when a replaced directory has stood still long enough to be told. */
static inline void lab_settle(struct lab *lab)
{
    lab_refresh(lab);
    fake_os_advance(lab->fake, 1000);
    lab_refresh(lab);
}

static inline enum tail_status lab_next(struct lab *lab)
{
    return tail_next(lab->tail, &lab->out, &lab->err);
}

static inline uint32_t lab_number(const struct tail_out *out)
{
    uint32_t number = 0;
    const char *text = (const char *)out->record.at;
    ck_assert_uint_ge(view_left(&out->record), 3);
    ck_assert_int_eq(text[0], 'r');
    for (size_t i = 1; i < view_left(&out->record) && text[i] != ';'; i++) {
        number = number * 10 + (uint32_t)(text[i] - '0');
    }
    return number;
}

/* The next `count` calls give the records first, first + 1, ... */
static inline void lab_expect(struct lab *lab, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        enum tail_status status = lab_next(lab);
        ck_assert_msg(status == TAIL_RECORD, "status %d instead of record %u: %s %s", (int)status,
                      first + i, lab->err.text,
                      lab->out.damage_text == NULL ? "" : lab->out.damage_text);
        ck_assert_uint_eq(lab_number(&lab->out), first + i);
    }
}

static inline void lab_expect_status(struct lab *lab, enum tail_status expected)
{
    enum tail_status status = lab_next(lab);
    ck_assert_msg(status == expected, "status %d instead of %d: %s %s", (int)status, (int)expected,
                  lab->err.text, lab->out.damage_text == NULL ? "" : lab->out.damage_text);
}

static inline void lab_expect_gap(struct lab *lab, uint32_t from, uint32_t to)
{
    lab_expect_status(lab, TAIL_GAP);
    ck_assert_uint_eq(lab->out.gap_from, from);
    ck_assert_uint_eq(lab->out.gap_to, to);
}

#endif
