/* identities.c - the registry: one identity for everyone who says the same thing. Adding is rare
 * (the start), so looking for an equal one is a plain walk. */
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
    for (size_t i = 0; i < identities->count; i++) {
        identity_release(identities->list[i]);
        mem_free(identities->list[i]);
    }
    mem_free(identities->list);
    mem_free(identities);
}

static struct identity *find(const struct identities *identities, const struct source *source)
{
    for (size_t i = 0; i < identities->count; i++) {
        if (source_equal(identity_source(identities->list[i]), source)) {
            return identities->list[i];
        }
    }
    return NULL;
}

static struct identity *add(struct identities *identities, struct source *take)
{
    if (identities->count == identities->room) {
        identities->room = identities->room == 0 ? 8 : identities->room * 2;
        identities->list = mem_grow(identities->list, identities->room, sizeof(struct identity *));
    }
    struct identity *identity = mem_new(1, sizeof *identity);
    identity_init(identity, take, &identities->world, &identities->local_in_flight);
    identities->list[identities->count++] = identity;
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
    if (identities->count == IDENTITIES_MAX) {
        source_release(&source);
        (void)err_set(err, 0, "more than %d identities", IDENTITIES_MAX);
        return NULL;
    }
    struct identity *fresh = add(identities, &source);
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
