/* redirect.h - where an answer's Location leads, and whether a request may follow it there. Pure.
 *
 * A request carries a token, so it follows only within its own origin: the same scheme, host and
 * port, or https of the same host at the same port or at 443 for http. What is followed is built on
 * the authority of the URL that was asked: no way of writing a Location leads to another host. */
#ifndef WALSHIP_REDIRECT_H
#define WALSHIP_REDIRECT_H

enum redirect {
    REDIRECT_FOLLOWS,   /* *out: the whole URL; secret as the one that was asked */
    REDIRECT_ELSEWHERE, /* *out: the origin it names, fit for a log; no secret */
    REDIRECT_UNUSABLE   /* *out: NULL */
};

enum { REDIRECT_URL_BYTES_MAX = 8192 }; /* what would be longer is unusable */

/* location: as the peer wrote it; NULL: it named none. The caller frees *out. */
enum redirect redirect_resolve(const char *asked, const char *location, char **out);

#endif
