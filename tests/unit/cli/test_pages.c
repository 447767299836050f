/* test_pages.c - who may ask for which page. The engine behind them is not looked at. */
#include "pages.h"

#include <check.h>

static int reloads;

static bool reload(void *context, struct buf *said)
{
    (void)context;
    reloads++;
    return buf_format(said, "done\n");
}

static int status_of(const struct status_request *request)
{
    static char engine;
    struct pages pages = {.engine = (struct engine *)(void *)&engine, .reload = reload};
    struct buf body;
    struct status_page page = {200, "", &body};
    buf_init(&body, 1000);
    ck_assert(pages_write(&pages, request, &page));
    buf_release(&body);
    return page.status;
}

static const struct {
    struct status_request request;
    int status;
} asked[] = {
    {{.path = "/-/reload", .method = STATUS_POST, .is_local = true}, 200},
    {{.path = "/-/reload", .method = STATUS_POST, .authenticated = true}, 200},
    {{.path = "/-/reload", .method = STATUS_POST}, 403},
    {{.path = "/-/reload", .method = STATUS_GET, .is_local = true}, 405},
    /* a page that a browser of this machine shows, or one that knows the user's password */
    {{.path = "/-/reload", .method = STATUS_POST, .is_local = true, .by_web_page = true}, 403},
    {{.path = "/-/reload", .method = STATUS_POST, .authenticated = true, .by_web_page = true}, 403},
    {{.path = "/-/healthy", .method = STATUS_GET, .by_web_page = true}, 200},
};

START_TEST(a_reload_is_for_who_may_and_for_no_web_page)
{
    bool reloaded = strcmp(asked[_i].request.path, "/-/reload") == 0 && asked[_i].status == 200;
    reloads = 0;
    ck_assert_int_eq(status_of(&asked[_i].request), asked[_i].status);
    ck_assert_int_eq(reloads, reloaded ? 1 : 0);
}

Suite *suite_pages(void);
Suite *suite_pages(void)
{
    Suite *suite = suite_create("pages");
    TCase *tcase = tcase_create("pages");
    tcase_add_loop_test(tcase, a_reload_is_for_who_may_and_for_no_web_page, 0,
                        (int)ARRAY_COUNT(asked));
    suite_add_tcase(suite, tcase);
    return suite;
}
