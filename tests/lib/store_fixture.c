/* store_fixture.c - see store_fixture.h. */
#include "store_fixture.h"

#include <check.h>
#include <dirent.h>
#include <poll.h>
#include <sqlite3.h>
#include <unistd.h>
#include <walship/buf.h>
#include <walship/log.h>
#include <walship/mem.h>

char store_directory[64];
char store_database[96];
struct err store_err;
static struct buf logged;

/* ---- help ---- */

static void keep_log(void *context, const char *line)
{
    (void)context;
    ck_assert(buf_append(&logged, line, strlen(line)));
}

static int64_t clock_stands(void *context)
{
    (void)context;
    return 0;
}

bool store_logged(const char *text)
{
    return logged.bytes > 0 && memmem(logged.data, logged.bytes, text, strlen(text)) != NULL;
}

void store_remove(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            ck_assert_int_eq(unlinkat(dirfd(folder), entry->d_name, 0), 0);
        }
    }
    (void)closedir(folder);
    ck_assert_int_eq(rmdir(path), 0);
}

void store_setup(void)
{
    (void)snprintf(store_directory, sizeof store_directory, "/tmp/walship-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(store_directory));
    (void)snprintf(store_database, sizeof store_database, "%s/walship.db", store_directory);
    buf_init(&logged, 1 << 20);
    log_set_sink(keep_log, clock_stands, NULL);
}

void store_teardown(void)
{
    log_set_sink(NULL, NULL, NULL);
    buf_release(&logged);
    store_remove(store_directory);
}

struct store *store_opened(void)
{
    struct store *store = store_sqlite_open(store_directory, &store_err);
    ck_assert_msg(store != NULL, "%s", store_err.text);
    return store;
}

/* Waits for the result on the file descriptor, as the loop does. */
bool store_result(struct store *store)
{
    bool ok = false;
    struct pollfd wait = {.fd = store_sqlite_fd(store), .events = POLLIN};
    ck_assert_int_eq(poll(&wait, 1, 30000), 1);
    ck_assert(store->next_result(store, &ok, &store_err));
    return ok;
}

void store_committed(struct store *store, const struct store_commit *what)
{
    ck_assert(store->commit(store, what));
    ck_assert_msg(store_result(store), "%s", store_err.text);
}

void store_loaded(struct store *store, struct store_image *image)
{
    ck_assert_msg(store->load(store, image, &store_err), "%s", store_err.text);
}

/* Opens, loads, and says whether the state was lost and how many destinations there are. */
bool store_reopened_lost(size_t *destinations)
{
    struct store_image image;
    struct store *store = store_opened();
    store_loaded(store, &image);
    bool lost = image.lost;
    *destinations = image.destinations_count;
    image.release(&image);
    store_sqlite_close(store);
    return lost;
}

void store_sql(const char *sql)
{
    sqlite3 *connection;
    ck_assert_int_eq(sqlite3_open(store_database, &connection), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(connection, sql, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(connection), SQLITE_OK);
}

int64_t store_sql_number(const char *sql)
{
    sqlite3 *connection;
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_open(store_database, &connection), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    ck_assert_int_eq(sqlite3_finalize(statement), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(connection), SQLITE_OK);
    return value;
}

/* Files in the directory whose name begins so. */
size_t store_files_named(const char *prefix)
{
    size_t count = 0;
    DIR *folder = opendir(store_directory);
    ck_assert_ptr_nonnull(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0 ? 1 : 0;
    }
    (void)closedir(folder);
    return count;
}

/* ---- a commit in which every number is n ---- */

void sample_fill(struct sample_commit *sample, uint32_t n)
{
    struct position at = {n, n, n, n};
    sample->destination = (struct store_destination){
        .name = "east", .fingerprint = "f00", .first_start_ms = n, .start_from_ms = -1};
    for (size_t i = 0; i < STORE_COUNTS; i++) {
        sample->destination.counts[i] = n;
    }
    sample->watermark = (struct store_watermark){"east", "", at, n, n};
    for (size_t i = 0; i < LANES_COUNT; i++) {
        sample->lanes[i] = (struct store_lane){"east", (uint16_t)i, "", at, n, false};
    }
    sample->segment = (struct store_segment){n, n, n, n, n};
    sample->loss = (struct store_loss){.destination = "east", .reason = LOSS_REJECTED, .items = 1};
    sample->commit = (struct store_commit){.destinations = &sample->destination,
                                           .destinations_count = 1,
                                           .watermarks = &sample->watermark,
                                           .watermarks_count = 1,
                                           .lanes = sample->lanes,
                                           .lanes_count = LANES_COUNT,
                                           .segments = &sample->segment,
                                           .segments_count = 1,
                                           .losses = &sample->loss,
                                           .losses_count = 1,
                                           .has_segments_before = true,
                                           .segments_before = at};
}

/* The number that all of the image agrees on; 0: it is empty. */
static uint32_t image_number(const struct store_image *image)
{
    if (image->destinations_count == 0) {
        ck_assert_uint_eq(image->watermarks_count + image->lanes_count, 0);
        return 0;
    }
    uint32_t n = (uint32_t)image->destinations[0].counts[STORE_READ];
    ck_assert_uint_eq(image->destinations[0].counts[STORE_LOST], n);
    ck_assert_uint_eq(image->watermarks_count, 1);
    ck_assert_uint_eq(image->watermarks[0].at.item, n);
    ck_assert_uint_eq(image->lanes_count, LANES_COUNT);
    for (size_t i = 0; i < LANES_COUNT; i++) {
        ck_assert_uint_eq(image->lanes[i].settled.record, n);
    }
    ck_assert_uint_eq(image->segments_count, 1);
    ck_assert_uint_eq(image->segments[0].number, n);
    ck_assert_uint_eq(image->losses_count, 1);
    ck_assert_uint_eq(image->losses[0].items, n);
    return n;
}

void store_commit_numbers(struct store *store, uint32_t from, uint32_t to)
{
    struct sample_commit sample;
    for (uint32_t n = from; n <= to; n++) {
        sample_fill(&sample, n);
        store_committed(store, &sample.commit);
    }
}

uint32_t store_number(struct store *store)
{
    struct store_image image;
    store_loaded(store, &image);
    uint32_t n = image_number(&image);
    image.release(&image);
    return n;
}

const struct store_destination store_destinations[STORE_SAMPLE_DESTINATIONS] = {
    {"east", "0123abcd", 1, INT64_MIN, {1, 2, 3, 4, 5}, false},
    {"https://b/w", "", INT64_MAX, 0, {UINT64_MAX, 0, 0, 0, 7}, false},
};
const struct store_watermark store_watermarks[STORE_SAMPLE_WATERMARKS] = {
    {"east", "", {1, 2, 3, 4}, UINT64_MAX, UINT32_MAX},
    {"https://b/w", "https://b/w", {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}, 0, 0},
    {"https://b/w", "https://c/w", {5, 6, 7, 8}, 9, 10},
};
const struct store_lane store_lanes[STORE_SAMPLE_LANES] = {
    {"east", 0, "", {1, 2, 3, 4}, INT64_MIN, false},
    {"east", LANES_COUNT - 1, "", {1, 1, 1, 1}, 5, true},
    {"https://b/w", 0, "https://c/w", {9, 9, 9, 9}, INT64_MAX, false},
};
const struct store_segment store_segments[STORE_SAMPLE_SEGMENTS] = {
    {1, 7, UINT64_MAX, 12345, UINT32_MAX},
    {1, 8, 1, 1, 1},
    {2, 0, 3, 4, 5},
};

const struct store_commit store_whole = {
    .destinations = store_destinations,
    .destinations_count = STORE_SAMPLE_DESTINATIONS,
    .watermarks = store_watermarks,
    .watermarks_count = STORE_SAMPLE_WATERMARKS,
    .lanes = store_lanes,
    .lanes_count = STORE_SAMPLE_LANES,
    .segments = store_segments,
    .segments_count = STORE_SAMPLE_SEGMENTS,
};
