/* written.c - what a 2.0 receiver says that it wrote, and what a 415 to 2.0 means.
 *
 * The headers X-Prometheus-Remote-Write-*-Written tell counts, not items. They are read before
 * anything else judges the answer, since they may turn its status into what it should have been:
 *   2xx without any of them   the receiver took the request as 1.0, so it found nothing: as 415
 *   2xx, fewer than sent      which ones nobody knows: that many are lost as rejected
 *   4xx, exemplars alone      all else is written: as 2xx, the exemplars lost as rejected; in a
 *   are missing               request that was sent before they may be there: already there
 * Other partial writes are refusals: taking the request apart sends again what is there, which
 * receivers of 2.0 accept in silence. */
#include "internal.h"

#include <strings.h>

enum { KINDS = 3 };

static const char *const written_names[KINDS] = {"X-Prometheus-Remote-Write-Samples-Written",
                                                 "X-Prometheus-Remote-Write-Histograms-Written",
                                                 "X-Prometheus-Remote-Write-Exemplars-Written"};

struct written {
    bool any;
    uint64_t counts[KINDS];
};

static uint64_t count_of(const char *text)
{
    uint64_t count = 0;
    for (; *text >= '0' && *text <= '9' && count < UINT32_MAX; text++) {
        count = count * 10 + (uint64_t)(*text - '0');
    }
    return *text == 0 ? count : 0; /* anything else says nothing: as if it were missing */
}

static void written_read(const struct http_result *result, struct written *out)
{
    *out = (struct written){0};
    for (size_t i = 0; i < result->headers_count; i++) {
        for (size_t k = 0; k < KINDS; k++) {
            if (strcasecmp(result->headers[i].name, written_names[k]) == 0) {
                out->any = true;
                out->counts[k] = count_of(result->headers[i].value);
            }
        }
    }
}

static void say(struct http_result *result, int status, const char *why)
{
    result->status = status;
    result->body = why;
    result->body_bytes = strlen(why);
}

void written_judge(struct batch *batch, struct http_result *result)
{
    batch->missing = 0;
    if (batch->version != RW_2 || result->outcome != HTTP_ANSWERED) {
        return;
    }
    struct written written;
    written_read(result, &written);
    bool good = result->status / 100 == 2;
    if (good && !written.any) {
        say(result, 415, "2xx without written counts: it did not read the request as 2.0");
        return;
    }
    if (batch->sift != NULL) {
        return; /* a piece is taken or not; which item it is turns out by itself */
    }
    const uint64_t sent[KINDS] = {batch->carried - batch->histograms - batch->exemplars,
                                  batch->histograms, batch->exemplars};
    uint64_t missing = 0;
    for (size_t i = 0; i < KINDS; i++) {
        missing += sent[i] > written.counts[i] ? sent[i] - written.counts[i] : 0;
    }
    bool others = written.counts[0] >= sent[0] && written.counts[1] >= sent[1];
    if (result->status / 100 == 4 && others && missing > 0 && sent[0] + sent[1] > 0) {
        say(result, 200, "");
        good = true;
    }
    batch->missing = good ? (uint32_t)missing : 0;
}

/* Up to `count` items of the batch get this end; the number of those that did. */
static uint32_t mark(struct destination *destination, struct batch *batch, enum item_end end,
                     bool exemplars)
{
    uint32_t marked = 0;
    for (size_t i = 0; i < batch->parts_count; i++) {
        struct lane_walk walk;
        lane_walk_start(&walk, &destination->lanes[batch->parts[i].lane]);
        for (uint32_t k = 0; k < batch->parts[i].count && marked < batch->missing; k++) {
            struct item *item = lane_walk_edit(&walk);
            if (item->end == ITEM_GOES && (item->kind == ITEM_EXEMPLAR) == exemplars) {
                item->end = (uint8_t)end;
                marked++;
            }
        }
    }
    return marked;
}

void written_settle(struct destination *destination, struct batch *batch)
{
    if (batch->missing == 0) {
        return;
    }
    ASSERT(batch->missing <= batch->carried);
    bool before = batch->attempts > 1 && batch->missing <= batch->exemplars;
    LOG_WARN("the receiver says that it wrote less than it was sent",
             LOG_STR("destination", destination->conf->name), LOG_U64("missing", batch->missing),
             LOG_STR("counted_as", before ? "already there" : "rejected"));
    uint32_t marked = mark(destination, batch, before ? ITEM_THERE : ITEM_REJECTED, true);
    batch->carried -= marked;
    batch->missing -= marked;
    marked = mark(destination, batch, ITEM_REJECTED, false);
    batch->carried -= marked;
    ASSERT(batch->missing == marked);
    batch->missing = 0;
}

void version_set(struct destination *destination, enum rw_version version)
{
    destination->uncarried =
        destination->uncarried || (destination->version == RW_2 && version == RW_1);
    destination->version = version;
}

bool written_fallback(struct engine *engine, struct destination *destination,
                      const struct batch *batch, const struct http_result *result)
{
    if (batch->version != RW_2 || result->outcome != HTTP_ANSWERED || result->status != 415 ||
        !destination->conf->protobuf_fallback) {
        return false;
    }
    if (destination->version == RW_2) {
        version_set(destination, RW_1);
        trace_line(engine, "%s: falls back to 1.0", destination->conf->name);
        LOG_WARN("the receiver does not take remote write 2.0: 1.0 until the next start; start "
                 "times and histograms with custom buckets do not go (protobuf_fallback)",
                 LOG_STR("destination", destination->conf->name));
    }
    return true;
}
