/* world_books.c - what the engine says of each destination's items, and what it wrote down. */
#include "world.h"

#include <inttypes.h>
#include <string.h>

static void do_stats(struct world *world)
{
    for (size_t i = 0; i < world->conf.destinations_count; i++) {
        struct engine_destination_stats s;
        char there[40] = "";
        engine_destination_stats(world->engine, i, &s);
        if (s.counts[STORE_ALREADY_THERE] > 0) {
            (void)snprintf(there, sizeof there, ", already there %" PRIu64,
                           s.counts[STORE_ALREADY_THERE]);
        }
        world_print(world,
                    "          %s: read %" PRIu64 ", acked %" PRIu64 "%s, dropped %" PRIu64
                    ", lost %" PRIu64 ", pending %" PRIu64 ", parked %" PRIu64
                    ", watermark %u/%u/%u\n",
                    s.name, s.counts[STORE_READ], s.counts[STORE_ACKED], there,
                    s.counts[STORE_DROPPED], s.counts[STORE_LOST], s.pending, s.parked,
                    s.watermark.generation, s.watermark.segment, s.watermark.record);
    }
}

static void do_ledger(struct world *world)
{
    const struct fake_rows *rows = &world->store->durable;
    for (size_t i = 0; i < rows->losses_count; i++) {
        const struct store_loss *row = &rows->losses[i];
        world_print(world,
                    "          %s: %s %u/%u/%u/%u to %u/%u/%u/%u, %" PRIu64 " items, %" PRId64
                    " to %" PRId64 "%s%s\n",
                    row->destination, loss_reason_name(row->reason), row->from.generation,
                    row->from.segment, row->from.record, row->from.item, row->to.generation,
                    row->to.segment, row->to.record, row->to.item, row->items, row->time_min_ms,
                    row->time_max_ms, *row->detail == 0 ? "" : ", ", row->detail);
    }
}

bool world_books_step(struct world *world, const char *verb)
{
    if (strcmp(verb, "stats") == 0) {
        do_stats(world);
    } else if (strcmp(verb, "ledger") == 0) {
        do_ledger(world);
    } else {
        return false;
    }
    return true;
}
