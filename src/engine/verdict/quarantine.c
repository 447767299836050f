/* quarantine.c - series of a destination that the receiver refuses again and again. For a while
 * their items go to the ledger without a request; then one is tried apart from all others. A table
 * of at most BANS_MAX, sorted by set, each with a reference to its labels; nothing of it is saved:
 * after a restart a poison series costs its search once more. */
#include "internal.h"

enum { BAN_MS = 600 * 1000, FORGET_MS = 3600 * 1000, REFUSALS_BANNED = 2 };

struct ban {
    uint32_t set;
    uint32_t refusals;
    int64_t until_ms;   /* its items are lost till then; then one is tried */
    int64_t touched_ms; /* refused last */
    enum loss_reason reason;
    char words[ENDPOINT_ERROR_BYTES_MAX];
};

/* Where the set is, or would be. */
static size_t place_of(const struct quarantine *quarantine, uint32_t set)
{
    size_t low = 0, high = quarantine->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (quarantine->bans[middle].set < set) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct ban *ban_of(const struct quarantine *quarantine, uint32_t set)
{
    size_t place = place_of(quarantine, set);
    bool found = place < quarantine->count && quarantine->bans[place].set == set;
    return found ? &quarantine->bans[place] : NULL;
}

static bool is_banned(const struct ban *ban)
{
    return ban->refusals >= REFUSALS_BANNED;
}

static void ban_remove(struct engine *engine, struct quarantine *quarantine, size_t place)
{
    ASSERT(place < quarantine->count);
    quarantine->banned -= is_banned(&quarantine->bans[place]);
    (void)labels_release(engine->labels, quarantine->bans[place].set);
    quarantine->count--;
    memmove(&quarantine->bans[place], &quarantine->bans[place + 1],
            (quarantine->count - place) * sizeof *quarantine->bans);
}

/* Those not refused for long; when it is full all the same, the one refused longest ago. */
static void make_room(struct engine *engine, struct quarantine *quarantine)
{
    size_t oldest = 0;
    for (size_t i = quarantine->count; i > 0; i--) {
        if (engine->now_ms - quarantine->bans[i - 1].touched_ms >= FORGET_MS) {
            ban_remove(engine, quarantine, i - 1);
        }
    }
    for (size_t i = 1; i < quarantine->count; i++) {
        if (quarantine->bans[i].touched_ms < quarantine->bans[oldest].touched_ms) {
            oldest = i;
        }
    }
    if (quarantine->count == BANS_MAX) {
        ban_remove(engine, quarantine, oldest);
    }
}

static struct ban *ban_add(struct engine *engine, struct quarantine *quarantine, uint32_t set)
{
    if (quarantine->bans == NULL) {
        quarantine->bans = mem_new(BANS_MAX, sizeof *quarantine->bans);
    }
    if (quarantine->count == BANS_MAX) {
        make_room(engine, quarantine);
    }
    size_t place = place_of(quarantine, set);
    memmove(&quarantine->bans[place + 1], &quarantine->bans[place],
            (quarantine->count - place) * sizeof *quarantine->bans);
    quarantine->count++;
    labels_retain(engine->labels, set);
    quarantine->bans[place] = (struct ban){.set = set};
    return &quarantine->bans[place];
}

void quarantine_note(struct engine *engine, struct destination *destination,
                     const struct refused_series *refused)
{
    struct quarantine *quarantine = &destination->quarantine;
    struct ban *ban = ban_of(quarantine, refused->set);
    ban = ban != NULL ? ban : ban_add(engine, quarantine, refused->set);
    bool before = is_banned(ban);
    ban->refusals += refused->items > 1 ? REFUSALS_BANNED : 1;
    ban->touched_ms = engine->now_ms;
    ban->reason = refused->reason;
    snprintf(ban->words, sizeof ban->words, "%s", refused->words);
    if (is_banned(ban) && !before) {
        ban->until_ms = engine->now_ms + BAN_MS;
        quarantine->banned++;
        LOG_WARN("a series is refused again and again: its samples are lost, it is tried again "
                 "every 10 minutes",
                 LOG_STR("destination", destination->conf->name), LOG_STR("error", ban->words));
    }
    ASSERT(quarantine->banned <= quarantine->count && quarantine->count <= BANS_MAX);
}

enum quarantine_state quarantine_state(const struct engine *engine,
                                       const struct destination *destination, uint32_t set)
{
    const struct quarantine *quarantine = &destination->quarantine;
    const struct ban *ban = quarantine->banned > 0 ? ban_of(quarantine, set) : NULL;
    if (ban == NULL || !is_banned(ban)) {
        return QUARANTINE_FREE;
    }
    return engine->now_ms < ban->until_ms ? QUARANTINE_BANNED : QUARANTINE_DUE;
}

void quarantine_tried(const struct engine *engine, struct destination *destination, uint32_t set)
{
    struct ban *ban = ban_of(&destination->quarantine, set);
    if (ban != NULL) {
        ban->until_ms = engine->now_ms + BAN_MS;
        ban->touched_ms = engine->now_ms;
    }
}

void quarantine_release(struct engine *engine, struct destination *destination)
{
    struct quarantine *quarantine = &destination->quarantine;
    while (quarantine->count > 0) {
        ban_remove(engine, quarantine, quarantine->count - 1);
    }
    mem_free(quarantine->bans);
    quarantine->bans = NULL;
}

const char *quarantine_words(const struct destination *destination, uint32_t set,
                             enum loss_reason *reason)
{
    const struct ban *ban = ban_of(&destination->quarantine, set);
    *reason = ban != NULL ? ban->reason : LOSS_REJECTED;
    return ban != NULL ? ban->words : "";
}

void quarantine_lift(struct engine *engine, struct destination *destination, uint32_t set)
{
    struct quarantine *quarantine = &destination->quarantine;
    const struct ban *ban = ban_of(quarantine, set);
    if (ban != NULL) {
        LOG_INFO("a quarantined series is taken again",
                 LOG_STR("destination", destination->conf->name));
        ban_remove(engine, quarantine, (size_t)(ban - quarantine->bans));
    }
}
