/* conf_page.h - the file of --http-config: how `status` and `explain` ask the pages of a running
 * walship that has a web_config. In the form of promtool's --http.config.file; of its keys
 * `basic_auth` and `tls_config`. Only strings: whoever asks reads the files.
 * Ownership: conf_page_bind allocates, conf_page_free frees and wipes (NULL-safe). */
#ifndef WALSHIP_CONF_PAGE_H
#define WALSHIP_CONF_PAGE_H

#include <walship/conf_auth.h>
#include <walship/conf_node.h>
#include <walship/http_client.h>

struct conf_problems;

struct conf_page {
    struct conf_auth auth;     /* basic_auth, or none */
    struct http_client client; /* tls_config */
};

/* NULL: problems tell. */
struct conf_page *conf_page_bind(const struct conf_node *root, const char *file,
                                 struct conf_problems *problems);
void conf_page_free(struct conf_page *page);

#endif
