/* prom_checkpoint.c - truncation as the head does it: roll, build checkpoint.N.tmp out of the
 * previous checkpoint and the segments up to N, rename it, delete the segments, then the older
 * checkpoints. */
#include "prometheus.h"

#include <walship/limits.h>
#include <walship/mem.h>

enum { PATH_BYTES = 128, SERIES_A_RECORD = 100 };

static void tmp_path(const struct prometheus *prom, char *out)
{
    disk_path(prom, out, PATH_BYTES, "checkpoint.%08u.tmp", prom->checkpoint_next);
}

/* Alive, or of use to a segment that stays. */
static bool series_kept(const struct prometheus *prom, uint32_t index)
{
    const struct prom_series *series = &prom->series[index];
    if (prom->conf.forgetful && index % 5 == prom->checkpoint_next % 5) {
        return false;
    }
    return series->defined && !series->dropped &&
           (prom->sets[series->set].current == index ||
            series->used_segment > prom->checkpoint_next);
}

static void series_write(struct prometheus *prom, struct wal_writer *writer)
{
    struct wal_series items[SERIES_A_RECORD];
    size_t count = 0;
    for (uint32_t i = 0; i < prom->series_count; i++) {
        if (!series_kept(prom, i) || prom->series[i].defined_segment > prom->checkpoint_next) {
            continue;
        }
        struct prom_set *set = &prom->sets[prom->series[i].set];
        items[count++] = (struct wal_series){prom->series[i].ref, set->labels_count, set->labels};
        if (count == SERIES_A_RECORD) {
            wal_put_series(&prom->record, items, count);
            (void)wal_writer_log_buf(writer, &prom->record);
            count = 0;
        }
    }
    if (count > 0) {
        wal_put_series(&prom->record, items, count);
        (void)wal_writer_log_buf(writer, &prom->record);
    }
}

/* Samples in a checkpoint are copies without a place, or an agent's fakes: none may be sent. */
static void fakes_write(struct prometheus *prom, struct wal_writer *writer)
{
    struct wal_sample fakes[16];
    size_t count = 0;
    for (uint32_t i = 0; i < prom->series_count && count < ARRAY_COUNT(fakes); i++) {
        if (series_kept(prom, i)) {
            fakes[count++] = (struct wal_sample){.ref = prom->series[i].ref, .t_ms = 1, .bits = 0};
        }
    }
    wal_put_samples(&prom->record, WAL_SAMPLES, fakes, count);
    (void)wal_writer_log_buf(writer, &prom->record);
}

/* N by the rule of the head; it may not pass what walship needs unless the scenario is rough. */
static bool checkpoint_number(const struct prometheus *prom, uint32_t *out)
{
    uint32_t first = prom->first_segment;
    uint32_t last = prom->segment;
    if (last < first + 2) {
        return false;
    }
    *out = first + (last - 1 - first) * 2 / 3;
    uint32_t needed = oracle_segment_needed(prom->oracle);
    if (!prom->conf.truncate_unread && *out >= needed) {
        *out = needed == 0 ? 0 : needed - 1;
    }
    return *out > first && (!prom->has_checkpoint || *out > prom->checkpoint);
}

/* At a start: what a crash left half built goes. An old checkpoint may stay for ever. */
void checkpoint_clean(struct prometheus *prom)
{
    char path[PATH_BYTES];
    tmp_path(prom, path);
    if (fake_os_exists(prom->os, path)) {
        fake_os_unlink(prom->os, path);
    }
}

bool checkpoint_build(struct prometheus *prom)
{
    char path[PATH_BYTES];
    uint32_t number;
    if (!checkpoint_number(prom, &number)) {
        return false;
    }
    disk_roll(prom);
    prom->checkpoint_next = number;
    struct wal_writer writer;
    wal_writer_init(&writer, prom->writer.compression);
    series_write(prom, &writer);
    fakes_write(prom, &writer);
    wal_writer_pad(&writer);
    tmp_path(prom, path);
    checkpoint_clean(prom);
    fake_os_mkdir(prom->os, path);
    char file[PATH_BYTES + 16];
    snprintf(file, sizeof file, "%s/00000000", path);
    fake_os_append(prom->os, file, writer.bytes.data, writer.bytes.bytes);
    wal_writer_release(&writer);
    return true;
}

void checkpoint_rename(struct prometheus *prom)
{
    char from[PATH_BYTES];
    char to[PATH_BYTES];
    tmp_path(prom, from);
    disk_path(prom, to, sizeof to, "checkpoint.%08u", prom->checkpoint_next);
    fake_os_rename(prom->os, from, to);
    for (uint32_t i = 0; i < prom->series_count; i++) {
        struct prom_series *series = &prom->series[i];
        if (series->defined && !series->dropped && !series_kept(prom, i)) {
            series->dropped = true;
            oracle_source_forgotten(prom->oracle, i, prom->checkpoint_next);
            lives_series_dropped(prom, i);
        }
    }
    prom->has_old_checkpoint = prom->has_checkpoint;
    prom->old_checkpoint = prom->checkpoint;
    prom->has_checkpoint = true;
    prom->checkpoint = prom->checkpoint_next;
    /* from now on their series records may be nowhere, also if a crash leaves the files */
    for (uint32_t i = prom->first_segment; i <= prom->checkpoint; i++) {
        oracle_segment_removed(prom->oracle, i);
    }
    prom->checkpoints++;
    report_line(prom->report, "prometheus: checkpoint.%08u", prom->checkpoint_next);
}

bool checkpoint_delete_one(struct prometheus *prom)
{
    char path[PATH_BYTES];
    if (prom->first_segment <= prom->checkpoint) {
        disk_path(prom, path, sizeof path, "%08u", prom->first_segment);
        lives_segment_deleted(prom, prom->first_segment);
        fake_os_unlink(prom->os, path);
        report_line(prom->report, "prometheus: deletes segment %u", prom->first_segment);
        prom->first_segment++;
        return true;
    }
    if (prom->has_old_checkpoint) {
        disk_path(prom, path, sizeof path, "checkpoint.%08u", prom->old_checkpoint);
        fake_os_unlink(prom->os, path);
        prom->has_old_checkpoint = false;
    }
    return false;
}
