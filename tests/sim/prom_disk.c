/* prom_disk.c - the bytes of the segments: written in parts, torn, padded, repaired. */
#include "prometheus.h"

#include <walship/limits.h>
#include <walship/mem.h>

enum { PATH_BYTES = 128 };

void disk_path(const struct prometheus *prom, char *out, size_t bytes, const char *format,
               uint32_t number)
{
    char name[64];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, sizeof name, format, number);
#pragma GCC diagnostic pop
    int used = snprintf(out, bytes, "%s/%s", prom->dir, name);
    ASSERT(used > 0 && (size_t)used < bytes);
}

static void segment_path(const struct prometheus *prom, char *out, uint32_t number)
{
    disk_path(prom, out, PATH_BYTES, "%08u", number);
}

/* Records whose last byte is in the file now. */
static void queue_settle(struct prometheus *prom)
{
    size_t done = 0;
    while (done < prom->queue_count && prom->queue[done].end <= prom->written) {
        const struct prom_record *record = &prom->queue[done++];
        for (uint32_t i = 0; i < record->item_count; i++) {
            oracle_item_visible(prom->oracle, record->item_first + i);
        }
    }
    prom->queue_count -= done;
    memmove(prom->queue, prom->queue + done, prom->queue_count * sizeof prom->queue[0]);
}

void disk_push(struct prometheus *prom, size_t bytes)
{
    char path[PATH_BYTES];
    size_t end = bytes < prom->writer.bytes.bytes ? bytes : prom->writer.bytes.bytes;
    if (end > prom->written) {
        segment_path(prom, path, prom->segment);
        fake_os_append(prom->os, path, prom->writer.bytes.data + prom->written,
                       end - prom->written);
        prom->written = end;
    }
    queue_settle(prom);
}

/* A reader may see any prefix of what is being written. Not a cut in the last few bytes of a
 * record, though: they may be the page's padding, and then the record is whole before its end. */
void disk_push_part(struct prometheus *prom)
{
    size_t left = prom->writer.bytes.bytes - prom->written;
    if (left == 0) {
        return;
    }
    size_t cut = prom->written + 1 + (size_t)rng_below(&prom->rng, left);
    for (size_t i = 0; i < prom->queue_count; i++) {
        size_t end = prom->queue[i].end;
        if (cut < end && cut + WAL_FRAGMENT_HEADER_BYTES > end) {
            cut = end;
        }
    }
    disk_push(prom, cut);
}

static void record_lost(struct prometheus *prom, const struct prom_record *record)
{
    for (uint32_t i = 0; i < record->item_count; i++) {
        oracle_item_torn(prom->oracle, record->item_first + i);
    }
    for (uint32_t i = 0; i < record->series_count; i++) {
        prom->series[record->series_first + i].defined = false;
        prom->series[record->series_first + i].lost = true;
        oracle_source_unknown(prom->oracle, record->series_first + i);
    }
}

/* The page that was full is in the file, the rest of the record never will be; the next record
 * begins a page. What was logged counts for nothing, and the head does not know. */
static void write_fails(struct prometheus *prom, size_t start)
{
    size_t page_end = (start / WAL_PAGE_BYTES + 1) * WAL_PAGE_BYTES;
    const struct prom_record *record = &prom->queue[--prom->queue_count];
    record_lost(prom, record);
    if (prom->history[prom->history_count - 1].start == record->start) {
        prom->history_count--;
    }
    prom->kept.bytes = record->kept;
    prom->records--;
    wal_writer_tear(&prom->writer, prom->writer.bytes.bytes - page_end);
    report_line(prom->report, "prometheus: a write fails, a record is cut at %zu", page_end);
}

void disk_log(struct prometheus *prom, uint32_t item_first)
{
    if (prom->queue_count == RECORDS_QUEUED_MAX) {
        disk_push(prom, SIZE_MAX);
    }
    size_t kept = prom->kept.bytes;
    uint32_t bytes = (uint32_t)prom->record.bytes;
    size_t start = wal_writer_log_buf(&prom->writer, &prom->record);
    bool ok = buf_append(&prom->kept, &bytes, sizeof bytes) &&
              buf_append(&prom->kept, prom->record.data, bytes);
    ASSERT(ok);
    prom->queue[prom->queue_count++] = (struct prom_record){start,
                                                            prom->writer.bytes.bytes,
                                                            kept,
                                                            item_first,
                                                            prom->oracle->items_count - item_first,
                                                            prom->series_logged,
                                                            prom->series_logged_count};
    if (prom->history_count < RECORDS_QUEUED_MAX) {
        prom->history[prom->history_count++] = prom->queue[prom->queue_count - 1];
    }
    prom->series_logged_count = 0;
    prom->records++;
    if (start / WAL_PAGE_BYTES != (prom->writer.bytes.bytes - 1) / WAL_PAGE_BYTES &&
        rng_below(&prom->rng, 100) < prom->conf.failed_write_percent) {
        write_fails(prom, start);
    }
}

void disk_segment_new(struct prometheus *prom, uint32_t number)
{
    char path[PATH_BYTES];
    segment_path(prom, path, number);
    fake_os_append(prom->os, path, "", 0);
    lives_keep(prom, prom->segment, &prom->kept);
    oracle_segment_closed(prom->oracle);
    wal_writer_clear(&prom->writer);
    buf_clear(&prom->kept);
    prom->written = 0;
    prom->records = 0;
    prom->history_count = 0;
    prom->segment = number;
    report_line(prom->report, "prometheus: segment %u", number);
}

void disk_roll(struct prometheus *prom)
{
    wal_writer_pad(&prom->writer);
    disk_push(prom, SIZE_MAX);
    ASSERT(prom->queue_count == 0);
    disk_segment_new(prom, prom->segment + 1);
}

void disk_stop(struct prometheus *prom)
{
    wal_writer_pad(&prom->writer);
    disk_push(prom, SIZE_MAX);
    report_line(prom->report, "prometheus: stops");
}

/* The machine lost power: what was not on the disk yet is gone, whoever read it. */
static void power_loss(struct prometheus *prom)
{
    char path[PATH_BYTES];
    size_t from = prom->history_count / 2 +
                  (size_t)rng_below(&prom->rng, prom->history_count - prom->history_count / 2);
    const struct prom_record *first = &prom->history[from];
    if (first->start >= prom->written) {
        return;
    }
    size_t end = first->end < prom->written ? first->end : prom->written;
    size_t keep = first->start;
    if (rng_below(&prom->rng, 2) == 0) {
        keep += (size_t)rng_below(&prom->rng, end - first->start);
    }
    segment_path(prom, path, prom->segment);
    fake_os_truncate(prom->os, path, keep);
    prom->written = keep;
    prom->torn = keep > first->start;
    prom->torn_segment = prom->segment;
    prom->kept.bytes = first->kept;
    oracle_power_loss(prom->oracle, prom->segment);
    for (size_t i = from; i < prom->history_count; i++) {
        const struct prom_record *record = &prom->history[i];
        for (uint32_t k = 0; k < record->item_count; k++) {
            oracle_item_lost(prom->oracle, record->item_first + k);
        }
        for (uint32_t k = 0; k < record->series_count; k++) {
            prom->series[record->series_first + k].defined = false;
        }
    }
    prom->refs_again = prom->conf.late_percent == 0; /* or a parked item would get other labels */
    buf_clear(&prom->whole);
    if (prom->torn) {
        bool ok = buf_append(&prom->whole, prom->kept.data, prom->kept.bytes);
        ASSERT(ok);
    }
    report_line(prom->report, "prometheus: power is lost, segment %u has %zu bytes%s",
                prom->segment, keep, prom->torn ? ", torn" : "");
}

/* SIGKILL: what write(2) took stays, which may end inside a record. */
void disk_kill(struct prometheus *prom)
{
    if (rng_below(&prom->rng, 100) >= prom->conf.torn_percent) {
        disk_push(prom, SIZE_MAX);
    } else {
        disk_push_part(prom);
    }
    for (size_t i = 0; i < prom->queue_count; i++) {
        record_lost(prom, &prom->queue[i]);
    }
    prom->torn = prom->queue_count > 0 && prom->written > prom->queue[0].start;
    prom->torn_segment = prom->segment;
    prom->kept.bytes = prom->queue_count > 0 ? prom->queue[0].kept : prom->kept.bytes;
    if (prom->torn) {
        bool ok = buf_append(&prom->whole, prom->kept.data, prom->kept.bytes);
        ASSERT(ok);
    }
    prom->queue_count = 0;
    if (prom->history_count > 0 && prom->history_count < RECORDS_QUEUED_MAX &&
        rng_below(&prom->rng, 100) < prom->conf.power_percent) {
        power_loss(prom);
    }
    report_line(prom->report, "prometheus: killed, segment %u has %zu bytes%s", prom->segment,
                prom->written, prom->torn ? ", torn" : "");
}

/* The new process has made a segment, found K torn, and repairs: all above K go, K is moved
 * aside. */
void disk_repair_begin(struct prometheus *prom)
{
    char from[PATH_BYTES];
    char to[PATH_BYTES];
    uint32_t torn = prom->torn_segment;
    for (uint32_t i = torn + 1; i <= prom->segment; i++) {
        segment_path(prom, from, i);
        fake_os_unlink(prom->os, from);
    }
    segment_path(prom, from, torn);
    disk_path(prom, to, sizeof to, "%08u.repair", torn);
    fake_os_rename(prom->os, from, to);
    prom->oracle->repaired = true;
    report_line(prom->report, "prometheus: repairs segment %u", torn);
}

/* The whole records again, compressed as is the setting now. */
static void copy_make(struct prometheus *prom, struct wal_writer *fresh)
{
    wal_writer_init(fresh, prom->repair_compression);
    struct view left = view_of(prom->whole.data, prom->whole.bytes);
    while (view_left(&left) > 0) {
        uint32_t bytes;
        memcpy(&bytes, view_take(&left, sizeof bytes).at, sizeof bytes);
        struct view record = view_take(&left, bytes);
        (void)wal_writer_log(fresh, record.at, view_left(&record));
    }
    ASSERT(view_ok(&left));
    wal_writer_pad(fresh);
}

/* A file of a new inode, under the old name, part of which is there. */
void disk_repair_part(struct prometheus *prom)
{
    char path[PATH_BYTES];
    struct wal_writer fresh;
    segment_path(prom, path, prom->torn_segment);
    copy_make(prom, &fresh);
    size_t part = (size_t)rng_below(&prom->rng, fresh.bytes.bytes + 1);
    fake_os_append(prom->os, path, fresh.bytes.data, part);
    wal_writer_release(&fresh);
}

/* All of it, then K+1. */
void disk_repair_end(struct prometheus *prom)
{
    char path[PATH_BYTES];
    char aside[PATH_BYTES];
    uint32_t torn = prom->torn_segment;
    struct wal_writer fresh;
    segment_path(prom, path, torn);
    disk_path(prom, aside, sizeof aside, "%08u.repair", torn);
    copy_make(prom, &fresh);
    size_t part = fake_os_exists(prom->os, path) ? (size_t)fake_os_bytes(prom->os, path) : 0;
    fake_os_append(prom->os, path, fresh.bytes.data + part, fresh.bytes.bytes - part);
    fake_os_unlink(prom->os, aside);
    wal_writer_release(&fresh);
    lives_keep(prom, torn, &prom->whole);
    buf_clear(&prom->whole);
    prom->torn = false;
    prom->repairs++;
    disk_segment_new(prom, torn + 1);
}

void disk_flip(struct prometheus *prom)
{
    char path[PATH_BYTES];
    uint32_t number = prom->first_segment +
                      (uint32_t)rng_below(&prom->rng, prom->segment - prom->first_segment + 1);
    segment_path(prom, path, number);
    uint64_t bytes = fake_os_bytes(prom->os, path);
    if (bytes == 0) {
        return;
    }
    uint64_t at = rng_below(&prom->rng, bytes);
    uint8_t byte = fake_os_data(prom->os, path)[at];
    byte = (uint8_t)(byte ^ (1u << rng_below(&prom->rng, 8)));
    fake_os_overwrite(prom->os, path, at, &byte, 1);
    oracle_segment_damaged(prom->oracle, number);
    report_line(prom->report, "prometheus: byte %llu of segment %u is damaged",
                (unsigned long long)at, number);
}
