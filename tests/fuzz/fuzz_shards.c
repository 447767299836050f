/* fuzz_shards.c - any bytes as the page /api/v1/shards, which whoever listens at that address may
 * have written. What was taken of it is whole: every shard at an endpoint that there is, every text
 * one that can be shown. */
#include "../../src/cli/shards.h"

#include <walship/mem.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
    ASSERT(text != NULL);
    for (const char *at = text; *at != '\0'; at++) {
        ASSERT((unsigned char)*at >= ' ' && *at != 0x7f);
    }
}

static void check_row(const struct shards_destination *row)
{
    check_text(row->name);
    check_text(row->rules);
    ASSERT(row->endpoints_count <= ENDPOINTS_MAX && row->shards_count == SHARDS_COUNT);
    for (size_t i = 0; i < row->endpoints_count; i++) {
        check_text(row->endpoints[i].state);
        check_text(row->endpoints[i].lending);
        check_text(row->endpoints[i].url);
        check_text(row->endpoints[i].error);
    }
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        ASSERT(row->shards[i].home < row->endpoints_count);
        ASSERT(row->shards[i].endpoint < row->endpoints_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct shards shards;
    char *page = mem_new(size + 1, 1);
    if (size > 0) {
        memcpy(page, data, size);
    }
    if (shards_read(&shards, page)) {
        ASSERT(shards.count > 0 && shards.count <= SHARDS_ROWS_MAX);
        for (size_t i = 0; i < shards.count; i++) {
            check_row(&shards.rows[i]);
            ASSERT(shards_find(&shards, shards.rows[i].name) != NULL);
        }
        shards_release(&shards);
    }
    ASSERT(shards.rows == NULL);
    mem_free(page);
    return 0;
}
