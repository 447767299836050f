/* store_sqlite_rows.c - one commit as one transaction of prepared statements (I3).
 *
 * Parameters are bound in the order of the columns; those that are summed go into the row's
 * checksum in that order too, and store_sqlite_image.c reads them back in it. */
#include "store_sqlite_db.h"

#include <assert.h>
#include <errno.h>
#include <walship/limits.h>

#define DESTINATION_ID  "(SELECT id FROM destination WHERE name = ?1)"
#define LOSSES_OF       " WHERE destination = " DESTINATION_ID " AND reason = ?2"
#define TOO_MANY_LOSSES "(SELECT count(*) FROM loss" LOSSES_OF ") > ?3"

static const char *const texts[DB_STATEMENTS] = {
    [DB_BEGIN] = "BEGIN IMMEDIATE",
    [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",
    [DB_PUT_DESTINATION] =
        "INSERT INTO destination(name, fingerprint, first_start_ms, start_from_ms, items_read,"
        " items_acked, items_already_there, items_dropped, items_lost, sum)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        " ON CONFLICT(name) DO UPDATE SET fingerprint = excluded.fingerprint,"
        " first_start_ms = excluded.first_start_ms, start_from_ms = excluded.start_from_ms,"
        " items_read = excluded.items_read, items_acked = excluded.items_acked,"
        " items_already_there = excluded.items_already_there,"
        " items_dropped = excluded.items_dropped, items_lost = excluded.items_lost,"
        " sum = excluded.sum",
    [DB_PUT_WATERMARK] = "INSERT OR REPLACE INTO watermark VALUES(" DESTINATION_ID
                         ", ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [DB_PUT_LANE] = "INSERT OR REPLACE INTO lane(destination, lane, domain, generation, segment,"
                    " record, item, newest_ms, mixed, sum) VALUES(" DESTINATION_ID
                    ", ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [DB_PUT_SEGMENT] = "INSERT OR REPLACE INTO segment VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [DB_PUT_QUOTA] =
        "INSERT OR REPLACE INTO quota VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [DB_DROP_QUOTAS] = "DELETE FROM quota WHERE wall_ms < ?1",
    /* Column order: destination, reason, from, to, counts, times, detail. */
    [DB_ADD_LOSS] =
        "INSERT INTO loss(destination, reason, generation, segment, from_record, from_item,"
        " to_generation, to_segment, to_record, to_item, items, series, bytes, time_min_ms,"
        " time_max_ms, first_seen_ms, last_seen_ms, detail) VALUES(" DESTINATION_ID
        ", ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16, ?17)"
        " ON CONFLICT(destination, reason, generation, segment) DO UPDATE SET"
        " (from_record, from_item) = (SELECT a, b FROM (SELECT from_record AS a, from_item AS b"
        "  UNION ALL SELECT excluded.from_record, excluded.from_item) ORDER BY a, b LIMIT 1),"
        " (to_generation, to_segment, to_record, to_item) = (SELECT a, b, c, d FROM"
        "  (SELECT to_generation AS a, to_segment AS b, to_record AS c, to_item AS d"
        "  UNION ALL SELECT excluded.to_generation, excluded.to_segment, excluded.to_record,"
        "  excluded.to_item) ORDER BY a DESC, b DESC, c DESC, d DESC LIMIT 1),"
        " items = items + excluded.items, series = max(series, excluded.series),"
        " bytes = bytes + excluded.bytes,"
        " time_min_ms = min(coalesce(time_min_ms, excluded.time_min_ms),"
        "  coalesce(excluded.time_min_ms, time_min_ms)),"
        " time_max_ms = max(coalesce(time_max_ms, excluded.time_max_ms),"
        "  coalesce(excluded.time_max_ms, time_max_ms)),"
        " first_seen_ms = min(first_seen_ms, excluded.first_seen_ms),"
        " last_seen_ms = max(last_seen_ms, excluded.last_seen_ms),"
        " detail = CASE WHEN detail = '' THEN excluded.detail ELSE detail END",
    /* The two rows of the lowest places become one when there are more than ?3. */
    [DB_MERGE_LOSSES] =
        "UPDATE loss SET"
        " (to_generation, to_segment, to_record, to_item) = (SELECT a, b, c, d FROM"
        "  (SELECT loss.to_generation AS a, loss.to_segment AS b, loss.to_record AS c,"
        "   loss.to_item AS d UNION ALL SELECT next.to_generation, next.to_segment,"
        "   next.to_record, next.to_item) ORDER BY a DESC, b DESC, c DESC, d DESC LIMIT 1),"
        " items = loss.items + next.items, series = max(loss.series, next.series),"
        " bytes = loss.bytes + next.bytes,"
        " time_min_ms = min(coalesce(loss.time_min_ms, next.time_min_ms),"
        "  coalesce(next.time_min_ms, loss.time_min_ms)),"
        " time_max_ms = max(coalesce(loss.time_max_ms, next.time_max_ms),"
        "  coalesce(next.time_max_ms, loss.time_max_ms)),"
        " first_seen_ms = min(loss.first_seen_ms, next.first_seen_ms),"
        " last_seen_ms = max(loss.last_seen_ms, next.last_seen_ms),"
        " detail = CASE WHEN loss.detail = '' THEN next.detail ELSE loss.detail END"
        " FROM (SELECT * FROM loss" LOSSES_OF " ORDER BY generation, segment LIMIT 1 OFFSET 1)"
        " AS next WHERE loss.id = (SELECT id FROM loss" LOSSES_OF
        "  ORDER BY generation, segment LIMIT 1) AND " TOO_MANY_LOSSES,
    [DB_DROP_MERGED] = "DELETE FROM loss WHERE id = (SELECT id FROM loss" LOSSES_OF
                       " ORDER BY generation, segment LIMIT 1 OFFSET 1) AND " TOO_MANY_LOSSES,
    [DB_DROP_SEGMENTS] = "DELETE FROM segment WHERE (generation, number) < (?1, ?2)",
    [DB_DROP_LANES] = "DELETE FROM lane WHERE destination = " DESTINATION_ID,
    [DB_DROP_WATERMARKS] = "DELETE FROM watermark WHERE destination = " DESTINATION_ID,
    [DB_DROP_LOSSES] = "DELETE FROM loss WHERE destination = " DESTINATION_ID,
    [DB_ADOPT] = "UPDATE destination SET name = ?2 WHERE name = ?1",
    [DB_DROP_DESTINATION] = "DELETE FROM destination WHERE name = ?1",
    [DB_FOUND] = "UPDATE state SET lost = 0",
};

/* Saved as names: the enum may be renumbered. */
static const char *const reasons[] = {
    [LOSS_UNKNOWN_REF] = "unknown_ref", [LOSS_DAMAGED] = "damaged",
    [LOSS_TRUNCATED] = "truncated",     [LOSS_LABELS] = "labels",
    [LOSS_REJECTED] = "rejected",       [LOSS_UNSUPPORTED] = "unsupported",
    [LOSS_TOO_OLD] = "too_old",         [LOSS_TOO_FAR_AHEAD] = "too_far_ahead",
    [LOSS_BUDGET] = "budget",           [LOSS_SERVER_ERROR] = "server_error",
    [LOSS_CRASH_SKIP] = "crash_skip",
};
static_assert(ARRAY_COUNT(reasons) == LOSS_REASONS, "a name for each reason");

const char *db_reason_name(enum loss_reason reason)
{
    ASSERT(reason < LOSS_REASONS && reasons[reason] != NULL);
    return reasons[reason];
}

/* ---- one statement ---- */

struct row {
    struct store_db *db;
    sqlite3_stmt *statement; /* NULL: it could not be prepared, err is set at row_run */
    int parameter;           /* bound last */
};

static struct row row_of(struct store_db *db, enum db_statement which)
{
    ASSERT(which < DB_STATEMENTS && texts[which] != NULL);
    if (db->statements[which] == NULL) {
        (void)sqlite3_prepare_v3(db->sql, texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                 &db->statements[which], NULL);
    }
    sum_start(db);
    return (struct row){.db = db, .statement = db->statements[which]};
}

static void row_text(struct row *row, const char *text)
{
    ASSERT(text != NULL);
    sum_text(row->db, text);
    (void)sqlite3_bind_text(row->statement, ++row->parameter, text, -1, SQLITE_STATIC);
}

static void row_u64(struct row *row, uint64_t value)
{
    sum_u64(row->db, value);
    (void)sqlite3_bind_int64(row->statement, ++row->parameter, (int64_t)value);
}

static void row_null(struct row *row)
{
    (void)sqlite3_bind_null(row->statement, ++row->parameter);
}

static void row_position(struct row *row, const struct position *at)
{
    row_u64(row, at->generation);
    row_u64(row, at->segment);
    row_u64(row, at->record);
    row_u64(row, at->item);
}

static void row_sum(struct row *row)
{
    uint32_t sum = sum_end(row->db);
    (void)sqlite3_bind_int64(row->statement, ++row->parameter, sum);
}

/* A binding that failed left its parameter NULL, which the columns refuse. */
static bool row_run(struct row *row, const char *what, struct err *err)
{
    int code = row->statement != NULL ? sqlite3_step(row->statement) : SQLITE_ERROR;
    bool good = code == SQLITE_DONE;
    if (!good) {
        db_error(row->db, what, err);
    }
    if (row->statement != NULL) {
        (void)sqlite3_reset(row->statement);
    }
    return good;
}

static bool run_plain(struct store_db *db, enum db_statement which, struct err *err)
{
    struct row row = row_of(db, which);
    return row_run(&row, texts[which], err);
}

static bool run_for(struct store_db *db, enum db_statement which, const char *destination,
                    struct err *err)
{
    struct row row = row_of(db, which);
    row_text(&row, destination);
    return row_run(&row, "delete", err);
}

/* ---- what a commit holds ---- */

/* The rows follow by their destination's id; those with the name in their sum are written anew. */
static bool adopt(struct store_db *db, const struct store_commit *commit, struct err *err)
{
    if (commit->adopt_old == NULL) {
        return true;
    }
    ASSERT(commit->adopt_new != NULL);
    struct row row = row_of(db, DB_ADOPT);
    row_text(&row, commit->adopt_old);
    row_text(&row, commit->adopt_new);
    return row_run(&row, "adopt", err);
}

/* What an earlier layout of its shards and domains left. */
static bool drop_replaced(struct store_db *db, const struct store_commit *commit, struct err *err)
{
    for (size_t i = 0; i < commit->destinations_count; i++) {
        const struct store_destination *destination = &commit->destinations[i];
        if (destination->replaces && (!run_for(db, DB_DROP_LANES, destination->name, err) ||
                                      !run_for(db, DB_DROP_WATERMARKS, destination->name, err))) {
            return false;
        }
    }
    return true;
}

static bool drop_old(struct store_db *db, const struct store_commit *commit, struct err *err)
{
    if (!adopt(db, commit, err)) {
        return false;
    }
    if (commit->forget != NULL && (!run_for(db, DB_DROP_LANES, commit->forget, err) ||
                                   !run_for(db, DB_DROP_WATERMARKS, commit->forget, err) ||
                                   !run_for(db, DB_DROP_LOSSES, commit->forget, err) ||
                                   !run_for(db, DB_DROP_DESTINATION, commit->forget, err))) {
        return false;
    }
    if (!drop_replaced(db, commit, err)) {
        return false;
    }
    if (commit->has_segments_before) {
        struct row row = row_of(db, DB_DROP_SEGMENTS);
        row_u64(&row, commit->segments_before.generation);
        row_u64(&row, commit->segments_before.segment);
        return row_run(&row, "forget segments", err);
    }
    return true;
}

static bool put_destinations(struct store_db *db, const struct store_commit *commit,
                             struct err *err)
{
    static_assert(STORE_COUNTS == 5, "a column for each count");
    for (size_t i = 0; i < commit->destinations_count; i++) {
        const struct store_destination *destination = &commit->destinations[i];
        struct row row = row_of(db, DB_PUT_DESTINATION);
        row_text(&row, destination->name);
        row_text(&row, destination->fingerprint);
        row_u64(&row, (uint64_t)destination->first_start_ms);
        row_u64(&row, (uint64_t)destination->start_from_ms);
        for (size_t j = 0; j < STORE_COUNTS; j++) {
            row_u64(&row, destination->counts[j]);
        }
        row_sum(&row);
        if (!row_run(&row, "save a destination", err)) {
            return false;
        }
    }
    return true;
}

static bool put_watermarks(struct store_db *db, const struct store_commit *commit, struct err *err)
{
    for (size_t i = 0; i < commit->watermarks_count; i++) {
        const struct store_watermark *watermark = &commit->watermarks[i];
        struct row row = row_of(db, DB_PUT_WATERMARK);
        row_text(&row, watermark->destination);
        row_text(&row, watermark->domain);
        row_position(&row, &watermark->at);
        row_u64(&row, watermark->offset);
        row_u64(&row, watermark->previous_crc);
        row_sum(&row);
        if (!row_run(&row, "save a watermark", err)) {
            return false;
        }
    }
    return true;
}

static bool put_lanes(struct store_db *db, const struct store_commit *commit, struct err *err)
{
    for (size_t i = 0; i < commit->lanes_count; i++) {
        const struct store_lane *lane = &commit->lanes[i];
        struct row row = row_of(db, DB_PUT_LANE);
        row_text(&row, lane->destination);
        row_u64(&row, lane->lane);
        row_text(&row, lane->domain);
        row_position(&row, &lane->settled);
        row_u64(&row, (uint64_t)lane->newest_ms);
        row_u64(&row, lane->mixed);
        row_sum(&row);
        if (!row_run(&row, "save a lane", err)) {
            return false;
        }
    }
    return true;
}

static bool put_segments(struct store_db *db, const struct store_commit *commit, struct err *err)
{
    for (size_t i = 0; i < commit->segments_count; i++) {
        const struct store_segment *segment = &commit->segments[i];
        struct row row = row_of(db, DB_PUT_SEGMENT);
        row_u64(&row, segment->generation);
        row_u64(&row, segment->number);
        row_u64(&row, segment->device);
        row_u64(&row, segment->inode);
        row_u64(&row, segment->first_crc);
        row_sum(&row);
        if (!row_run(&row, "save a segment", err)) {
            return false;
        }
    }
    return true;
}

/* Merged first, deleted then: both see the same two rows, and neither does anything while the
 * ledger is short enough. */
static bool bound_losses(struct store_db *db, const struct store_loss *loss, struct err *err)
{
    static const enum db_statement steps[] = {DB_MERGE_LOSSES, DB_DROP_MERGED};
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        struct row row = row_of(db, steps[i]);
        row_text(&row, loss->destination);
        row_text(&row, db_reason_name(loss->reason));
        row_u64(&row, LEDGER_ROWS_MAX);
        if (!row_run(&row, "merge losses", err)) {
            return false;
        }
    }
    return true;
}

static bool add_losses(struct store_db *db, const struct store_commit *commit, struct err *err)
{
    for (size_t i = 0; i < commit->losses_count; i++) {
        const struct store_loss *loss = &commit->losses[i];
        struct row row = row_of(db, DB_ADD_LOSS);
        row_text(&row, loss->destination);
        row_text(&row, db_reason_name(loss->reason));
        row_position(&row, &loss->from);
        row_position(&row, &loss->to);
        row_u64(&row, loss->items);
        row_u64(&row, loss->series);
        row_u64(&row, loss->bytes);
        if (loss->time_min_ms > loss->time_max_ms) {
            row_null(&row);
            row_null(&row);
        } else {
            row_u64(&row, (uint64_t)loss->time_min_ms);
            row_u64(&row, (uint64_t)loss->time_max_ms);
        }
        row_u64(&row, (uint64_t)loss->seen_ms);
        row_text(&row, loss->detail != NULL ? loss->detail : "");
        if (!row_run(&row, "add a loss", err) || !bound_losses(db, loss, err)) {
            return false;
        }
    }
    return true;
}

/* Numbers of eight bytes, the low one first, in a row. */
static void row_seconds(struct row *row, const struct store_quota *quota,
                        uint8_t bytes[STORE_QUOTA_BYTES])
{
    size_t at = 0;
    for (size_t second = 0; second < STORE_QUOTA_SECONDS; second++) {
        for (size_t i = 0; i < STORE_QUOTA_DIMENSIONS; i++) {
            uint64_t value = quota->seconds[second][i];
            sum_u64(row->db, value);
            for (unsigned shift = 0; shift < 64; shift += 8) {
                bytes[at++] = (uint8_t)(value >> shift);
            }
        }
    }
    ASSERT(at == STORE_QUOTA_BYTES);
    (void)sqlite3_bind_blob(row->statement, ++row->parameter, bytes, STORE_QUOTA_BYTES,
                            SQLITE_STATIC);
}

static bool put_quotas(struct store_db *db, const struct store_commit *commit, struct err *err)
{
    for (size_t i = 0; i < commit->quotas_count; i++) {
        const struct store_quota *quota = &commit->quotas[i];
        uint8_t bytes[STORE_QUOTA_BYTES];
        struct row row = row_of(db, DB_PUT_QUOTA);
        row_text(&row, quota->account);
        row_u64(&row, (uint64_t)quota->wall_ms);
        row_u64(&row, quota->clean);
        for (size_t k = 0; k < STORE_QUOTA_DIMENSIONS; k++) {
            row_u64(&row, quota->open[k]);
        }
        for (size_t k = 0; k < STORE_QUOTA_DIMENSIONS; k++) {
            row_u64(&row, quota->learned[k]);
        }
        row_seconds(&row, quota, bytes);
        row_sum(&row);
        if (!row_run(&row, "save a quota", err)) {
            return false;
        }
    }
    if (commit->quotas_before_ms == 0) {
        return true;
    }
    struct row row = row_of(db, DB_DROP_QUOTAS);
    row_u64(&row, (uint64_t)commit->quotas_before_ms);
    return row_run(&row, "forget quotas", err);
}

static bool put_all(struct store_db *db, const struct store_commit *commit, struct err *err)
{
    if (!drop_old(db, commit, err) || !put_destinations(db, commit, err) ||
        !put_watermarks(db, commit, err) || !put_lanes(db, commit, err) ||
        !put_segments(db, commit, err) || !put_quotas(db, commit, err) ||
        !add_losses(db, commit, err)) {
        return false;
    }
    return !db->lost || commit->watermarks_count == 0 || run_plain(db, DB_FOUND, err);
}

/* Whatever failed: nothing of the commit stays, and the connection is free for the next one. */
static void roll_back(struct store_db *db)
{
    struct err ignored;
    if (sqlite3_get_autocommit(db->sql) == 0) {
        (void)run_plain(db, DB_ROLLBACK, &ignored);
    }
    ASSERT(sqlite3_get_autocommit(db->sql) != 0);
}

static bool transaction(struct store_db *db, const struct store_commit *commit, struct err *err)
{
    if (!run_plain(db, DB_BEGIN, err)) {
        return false;
    }
    if (!put_all(db, commit, err) || !run_plain(db, DB_COMMIT, err)) {
        roll_back(db);
        return false;
    }
    if (commit->watermarks_count > 0) {
        db->lost = false;
    }
    return true;
}

bool db_apply(struct store_db *db, const struct store_commit *commit, struct err *err)
{
    ASSERT(db != NULL && commit != NULL && err != NULL);
    bool gone;
    if (db->sql == NULL) {
        return err_set(err, ENOENT, "%s could not be written again: restart walship", db->path);
    }
    if (!transaction(db, commit, err) || files_still(db, &gone, err) != DB_GOOD) {
        return false;
    }
    /* Looked at after the commit: what went into a deleted file is copied along. */
    return !gone || db_restore(db, err);
}
