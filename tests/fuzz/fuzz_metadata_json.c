/* fuzz_metadata_json.c - any bytes as the answer of Prometheus' /api/v1/metadata. What was taken of
 * it must be a table that finds each of its families. */
#include "../../src/engine/metadata/families.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hash_key key = {1, 2};
    struct families *families = families_new(&key);
    (void)families_read_json(families, data, size);
    for (size_t i = 0; i < families_count(families); i++) {
        struct rw_metadata one = families_at(families, i), found;
        bool known = families_find(families, one.family, &found);
        ASSERT(known && found.family.bytes == one.family.bytes && found.type == one.type);
    }
    families_free(families);
    return 0;
}
