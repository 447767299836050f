/* http_peer.h - a small HTTP/1.1 server on loopback that misbehaves by the path it is asked for.
 *
 * One thread accepts, one more serves each connection; stop joins all. Only for tests of the real
 * network seam: everything else uses a fake one.
 *
 *     /204          204, kept alive                  /429     429 with Retry-After, Date, ...
 *     /echo         200, body: the request itself    /get     200 "hello"
 *     /cut          promises 100 bytes, sends 10     /reset   RST once the request was read
 *     /close        no answer, closed                /hang    no answer, kept open
 *     /slow         a byte each 20 ms, without end   /huge    a body without end
 *     /bytes/N      200 with N bytes                 /redirect 302 to /204
 *     /quit         204, then closed without a word  /garbage not HTTP
 *     /mortal       204; a later request on the same connection is read and the connection closed
 *     /continue     100, then 204                    /headers 200 with 100 headers and an over-long
 * one */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include <stdint.h>

struct http_peer;

struct http_peer *http_peer_start(void); /* on a free port below 32768 of 127.0.0.1 */
void http_peer_stop(struct http_peer *peer);
unsigned http_peer_port(const struct http_peer *peer);
uint64_t http_peer_requests(const struct http_peer *peer);    /* read whole */
uint64_t http_peer_connections(const struct http_peer *peer); /* accepted */
uint64_t http_peer_closed(const struct http_peer *peer); /* closed by us, FIN or RST delivered */
/* A loopback port below 32768 where nobody listens. *fd, bound to it, keeps it so; close it
 * afterwards. */
unsigned http_peer_dead_port(int *fd);

#endif
