/* fuzz_rw_block.c - any bytes as a snappy block (capped), and any bytes through both directions. */
#include <walship/rw.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf raw, block, back;
    buf_init(&raw, 1 << 16);
    buf_init(&block, 1 << 18);
    buf_init(&back, 1 << 16);
    if (rw_decompress(data, size, &back)) {
        ASSERT(back.bytes <= back.limit);
    }
    if (buf_append(&raw, data, size) && rw_compress(&raw, &block)) {
        ASSERT(rw_decompress(block.data, block.bytes, &back));
        ASSERT(back.bytes == size && (size == 0 || memcmp(back.data, data, size) == 0));
    }
    buf_release(&raw);
    buf_release(&block);
    buf_release(&back);
    return 0;
}
