/* write_v2.h - remote write 2.0 requests, read from hostile bytes and written again as 1.0, so that
 * all that follows knows one form. Independent of walship's own encoder, as write_request.h.
 *
 * Stricter than the format, as the specification allows: the first symbol is empty, symbols come
 * before series, every reference is in range, no series without a float or a histogram, none with
 * both. What 1.0 has no place for: the start time of a float goes as field 3 of its Sample, that of
 * a histogram as its field 17, a series' metadata as the request's, under the series' name. */
#ifndef EMULATOR_WRITE_V2_H
#define EMULATOR_WRITE_V2_H

#include <walship/buf.h>
#include <walship/err.h>
#include <walship/view.h>

/* Appends to out. False: err says what is wrong with the request, or that it is too large. */
MUST_USE bool write_v2_as_v1(struct view request, struct buf *out, struct err *err);

#endif
