/* fuzz_wal_record.c - record decoders over any bytes: nothing out of bounds, the check agrees with
 * the iterators, and what was decoded encodes to a record that decodes to the same. */
#include "wal_text.h"
#include "wal_writer.h"

#include <walship/mem.h>
#include <walship/wal_record.h>

enum { RECODE_ITEMS_MAX = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ends_broken(const struct buf *text)
{
    static const char broken[] = "broken\n";
    size_t bytes = sizeof broken - 1;
    return text->bytes >= bytes && memcmp(text->data + text->bytes - bytes, broken, bytes) == 0;
}

static void recode(struct view record, const struct buf *text)
{
    struct buf again;
    struct buf text_again;
    buf_init(&again, WAL_WRITER_BUF_BYTES_MAX);
    buf_init(&text_again, WAL_WRITER_BUF_BYTES_MAX);
    bool done = wal_recode(record, &again);
    ASSERT(done);
    wal_text(view_of(again.data, again.bytes), &text_again);
    ASSERT(text_again.bytes == text->bytes);
    ASSERT(text->bytes == 0 || memcmp(text_again.data, text->data, text->bytes) == 0);
    buf_release(&again);
    buf_release(&text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view record = view_of(data, size);
    struct buf text;
    uint64_t items;
    buf_init(&text, WAL_WRITER_BUF_BYTES_MAX);
    bool good = wal_record_check(record, &items);
    enum wal_type type = wal_record_type(record);
    wal_text(record, &text);
    if (type != WAL_UNKNOWN && type != WAL_MMAP_MARKERS) {
        ASSERT(good || ends_broken(&text));
    }
    if (good && items <= RECODE_ITEMS_MAX) {
        recode(record, &text);
    }
    buf_release(&text);
    return 0;
}
