/* start.c - what the saved state says about each destination, and where each begins. */
#include "internal.h"

static bool image_has(const struct store_image *image, const char *name)
{
    for (size_t i = 0; i < image->destinations_count; i++) {
        if (strcmp(image->destinations[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool conf_has(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->destinations_count; i++) {
        if (strcmp(conf->destinations[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The name under which the state knows this destination: its own, or the adopted one. */
const char *start_saved_name(const struct engine *engine, const char *name)
{
    const struct engine_options *options = &engine->options;
    /* once that is saved, there is only the new one */
    if (engine->commits == 0 && options->adopt_new != NULL &&
        strcmp(options->adopt_new, name) == 0) {
        return options->adopt_old;
    }
    return name;
}

/* A renamed destination would silently start anew: that is for the operator to decide. */
static bool names_check(const struct engine *engine, const struct store_image *image,
                        struct err *err)
{
    const struct engine_options *options = &engine->options;
    if (options->adopt_old != NULL && !image_has(image, options->adopt_old)) {
        return err_set(err, 0, "--adopt: the state holds no destination %s", options->adopt_old);
    }
    if (options->adopt_old != NULL && !conf_has(engine->conf, options->adopt_new)) {
        return err_set(err, 0, "--adopt: the configuration has no destination %s",
                       options->adopt_new);
    }
    const char *fresh = NULL;
    for (size_t i = 0; i < engine->conf->destinations_count; i++) {
        const char *name = engine->conf->destinations[i].name;
        if (!image_has(image, start_saved_name(engine, name))) {
            fresh = name;
        }
    }
    for (size_t i = 0; i < image->destinations_count; i++) {
        const char *old = image->destinations[i].name;
        bool adopted = options->adopt_old != NULL && strcmp(options->adopt_old, old) == 0;
        bool forgotten = options->forget != NULL && strcmp(options->forget, old) == 0;
        if (conf_has(engine->conf, old) || adopted || forgotten) {
            continue;
        }
        if (fresh != NULL) {
            return err_set(
                err, 0,
                "the state knows destination %s, the configuration has %s instead: was it renamed? "
                "Say --adopt %s=%s to go on where it was, or --forget %s to start anew",
                old, fresh, old, fresh, old);
        }
        LOG_WARN("the state holds a destination that the configuration lacks; it is kept, "
                 "--forget removes it",
                 LOG_STR("destination", old));
    }
    return true;
}

/* ---- one destination ---- */

/* A + behind it: that life had not settled all that still older lives read into other lanes. */
static bool fingerprint_fits(struct destination *destination, const char *saved)
{
    size_t length = strlen(destination->fingerprint);
    bool same = strncmp(saved, destination->fingerprint, length) == 0;
    destination->relaid = !same || saved[length] == '+';
    destination->rules_new = !same;
    return same;
}

static void destination_restore(struct engine *engine, struct destination *destination,
                                const struct store_image *image)
{
    const char *name = start_saved_name(engine, destination->conf->name);
    for (size_t i = 0; i < image->destinations_count; i++) {
        const struct store_destination *row = &image->destinations[i];
        if (strcmp(row->name, name) != 0) {
            continue;
        }
        bool same = fingerprint_fits(destination, row->fingerprint);
        if (!same) {
            LOG_WARN(
                "what decides the shard of a series changed (external labels, relabelling, shard_by, folding): going on "
                "from the watermark, some samples may be sent twice",
                LOG_STR("destination", destination->conf->name));
        }
        destination->first_start_ms = row->first_start_ms;
        destination->start_from_ms = row->start_from_ms;
        memcpy(destination->counts, row->counts, sizeof destination->counts);
        destination_resume(destination, image, name, same);
    }
    for (size_t i = 0; i < image->losses_count; i++) {
        if (strcmp(image->losses[i].destination, name) == 0) {
            destination->lost[image->losses[i].reason] += image->losses[i].items;
        }
    }
    destination->discard_lanes = true; /* rows of this life replace all older ones */
}

/* A destination that the state does not know. */
static void destination_begin(struct engine *engine, struct destination *destination, bool lost)
{
    int64_t wall_ms = engine->os->wall_ms(engine->os);
    enum anchor anchor = ANCHOR_OLDEST;
    destination->first_start_ms = wall_ms;
    destination->start_from_ms = INT64_MIN;
    /* Earlier lives may have sent and nothing is known of them: by which rules, from where on, and
     * what they let overtake. */
    destination->relaid = true;
    if (lost) {
        LOG_ERROR(
            "the saved state is lost: sending everything from the oldest segment, whatever start_at says",
            LOG_STR("destination", destination->conf->name));
    } else if (engine->conf->start_at == CONF_START_NOW) {
        anchor = ANCHOR_NOW;
    } else if (engine->conf->start_at == CONF_START_AGO) {
        destination->start_from_ms = wall_ms - engine->conf->start_ago_ms;
    }
    for (size_t i = 0; i < destination->domains_count; i++) {
        destination->domains[i]->anchor = anchor;
    }
}

/* The newest; 0: nothing is saved. */
static uint32_t image_generation(const struct store_image *image)
{
    uint32_t generation = 0;
    for (size_t i = 0; i < image->watermarks_count; i++) {
        if (image->watermarks[i].at.generation > generation) {
            generation = image->watermarks[i].at.generation;
        }
    }
    for (size_t i = 0; i < image->segments_count; i++) {
        if (image->segments[i].generation > generation) {
            generation = image->segments[i].generation;
        }
    }
    return generation;
}

bool start_late(struct engine *engine, struct destination *destination, struct err *err)
{
    struct store_image image = {0};
    ASSERT(destination->unloaded && !engine->committing);
    if (!engine->store->load(engine->store, &image, err)) {
        return false;
    }
    if (image_has(&image, destination->conf->name)) {
        destination_restore(engine, destination, &image);
    } else {
        destination_begin(engine, destination, image.lost);
    }
    destination->unloaded = false;
    engine->dirty = true;
    image.release(&image);
    return true;
}

static void image_take(struct engine *engine, const struct store_image *image, uint32_t generation)
{
    const struct engine_options *options = &engine->options;
    waldir_set_generation(engine->dir, generation);
    engine->refs_from = generation;
    segments_load(engine, image);
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        if (image_has(image, start_saved_name(engine, destination->conf->name))) {
            destination_restore(engine, destination, image);
        } else {
            destination_begin(engine, destination, image->lost);
        }
    }
    pins_show(engine);
    quotas_open(engine, image);
    engine->forget = options->forget;
    engine->adopting = options->adopt_old != NULL;
    engine->dirty = true;
}

bool start_load(struct engine *engine, struct err *err)
{
    struct store_image image = {0};
    if (!engine->store->load(engine->store, &image, err)) {
        return false;
    }
    uint32_t generation = image_generation(&image);
    bool ok = names_check(engine, &image, err) && pins_load(engine, &generation, err);
    if (ok) {
        image_take(engine, &image, generation > 0 ? generation : 1);
    }
    image.release(&image);
    return ok;
}
