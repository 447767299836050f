/* store_sqlite_image.c - reads all that was saved and checks each row's checksum. The columns come
 * in the order in which store_sqlite_rows.c bound them. */
#include "store_sqlite_db.h"

#include <errno.h>
#include <walship/limits.h>
#include <walship/mem.h>

/* Owns every string of an image, for its release. */
struct image_memory {
    char **strings;
    size_t strings_count, strings_room;
};

struct cursor {
    struct store_db *db;
    struct image_memory *memory;
    sqlite3_stmt *statement;
    int column; /* read next */
};

static const char *take_text(struct cursor *cursor)
{
    struct image_memory *memory = cursor->memory;
    const char *text = (const char *)sqlite3_column_text(cursor->statement, cursor->column++);
    if (memory->strings_count == memory->strings_room) {
        memory->strings_room = memory->strings_room == 0 ? 64 : memory->strings_room * 2;
        memory->strings = mem_grow(memory->strings, memory->strings_room, sizeof *memory->strings);
    }
    char *copy = mem_string(text != NULL ? text : "");
    memory->strings[memory->strings_count++] = copy;
    sum_text(cursor->db, copy);
    return copy;
}

static uint64_t take_u64(struct cursor *cursor)
{
    uint64_t value = (uint64_t)sqlite3_column_int64(cursor->statement, cursor->column++);
    sum_u64(cursor->db, value);
    return value;
}

static uint32_t take_u32(struct cursor *cursor)
{
    return (uint32_t)take_u64(cursor);
}

static struct position take_position(struct cursor *cursor)
{
    struct position at;
    at.generation = take_u32(cursor);
    at.segment = take_u32(cursor);
    at.record = take_u32(cursor);
    at.item = take_u32(cursor);
    return at;
}

/* The last column: true when the row is what was written. */
static bool sum_good(struct cursor *cursor)
{
    uint32_t sum = sum_end(cursor->db);
    return sqlite3_column_int64(cursor->statement, cursor->column) == (int64_t)sum;
}

/* ---- one row of each kind ---- */

typedef bool take_fn(struct cursor *cursor, void *out);

static bool take_destination(struct cursor *cursor, void *out)
{
    struct store_destination *destination = out;
    destination->name = take_text(cursor);
    destination->fingerprint = take_text(cursor);
    destination->first_start_ms = (int64_t)take_u64(cursor);
    destination->start_from_ms = (int64_t)take_u64(cursor);
    for (size_t i = 0; i < STORE_COUNTS; i++) {
        destination->counts[i] = take_u64(cursor);
    }
    return sum_good(cursor);
}

static bool take_watermark(struct cursor *cursor, void *out)
{
    struct store_watermark *watermark = out;
    watermark->destination = take_text(cursor);
    watermark->domain = take_text(cursor);
    watermark->at = take_position(cursor);
    watermark->offset = take_u64(cursor);
    watermark->previous_crc = take_u32(cursor);
    return sum_good(cursor);
}

static bool take_lane(struct cursor *cursor, void *out)
{
    struct store_lane *lane = out;
    lane->destination = take_text(cursor);
    uint64_t number = take_u64(cursor);
    lane->lane = (uint16_t)number;
    lane->domain = take_text(cursor);
    lane->settled = take_position(cursor);
    if (sqlite3_column_type(cursor->statement, cursor->column) == SQLITE_NULL) {
        lane->newest_ms = INT64_MIN;
        lane->mixed = true;
        cursor->column += 2;
    } else {
        lane->newest_ms = (int64_t)take_u64(cursor);
        lane->mixed = take_u64(cursor) != 0;
    }
    return sum_good(cursor) && number < LANES_COUNT;
}

static bool take_segment(struct cursor *cursor, void *out)
{
    struct store_segment *segment = out;
    segment->generation = take_u32(cursor);
    segment->number = take_u32(cursor);
    segment->device = take_u64(cursor);
    segment->inode = take_u64(cursor);
    segment->first_crc = take_u32(cursor);
    return sum_good(cursor);
}

static uint64_t number_at(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static bool take_seconds(struct cursor *cursor, struct store_quota *quota)
{
    const uint8_t *bytes = sqlite3_column_blob(cursor->statement, cursor->column);
    if (sqlite3_column_bytes(cursor->statement, cursor->column++) != STORE_QUOTA_BYTES) {
        return false;
    }
    for (size_t second = 0; second < STORE_QUOTA_SECONDS; second++) {
        for (size_t i = 0; i < STORE_QUOTA_DIMENSIONS; i++) {
            uint64_t value = number_at(bytes);
            sum_u64(cursor->db, value);
            quota->seconds[second][i] = value;
            bytes += 8;
        }
    }
    return true;
}

static bool take_quota(struct cursor *cursor, void *out)
{
    struct store_quota *quota = out;
    quota->account = take_text(cursor);
    quota->wall_ms = (int64_t)take_u64(cursor);
    quota->clean = take_u64(cursor) != 0;
    for (size_t i = 0; i < STORE_QUOTA_DIMENSIONS; i++) {
        quota->open[i] = take_u64(cursor);
    }
    for (size_t i = 0; i < STORE_QUOTA_DIMENSIONS; i++) {
        quota->learned[i] = take_u64(cursor);
    }
    return take_seconds(cursor, quota) && sum_good(cursor);
}

/* Ledger rows carry no checksum: a broken one, or one of a later walship's reasons, costs a number
 * on a page, not a position (their tables are `lenient`). */
static bool take_reason(struct cursor *cursor, enum loss_reason *out)
{
    const char *name = take_text(cursor);
    for (unsigned i = 0; i < LOSS_REASONS; i++) {
        if (strcmp(db_reason_name((enum loss_reason)i), name) == 0) {
            *out = (enum loss_reason)i;
            return true;
        }
    }
    return false;
}

static bool take_loss(struct cursor *cursor, void *out)
{
    struct store_loss_total *total = out;
    total->destination = take_text(cursor);
    bool known = take_reason(cursor, &total->reason);
    total->items = take_u64(cursor);
    return known;
}

static bool take_ledger(struct cursor *cursor, void *out)
{
    struct store_ledger_row *row = out;
    struct store_loss *loss = &row->loss;
    loss->destination = take_text(cursor);
    bool known = take_reason(cursor, &loss->reason);
    loss->from = take_position(cursor);
    loss->to = take_position(cursor);
    loss->items = take_u64(cursor);
    loss->series = take_u64(cursor);
    loss->bytes = take_u64(cursor);
    loss->time_min_ms = (int64_t)take_u64(cursor);
    loss->time_max_ms = (int64_t)take_u64(cursor);
    row->first_seen_ms = (int64_t)take_u64(cursor);
    loss->seen_ms = (int64_t)take_u64(cursor);
    loss->detail = take_text(cursor);
    return known;
}

/* ---- whole tables ---- */

struct table {
    const char *sql;
    take_fn *take;
    size_t row_bytes;
    bool lenient; /* a row that can't be taken is passed over */
    void *rows;   /* out */
    size_t count;
};

static enum db_status read_rows(struct cursor *cursor, struct table *table, struct err *err)
{
    int code;
    size_t room = 0;
    while ((code = sqlite3_step(cursor->statement)) == SQLITE_ROW) {
        if (table->count == room) {
            room = room == 0 ? 16 : room * 2;
            table->rows = mem_grow(table->rows, room, table->row_bytes);
        }
        sum_start(cursor->db);
        cursor->column = 0;
        if (table->take(cursor, (char *)table->rows + table->count * table->row_bytes)) {
            table->count++;
        } else if (!table->lenient) {
            err_set(err, 0, "%s is corrupt: a row is not what was written", cursor->db->path);
            return DB_CORRUPT;
        }
    }
    return code == SQLITE_DONE ? DB_GOOD : db_error(cursor->db, "read", err);
}

static enum db_status read_table(struct store_db *db, struct image_memory *memory,
                                 struct table *table, struct err *err)
{
    struct cursor cursor = {.db = db, .memory = memory};
    enum db_status status;
    ASSERT(table->rows == NULL && table->row_bytes > 0);
    if (sqlite3_prepare_v2(db->sql, table->sql, -1, &cursor.statement, NULL) != SQLITE_OK) {
        status = db_error(db, "read", err);
    } else {
        status = read_rows(&cursor, table, err);
    }
    sqlite3_finalize(cursor.statement);
    return status;
}

static void image_release(struct store_image *image)
{
    struct image_memory *memory = image->memory;
    for (size_t i = 0; i < memory->strings_count; i++) {
        mem_free(memory->strings[i]);
    }
    mem_free(memory->strings);
    mem_free(memory);
    mem_free(image->destinations);
    mem_free(image->watermarks);
    mem_free(image->lanes);
    mem_free(image->segments);
    mem_free(image->quotas);
    mem_free(image->losses);
    *image = (struct store_image){0};
}

enum {
    TABLE_DESTINATION,
    TABLE_WATERMARK,
    TABLE_LANE,
    TABLE_SEGMENT,
    TABLE_QUOTA,
    TABLE_LOSS,
    TABLES
};

static void image_fill(struct store_image *out, const struct table *tables)
{
    out->destinations = tables[TABLE_DESTINATION].rows;
    out->destinations_count = tables[TABLE_DESTINATION].count;
    out->watermarks = tables[TABLE_WATERMARK].rows;
    out->watermarks_count = tables[TABLE_WATERMARK].count;
    out->lanes = tables[TABLE_LANE].rows;
    out->lanes_count = tables[TABLE_LANE].count;
    out->segments = tables[TABLE_SEGMENT].rows;
    out->segments_count = tables[TABLE_SEGMENT].count;
    out->quotas = tables[TABLE_QUOTA].rows;
    out->quotas_count = tables[TABLE_QUOTA].count;
    out->losses = tables[TABLE_LOSS].rows;
    out->losses_count = tables[TABLE_LOSS].count;
}

enum db_status db_read(struct store_db *db, struct store_image *out, struct err *err)
{
    struct table tables[TABLES] = {
        [TABLE_DESTINATION] = {"SELECT name, fingerprint, first_start_ms, start_from_ms,"
                               " items_read, items_acked, items_already_there, items_dropped,"
                               " items_lost, sum FROM destination ORDER BY id",
                               take_destination, sizeof(struct store_destination), false, NULL, 0},
        /* a row of no destination shows as one without a name: its sum can't be right */
        [TABLE_WATERMARK] = {"SELECT (SELECT name FROM destination WHERE id = destination),"
                             " domain, generation, segment, record, item, offset, previous_crc,"
                             " sum FROM watermark",
                             take_watermark, sizeof(struct store_watermark), false, NULL, 0},
        [TABLE_LANE] =
            {"SELECT (SELECT name FROM destination WHERE id = destination), lane,"
             " domain, generation, segment, record, item, newest_ms, mixed, sum FROM lane",
             take_lane, sizeof(struct store_lane), false, NULL, 0},
        [TABLE_SEGMENT] = {"SELECT generation, number, device, inode, first_crc, sum FROM segment"
                           " ORDER BY generation, number",
                           take_segment, sizeof(struct store_segment), false, NULL, 0},
        [TABLE_QUOTA] =
            {"SELECT account, wall_ms, clean, open_requests, open_bytes, open_samples,"
             " learned_requests, learned_bytes, learned_samples, seconds, sum FROM quota",
             take_quota, sizeof(struct store_quota), false, NULL, 0},
        /* sum() fails where the numbers are absurd */
        [TABLE_LOSS] =
            {"SELECT name, reason, CAST(total(items) AS INTEGER) FROM loss JOIN destination"
             " ON destination.id = loss.destination GROUP BY 1, 2 ORDER BY 1, 2",
             take_loss, sizeof(struct store_loss_total), true, NULL, 0},
    };
    ASSERT(db->sql != NULL && out != NULL);
    *out = (struct store_image){.release = image_release};
    out->memory = mem_new(1, sizeof(struct image_memory));
    enum db_status status = DB_GOOD;
    for (size_t i = 0; i < TABLES && status == DB_GOOD; i++) {
        status = read_table(db, out->memory, &tables[i], err);
    }
    image_fill(out, tables);
    out->lost = db->lost;
    if (status != DB_GOOD) {
        image_release(out);
    }
    return status;
}

enum db_status db_read_ledger(struct store_db *db, struct store_look *look, struct err *err)
{
    /* times that are not known are NULL: as a range that is empty */
    struct table table = {
        .sql = "SELECT name, reason, generation, segment, from_record, from_item, to_generation,"
               " to_segment, to_record, to_item, items, series, bytes, coalesce(time_min_ms, 1),"
               " coalesce(time_max_ms, 0), first_seen_ms, last_seen_ms, detail FROM loss"
               " JOIN destination ON destination.id = loss.destination"
               " ORDER BY destination.id, generation, segment, from_record, from_item",
        .take = take_ledger,
        .row_bytes = sizeof(struct store_ledger_row),
        .lenient = true};
    ASSERT(db->sql != NULL && look->image.memory != NULL);
    enum db_status status = read_table(db, look->image.memory, &table, err);
    look->ledger = table.rows;
    look->ledger_count = table.count;
    return status;
}
