/* store_sqlite_look.c - see store_sqlite_look.h. SQLite reads beside a writer through the
 * write-ahead log and its shared index. Without a log (a walship that ended cleanly) opening it the
 * usual way would make both files, owned by whoever looks: then it is opened as a file that nobody
 * changes, and looked at again when a log appeared meanwhile, since a walship has started. */
#include "store_sqlite_db.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/mem.h>

enum { LOOK_TRIES = 5 };

static bool has_log(const struct store_db *db)
{
    char *path = mem_format("%s-wal", db->path);
    bool found = access(path, F_OK) == 0;
    mem_free(path);
    return found;
}

/* A start that found no room for more leaves it so. */
static bool is_empty(const struct store_db *db)
{
    struct stat status;
    return stat(db->path, &status) == 0 && status.st_size == 0;
}

/* The path as a URI: SQLite takes the option from there only. */
static char *uri_of(const char *path)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
    struct buf uri;
    buf_init(&uri, strlen(path) * 3 + 32);
    bool good = buf_format(&uri, "file:");
    for (const char *at = path; *at != '\0'; at++) {
        good = good && (strchr(plain, *at) != NULL ? buf_append(&uri, at, 1)
                                                   : buf_format(&uri, "%%%02x", (uint8_t)*at));
    }
    good = good && buf_format(&uri, "?immutable=1") && buf_append(&uri, "", 1);
    ASSERT(good);
    char *text = mem_string((const char *)uri.data);
    buf_release(&uri);
    return text;
}

static enum db_status look_open(struct store_db *db, bool alone, struct err *err)
{
    char *uri = alone ? uri_of(db->path) : mem_string(db->path);
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int code = sqlite3_open_v2(uri, &db->sql, flags | (alone ? SQLITE_OPEN_URI : 0), NULL);
    mem_free(uri);
    if (code != SQLITE_OK) {
        return db_error(db, "open", err);
    }
    sqlite3_extended_result_codes(db->sql, 1);
    sqlite3_busy_timeout(db->sql, 2000);
    /* one transaction: all tables of one commit */
    return sqlite3_exec(db->sql, "PRAGMA trusted_schema = OFF; BEGIN", NULL, NULL, NULL) ==
                   SQLITE_OK
               ? DB_GOOD
               : db_error(db, "open", err);
}

static enum db_status look_read(struct store_db *db, struct store_look *out, struct err *err)
{
    int64_t version = 0;
    enum db_status status = db_check_version(db, &version, err);
    if (status == DB_GOOD && version < STORE_SCHEMA_VERSION) {
        err_set(err, 0,
                "%s is of an earlier walship (schema %lld); the next start of this one "
                "brings it up to date",
                db->path, (long long)version);
        return DB_FAILED;
    }
    status = status == DB_GOOD ? db_read(db, &out->image, err) : status;
    return status == DB_GOOD ? db_read_ledger(db, out, err) : status;
}

static enum db_status look_once(struct store_db *db, bool alone, struct store_look *out,
                                struct err *err)
{
    ASSERT(db->sql == NULL);
    enum db_status status = look_open(db, alone, err);
    status = status == DB_GOOD ? look_read(db, out, err) : status;
    (void)sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    db_close(db);
    return status;
}

bool store_look(const char *state_dir, struct store_look *out, struct err *err)
{
    ASSERT(state_dir != NULL && out != NULL && err != NULL);
    struct store_db db = {.directory = mem_string(state_dir),
                          .path = mem_format("%s/walship.db", state_dir),
                          .lock_fd = -1};
    enum db_status status = DB_FAILED;
    bool again = access(db.path, R_OK) == 0;
    *out = (struct store_look){0};
    buf_init(&db.sum, 1 << 20);
    if (!again) {
        err_set(err, errno, "%s: %s%s", db.path, strerror(errno),
                errno == ENOENT ? ": no walship has run with this state_dir yet" : "");
    }
    for (int i = 0; again && i < LOOK_TRIES; i++) {
        bool alone = !has_log(&db);
        store_look_release(out);
        status = look_once(&db, alone, out, err);
        again = alone ? has_log(&db) : status == DB_FAILED && !has_log(&db);
    }
    if (status == DB_CORRUPT && is_empty(&db)) {
        err_set(err, 0, "%s is empty: nothing was saved yet, or what was is lost", db.path);
    } else if (status == DB_CORRUPT) { /* what the next start makes of it, and what that costs */
        struct err why = *err;
        err_set(
            err, why.code,
            "%s; the next start of walship sets it aside and sends what is in the WAL again, from "
            "its oldest segment on",
            why.text);
    }
    out->process = files_holder(&db);
    buf_release(&db.sum);
    mem_free(db.directory);
    mem_free(db.path);
    return status == DB_GOOD;
}

void store_look_release(struct store_look *look)
{
    if (look->image.release != NULL && look->image.memory != NULL) {
        look->image.release(&look->image);
    }
    mem_free(look->ledger);
    *look = (struct store_look){0};
}
