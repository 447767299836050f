/* status_mhd.h - the small HTTP server for /metrics, health and status, inside the one loop:
 * libmicrohttpd without its thread. It knows no page: a function of the caller's writes them.
 * GET and HEAD only. Limits: STATUS_CONNECTIONS_MAX, STATUS_PAGE_BYTES_MAX, 10 s a connection. */
#ifndef WALSHIP_STATUS_MHD_H
#define WALSHIP_STATUS_MHD_H

#include <stdbool.h>
#include <stdint.h>
#include <walship/buf.h>
#include <walship/err.h>

enum { STATUS_CONNECTIONS_MAX = 32, STATUS_PAGE_BYTES_MAX = 16 << 20 };

struct status_page {
    int status;               /* HTTP */
    const char *content_type; /* static */
    struct buf *body;
};
/* Writes the page of this path; false: there is none (404). */
typedef bool status_page_fn(void *context, const char *path, struct status_page *out);

struct status;

/* address: HOST:PORT (IPv4, or [IPv6]), or :PORT for all. */
struct status *status_mhd_open(const char *address, status_page_fn *page, void *context,
                               struct err *err);
void status_mhd_close(struct status *status); /* NULL-safe */
void status_mhd_run(struct status *status);
int status_mhd_fd(const struct status *status);
/* ms until it wants to run again; -1: no limit. */
int status_mhd_timeout(struct status *status);

#endif
