/* prom_backup.c - a copy of the directory, made while the head runs, and what it is to put it back:
 * the WAL is what it was then, in files of other inodes, and goes on under numbers that were used
 * already. What walship had shipped of the time between, only it knows. */
#include "prometheus.h"

#include <walship/mem.h>

enum { PATH_BYTES = 128 };

/* ---- the copy ---- */

static void file_copy(struct prometheus *prom, const char *path)
{
    struct prom_backup *backup = &prom->backup;
    if (!fake_os_exists(prom->os, path)) {
        return;
    }
    backup->files = mem_grow(backup->files, backup->files_count + 1, sizeof *backup->files);
    struct prom_file *file = &backup->files[backup->files_count++];
    file->path = mem_string(path);
    buf_init(&file->bytes, KEPT_BYTES_MAX);
    bool ok = buf_append(&file->bytes, fake_os_data(prom->os, path), fake_os_bytes(prom->os, path));
    ASSERT(ok);
}

void backup_release(struct prometheus *prom)
{
    struct prom_backup *backup = &prom->backup;
    for (size_t i = 0; i < backup->files_count; i++) {
        mem_free(backup->files[i].path);
        buf_release(&backup->files[i].bytes);
    }
    mem_free(backup->files);
    mem_free(backup->series);
    *backup = (struct prom_backup){0};
}

void backup_take(struct prometheus *prom)
{
    char path[PATH_BYTES];
    struct prom_backup *backup = &prom->backup;
    disk_push(prom, SIZE_MAX);
    ASSERT(prom->queue_count == 0);
    backup_release(prom);
    for (uint32_t i = prom->first_segment; i <= prom->segment; i++) {
        disk_path(prom, path, sizeof path, "%08u", i);
        file_copy(prom, path);
    }
    if (prom->has_checkpoint) {
        disk_path(prom, path, sizeof path, "checkpoint.%08u/00000000", prom->checkpoint);
        file_copy(prom, path);
    }
    backup->taken = true;
    backup->series = mem_new(prom->series_count + 1, sizeof *backup->series);
    memcpy(backup->series, prom->series, prom->series_count * sizeof *backup->series);
    backup->series_count = prom->series_count;
    backup->first_segment = prom->first_segment;
    backup->segment = prom->segment;
    backup->has_checkpoint = prom->has_checkpoint;
    backup->checkpoint = prom->checkpoint;
    oracle_wal_copied(prom->oracle);
    report_line(prom->report, "prometheus: a copy is made, segments %u to %u",
                backup->first_segment, backup->segment);
}

/* ---- back ---- */

static void files_back(struct prometheus *prom)
{
    char path[PATH_BYTES];
    const struct prom_backup *backup = &prom->backup;
    fake_os_clear(prom->os, prom->dir);
    if (backup->has_checkpoint) {
        disk_path(prom, path, sizeof path, "checkpoint.%08u", backup->checkpoint);
        fake_os_mkdir(prom->os, path);
    }
    for (size_t i = 0; i < backup->files_count; i++) {
        const struct prom_file *file = &backup->files[i];
        fake_os_append(prom->os, file->path, file->bytes.data, file->bytes.bytes);
    }
}

/* What the copy does not know is forgotten. */
static void series_back(struct prometheus *prom)
{
    const struct prom_backup *backup = &prom->backup;
    for (uint32_t i = 0; i < prom->series_count; i++) {
        struct prom_series *series = &prom->series[i];
        bool was = i < backup->series_count && backup->series[i].defined;
        if (was) {
            *series = backup->series[i];
        } else if (series->defined) {
            series->defined = false;
            oracle_source_orphan(prom->oracle, i);
        }
    }
}

void backup_restore(struct prometheus *prom)
{
    const struct prom_backup *backup = &prom->backup;
    ASSERT(backup->taken && prom->queue_count == 0);
    report_line(prom->report, "prometheus: the copy is put back, segments %u to %u",
                backup->first_segment, backup->segment);
    lives_going(prom, prom->first_segment);
    oracle_wal_restored(prom->oracle);
    files_back(prom);
    series_back(prom);
    prom->first_segment = backup->first_segment;
    prom->segment = backup->segment;
    prom->has_checkpoint = backup->has_checkpoint;
    prom->checkpoint = backup->checkpoint;
    prom->has_old_checkpoint = false;
}
