/* decompress.c - snappy blocks and zstd frames, with a cap.
 *
 * What a header promises is hostile until shown: memory grows with what the stored bytes can hold
 * (snappy) or with what has come out (zstd), never with a promise alone. */
#include "decompress.h"

#include <snappy-c.h>
#include <walship/limits.h>
#include <zstd.h>

enum {
    SNAPPY_RATIO_MAX = 32,      /* a copy element makes 64 bytes of 3 */
    ZSTD_TRUST_BYTES = 4 << 20, /* promised sizes up to this are reserved at once */
    ZSTD_STEP_BYTES = 256 << 10
};

void wal_decompress_init(struct wal_decompress *decompress)
{
    buf_init(&decompress->raw, WAL_RECORD_BYTES_MAX);
    decompress->zstd = NULL;
}

void wal_decompress_release(struct wal_decompress *decompress)
{
    buf_release(&decompress->raw);
    (void)ZSTD_freeDCtx(decompress->zstd);
    decompress->zstd = NULL;
}

static bool run_snappy(struct buf *raw, struct view stored)
{
    const char *bytes = (const char *)stored.at;
    size_t count = view_left(&stored);
    size_t promised = 0;
    if (snappy_uncompressed_length(bytes, count, &promised) != SNAPPY_OK ||
        promised / SNAPPY_RATIO_MAX > count || !buf_reserve(raw, promised)) {
        return false;
    }
    size_t room = promised;
    if (promised == 0 || snappy_uncompress(bytes, count, (char *)raw->data, &room) != SNAPPY_OK) {
        return false;
    }
    raw->bytes = room;
    return true;
}

/* One call where the size is known and the frame alone; *done says whether that decided it. */
static bool run_zstd_whole(struct wal_decompress *decompress, struct view stored, bool *done)
{
    struct buf *raw = &decompress->raw;
    size_t count = view_left(&stored);
    unsigned long long promised = ZSTD_getFrameContentSize(stored.at, count);
    *done = false;
    if (promised > ZSTD_TRUST_BYTES || ZSTD_findFrameCompressedSize(stored.at, count) != count ||
        !buf_reserve(raw, (size_t)promised)) {
        return false;
    }
    *done = true;
    size_t made = ZSTD_decompressDCtx(decompress->zstd, raw->data, raw->capacity, stored.at, count);
    if (ZSTD_isError(made)) {
        return false;
    }
    raw->bytes = made;
    return true;
}

/* Frames of unknown or large size: output grows step by step up to the cap. */
static bool run_zstd_stream(struct wal_decompress *decompress, struct view stored)
{
    struct buf *raw = &decompress->raw;
    ZSTD_inBuffer in = {stored.at, view_left(&stored), 0};
    (void)ZSTD_DCtx_reset(decompress->zstd, ZSTD_reset_session_only);
    for (;;) {
        if (raw->bytes == raw->capacity && !buf_reserve(raw, ZSTD_STEP_BYTES)) {
            return false;
        }
        ZSTD_outBuffer room = {raw->data, raw->capacity, raw->bytes};
        size_t left = ZSTD_decompressStream(decompress->zstd, &room, &in);
        if (ZSTD_isError(left)) {
            return false;
        }
        raw->bytes = room.pos;
        if (in.pos == in.size && left == 0) {
            return true; /* a frame has ended and been given out whole */
        }
        if (in.pos == in.size && room.pos < room.size) {
            return false; /* nothing more can come: cut short */
        }
    }
}

static bool run_zstd(struct wal_decompress *decompress, struct view stored)
{
    if (decompress->zstd == NULL) {
        decompress->zstd = ZSTD_createDCtx();
        ASSERT(decompress->zstd != NULL);
    }
    bool done;
    bool good = run_zstd_whole(decompress, stored, &done);
    return done ? good : run_zstd_stream(decompress, stored);
}

bool wal_decompress_run(struct wal_decompress *decompress, uint8_t header, struct view stored,
                        struct view *out)
{
    ASSERT(out != NULL);
    *out = stored;
    if (view_left(&stored) == 0 || (header & (WAL_HEADER_SNAPPY | WAL_HEADER_ZSTD)) == 0) {
        return true;
    }
    buf_clear(&decompress->raw);
    /* both bits: snappy, as Prometheus tests it first */
    bool good = (header & WAL_HEADER_SNAPPY) != 0 ? run_snappy(&decompress->raw, stored)
                                                  : run_zstd(decompress, stored);
    if (good) {
        ASSERT(decompress->raw.bytes <= WAL_RECORD_BYTES_MAX);
        *out = view_of(decompress->raw.data, decompress->raw.bytes);
    }
    return good;
}
