/* world.c - see world.h. */
#include "world_rules.h"

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <walship/limits.h>
#include <walship/log.h>
#include <walship/mem.h>

void world_print(struct world *world, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ck_assert(buf_append(&world->out, text, strlen(text)));
}

static void take_trace(void *context, const char *line)
{
    world_print(context, "%s\n", line);
}

static void take_log(void *context, const char *line)
{
    const char *level = strstr(line, "level=");
    if (strncmp(level, "level=info", 10) != 0 && strncmp(level, "level=debug", 11) != 0) {
        world_print(context, "          log %s", level);
    }
}

static int64_t log_time(void *context)
{
    const struct world *world = context;
    return world->now_ms * 100; /* so that no site is ever rate limited */
}

static void plan_commit(void *context, struct fake_commit_plan *out)
{
    const struct world *world = context;
    out->fails = world->commits_fail;
}

static void segment_path(const struct world *world, uint32_t number, char *out, size_t bytes)
{
    (void)world;
    snprintf(out, bytes, "/wal/%08u", number);
}

static void segment_open(struct world *world, uint32_t number)
{
    char path[64];
    segment_path(world, number, path, sizeof path);
    world->segment = number;
    world->records_count = 0;
    world->written = 0;
    wal_writer_clear(&world->writer);
    fake_os_replace(world->os, path, "", 0);
}

void world_init(struct world *world)
{
    *world = (struct world){0};
    buf_init(&world->out, WORLD_TEXT_BYTES_MAX);
    world->os = fake_os_new(1);
    world->now_ms = fake_os_now(world->os);
    world->ids = label_ids_new();
    struct fake_store_hooks hooks = {.context = world, .plan = plan_commit};
    world->store = fake_store_new(&world->now_ms, &hooks);
    struct fake_http_hooks judged = {.context = world, .judged = world_judged};
    world->http = fake_http_new(&world->now_ms, world->ids, &judged);
    token_door_init(&world->door, &world->http->seam, &world->now_ms);
    fake_os_mkdir(world->os, "/wal");
    wal_writer_init(&world->writer, WAL_WRITER_PLAIN);
    segment_open(world, 0);
    world->conf = (struct conf){.wal_dir = mem_string("/wal"),
                                .start_at = CONF_START_OLDEST,
                                .spool_max_bytes = (uint64_t)10 << 30,
                                .destinations = world->destinations};
    log_set_sink(take_log, log_time, world);
}

static void engine_end(struct world *world)
{
    engine_free(world->engine);
    world->engine = NULL;
    fake_os_close_all(world->os);
    fake_http_crash(world->http, NULL);
    if (world->spool != NULL) {
        fake_spool_crash(world->spool, NULL);
    }
    token_door_crash(&world->door);
}

void world_release(struct world *world)
{
    engine_end(world);
    log_set_sink(NULL, NULL, NULL);
    world_rules_release(world);
    for (size_t i = 0; i < world->conf.destinations_count; i++) {
        world_destination_release(&world->destinations[i]);
    }
    world_reload_release(world);
    mem_free(world->conf.wal_dir);
    wal_writer_release(&world->writer);
    fake_http_free(world->http);
    for (size_t i = 0; i < ARRAY_COUNT(world->judges); i++) {
        fake_judge_release(&world->judges[i]);
    }
    fake_store_free(world->store);
    fake_spool_free(world->spool);
    mem_free(world->conf.spool_dir);
    fake_os_free(world->os);
    label_ids_free(world->ids);
    buf_release(&world->out);
}

/* The next word of the line, cut off; NULL at the end. */
char *world_word(char **line)
{
    char *at = *line + strspn(*line, " ");
    if (*at == 0) {
        return NULL;
    }
    char *end = at + strcspn(at, " ");
    *line = *end == 0 ? end : end + 1;
    *end = 0;
    return at;
}

int64_t world_number(char **line)
{
    char *text = world_word(line);
    ck_assert_msg(text != NULL, "a number is missing");
    return strtoll(text, NULL, 10);
}

static size_t receiver_of(const struct world *world, const char *url)
{
    size_t i = 0;
    while (i < world->http->receivers_count && strcmp(world->http->receivers[i].url, url) != 0) {
        i++;
    }
    ck_assert_msg(i < world->http->receivers_count, "no endpoint %s", url);
    return i;
}

static void do_start(struct world *world, char *line)
{
    struct engine_options options = {0};
    char *equals;
    for (char *option = world_word(&line); option != NULL; option = world_word(&line)) {
        if (strcmp(option, "once") == 0) {
            options.once = true;
        } else if (strcmp(option, "forget") == 0) {
            options.forget = world_word(&line);
        } else if (strcmp(option, "adopt") == 0) {
            options.adopt_old = world_word(&line);
            equals = strchr(options.adopt_old, '=');
            *equals = 0;
            options.adopt_new = equals + 1;
        }
    }
    struct err err = {0};
    options.spool = world->spool == NULL ? NULL : &world->spool->seam;
    if (world->engine != NULL) {
        engine_end(world); /* one that finished by itself */
    }
    world->engine = engine_new(&world->conf, &options, fake_os_seam(world->os), &world->door.seam,
                               &world->store->seam);
    engine_set_trace(world->engine, take_trace, world);
    world->running = engine_start(world->engine, &err);
    if (!world->running) {
        world_print(world, "          refused: %s\n", err.text);
        engine_end(world);
    }
}

static void append(struct world *world)
{
    char path[64];
    segment_path(world, world->segment, path, sizeof path);
    fake_os_append(world->os, path, world->writer.bytes.data + world->written,
                   world->writer.bytes.bytes - world->written);
    world->written = world->writer.bytes.bytes;
}

/* NAME[,LABEL=VALUE...], cut apart in place; as Prometheus logs them, sorted. */
static size_t series_labels(char *text, struct label *out)
{
    size_t count = 0;
    const char *name = "__name__";
    for (char *next = text; next != NULL;) {
        char *value = next;
        next = strchr(next, ',');
        if (next != NULL) {
            *next++ = 0;
        }
        if (count > 0) {
            name = value;
            value = strchr(value, '=');
            *value++ = 0;
        }
        out[count++] = (struct label){name, value, (uint32_t)strlen(name), (uint32_t)strlen(value)};
    }
    return labels_canonical(out, count);
}

static void put_series(struct buf *record, char *line)
{
    struct wal_series items[16];
    struct label labels[64];
    size_t count = 0;
    struct label *room = labels;
    for (char *ref = world_word(&line); ref != NULL; ref = world_word(&line)) {
        size_t labels_count = series_labels(world_word(&line), room);
        items[count] = (struct wal_series){strtoull(ref, NULL, 10), labels_count, room};
        room += labels_count;
        count++;
    }
    wal_put_series(record, items, count);
}

void world_log(struct world *world, const struct buf *record)
{
    wal_writer_log_buf(&world->writer, record);
    ck_assert_uint_lt(world->records_count, WORLD_RECORDS_MAX);
    world->record_ends[world->records_count++] = world->writer.bytes.bytes;
    append(world);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void do_record(struct world *world, char *line, bool series)
{
    struct buf record;
    struct wal_sample items[64];
    size_t count = 0;
    buf_init(&record, 1 << 20);
    if (series) {
        put_series(&record, line);
    } else {
        for (char *ref = world_word(&line); ref != NULL; ref = world_word(&line)) {
            int64_t t_ms = world_number(&line);
            items[count++] = (struct wal_sample){
                .ref = strtoull(ref, NULL, 10), .t_ms = t_ms, .bits = bits_of((double)t_ms)};
        }
        wal_put_samples(&record, WAL_SAMPLES, items, count);
    }
    world_log(world, &record);
    buf_release(&record);
}

static void do_roll(struct world *world)
{
    wal_writer_pad(&world->writer);
    append(world);
    segment_open(world, world->segment + 1);
}

static void do_junk(struct world *world)
{
    static uint8_t page[WAL_PAGE_BYTES];
    memset(page, 0xAA, sizeof page);
    wal_writer_pad(&world->writer);
    ck_assert(buf_append(&world->writer.bytes, page, sizeof page));
    append(world);
}

/* As Prometheus: everything above goes, the segment is written anew with its first records. */
static void do_repair(struct world *world, uint32_t segment, size_t keep)
{
    char path[64];
    size_t bytes;
    ck_assert_uint_le(segment, world->segment);
    if (segment < world->segment) { /* all of it is kept; what is above goes */
        ck_assert_uint_eq(keep, 0);
        for (uint32_t i = segment + 1; i <= world->segment; i++) {
            segment_path(world, i, path, sizeof path);
            fake_os_unlink(world->os, path);
        }
        segment_path(world, segment, path, sizeof path);
        bytes = (size_t)fake_os_bytes(world->os, path);
        uint8_t *copy = mem_new(bytes, 1);
        memcpy(copy, fake_os_data(world->os, path), bytes);
        fake_os_replace(world->os, path, copy, bytes);
        mem_free(copy);
    } else {
        ck_assert_uint_le(keep, world->records_count);
        world->writer.bytes.bytes = keep == 0 ? 0 : world->record_ends[keep - 1];
        wal_writer_pad(&world->writer);
        segment_path(world, segment, path, sizeof path);
        fake_os_replace(world->os, path, world->writer.bytes.data, world->writer.bytes.bytes);
    }
    segment_open(world, segment + 1);
}

static void do_cut(struct world *world, uint64_t bytes)
{
    char path[64];
    segment_path(world, world->segment, path, sizeof path);
    fake_os_truncate(world->os, path, world->writer.bytes.bytes - bytes);
    segment_open(world, world->segment + 1);
}

static void do_checkpoint(struct world *world, char *line)
{
    uint32_t last = (uint32_t)world_number(&line);
    struct wal_writer writer;
    struct buf record;
    char path[64];
    snprintf(path, sizeof path, "/wal/checkpoint.%08u", last);
    fake_os_mkdir(world->os, path);
    wal_writer_init(&writer, WAL_WRITER_PLAIN);
    buf_init(&record, 1 << 20);
    put_series(&record, line);
    wal_writer_log_buf(&writer, &record);
    wal_writer_pad(&writer);
    snprintf(path, sizeof path, "/wal/checkpoint.%08u/00000000", last);
    fake_os_append(world->os, path, writer.bytes.data, writer.bytes.bytes);
    for (uint32_t i = 0; i <= last; i++) {
        segment_path(world, i, path, sizeof path);
        if (fake_os_exists(world->os, path)) {
            fake_os_unlink(world->os, path);
        }
    }
    buf_release(&record);
    wal_writer_release(&writer);
}

static void do_empty(struct world *world)
{
    char path[64];
    for (uint32_t i = 0; i <= world->segment; i++) {
        segment_path(world, i, path, sizeof path);
        if (fake_os_exists(world->os, path)) {
            fake_os_unlink(world->os, path);
        }
    }
    segment_open(world, 0);
}

static void do_run(struct world *world, int64_t ms)
{
    int64_t until_ms = world->now_ms + ms;
    for (int turns = 0; world->running; turns++) {
        ck_assert_int_lt(turns, 100000); /* a storm of turns is a bug */
        fake_http_run(world->http);
        fake_store_run(world->store);
        engine_turn(world->engine, world->now_ms);
        engine_check(world->engine);
        if (engine_finished(world->engine)) {
            world_print(world, "          finished\n");
            world->running = false;
            return;
        }
        int64_t next = engine_deadline(world->engine, world->now_ms);
        int64_t http = fake_http_deadline(world->http);
        int64_t store = fake_store_deadline(world->store);
        int64_t door = token_door_deadline(&world->door);
        next = door < next ? door : next;
        next = http < next ? http : next;
        next = store < next ? store : next;
        int64_t spool = world->spool == NULL ? INT64_MAX : fake_spool_deadline(world->spool);
        next = spool < next ? spool : next;
        if (next > until_ms) {
            break;
        }
        if (next > world->now_ms) {
            fake_os_advance(world->os, next - world->now_ms);
            world->now_ms = next;
        }
    }
    fake_os_advance(world->os, until_ms - world->now_ms);
    world->now_ms = until_ms;
}

static void do_answer(struct world *world, char *line, const char *verb)
{
    size_t receiver = receiver_of(world, world_word(&line));
    struct fake_plan plan = fake_plan_good();
    if (strcmp(verb, "lose") == 0) {
        plan.outcome = HTTP_AMBIGUOUS;
    } else if (strcmp(verb, "refuse") == 0) {
        plan.outcome = HTTP_NOT_SENT;
        plan.stored = false;
    } else {
        plan.status = (int)world_number(&line);
        plan.stored = plan.status / 100 == 2;
        char *retry_after = world_word(&line);
        snprintf(plan.retry_after, sizeof plan.retry_after, "%s",
                 retry_after == NULL ? "" : retry_after);
    }
    fake_http_script(world->http, receiver, &plan);
}

static void do_arrived(struct world *world, char *line)
{
    const struct fake_receiver *receiver =
        &world->http->receivers[receiver_of(world, world_word(&line))];
    for (size_t i = 0; i < receiver->arrivals_count; i++) {
        const struct fake_arrival *arrival = &receiver->arrivals[i];
        static const char *const kinds[] = {"", " histogram", " exemplar"};
        world_print(world, "          request %" PRIu64 ": %s %" PRId64 "%s\n", arrival->request,
                    label_ids_text(world->ids, arrival->sample.series), arrival->sample.t_ms,
                    kinds[arrival->sample.kind]);
    }
}

static void do_spool(struct world *world, char *line)
{
    if (world->spool == NULL) {
        world->spool = fake_spool_new(world->os, "/spool", &world->now_ms);
        world->conf.spool_dir = mem_string("/spool");
    } else {
        world->spool->write_error = (int)world_number(&line);
    }
}

enum { SPOOLED_MAX = 32 };

struct spooled {
    char lines[SPOOLED_MAX][SPOOL_NAME_BYTES + 32];
    size_t count;
};

static void take_spooled(void *context, const struct spool_entry *entry)
{
    struct spooled *spooled = context;
    ck_assert_uint_lt(spooled->count, SPOOLED_MAX);
    snprintf(spooled->lines[spooled->count++], sizeof spooled->lines[0], "%s, %" PRIu64 " bytes",
             entry->name, entry->bytes);
}

static int line_order(const void *left, const void *right)
{
    return strcmp(left, right);
}

static void do_spooled(struct world *world)
{
    struct spooled spooled = {.count = 0};
    int status = world->spool->seam.list(&world->spool->seam, take_spooled, &spooled);
    ck_assert_int_eq(status, 0);
    qsort(spooled.lines, spooled.count, sizeof spooled.lines[0], line_order);
    for (size_t i = 0; i < spooled.count; i++) {
        world_print(world, "          %s\n", spooled.lines[i]);
    }
    world_print(world, "          %zu files in the spool\n", spooled.count);
}

static bool step_spool(struct world *world, const char *verb, char *line)
{
    if (strcmp(verb, "spool") == 0) {
        do_spool(world, line);
    } else if (strcmp(verb, "spool_max") == 0) {
        world->conf.spool_max_bytes = (uint64_t)world_number(&line);
    } else if (strcmp(verb, "spool_free") == 0) {
        world->spool->free_bytes = (uint64_t)world_number(&line);
        world->conf.spool_min_free = 1000;
    } else if (strcmp(verb, "links") == 0) {
        world->spool->link_error = strcmp(world_word(&line), "refuse") == 0 ? EXDEV : 0;
    } else if (strcmp(verb, "spooled") == 0) {
        do_spooled(world);
    } else {
        return false;
    }
    return true;
}

static bool step_wal(struct world *world, const char *verb, char *line)
{
    if (strcmp(verb, "series") == 0 || strcmp(verb, "samples") == 0) {
        do_record(world, line, strcmp(verb, "series") == 0);
    } else if (strcmp(verb, "roll") == 0) {
        do_roll(world);
    } else if (strcmp(verb, "junk") == 0) {
        do_junk(world);
    } else if (strcmp(verb, "remove") == 0) {
        char path[64];
        segment_path(world, (uint32_t)world_number(&line), path, sizeof path);
        fake_os_unlink(world->os, path);
    } else if (strcmp(verb, "repair") == 0) {
        uint32_t segment = (uint32_t)world_number(&line);
        do_repair(world, segment, (size_t)world_number(&line));
    } else if (strcmp(verb, "cut") == 0) {
        do_cut(world, (uint64_t)world_number(&line));
    } else if (strcmp(verb, "empty") == 0) {
        do_empty(world);
    } else if (strcmp(verb, "checkpoint") == 0) {
        do_checkpoint(world, line);
    } else {
        return world_kinds_step(world, verb, line);
    }
    return true;
}

static bool step_world(struct world *world, const char *verb, char *line)
{
    if (strcmp(verb, "destination") == 0) {
        world_destination(world, &world->destinations[world->conf.destinations_count++], line);
    } else if (strcmp(verb, "rename") == 0) {
        mem_free(world->destinations[0].name);
        world->destinations[0].name = mem_string(world_word(&line));
    } else if (strcmp(verb, "failover") == 0) {
        world->destinations[0].placement = CONF_FAILOVER;
    } else if (strcmp(verb, "external") == 0) {
        char *name = world_word(&line);
        world_external(world, name, world_word(&line));
    } else if (strcmp(verb, "relabel") == 0) {
        world_relabel(&world->destinations[world->conf.destinations_count - 1], line);
    } else if (strcmp(verb, "start_at") == 0) {
        world_start_at(world, line);
    } else if (strcmp(verb, "answer") == 0 || strcmp(verb, "lose") == 0 ||
               strcmp(verb, "refuse") == 0) {
        do_answer(world, line, verb);
    } else if (strcmp(verb, "date") == 0) {
        struct fake_receiver *receiver =
            &world->http->receivers[receiver_of(world, world_word(&line))];
        receiver->dated = true;
        receiver->clock_offset_ms = world_number(&line) - world->now_ms;
    } else if (strcmp(verb, "wall") == 0) {
        struct os *os = fake_os_seam(world->os);
        fake_os_set_wall(world->os, os->wall_ms(os) + world_number(&line));
    } else if (strcmp(verb, "tokens") == 0) {
        char *what = world_word(&line);
        world->door.fail_status = strcmp(what, "fail") == 0 ? (int)world_number(&line) : 0;
        world->door.life_s = world->door.fail_status != 0 ? 0 : strtoll(what, NULL, 10);
    } else if (strcmp(verb, "authorization") == 0) {
        world_print(world, "          %s, token requests %u\n", world->door.last_authorization,
                    world->door.asked);
    } else if (strcmp(verb, "no429") == 0) {
        world->destinations[0].queue.retry_on_http_429 = false;
    } else if (strcmp(verb, "commits") == 0) {
        world->commits_fail = strcmp(world_word(&line), "fail") == 0;
    } else {
        return false;
    }
    return true;
}

void world_step(struct world *world, char *line)
{
    char *verb = world_word(&line);
    ck_assert_ptr_nonnull(verb);
    if (world_judge_step(world, verb, line) || step_wal(world, verb, line) ||
        step_spool(world, verb, line) || step_world(world, verb, line)) {
        return;
    }
    if (world_reload_step(world, verb, line) || world_books_step(world, verb)) {
        return;
    }
    if (strcmp(verb, "start") == 0) {
        do_start(world, line);
    } else if (strcmp(verb, "run") == 0) {
        do_run(world, world_number(&line));
    } else if (strcmp(verb, "stop") == 0) {
        engine_stop(world->engine, world->now_ms);
    } else if (strcmp(verb, "crash") == 0) {
        engine_end(world);
        fake_store_crash(world->store, false);
        world->running = false;
    } else if (strcmp(verb, "endpoints") == 0) {
        world_endpoints(world);
    } else if (strcmp(verb, "arrived") == 0) {
        do_arrived(world, line);
    } else {
        ck_abort_msg("no such event: %s", verb);
    }
}
