/* bench_generate.c - writes the WAL that the figures are made with: SERIES series of 11 labels,
 * SAMPLES samples each, as one Prometheus scraping targets of 1,000 series would log them.
 *
 *     bench_generate DIR SERIES SAMPLES      makes DIR/wal/00000000, ...; promtool tsdb dump DIR
 * reads it
 *
 * Values are what counters and gauges look like: slowly rising integers and noisy fractions. */
#include "wal_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <walship/mem.h>
#include <walship/rng.h>

enum {
    TARGET_SERIES = 1000,
    LABELS = 11,
    TEXT_BYTES = 64,
    SEGMENT_BYTES = 128 << 20,
    SCRAPE_MS = 15000
};

static const int64_t start_ms = 1790000000000;

struct generator {
    const char *dir;
    uint32_t segment;
    struct wal_writer writer;
    struct buf record;
    struct wal_series items[TARGET_SERIES];
    struct label labels[TARGET_SERIES][LABELS];
    char text[TARGET_SERIES][LABELS][TEXT_BYTES];
    struct wal_sample samples[TARGET_SERIES];
    struct rng rng;
};

static void save(struct generator *generator)
{
    char *path = mem_format("%s/wal/%08u", generator->dir, generator->segment++);
    wal_writer_pad(&generator->writer);
    if (!wal_writer_save(&generator->writer, path)) {
        perror(path);
        exit(1);
    }
    wal_writer_clear(&generator->writer);
    mem_free(path);
}

static void log_record(struct generator *generator)
{
    if (generator->writer.bytes.bytes + generator->record.bytes > SEGMENT_BYTES) {
        save(generator);
    }
    wal_writer_log_buf(&generator->writer, &generator->record);
}

static void put_label(struct generator *generator, uint32_t series, uint32_t label,
                      const char *name, const char *value)
{
    char *room = generator->text[series][label];
    snprintf(room, TEXT_BYTES, "%s", value);
    generator->labels[series][label] =
        (struct label){name, room, (uint32_t)strlen(name), (uint32_t)strlen(room)};
}

/* Sorted by name, as Prometheus has them. */
static void put_series(struct generator *generator, uint32_t first, uint32_t count)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
    char text[TEXT_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = first + i;
        uint32_t pod = id / 200;
        put_label(generator, i, 0, "__name__", "http_server_requests_total");
        snprintf(text, sizeof text, "%d", 200 + (int)(id % 4) * 100);
        put_label(generator, i, 1, "code", text);
        put_label(generator, i, 2, "container", "application");
        snprintf(text, sizeof text, "10.%u.%u.%u:9100", pod >> 16 & 255, pod >> 8 & 255, pod & 255);
        put_label(generator, i, 3, "instance", text);
        put_label(generator, i, 4, "job", "kubernetes-pods");
        snprintf(text, sizeof text, "%u", id);
        put_label(generator, i, 5, "le", text);
        put_label(generator, i, 6, "method", methods[id % 4]);
        snprintf(text, sizeof text, "prod-%u", pod % 7);
        put_label(generator, i, 7, "namespace", text);
        snprintf(text, sizeof text, "node-%u", pod % 50);
        put_label(generator, i, 8, "node", text);
        snprintf(text, sizeof text, "/v1/items/%u", id % 50);
        put_label(generator, i, 9, "path", text);
        snprintf(text, sizeof text, "api-%010x-%05x", pod * 2654435761u, pod * 40503u & 0xfffff);
        put_label(generator, i, 10, "pod", text);
        generator->items[i] = (struct wal_series){id + 1, LABELS, generator->labels[i]};
    }
    wal_put_series(&generator->record, generator->items, count);
    log_record(generator);
}

static uint64_t value_of(struct generator *generator, uint32_t id, uint32_t scrape)
{
    double value = (double)id * 10 + (double)scrape * (double)(id % 97);
    if (id % 5 == 0) {
        value = (double)(rng_next(&generator->rng) >> 40) / 1000.0;
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void put_scrape(struct generator *generator, uint32_t first, uint32_t count, uint32_t scrape)
{
    for (uint32_t i = 0; i < count; i++) {
        generator->samples[i] = (struct wal_sample){.ref = first + i + 1,
                                                    .t_ms = start_ms + (int64_t)scrape * SCRAPE_MS +
                                                            first / TARGET_SERIES % 15 * 1000,
                                                    .bits = value_of(generator, first + i, scrape)};
    }
    wal_put_samples(&generator->record, WAL_SAMPLES, generator->samples, count);
    log_record(generator);
}

static uint32_t count_of(uint32_t first, uint32_t series)
{
    return series - first < TARGET_SERIES ? series - first : TARGET_SERIES;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bench_generate DIR SERIES SAMPLES\n");
        return 2;
    }
    struct generator *generator = mem_new(1, sizeof *generator);
    uint32_t series = (uint32_t)strtoul(argv[2], NULL, 10);
    uint32_t samples = (uint32_t)strtoul(argv[3], NULL, 10);
    char *wal = mem_format("%s/wal", argv[1]);
    generator->dir = argv[1];
    generator->rng.state = 1;
    if ((mkdir(argv[1], 0777) != 0 && errno != EEXIST) ||
        (mkdir(wal, 0777) != 0 && errno != EEXIST)) {
        perror(wal);
        return 1;
    }
    wal_writer_init(&generator->writer, WAL_WRITER_SNAPPY);
    buf_init(&generator->record, WAL_WRITER_BUF_BYTES_MAX);
    for (uint32_t first = 0; first < series; first += TARGET_SERIES) {
        put_series(generator, first, count_of(first, series));
    }
    for (uint32_t scrape = 0; scrape < samples; scrape++) {
        for (uint32_t first = 0; first < series; first += TARGET_SERIES) {
            put_scrape(generator, first, count_of(first, series), scrape);
        }
    }
    save(generator);
    printf("%u segments, %" PRIu64 " samples\n", generator->segment, (uint64_t)series * samples);
    wal_writer_release(&generator->writer);
    buf_release(&generator->record);
    mem_free(generator);
    mem_free(wal);
    return 0;
}
