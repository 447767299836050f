/* store_sqlite_look.h - what STATE_DIR/walship.db says, without touching it: for `walship losses`
 * and `walship status`, beside a running walship or without one.
 *
 * Nothing is created, changed or locked in STATE_DIR (SQLite's own shared-memory index aside, when
 * a write-ahead log is there). What is seen is one commit's state, whole (I3).
 * The caller releases what was found with store_look_release, also after a failure. */
#ifndef WALSHIP_STORE_SQLITE_LOOK_H
#define WALSHIP_STORE_SQLITE_LOOK_H

#include <walship/assert.h>
#include <walship/store.h>

/* One row of the loss ledger: maybe several losses of one reason, merged. loss.seen_ms is when the
 * last of them was seen. */
struct store_ledger_row {
    struct store_loss loss;
    int64_t first_seen_ms;
};

struct store_look {
    struct store_image image;        /* owns every string here */
    struct store_ledger_row *ledger; /* by destination, then by place */
    size_t ledger_count;
    long process; /* of the walship that holds the directory; 0: none runs */
};

/* False: err says why: no state yet, no access, another schema, corrupt. */
MUST_USE bool store_look(const char *state_dir, struct store_look *out, struct err *err);
void store_look_release(struct store_look *look);

#endif
