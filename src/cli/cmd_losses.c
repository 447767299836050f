/* cmd_losses.c - `walship losses`: the loss ledger as it was saved, per destination. Positions are
 * generation/segment/record/item; what is not known (items of damaged bytes) is not invented. */
#include "commands.h"
#include "state.h"

#include <walship/engine.h>
#include <walship/expo.h>

struct total {
    uint64_t rows, items, bytes;
};

static bool is_of(const struct store_ledger_row *row, const char *destination)
{
    return strcmp(row->loss.destination, destination) == 0;
}

static struct total total_of(const struct store_look *look, const char *destination,
                             enum loss_reason reason)
{
    struct total total = {0};
    for (size_t i = 0; i < look->ledger_count; i++) {
        const struct store_ledger_row *row = &look->ledger[i];
        if (is_of(row, destination) && row->loss.reason == reason) {
            total.rows++;
            total.items += row->loss.items;
            total.bytes += row->loss.bytes;
        }
    }
    return total;
}

/* ---- for people ---- */

static void text_row(struct buf *out, const struct store_ledger_row *row)
{
    const struct store_loss *loss = &row->loss;
    struct json quoted;
    state_text(out, "  reason=%s from=", loss_reason_name(loss->reason));
    state_place(out, &loss->from);
    state_text(out, " to=");
    state_place(out, &loss->to);
    if (loss->items > 0) {
        state_text(out, " items=%llu", (unsigned long long)loss->items);
    } else {
        state_text(out, " items=unknown");
    }
    if (loss->series > 0) {
        state_text(out, " series>=%llu", (unsigned long long)loss->series);
    }
    if (loss->bytes > 0) {
        state_text(out, " bytes=%llu", (unsigned long long)loss->bytes);
    }
    if (loss->time_min_ms <= loss->time_max_ms) {
        state_text(out, " oldest=");
        state_time(out, loss->time_min_ms);
        state_text(out, " newest=");
        state_time(out, loss->time_max_ms);
    }
    state_text(out, " first_seen=");
    state_time(out, row->first_seen_ms);
    state_text(out, " last_seen=");
    state_time(out, loss->seen_ms);
    if (*loss->detail != '\0') {
        state_text(out, " detail=");
        json_init(&quoted, out);
        json_string(&quoted, NULL, loss->detail);
    }
    state_text(out, "\n");
}

static void text_destination(struct buf *out, const struct store_look *look,
                             const struct store_destination *destination)
{
    const char *comma = "";
    state_text(out, "%s: %llu items lost", destination->name,
               (unsigned long long)destination->counts[STORE_LOST]);
    for (unsigned i = 0; i < LOSS_REASONS; i++) {
        struct total total = total_of(look, destination->name, (enum loss_reason)i);
        if (total.rows == 0) {
            continue;
        }
        state_text(out, "%s%s", *comma == '\0' ? " (" : comma,
                   loss_reason_name((enum loss_reason)i));
        if (total.items > 0) {
            state_text(out, " %llu", (unsigned long long)total.items);
        }
        if (total.bytes > 0) {
            state_text(out, " %llu bytes", (unsigned long long)total.bytes);
        }
        comma = ", ";
    }
    state_text(out, *comma == '\0' ? "\n" : ")\n");
    for (size_t i = 0; i < look->ledger_count; i++) {
        if (is_of(&look->ledger[i], destination->name)) {
            text_row(out, &look->ledger[i]);
        }
    }
}

/* ---- for programs ---- */

static void json_place(struct json *json, const char *key, const struct position *at)
{
    json_open(json, key, '{');
    json_u64(json, "generation", at->generation);
    json_u64(json, "segment", at->segment);
    json_u64(json, "record", at->record);
    json_u64(json, "item", at->item);
    json_close(json, '}');
}

/* A key that is missing: not known. */
static void json_row(struct json *json, const struct store_ledger_row *row)
{
    const struct store_loss *loss = &row->loss;
    json_open(json, NULL, '{');
    json_string(json, "reason", loss_reason_name(loss->reason));
    json_place(json, "from", &loss->from);
    json_place(json, "to", &loss->to);
    if (loss->items > 0) {
        json_u64(json, "items", loss->items);
    }
    if (loss->series > 0) {
        json_u64(json, "series_min", loss->series);
    }
    if (loss->bytes > 0) {
        json_u64(json, "bytes", loss->bytes);
    }
    if (loss->time_min_ms <= loss->time_max_ms) {
        json_i64(json, "time_min_ms", loss->time_min_ms);
        json_i64(json, "time_max_ms", loss->time_max_ms);
    }
    json_i64(json, "first_seen_ms", row->first_seen_ms);
    json_i64(json, "last_seen_ms", loss->seen_ms);
    json_string(json, "detail", loss->detail);
    json_close(json, '}');
}

static void json_destination(struct json *json, const struct store_look *look,
                             const struct store_destination *destination)
{
    json_open(json, NULL, '{');
    json_string(json, "name", destination->name);
    json_u64(json, "lost", destination->counts[STORE_LOST]);
    json_open(json, "reasons", '[');
    for (unsigned i = 0; i < LOSS_REASONS; i++) {
        struct total total = total_of(look, destination->name, (enum loss_reason)i);
        if (total.rows > 0) {
            json_open(json, NULL, '{');
            json_string(json, "reason", loss_reason_name((enum loss_reason)i));
            json_u64(json, "items", total.items);
            json_u64(json, "bytes", total.bytes);
            json_close(json, '}');
        }
    }
    json_close(json, ']');
    json_open(json, "rows", '[');
    for (size_t i = 0; i < look->ledger_count; i++) {
        if (is_of(&look->ledger[i], destination->name)) {
            json_row(json, &look->ledger[i]);
        }
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void report(const struct state *state, struct buf *out)
{
    const struct store_image *image = &state->look.image;
    struct json json;
    json_init(&json, out);
    if (state->args.json) {
        json_open(&json, NULL, '{');
        json_open(&json, "destinations", '[');
    } else {
        state_text_none(out, &state->look);
    }
    for (size_t i = 0; i < image->destinations_count; i++) {
        if (state->args.json) {
            json_destination(&json, &state->look, &image->destinations[i]);
        } else {
            text_destination(out, &state->look, &image->destinations[i]);
        }
    }
    if (state->args.json) {
        json_close(&json, ']');
        json_close(&json, '}');
        state_text(out, "\n");
    }
    ASSERT(json_ok(&json));
}

int cmd_losses(int argc, char **argv)
{
    struct state state;
    struct buf out;
    buf_init(&out, STATE_TEXT_BYTES_MAX);
    int code = state_open(&state, argc, argv, false);
    if (code == 0) {
        report(&state, &out);
        code = state_print(&out) ? 0 : 1;
    }
    state_release(&state);
    buf_release(&out);
    return code;
}
