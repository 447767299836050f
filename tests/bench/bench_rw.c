/* bench_rw.c - remote write 1.0: samples encoded and compressed per second of CPU, bytes on the
 * wire. Requests of 2000 samples; series of 11 labels with 1, 10 or 100 samples each; fixed seed.
 */
#include <inttypes.h>
#include <walship/mem.h>
#include <walship/rng.h>
#include <walship/rw.h>

enum { LABELS = 11, SERIES = 2000, SAMPLES_A_REQUEST = 2000, ROUNDS = 500 };

struct made {
    struct label labels[LABELS];
    char text[LABELS][2][40];
};

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct made *make_series(struct rng *rng)
{
    struct made *all = mem_new(SERIES, sizeof *all);
    for (size_t s = 0; s < SERIES; s++) {
        for (size_t i = 0; i < LABELS; i++) {
            char *name = all[s].text[i][0], *value = all[s].text[i][1];
            int name_bytes = snprintf(name, 40, "label_name_%zu", i);
            int value_bytes =
                i < 8 ? snprintf(value, 40, "value-of-%zu-%" PRIu64, i, rng_below(rng, 9))
                      : snprintf(value, 40, "pod-%08" PRIx64, rng_next(rng) & UINT32_MAX);
            all[s].labels[i] = (struct label){.name = name,
                                              .value = value,
                                              .name_bytes = (uint32_t)name_bytes,
                                              .value_bytes = (uint32_t)value_bytes};
        }
    }
    return all;
}

static void encode(struct buf *raw, const struct made *all, const struct rw_sample *samples,
                   size_t samples_a_series)
{
    buf_clear(raw);
    for (size_t i = 0; i < SAMPLES_A_REQUEST / samples_a_series; i++) {
        bool ok = rw1_series(raw, all[i % SERIES].labels, LABELS, samples, samples_a_series);
        ASSERT(ok);
    }
}

static void measure(const struct made *all, const struct rw_sample *samples, size_t per_series)
{
    struct buf raw, out;
    buf_init(&raw, 32u << 20);
    buf_init(&out, 64u << 20);
    double start = cpu_seconds();
    for (int i = 0; i < ROUNDS; i++) {
        encode(&raw, all, samples, per_series);
    }
    double encoded = cpu_seconds();
    for (int i = 0; i < ROUNDS; i++) {
        bool ok = rw_compress(&raw, &out);
        ASSERT(ok);
    }
    double compressed = cpu_seconds();
    double count = (double)ROUNDS * SAMPLES_A_REQUEST;
    printf("rw1 samples_per_series=%zu encode=%.1f M/s compress=%.1f M/s both=%.1f M/s "
           "raw=%.1f B/sample wire=%.1f B/sample\n",
           per_series, count / (encoded - start) / 1e6, count / (compressed - encoded) / 1e6,
           count / (compressed - start) / 1e6, (double)raw.bytes / SAMPLES_A_REQUEST,
           (double)out.bytes / SAMPLES_A_REQUEST);
    buf_release(&raw);
    buf_release(&out);
}

int main(void)
{
    struct rng rng = {.state = 1};
    struct made *all = make_series(&rng);
    struct rw_sample samples[100];
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        samples[i] = (struct rw_sample){.t_ms = 1700000000000 + (int64_t)i * 15000,
                                        .bits = 0x4059000000000000 + (rng_next(&rng) << 32)};
    }
    measure(all, samples, 1);
    measure(all, samples, 10);
    measure(all, samples, 100);
    mem_free(all);
    return 0;
}
