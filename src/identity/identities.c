/* identities.c - the registry: one identity for everyone who says the same thing. Adding is rare
 * (a start, a reload), so looking for an equal one is a plain walk. */
#include "life.h"

#include <walship/identity.h>
#include <walship/log.h>
#include <walship/mem.h>

struct identities {
    struct identity_world world;
    struct identity **list; /* each in its own block: pointers stay */
    size_t count, room;
    unsigned local_in_flight;
};

struct identities *identities_new(const struct identity_world *world)
{
    ASSERT(world != NULL && world->os != NULL && world->variable != NULL);
    struct identities *identities = mem_new(1, sizeof *identities);
    identities->world = *world;
    return identities;
}

void identities_free(struct identities *identities)
{
    if (identities == NULL) {
        return;
    }
    identities_sweep(identities, NULL, 0);
    mem_free(identities->list);
    mem_free(identities);
}

static bool is_among(const struct identity *identity, struct identity *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == identity) {
            return true;
        }
    }
    return false;
}

void identities_sweep(struct identities *identities, struct identity *const *kept, size_t count)
{
    ASSERT(identities != NULL && (kept != NULL || count == 0));
    for (size_t i = 0; i < identities->count; i++) {
        struct identity *identity = identities->list[i];
        if (identity != NULL && !is_among(identity, kept, count)) {
            identity_release(identity);
            mem_free(identity);
            identities->list[i] = NULL;
        }
    }
}

static struct identity *find(const struct identities *identities, const struct source *source)
{
    for (size_t i = 0; i < identities->count; i++) {
        struct identity *identity = identities->list[i];
        if (identity != NULL && source_equal(identity_source(identity), source)) {
            return identity;
        }
    }
    return NULL;
}

/* One that a sweep left, or the next one; IDENTITIES_MAX: none. */
static size_t place_free(const struct identities *identities)
{
    size_t place = 0;
    while (place < identities->count && identities->list[place] != NULL) {
        place++;
    }
    return place;
}

static struct identity *add(struct identities *identities, size_t place, struct source *take)
{
    ASSERT(place <= identities->count && place < IDENTITIES_MAX);
    if (place == identities->room) {
        identities->room = identities->room == 0 ? 8 : identities->room * 2;
        identities->list = mem_grow(identities->list, identities->room, sizeof(struct identity *));
    }
    struct identity *identity = mem_new(1, sizeof *identity);
    identity_init(identity, take, &identities->world, &identities->local_in_flight);
    identities->list[place] = identity;
    identities->count += place == identities->count;
    return identity;
}

struct identity *identities_add(struct identities *identities, const struct conf_auth *auth,
                                struct err *err)
{
    struct source source;
    ASSERT(auth != NULL && auth->kind != CONF_AUTH_NONE);
    if (!source_resolve(&source, auth, &identities->world, err)) {
        return NULL;
    }
    struct identity *found = find(identities, &source);
    if (found != NULL) {
        source_release(&source);
        return found;
    }
    size_t place = place_free(identities);
    if (place == IDENTITIES_MAX) {
        source_release(&source);
        (void)err_set(err, 0, "more than %d identities", IDENTITIES_MAX);
        return NULL;
    }
    struct identity *fresh = add(identities, place, &source);
    if (auth->allow_insecure_http) {
        LOG_WARN("allow_insecure_http: secrets and tokens may travel unencrypted",
                 LOG_STR("identity", fresh->name));
    }
    return fresh;
}

size_t identities_count(const struct identities *identities)
{
    return identities->count;
}

struct identity *identities_at(const struct identities *identities, size_t index)
{
    ASSERT(index < identities->count);
    return identities->list[index];
}
