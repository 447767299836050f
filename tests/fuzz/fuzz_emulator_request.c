/* fuzz_emulator_request.c - the emulator's decoder over any bytes: what the check lets through, the
 * iterators must read to the end, and find as much as the check counted. */
#include "../../tools/emulator/write_request.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t walk(struct view request, uint64_t *bytes)
{
    uint64_t samples = 0;
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
    }
    return samples;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view request = view_of(data, size);
    struct write_totals full, count;
    struct err err;
    bool good = write_request_check(request, WRITE_FULL, &full, &err);
    bool counted = write_request_check(request, WRITE_COUNT, &count, &err);
    ASSERT(counted || !good);
    if (good) {
        uint64_t bytes = 0;
        ASSERT(walk(request, &bytes) == full.samples);
        ASSERT(full.samples == count.samples && full.series == count.series);
        ASSERT(bytes <= size);
    }
    return 0;
}
