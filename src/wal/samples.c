/* samples.c - float samples, types 2 and 11: the hot path of the whole program.
 *
 * As long as the longest possible sample fits in what is left, the loops read without looking at
 * the end; the last few samples go through the bounded view. Both give the same answers. */
#include "parts.h"

enum {
    VARINT_BYTES_MAX = 10,
    V1_BYTES_MAX = 2 * VARINT_BYTES_MAX + 8,
    V2_BYTES_MAX = 3 * VARINT_BYTES_MAX + 1 + 8,
    CHECK_ROOM = 128
};

/* V2: how the start time of an item is given. */
enum { ST_NONE = 0, ST_SAME = 1 };

/* What a cursor over bytes known to be long enough reads; at becomes NULL on a malformed varint. */
static inline const uint8_t *varint_tail(const uint8_t *at, uint64_t *value)
{
    unsigned shift = 7;
    uint64_t sum = *value & 0x7f;
    for (at++; shift < 63; shift += 7) {
        uint8_t byte = *at++;
        sum |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = sum;
            return at;
        }
    }
    uint8_t byte = *at++;
    *value = sum | (uint64_t)byte << 63;
    return byte > 1 ? NULL : at;
}

static inline const uint8_t *uvarint_fast(const uint8_t *at, uint64_t *value)
{
    uint64_t first = at[0];
    if (first < 0x80) {
        *value = first;
        return at + 1;
    }
    uint64_t second = at[1];
    if (second < 0x80) {
        *value = (first & 0x7f) | second << 7;
        return at + 2;
    }
    *value = first;
    return varint_tail(at, value);
}

static inline uint64_t unzigzag(uint64_t raw)
{
    return (raw >> 1) ^ (0 - (raw & 1));
}

static inline uint64_t be64_fast(const uint8_t *at)
{
    uint64_t value;
    __builtin_memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}

void wal_sample_init(struct wal_sample_iter *iter, struct view record)
{
    enum wal_type type = wal_record_type(record);
    ASSERT(type == WAL_SAMPLES || type == WAL_SAMPLES_V2);
    *iter = (struct wal_sample_iter){
        .left = wal_record_body(record), .v2 = type == WAL_SAMPLES_V2, .first = true};
    if (!iter->v2 && view_left(&iter->left) > 0) {
        iter->ref = view_be64(&iter->left);
        iter->t_base = (int64_t)view_be64(&iter->left);
    }
}

/* ---- V1: every item is a delta to the record's base ---- */

static size_t v1_fast(struct wal_sample_iter *iter, struct wal_sample *out, size_t room)
{
    const uint8_t *at = iter->left.at;
    const uint8_t *end = iter->left.end;
    const uint64_t ref = iter->ref;
    const uint64_t t_base = (uint64_t)iter->t_base;
    size_t count = 0;
    while (count < room && end - at >= V1_BYTES_MAX) {
        uint64_t ref_delta;
        uint64_t t_delta = 0;
        const uint8_t *next = uvarint_fast(at, &ref_delta);
        next = next == NULL ? NULL : uvarint_fast(next, &t_delta);
        if (next == NULL) {
            view_fail(&iter->left);
            return count;
        }
        out[count].ref = ref + unzigzag(ref_delta);
        out[count].t_ms = (int64_t)(t_base + unzigzag(t_delta));
        out[count].st_ms = 0;
        out[count].bits = be64_fast(next);
        at = next + 8;
        count++;
    }
    iter->left.at = at;
    return count;
}

static size_t v1_next(struct wal_sample_iter *iter, struct wal_sample *out, size_t room)
{
    size_t count = v1_fast(iter, out, room);
    while (count < room && view_left(&iter->left) > 0) {
        struct wal_sample *sample = &out[count];
        sample->ref = iter->ref + (uint64_t)view_varint(&iter->left);
        sample->t_ms = wal_time_add(iter->t_base, view_varint(&iter->left));
        sample->st_ms = 0;
        sample->bits = view_be64(&iter->left);
        count += view_ok(&iter->left) ? 1 : 0;
    }
    return count;
}

/* ---- V2: references chain, times are deltas to the first item ---- */

static bool v2_first(struct wal_sample_iter *iter, struct wal_sample *out)
{
    iter->ref = (uint64_t)view_varint(&iter->left);
    iter->t_base = view_varint(&iter->left);
    iter->st_base = iter->st_previous = view_varint(&iter->left);
    *out = (struct wal_sample){iter->ref, iter->t_base, iter->st_base, view_be64(&iter->left)};
    iter->first = false;
    return view_ok(&iter->left);
}

static bool v2_slow(struct wal_sample_iter *iter, struct wal_sample *out)
{
    iter->ref += (uint64_t)view_varint(&iter->left);
    out->ref = iter->ref;
    out->t_ms = wal_time_add(iter->t_base, view_varint(&iter->left));
    uint8_t marker = view_u8(&iter->left);
    if (marker == ST_NONE) {
        iter->st_previous = 0;
    } else if (marker != ST_SAME) {
        iter->st_previous = wal_time_add(iter->st_base, view_varint(&iter->left));
    }
    out->st_ms = iter->st_previous;
    out->bits = view_be64(&iter->left);
    return view_ok(&iter->left);
}

static size_t v2_fast(struct wal_sample_iter *iter, struct wal_sample *out, size_t room)
{
    const uint8_t *at = iter->left.at;
    const uint8_t *end = iter->left.end;
    const uint64_t t_base = (uint64_t)iter->t_base;
    uint64_t ref = iter->ref;
    int64_t st = iter->st_previous;
    size_t count = 0;
    while (count < room && end - at >= V2_BYTES_MAX) {
        uint64_t ref_delta;
        uint64_t t_delta = 0;
        uint64_t st_delta = 0;
        const uint8_t *next = uvarint_fast(at, &ref_delta);
        next = next == NULL ? NULL : uvarint_fast(next, &t_delta);
        uint8_t marker = next == NULL ? ST_NONE : *next++;
        if (marker == ST_NONE) {
            st = 0;
        } else if (marker != ST_SAME) {
            next = uvarint_fast(next, &st_delta);
            st = wal_time_add(iter->st_base, (int64_t)unzigzag(st_delta));
        }
        if (next == NULL) {
            view_fail(&iter->left);
            return count;
        }
        ref += unzigzag(ref_delta);
        out[count] =
            (struct wal_sample){ref, (int64_t)(t_base + unzigzag(t_delta)), st, be64_fast(next)};
        at = next + 8;
        count++;
    }
    iter->left.at = at;
    iter->ref = ref;
    iter->st_previous = st;
    return count;
}

static size_t v2_next(struct wal_sample_iter *iter, struct wal_sample *out, size_t room)
{
    size_t count = 0;
    if (iter->first && room > 0 && view_left(&iter->left) > 0) {
        count += v2_first(iter, out) ? 1 : 0;
    }
    count += v2_fast(iter, out + count, room - count);
    while (count < room && view_left(&iter->left) > 0) {
        count += v2_slow(iter, &out[count]) ? 1 : 0;
    }
    return count;
}

size_t wal_sample_next(struct wal_sample_iter *iter, struct wal_sample *out, size_t room)
{
    ASSERT(out != NULL || room == 0);
    return iter->v2 ? v2_next(iter, out, room) : v1_next(iter, out, room);
}

/* ---- check ---- */

/* Length of the varint at `at` when it is below eight bytes, else 0. */
static inline unsigned varint_length(const uint8_t *at)
{
    uint64_t word;
    __builtin_memcpy(&word, at, sizeof word);
    uint64_t stops = ~word & 0x8080808080808080u;
    return stops == 0 ? 0 : (unsigned)__builtin_ctzll(stops) / 8 + 1;
}

/* Only finds the ends: a check costs a fraction of a decode. Stops, right before it, at whatever is
 * near the end or unusual; that is left to the decoder. */
static uint64_t v1_skim(struct view *left)
{
    const uint8_t *at = left->at;
    const uint8_t *end = left->end;
    uint64_t count = 0;
    while (end - at >= V1_BYTES_MAX) {
        unsigned ref_bytes = varint_length(at);
        unsigned t_bytes = varint_length(at + ref_bytes);
        if (ref_bytes == 0 || t_bytes == 0) {
            break;
        }
        at += ref_bytes + t_bytes + 8;
        count++;
    }
    left->at = at;
    return count;
}

bool wal_samples_check(struct view record, uint64_t *items)
{
    struct wal_sample_iter iter;
    struct wal_sample room[CHECK_ROOM];
    wal_sample_init(&iter, record);
    size_t count;
    do {
        if (!iter.v2) {
            *items += v1_skim(&iter.left);
        }
        count = wal_sample_next(&iter, room, CHECK_ROOM);
        *items += count;
    } while (count > 0);
    return view_ok(&iter.left);
}
