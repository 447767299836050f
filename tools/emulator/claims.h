/* claims.h - the members of one JSON object, as JWTs have them; and strings for JSON that is
 * written.
 *
 * Reads the top level only: a nested value is stepped over, but a list of strings may stand where a
 * string is asked for (its first element counts, or any with claims_has). Nothing is allocated; no
 * recursion, depth at most CLAIMS_DEPTH_MAX. Pure. */
#ifndef EMULATOR_CLAIMS_H
#define EMULATOR_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>
#include <walship/buf.h>
#include <walship/view.h>

enum { CLAIMS_DEPTH_MAX = 16 };

/* Whether this is one whole JSON object (structure; numbers and words are not looked into). */
MUST_USE bool claims_valid(struct view object);
/* The string (or the first string of a list) of this member, unescaped; of two members with one
 * name the first. False: absent, another type, or longer than room. */
MUST_USE bool claims_text(struct view object, const char *name, char *out, size_t room);
/* An integer, or the whole part of a decimal number; not a string. */
MUST_USE bool claims_integer(struct view object, const char *name, int64_t *out);
/* Whether the member is this string or a list with it. */
MUST_USE bool claims_has(struct view object, const char *name, const char *text);

/* Appends "text" with quotes and escapes. */
MUST_USE bool claims_quote(struct buf *out, const char *text);

#endif
