/* fuzz_tail.c - bytes are a script: a small WAL directory is written, damaged, truncated and
 * repaired while a tail reads it. It must end each time, never go back by itself, and leave no
 * descriptor.
 *
 * One step: a byte (low half: what, high half: which segment), a length of two bytes, that many
 * bytes.
 */
#include "fake_os.h"
#include "wal_writer.h"

#include <walship/crc32c.h>
#include <walship/tail.h>

enum { READS_MAX = 1 << 20, FILE_BYTES_MAX = 1 << 20 };

enum what {
    DO_APPEND,
    DO_FRAGMENT,
    DO_PAD,
    DO_REFRESH,
    DO_READ,
    DO_SEEK,
    DO_MARK,
    DO_UNLINK,
    DO_REPLACE,
    DO_TRUNCATE,
    DO_GENERATION,
    DO_SHORT_READS,
    DO_FAIL,
    DO_REUSE,
    DO_CHECKPOINT,
    DO_FREEZE
};

struct run {
    struct fake_os *fake;
    struct waldir *dir;
    struct tail *tail;
    struct position last;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static const char *segment_path(unsigned segment)
{
    static char path[64];
    (void)snprintf(path, sizeof path, "/wal/%08u", segment);
    return path;
}

static void append_fragment(struct run *run, const char *path, struct view payload)
{
    uint8_t kind = view_u8(&payload);
    size_t length = view_left(&payload);
    uint32_t crc = crc32c(payload.at, length);
    uint8_t header[7] = {kind,
                         (uint8_t)(length >> 8),
                         (uint8_t)length,
                         (uint8_t)(crc >> 24),
                         (uint8_t)(crc >> 16),
                         (uint8_t)(crc >> 8),
                         (uint8_t)crc};
    fake_os_append(run->fake, path, header, sizeof header);
    fake_os_append(run->fake, path, payload.at, length);
}

static void pad(struct run *run, const char *path)
{
    if (fake_os_exists(run->fake, path)) {
        uint64_t bytes = fake_os_bytes(run->fake, path);
        fake_os_truncate(run->fake, path, (bytes + 32767) / 32768 * 32768);
    }
}

static void read_all(struct run *run, struct tail *tail)
{
    struct tail_out out;
    struct err err;
    uint32_t reads = 0;
    for (;;) {
        enum tail_status status = tail_next(tail, &out, &err);
        if (status == TAIL_WAIT || status == TAIL_FAILED) {
            return;
        }
        ASSERT(++reads < READS_MAX);
        ASSERT(status != TAIL_RECORD || out.crc == crc32c(out.record.at, view_left(&out.record)));
        ASSERT(status != TAIL_DAMAGE || (out.damage_bytes > 0 && out.damage_text != NULL));
        ASSERT(status != TAIL_GAP || out.gap_from <= out.gap_to);
        if (tail == run->tail) {
            struct position now = tail_position(tail);
            ASSERT(!position_before(&now, &run->last));
            run->last = now;
        }
    }
}

static void seek(struct run *run, struct view *left, unsigned segment)
{
    struct position at = {.generation = waldir_generation(run->dir), .segment = segment};
    at.record = view_u8(left);
    tail_seek(run->tail, &at);
    run->last = at;
}

static void mark(struct run *run)
{
    struct position at;
    uint64_t offset;
    uint32_t crc;
    tail_mark(run->tail, &at, &offset, &crc);
    ASSERT(position_compare(&at, &run->last) >= 0);
    tail_seek_offset(run->tail, &at, offset, crc);
}

static void refresh(struct run *run)
{
    bool changed;
    bool replaced;
    struct err err;
    fake_os_advance(run->fake, 700);
    if (waldir_refresh(run->dir, &changed, &replaced, &err)) {
        ASSERT(!replaced || changed);
    }
}

static void checkpoint(struct run *run, const char *from)
{
    if (!fake_os_exists(run->fake, from) || fake_os_exists(run->fake, "/wal/checkpoint.00000002")) {
        return;
    }
    fake_os_mkdir(run->fake, "/wal/checkpoint.00000002");
    fake_os_append(run->fake, "/wal/checkpoint.00000002/00000000", fake_os_data(run->fake, from),
                   fake_os_bytes(run->fake, from));
    struct tail *tail = tail_new_checkpoint(run->dir, 2);
    read_all(run, tail);
    tail_free(tail);
}

static void change_file(struct run *run, enum what what, const char *path, struct view *payload)
{
    bool exists = fake_os_exists(run->fake, path);
    if (what == DO_UNLINK && exists) {
        fake_os_unlink(run->fake, path);
    } else if (what == DO_REPLACE) {
        fake_os_replace(run->fake, path, payload->at, view_left(payload));
    } else if (what == DO_TRUNCATE && exists) {
        fake_os_truncate(run->fake, path, view_be32(payload) % FILE_BYTES_MAX);
    } else if (what == DO_CHECKPOINT) {
        checkpoint(run, path);
    }
}

static void step(struct run *run, enum what what, unsigned segment, struct view *payload)
{
    const char *path = segment_path(segment);
    switch (what) {
    case DO_APPEND:
        fake_os_append(run->fake, path, payload->at, view_left(payload));
        break;
    case DO_FRAGMENT:
        append_fragment(run, path, *payload);
        break;
    case DO_PAD:
        pad(run, path);
        break;
    case DO_REFRESH:
        refresh(run);
        break;
    case DO_READ:
        read_all(run, run->tail);
        break;
    case DO_SEEK:
        seek(run, payload, segment);
        break;
    case DO_MARK:
        mark(run);
        break;
    case DO_GENERATION:
        waldir_set_generation(run->dir, waldir_generation(run->dir) + 1);
        break;
    case DO_SHORT_READS:
        fake_os_short_reads(run->fake, segment * 6);
        break;
    case DO_FAIL:
        fake_os_fail_nth(run->fake, segment % FAKE_OS_CALLS, 1 + segment / FAKE_OS_CALLS, 5);
        break;
    case DO_REUSE:
        fake_os_reuse_inodes(run->fake, true);
        break;
    case DO_FREEZE:
        waldir_freeze(run->dir);
        break;
    case DO_UNLINK:
    case DO_REPLACE:
    case DO_TRUNCATE:
    case DO_CHECKPOINT:
        change_file(run, what, path, payload);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct err err;
    struct view left = view_of(bytes, count);
    struct run run = {.fake = fake_os_new(count)};
    fake_os_mkdir(run.fake, "/wal");
    run.dir = waldir_open(fake_os_seam(run.fake), "/wal", &err);
    ASSERT(run.dir != NULL);
    run.tail = tail_new(run.dir);
    while (view_left(&left) > 0) {
        uint8_t what = view_u8(&left);
        uint16_t length = (uint16_t)(view_u8(&left) << 8);
        length = (uint16_t)(length | view_u8(&left));
        size_t most = view_left(&left);
        struct view payload = view_take(&left, length < most ? length : most);
        step(&run, (enum what)(what & 15), what >> 4, &payload);
    }
    refresh(&run);
    read_all(&run, run.tail);
    tail_free(run.tail);
    waldir_free(run.dir);
    fake_os_free(run.fake);
    return 0;
}
