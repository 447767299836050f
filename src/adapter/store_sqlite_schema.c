/* store_sqlite_schema.c - opens the database, checks it, creates it. See store_sqlite_db.h.
 *
 * Positions are four integers, unsigned 64-bit values are stored as the signed ones of the same
 * bits. Rows that decide where reading goes on carry a checksum (`sum`): a flipped bit in a
 * position must read as "corrupt" and begin anew at the oldest segment, not silently skip samples
 * (I1). A later schema gets a number, a step from the one before, and a row in schema_version. */
#include "store_sqlite_db.h"

#include <errno.h>
#include <unistd.h>
#include <walship/crc32c.h>
#include <walship/mem.h>

static const char schema[] =
    "CREATE TABLE schema_version(version INTEGER NOT NULL, applied_ms INTEGER NOT NULL);"
    "CREATE TABLE state(only INTEGER PRIMARY KEY CHECK(only = 1), lost INTEGER NOT NULL);"
    "CREATE TABLE destination(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " fingerprint TEXT NOT NULL, first_start_ms INTEGER NOT NULL, start_from_ms INTEGER NOT NULL,"
    " items_read INTEGER NOT NULL, items_acked INTEGER NOT NULL,"
    " items_already_there INTEGER NOT NULL, items_dropped INTEGER NOT NULL,"
    " items_lost INTEGER NOT NULL, sum INTEGER NOT NULL);"
    "CREATE TABLE watermark(destination INTEGER NOT NULL, domain TEXT NOT NULL,"
    " generation INTEGER NOT NULL, segment INTEGER NOT NULL, record INTEGER NOT NULL,"
    " item INTEGER NOT NULL, offset INTEGER NOT NULL, previous_crc INTEGER NOT NULL,"
    " sum INTEGER NOT NULL, PRIMARY KEY(destination, domain)) WITHOUT ROWID;"
    "CREATE TABLE lane(destination INTEGER NOT NULL, lane INTEGER NOT NULL, domain TEXT NOT NULL,"
    " generation INTEGER NOT NULL, segment INTEGER NOT NULL, record INTEGER NOT NULL,"
    " item INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(destination, lane)) WITHOUT ROWID;"
    "CREATE TABLE segment(generation INTEGER NOT NULL, number INTEGER NOT NULL,"
    " device INTEGER NOT NULL, inode INTEGER NOT NULL, first_crc INTEGER NOT NULL,"
    " sum INTEGER NOT NULL, PRIMARY KEY(generation, number)) WITHOUT ROWID;"
    "CREATE TABLE loss(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, reason TEXT NOT NULL,"
    " generation INTEGER NOT NULL, segment INTEGER NOT NULL, from_record INTEGER NOT NULL,"
    " from_item INTEGER NOT NULL, to_generation INTEGER NOT NULL, to_segment INTEGER NOT NULL,"
    " to_record INTEGER NOT NULL, to_item INTEGER NOT NULL, items INTEGER NOT NULL,"
    " series INTEGER NOT NULL, bytes INTEGER NOT NULL, time_min_ms INTEGER, time_max_ms INTEGER,"
    " first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL, detail TEXT NOT NULL,"
    " UNIQUE(destination, reason, generation, segment));";

/* From each version to the next. A new database goes through all of them. */
static const char *const steps[STORE_SCHEMA_VERSION + 1] = {
    [2] = "CREATE TABLE quota(account TEXT PRIMARY KEY, wall_ms INTEGER NOT NULL,"
          " clean INTEGER NOT NULL, open_requests INTEGER NOT NULL, open_bytes INTEGER NOT NULL,"
          " open_samples INTEGER NOT NULL, learned_requests INTEGER NOT NULL,"
          " learned_bytes INTEGER NOT NULL, learned_samples INTEGER NOT NULL,"
          " seconds BLOB NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;",
    /* NULL: written by an earlier one, and not in its sum */
    [3] = "ALTER TABLE lane ADD COLUMN newest_ms INTEGER;"
          "ALTER TABLE lane ADD COLUMN mixed INTEGER;",
};

/* ---- checksums ---- */

void sum_start(struct store_db *db)
{
    buf_clear(&db->sum);
}

void sum_text(struct store_db *db, const char *text)
{
    /* with its end, so that "ab","c" and "a","bc" differ; a text too long for it is not summed */
    if (!buf_append(&db->sum, text, strlen(text) + 1)) {
        sum_u64(db, strlen(text));
    }
}

void sum_u64(struct store_db *db, uint64_t value)
{
    if (!buf_append(&db->sum, &value, sizeof value)) {
        return; /* full: both sides of the comparison stop at the same place */
    }
}

uint32_t sum_end(const struct store_db *db)
{
    return crc32c(db->sum.data, db->sum.bytes);
}

/* ---- small help ---- */

static int errno_of(int code, const struct store_db *db)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_READONLY:
        return EROFS;
    case SQLITE_BUSY:
        return EBUSY;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return sqlite3_system_errno(db->sql);
    default:
        return 0;
    }
}

enum db_status db_error(const struct store_db *db, const char *what, struct err *err)
{
    int code = db->sql != NULL ? sqlite3_extended_errcode(db->sql) : SQLITE_NOMEM;
    int number = errno_of(code, db);
    err_set(err, number, "%s: %s: %s%s%s", db->path, what,
            db->sql != NULL ? sqlite3_errmsg(db->sql) : "out of memory", number != 0 ? ": " : "",
            number != 0 ? strerror(number) : "");
    /* plain SQLITE_ERROR is a missing table or column: our statements have no other faults */
    bool corrupt = (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB ||
                   (code & 0xff) == SQLITE_ERROR;
    return corrupt ? DB_CORRUPT : DB_FAILED;
}

static enum db_status run(struct store_db *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db->sql, sql, NULL, NULL, NULL) == SQLITE_OK ? DB_GOOD
                                                                     : db_error(db, "prepare", err);
}

/* The first column of the first row; a missing row is damage. */
static enum db_status ask_number(struct store_db *db, const char *sql, int64_t *out,
                                 struct err *err)
{
    sqlite3_stmt *statement = NULL;
    enum db_status status = DB_GOOD;
    int code = sqlite3_prepare_v2(db->sql, sql, -1, &statement, NULL);
    code = code == SQLITE_OK ? sqlite3_step(statement) : code;
    if (code == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
    } else if (code == SQLITE_DONE) {
        err_set(err, 0, "%s is corrupt: a row is missing", db->path);
        status = DB_CORRUPT;
    } else {
        status = db_error(db, "read", err);
    }
    sqlite3_finalize(statement);
    return status;
}

/* ---- opening ---- */

static enum db_status connect_to(struct store_db *db, struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(db->path, &db->sql, flags, NULL) != SQLITE_OK) {
        return db_error(db, "open", err);
    }
    sqlite3_extended_result_codes(db->sql, 1);
    sqlite3_busy_timeout(db->sql, 2000);
    if (!files_identify(db)) {
        err_set(err, errno, "%s: %s", db->path, strerror(errno));
        return DB_FAILED;
    }
    /* SQLite falls back to reading only by itself: better said now than at each commit */
    if (sqlite3_db_readonly(db->sql, "main") != 0) {
        err_set(err, EROFS, "%s is read-only", db->path);
        return DB_FAILED;
    }
    return run(db,
               "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
               "PRAGMA journal_size_limit = 16777216; PRAGMA trusted_schema = OFF;",
               err);
}

static enum db_status check_pages(struct store_db *db, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    enum db_status status = DB_GOOD;
    if (sqlite3_prepare_v2(db->sql, "PRAGMA quick_check(1)", -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        status = db_error(db, "check", err);
    } else {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        if (text == NULL || strcmp(text, "ok") != 0) {
            err_set(err, 0, "%s is corrupt: %s", db->path, text != NULL ? text : "no answer");
            status = DB_CORRUPT;
        }
    }
    sqlite3_finalize(statement);
    return status;
}

/* Within a transaction. */
static enum db_status steps_run(struct store_db *db, int64_t from, struct err *err)
{
    enum db_status status = DB_GOOD;
    for (int64_t version = from + 1; version <= STORE_SCHEMA_VERSION && status == DB_GOOD;
         version++) {
        ASSERT(steps[version] != NULL);
        status = run(db, steps[version], err);
    }
    return status;
}

static enum db_status create(struct store_db *db, bool lost, struct err *err)
{
    char *rows = mem_format("INSERT INTO schema_version VALUES(%d, %lld);"
                            "INSERT INTO state VALUES(1, %d);COMMIT;",
                            STORE_SCHEMA_VERSION, (long long)time(NULL) * 1000, lost ? 1 : 0);
    enum db_status status = run(db, "BEGIN IMMEDIATE;", err);
    if (status == DB_GOOD) {
        status = run(db, schema, err);
    }
    status = status == DB_GOOD ? steps_run(db, 1, err) : status;
    if (status == DB_GOOD) {
        status = run(db, rows, err);
    }
    mem_free(rows);
    return status;
}

static enum db_status upgrade(struct store_db *db, int64_t version, struct err *err)
{
    char *row = mem_format("INSERT INTO schema_version VALUES(%d, %lld);COMMIT;",
                           STORE_SCHEMA_VERSION, (long long)time(NULL) * 1000);
    ASSERT(version >= 1 && version < STORE_SCHEMA_VERSION);
    enum db_status status = run(db, "BEGIN IMMEDIATE;", err);
    status = status == DB_GOOD ? steps_run(db, version, err) : status;
    status = status == DB_GOOD ? run(db, row, err) : status;
    mem_free(row);
    return status; /* a failed one is rolled back with the connection */
}

enum db_status db_check_version(struct store_db *db, int64_t *version, struct err *err)
{
    enum db_status status = ask_number(db, "SELECT max(version) FROM schema_version", version, err);
    if (status != DB_GOOD) {
        return status;
    }
    if (*version > STORE_SCHEMA_VERSION) {
        err_set(err, 0,
                "%s has schema version %lld, this walship knows up to %d: run the newer walship "
                "or use another state_dir",
                db->path, (long long)*version, STORE_SCHEMA_VERSION);
        return DB_FAILED;
    }
    if (*version < 1) {
        err_set(err, 0, "%s has no schema version", db->path);
        return DB_CORRUPT;
    }
    int64_t lost = 0;
    status = ask_number(db, "SELECT lost FROM state", &lost, err);
    db->lost = lost != 0;
    return status;
}

enum db_status db_open(struct store_db *db, struct err *err)
{
    ASSERT(db->sql == NULL && db->lock_fd >= 0);
    bool fresh = access(db->path, F_OK) != 0;
    if (fresh) {
        files_drop_leftovers(db);
    }
    if (!files_touch(db, err)) {
        return DB_FAILED;
    }
    int64_t tables = 0;
    int64_t version = 0;
    enum db_status status = connect_to(db, err);
    status = status == DB_GOOD ? check_pages(db, err) : status;
    if (status == DB_GOOD) {
        status = ask_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    }
    if (status == DB_GOOD && tables == 0) {
        status = create(db, files_marked(db), err);
    }
    status = status == DB_GOOD ? db_check_version(db, &version, err) : status;
    if (status == DB_GOOD && version < STORE_SCHEMA_VERSION) {
        status = upgrade(db, version, err);
    }
    if (status == DB_GOOD && (!files_mark(db, err) || !files_sync_directory(db, err))) {
        status = DB_FAILED;
    }
    if (status != DB_GOOD) {
        db_close(db);
    }
    return status;
}

void db_close(struct store_db *db)
{
    for (size_t i = 0; i < DB_STATEMENTS; i++) {
        sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }
    int code = sqlite3_close(db->sql);
    ASSERT(code == SQLITE_OK);
    db->sql = NULL;
}

bool db_replace(struct store_db *db, struct err *err)
{
    db_close(db);
    if (!files_move_aside(db, err)) {
        return false;
    }
    return db_open(db, err) == DB_GOOD;
}

/* ---- written again ---- */

static bool copy_to(struct store_db *db, const char *path, struct err *err)
{
    struct store_db made = {.path = mem_string(path), .lock_fd = -1};
    bool good = files_touch(&made, err);
    if (good && sqlite3_open_v2(path, &made.sql, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        db_error(&made, "open", err);
        good = false;
    }
    if (good) {
        sqlite3_backup *backup = sqlite3_backup_init(made.sql, "main", db->sql, "main");
        int code = backup != NULL ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;
        (void)sqlite3_backup_finish(backup);
        good = code == SQLITE_DONE;
        if (!good) {
            db_error(&made, "copy", err);
        }
    }
    (void)sqlite3_close(made.sql);
    mem_free(made.path);
    return good;
}

bool db_restore(struct store_db *db, struct err *err)
{
    char *path = mem_format("%s.new", db->path);
    (void)unlink(path);
    bool good = files_restore(db, err) && copy_to(db, path, err);
    if (good) {
        /* The old connection deletes its log by name when it closes: before the new one has one. */
        db_close(db);
        files_drop_leftovers(db);
        good = rename(path, db->path) == 0 ||
               err_set(err, errno, "rename %s: %s", path, strerror(errno));
    }
    if (good) {
        good = db_open(db, err) == DB_GOOD;
        (void)snprintf(db->note, sizeof db->note,
                       "%s was deleted while walship ran; it was written again", db->path);
    }
    mem_free(path);
    return good;
}
