/* status_mhd.h - the small HTTP server for /metrics, health and status, inside the one loop:
 * libmicrohttpd without its thread. It knows no page: a function of the caller's writes them. A
 * body that a client sends is read and thrown away.
 *
 * With a struct conf_web: TLS, client certificates, basic auth (bcrypt; what was good is
 * remembered, and a wrong password costs its sender a second). Certificates are read when it opens;
 * to follow their files, status_mhd_renew. Limits: STATUS_CONNECTIONS_MAX, STATUS_PAGE_BYTES_MAX,
 * 10 s a connection. Loop thread only. */
#ifndef WALSHIP_STATUS_MHD_H
#define WALSHIP_STATUS_MHD_H

#include <stdbool.h>
#include <stdint.h>
#include <walship/buf.h>
#include <walship/conf_web.h>
#include <walship/err.h>

enum { STATUS_CONNECTIONS_MAX = 32, STATUS_PAGE_BYTES_MAX = 16 << 20 };

enum status_method { STATUS_GET, STATUS_POST, STATUS_OTHER }; /* HEAD is GET, PUT is POST */

struct status_request {
    const char *path;
    enum status_method method;
    bool is_local;      /* from loopback */
    bool authenticated; /* as a user of web_config */
    bool by_web_page;   /* of whatever site: a browser asks in its name, and says so (Origin) */
};

struct status_page {
    int status;               /* HTTP */
    const char *content_type; /* static */
    struct buf *body;
};
/* Writes the answer; false: there is no such page (404). */
typedef bool status_page_fn(void *context, const struct status_request *request,
                            struct status_page *out);

struct status;

/* address: HOST:PORT (IPv4, or [IPv6]), or :PORT for all. web: NULL for plain HTTP to anyone;
 * borrowed until the next renew or close. */
struct status *status_mhd_open(const char *address, const struct conf_web *web,
                               status_page_fn *page, void *context, struct err *err);
/* Could it be served with these files? */
MUST_USE bool status_mhd_check(const struct conf_web *web, struct err *err);
/* Not from within a page. The same address with another `web`, or its files read anew. False: all
 * stays as it was. */
MUST_USE bool status_mhd_renew(struct status *status, const struct conf_web *web, struct err *err);
void status_mhd_close(struct status *status); /* NULL-safe */
void status_mhd_run(struct status *status);
int status_mhd_fd(const struct status *status);
/* ms until it wants to run again; -1: no limit. */
int status_mhd_timeout(struct status *status);

#endif
