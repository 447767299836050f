/* size.c - how many samples a request may have, where the endpoint takes fewer than configured.
 *
 * Learned by halves: from a 413, and from large requests that end without an answer, as behind a
 * proxy that cuts them off. A dead endpoint looks the same, so after three in a row the fourth is a
 * piece, small enough for any; each that is taken may be followed by one twice as large
 * (verdict.c). Only when a large one is cut off again, after a piece of at most half its size was
 * taken, was it the size: of one that was dead and came back nothing is learned. What was learned
 * grows again, a little each minute in which a full request is taken; a size that is refused then
 * is given up for the last good one, and the next attempt waits twice as long. Nothing of it is
 * saved: a restart learns it with one request. */
#include "internal.h"

enum {
    GROW_MS = 60 * 1000,
    GROW_MS_MAX = 64 * GROW_MS,
    GROW_PARTS = 32, /* of what is configured, at a time */
    CUTS_MAX = 3,
    CUT_SAMPLES_MIN = 50 /* fewer are not cut off for their size */
};

static void shrink(const struct engine *engine, struct sender *sender, uint32_t refused)
{
    struct size *size = &sender->size;
    bool attempt = size->good > 0 && refused > size->good;
    ASSERT(refused > 1);
    sender->samples_max = attempt ? size->good : (refused + 1) / 2;
    size->wait_ms = attempt && size->wait_ms < GROW_MS_MAX ? size->wait_ms * 2 : GROW_MS;
    size->grow_at_ms = engine->now_ms + size->wait_ms;
    size->good = attempt ? size->good : 0;
    size->cuts = 0;
    LOG_WARN("requests are too large for the endpoint, smaller ones from now on",
             LOG_STR("endpoint", sender->conf->shown), LOG_U64("samples", sender->samples_max));
}

uint32_t size_refused(const struct engine *engine, struct sender *sender, const struct batch *batch)
{
    shrink(engine, sender, batch->samples);
    ASSERT(sender->samples_max < batch->samples);
    return sender->samples_max;
}

void size_unanswered(const struct engine *engine, struct sender *sender, const struct batch *batch)
{
    struct size *size = &sender->size;
    if (batch->carried < CUT_SAMPLES_MIN) {
        return;
    }
    bool least = size->cuts == 0 || batch->carried < size->cut_samples;
    size->smaller_taken = size->cuts > 0 && size->smaller_taken;
    size->cut_samples = least ? batch->carried : size->cut_samples;
    size->cuts++;
    if (size->cuts > CUTS_MAX && size->smaller_taken && size->cut_samples <= sender->samples_max) {
        shrink(engine, sender, size->cut_samples);
    }
}

void size_taken(const struct engine *engine, const struct destination *destination,
                struct sender *sender, const struct batch *batch)
{
    struct size *size = &sender->size;
    uint32_t most = destination->conf->queue.max_samples_per_send;
    if (size->cuts > 0 && batch->carried >= size->cut_samples) {
        size->cuts = 0; /* it was not the size */
    } else if (batch->carried <= size->cut_samples / 2) {
        size->smaller_taken = true; /* proves nothing yet: it may have come back meanwhile */
    }
    if (sender->samples_max >= most || batch->samples < sender->samples_max) {
        return;
    }
    size->good = sender->samples_max;
    if (engine->now_ms >= size->grow_at_ms) {
        uint32_t step = most / GROW_PARTS > 0 ? most / GROW_PARTS : 1;
        sender->samples_max = sender->samples_max + step < most ? sender->samples_max + step : most;
        size->grow_at_ms = engine->now_ms + size->wait_ms;
        trace_line(engine, "%s: up to %u samples are tried", sender->conf->shown,
                   sender->samples_max);
    }
}

uint32_t size_piece(const struct destination *destination, const struct sender *sender,
                    const struct batch *batch)
{
    bool learned = sender->samples_max < destination->conf->queue.max_samples_per_send;
    if (batch->carried < CUT_SAMPLES_MIN) {
        return 0;
    }
    if (learned && batch->carried > sender->samples_max) {
        return sender->samples_max;
    }
    bool suspected = sender->size.cuts >= CUTS_MAX && batch->carried >= sender->size.cut_samples;
    return suspected ? CUT_SAMPLES_MIN - 1 : 0;
}
