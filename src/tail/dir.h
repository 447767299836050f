/* dir.h - inside of struct waldir, for the files of this folder only.
 *
 * A look lists the directory and stats what may have changed; it never reads a file. What it finds
 * that a caller must hear of (changed, replaced) stays set until waldir_refresh tells it, since a
 * tail may look by itself when a file vanishes under it. */
#ifndef WALSHIP_TAIL_DIR_H
#define WALSHIP_TAIL_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/assert.h>
#include <walship/tail.h>

enum {
    DIR_NAME_BYTES = 24, /* longest name of a segment, with its end: any whole number may be one */
    DIR_PATH_BYTES = 4096,
    DIR_FULL_MS = 1000,  /* all segments are looked at again, not only the growing ones */
    DIR_SETTLE_MS = 500, /* a replaced directory is told when its files stood still so long ... */
    DIR_SETTLE_MS_MAX = 10000, /* ... but not later than this */
    DIR_FULL_SEGMENT_MS = 10   /* later by this for each segment: thousands must not eat the CPU */
};

struct dir_segment {
    struct waldir_segment seen; /* first: waldir_at gives it out */
    uint64_t file_bytes;        /* seen.bytes is less when frozen */
    uint64_t read_bytes;        /* a tail has read up to here: shorter now means replaced */
    bool has_first_crc;     /* of the first record, once a tail read it: the earliest proof that */
    uint32_t first_crc;     /* an inode number was used again */
    uint32_t begun_records; /* a tail read so many of those that are the identity, and no more */
    uint32_t begun_identity;
    char name[DIR_NAME_BYTES];
};

struct dir_pin {
    uint32_t number;
    uint64_t device, inode; /* of the segment */
    char *path;
};

struct dir_list {
    struct dir_segment *segments; /* ascending by number */
    size_t count, capacity;
    bool has_checkpoint;
    uint32_t checkpoint;
    char checkpoint_name[DIR_NAME_BYTES + 16];
    bool has_older; /* another checkpoint, below that: about to be deleted */
    uint32_t older;
    bool repairing;  /* a segment that was moved aside for repair is there */
    bool has_others; /* names that belong to no WAL */
};

struct waldir {
    struct os *os;
    char *path;
    struct dir_list now;
    struct dir_list next; /* scratch of a look */
    uint64_t device, inode;
    uint32_t generation;
    uint32_t top; /* highest number of this generation; numbers only grow in one life of a WAL */
    bool has_top;
    bool looked;
    struct dir_pin *pins; /* ascending by number */
    size_t pins_count, pins_capacity;
    struct waldir_segment *known; /* ascending by number: as they were when they were read */
    size_t known_count, known_capacity;
    bool past;     /* nothing but pins */
    bool complete; /* a checkpoint or past: whole from the start, all segments are sealed */
    bool frozen;
    bool vacant;    /* never had anything: may be the data directory, before wal/ is made in it */
    bool unwatched; /* the directory was away: the watch went with it */
    bool changed;
    bool replaced;
    int64_t replaced_ms; /* when that was found */
    int64_t moved_ms;    /* the last look that found other files than the one before, or a repair */
    int64_t looked_ms;
    uint64_t looks;
    int64_t full_ms;
};

/* A checkpoint's inner directory as a waldir of its own. Not looked at yet. */
struct waldir *dir_new(struct os *os, const char *path, bool complete);
MUST_USE bool dir_look(struct waldir *dir, struct err *err);
/* As dir_look, but every segment is looked at again. */
MUST_USE bool dir_look_full(struct waldir *dir, struct err *err);
struct dir_segment *dir_find(const struct waldir *dir, uint32_t number);
/* The lowest one above `number`, or NULL. */
struct dir_segment *dir_above(const struct waldir *dir, uint32_t number);
/* "directory/name" into a buffer of DIR_PATH_BYTES. */
const char *dir_join(char *out, const char *directory, const char *name);
void dir_set_replaced(struct waldir *dir);
/* Tails tell what they have read of the file that is known as `number`. */
void dir_note_read(struct waldir *dir, uint32_t number, uint64_t bytes);
void dir_note_first(struct waldir *dir, uint32_t number, uint32_t crc);
void dir_note_identity(struct waldir *dir, uint32_t number, uint32_t crc);
/* So far, of its first `records`: who goes on there ends it. */
void dir_note_begun(struct waldir *dir, uint32_t number, uint32_t records, uint32_t crc);

/* known.c: */
void dir_known_add(struct waldir *dir, const struct waldir_segment *segment);

/* pins.c: */
/* The segments that only pins have go into dir->next; sees files that are not the pinned ones. */
MUST_USE bool dir_pins_merge(struct waldir *dir, struct err *err);
void dir_pins_release(struct waldir *dir);
/* Where the segment is opened; in a buffer of DIR_PATH_BYTES. */
const char *dir_segment_path(const struct waldir *dir, const struct dir_segment *segment,
                             char *out);

/* names.c: */
struct dir_segment *dir_list_insert(struct dir_list *list, uint32_t number);
/* Lists `path`; false with err set. Sorted, one entry a number; nothing but number and name is set.
 */
MUST_USE bool dir_list_read(struct dir_list *list, struct os *os, const char *path,
                            struct err *err);
void dir_list_release(struct dir_list *list);

#endif
