/* tail.h - reads a WAL directory record by record, in order, for ever.
 *
 * struct waldir is what is known of the directory: its segments (pinned ones too), newest
 * checkpoint and identity (generation); one a process, shared by all tails. struct tail is one
 * reader in it; they are cheap (one 128 KiB window and one record buffer) and can be placed
 * anywhere. inotify is a hint; truth is stat + pread. Loop thread only; nothing blocks beyond
 * pread. Borrows os and the path's bytes are copied. */
#ifndef WALSHIP_TAIL_H
#define WALSHIP_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/err.h>
#include <walship/os.h>
#include <walship/position.h>
#include <walship/view.h>

/* ---- the directory ---- */

struct waldir;

struct waldir_segment {
    uint32_t number;
    uint64_t device, inode;
    uint64_t bytes;    /* as last seen */
    bool sealed;       /* a higher one exists and a later look showed no growth */
    bool has_identity; /* known once a tail read so far */
    uint32_t identity; /* of its records from the first to the first that carries times: in two
                        * lives of a WAL never the same */
    bool pinned;       /* the directory no longer has it, a pin does */
};

/* `path` is the WAL directory, or the data directory that holds wal/. Fails with a sentence saying
 * what to do: missing, unreadable, not a WAL (no segment and no checkpoint, other files there). */
struct waldir *waldir_open(struct os *os, const char *path, struct err *err);
void waldir_free(struct waldir *dir);
const char *waldir_path(const struct waldir *dir);
/* Lists again. True: something changed (segment added, grown, gone, checkpoint new). `replaced` is
 * set when a known segment has another inode or shrank below what was read, or numbering restarted:
 * the caller starts a new generation with waldir_set_generation and places its tails anew; until
 * then it is told again and every tail waits. It is told when the files have stood still for half a
 * second (at most 10 s late, tails wait meanwhile): a repair takes several steps. False: the
 * directory can't be listed or a pin not looked at; what was known stays. Lists each time and stats
 * what may grow; all segments are looked at once a second, or when the list changed. Watches the
 * directory, but asks for no hint: whether to call now is the caller's. */
MUST_USE bool waldir_refresh(struct waldir *dir, bool *changed, bool *replaced, struct err *err);
uint32_t waldir_generation(const struct waldir *dir);
void waldir_set_generation(struct waldir *dir, uint32_t generation); /* forgets all identities */
size_t waldir_count(const struct waldir *dir);
const struct waldir_segment *waldir_at(const struct waldir *dir, size_t index); /* ascending */
/* NULL when there is none of that number. */
const struct waldir_segment *waldir_find(const struct waldir *dir, uint32_t number);
/* Segments that have an identity, as they were when it was read, ascending: those that are gone as
 * well, until they are forgotten or the generation ends. */
size_t waldir_known_count(const struct waldir *dir);
const struct waldir_segment *waldir_known_at(const struct waldir *dir, size_t index);
void waldir_known_forget(struct waldir *dir, uint32_t before);
/* False: there is no checkpoint. */
bool waldir_checkpoint(const struct waldir *dir, uint32_t *number);
/* The next one below it: Prometheus deletes it last of all that the newest one replaces, and may
 * be at it. False: there is none. */
bool waldir_checkpoint_below(const struct waldir *dir, uint32_t *number);
/* Freezes the end: what lies beyond the sizes last seen does not exist for any tail (--once); an
 * unfinished record there is waited for, never damage. */
void waldir_freeze(struct waldir *dir);

/* A file that has a segment's bytes and outlives its name in the directory (or is this very file).
 */
struct waldir_pin {
    uint32_t number;
    uint64_t device, inode; /* of the segment, as the directory had it */
    const char *path;       /* copied */
};

/* From the next look on the segment is there even when the directory no longer has it; another file
 * of its number there means `replaced`. A pin of the same number is replaced. All pins are taken
 * off by waldir_set_generation. */
void waldir_pin(struct waldir *dir, const struct waldir_pin *pin);
void waldir_unpin(struct waldir *dir, uint32_t number);
/* What is left of an earlier generation: pins only. Its tails wait at the end for ever. */
struct waldir *waldir_new_past(struct os *os, uint32_t generation);
/* The caller knows that the directory has another life, though its numbers don't say so. */
void waldir_set_replaced(struct waldir *dir);
/* `replaced` was found and is not told yet: every tail waits. */
bool waldir_is_replaced(const struct waldir *dir);

/* ---- a reader ---- */

struct tail;

#define TAIL_OFFSET_UNKNOWN UINT64_MAX

enum tail_status {
    TAIL_RECORD, /* out->record and the rest are set, until the next call on this tail */
    TAIL_WAIT,   /* at the end of what there is; costs nothing until waldir_refresh is called */
    TAIL_GAP,    /* segments out->gap_from..gap_to are gone unread; the tail stands behind them. The
                  * lowest may have been read from pins that a repair could have outdated unseen */
    TAIL_DAMAGE, /* out->damage_bytes passed over at out->at; the tail goes on */
    TAIL_FAILED  /* err says why (I/O); try the same call again later. A page of an older segment
                  * that gave EIO for ten minutes becomes TAIL_DAMAGE */
};

struct tail_out {
    struct position at;    /* of the record; item 0 */
    struct view record;    /* decompressed, type byte first */
    uint32_t crc;          /* CRC-32C of record */
    uint32_t previous_crc; /* of the record before it in the segment; 0 when at.record is 0 */
    uint64_t offset;       /* of its first fragment */
    uint32_t gap_from, gap_to;
    uint64_t damage_bytes;
    const char *damage_text;
};

/* Stands at the start of the first segment. */
struct tail *tail_new(struct waldir *dir);
void tail_free(struct tail *tail);
/* A reader of the checkpoint directory's segments instead: positions have segment = its number,
 * TAIL_WAIT means the end. It may vanish under the reader: TAIL_FAILED with ENOENT. */
struct tail *tail_new_checkpoint(struct waldir *dir, uint32_t number);
/* Record `at->record` of the segment is next (its item must be 0); walked to from the segment's
 * start, or from `offset` when the caller knows it to be that record's or the end of the one before
 * (same generation, this process). Damage passed on the walk is not told again. A segment with
 * fewer records is passed over, one that is gone is a TAIL_GAP. Not for checkpoints. */
void tail_seek(struct tail *tail, const struct position *at);
void tail_seek_offset(struct tail *tail, const struct position *at, uint64_t offset,
                      uint32_t previous_crc);
MUST_USE enum tail_status tail_next(struct tail *tail, struct tail_out *out, struct err *err);
/* The next record's place: what a cursor would save. offset and previous_crc belong to it; offset
 * is TAIL_OFFSET_UNKNOWN while a sought record has not been reached, and may be given back so. */
struct position tail_position(const struct tail *tail);
void tail_mark(const struct tail *tail, struct position *at, uint64_t *offset,
               uint32_t *previous_crc);
/* Bytes between here and the end of the newest segment, as last listed. */
uint64_t tail_behind_bytes(const struct tail *tail);

#endif
