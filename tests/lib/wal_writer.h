/* wal_writer.h - writes WAL records and segments byte for byte as Prometheus' encoder does, into
 * memory. For tests, the simulator and the bench generator; it can also write what no healthy
 * writer would.
 *
 * Records: each wal_put_* clears `out` and fills it with ONE record, type byte first. The structs
 * are those the decoders of wal_record.h give, so that a round trip is a comparison. Segments:
 * wal_writer_log cuts records into fragments and pages. `bytes` is at any time what the file would
 * hold after that Log() call: complete records, the last page not padded. To roll, pad, take the
 * bytes, wal_writer_clear, go on. Owns its buffers. Fails by ASSERT only. */
#ifndef TESTS_WAL_WRITER_H
#define TESTS_WAL_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/buf.h>
#include <walship/wal_record.h>

enum { WAL_WRITER_BUF_BYTES_MAX = 1 << 30 };

/* ---- records ---- */

void wal_put_series(struct buf *out, const struct wal_series *items, size_t count);
/* type: WAL_SAMPLES or WAL_SAMPLES_V2 (V1 has no room for start times: they are not written). */
void wal_put_samples(struct buf *out, enum wal_type type, const struct wal_sample *items,
                     size_t count);
void wal_put_tombstones(struct buf *out, const struct wal_tombstone *items, size_t count);
void wal_put_exemplars(struct buf *out, const struct wal_exemplar *items, size_t count);
void wal_put_metadata(struct buf *out, const struct wal_metadata *items, size_t count);
struct wal_marker {
    uint64_t ref, chunk;
};
void wal_put_markers(struct buf *out, const struct wal_marker *items, size_t count);
/* type: 7-10, 12, 13; items must be integer or float as it says. */
void wal_put_histograms(struct buf *out, enum wal_type type, const struct wal_histogram *items,
                        size_t count);

/* ---- segments ---- */

enum wal_writer_compression { WAL_WRITER_PLAIN, WAL_WRITER_SNAPPY, WAL_WRITER_ZSTD };

struct ZSTD_CCtx_s;

struct wal_writer {
    struct buf bytes;                        /* the segment so far */
    enum wal_writer_compression compression; /* may be changed between records */
    struct buf packed;
    struct ZSTD_CCtx_s *zstd;
};

void wal_writer_init(struct wal_writer *writer, enum wal_writer_compression compression);
void wal_writer_release(struct wal_writer *writer);
void wal_writer_clear(struct wal_writer *writer); /* a new, empty segment */
/* Compressed where that makes it smaller, else plain, as Prometheus does. Where exactly 7 bytes of
 * a page are left an empty FIRST fragment is put there. Returns the offset of the first fragment.
 */
size_t wal_writer_log(struct wal_writer *writer, const void *record, size_t bytes);
size_t wal_writer_log_buf(struct wal_writer *writer, const struct buf *record);
/* Zeros up to the next page; nothing at the start of one. */
void wal_writer_pad(struct wal_writer *writer);
void wal_writer_zero_page(struct wal_writer *writer); /* pads, then a page of zeros */
/* One fragment as given, whatever the place and the order: header is its first byte, the CRC is
 * right. */
void wal_writer_fragment(struct wal_writer *writer, uint8_t header, const void *payload,
                         size_t bytes);
/* A torn write: the last `bytes` bytes never reached the file. */
void wal_writer_tear(struct wal_writer *writer, size_t bytes);
/* Writes the file; its directory must exist. False: errno says why. */
MUST_USE bool wal_writer_save(const struct wal_writer *writer, const char *path);

#endif
