/* decompress.h - the stored bytes of a record into its raw bytes. Private to src/wal. */
#ifndef WAL_DECOMPRESS_H
#define WAL_DECOMPRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <walship/buf.h>
#include <walship/view.h>

struct ZSTD_DCtx_s;

/* Bits of a fragment header's first byte. */
enum { WAL_HEADER_SNAPPY = 0x08, WAL_HEADER_ZSTD = 0x10 };

struct wal_decompress {
    struct buf raw;           /* grown as needed, kept */
    struct ZSTD_DCtx_s *zstd; /* made with the first zstd record */
};

void wal_decompress_init(struct wal_decompress *decompress);
void wal_decompress_release(struct wal_decompress *decompress);
/* *out borrows `stored` when it is not compressed, else holds until the next call. False: not what
 * the header says, or beyond WAL_RECORD_BYTES_MAX. */
bool wal_decompress_run(struct wal_decompress *decompress, uint8_t header, struct view stored,
                        struct view *out);

#endif
