/* store_sqlite_copy.c - a commit with all it points to, in one block of memory: the worker may take
 * its time while the engine goes on changing its own. */
#include "store_sqlite_db.h"

#include <stddef.h>
#include <walship/mem.h>

/* Measures first (at NULL), then copies: the same walk both times. */
struct packer {
    char *at;
    size_t bytes;
};

static void *pack(struct packer *packer, const void *from, size_t bytes)
{
    size_t rounded = (bytes + 15) & ~(size_t)15;
    void *out = NULL;
    if (packer->at != NULL) {
        out = packer->at + packer->bytes;
        if (bytes > 0) {
            memcpy(out, from, bytes);
        }
    }
    packer->bytes += rounded;
    return out;
}

/* NULL stays NULL. While measuring there is no copy: the text itself is handed back. */
static const char *pack_text(struct packer *packer, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    const char *copy = pack(packer, text, strlen(text) + 1);
    return copy != NULL ? copy : text;
}

static void pack_rows(struct packer *packer, const struct store_commit *from,
                      struct store_commit *to)
{
    struct store_destination *destinations =
        pack(packer, from->destinations, from->destinations_count * sizeof *destinations);
    struct store_watermark *watermarks =
        pack(packer, from->watermarks, from->watermarks_count * sizeof *watermarks);
    struct store_lane *lanes = pack(packer, from->lanes, from->lanes_count * sizeof *lanes);
    struct store_quota *quotas = pack(packer, from->quotas, from->quotas_count * sizeof *quotas);
    struct store_loss *losses = pack(packer, from->losses, from->losses_count * sizeof *losses);
    to->segments = pack(packer, from->segments, from->segments_count * sizeof *from->segments);
    to->destinations = destinations;
    to->watermarks = watermarks;
    to->lanes = lanes;
    to->quotas = quotas;
    to->losses = losses;
    bool real = packer->at != NULL;
    for (size_t i = 0; i < from->destinations_count; i++) {
        const char *name = pack_text(packer, from->destinations[i].name);
        const char *fingerprint = pack_text(packer, from->destinations[i].fingerprint);
        if (real) {
            destinations[i].name = name;
            destinations[i].fingerprint = fingerprint;
        }
    }
    for (size_t i = 0; i < from->watermarks_count; i++) {
        const char *destination = pack_text(packer, from->watermarks[i].destination);
        const char *domain = pack_text(packer, from->watermarks[i].domain);
        if (real) {
            watermarks[i].destination = destination;
            watermarks[i].domain = domain;
        }
    }
    for (size_t i = 0; i < from->lanes_count; i++) {
        const char *destination = pack_text(packer, from->lanes[i].destination);
        const char *domain = pack_text(packer, from->lanes[i].domain);
        if (real) {
            lanes[i].destination = destination;
            lanes[i].domain = domain;
        }
    }
    for (size_t i = 0; i < from->quotas_count; i++) {
        const char *account = pack_text(packer, from->quotas[i].account);
        if (real) {
            quotas[i].account = account;
        }
    }
    for (size_t i = 0; i < from->losses_count; i++) {
        const char *destination = pack_text(packer, from->losses[i].destination);
        const char *detail = pack_text(packer, from->losses[i].detail);
        if (real) {
            losses[i].destination = destination;
            losses[i].detail = detail;
        }
    }
    to->adopt_old = pack_text(packer, from->adopt_old);
    to->adopt_new = pack_text(packer, from->adopt_new);
    to->forget = pack_text(packer, from->forget);
}

struct store_commit *commit_copy(const struct store_commit *commit)
{
    ASSERT(commit != NULL);
    struct packer measure = {0};
    struct store_commit out = *commit;
    (void)pack(&measure, commit, sizeof *commit);
    pack_rows(&measure, commit, &out);
    struct packer packer = {.at = mem_new(1, measure.bytes)};
    struct store_commit *copy = pack(&packer, commit, sizeof *commit);
    pack_rows(&packer, commit, copy);
    ASSERT(packer.bytes == measure.bytes && (void *)copy == (void *)packer.at);
    return copy;
}
