/* sift.h - what is known of a batch whose items do not share one end. */
#ifndef ENGINE_SIFT_H
#define ENGINE_SIFT_H

#include "internal.h"

enum fate {
    FATE_OPEN,
    FATE_ACKED,
    FATE_THERE,   /* already there */
    FATE_REFUSED, /* alone, or with the rest of its series: lost */
    FATE_FAILED,  /* the same, by 5xx, timeouts and resets */
    FATE_LATE,    /* the same, for its time: says nothing against its series */
    FATE_BANNED,  /* of a quarantined series: lost without a request */
    FATE_APART,   /* of a quarantined series whose time has come: sent behind all others */
    FATE_JUDGED   /* not to be sent: it has its end already (judge.c) */
};

enum piece {
    PIECE_FRONT,  /* the first so many open items */
    PIECE_SERIES, /* the open items of one series */
    PIECE_ITEM,   /* one open item, the first open one of its series */
    PIECE_OTHERS, /* the open items of all series that the failing front does not hold */
    PIECE_APART   /* the items of one quarantined series */
};

#define NOBODY   UINT32_MAX
#define TIMELESS INT64_MIN
enum { WITNESSES = 2, ALONE_MAX = 16, ALONE_SEVERAL = 3 };

/* What a refusal for its time tells of other items than the one that was asked for. */
enum there {
    THERE_LANE,  /* delivered up to some place of each lane */
    THERE_WHOLE, /* the region was delivered as a whole or not at all */
    THERE_REST   /* what could be taken of the region is taken by now */
};

/* The items of one lane. */
struct stretch {
    uint32_t end;      /* the place behind the last one */
    uint32_t doubtful; /* behind the last one that may have been sent before */
    int64_t newest_ms; /* as of the lane: what is newer is newer than all that was settled before */
    bool ordered;      /* what was sent of it, left in order */
};

/* Refused alone, and nothing that was posted later was taken. */
struct alone {
    uint32_t place;
    bool series;     /* it was the rest of its series */
    uint64_t posted; /* till then */
    uint32_t times;
};

/* Items by their place in the batch: part by part, in lane order. */
struct sift {
    uint32_t items;
    uint32_t *sets;
    uint32_t *next;  /* of the same series; NOBODY: none */
    uint32_t *heads; /* the first of the series */
    uint8_t *fates;
    int64_t *times;   /* TIMELESS: an exemplar, or never sent */
    uint8_t *rises;   /* newer than all of its series before it */
    uint8_t *enters;  /* in another segment than the one before it in its lane */
    uint8_t *late;    /* was parked: stood elsewhere in its lane, perhaps, in an earlier life */
    uint8_t *wanted;  /* in the present piece */
    uint8_t *blurred; /* by heads: some of the series may have been delivered as another piece */
    uint8_t *region;  /* what was refused when the search began */
    uint32_t *open;   /* places, rising; those of postponed series behind the others */
    uint32_t open_count;
    uint32_t postponed;
    uint32_t suspect; /* the first so many of `open` were refused together; 0: unknown */
    enum piece piece;
    uint32_t place; /* what the piece is about, but for PIECE_FRONT */
    uint32_t wanted_count;
    uint32_t piece_max;        /* after a 413, or cut off for its size, perhaps; 0: none */
    bool piece_grows;          /* twice as large with each that is taken */
    uint32_t series;           /* an item whose series is asked for next, or NOBODY */
    struct stretch *stretches; /* as many as the batch has parts */
    size_t stretches_count;
    bool asking; /* for what is there, from the front on */
    bool asked;  /* so it was before */
    enum there there;
    uint32_t heard[WITNESSES]; /* heads of series of which one is there */
    uint32_t heard_count;
    bool whole; /* all of it was sent at once, and may have been delivered as a whole; not: */
    bool disproved;
    struct alone alone[ALONE_MAX];
    uint32_t alone_count;
    bool taken;        /* something of this batch was */
    uint32_t others;   /* PIECE_OTHERS is to be next, for a front of so many; 0: no */
    uint32_t failures; /* of the present piece, in a row */
    uint64_t posted;   /* till the present piece began to fail */
    bool maybe;        /* the present piece may have been delivered before */
    char words[ENDPOINT_ERROR_BYTES_MAX]; /* of the last refusal */
};

/* sift.c: the pieces */
struct sift *sift_new(const struct destination *destination, const struct batch *batch);
void sift_compact(struct sift *sift); /* after fates were changed */
/* Gives all items of `chosen` (or of the piece, when NULL) this fate, and forgets the piece. */
void sift_settle(struct sift *sift, const uint8_t *chosen, enum fate fate);
void sift_alone_tidy(struct sift *sift);
void sift_want(struct sift *sift, enum piece piece, uint32_t place);
uint32_t sift_first_wanted(const struct sift *sift);
uint32_t sift_first_open(const struct sift *sift, uint32_t place);

/* Serials: of the last request posted by anyone, of the last posted of those that this endpoint
 * took, and of the last posted by anyone when it was last heard to be ill, whichever batch it was.
 * Only what was posted after a refusal and is taken shows that it takes things since; and what it
 * took before it was ill shows no more that the next refusal is the item's own. */
struct progress {
    uint64_t posted, taken, ill;
};

/* sift_blame.c */
enum choice {
    CHOICE_PIECE,
    CHOICE_WAIT, /* a piece, but nothing was taken since it was refused */
    CHOICE_NONE  /* all items have their end */
};
enum choice sift_choose(struct sift *sift, const struct progress *progress);
struct refusal_seen {
    enum fate why; /* REFUSED, FAILED or LATE */
    struct progress progress;
    bool sure; /* need not be asked again */
};
void sift_refused(struct sift *sift, const struct refusal_seen *seen);
/* True: another piece is to be chosen; false: the same again. */
bool sift_failed(struct sift *sift, const struct progress *progress);

/* sift_split.c: that of the items marked in `which`, which are those of `batch`; all that are open
 * are marked, or none. */
struct sift *sift_part(const struct sift *from, const struct destination *destination,
                       const struct batch *batch, const uint8_t *which);

/* sift_there.c */
/* The present piece was refused for its time, and may have been delivered before. */
void there_begin(struct sift *sift, enum there there);
bool there_unasked(const struct sift *sift); /* of the present piece */
bool there_choose(struct sift *sift);        /* false: the search has come to its end */
void there_taken(struct sift *sift);         /* what was asked for: not all is there */
void there_refused(struct sift *sift);       /* what was asked for is there, some of it */
/* The item was refused alone, and nothing before it in its lane is open. */
void there_alone(struct sift *sift, uint32_t place);

#endif
