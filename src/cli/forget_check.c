/* forget_check.c - see forget_check.h. The engine forgets what is configured no more and is silent
 * about any other name: who asks for such a one would believe that it was done. */
#include "forget_check.h"

#include <string.h>
#include <walship/assert.h>
#include <walship/log.h>
#include <walship/store_sqlite_look.h>

static bool is_saved(const struct store_look *look, const char *name)
{
    for (size_t i = 0; i < look->image.destinations_count; i++) {
        if (strcmp(look->image.destinations[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool forget_check(const struct conf *conf, const char *name, struct err *err)
{
    ASSERT(conf != NULL && err != NULL);
    for (size_t i = 0; name != NULL && i < conf->destinations_count; i++) {
        if (strcmp(conf->destinations[i].name, name) == 0) {
            return err_set(
                err, 0,
                "--forget: the configuration still has %s. To begin anew with it give it "
                "another name there, and say --forget %s once",
                name, name);
        }
    }
    struct store_look look = {0};
    struct err why = {0};
    if (name != NULL && store_look(conf->state_dir, &look, &why) && !is_saved(&look, name)) {
        LOG_WARN("--forget: the state holds no such destination", LOG_STR("destination", name));
    }
    store_look_release(&look); /* what can't be read is said by who opens it */
    return true;
}
