/* shards.c - see shards.h. */
#include "shards.h"

#include <errno.h>
#include <inttypes.h>
#include <walship/mem.h>

/* ---- writing ---- */

/* One line: the text as the last of its fields. */
static bool put_text(struct buf *out, const char *text)
{
    size_t from = out->bytes;
    if (!buf_append(out, text, strlen(text)) || !buf_append(out, "\n", 1)) {
        return false;
    }
    for (size_t i = from; i + 1 < out->bytes; i++) {
        uint8_t byte = out->data[i];
        out->data[i] = byte < ' ' || byte == 0x7f ? '?' : byte;
    }
    return true;
}

static bool put_shard(struct buf *out, uint16_t shard, const struct engine_shard_stats *stats)
{
    bool good =
        buf_format(out, "shard %u %u %u %u ", shard, stats->home, stats->endpoint, stats->pending);
    return good && (stats->newest_acked_ms == INT64_MIN
                        ? buf_append(out, "-\n", 2)
                        : buf_format(out, "%" PRId64 "\n", stats->newest_acked_ms));
}

static bool put_endpoint(struct buf *out, const struct engine_endpoint_stats *stats)
{
    return buf_format(out, "endpoint %s %s ", endpoint_state_name(stats->state),
                      lending_state_name(stats->lending)) &&
           put_text(out, stats->url) &&
           (*stats->last_error == '\0' ||
            (buf_append(out, "error ", 6) && put_text(out, stats->last_error)));
}

bool shards_write(const struct engine *engine, struct buf *out)
{
    struct engine_stats all;
    bool good = true;
    engine_stats(engine, &all);
    for (size_t i = 0; good && i < all.destinations_count && i < SHARDS_ROWS_MAX; i++) {
        struct engine_destination_stats destination;
        engine_destination_stats(engine, i, &destination);
        good = buf_format(out, "destination %s ", engine_routing_rules(engine, i)) &&
               put_text(out, destination.name);
        for (size_t k = 0; good && k < destination.endpoints_count; k++) {
            struct engine_endpoint_stats endpoint;
            engine_endpoint_stats(engine, i, k, &endpoint);
            good = put_endpoint(out, &endpoint);
        }
        for (uint16_t k = 0; good && k < SHARDS_COUNT; k++) {
            struct engine_shard_stats stats;
            engine_shard_stats(engine, i, k, &stats);
            good = put_shard(out, k, &stats);
        }
    }
    return good;
}

/* ---- reading ---- */

static bool take_number(char **line, int64_t *out)
{
    const char *word = strsep(line, " ");
    char *end;
    if (word == NULL || *word == '\0') {
        return false;
    }
    errno = 0;
    *out = strtoll(word, &end, 10);
    return errno == 0 && *end == '\0';
}

static bool take_index(char **line, uint32_t max, uint32_t *out)
{
    int64_t number;
    bool good = take_number(line, &number) && number >= 0 && number <= (int64_t)max;
    *out = good ? (uint32_t)number : 0;
    return good;
}

static bool read_destination(struct shards *shards, char *line)
{
    if (shards->count == SHARDS_ROWS_MAX) {
        return false;
    }
    struct shards_destination *row = &shards->rows[shards->count++];
    row->rules = strsep(&line, " ");
    row->name = line;
    return row->name != NULL;
}

static bool read_endpoint(struct shards_destination *row, char *line)
{
    if (row->endpoints_count == ENDPOINTS_MAX) {
        return false;
    }
    struct shards_endpoint *endpoint = &row->endpoints[row->endpoints_count++];
    endpoint->error = "";
    endpoint->state = strsep(&line, " ");
    endpoint->lending = strsep(&line, " ");
    endpoint->url = line;
    return endpoint->url != NULL;
}

/* They come in order, after all endpoints. */
static bool read_shard(struct shards_destination *row, char *line)
{
    uint32_t shard, home, present, pending;
    uint32_t last = (uint32_t)row->endpoints_count - 1;
    if (row->endpoints_count == 0 || row->shards_count == SHARDS_COUNT ||
        !take_index(&line, SHARDS_COUNT - 1, &shard) || shard != row->shards_count ||
        !take_index(&line, last, &home) || !take_index(&line, last, &present) ||
        !take_index(&line, UINT32_MAX, &pending) || line == NULL) {
        return false;
    }
    int64_t acked_ms = INT64_MIN;
    bool known = strcmp(line, "-") != 0;
    row->shards[row->shards_count++] = (struct engine_shard_stats){
        .home = (uint16_t)home, .endpoint = (uint16_t)present, .pending = pending};
    bool good = !known || take_number(&line, &acked_ms);
    row->shards[shard].newest_acked_ms = acked_ms;
    return good;
}

/* Whoever answers there, nothing of it may steer the terminal that it is shown on. */
static bool is_plain(const char *line)
{
    while ((unsigned char)*line >= ' ' && *line != 0x7f) {
        line++;
    }
    return *line == '\0';
}

static bool read_line(struct shards *shards, char *line)
{
    if (!is_plain(line)) {
        return false;
    }
    const char *what = strsep(&line, " ");
    if (line == NULL) {
        return false;
    }
    if (strcmp(what, "destination") == 0) {
        return read_destination(shards, line);
    }
    if (shards->count == 0) {
        return false;
    }
    struct shards_destination *row = &shards->rows[shards->count - 1];
    if (strcmp(what, "endpoint") == 0) {
        return row->shards_count == 0 && read_endpoint(row, line);
    }
    if (strcmp(what, "error") == 0 && row->endpoints_count > 0) {
        row->endpoints[row->endpoints_count - 1].error = line;
        return true;
    }
    return strcmp(what, "shard") == 0 && read_shard(row, line);
}

bool shards_read(struct shards *shards, char *page)
{
    bool good = true;
    ASSERT(page != NULL);
    *shards = (struct shards){.rows = mem_new(SHARDS_ROWS_MAX, sizeof *shards->rows)};
    for (char *line = strsep(&page, "\n"); good && page != NULL; line = strsep(&page, "\n")) {
        good = read_line(shards, line);
    }
    good = good && shards->count > 0;
    for (size_t i = 0; i < shards->count; i++) {
        good = good && shards->rows[i].shards_count == SHARDS_COUNT;
    }
    if (!good) {
        shards_release(shards);
    }
    return good;
}

void shards_release(struct shards *shards)
{
    mem_free(shards->rows);
    *shards = (struct shards){0};
}

const struct shards_destination *shards_find(const struct shards *shards, const char *name)
{
    for (size_t i = 0; i < shards->count; i++) {
        if (strcmp(shards->rows[i].name, name) == 0) {
            return &shards->rows[i];
        }
    }
    return NULL;
}
