/* resume.c - a destination goes on where the saved state has it: each domain of then looks for its
 * own place. Where the configuration has others now, those take over once all places are found, as
 * at a change while it runs (rewind.c): only then is it known which of them is the earliest. The
 * generations of saved places don't tell: one of a life of the WAL of which nothing is left may be
 * found behind those of the next. */
#include "internal.h"

struct resume {
    struct destination *destination;
    const struct store_image *image;
    const char *name; /* in the image */
    bool lanes_valid; /* else the rows of lanes are of other rules */
    const struct store_watermark *rows[DOMAINS_MAX];
    size_t rows_count;
};

static void rows_take(struct resume *resume)
{
    const struct store_image *image = resume->image;
    for (size_t i = 0; i < image->watermarks_count; i++) {
        if (strcmp(image->watermarks[i].destination, resume->name) == 0) {
            ASSERT(resume->rows_count < DOMAINS_MAX); /* of one configuration */
            resume->rows[resume->rows_count++] = &image->watermarks[i];
        }
    }
}

static const struct store_lane *lane_of(const struct resume *resume, uint16_t lane)
{
    const struct store_image *image = resume->image;
    for (size_t i = 0; resume->lanes_valid && i < image->lanes_count; i++) {
        const struct store_lane *row = &image->lanes[i];
        if (row->lane == lane && strcmp(row->destination, resume->name) == 0) {
            return row;
        }
    }
    return NULL;
}

static const struct store_watermark *row_of(const struct resume *resume, const char *domain)
{
    for (size_t i = 0; i < resume->rows_count; i++) {
        if (strcmp(resume->rows[i]->domain, domain) == 0) {
            return resume->rows[i];
        }
    }
    return NULL;
}

/* Is each lane read by the domain that read it then? */
static bool same_domains(const struct resume *resume)
{
    const struct destination *destination = resume->destination;
    bool same = destination->domains_count == resume->rows_count;
    for (size_t i = 0; same && i < destination->domains_count; i++) {
        same = row_of(resume, destination->domains[i]->key) != NULL;
    }
    for (uint16_t i = 0; same && i < LANES_COUNT; i++) {
        const struct store_lane *row = lane_of(resume, i);
        const struct domain *domain = destination->domains[destination->lanes[i].domain];
        same = row != NULL && strcmp(row->domain, domain->key) == 0;
    }
    return same;
}

static void domain_anchor(struct domain *domain, const struct store_watermark *row)
{
    ASSERT(domain->anchor == ANCHOR_OLDEST);
    domain->anchor = ANCHOR_MARK;
    domain->doubting = true; /* the life before may have sent more than it saved */
    domain->next = (struct mark){row->at, row->offset, row->previous_crc};
}

static uint16_t domain_index(const struct destination *destination, const char *key)
{
    uint16_t index = 0;
    while (strcmp(destination->domains[index]->key, key) != 0) {
        index++;
        ASSERT(index < destination->domains_count);
    }
    return index;
}

/* The domains of then, until they have their places. */
static void domains_inherit(const struct resume *resume)
{
    struct destination *destination = resume->destination;
    for (size_t i = 0; i < destination->domains_count; i++) {
        domain_free(destination->domains[i]);
    }
    destination->domains_count = resume->rows_count;
    for (size_t i = 0; i < resume->rows_count; i++) {
        destination->domains[i] = domain_new(destination, i, resume->rows[i]->domain);
    }
    for (uint16_t i = 0; i < LANES_COUNT; i++) {
        const struct store_lane *row = lane_of(resume, i);
        bool known = row != NULL && row_of(resume, row->domain) != NULL;
        destination->unsorted = destination->unsorted || !known;
        destination->lanes[i].domain = known ? domain_index(destination, row->domain) : 0;
    }
    destination->inherited = true;
    destination->awaited = destination->conf;
    destination->awaited_of = destination->all;
}

static void lane_resume(const struct resume *resume, uint16_t index)
{
    struct lane *lane = &resume->destination->lanes[index];
    const struct domain *domain = resume->destination->domains[lane->domain];
    const struct store_lane *row = lane_of(resume, index);
    lane->settled = domain->next.at;
    if (resume->destination->unsorted) {
        lane->settled = (struct position){0};
    }
    if (row != NULL && position_before(&lane->settled, &row->settled)) {
        lane->settled = row->settled;
    }
    lane->resumed = lane->settled;
    lane->newest_ms = row != NULL ? row->newest_ms : INT64_MIN;
    lane->mixed_before = row != NULL && row->mixed;
}

void destination_resume(struct destination *destination, const struct store_image *image,
                        const char *name, bool lanes_valid)
{
    struct resume resume = {
        .destination = destination, .image = image, .name = name, .lanes_valid = lanes_valid};
    rows_take(&resume);
    if (resume.rows_count == 0) {
        return;
    }
    if (resume.rows_count > 1 && !same_domains(&resume)) {
        domains_inherit(&resume);
    }
    for (size_t i = 0; i < destination->domains_count; i++) {
        struct domain *domain = destination->domains[i];
        domain_anchor(domain,
                      resume.rows_count == 1 ? resume.rows[0] : row_of(&resume, domain->key));
    }
    for (uint16_t i = 0; i < LANES_COUNT; i++) {
        lane_resume(&resume, i);
    }
}
