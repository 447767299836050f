/* test_connect.c - which TLS settings and proxy the engine asks for, by what each request is: a
 * write, a token from a server of the network, a token from the machine itself. */
#include "world.h"

#include <check.h>
#include <walship/mem.h>

enum { SEEN_MAX = 64 };

static struct {
    char url[100];
    const struct http_client *client;
    bool direct;
    char key[64]; /* of the header X-Key */
} seen[SEEN_MAX];
static size_t seen_count;
static bool (*inner_post)(struct http *seam, const struct http_request *request, struct err *err);

static bool post(struct http *seam, const struct http_request *request, struct err *err)
{
    ck_assert_uint_lt(seen_count, SEEN_MAX);
    (void)snprintf(seen[seen_count].url, sizeof seen[0].url, "%s", request->url);
    seen[seen_count].client = request->client;
    seen[seen_count].direct = request->direct;
    seen[seen_count].key[0] = '\0';
    for (size_t i = 0; i < request->headers_count; i++) {
        if (strcmp(request->headers[i].name, "X-Key") == 0) {
            (void)snprintf(seen[seen_count].key, sizeof seen[0].key, "%s",
                           request->headers[i].value);
        }
    }
    seen_count++;
    if (strstr(request->url, "/metadata/") != NULL) {
        return err_set(err, 0, "no metadata service here");
    }
    return inner_post(seam, request, err);
}

static void steps(struct world *world, const char *script)
{
    char *copy = mem_string(script), *rest = copy;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        world_step(world, line);
    }
    mem_free(copy);
}

static void expect(const char *url, const struct http_client *client, bool direct)
{
    size_t found = 0;
    for (size_t i = 0; i < seen_count; i++) {
        if (strncmp(seen[i].url, url, strlen(url)) == 0) {
            ck_assert_ptr_eq(seen[i].client, client);
            ck_assert(seen[i].direct == direct);
            found++;
        }
    }
    ck_assert_msg(found > 0, "nothing was posted to %s", url);
}

static struct conf_endpoint *scene(struct world *world)
{
    world_init(world);
    inner_post = world->door.seam.post;
    world->door.seam.post = post;
    steps(world, "destination d http://a,http://b auth");
    return world->destinations[0].endpoints;
}

static const char run[] =
    "start\nseries 1 u 2 v 3 w 4 x 5 y 6 z 7 zz 8 zzz\n"
    "samples 1 1000 2 1000 3 1000 4 1000 5 1000 6 1000 7 1000 8 1000\nrun 500";

static void auth_string(char **field, const char *text)
{
    mem_free(*field);
    *field = mem_string(text);
}

START_TEST(a_write_and_its_token_go_by_the_settings_of_the_endpoint)
{
    struct world world;
    struct conf_endpoint *at = scene(&world);
    at[0].has_client = at[0].has_token_client = true;
    auth_string(&at[0].auth.tenant_id, "first");
    auth_string(&at[1].auth.tenant_id, "second");
    steps(&world, run);
    expect("http://a", &at[0].client, false);
    expect("http://b", NULL, false);
    expect("http://127.0.0.1:9/first/", &at[0].token_client, false);
    expect("http://127.0.0.1:9/second/", NULL, false);
    world_release(&world);
}

START_TEST(a_shared_identity_goes_by_the_settings_of_the_first_endpoint)
{
    struct world world;
    struct conf_endpoint *at = scene(&world);
    at[0].has_client = at[1].has_client = true;
    at[0].has_token_client = at[1].has_token_client = true;
    auth_string(&at[1].auth.client_id, at[0].auth.client_id);
    steps(&world, run);
    expect("http://a", &at[0].client, false);
    expect("http://b", &at[1].client, false);
    expect("http://127.0.0.1:9/tenant/", &at[0].token_client, false);
    world_release(&world);
}

START_TEST(the_metadata_service_is_asked_directly)
{
    struct world world;
    struct conf_endpoint *at = scene(&world);
    at[0].has_client = at[1].has_client = true;
    at[0].has_token_client = at[1].has_token_client = true;
    at[0].auth.kind = CONF_AUTH_MANAGED_IDENTITY;
    at[0].auth.source = CONF_SOURCE_IMDS;
    steps(&world, run);
    expect("http://169.254.169.254/metadata/", NULL, true);
    expect("http://b", &at[1].client, false);
    world_release(&world);
}

/* The key of the last write to `url`; NULL: there was none. */
static const char *last_key(const char *url)
{
    for (size_t i = seen_count; i > 0; i--) {
        if (strncmp(seen[i - 1].url, url, strlen(url)) == 0) {
            return seen[i - 1].key;
        }
    }
    return NULL;
}

START_TEST(a_header_follows_its_file)
{
    struct world world;
    char name[] = "X-Key", file[] = "/key";
    struct conf_header row = {.name = name, .file = file};
    world_init(&world);
    inner_post = world.door.seam.post;
    world.door.seam.post = post;
    steps(&world, "destination d http://a");
    world.destinations[0].endpoints[0].headers = (struct conf_headers){&row, 1};
    steps(&world, "start\nseries 1 u\nsamples 1 1000\nrun 2000");
    ck_assert_ptr_null(last_key("http://a")); /* the file is not there: nothing is sent without */
    fake_os_append(world.os, "/key", " first \n", 8);
    steps(&world, "run 10000\nsamples 1 2000\nrun 2000");
    ck_assert_str_eq(last_key("http://a"), "first");
    fake_os_replace(world.os, "/key", "second", 6);
    steps(&world, "run 6000\nsamples 1 3000\nrun 2000");
    ck_assert_str_eq(last_key("http://a"), "second");
    fake_os_unlink(world.os, "/key");
    steps(&world, "run 6000\nsamples 1 4000\nrun 2000");
    ck_assert_str_eq(last_key("http://a"), "second");
    world_release(&world);
}

Suite *suite_connect(void);
Suite *suite_connect(void)
{
    Suite *suite = suite_create("connect");
    TCase *cases = tcase_create("connect");
    tcase_add_test(cases, a_write_and_its_token_go_by_the_settings_of_the_endpoint);
    tcase_add_test(cases, a_shared_identity_goes_by_the_settings_of_the_first_endpoint);
    tcase_add_test(cases, the_metadata_service_is_asked_directly);
    tcase_add_test(cases, a_header_follows_its_file);
    suite_add_tcase(suite, cases);
    return suite;
}
