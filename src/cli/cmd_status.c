/* cmd_status.c - `walship status`: what was saved, how far that is behind the WAL on disk, and what
 * a running walship says of itself. Reads only. */
#include "commands.h"
#include "kept.h"
#include "live.h"
#include "state.h"

#include <walship/engine.h>
#include <walship/expo.h>
#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/os_linux.h>
#include <walship/tail.h>

struct status_view {
    struct state state;
    struct waldir *dir; /* NULL: not readable */
    char *url;          /* of the live page; NULL: none */
    struct buf live;    /* the page, or empty */
    struct err why;     /* no page */
    struct err wal_why; /* no directory */
};

/* ---- what was saved ---- */

/* Bytes of the WAL from this place on, as the directory is now. */
static uint64_t behind_bytes(const struct waldir *dir, const struct store_watermark *mark)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < waldir_count(dir); i++) {
        const struct waldir_segment *segment = waldir_at(dir, i);
        bool own = segment->number == mark->at.segment && mark->offset != TAIL_OFFSET_UNKNOWN;
        if (segment->number < mark->at.segment || (segment->number == mark->at.segment && !own)) {
            continue;
        }
        char *path = mem_format("%s/%08u", waldir_path(dir), segment->number);
        uint64_t end = kept_filled_bytes(path, segment->bytes);
        mem_free(path);
        uint64_t begin = own ? mark->offset : 0;
        bytes += end > begin ? end - begin : 0;
    }
    return bytes;
}

static uint64_t lost_of(const struct store_look *look, const char *destination,
                        enum loss_reason reason)
{
    uint64_t items = 0;
    for (size_t i = 0; i < look->image.losses_count; i++) {
        const struct store_loss_total *total = &look->image.losses[i];
        if (total->reason == reason && strcmp(total->destination, destination) == 0) {
            items += total->items;
        }
    }
    return items;
}

static const char *const count_names[STORE_COUNTS] = {"read", "acked", "already_there", "dropped",
                                                      "lost"};

static void text_destination(struct buf *out, const struct status_view *view,
                             const struct store_destination *destination)
{
    const struct store_image *image = &view->state.look.image;
    state_text(out, "%s:", destination->name);
    for (size_t i = 0; i < STORE_COUNTS; i++) {
        state_text(out, " %s=%llu", count_names[i], (unsigned long long)destination->counts[i]);
    }
    for (unsigned i = 0; i < LOSS_REASONS; i++) {
        uint64_t items = lost_of(&view->state.look, destination->name, (enum loss_reason)i);
        if (items > 0) {
            state_text(out, " lost_%s=%llu", loss_reason_name((enum loss_reason)i),
                       (unsigned long long)items);
        }
    }
    state_text(out, "\n");
    for (size_t i = 0; i < image->watermarks_count; i++) {
        const struct store_watermark *mark = &image->watermarks[i];
        if (strcmp(mark->destination, destination->name) != 0) {
            continue;
        }
        state_text(out, "  everything settled before ");
        state_place(out, &mark->at);
        if (*mark->domain != '\0') {
            state_text(out, " for %s", mark->domain);
        }
        if (view->dir != NULL) {
            uint64_t kept = kept_behind_bytes(view->state.conf->spool_dir, view->dir, mark);
            uint64_t behind = behind_bytes(view->dir, mark) + kept;
            state_text(out, ", %llu bytes of the WAL behind", (unsigned long long)behind);
            if (kept > 0) {
                state_text(out, ", %llu of them in the spool alone", (unsigned long long)kept);
            }
        }
        state_text(out, "\n");
    }
}

static void text_report(struct buf *out, const struct status_view *view)
{
    const struct store_look *look = &view->state.look;
    if (look->process > 0) {
        state_text(out, "walship runs as process %ld\n", look->process);
    } else {
        state_text(out, "walship does not run; this is what it saved\n");
    }
    if (view->dir == NULL) {
        state_text(out, "%s\n", view->wal_why.text);
    }
    state_text_none(out, look);
    for (size_t i = 0; i < look->image.destinations_count; i++) {
        text_destination(out, view, &look->image.destinations[i]);
    }
    if (view->url != NULL && view->live.bytes > 0) {
        state_text(out, "%s says: ", view->url);
        bool fits = buf_append(out, view->live.data, view->live.bytes);
        ASSERT(fits);
    } else if (view->url != NULL) {
        state_text(out, "%s: %s\n", view->url, view->why.text);
    }
}

/* ---- for programs ---- */

static void json_marks(struct json *json, const struct status_view *view, const char *destination)
{
    const struct store_image *image = &view->state.look.image;
    json_open(json, "watermarks", '[');
    for (size_t i = 0; i < image->watermarks_count; i++) {
        const struct store_watermark *mark = &image->watermarks[i];
        if (strcmp(mark->destination, destination) != 0) {
            continue;
        }
        json_open(json, NULL, '{');
        json_string(json, "domain", mark->domain);
        json_u64(json, "generation", mark->at.generation);
        json_u64(json, "segment", mark->at.segment);
        json_u64(json, "record", mark->at.record);
        if (view->dir != NULL) {
            uint64_t kept = kept_behind_bytes(view->state.conf->spool_dir, view->dir, mark);
            json_u64(json, "behind_bytes", behind_bytes(view->dir, mark) + kept);
            json_u64(json, "kept_bytes", kept);
        }
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void json_report(struct buf *out, const struct status_view *view)
{
    const struct store_look *look = &view->state.look;
    struct json json;
    json_init(&json, out);
    json_open(&json, NULL, '{');
    json_u64(&json, "process", (uint64_t)look->process);
    json_open(&json, "destinations", '[');
    for (size_t i = 0; i < look->image.destinations_count; i++) {
        const struct store_destination *destination = &look->image.destinations[i];
        json_open(&json, NULL, '{');
        json_string(&json, "name", destination->name);
        for (size_t k = 0; k < STORE_COUNTS; k++) {
            json_u64(&json, count_names[k], destination->counts[k]);
        }
        json_open(&json, "lost_by_reason", '{');
        for (unsigned k = 0; k < LOSS_REASONS; k++) {
            json_u64(&json, loss_reason_name((enum loss_reason)k),
                     lost_of(look, destination->name, (enum loss_reason)k));
        }
        json_close(&json, '}');
        json_marks(&json, view, destination->name);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    if (view->live.bytes > 0) { /* as it came: it is JSON itself */
        state_text(out, ",\"live\":");
        bool fits = buf_append(out, view->live.data, view->live.bytes);
        ASSERT(fits);
    } else if (view->url != NULL) {
        json_string(&json, "live_error", view->why.text);
    }
    json_close(&json, '}');
    ASSERT(json_ok(&json));
    state_text(out, "\n");
}

int cmd_status(int argc, char **argv)
{
    struct status_view view = {0};
    struct buf out;
    struct os *os = os_linux_new();
    buf_init(&out, STATE_TEXT_BYTES_MAX);
    buf_init(&view.live, HTTP_RESPONSE_BYTES_MAX);
    struct conf_page *page = NULL;
    int code = state_open(&view.state, argc, argv, true);
    if (code == 0 && !live_page(view.state.args.http_config, &page)) {
        code = 1;
    }
    if (code == 0) {
        view.dir = waldir_open(os, view.state.conf->wal_dir, &view.wal_why);
        view.url = view.state.look.process > 0 ? live_url(view.state.conf, "/status") : NULL;
        if (view.url != NULL) {
            struct live_ask ask = {view.state.conf, page, view.url, HTTP_RESPONSE_BYTES_MAX};
            (void)live_fetch(&ask, &view.live, &view.why);
        }
        if (view.state.args.json) {
            json_report(&out, &view);
        } else {
            text_report(&out, &view);
        }
        code = state_print(&out) ? 0 : 1;
    }
    waldir_free(view.dir);
    os_linux_free(os);
    conf_page_free(page);
    mem_free(view.url);
    state_release(&view.state);
    buf_release(&view.live);
    buf_release(&out);
    return code;
}
