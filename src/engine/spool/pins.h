/* pins.h - the spool as the engine sees it, for the files of this folder only.
 *
 * A pin is one segment that somebody has not settled: a hard link in the spool, or, where links are
 * impossible, the open file and later a copy. pins.c keeps the table, pins_run.c moves each pin
 * from one state to the next, past.c keeps what is left of earlier generations readable. */
#ifndef ENGINE_PINS_H
#define ENGINE_PINS_H

#include <walship/assert.h>
#include <walship/position.h>
#include <walship/spool.h>
#include <walship/tail.h>

enum {
    PINS_MAX = 1 << 16, /* 8 TB of full segments */
    PINS_HELD_MAX = 256,
    PASTS_MAX = 64,
    PIN_LAG_MS = 5000, /* closed and unsettled for so long: there is a lag, worth a copy */
    PIN_RETRY_MS = 1000
};

enum pin_state {
    PIN_WANTED,  /* nothing done yet */
    PIN_LINKING, /* job under way */
    PIN_HELD,    /* the open file, nothing in the spool */
    PIN_COPYING, /* held, and the job is under way */
    PIN_KEPT,    /* a link or a copy is in the spool */
    PIN_DROPPING /* job under way */
};

struct pin {
    uint32_t generation, number;
    uint64_t device, inode; /* of the segment */
    uint64_t bytes;         /* that it takes, as last known */
    enum pin_state state;
    bool copy;         /* KEPT: a file of its own */
    bool closed;       /* a higher segment exists */
    bool linkable;     /* its name was there when it was last tried */
    bool over;         /* nobody reads it: dropped as soon as nobody can need it after a restart */
    uint32_t heir;     /* the generation that keeps the same file anew; 0: none */
    int fd;            /* HELD, COPYING; else -1 */
    uint64_t job;      /* LINKING, COPYING, DROPPING */
    int64_t closed_ms; /* since when that is known */
    int64_t retry_ms;  /* after a failure: not before */
};

/* An earlier generation of which pins are left. */
struct past {
    uint32_t generation;
    struct waldir *dir;
    bool has_fork;
    uint32_t passes;      /* the newest generation of which this has all, and more; 0: none */
    uint32_t fork;        /* the segment of the next generation that is the first one not of this */
    uint32_t fork_record; /* so many of its records are the same */
    uint32_t fork_crc;    /* of the last of them */
    bool fork_known;      /* which was looked at */
};

struct pins {
    struct spool *spool; /* NULL: none */
    const char *directory;
    struct pin *pins; /* ascending by generation and number */
    size_t count, capacity;
    size_t held;
    struct past pasts[PASTS_MAX]; /* ascending */
    size_t pasts_count;
    bool links_refused;
    uint64_t jobs;                       /* ids given so far */
    struct position low, committing_low; /* lowest watermark: durable, of the running commit */
    struct position saved;               /* the lowest that was loaded */
    bool has_low;
    bool look; /* the directory, the low or the table changed: see what is to do */
    int64_t due_ms;
    uint64_t failures;
    struct position limit;          /* what lies before it is given up: the budget */
    uint64_t free_bytes, all_bytes; /* of the spool's file system */
    int64_t space_ms;               /* when that is asked again */
    bool said_full;                 /* no room for a copy; said once until there is */
    int64_t room; /* bytes that copies may still take; below 0: so many have to go */
};

/* Prometheus' own rhythm of deleting. */
struct guard {
    bool has_first;
    uint32_t first, segments;    /* the lowest it has; how many it last deleted at once */
    int64_t cut_ms, interval_ms; /* when that was; since the time before, 0: not known yet */
    int64_t say_ms;
};

struct engine;

/* ---- pins.c ---- */
/* What an earlier life left; generation: the newest that is known (0: none), and then of the pins.
 * False: that can't be told, and so what it keeps would be lost. */
bool pins_load(struct engine *engine, uint32_t *generation, struct err *err);
void pins_show(struct engine *engine); /* to the directories, after the generation was set */
/* All have their places. Who has none saved needs what lies behind it, long before a commit may say
 * so: a state that can't be saved. */
void pins_placed(struct engine *engine);
void pins_release(struct engine *engine);
struct pin *pins_find(struct pins *pins, uint32_t generation, uint32_t number);
struct pin *pins_add(struct pins *pins, uint32_t generation, uint32_t number);
void pins_remove(struct engine *engine, struct pin *pin);           /* moves those behind it */
const char *pin_name(const struct pin *pin, bool copy, char *out);  /* SPOOL_NAME_BYTES */
char *pin_path(const struct engine *engine, const struct pin *pin); /* owned by the caller */
void pin_show(struct engine *engine, const struct pin *pin);
void pin_hide(struct engine *engine, const struct pin *pin);

/* ---- pins_run.c ---- */
void pins_run(struct engine *engine);
/* Keeps a segment that generation `from` has for an earlier one, too. False: not known yet whether
 * it can be. */
MUST_USE bool pin_adopt(struct engine *engine, uint32_t generation, uint32_t from,
                        const struct waldir_segment *segment);
/* Prometheus no longer has this segment: what is to be kept of it can't wait. */
bool pins_only_here(const struct engine *engine, const struct position *at);
int64_t pins_deadline(const struct engine *engine);

/* ---- guard.c ---- */
void guard_look(struct engine *engine); /* after the directory changed */
void guard_run(struct engine *engine);
/* Until what is not sent is deleted; 0: some of it is, -1: not known. */
int64_t guard_left_ms(const struct engine *engine);

/* ---- budget.c ---- */
void budget_look(struct engine *engine); /* what has to go */
void budget_run(struct engine *engine);  /* lets it go */
void budget_room(struct engine *engine); /* pins.room anew */
/* Prometheus still has the file, in whatever life of the WAL. Of a copy, that may be another file
 * by now: pin_is_there tells. */
bool budget_is_shared(const struct engine *engine, const struct pin *pin);
/* A copy of what Prometheus still has, in the spool or on its way out of it: without it only a
 * restart could lose anything. */
bool budget_is_spare(const struct engine *engine, const struct pin *pin);
/* What the spool takes of the disk that Prometheus itself does not. */
uint64_t budget_used(const struct engine *engine);

/* ---- there.c ---- */
/* The file itself is kept, so no other one can have its inode number. */
bool pin_keeps_inode(const struct pin *pin);
/* The directory itself has what this one keeps; false where it can't be told. */
bool pin_is_there(struct engine *engine, const struct pin *pin);
/* It has another file under that number, though it may bear the number of the inode. */
bool pin_is_other(struct engine *engine, const struct pin *pin);

/* ---- past.c ---- */
void pasts_load(struct engine *engine);
bool pasts_look(struct engine *engine); /* false: not all could be; what was known stays */
/* NULL: nothing is left of it */
struct waldir *dir_of(const struct engine *engine, uint32_t generation);
bool past_is(const struct engine *engine, uint32_t generation);
/* The WAL has another life: what is pinned of the one before stays readable. */
void past_begin(struct engine *engine, uint32_t generation);
void pasts_run(struct engine *engine);                        /* lets go what has no pins */
bool past_complete(struct engine *engine, struct past *past); /* false: try again later */
uint32_t past_after(const struct engine *engine, uint32_t generation); /* the next generation */
/* The next one that has something that this has not. */
uint32_t past_successor(const struct engine *engine, const struct past *past);
/* A domain read all of an earlier generation: where it goes on. */
struct position past_next(struct engine *engine, uint32_t generation, uint32_t *previous_crc);
/* Behind `end`, the end of what is left of an earlier generation, and before `next`: were segments
 * of the next one deleted unread, for all that is known? Also those of numbers that both have. */
bool past_gap(const struct engine *engine, const struct position *end, const struct position *next,
              uint32_t *from);
/* Of the earlier one itself: was more of it read once than is left, and than `next` has as well? */
bool past_broken_off(struct engine *engine, const struct position *end, const struct position *next,
                     uint32_t *from, uint32_t *to);
/* A saved place that lies in an earlier generation of which enough is left. */
bool past_has(const struct engine *engine, const struct position *at);

#endif
