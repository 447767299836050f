/* bench_tables.c - what the tables of series cost: 500,000 series of 11 labels as a Prometheus with
 * node_exporter-like targets writes them. Prints one `name value unit` a line. */
#include <inttypes.h>
#include <time.h>
#include <walship/crc32c.h>
#include <walship/labels.h>
#include <walship/mem.h>
#include <walship/refmap.h>
#include <walship/rng.h>
#include <walship/series.h>

enum { SERIES_COUNT = 500000, LABELS_COUNT = 11, METRICS_PER_TARGET = 1000, CRC_BYTES = 32761 };

/* Of the processor: other people's load on the machine stays out. */
static double seconds(void)
{
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t resident_bytes(void)
{
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    ASSERT(statm != NULL);
    ASSERT(fscanf(statm, "%*s %ld", &pages) == 1);
    ASSERT(fclose(statm) == 0);
    return (size_t)pages * 4096;
}

struct made {
    struct label labels[LABELS_COUNT];
    char text[LABELS_COUNT][48];
};

static void put(struct made *made, size_t i, const char *name, const char *value)
{
    snprintf(made->text[i], sizeof made->text[i], "%s", value);
    made->labels[i] = (struct label){name, made->text[i], (uint32_t)strlen(name),
                                     (uint32_t)strlen(made->text[i])};
}

static void put_numbered(struct made *made, size_t i, const char *name, uint64_t number)
{
    snprintf(made->text[i], sizeof made->text[i], "some_%s_%" PRIu64, name, number);
    made->labels[i] = (struct label){name, made->text[i], (uint32_t)strlen(name),
                                     (uint32_t)strlen(made->text[i])};
}

/* One value of its own (the id), the others shared within the target or among all. */
static void make(struct made *made, uint64_t i)
{
    uint64_t target = i / METRICS_PER_TARGET;
    uint64_t metric = i % METRICS_PER_TARGET;
    put_numbered(made, 0, "__name__", metric / 10);
    put_numbered(made, 1, "cluster", target / 100);
    put(made, 2, "container", "the-same-value");
    put_numbered(made, 3, "device", metric % 10);
    put(made, 4, "endpoint", "the-same-value");
    put_numbered(made, 5, "id", i);
    put_numbered(made, 6, "instance", target);
    put(made, 7, "job", "the-same-value");
    put(made, 8, "namespace", "the-same-value");
    put_numbered(made, 9, "pod", target);
    put(made, 10, "region", "the-same-value");
}

static void fill(struct labels *labels, struct series *series)
{
    double spent = 0;
    struct position at = {1, 0, 0, 0};
    struct made *made = mem_new(METRICS_PER_TARGET, sizeof *made);
    size_t before = resident_bytes();
    for (uint64_t i = 0; i < SERIES_COUNT; i += METRICS_PER_TARGET) {
        for (uint64_t k = 0; k < METRICS_PER_TARGET; k++) {
            make(&made[k], i + k);
        }
        double start = seconds();
        for (uint64_t k = 0; k < METRICS_PER_TARGET; k++) {
            at.item = (uint32_t)(i + k);
            uint32_t set = labels_intern(labels, made[k].labels, LABELS_COUNT);
            series_define(series, i + k + 1, set, &at);
        }
        spent += seconds() - start;
    }
    size_t after = resident_bytes();
    printf("define %.0f ns/series\n", spent * 1e9 / SERIES_COUNT);
    printf("labels %.1f B/series\n", (double)labels_bytes(labels) / SERIES_COUNT);
    printf("series %.1f B/series\n", (double)series_bytes(series) / SERIES_COUNT);
    printf("resident %.1f B/series\n", (double)(after - before) / SERIES_COUNT);
    mem_free(made);
}

/* Samples come scrape by scrape, in runs of neighbours; `jump` of them start somewhere else. */
static void resolve(const struct series *series, uint64_t refs, uint64_t jump)
{
    enum { TURNS = 20000000 };
    struct position at = {2, 0, 0, 0};
    struct rng rng = {1};
    uint64_t sum = 0;
    uint64_t ref = 0;
    double start = seconds();
    for (int i = 0; i < TURNS; i++) {
        uint64_t dice = rng_next(&rng);
        ref = dice % 64 < jump ? (dice >> 32) * refs >> 32 : ref + 1;
        ref = ref < refs ? ref : 0;
        sum += series_resolve(series, ref + 1, &at);
    }
    double spent = seconds() - start;
    printf("resolve_%" PRIu64 "_refs_%s %.1f ns\n", refs, jump < 64 ? "in_runs" : "at_random",
           spent * 1e9 / TURNS);
    ASSERT(sum > 0);
}

static void sum_up(void)
{
    enum { TURNS = 30000 };
    uint8_t *bytes = mem_new(CRC_BYTES, 1);
    uint32_t sum = 0;
    double start = seconds();
    for (int i = 0; i < TURNS; i++) {
        sum += crc32c(bytes, CRC_BYTES);
        bytes[0]++;
    }
    printf("crc32c %.1f GB/s\n", (double)CRC_BYTES * TURNS / (seconds() - start) / 1e9);
    ASSERT(sum != 0);
    mem_free(bytes);
}

int main(void)
{
    struct hash_key key = {1, 2};
    struct labels *labels = labels_new(&key);
    struct series *series = series_new(labels, 3);
    sum_up();
    fill(labels, series);
    resolve(series, 50000, 1);
    resolve(series, 50000, 64);
    resolve(series, SERIES_COUNT, 1);
    resolve(series, SERIES_COUNT, 64);
    series_free(series);
    labels_free(labels);
    return 0;
}
