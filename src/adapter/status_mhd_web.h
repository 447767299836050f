/* status_mhd_web.h - private to the status server: what a struct conf_web asks of a connection. */
#ifndef ADAPTER_STATUS_MHD_WEB_H
#define ADAPTER_STATUS_MHD_WEB_H

#include <microhttpd.h>
#include <walship/conf_web.h>
#include <walship/err.h>

/* The files of a TLS server, read; texts end with a NUL and are wiped by the release. */
struct status_tls {
    char *cert, *key, *ca;
    char priorities[128];
};
MUST_USE bool status_tls_read(struct status_tls *tls, const struct conf_web *web, struct err *err);
void status_tls_release(struct status_tls *tls);
/* For a connection that begins: the client is asked for its certificate, if web says so. */
void status_tls_ask(const struct conf_web *web, struct MHD_Connection *connection);
/* The client's certificate is as client_auth_type asks. */
bool status_tls_client_good(const struct conf_web *web, struct MHD_Connection *connection);

enum status_user { STATUS_USER_GOOD, STATUS_USER_BAD, STATUS_USER_LATER };

struct status_users {
    char *known; /* the last good "user\0password", so that bcrypt is not asked again */
    size_t known_bytes;
    int64_t not_before_ms; /* after a wrong password */
};
/* Basic auth of a request. LATER: too soon after a wrong password. */
enum status_user status_users_check(struct status_users *users, const struct conf_web *web,
                                    struct MHD_Connection *connection);
void status_users_release(struct status_users *users);

#endif
