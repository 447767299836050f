/* recorder.c - prepared statements over one open transaction.
 *
 * The hot path is one INSERT a sample. A series is looked up by its label bytes as they came (name
 * and value, each with its length) in a cache in memory; the text is made only for a new one. */
#include "recorder.h"

#include "series_ids.h"
#include "write_request.h"

#include <sqlite3.h>
#include <walship/limits.h>
#include <walship/mem.h>

enum statement {
    BEGIN,
    COMMIT,
    PAIR_FIND,
    PAIR_ADD,
    SERIES_FIND,
    SERIES_ADD,
    REQUEST_ADD,
    SAMPLE_ADD,
    DROPPED_ADD,
    TOKEN_ADD,
    HISTOGRAM_ADD,
    EXEMPLAR_ADD,
    METADATA_ADD,
    START_ADD,
    STATEMENTS_COUNT
};

static const char *const STATEMENTS[STATEMENTS_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [PAIR_FIND] = "SELECT id FROM pair WHERE name = ?",
    [PAIR_ADD] = "INSERT INTO pair(name, path) VALUES(?, ?)",
    [SERIES_FIND] = "SELECT id FROM series WHERE labels = ?",
    [SERIES_ADD] = "INSERT INTO series(labels) VALUES(?)",
    [REQUEST_ADD] = "INSERT INTO request VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
    [SAMPLE_ADD] = "INSERT INTO sample VALUES(?, ?, ?, ?, ?, ?)",
    [DROPPED_ADD] = "INSERT INTO dropped VALUES(?, ?, ?, ?, ?, ?, ?)",
    [TOKEN_ADD] = "INSERT INTO token VALUES(NULL, ?, ?, ?, ?, ?)",
    [HISTOGRAM_ADD] = "INSERT INTO histogram VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [EXEMPLAR_ADD] = "INSERT INTO exemplar VALUES(?, ?, ?, ?, ?, ?, ?)",
    [METADATA_ADD] = "INSERT INTO metadata VALUES(?, ?, ?, ?, ?, ?)",
    [START_ADD] = "INSERT INTO start VALUES(?, ?)",
};

static const char SCHEMA[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = OFF;"
    "PRAGMA cache_size = -65536;"
    "PRAGMA wal_autocheckpoint = 20000;"
    "CREATE TABLE IF NOT EXISTS pair(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL,"
    " path TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS series(id INTEGER PRIMARY KEY, labels TEXT UNIQUE NOT NULL);"
    "CREATE TABLE IF NOT EXISTS request(id INTEGER PRIMARY KEY, pair INTEGER NOT NULL,"
    " wall_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, status INTEGER NOT NULL,"
    " samples INTEGER NOT NULL, retry_attempt INTEGER NOT NULL, note TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS sample(arrival INTEGER PRIMARY KEY, pair INTEGER NOT NULL,"
    " series INTEGER NOT NULL, t INTEGER NOT NULL, bits INTEGER NOT NULL,"
    " request INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS dropped(arrival INTEGER PRIMARY KEY, pair INTEGER NOT NULL,"
    " series INTEGER NOT NULL, t INTEGER NOT NULL, bits INTEGER NOT NULL,"
    " request INTEGER NOT NULL, reason TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS histogram(arrival INTEGER PRIMARY KEY, pair INTEGER NOT NULL,"
    " series INTEGER NOT NULL, t INTEGER NOT NULL, sum_bits INTEGER NOT NULL,"
    " schema INTEGER NOT NULL, st INTEGER NOT NULL, request INTEGER NOT NULL,"
    " body BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS exemplar(arrival INTEGER PRIMARY KEY, pair INTEGER NOT NULL,"
    " series INTEGER NOT NULL, t INTEGER NOT NULL, bits INTEGER NOT NULL, labels TEXT NOT NULL,"
    " request INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS metadata(request INTEGER NOT NULL, pair INTEGER NOT NULL,"
    " type INTEGER NOT NULL, family TEXT NOT NULL, help TEXT NOT NULL, unit TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS start(arrival INTEGER PRIMARY KEY, st INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS token(id INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL,"
    " source TEXT NOT NULL, identity TEXT NOT NULL, status INTEGER NOT NULL,"
    " note TEXT NOT NULL);";

struct recorder {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS_COUNT];
    struct series_ids *ids;
    struct buf key;  /* of the series at hand */
    struct buf text; /* its labels as text */
    int64_t commit_ms;
    int64_t commit_due_ms; /* INT64_MAX: no transaction open */
    int64_t arrival;       /* last one given */
    int64_t request;
    int64_t pair; /* of the request at hand */
};

static bool fail(struct recorder *recorder, struct err *err, const char *what)
{
    return err_set(err, 0, "%s: %s", what, sqlite3_errmsg(recorder->db));
}

/* Runs a statement that gives no row, or whose first column of the first row is the answer. */
static bool step(struct recorder *recorder, enum statement which, int64_t *out, struct err *err)
{
    sqlite3_stmt *statement = recorder->statements[which];
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW && out != NULL) {
        *out = sqlite3_column_int64(statement, 0);
    }
    bool good = code == SQLITE_ROW || code == SQLITE_DONE;
    if (!good) {
        fail(recorder, err, STATEMENTS[which]);
    }
    (void)sqlite3_reset(statement); /* repeats the error that step has told */
    return good;
}

static bool bind_text(struct recorder *recorder, enum statement which, int column, const char *text,
                      size_t bytes)
{
    ASSERT(bytes <= INT32_MAX);
    return sqlite3_bind_text(recorder->statements[which], column, text, (int)bytes,
                             SQLITE_STATIC) == SQLITE_OK;
}

static void bind_int(struct recorder *recorder, enum statement which, int column, int64_t value)
{
    int code = sqlite3_bind_int64(recorder->statements[which], column, value);
    ASSERT(code == SQLITE_OK);
}

static bool query_int(struct recorder *recorder, const char *sql, int64_t *out, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(recorder->db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        fail(recorder, err, sql);
        sqlite3_finalize(statement);
        return false;
    }
    *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return true;
}

static bool prepare(struct recorder *recorder, struct err *err)
{
    (void)sqlite3_busy_timeout(recorder->db, 10000); /* a reader may hold the file for a moment */
    if (sqlite3_exec(recorder->db, SCHEMA, NULL, NULL, NULL) != SQLITE_OK) {
        return fail(recorder, err, "schema");
    }
    for (size_t index = 0; index < STATEMENTS_COUNT; index++) {
        if (sqlite3_prepare_v3(recorder->db, STATEMENTS[index], -1, SQLITE_PREPARE_PERSISTENT,
                               &recorder->statements[index], NULL) != SQLITE_OK) {
            return fail(recorder, err, STATEMENTS[index]);
        }
    }
    return query_int(recorder,
                     "SELECT max(coalesce((SELECT max(arrival) FROM sample), 0),"
                     " coalesce((SELECT max(arrival) FROM histogram), 0),"
                     " coalesce((SELECT max(arrival) FROM exemplar), 0),"
                     " coalesce((SELECT max(arrival) FROM dropped), 0))",
                     &recorder->arrival, err) &&
           query_int(recorder, "SELECT coalesce(max(id), 0) FROM request", &recorder->request, err);
}

static void release(struct recorder *recorder)
{
    for (size_t index = 0; index < STATEMENTS_COUNT; index++) {
        sqlite3_finalize(recorder->statements[index]);
    }
    int code = sqlite3_close(recorder->db);
    ASSERT(code == SQLITE_OK);
    series_ids_free(recorder->ids);
    buf_release(&recorder->key);
    buf_release(&recorder->text);
    mem_free(recorder);
}

struct recorder *recorder_open(const char *path, int64_t commit_ms, struct err *err)
{
    ASSERT(path != NULL && commit_ms >= 0);
    struct recorder *recorder = mem_new(1, sizeof *recorder);
    recorder->ids = series_ids_new(RECORDER_KEY_BYTES_MAX);
    buf_init(&recorder->key, 64 << 20);
    buf_init(&recorder->text, 256 << 20);
    recorder->commit_ms = commit_ms;
    recorder->commit_due_ms = INT64_MAX;
    bool good = sqlite3_open(path, &recorder->db) == SQLITE_OK || fail(recorder, err, "open");
    if (good && prepare(recorder, err)) {
        return recorder;
    }
    err_wrap(err, "database %s", path);
    release(recorder);
    return NULL;
}

static bool begin(struct recorder *recorder, int64_t now_ms, struct err *err)
{
    if (recorder->commit_due_ms != INT64_MAX) {
        return true;
    }
    recorder->commit_due_ms = now_ms + recorder->commit_ms;
    return step(recorder, BEGIN, NULL, err);
}

static bool commit(struct recorder *recorder, struct err *err)
{
    if (recorder->commit_due_ms == INT64_MAX) {
        return true;
    }
    recorder->commit_due_ms = INT64_MAX;
    return step(recorder, COMMIT, NULL, err);
}

bool recorder_close(struct recorder *recorder, struct err *err)
{
    ASSERT(recorder != NULL);
    bool good = commit(recorder, err);
    release(recorder);
    return good;
}

int64_t recorder_pair(struct recorder *recorder, const char *name, const char *path,
                      struct err *err)
{
    int64_t id = 0;
    if (!bind_text(recorder, PAIR_FIND, 1, name, strlen(name)) ||
        !step(recorder, PAIR_FIND, &id, err) || id != 0) {
        return id;
    }
    if (!bind_text(recorder, PAIR_ADD, 1, name, strlen(name)) ||
        !bind_text(recorder, PAIR_ADD, 2, path, strlen(path)) ||
        !step(recorder, PAIR_ADD, NULL, err)) {
        return 0;
    }
    return sqlite3_last_insert_rowid(recorder->db);
}

/* Names and values with their lengths: two label sets can't give the same bytes. */
static bool make_key(struct buf *key, struct write_series series)
{
    buf_clear(key);
    struct label label;
    while (write_series_label(&series, &label)) {
        uint32_t sizes[2] = {label.name_bytes, label.value_bytes};
        if (!buf_append(key, sizes, sizeof sizes) ||
            !buf_append(key, label.name, label.name_bytes) ||
            !buf_append(key, label.value, label.value_bytes)) {
            return false;
        }
    }
    return true;
}

static bool make_text(struct buf *text, struct write_series series)
{
    struct label labels[LABELS_COUNT_MAX];
    size_t count = 0;
    while (count < LABELS_COUNT_MAX && write_series_label(&series, &labels[count])) {
        count++;
    }
    buf_clear(text);
    return labels_format(labels, count, text);
}

/* The row of a series that the cache does not have. */
static bool find_or_add(struct recorder *recorder, const struct write_series *series, int64_t *id,
                        struct err *err)
{
    if (!make_text(&recorder->text, *series)) {
        return err_set(err, 0, "a series' labels are too long");
    }
    const char *text = (const char *)recorder->text.data;
    size_t bytes = recorder->text.bytes;
    *id = 0;
    if (!bind_text(recorder, SERIES_FIND, 1, text, bytes) ||
        !step(recorder, SERIES_FIND, id, err)) {
        return false;
    }
    if (*id == 0) {
        if (!bind_text(recorder, SERIES_ADD, 1, text, bytes) ||
            !step(recorder, SERIES_ADD, NULL, err)) {
            return false;
        }
        *id = sqlite3_last_insert_rowid(recorder->db);
    }
    series_ids_put(recorder->ids, recorder->key.data, recorder->key.bytes, *id);
    return true;
}

static bool series_id(struct recorder *recorder, const struct write_series *series, int64_t *id,
                      struct err *err)
{
    if (!make_key(&recorder->key, *series)) {
        return err_set(err, 0, "a series' labels are too long");
    }
    *id = series_ids_get(recorder->ids, recorder->key.data, recorder->key.bytes);
    return *id != 0 || find_or_add(recorder, series, id, err);
}

/* The sample goes to `sample`, or to `dropped` when it has a reason. */
static bool write_sample(struct recorder *recorder, int64_t series,
                         const struct write_sample *sample, const char *reason, struct err *err)
{
    enum statement which = reason == NULL ? SAMPLE_ADD : DROPPED_ADD;
    recorder->arrival++;
    bind_int(recorder, which, 1, recorder->arrival);
    bind_int(recorder, which, 2, recorder->pair);
    bind_int(recorder, which, 3, series);
    bind_int(recorder, which, 4, sample->t_ms);
    bind_int(recorder, which, 5, (int64_t)sample->bits);
    bind_int(recorder, which, 6, recorder->request);
    return (reason == NULL || bind_text(recorder, which, 7, reason, strlen(reason))) &&
           step(recorder, which, NULL, err);
}

/* The columns that all items share; its arrival is given here. */
static void bind_item(struct recorder *recorder, enum statement which, int64_t series,
                      const struct write_sample *sample)
{
    bind_int(recorder, which, 1, ++recorder->arrival);
    bind_int(recorder, which, 2, recorder->pair);
    bind_int(recorder, which, 3, series);
    bind_int(recorder, which, 4, sample->t_ms);
    bind_int(recorder, which, 5, (int64_t)sample->bits);
}

static bool write_start(struct recorder *recorder, const struct write_sample *sample,
                        struct err *err)
{
    if (sample->st_ms == 0) {
        return true;
    }
    bind_int(recorder, START_ADD, 1, recorder->arrival);
    bind_int(recorder, START_ADD, 2, sample->st_ms);
    return step(recorder, START_ADD, NULL, err);
}

static bool bind_body(struct recorder *recorder, struct view body)
{
    ASSERT(view_left(&body) <= INT32_MAX);
    return sqlite3_bind_blob(recorder->statements[HISTOGRAM_ADD], 9, body.at, (int)view_left(&body),
                             SQLITE_STATIC) == SQLITE_OK;
}

static bool write_kinds(struct recorder *recorder, struct write_series *series, int64_t id,
                        struct err *err)
{
    struct write_sample sample;
    struct write_series labels;
    struct view body;
    while (write_series_histogram(series, &sample, &body)) {
        bind_item(recorder, HISTOGRAM_ADD, id, &sample);
        bind_int(recorder, HISTOGRAM_ADD, 6, sample.schema);
        bind_int(recorder, HISTOGRAM_ADD, 7, sample.st_ms);
        bind_int(recorder, HISTOGRAM_ADD, 8, recorder->request);
        if (!bind_body(recorder, body) || !step(recorder, HISTOGRAM_ADD, NULL, err)) {
            return false;
        }
    }
    while (write_series_exemplar(series, &sample, &labels)) {
        bind_item(recorder, EXEMPLAR_ADD, id, &sample);
        bind_int(recorder, EXEMPLAR_ADD, 7, recorder->request);
        if (!make_text(&recorder->text, labels) ||
            !bind_text(recorder, EXEMPLAR_ADD, 6, (const char *)recorder->text.data,
                       recorder->text.bytes) ||
            !step(recorder, EXEMPLAR_ADD, NULL, err)) {
            return false;
        }
    }
    return true;
}

static bool bind_view(struct recorder *recorder, enum statement which, int column, struct view text)
{
    return bind_text(recorder, which, column, (const char *)text.at, view_left(&text));
}

static bool write_metadata(struct recorder *recorder, struct view request, struct err *err)
{
    struct write_family family;
    while (write_family_next(&request, &family)) {
        bind_int(recorder, METADATA_ADD, 1, recorder->request);
        bind_int(recorder, METADATA_ADD, 2, recorder->pair);
        bind_int(recorder, METADATA_ADD, 3, (int64_t)family.type);
        if (!bind_view(recorder, METADATA_ADD, 4, family.name) ||
            !bind_view(recorder, METADATA_ADD, 5, family.help) ||
            !bind_view(recorder, METADATA_ADD, 6, family.unit) ||
            !step(recorder, METADATA_ADD, NULL, err)) {
            return false;
        }
    }
    return true;
}

/* *at: how many samples of the request came before. */
static bool write_series(struct recorder *recorder, struct write_series *series,
                         const struct recorder_drops *drops, size_t *at, struct err *err)
{
    int64_t id = 0;
    if (!series_id(recorder, series, &id, err)) {
        return false;
    }
    struct write_sample sample;
    while (write_series_sample(series, &sample)) {
        uint8_t reason = drops->reasons == NULL ? 0 : drops->reasons[*at];
        *at += 1;
        if (!write_sample(recorder, id, &sample, reason == 0 ? NULL : drops->names[reason], err) ||
            !write_start(recorder, &sample, err)) {
            return false;
        }
    }
    return write_kinds(recorder, series, id, err);
}

static bool write_request_row(struct recorder *recorder, const struct recorder_request *request,
                              struct err *err)
{
    recorder->request++;
    bind_int(recorder, REQUEST_ADD, 1, recorder->request);
    bind_int(recorder, REQUEST_ADD, 2, request->pair);
    bind_int(recorder, REQUEST_ADD, 3, request->wall_ms);
    bind_int(recorder, REQUEST_ADD, 4, (int64_t)request->bytes);
    bind_int(recorder, REQUEST_ADD, 5, request->status);
    bind_int(recorder, REQUEST_ADD, 6, (int64_t)request->samples);
    bind_int(recorder, REQUEST_ADD, 7, request->retry_attempt);
    return bind_text(recorder, REQUEST_ADD, 8, request->note, strlen(request->note)) &&
           step(recorder, REQUEST_ADD, NULL, err);
}

bool recorder_write(struct recorder *recorder, const struct recorder_request *request,
                    struct view samples, const struct recorder_drops *drops, struct err *err)
{
    ASSERT(request->pair > 0 && request->note != NULL);
    if (!begin(recorder, request->now_ms, err) || !write_request_row(recorder, request, err)) {
        return false;
    }
    struct write_series series;
    size_t at = 0;
    recorder->pair = request->pair;
    if (!write_metadata(recorder, samples, err)) {
        return false;
    }
    while (write_request_next(&samples, &series)) {
        if (!write_series(recorder, &series, drops, &at, err)) {
            return false;
        }
    }
    return recorder_run(recorder, request->now_ms, err);
}

bool recorder_token(struct recorder *recorder, const struct recorder_token *token, int64_t now_ms,
                    struct err *err)
{
    ASSERT(token->source != NULL && token->identity != NULL && token->note != NULL);
    if (!begin(recorder, now_ms, err)) {
        return false;
    }
    bind_int(recorder, TOKEN_ADD, 1, token->wall_ms);
    bind_int(recorder, TOKEN_ADD, 4, token->status);
    return bind_text(recorder, TOKEN_ADD, 2, token->source, strlen(token->source)) &&
           bind_text(recorder, TOKEN_ADD, 3, token->identity, strlen(token->identity)) &&
           bind_text(recorder, TOKEN_ADD, 5, token->note, strlen(token->note)) &&
           step(recorder, TOKEN_ADD, NULL, err) && recorder_run(recorder, now_ms, err);
}

bool recorder_run(struct recorder *recorder, int64_t now_ms, struct err *err)
{
    return now_ms < recorder->commit_due_ms || commit(recorder, err);
}

int64_t recorder_deadline(const struct recorder *recorder)
{
    return recorder->commit_due_ms;
}

size_t recorder_series_count(const struct recorder *recorder)
{
    return series_ids_count(recorder->ids);
}
