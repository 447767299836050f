/* fuzz_config.c - any bytes as a configuration file: parsed, bound, every problem said. */
#include <walship/conf_yaml.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the rest of the program relies on without looking again. */
static void check(const struct conf *conf)
{
    ASSERT(conf->wal_dir != NULL && conf->state_dir != NULL && conf->spool_dir != NULL);
    ASSERT(conf->destinations_count > 0);
    for (size_t i = 0; i < conf->destinations_count; i++) {
        const struct conf_destination *destination = &conf->destinations[i];
        ASSERT(destination->name != NULL && *destination->name != '\0');
        ASSERT(destination->endpoints_count > 0 && destination->queue.max_shards > 0);
        ASSERT(destination->queue.max_backoff_ms >= destination->queue.min_backoff_ms);
        for (size_t j = 0; j < destination->endpoints_count; j++) {
            ASSERT(destination->endpoints[j].url != NULL && destination->endpoints[j].key != NULL);
            ASSERT(destination->endpoints[j].weight > 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf_yaml *yaml = conf_yaml_parse(data, size, "F", &problems);
    if (yaml != NULL) {
        struct conf *conf = conf_bind(conf_yaml_root(yaml), "/etc/F", &problems);
        ASSERT((conf == NULL) == (problems.count > 0));
        if (conf != NULL) {
            check(conf);
        }
        conf_free(conf);
    } else {
        ASSERT(problems.count > 0);
    }
    conf_yaml_free(yaml);
    conf_problems_release(&problems);
    return 0;
}
