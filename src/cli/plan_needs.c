/* plan_needs.c - what a load needs at Azure Monitor's limits, as text and as JSON. */
#include "plan.h"

#include <inttypes.h>
#include <walship/expo.h>
#include <walship/quota.h>

enum { MINUTE_MS = 60000, SPAN_MS_MIN = 1000 };

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static uint64_t up(double value)
{
    uint64_t whole = (uint64_t)value;
    return (double)whole < value ? whole + 1 : whole;
}

/* How many of something that takes `each` a minute, of which a part is aimed at. */
static uint64_t needed(double load, double each)
{
    return up(load / (each * QUOTA_AIM_PERCENT / 100));
}

void plan_needs(const struct plan *plan, struct plan_needs *out)
{
    *out = (struct plan_needs){.workspaces = 1, .pairs = 1};
    double span_ms = larger((double)(plan->last_ms - plan->first_ms), SPAN_MS_MIN);
    uint64_t encoded = plan->samples - plan->unknown;
    if (plan->samples == 0) {
        return;
    }
    out->samples_mean = (double)plan->samples * MINUTE_MS / span_ms;
    /* minutes of the clock: a short WAL need not hold a whole one */
    out->samples_peak = larger((double)plan->peak, out->samples_mean);
    if (encoded > 0) {
        out->sample_bytes = (double)plan->bytes / (double)encoded;
        /* in pieces where bodies were too large; by their bytes where none was full */
        double most = (double)plan->options.bytes_max / out->sample_bytes;
        double full = plan->options.samples_max;
        out->request_samples = plan->full > 0
                                   ? full * (double)plan->full / (double)plan->full_pieces
                               : most < full ? most
                                             : full;
        out->requests_mean = (double)plan->requests * MINUTE_MS / span_ms;
        out->requests_peak = out->samples_peak / out->request_samples;
        out->bytes_peak = out->samples_peak * out->sample_bytes;
    }
    uint64_t by_samples = needed(out->samples_peak, PLAN_SAMPLES_MAX);
    uint64_t by_series = up((double)plan->active / PLAN_SERIES_MAX);
    out->workspaces = by_samples > by_series ? by_samples : by_series;
    uint64_t by_requests = needed(out->requests_peak, PLAN_REQUESTS_MAX);
    uint64_t by_bytes = needed(out->bytes_peak, (double)PLAN_BYTES_MAX);
    out->pairs = by_requests > by_bytes ? by_requests : by_bytes;
    out->pairs = out->pairs > out->workspaces ? out->pairs : out->workspaces;
}

/* ---- text ---- */

static bool text_share(struct buf *out, const struct plan_share *share)
{
    static const struct label none = {"", "(without)", 0, 9};
    const struct label *label = share->label.value_bytes == 0 ? &none : &share->label;
    struct json quoted; /* a value may hold anything */
    bool ok = buf_format(out, "  %12" PRIu64 " samples %10" PRIu64 " series  ", share->samples,
                         share->series);
    json_init(&quoted, out);
    json_bytes(&quoted, NULL, label->value, label->value_bytes);
    return ok && json_ok(&quoted) && buf_append(out, "\n", 1);
}

static bool text_top(struct buf *out, const char *title, const struct plan_share *shares,
                     size_t count)
{
    bool ok = buf_format(out, "\n%s\n", title);
    for (size_t i = 0; ok && i < count; i++) {
        ok = text_share(out, &shares[i]);
    }
    return ok;
}

static bool text_load(const struct plan *plan, const struct plan_needs *needs, struct buf *out)
{
    double seconds = (double)(plan->last_ms - plan->first_ms) / 1000;
    return buf_format(out,
                      "samples               %" PRIu64 " in %.0f s\n"
                      "samples a minute      %.0f mean, %.0f in the busiest one\n"
                      "series                %" PRIu64 ", of which %" PRIu64 " have samples\n",
                      plan->samples, seconds, needs->samples_mean, needs->samples_peak,
                      plan->series, plan->active) &&
           (plan->unknown == 0 ||
            buf_format(out, "without a series      %" PRIu64 " samples\n", plan->unknown)) &&
           (plan->undecodable == 0 ||
            buf_format(out, "can't be decoded      %" PRIu64 " records\n", plan->undecodable)) &&
           buf_format(
               out,
               "bytes a sample        %.1f (labels and snappy included)\n"
               "samples a request     %.0f, when full (max_samples_per_send %u)\n"
               "requests a minute     %.1f mean by one pair at a deadline of %.1f s, %.1f in "
               "the busiest one when full\n"
               "bytes a minute        %.0f in the busiest one\n",
               needs->sample_bytes, needs->request_samples, plan->options.samples_max,
               needs->requests_mean, (double)plan->options.deadline_ms / 1000, needs->requests_peak,
               needs->bytes_peak);
}

bool plan_text(const struct plan *plan, struct buf *out)
{
    struct plan_needs needs;
    plan_needs(plan, &needs);
    return text_load(plan, &needs, out) &&
           buf_format(
               out,
               "\nneeded for that, at Azure Monitor's limits (of which %d %% are aimed at):\n"
               "workspaces            %" PRIu64
               "  (%u samples a minute and %u active series each)\n"
               "DCE/DCR pairs         %" PRIu64
               "  (%u requests and 50 GB a minute each, at least one a workspace)\n",
               QUOTA_AIM_PERCENT, needs.workspaces, PLAN_SAMPLES_MAX, PLAN_SERIES_MAX, needs.pairs,
               PLAN_REQUESTS_MAX) &&
           text_top(out, "metrics with the most samples", plan->metrics, plan->metrics_count) &&
           text_top(out, "metrics with the most series", plan->metrics_by_series,
                    plan->metrics_count) &&
           text_top(out, "jobs with the most samples", plan->jobs, plan->jobs_count) &&
           text_top(out, "jobs with the most series", plan->jobs_by_series, plan->jobs_count);
}

/* ---- JSON ---- */

static void json_shares(struct json *json, const char *key, const struct plan_share *shares,
                        size_t count)
{
    json_open(json, key, '[');
    for (size_t i = 0; i < count; i++) {
        json_open(json, NULL, '{');
        json_bytes(json, "value", shares[i].label.value, shares[i].label.value_bytes);
        json_u64(json, "samples", shares[i].samples);
        json_u64(json, "series", shares[i].series);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void json_load(struct json *json, const struct plan *plan, const struct plan_needs *needs)
{
    json_u64(json, "samples", plan->samples);
    json_u64(json, "samples_without_series", plan->unknown);
    json_u64(json, "undecodable_records", plan->undecodable);
    json_i64(json, "first_ms", plan->first_ms);
    json_i64(json, "last_ms", plan->last_ms);
    json_u64(json, "series", plan->series);
    json_u64(json, "active_series", plan->active);
    json_u64(json, "requests", plan->requests);
    json_u64(json, "bytes", plan->bytes);
    json_decimal(json, "samples_per_minute_mean", needs->samples_mean);
    json_decimal(json, "samples_per_minute_peak", needs->samples_peak);
    json_decimal(json, "bytes_per_sample", needs->sample_bytes);
    json_decimal(json, "samples_per_request", needs->request_samples);
    json_decimal(json, "requests_per_minute_mean", needs->requests_mean);
    json_decimal(json, "requests_per_minute_peak_full", needs->requests_peak);
    json_decimal(json, "bytes_per_minute_peak", needs->bytes_peak);
    json_u64(json, "workspaces", needs->workspaces);
    json_u64(json, "pairs", needs->pairs);
}

bool plan_json(const struct plan *plan, struct buf *out)
{
    struct plan_needs needs;
    struct json json;
    plan_needs(plan, &needs);
    json_init(&json, out);
    json_open(&json, NULL, '{');
    json_load(&json, plan, &needs);
    json_shares(&json, "metrics_by_samples", plan->metrics, plan->metrics_count);
    json_shares(&json, "metrics_by_series", plan->metrics_by_series, plan->metrics_count);
    json_shares(&json, "jobs_by_samples", plan->jobs, plan->jobs_count);
    json_shares(&json, "jobs_by_series", plan->jobs_by_series, plan->jobs_count);
    json_close(&json, '}');
    return json_ok(&json) && buf_append(out, "\n", 1);
}
