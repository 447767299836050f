/* limits.h - every maximum of the program, in one place (I4). Bytes, counts and milliseconds as
 * named. */
#ifndef WALSHIP_LIMITS_H
#define WALSHIP_LIMITS_H

#include <assert.h>

enum {
    /* WAL format (the first two are the format's own) */
    WAL_PAGE_BYTES = 32768,
    WAL_FRAGMENT_HEADER_BYTES = 7,
    WAL_RECORD_BYTES_MAX = 256 << 20, /* decompressed; beyond: treated as corrupt */

    /* labels of one series */
    LABELS_COUNT_MAX = 1024,
    LABELS_BYTES_MAX = 1 << 20,
    LABELS_FINAL_MAX = 4 * LABELS_COUNT_MAX, /* with external labels and relabelling */
    LABELS_FINAL_BYTES_MAX = 2 * LABELS_BYTES_MAX,

    /* relabelling */
    FOLDED_SERIES_MAX = 4 << 20, /* a destination: looked at for differing only in case */
    RELABEL_RULES_MAX = 1000,    /* a destination */
    RELABEL_SOURCES_MAX = 256,   /* source_labels of a rule */
    RELABEL_BYTES_MAX = 8 << 20, /* of all texts made for one series */
    REGEX_BYTES_MAX = 8 << 20,   /* program and cache of one expression */
    REGEX_GROUPS_MAX = 1000,

    /* destinations */
    SHARDS_COUNT = 256,
    LANES_COUNT = SHARDS_COUNT + 2, /* shards, then dropped by rule, then unknown ref */
    ENDPOINTS_MAX = 64,
    DESTINATIONS_MAX = 32,
    PENDING_ITEMS_MAX = 512 << 10, /* a failure domain */
    PARKED_ITEMS_MAX = 100000,     /* a failure domain */
    PARKED_MS_MAX = 10000,
    PAYLOAD_BYTES_MAX = 1 << 20,           /* an encoded histogram, an exemplar */
    CHUNK_PAYLOAD_BYTES = 4 << 20,         /* a decoded chunk ends when it has so many */
    PENDING_PAYLOAD_BYTES_MAX = 128 << 20, /* a failure domain, beside its items */
    METADATA_FAMILIES_MAX = 200000,
    METADATA_TEXT_BYTES_MAX = 64 << 10, /* a name, a help text */
    METADATA_BYTES_MAX = 64 << 20,      /* all of them */
    METADATA_RESPONSE_BYTES_MAX = 16 << 20,
    BATCH_SAMPLES_MAX = 20000,
    BATCH_RAW_BYTES_MAX = 32 << 20,        /* uncompressed request, Prometheus' receivers' limit */
    BATCH_COMPRESSED_BYTES_MAX = 16 << 20, /* the most that max_bytes_per_send may say */
    REQUESTS_IN_FLIGHT_MAX = 16,           /* an endpoint */

    /* loss ledger */
    LEDGER_ROWS_MAX = 1000, /* saved, of a destination and reason; the oldest are merged */
    LEDGER_OPEN_MAX = 2000, /* not saved yet, of a destination */

    /* HTTP */
    HTTP_RESPONSE_BYTES_MAX = 64 << 10,
    HTTP_HEADER_VALUE_BYTES_MAX = 1024,
    RETRY_AFTER_MS_MAX = 3600 * 1000,

    /* timing */
    COMMIT_INTERVAL_MS = 250,
    TURN_ITEMS_MAX = 16384, /* decoded in one turn of the loop */
    STOP_FLUSH_MS_MAX = 5000
};

static_assert(WAL_RECORD_BYTES_MAX > WAL_PAGE_BYTES, "a record may fill pages");
static_assert(LABELS_FINAL_BYTES_MAX * 2 < BATCH_RAW_BYTES_MAX,
              "the largest series fits a request");
static_assert(RELABEL_BYTES_MAX >= 4 * LABELS_BYTES_MAX,
              "room for a few copies of the largest series");
static_assert(2 * (LABELS_FINAL_BYTES_MAX + PAYLOAD_BYTES_MAX) < BATCH_RAW_BYTES_MAX,
              "the largest histogram or exemplar fits a request with its labels");
static_assert(2 * (CHUNK_PAYLOAD_BYTES + PAYLOAD_BYTES_MAX) < PENDING_PAYLOAD_BYTES_MAX,
              "a chunk always fits an emptied domain");
static_assert(TURN_ITEMS_MAX < PENDING_ITEMS_MAX, "a turn can't overrun a domain");

#endif
