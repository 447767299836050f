/* dump.h - the items of a WAL as lines of text, for `walship wal dump`. Private to the command. */
#ifndef CLI_DUMP_H
#define CLI_DUMP_H

#include "catalog.h"
#include "selector.h"

#include <walship/buf.h>
#include <walship/wal_record.h>

struct dump {
    struct catalog catalog;
    struct selector *selector; /* NULL: all */
    uint8_t *verdicts;         /* by set: 0 not asked yet, 1 no, 2 yes */
    uint32_t verdicts_count;
    int64_t from_ms, to_ms;   /* both inclusive */
    struct buf out;           /* lines not yet written */
    bool failed;              /* stdout can't be written: errno */
    uint64_t unknown_refs;    /* items without a definition */
    uint64_t unknown_schemas; /* histograms that Prometheus would skip too */
    uint64_t undecodable;     /* records */
    uint64_t unknown_types;   /* records */
};

void dump_init(struct dump *dump, uint64_t seed);
void dump_release(struct dump *dump);
/* Series records: learn (the first pass). */
void dump_learn(struct dump *dump, struct view record, const struct position *at);
/* All others: lines (the second pass). */
void dump_record(struct dump *dump, struct view record, const struct position *at);
/* Writes what is buffered. False: stdout failed, now or before. */
bool dump_flush(struct dump *dump);

#endif
