/* world_kinds.c - see world.h: records of other items than plain floats, and damaged ones. */
#include "world.h"

#include <check.h>
#include <inttypes.h>
#include <walship/mem.h>

enum { ITEMS_MAX = 16, RECORD_BYTES_MAX = 1 << 16, LARGE_BYTES_MAX = 1 << 20 };

struct items {
    struct wal_sample samples[ITEMS_MAX];
    size_t count;
};

static char *next_word(char **line)
{
    char *at = *line + strspn(*line, " ");
    size_t count = strcspn(at, " ");
    *line = at[count] == 0 ? at + count : at + count + 1;
    at[count] = 0;
    return *at == 0 ? NULL : at;
}

static void items_read(struct items *items, char *line, bool starts)
{
    items->count = 0;
    for (char *ref = next_word(&line); ref != NULL; ref = next_word(&line)) {
        ck_assert_uint_lt(items->count, ITEMS_MAX);
        struct wal_sample *sample = &items->samples[items->count++];
        *sample = (struct wal_sample){.ref = strtoull(ref, NULL, 10), .bits = 1};
        sample->t_ms = strtoll(next_word(&line), NULL, 10);
        sample->st_ms = starts ? strtoll(next_word(&line), NULL, 10) : 0;
    }
}

static void put_histograms(struct buf *record, const struct items *items, bool custom)
{
    static const struct wal_span span = {0, 1};
    static const uint64_t deltas[] = {2}, bounds[] = {0x3FF0000000000000};
    struct wal_histogram histograms[ITEMS_MAX];
    for (size_t i = 0; i < items->count; i++) {
        histograms[i] = (struct wal_histogram){.ref = items->samples[i].ref,
                                               .t_ms = items->samples[i].t_ms,
                                               .schema = custom ? HISTOGRAM_SCHEMA_CUSTOM : 3,
                                               .count = 2,
                                               .sum_bits = items->samples[i].bits,
                                               .spans = {&span, NULL},
                                               .spans_count = {1, 0},
                                               .buckets = {deltas, NULL},
                                               .buckets_count = {1, 0},
                                               .custom_bits = bounds,
                                               .custom_count = custom};
    }
    wal_put_histograms(record, custom ? WAL_CUSTOM_HISTOGRAMS : WAL_HISTOGRAMS, histograms,
                       items->count);
}

static void put_exemplars(struct buf *record, const struct items *items)
{
    static struct label trace = {"trace_id", "ab", 8, 2};
    struct wal_exemplar exemplars[ITEMS_MAX];
    for (size_t i = 0; i < items->count; i++) {
        const struct wal_sample *sample = &items->samples[i];
        exemplars[i] = (struct wal_exemplar){sample->ref, sample->t_ms, sample->bits, 1, &trace};
    }
    wal_put_exemplars(record, exemplars, items->count);
}

/* STATUS URL */
static void do_written(struct world *world, char *line, const char *verb)
{
    struct fake_plan plan = fake_plan_good();
    const char *status = next_word(&line);
    const char *url = next_word(&line);
    plan.status = (int)strtol(status, NULL, 10);
    plan.mute = strcmp(verb, "mute") == 0;
    plan.no_exemplars = !plan.mute;
    plan.stored = !plan.mute; /* what was read as 1.0 is nothing */
    for (size_t i = 0; i < world->http->receivers_count; i++) {
        if (strcmp(world->http->receivers[i].url, url) == 0) {
            fake_http_script(world->http, i, &plan);
        }
    }
}

/* REF TYPE HELP, each one word */
static void do_metadata(struct world *world, char *line)
{
    struct buf record;
    char *ref = next_word(&line);
    char *type = next_word(&line);
    char *help = next_word(&line);
    struct wal_metadata item = {strtoull(ref, NULL, 10), (uint8_t)strtoul(type, NULL, 10),
                                view_of("", 0), view_of(help, strlen(help))};
    buf_init(&record, RECORD_BYTES_MAX);
    wal_put_metadata(&record, &item, 1);
    world_log(world, &record);
    buf_release(&record);
}

/* REF COUNT RECORDS: large records, each of COUNT floats of one series, a millisecond apart. */
static void do_large(struct world *world, char *line)
{
    struct buf record;
    uint64_t ref = strtoull(next_word(&line), NULL, 10);
    size_t count = strtoull(next_word(&line), NULL, 10);
    size_t records = strtoull(next_word(&line), NULL, 10);
    struct wal_sample *samples = mem_new(count, sizeof *samples);
    int64_t t_ms = 0;
    buf_init(&record, LARGE_BYTES_MAX);
    for (size_t i = 0; i < records; i++) {
        for (size_t k = 0; k < count; k++) {
            samples[k] = (struct wal_sample){.ref = ref, .t_ms = ++t_ms, .bits = 1};
        }
        buf_clear(&record);
        wal_put_samples(&record, WAL_SAMPLES, samples, count);
        world_log(world, &record);
    }
    buf_release(&record);
    mem_free(samples);
}

/* Samples/histograms/exemplars. */
static void kinds_print(struct world *world, const char *what, const struct engine_kinds *kinds)
{
    world_print(world, "%s %" PRIu64 "/%" PRIu64 "/%" PRIu64, what, kinds->samples,
                kinds->histograms, kinds->exemplars);
}

static void endpoint_kinds(struct world *world, size_t destination, size_t endpoint)
{
    struct engine_endpoint_stats s;
    engine_endpoint_stats(world->engine, destination, endpoint, &s);
    world_print(world, "          %s:", s.url);
    kinds_print(world, " sent", &s.kinds.attempted);
    kinds_print(world, ", again", &s.kinds.retried);
    kinds_print(world, ", refused", &s.kinds.failed);
    kinds_print(world, ", pending", &s.kinds.pending);
    world_print(world, ", metadata %" PRIu64 " sent, %" PRIu64 " again, %" PRIu64 " refused\n",
                s.metadata.sent, s.metadata.retried, s.metadata.failed);
}

static void do_kinds(struct world *world)
{
    for (size_t i = 0; i < world->conf.destinations_count; i++) {
        struct engine_destination_stats s;
        engine_destination_stats(world->engine, i, &s);
        world_print(world, "          %s:", s.name);
        kinds_print(world, " read", &s.kinds.read);
        kinds_print(world, ", dropped", &s.kinds.dropped);
        kinds_print(world, ", stale", &s.kinds.stale);
        for (unsigned k = 0; k < LOSS_REASONS; k++) {
            const struct engine_kinds *lost = &s.kinds.lost[k];
            if (lost->samples + lost->histograms + lost->exemplars > 0) {
                world_print(world, ", %s", loss_reason_name((enum loss_reason)k));
                kinds_print(world, "", lost);
            }
        }
        world_print(world, "\n");
        for (size_t k = 0; k < s.endpoints_count; k++) {
            endpoint_kinds(world, i, k);
        }
    }
}

static void do_flip(struct world *world, uint64_t at)
{
    char path[64];
    snprintf(path, sizeof path, "/wal/%08u", world->segment);
    ck_assert_uint_lt(at, fake_os_bytes(world->os, path));
    uint8_t byte = (uint8_t)(fake_os_data(world->os, path)[at] ^ 1);
    fake_os_overwrite(world->os, path, at, &byte, 1);
}

bool world_kinds_step(struct world *world, const char *verb, char *line)
{
    if (strcmp(verb, "metadata") == 0) {
        do_metadata(world, line);
        return true;
    }
    if (strcmp(verb, "flip") == 0) {
        do_flip(world, (uint64_t)world_number(&line));
        return true;
    }
    if (strcmp(verb, "large") == 0) {
        do_large(world, line);
        return true;
    }
    if (strcmp(verb, "kinds") == 0) {
        do_kinds(world);
        return true;
    }
    if (strcmp(verb, "mute") == 0 || strcmp(verb, "no_exemplars") == 0) {
        do_written(world, line, verb);
        return true;
    }
    static const char *const verbs[] = {"histograms", "custom", "exemplars", "starts", "garbled"};
    size_t which = 0;
    while (which < ARRAY_COUNT(verbs) && strcmp(verbs[which], verb) != 0) {
        which++;
    }
    if (which == ARRAY_COUNT(verbs)) {
        return false;
    }
    struct items items;
    struct buf record;
    buf_init(&record, RECORD_BYTES_MAX);
    items_read(&items, line, which == 3);
    if (which < 2) {
        put_histograms(&record, &items, which == 1);
    } else if (which == 2) {
        put_exemplars(&record, &items);
    } else if (which == 3) {
        wal_put_samples(&record, WAL_SAMPLES_V2, items.samples, items.count);
    } else {
        ck_assert(buf_append(&record, "\x07\x01\x02", 3));
    }
    world_log(world, &record);
    buf_release(&record);
    return true;
}

bool world_kinds_option(struct conf_destination *destination, const char *option)
{
    if (strcmp(option, "v2") == 0) {
        destination->protobuf = RW_2;
    } else if (strcmp(option, "histograms") == 0) {
        destination->send_native_histograms = true;
    } else if (strcmp(option, "exemplars") == 0) {
        destination->send_exemplars = true;
    } else if (strcmp(option, "fallback") == 0) {
        destination->protobuf_fallback = true;
    } else if (strcmp(option, "metadata") == 0) { /* each second, two families a request */
        destination->metadata = (struct conf_metadata){true, 1000, 2};
    } else {
        return false;
    }
    return true;
}
