/* write_request.h - remote write 1.0 requests, read from hostile bytes (2.0: write_v2.h).
 *
 * Independent of walship's own encoder on purpose: the emulator is a witness, so it shares no code
 * with what it judges. Stricter than the format: labels must be sorted by name, without doubles or
 * empty parts, valid UTF-8, because a strict receiver refuses the rest.
 * Two steps: write_request_check reads the whole message once and says what is wrong; only then may
 * the iterators run over the same bytes (they assert what the check has shown). Nothing is copied
 * or allocated. Pure. */
#ifndef EMULATOR_WRITE_REQUEST_H
#define EMULATOR_WRITE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <walship/err.h>
#include <walship/labels.h>
#include <walship/view.h>

enum write_depth {
    WRITE_COUNT, /* structure only: labels are stepped over (the counting sink of the bench) */
    WRITE_FULL   /* labels too */
};

struct write_totals {
    uint64_t series;
    uint64_t samples;
    uint64_t exemplars;
    uint64_t histograms;
    uint64_t metadata;
    int64_t newest_ms; /* largest timestamp; INT64_MIN without samples */
};

struct write_sample {
    int64_t t_ms;
    uint64_t bits;  /* IEEE-754, so that NaN payloads survive; of a histogram its sum's */
    int64_t st_ms;  /* start time, of a 2.0 request; 0: none */
    int64_t schema; /* of a histogram */
};

struct write_family {
    uint64_t type;
    struct view name, help, unit;
};

/* The two walks over one series; each sees the whole TimeSeries, its fields may come in any order.
 */
struct write_series {
    struct view labels;
    struct view samples;
    struct view histograms;
    struct view exemplars;
};

MUST_USE bool write_request_check(struct view request, enum write_depth depth,
                                  struct write_totals *out, struct err *err);

/* False at the end. */
bool write_request_next(struct view *request, struct write_series *out);
/* Pointers go into the request. */
bool write_series_label(struct write_series *series, struct label *out);
bool write_series_sample(struct write_series *series, struct write_sample *out);
/* body: the whole Histogram message as it came. */
bool write_series_histogram(struct write_series *series, struct write_sample *out,
                            struct view *body);
/* labels: a walk of their own, by write_series_label. */
bool write_series_exemplar(struct write_series *series, struct write_sample *out,
                           struct write_series *labels);
/* The families of the request's metadata. */
bool write_family_next(struct view *request, struct write_family *out);

/* Whether these bytes are well-formed UTF-8 (no overlong forms, no surrogates, up to U+10FFFF). */
bool utf8_valid(const char *bytes, size_t count);

#endif
