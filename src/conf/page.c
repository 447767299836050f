/* page.c - the table of the file of --http-config. See conf_page.h. */
#include "auth.h"
#include "client.h"

#include <walship/conf_page.h>
#include <walship/mem.h>

static const struct option page_options[] = {
    AUTH_SECTION(conf_page, "basic_auth", auth_basic_table, "a user of `web_config`"),
    {.key = "tls_config",
     .type = OPTION_SECTION,
     .table = &client_tls_table,
     .offset = offsetof(struct conf_page, client),
     .meaning = "TLS; without a CA the certificate of `web_config` is trusted, whatever its name"},
};
const struct option_table conf_table_page = {
    .title = "The file of `--http-config`",
    .options = page_options,
    .count = ARRAY_COUNT(page_options),
    .bytes = sizeof(struct conf_page),
};

struct conf_page *conf_page_bind(const struct conf_node *root, const char *file,
                                 struct conf_problems *problems)
{
    struct conf_page *page = mem_new(1, sizeof *page);
    struct binder binder = {.file = file, .root = root};
    ASSERT(root != NULL && file != NULL);
    if (bind_file(&binder, &conf_table_page, page, problems)) {
        return page;
    }
    conf_page_free(page);
    return NULL;
}

void conf_page_free(struct conf_page *page)
{
    if (page == NULL) {
        return;
    }
    conf_auth_release(&page->auth);
    client_release(&page->client);
    mem_free(page);
}
