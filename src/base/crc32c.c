/* crc32c.c - the processor's own instruction where there is one, else eight table look-ups at a
 * time.
 *
 * The instruction takes three cycles but a new one can start each cycle: long inputs go as three
 * streams whose sums are joined by a carry-less multiplication (a sum moved past n bytes is the sum
 * times x^8n modulo the polynomial). The tables are made by the compiler: the sum is linear, so an
 * entry is the exclusive or of the entries of its single bits. */
#include "crc32c_paths.h"

#include <endian.h>
#include <string.h>
#include <walship/assert.h>
#include <walship/crc32c.h>

#define BIT(i, n, v) (((i) >> (n)&1) != 0 ? (v) : 0u)
#define ENTRY(i, a, b, c, d, e, f, g, h)                                                           \
    (BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ BIT(i, 4, e) ^ BIT(i, 5, f) ^     \
     BIT(i, 6, g) ^ BIT(i, 7, h))
#define ROW4(i, ...)                                                                               \
    ENTRY(i, __VA_ARGS__), ENTRY((i) + 1, __VA_ARGS__), ENTRY((i) + 2, __VA_ARGS__),               \
        ENTRY((i) + 3, __VA_ARGS__)
#define ROW16(i, ...)                                                                              \
    ROW4(i, __VA_ARGS__), ROW4((i) + 4, __VA_ARGS__), ROW4((i) + 8, __VA_ARGS__),                  \
        ROW4((i) + 12, __VA_ARGS__)
#define ROW64(i, ...)                                                                              \
    ROW16(i, __VA_ARGS__), ROW16((i) + 16, __VA_ARGS__), ROW16((i) + 32, __VA_ARGS__),             \
        ROW16((i) + 48, __VA_ARGS__)
#define TABLE(...)                                                                                 \
    {                                                                                              \
        ROW64(0, __VA_ARGS__), ROW64(64, __VA_ARGS__), ROW64(128, __VA_ARGS__),                    \
            ROW64(192, __VA_ARGS__)                                                                \
    }

/* Table n: the bytes 1, 2, 4 .. 128 followed by n zero bytes. */
static const uint32_t tables[8][256] = {
    TABLE(0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu, 0x105ec76fu, 0x20bd8edeu, 0x417b1dbcu,
          0x82f63b78u),
    TABLE(0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u, 0x3fc5f181u, 0x7f8be302u, 0xff17c604u,
          0xfbc3faf9u),
    TABLE(0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u, 0x70a27d8au, 0xe144fb14u, 0xc76580d9u,
          0x8b277743u),
    TABLE(0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u, 0xe964b13du, 0xd725148bu, 0xaba65fe7u,
          0x52a0c93fu),
    TABLE(0x38116facu, 0x7022df58u, 0xe045beb0u, 0xc5670b91u, 0x8f2261d3u, 0x1ba8b557u, 0x37516aaeu,
          0x6ea2d55cu),
    TABLE(0xef306b19u, 0xdb8ca0c3u, 0xb2f53777u, 0x6006181fu, 0xc00c303eu, 0x85f4168du, 0x0e045bebu,
          0x1c08b7d6u),
    TABLE(0x68032cc8u, 0xd0065990u, 0xa5e0c5d1u, 0x4e2dfd53u, 0x9c5bfaa6u, 0x3d5b83bdu, 0x7ab7077au,
          0xf56e0ef4u),
    TABLE(0x493c7d27u, 0x9278fa4eu, 0x211d826du, 0x423b04dau, 0x847609b4u, 0x0d006599u, 0x1a00cb32u,
          0x34019664u),
};

static inline uint64_t load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

uint32_t crc32c_portable(uint32_t state, const uint8_t *at, size_t count)
{
    for (; count >= 8; count -= 8, at += 8) {
        uint64_t word = load64(at) ^ state;
        state = 0;
        for (unsigned i = 0; i < 8; i++) {
            state ^= tables[7 - i][word >> (8 * i) & 0xff];
        }
    }
    for (; count > 0; count--, at++) {
        state = tables[0][(state ^ *at) & 0xff] ^ state >> 8;
    }
    return state;
}

#if defined(__x86_64__)
#include <immintrin.h>

enum { STREAM_BYTES = 256 };
/* x^(8n - 33) modulo the polynomial, reflected, for n of one stream and of two: 33 because the
 * product stands one bit off and the instruction that reduces it multiplies by x^32. */
#define PAST_ONE 0xb9e02b86u
#define PAST_TWO 0xdd7e3b0cu

bool crc32c_has_hardware(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t moved(uint64_t sum, uint32_t factor)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)sum), _mm_cvtsi32_si128((int)factor), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t three_streams(uint32_t state,
                                                                       const uint8_t *at)
{
    uint64_t first = state;
    uint64_t second = 0;
    uint64_t third = 0;
    for (size_t i = 0; i < STREAM_BYTES; i += 8) {
        first = _mm_crc32_u64(first, load64(at + i));
        second = _mm_crc32_u64(second, load64(at + STREAM_BYTES + i));
        third = _mm_crc32_u64(third, load64(at + STREAM_BYTES * 2 + i));
    }
    return (uint32_t)(moved(first, PAST_TWO) ^ moved(second, PAST_ONE) ^ third);
}

__attribute__((target("sse4.2,pclmul"))) uint32_t crc32c_hardware(uint32_t state, const uint8_t *at,
                                                                  size_t count)
{
    for (; count >= STREAM_BYTES * 3; count -= STREAM_BYTES * 3, at += STREAM_BYTES * 3) {
        state = three_streams(state, at);
    }
    uint64_t sum = state;
    for (; count >= 8; count -= 8, at += 8) {
        sum = _mm_crc32_u64(sum, load64(at));
    }
    state = (uint32_t)sum;
    for (; count > 0; count--, at++) {
        state = _mm_crc32_u8(state, *at);
    }
    return state;
}
#else
bool crc32c_has_hardware(void)
{
    return false;
}

uint32_t crc32c_hardware(uint32_t state, const uint8_t *at, size_t count)
{
    return crc32c_portable(state, at, count);
}
#endif

uint32_t crc32c(const void *bytes, size_t count)
{
    ASSERT(bytes != NULL || count == 0);
    uint32_t all = UINT32_MAX;
    return ~(crc32c_has_hardware() ? crc32c_hardware(all, bytes, count)
                                   : crc32c_portable(all, bytes, count));
}
