/* placement.c - which shard is at home at which endpoint.
 *
 * Weighted rendezvous: every pair (endpoint, shard) has a score from a hash, -w/ln(u); of all
 * pairs, best first, each is granted if the shard has no home yet and the endpoint has room. As
 * both sides rank by the same score, this is the one stable matching: it depends on nothing but
 * keys and weights, and a change of one endpoint moves its own shards plus those that its room
 * pulls or pushes. The hash key is fixed: homes must be the same after a restart and on every
 * machine. */
#include <math.h>
#include <walship/assert.h>
#include <walship/endpoint.h>
#include <walship/hash.h>
#include <walship/mem.h>

/* "walship placement" in hex; changing it moves every shard of every user. */
static const struct hash_key placement_key = {0x77616c7368697020u, 0x706c6163656d656eu};

struct pair {
    double score;
    uint32_t rank; /* of the endpoint by key: breaks ties without regard to the list's order */
    uint16_t shard;
};

/* u in (0, 1) from the hash of the endpoint's key and the shard's number. */
static double unit(uint64_t endpoint_hash, uint64_t shard)
{
    uint8_t bytes[16];
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(endpoint_hash >> (8 * i));
        bytes[8 + i] = (uint8_t)(shard >> (8 * i));
    }
    uint64_t hash = hash_bytes(&placement_key, bytes, sizeof bytes);
    return ((double)(hash >> 11) + 0.5) * 0x1p-53;
}

static int compare_pairs(const void *a_, const void *b_)
{
    const struct pair *a = a_, *b = b_;
    if (a->score > b->score || a->score < b->score) {
        return a->score > b->score ? -1 : 1;
    }
    if (a->rank != b->rank) {
        return a->rank < b->rank ? -1 : 1;
    }
    return (a->shard > b->shard) - (a->shard < b->shard);
}

struct ranked {
    const char *key;
    double weight;
    uint16_t index; /* in the caller's list */
    size_t room;
};

static int compare_ranked(const void *a_, const void *b_)
{
    const struct ranked *a = a_, *b = b_;
    int order = strcmp(a->key, b->key);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* By key, each with room for ceil(its share). The weights are scaled by the largest, so that their
 * sum can't overflow, and added in key order, so that rounding is the same for every order of the
 * list. */
static struct ranked *rank(const struct placement_endpoint *endpoints, size_t count,
                           size_t shards_count)
{
    struct ranked *ranked = mem_new(count, sizeof *ranked);
    double largest = 0, sum = 0;
    for (size_t i = 0; i < count; i++) {
        ASSERT(isfinite(endpoints[i].weight) && endpoints[i].weight > 0);
        ranked[i] = (struct ranked){.key = endpoints[i].key, .index = (uint16_t)i};
        largest = fmax(largest, endpoints[i].weight);
    }
    qsort(ranked, count, sizeof *ranked, compare_ranked);
    for (size_t i = 0; i < count; i++) {
        ranked[i].weight = endpoints[ranked[i].index].weight / largest;
        sum += ranked[i].weight;
    }
    for (size_t i = 0; i < count; i++) {
        /* the tiny subtrahend undoes rounding above a whole share; the rooms still add up */
        double share = (double)shards_count * ranked[i].weight / sum;
        ranked[i].room = (size_t)ceil(share - 1e-9);
    }
    return ranked;
}

static struct pair *score_pairs(const struct ranked *ranked, size_t count, size_t shards_count)
{
    struct pair *pairs = mem_new(count * shards_count, sizeof *pairs);
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = hash_bytes(&placement_key, ranked[i].key, strlen(ranked[i].key));
        for (size_t shard = 0; shard < shards_count; shard++) {
            pairs[i * shards_count + shard] =
                (struct pair){.score = -ranked[i].weight / log(unit(hash, shard)),
                              .rank = (uint32_t)i,
                              .shard = (uint16_t)shard};
        }
    }
    qsort(pairs, count * shards_count, sizeof *pairs, compare_pairs);
    return pairs;
}

void placement_homes(const struct placement_endpoint *endpoints, size_t endpoints_count,
                     uint16_t *home, size_t shards_count)
{
    ASSERT(endpoints_count > 0 && endpoints_count < UINT16_MAX);
    ASSERT(shards_count > 0 && shards_count < UINT16_MAX);
    struct ranked *ranked = rank(endpoints, endpoints_count, shards_count);
    struct pair *pairs = score_pairs(ranked, endpoints_count, shards_count);
    size_t left = shards_count;
    memset(home, 0xFF, shards_count * sizeof *home); /* UINT16_MAX: none yet */
    for (size_t i = 0; left > 0; i++) {
        ASSERT(i < endpoints_count * shards_count); /* the rooms add up to all shards */
        struct ranked *to = &ranked[pairs[i].rank];
        if (home[pairs[i].shard] == UINT16_MAX && to->room > 0) {
            home[pairs[i].shard] = to->index;
            to->room--;
            left--;
        }
    }
    mem_free(pairs);
    mem_free(ranked);
}

uint16_t placement_pick(const struct placement_endpoint *endpoints, size_t endpoints_count,
                        uint64_t mask, uint16_t shard)
{
    ASSERT(endpoints_count > 0 && endpoints_count <= 64 && mask != 0);
    size_t best = endpoints_count;
    double best_score = 0;
    for (size_t i = 0; i < endpoints_count; i++) {
        if ((mask >> i & 1) == 0) {
            continue;
        }
        uint64_t hash = hash_bytes(&placement_key, endpoints[i].key, strlen(endpoints[i].key));
        double score = -endpoints[i].weight / log(unit(hash, shard));
        if (best == endpoints_count || score > best_score ||
            (score >= best_score && strcmp(endpoints[i].key, endpoints[best].key) < 0)) {
            best = i;
            best_score = score;
        }
    }
    ASSERT(best < endpoints_count);
    return (uint16_t)best;
}
