/* store_sqlite_db.h - private to store_sqlite*.c: one open database, and what is done to it.
 *
 * A struct store_db belongs to one thread at a time: the loop's until the first commit and between
 * commits, the worker's during one; store_sqlite.c hands it over under its mutex. Nothing in here
 * logs (log.h is the loop thread's): what must be said loudly goes to `note`. */
#ifndef WALSHIP_SRC_ADAPTER_STORE_SQLITE_DB_H
#define WALSHIP_SRC_ADAPTER_STORE_SQLITE_DB_H

#include <sqlite3.h>
#include <sys/stat.h>
#include <walship/buf.h>
#include <walship/store.h>
#include <walship/store_sqlite_look.h>

enum {
    STORE_SCHEMA_VERSION = 3,
    STORE_QUOTA_BYTES = STORE_QUOTA_SECONDS * STORE_QUOTA_DIMENSIONS * 8
};

/* The prepared statements of commits; their texts are in store_sqlite_rows.c. */
enum db_statement {
    DB_BEGIN,
    DB_COMMIT,
    DB_ROLLBACK,
    DB_PUT_DESTINATION,
    DB_PUT_WATERMARK,
    DB_PUT_LANE,
    DB_PUT_SEGMENT,
    DB_PUT_QUOTA,
    DB_ADD_LOSS,
    DB_MERGE_LOSSES,
    DB_DROP_MERGED,
    DB_DROP_SEGMENTS,
    DB_DROP_QUOTAS,
    DB_DROP_LANES,
    DB_DROP_WATERMARKS,
    DB_DROP_LOSSES,
    DB_DROP_DESTINATION,
    DB_ADOPT,
    DB_FOUND,
    DB_STATEMENTS
};

enum db_status {
    DB_GOOD,
    DB_CORRUPT, /* move it aside and begin anew */
    DB_FAILED   /* err says why; nothing was changed */
};

struct store_db {
    char *directory;
    char *path;
    int lock_fd;
    sqlite3 *sql;
    sqlite3_stmt *statements[DB_STATEMENTS];
    struct buf sum; /* the row whose checksum is being made */
    dev_t device;   /* of the file at `path` when it was opened */
    ino_t inode;
    bool lost;      /* as the database has it now */
    char note[512]; /* "" or one sentence to be logged as an error */
};

/* ---- store_sqlite_files.c: the directory, the lock, the marker ---- */
bool files_open(struct store_db *db, const char *directory, struct err *err);
void files_close(struct store_db *db);
/* Process id of the walship that holds the directory, by what the lock file says; 0: none. */
long files_holder(const struct store_db *db);
/* A database was made here before. */
bool files_marked(const struct store_db *db);
bool files_mark(const struct store_db *db, struct err *err);
bool files_touch(const struct store_db *db, struct err *err); /* makes the file, 0600 */
bool files_move_aside(struct store_db *db, struct err *err);
void files_drop_leftovers(const struct store_db *db);
/* Remembers which file it is; false: there is none. */
bool files_identify(struct store_db *db);
/* The file is still the one that was opened. */
enum db_status files_still(const struct store_db *db, bool *gone, struct err *err);
/* Directory and lock again, after someone deleted them. */
bool files_restore(struct store_db *db, struct err *err);
bool files_sync_directory(const struct store_db *db, struct err *err);

/* ---- store_sqlite_schema.c: opening, checking, creating ---- */
enum db_status db_open(struct store_db *db, struct err *err);
void db_close(struct store_db *db);
/* Reads db->lost; DB_FAILED when a newer walship made the file. */
enum db_status db_check_version(struct store_db *db, int64_t *version, struct err *err);
/* Aside with it, and an empty one that says `lost`. */
bool db_replace(struct store_db *db, struct err *err);
/* The file was deleted: writes it again from the open connection. */
bool db_restore(struct store_db *db, struct err *err);
/* Sets err from the connection; DB_CORRUPT or DB_FAILED. */
enum db_status db_error(const struct store_db *db, const char *what, struct err *err);

/* ---- store_sqlite_rows.c: one commit ---- */
bool db_apply(struct store_db *db, const struct store_commit *commit, struct err *err);
const char *db_reason_name(enum loss_reason reason);

/* ---- store_sqlite_image.c: everything that was saved ---- */
enum db_status db_read(struct store_db *db, struct store_image *out, struct err *err);
/* The rows of the ledger, into the same image's memory. */
enum db_status db_read_ledger(struct store_db *db, struct store_look *look, struct err *err);

/* ---- store_sqlite_copy.c: a commit of one's own ---- */
struct store_commit *commit_copy(const struct store_commit *commit);

/* ---- a row's checksum: SQLite notices a broken page structure, not a flipped bit in a value ----
 */
void sum_start(struct store_db *db);
void sum_text(struct store_db *db, const char *text);
void sum_u64(struct store_db *db, uint64_t value);
uint32_t sum_end(const struct store_db *db);

#endif
