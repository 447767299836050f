/* bench_decode.c - samples per CPU second of reading alone: pages, CRC, decompression, records.
 *
 *     bench_decode DIR            prints "samples N cpu_s S samples_per_cpu_s R" */
#include <inttypes.h>
#include <walship/os_linux.h>
#include <walship/tail.h>
#include <walship/wal_record.h>

enum { ROOM = 1024 };

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t samples_of(struct view record)
{
    static struct wal_sample samples[ROOM];
    struct wal_sample_iter iter;
    uint64_t items;
    uint64_t count = 0;
    size_t step;
    if (!wal_record_check(record, &items)) {
        return 0;
    }
    wal_sample_init(&iter, record);
    while ((step = wal_sample_next(&iter, samples, ROOM)) > 0) {
        count += step;
    }
    return count;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct os *os = os_linux_new();
    struct waldir *dir = argc == 2 ? waldir_open(os, argv[1], &err) : NULL;
    if (dir == NULL) {
        fprintf(stderr, "usage: bench_decode DIR (%s)\n", err.text);
        return 2;
    }
    waldir_freeze(dir);
    struct tail *tail = tail_new(dir);
    struct tail_out out;
    uint64_t samples = 0;
    double start_s = cpu_s();
    enum tail_status status;
    while ((status = tail_next(tail, &out, &err)) != TAIL_WAIT) {
        if (status == TAIL_FAILED) {
            fprintf(stderr, "bench_decode: %s\n", err.text);
            return 1;
        }
        enum wal_type type = status == TAIL_RECORD ? wal_record_type(out.record) : WAL_UNKNOWN;
        if (type == WAL_SAMPLES || type == WAL_SAMPLES_V2) {
            samples += samples_of(out.record);
        }
    }
    double used_s = cpu_s() - start_s;
    printf("samples %" PRIu64 " cpu_s %.3f samples_per_cpu_s %.0f\n", samples, used_s,
           (double)samples / used_s);
    tail_free(tail);
    waldir_free(dir);
    os_linux_free(os);
    return samples == 0;
}
