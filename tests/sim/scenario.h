/* scenario.h - what one seed is about: configuration, liveliness of Prometheus, faults, crashes. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "fake_judge.h"
#include "faults.h"
#include "prometheus.h"

#include <walship/conf.h>
#include <walship/limits.h>
#include <walship/rng.h>

enum hints { HINTS_GOOD, HINTS_FAULTY, HINTS_NONE };

struct scenario {
    struct conf *conf; /* owned */
    struct prometheus_conf prometheus;
    bool calm[DESTINATIONS_MAX];
    struct fake_judge judges[DESTINATIONS_MAX]; /* what its receivers, one database, like */
    size_t bytes_max[DESTINATIONS_MAX];         /* 413 above */
    bool cuts[DESTINATIONS_MAX];                /* a cut connection instead */
    unsigned good_percent, commit_fail_percent;
    int64_t commit_ms_max;
    int64_t active_ms;
    int64_t spell_ms_max, turn_ms; /* of the weather: see faults.h */
    int64_t crash_ms, stop_ms;     /* mean time between; 0: never */
    int64_t down_ms_max;
    unsigned soon_permille; /* crash right after a post, an answer, a commit */
    enum hints hints;
    unsigned short_read_percent, eio_permille;
    bool wall_jumps;
    bool suspends;     /* the machine, with all that runs on it, now and then */
    bool reconfigures; /* between lives: shard_by, number of endpoints */
    bool rearranges;   /* between lives: other domains, by placement or endpoints */
    bool renames;      /* between lives: the external labels, and with them all series and shards */
    struct externals externals[ORACLE_NAMES_MAX]; /* owned; the first has conf at the beginning */
    bool adopts;                   /* between lives: a destination gets another name */
    char *names[DESTINATIONS_MAX]; /* owned; the one that it has not now */
    size_t endpoints_all[DESTINATIONS_MAX];
    bool spools, links_refused; /* there is a spool; links into it can't be made */
    int64_t spool_ms_max;
    bool budgets;                 /* it may not take all that it would */
    bool fills;                   /* its disk has less free than spool_min_free, now and then */
    unsigned spool_fail_permille; /* of turns: its disk is full for a while */
    int64_t reload_ms;            /* mean time between live changes; 0: none */
    bool state_lost;              /* between two lives, once */
    bool flood;                   /* more than a domain may hold, while nothing can be sent */
    bool once_last;               /* the last life is run --once */
    bool again;                   /* and another one must find nothing to do */
};

void scenario_make(struct scenario *scenario, uint64_t seed);
void scenario_release(struct scenario *scenario);
/* ---- scenario_labels.c ---- */
void externals_make(struct scenario *scenario, uint64_t seed);
void externals_release(struct scenario *scenario);
/* ---- scenario_rules.c ---- */
void rules_make(struct conf *conf);
void rules_release(struct conf_destination *destination);

/* One line. */
void scenario_describe(const struct scenario *scenario, char *out, size_t bytes);

#endif
