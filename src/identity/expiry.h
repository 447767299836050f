/* expiry.h - private: how long a token lives, from whatever form the answer says it in; and the
 * other two times of HTTP answers, Date and Retry-After. Pure. */
#ifndef WALSHIP_SRC_IDENTITY_EXPIRY_H
#define WALSHIP_SRC_IDENTITY_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>
#include <walship/assert.h>

enum {
    EXPIRY_LIFE_MS_MAX = 7 * 24 * 3600 * 1000, /* no token of Azure lives longer than 28 h */
    EXPIRY_ASSUMED_MS = 300 * 1000 /* a token that looks expired already, see expiry_life */
};

/* Unix milliseconds from Unix seconds (whole, with a fraction or an exponent; more than 10^11 are
 * milliseconds), RFC 3339 or with a blank for its T, MM/dd/yyyy HH:mm:ss with or without AM/PM, or
 * an HTTP date. A time zone may follow; without one it is UTC. */
MUST_USE bool expiry_time_parse(const char *text, int64_t *unix_ms);
/* A number of seconds, 0 or more. */
MUST_USE bool expiry_seconds_parse(const char *text, int64_t *out_ms);
/* Seconds or an HTTP date. */
MUST_USE bool expiry_retry_after_parse(const char *text, int64_t wall_ms, int64_t *out_ms);

/* The life left of a token. Either text may be NULL or empty. expires_on is measured against
 * server_ms (the answer's Date, else our clock). Where both are good and differ, the shorter
 * counts, unless it is none at all: then a clock is wrong, and expires_in, which needs no clock,
 * counts. A token that would be expired on arrival lives EXPIRY_ASSUMED_MS, for the same reason;
 * *assumed says so. False: neither can be read. */
MUST_USE bool expiry_life(const char *expires_on, const char *expires_in, int64_t server_ms,
                          int64_t *life_ms, bool *assumed);

#endif
