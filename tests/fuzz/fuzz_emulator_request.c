/* fuzz_emulator_request.c - the emulator's decoder over any bytes, as 1.0 and as 2.0: what the
 * check lets through, the iterators must read to the end, and find as much as the check counted. */
#include "../../tools/emulator/protobuf.c"
#include "../../tools/emulator/write_request.c"
#include "../../tools/emulator/write_v2.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk_kinds(struct write_series *series, struct write_totals *seen)
{
    struct write_sample sample;
    struct write_series labels;
    struct label label;
    struct view body;
    while (write_series_histogram(series, &sample, &body)) {
        seen->histograms++;
        ASSERT(view_ok(&body));
    }
    while (write_series_exemplar(series, &sample, &labels)) {
        seen->exemplars++;
        while (write_series_label(&labels, &label)) {
            ASSERT(label.name_bytes > 0);
        }
    }
}

static uint64_t walk(struct view request, uint64_t *bytes, struct write_totals *seen)
{
    uint64_t samples = 0;
    struct view families = request;
    struct write_family family;
    while (write_family_next(&families, &family)) {
        seen->metadata++;
    }
    struct write_series series;
    while (write_request_next(&request, &series)) {
        struct label label, previous = {"", "", 0, 0};
        while (write_series_label(&series, &label)) {
            ASSERT(label_compare(&previous, &label) < 0 && label.value_bytes > 0);
            *bytes += label.name_bytes + label.value_bytes;
            previous = label;
        }
        struct write_sample sample;
        while (write_series_sample(&series, &sample)) {
            samples++;
        }
        walk_kinds(&series, seen);
    }
    return samples;
}

static void judge(struct view request, size_t size)
{
    struct write_totals full, count;
    struct err err;
    bool good = write_request_check(request, WRITE_FULL, &full, &err);
    bool counted = write_request_check(request, WRITE_COUNT, &count, &err);
    ASSERT(counted || !good);
    if (good) {
        uint64_t bytes = 0;
        struct write_totals seen = {0};
        ASSERT(walk(request, &bytes, &seen) == full.samples);
        ASSERT(seen.histograms == full.histograms && seen.exemplars == full.exemplars);
        ASSERT(seen.metadata == full.metadata);
        ASSERT(full.samples == count.samples && full.series == count.series);
        ASSERT(bytes <= size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct buf v1;
    judge(view_of(data, size), size);
    buf_init(&v1, 1 << 20);
    if (write_v2_as_v1(view_of(data, size), &v1, &err)) {
        judge(view_of(v1.data, v1.bytes), v1.bytes);
    }
    buf_release(&v1);
    return 0;
}
