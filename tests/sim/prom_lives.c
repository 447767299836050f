/* prom_lives.c - the WAL gets another life at a start of the head: a record of some segment can't
 * be read, so that all behind it goes and other content follows under the same numbers; somebody
 * emptied the directory, which begins again at 0; somebody put an older copy of it back.
 *
 * Inode numbers are used again where the file system does (fake_os_reuse_inodes), refs always are:
 * the head counts on from the highest that it finds. */
#include "prometheus.h"

#include <walship/limits.h>
#include <walship/mem.h>

enum { PATH_BYTES = 128, TOP_SEGMENTS = 3, COPY_MS = 1000 };

enum { LIVES_MAX = 6 }; /* walship remembers eight earlier ones that somebody has not read */

static bool chance(struct prometheus *prom, unsigned percent)
{
    return rng_below(&prom->lives_rng, 100) < percent;
}

static void segment_path(const struct prometheus *prom, char *out, uint32_t number)
{
    disk_path(prom, out, PATH_BYTES, "%08u", number);
}

/* ---- the records of closed segments, as logged ---- */

void lives_keep(struct prometheus *prom, uint32_t number, const struct buf *records)
{
    const struct prometheus_conf *conf = &prom->conf;
    if (conf->rot_percent + conf->emptied_percent + conf->restored_percent == 0) {
        return;
    }
    if (number >= prom->archive_count) {
        size_t count = (size_t)number + 16;
        prom->archive = mem_grow(prom->archive, count, sizeof *prom->archive);
        for (size_t i = prom->archive_count; i < count; i++) {
            buf_init(&prom->archive[i], KEPT_BYTES_MAX);
        }
        prom->archive_count = count;
    }
    struct buf *to = &prom->archive[number];
    buf_clear(to);
    bool ok = buf_append(to, records->data, records->bytes);
    ASSERT(ok);
}

/* Bytes of its first `count` records; fewer where it has fewer, which `count` then says. */
static size_t records_bytes(const struct buf *records, uint32_t *count)
{
    size_t at = 0;
    uint32_t done = 0;
    while (done < *count && at < records->bytes) {
        uint32_t bytes;
        memcpy(&bytes, records->data + at, sizeof bytes);
        at += sizeof bytes + bytes;
        done++;
    }
    *count = done;
    return at;
}

/* ---- what goes with a life ---- */

struct kept {
    struct prometheus *prom;
    const char *path; /* of the segment */
    uint32_t segment, generation;
    bool whole, defined;
    bool named; /* a file of that number, whatever is in it */
    bool told;  /* what was defined in it */
};

static bool same_bytes(const struct fake_os *os, const char *a, const char *b)
{
    uint64_t bytes = fake_os_bytes(os, a);
    return fake_os_bytes(os, b) == bytes &&
           (bytes == 0 || memcmp(fake_os_data(os, a), fake_os_data(os, b), bytes) == 0);
}

static bool kept_look(void *context, const char *name)
{
    struct kept *kept = context;
    char path[PATH_BYTES];
    uint32_t generation;
    uint32_t segment;
    if (sscanf(name, "%u-%08u", &generation, &segment) != 2) {
        return true;
    }
    snprintf(path, sizeof path, "/spool/%s", name);
    bool full = strstr(name, ".series") != NULL;
    if (full || strstr(name, ".delta") != NULL || strstr(name, ".gap") != NULL) {
        kept->defined |= full && segment <= kept->segment;
        kept->told |= segment > kept->segment;
    } else {
        kept->named |= segment == kept->segment;
        kept->whole |= kept->path != NULL && generation >= kept->generation &&
                       segment == kept->segment && same_bytes(kept->prom->os, kept->path, path);
    }
    return true;
}

/* What is neither in the newest checkpoint nor anywhere in the spool is defined nowhere, though
 * items of it may be kept, or Prometheus may not come to delete theirs. */
static void definitions_go(struct prometheus *prom, uint32_t segment)
{
    for (uint32_t i = 0; i < prom->series_count; i++) {
        struct prom_series *series = &prom->series[i];
        if (!series->defined || series->defined_segment != segment) {
            continue;
        }
        if (series->dropped) {
            oracle_source_orphan(prom->oracle, i);
        } else {
            series->untold_life = prom->oracle->life;
            series->untold_ms = fake_os_now(prom->os);
        }
    }
}

/* A series record may come segments after its first items. Those are kept as copies; its own
 * segment was only held open when walship ended, and was deleted since or so shortly before that no
 * copy was done. Then one checkpoint had the series, and this next one, before walship is back, has
 * not: nobody could keep it. A life that ran on for longer, or was there in between, must have. */
void lives_series_dropped(struct prometheus *prom, uint32_t index)
{
    const struct prom_series *series = &prom->series[index];
    const struct oracle *oracle = prom->oracle;
    struct kept kept = {.prom = prom, .segment = series->defined_segment};
    ASSERT(series->dropped);
    if (oracle->runs || series->untold_life == 0 || series->untold_life != oracle->life ||
        oracle->ended_ms - series->untold_ms > COPY_MS) {
        return;
    }
    fake_os_names(prom->os, "/spool", kept_look, &kept);
    if (!kept.named && !kept.told) {
        oracle_source_orphan(prom->oracle, index);
    }
}

/* False: nothing in the spool says what was defined in it. */
static bool segment_goes(struct prometheus *prom, uint32_t number)
{
    char path[PATH_BYTES];
    segment_path(prom, path, number);
    /* One that is kept under an earlier generation only is about to be let go, for the present one
     * keeps it anew: what ends both within a second is a known gap. */
    uint32_t generation = oracle_generation(prom->oracle);
    struct kept kept = {.prom = prom, .path = path, .segment = number, .generation = generation};
    fake_os_names(prom->os, "/spool", kept_look, &kept);
    if (kept.whole) {
        oracle_segment_kept(prom->oracle, number, kept.defined);
    }
    return kept.whole || kept.told;
}

void lives_segment_deleted(struct prometheus *prom, uint32_t number)
{
    if (!segment_goes(prom, number)) {
        definitions_go(prom, number);
    }
}

/* The head knows no series that was logged there. */
static void series_forget(struct prometheus *prom, uint32_t segment, uint32_t record)
{
    for (uint32_t i = 0; i < prom->series_count; i++) {
        struct prom_series *series = &prom->series[i];
        bool behind = series->defined_segment > segment ||
                      (series->defined_segment == segment && series->defined_record >= record);
        if (series->defined && behind) {
            series->defined = false;
            oracle_source_orphan(prom->oracle, i);
        }
    }
}

void lives_going(struct prometheus *prom, uint32_t segment)
{
    for (uint32_t i = segment; i <= prom->segment; i++) {
        (void)segment_goes(prom, i);
    }
    prom->lives++;
    /* or parked items would get the labels of others */
    prom->refs_again = prom->conf.late_percent == 0;
}

static void life_ends(struct prometheus *prom, uint32_t segment, uint32_t record)
{
    lives_going(prom, segment);
    oracle_wal_cut(prom->oracle, segment, record);
    series_forget(prom, segment, record);
}

/* ---- a record that can't be read ---- */

bool lives_rot(struct prometheus *prom)
{
    if (prom->conf.rot_percent == 0 || prom->lives >= LIVES_MAX ||
        !chance(prom, prom->conf.rot_percent)) {
        return false;
    }
    uint32_t top = prom->segment - 1; /* below the new one */
    uint32_t low = prom->first_segment;
    if (prom->has_checkpoint && low <= prom->checkpoint) {
        low = prom->checkpoint + 1;
    }
    if (top < low || prom->segment == 0) {
        return false;
    }
    low = top - low >= TOP_SEGMENTS && chance(prom, 80) ? top - TOP_SEGMENTS + 1 : low;
    uint32_t number = low + (uint32_t)rng_below(&prom->lives_rng, top - low + 1);
    uint32_t all = UINT32_MAX;
    (void)records_bytes(&prom->archive[number], &all);
    uint32_t record = (uint32_t)rng_below(&prom->lives_rng, (uint64_t)all + 1);
    size_t bytes = records_bytes(&prom->archive[number], &record);
    buf_clear(&prom->whole);
    bool ok = buf_append(&prom->whole, prom->archive[number].data, bytes);
    ASSERT(ok);
    report_line(prom->report, "prometheus: can't read record %u of segment %u, %u are above it",
                record, number, prom->segment - number);
    life_ends(prom, number, record);
    prom->torn = true;
    prom->torn_segment = number;
    return true;
}

/* ---- emptied ---- */

static void empty(struct prometheus *prom)
{
    report_line(prom->report, "prometheus: the directory is emptied");
    life_ends(prom, prom->first_segment, 0);
    series_forget(prom, 0, 0);
    fake_os_clear(prom->os, prom->dir);
    prom->first_segment = 0;
    prom->has_checkpoint = false;
    prom->has_old_checkpoint = false;
}

uint32_t lives_next(struct prometheus *prom)
{
    if (prom->lives >= LIVES_MAX || prom->torn) { /* a torn end is trouble enough at once */
        return prom->segment + 1;
    }
    bool emptied = prom->conf.emptied_percent > 0 && chance(prom, prom->conf.emptied_percent);
    bool restored = prom->conf.restored_percent > 0 && prom->backup.taken &&
                    chance(prom, prom->conf.restored_percent);
    if (emptied || restored) {
        prom->torn = false;
        buf_clear(&prom->whole);
    }
    if (emptied) {
        empty(prom);
        return 0;
    }
    if (restored) {
        backup_restore(prom);
    }
    return prom->segment + 1;
}

void lives_begin(struct prometheus *prom)
{
    if (prom->conf.restored_percent > 0) {
        prom->backup_at_ms =
            fake_os_now(prom->os) + 200 + (int64_t)rng_below(&prom->lives_rng, 6000);
    }
}

void lives_release(struct prometheus *prom)
{
    for (size_t i = 0; i < prom->archive_count; i++) {
        buf_release(&prom->archive[i]);
    }
    mem_free(prom->archive);
}
