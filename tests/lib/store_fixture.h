/* store_fixture.h - a state directory for one test of store_sqlite, and commits that can be
 * recognised. The functions fail the running check test by themselves. */
#ifndef LIB_STORE_FIXTURE_H
#define LIB_STORE_FIXTURE_H

#include <walship/limits.h>
#include <walship/store_sqlite.h>

extern char store_directory[64];
extern char store_database[96]; /* its walship.db */
extern struct err store_err;    /* of the last call that has one */

void store_setup(void);
void store_teardown(void);
/* A directory without directories in it, with all its files; none: nothing is done. */
void store_remove(const char *path);
size_t store_files_named(const char *prefix);
/* Was a line with this text logged since store_setup? */
bool store_logged(const char *text);

struct store *store_opened(void);
/* Waits for the result on the file descriptor, as the loop does. */
bool store_result(struct store *store);
void store_committed(struct store *store, const struct store_commit *what);
void store_loaded(struct store *store, struct store_image *image);
/* Opens, loads, closes: was the state lost, and how many destinations are there? */
bool store_reopened_lost(size_t *destinations);

/* By a connection of its own, as an operator would. */
void store_sql(const char *sql);
int64_t store_sql_number(const char *sql);

/* A commit in which every number is n: whatever is found later must agree with itself. */
struct sample_commit {
    struct store_destination destination;
    struct store_watermark watermark;
    struct store_lane lanes[LANES_COUNT];
    struct store_segment segment;
    struct store_loss loss;
    struct store_commit commit;
};

void sample_fill(struct sample_commit *sample, uint32_t n);
/* Commits numbers from..to, each with one lost item more. */
void store_commit_numbers(struct store *store, uint32_t from, uint32_t to);
/* The number that all that is saved agrees on; 0: nothing is. */
uint32_t store_number(struct store *store);

/* Rows with the extremes of their fields, and a commit of all of them. */
enum {
    STORE_SAMPLE_DESTINATIONS = 2,
    STORE_SAMPLE_WATERMARKS = 3,
    STORE_SAMPLE_LANES = 3,
    STORE_SAMPLE_SEGMENTS = 3
};
extern const struct store_destination store_destinations[STORE_SAMPLE_DESTINATIONS];
extern const struct store_watermark store_watermarks[STORE_SAMPLE_WATERMARKS];
extern const struct store_lane store_lanes[STORE_SAMPLE_LANES];
extern const struct store_segment store_segments[STORE_SAMPLE_SEGMENTS];
extern const struct store_commit store_whole;

#endif
