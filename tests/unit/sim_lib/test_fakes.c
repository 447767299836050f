/* test_fakes.c - what the simulator stands on: a fake that forgives would make it blind. */
#include "fake_http.h"
#include "fake_store.h"
#include "rw_decode.h"

#include <check.h>
#include <snappy-c.h>
#include <walship/mem.h>
#include <walship/rw.h>

static const char url[] = "http://a.test/write";
static const struct label up[] = {{"__name__", "up", 8, 2}, {"job", "a", 3, 1}};

/* ---- http ---- */

struct net {
    int64_t now_ms;
    struct label_ids *ids;
    struct fake_http *http;
    struct buf body;
};

static void net_init(struct net *net)
{
    *net = (struct net){.now_ms = 1000, .ids = label_ids_new()};
    net->http = fake_http_new(&net->now_ms, net->ids, NULL);
    (void)fake_http_receive(net->http, url);
    struct buf raw;
    struct rw_sample sample = {7, 42};
    buf_init(&raw, 1 << 20);
    buf_init(&net->body, 1 << 20);
    ck_assert(rw1_series(&raw, up, 2, &sample, 1) && rw_compress(&raw, &net->body));
    buf_release(&raw);
}

static void net_release(struct net *net)
{
    fake_http_free(net->http);
    label_ids_free(net->ids);
    buf_release(&net->body);
}

static bool net_post(struct net *net, uint64_t id)
{
    static const struct http_header headers[] = {{"Content-Type", "application/x-protobuf"},
                                                 {"Content-Encoding", "snappy"},
                                                 {"X-Prometheus-Remote-Write-Version", "0.1.0"}};
    struct http_request request = {.id = id,
                                   .method = HTTP_POST,
                                   .url = url,
                                   .headers = headers,
                                   .headers_count = ARRAY_COUNT(headers),
                                   .body = net->body.data,
                                   .body_bytes = net->body.bytes,
                                   .timeout_ms = 500};
    struct err err = {0};
    return net->http->seam.post(&net->http->seam, &request, &err);
}

static bool net_result(struct net *net, struct http_result *out)
{
    return net->http->seam.next_result(&net->http->seam, out);
}

START_TEST(a_good_request_arrives_before_its_answer)
{
    struct net net;
    struct http_result result;
    net_init(&net);
    ck_assert(net_post(&net, 1));
    ck_assert(!net_result(&net, &result));
    net.now_ms += 2;
    ck_assert(net_result(&net, &result));
    ck_assert_int_eq(result.status, 204);
    ck_assert_uint_eq(net.http->receivers[0].arrivals_count, 1);
    ck_assert_uint_eq(net.http->receivers[0].arrivals[0].sample.bits, 42);
    ck_assert_int_eq(net.http->receivers[0].arrivals[0].sample.t_ms, 7);
    ck_assert_int_eq(net.http->problem.code, 0);
    net_release(&net);
}

START_TEST(an_answer_after_the_timeout_is_ambiguous_and_the_body_may_arrive_later)
{
    struct net net;
    struct http_result result;
    struct fake_plan plan = fake_plan_good();
    net_init(&net);
    plan.outcome = HTTP_AMBIGUOUS;
    plan.deliver_ms = 900;
    plan.result_ms = 5000;
    fake_http_script(net.http, 0, &plan);
    ck_assert(net_post(&net, 1));
    net.now_ms += 500;
    ck_assert(net_result(&net, &result));
    ck_assert_int_eq(result.outcome, HTTP_AMBIGUOUS);
    ck_assert_uint_eq(net.http->receivers[0].arrivals_count, 0);
    ck_assert_int_eq(fake_http_deadline(net.http), 1900);
    net.now_ms = 1900;
    fake_http_run(net.http);
    ck_assert_uint_eq(net.http->receivers[0].arrivals_count, 1);
    net_release(&net);
}

START_TEST(a_dead_client_gets_no_result_but_what_was_on_its_way_arrives)
{
    struct net net;
    struct http_result result;
    net_init(&net);
    ck_assert(net_post(&net, 1));
    fake_http_crash(net.http, NULL);
    ck_assert_uint_eq(fake_http_in_flight(net.http), 0);
    ck_assert(net_post(&net, 1)); /* the next life may use the id again */
    net.now_ms += 10;
    ck_assert(net_result(&net, &result));
    ck_assert(!net_result(&net, &result));
    ck_assert_uint_eq(net.http->receivers[0].arrivals_count, 2);
    net_release(&net);
}

START_TEST(a_damaged_body_is_noticed)
{
    struct net net;
    net_init(&net);
    net.body.data[net.body.bytes - 1] ^= 0x80;
    net.body.data[1] ^= 0xff;
    ck_assert(net_post(&net, 1));
    ck_assert_int_ne(net.http->problem.code, 0);
    net_release(&net);
}

/* ---- the decoder ---- */

static bool count_series(void *context, const struct rw_decoded_series *series, struct err *err)
{
    (void)series;
    (void)err;
    ++*(int *)context;
    return true;
}

static const struct {
    const char *what;
    uint8_t raw[32];
    size_t bytes;
    bool good;
} bodies[] = {
    /* {a="b"} with one sample of value 0 at t 1 */
    {"good",
     "\x0a\x15\x0a\x06\x0a\x01"
     "a\x12\x01"
     "b\x12\x0b\x09\0\0\0\0\0\0\0\0\x10\x01",
     23, true},
    {"unknown tag", "\x32\x00", 2, false},
    {"cut short", "\x0a\x15\x0a\x06", 4, false},
    {"no samples",
     "\x0a\x08\x0a\x06\x0a\x01"
     "a\x12\x01"
     "b",
     10, false},
    {"empty value",
     "\x0a\x07\x0a\x05\x0a\x01"
     "a\x12\x00",
     9, false},
    {"empty", "", 0, false},
};

START_TEST(the_decoder_takes_what_is_right_and_nothing_else)
{
    char packed[128];
    size_t packed_bytes = sizeof packed;
    int series = 0;
    struct err err;
    ck_assert(snappy_compress((const char *)bodies[_i].raw, bodies[_i].bytes, packed,
                              &packed_bytes) == SNAPPY_OK);
    bool ok = rw_decode(packed, packed_bytes, 1 << 20, count_series, &series, &err);
    ck_assert_msg(ok == bodies[_i].good, "%s", bodies[_i].what);
    ck_assert_int_eq(series, bodies[_i].good);
}

/* ---- store ---- */

static void plan_commit(void *context, struct fake_commit_plan *out)
{
    const bool *fails = context;
    *out = (struct fake_commit_plan){*fails, 10, 20};
}

static void commit_position(struct fake_store *store, uint32_t record)
{
    struct store_destination destination = {.name = "d", .fingerprint = "f"};
    struct store_watermark mark = {.destination = "d", .domain = "", .at = {1, 2, record, 0}};
    struct store_lane lanes[] = {
        {.destination = "d", .lane = 9, .domain = "", .settled = {1, 2, record, 1}},
        {.destination = "d", .lane = 3, .domain = "", .settled = {1, 2, record, 2}}};
    struct store_commit commit = {.destinations = &destination,
                                  .destinations_count = 1,
                                  .watermarks = &mark,
                                  .watermarks_count = 1,
                                  .lanes = lanes,
                                  .lanes_count = 2};
    ck_assert(store->seam.commit(&store->seam, &commit));
    ck_assert(!store->seam.commit(&store->seam, &commit)); /* one at a time */
}

START_TEST(a_commit_is_whole_or_not_there)
{
    int64_t now_ms = 0;
    bool ok;
    struct err err;
    bool fails = false;
    struct fake_store_hooks hooks = {.context = &fails, .plan = plan_commit};
    struct fake_store *store = fake_store_new(&now_ms, &hooks);
    commit_position(store, 5);
    now_ms = 10;
    fake_store_run(store);
    ck_assert(!store->seam.next_result(&store->seam, &ok, &err)); /* durable, not yet told */
    ck_assert_uint_eq(fake_store_watermark(store, "d", "")->at.record, 5);
    now_ms = 20;
    ck_assert(store->seam.next_result(&store->seam, &ok, &err) && ok);
    commit_position(store, 6);
    fake_store_crash(store, false);
    ck_assert_uint_eq(fake_store_watermark(store, "d", "")->at.record, 5);
    commit_position(store, 7);
    fake_store_crash(store, true);
    ck_assert_uint_eq(fake_store_watermark(store, "d", "")->at.record, 7);
    ck_assert_uint_eq(store->durable.lanes_count, 2);
    ck_assert_uint_eq(store->durable.lanes[0].lane, 3);
    fake_store_free(store);
}

START_TEST(a_failed_commit_changes_nothing)
{
    int64_t now_ms = 0;
    bool ok = true;
    struct err err;
    bool fails = true;
    struct fake_store_hooks hooks = {.context = &fails, .plan = plan_commit};
    struct fake_store *store = fake_store_new(&now_ms, &hooks);
    commit_position(store, 5);
    now_ms = 20;
    ck_assert(store->seam.next_result(&store->seam, &ok, &err));
    ck_assert(!ok);
    ck_assert_ptr_null(fake_store_watermark(store, "d", ""));
    ck_assert_ptr_null(fake_store_destination(store, "d"));
    fake_store_free(store);
}

Suite *suite_fakes(void);
Suite *suite_fakes(void)
{
    Suite *suite = suite_create("fakes of the simulator");
    TCase *http = tcase_create("http");
    tcase_add_test(http, a_good_request_arrives_before_its_answer);
    tcase_add_test(http, an_answer_after_the_timeout_is_ambiguous_and_the_body_may_arrive_later);
    tcase_add_test(http, a_dead_client_gets_no_result_but_what_was_on_its_way_arrives);
    tcase_add_test(http, a_damaged_body_is_noticed);
    suite_add_tcase(suite, http);
    TCase *decoder = tcase_create("decoder");
    tcase_add_loop_test(decoder, the_decoder_takes_what_is_right_and_nothing_else, 0,
                        (int)ARRAY_COUNT(bodies));
    suite_add_tcase(suite, decoder);
    TCase *store = tcase_create("store");
    tcase_add_test(store, a_commit_is_whole_or_not_there);
    tcase_add_test(store, a_failed_commit_changes_nothing);
    suite_add_tcase(suite, store);
    return suite;
}
