/* world.h - the production engine over the fakes, driven step by step: the script of a golden
 * trace.
 *
 * A line of a script is one event; what the engine then does comes out as its own trace lines.
 *
 *     destination NAME URL[,URL] [pinned] [deadline MS] [samples N] [quota N] [auth]
 *                                         auth: each endpoint has a client secret of its own
 *                                         tenant T: behind it, of the first endpoint's
 *                                         v2 fallback histograms exemplars metadata: as named
 *                                         azure: window 20 min, out of order dropped
 *                                         age MS: sample_age_limit; fold: case does not count
 *     date URL MS                         this receiver's clock says MS now; answers have a Date
 *     wall MS                             the local wall clock is stepped by so much
 *     tokens LIFE_S | tokens fail STATUS  what the token service answers from now on
 *     authorization                       the header of the newest write; token requests so far
 *     rename NEW                          the first destination, in the configuration
 *     failover                            its placement there, from the next start on
 *     start_at oldest|now|MS              (before start)
 *     start [once] [adopt OLD=NEW] [forget OLD]
 *     external LABEL VALUE                an external label (before start)
 *     relabel ACTION LABEL REGEX [TARGET [REPLACEMENT]]   a rule of the last destination so far
 *     series REF NAME [REF NAME ...]      one series record; NAME[,LABEL=VALUE...]
 *     samples REF T [REF T ...]           one samples record; the value is T
 *     starts REF T ST [...]               the same with start times
 *     histograms REF T [...]              one record of integer histograms
 *     large REF COUNT RECORDS             records of COUNT floats of one series, 1 ms apart
 *     custom REF T [...]                  the same with custom buckets
 *     exemplars REF T [...]
 *     metadata REF TYPE HELP              one record; TYPE is a number
 *     mute STATUS URL                     the next answer does not say what was written (2.0)
 *     no_exemplars STATUS URL             it says: all but the exemplars
 *     garbled                             a histogram record that can't be decoded
 *     roll                                pad, next segment
 *     junk                                pad, and a page that holds no record
 *     flip AT                             a bit of the byte there in the newest segment
 *     remove N | repair N KEEP | empty    segment N goes; is rewritten with KEEP records; all go
 *     repair N 0                          not the newest: as it is, in a new file; those above go
 *     cut BYTES                           the newest segment loses its end, the next one begins
 *     checkpoint N REF NAME [...]         checkpoint.N with these series; segments <= N go
 *     answer URL STATUS [RETRY_AFTER]     the next answer of this endpoint (may be queued)
 *     lose URL | refuse URL               delivered but unanswered | connection refused
 *     dislike URL refuse|fail NAME [T]    400 or 500 for ever to what holds this
 *     order URL whole|keep|any            in order only: all or nothing, or what fits
 *     refuse-all URL | like-all URL
 *     redirect URL STATUS LOCATION        the next answer of this endpoint (may be queued)
 *     receiver URL                        one that no configuration names
 *     no429 NAME                          retry_on_http_429: false (before start)
 *     commits fail | commits work
 *     run MS                              turns until so much later
 *     stop | crash
 *     spool                               (before start) there is one
 *     links refuse|work | spool ERRNO     from now on; ERRNO: of copies and writes, 0: they work
 *     spool_max BYTES | spool_free BYTES  the budget; what is free, where 1000 must be
 *     spooled                             what is in the spool
 *     stats                               the account of each destination
 *     ledger                              its rows that are durable: from, to, what, of when
 *     kinds                               the same by kind: samples/histograms/exemplars
 *     next NAME URL[,URL] [...]           a destination of the configuration to come
 *     next_relabel ... | next_external N V | next_wal_dir D   its other parts
 *     reload                              it takes the present one's place
 *     confs                               how many are still needed
 *     endpoints                           state and shards of each endpoint
 *     arrived URL                         what this receiver has */
#ifndef TEST_ENGINE_WORLD_H
#define TEST_ENGINE_WORLD_H

#include "fake_http.h"
#include "fake_judge.h"
#include "fake_os.h"
#include "fake_spool.h"
#include "fake_store.h"
#include "token_door.h"
#include "wal_writer.h"

#include <walship/engine.h>

enum {
    WORLD_CONFS_MAX = 8,
    WORLD_DESTINATIONS_MAX = 4,
    WORLD_RECORDS_MAX = 256,
    WORLD_TEXT_BYTES_MAX = 1 << 18
};

struct world_conf { /* one that took another's place */
    struct conf conf;
    struct label external;
    struct conf_destination destinations[WORLD_DESTINATIONS_MAX];
};

struct world {
    struct fake_os *os;
    struct fake_http *http;
    struct token_door door;      /* in front of http */
    struct fake_judge judges[8]; /* by receiver */
    struct fake_store *store;
    struct fake_spool *spool; /* NULL: none */
    struct label_ids *ids;
    int64_t now_ms;
    bool commits_fail;
    struct conf conf;
    struct label external; /* owned */
    struct conf_destination destinations[WORLD_DESTINATIONS_MAX];
    struct world_conf *next; /* being written */
    struct world_conf *confs[WORLD_CONFS_MAX];
    size_t confs_count;
    struct engine *engine;
    struct wal_writer writer;
    uint32_t segment;
    size_t record_ends[WORLD_RECORDS_MAX]; /* of the newest segment */
    size_t records_count;
    size_t written; /* bytes of it that are in the file */
    bool running;
    struct buf out;
};

void world_init(struct world *world);
void world_release(struct world *world);
/* world_kinds.c: other items than floats. */
bool world_kinds_step(struct world *world, const char *verb, char *line);
bool world_kinds_option(struct conf_destination *destination, const char *option);
void world_log(struct world *world, const struct buf *record);
void world_print(struct world *world, const char *format, ...) PRINTF_LIKE(2, 3);
char *world_word(char **line);
int64_t world_number(char **line);
/* world_conf.c */
void world_start_at(struct world *world, char *line);
void world_destination(struct world *world, struct conf_destination *destination, char *line);
void world_destination_release(struct conf_destination *destination);
/* world_reload.c */
void world_endpoints(struct world *world);
bool world_reload_step(struct world *world, const char *verb, char *line);
void world_reload_release(struct world *world);
/* One line without "> " and line end. */
void world_step(struct world *world, char *line);

/* world_books.c */
bool world_books_step(struct world *world, const char *verb);

/* world_judge.c */
void world_judged(void *world, struct fake_request *request);
bool world_judge_step(struct world *world, const char *verb, const char *line);

#endif
