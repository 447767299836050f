/* store_sqlite.h - the store seam on SQLite: STATE_DIR/walship.db, WAL mode, synchronous=FULL.
 *
 * One process at a time holds STATE_DIR (flock on walship.lock). The directory is made 0700, the
 * files 0600; no secret is stored (I6).
 * Lost state is recognised: walship.created says that there was a database once. A database that is
 * gone or can't be read (it is moved aside to walship.db.corrupt-UNIXTIME) is replaced by an empty
 * one that says image.lost until the first commit with a watermark is durable, over restarts too.
 * Deleted under a running process, it is written again from the open file with the next commit.
 * A failed commit (disk full, read-only, I/O) changed nothing; nothing is retried here. The
 * caller's next commit must hold the newest state and AGAIN the losses and segments of the failed
 * one. Threads: all calls from the loop thread; commits run in a thread of this module. SQLite
 * waits for the disk, so store_sqlite_close may block until a commit under way has ended. */
#ifndef WALSHIP_STORE_SQLITE_H
#define WALSHIP_STORE_SQLITE_H

#include <walship/assert.h>
#include <walship/store.h>

/* NULL: err has the sentence for the operator (in use by another process, newer schema, no access).
 */
MUST_USE struct store *store_sqlite_open(const char *state_dir, struct err *err);
/* Waits for the commit under way, whose result is lost to the caller. NULL-safe. */
void store_sqlite_close(struct store *store);
/* Readable when next_result has something: for the poll of the loop. */
int store_sqlite_fd(struct store *store);

#endif
