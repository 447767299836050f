/* fuzz_status_config.c - any bytes as Prometheus' answer about its running configuration. */
#include "../../src/cli/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char key[] = "http://a/w";
    static struct conf_endpoint endpoint = {.key = key};
    static struct conf_destination destination = {.endpoints = &endpoint, .endpoints_count = 1};
    static const struct conf conf = {.destinations = &destination, .destinations_count = 1};
    bool known = false;
    const struct conf_endpoint *found = guard_find(&conf, (const char *)data, size, &known);
    ASSERT(found == NULL || (found == &endpoint && known));
    return 0;
}
