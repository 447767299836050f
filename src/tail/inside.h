/* inside.h - struct tail, for the files of this folder only: tail.c (places, the outside), read.c
 * (the open file to records), enter.c (from one segment to the next).
 *
 * Steps: a function that takes `enum tail_status *status` returns true when it has decided what
 * tail_next says, false to go on. */
#ifndef WALSHIP_TAIL_INSIDE_H
#define WALSHIP_TAIL_INSIDE_H

#include "dir.h"

#include <walship/limits.h>
#include <walship/wal_reader.h>

enum {
    TAIL_WINDOW_BYTES = 128 << 10,
    TAIL_BAD_PAGE_MS = 10 * 60 * 1000 /* unreadable so long: passed over as damage */
};

static_assert(TAIL_WINDOW_BYTES >= 2 * WAL_PAGE_BYTES, "a window holds any fragment");

struct tail {
    struct waldir *dir;
    bool is_checkpoint; /* then dir is its inner directory, and ours */
    uint32_t checkpoint;
    struct wal_reader *reader;
    uint8_t *bytes;
    struct wal_window window;
    /* the place */
    uint32_t generation;
    uint32_t segment;
    uint32_t record; /* ordinal of the next one */
    uint32_t target; /* records below it are walked over, not given out */
    uint64_t offset; /* where the next record starts, or padding before it */
    uint32_t crc;    /* of the record before; 0 when there is none */
    bool placed;     /* false: the directory had no segment yet */
    bool ended;      /* all of `segment` was read; the next one is not chosen yet */
    /* the file; fd < 0: none is open */
    int fd;
    uint64_t device, inode;
    bool identifying; /* all records from the first on were read, none with a time yet */
    bool damaged;     /* bytes were passed over since the last gap, first in damaged_segment */
    uint32_t identity;
    uint32_t damaged_segment;
    bool failing; /* reading fails here since failing_ms */
    int64_t failing_ms;
    /* waiting */
    bool waiting;
    uint64_t waiting_looks; /* dir->looks at that time */
    uint64_t asked_at;      /* where the reader was asked again ... */
    unsigned asked;         /* ... so often */
    bool may_look;          /* one look of its own a call, no more */
};

/* tail.c: */
/* The start of a segment is next. */
void tail_place(struct tail *tail, uint32_t segment);
void tail_close_file(struct tail *tail);
/* TAIL_WAIT, until the directory was looked at again. */
bool tail_wait_here(struct tail *tail, enum tail_status *status);
/* The directory is not what it was a moment ago. True: looked, try again. */
bool tail_look_again(struct tail *tail);
/* Is it the open file that has this segment's name? */
bool tail_file_is(const struct tail *tail, const struct dir_segment *segment);

static inline bool tail_decide(enum tail_status *status, enum tail_status decided)
{
    *status = decided;
    return true;
}

/* enter.c: no file is open; opens the one to read next, or tells a gap. */
bool tail_enter(struct tail *tail, struct tail_out *out, enum tail_status *status, struct err *err);

/* read.c: what to do about each answer of wal_reader_next. */
bool tail_take_record(struct tail *tail, const struct wal_read_out *read, struct tail_out *out,
                      enum tail_status *status);
bool tail_take_damage(struct tail *tail, const struct wal_read_out *read, struct tail_out *out,
                      enum tail_status *status);
bool tail_take_wait(struct tail *tail, enum tail_status *status);
bool tail_window_fill(struct tail *tail, enum tail_status *status, struct err *err);
/* Brings size and seal up to what is known now. False: nothing new. */
bool tail_window_renew(struct tail *tail);
/* Bytes that gave no record are read again: they may have been half written. */
void tail_window_empty(struct tail *tail);

#endif
