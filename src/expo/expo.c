/* expo.c - Prometheus text. Numbers print shortest-exact for integers, else %.17g. */
#include <math.h>
#include <walship/expo.h>
#include <walship/utf8.h>

const char *expo_type_name(enum expo_type type)
{
    switch (type) {
    case EXPO_COUNTER:
        return "counter";
    case EXPO_GAUGE:
        return "gauge";
    case EXPO_HISTOGRAM:
        return "histogram";
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

bool expo_head(struct buf *out, const struct expo_metric *metric)
{
    ASSERT(metric->name != NULL && metric->help != NULL);
    return buf_format(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
                      expo_type_name(metric->type));
}

static bool byte_put(struct buf *out, const char *at)
{
    switch (*at) {
    case '\n':
        return buf_append(out, "\\n", 2);
    case '"':
    case '\\':
        return buf_append(out, "\\", 1) && buf_append(out, at, 1);
    default:
        return buf_append(out, at, 1);
    }
}

/* One malformed byte would cost the whole page: Prometheus refuses it then. */
static bool escaped(struct buf *out, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        uint32_t rune;
        size_t bytes = utf8_decode((const uint8_t *)text, left, &rune);
        bool ok = bytes == 0   ? buf_append(out, "\xef\xbf\xbd", 3)
                  : bytes == 1 ? byte_put(out, text)
                               : buf_append(out, text, bytes);
        if (!ok) {
            return false;
        }
        text += bytes == 0 ? 1 : bytes;
        left -= bytes == 0 ? 1 : bytes;
    }
    return true;
}

static bool number(struct buf *out, const char *before, double value, const char *after)
{
    if (isnan(value)) {
        return buf_format(out, "%sNaN%s", before, after);
    }
    if (isinf(value)) {
        return buf_format(out, "%s%s%s", before, value > 0 ? "+Inf" : "-Inf", after);
    }
    return fabs(value) < 1e15 ? buf_format(out, "%s%.15g%s", before, value, after)
                              : buf_format(out, "%s%.17g%s", before, value, after);
}

static bool sample(struct buf *out, const char *name, const char *suffix,
                   const struct expo_label *labels, size_t labels_count)
{
    bool ok = buf_format(out, "%s%s", name, suffix);
    for (size_t i = 0; i < labels_count; i++) {
        ok = ok && buf_format(out, "%s%s=\"", i == 0 ? "{" : ",", labels[i].name) &&
             escaped(out, labels[i].value) && buf_append(out, "\"", 1);
    }
    return ok && (labels_count == 0 || buf_append(out, "}", 1));
}

bool expo_value(struct buf *out, const struct expo_metric *metric, const struct expo_label *labels,
                size_t labels_count, double value)
{
    ASSERT(labels_count <= EXPO_LABELS_MAX);
    return sample(out, metric->name, "", labels, labels_count) && number(out, " ", value, "\n");
}

static bool bucket(struct buf *out, const char *name, const struct expo_label *labels,
                   size_t labels_count, double count)
{
    return sample(out, name, "_bucket", labels, labels_count) && number(out, " ", count, "\n");
}

bool expo_histogram(struct buf *out, const struct expo_metric *metric,
                    const struct expo_label *labels, size_t labels_count,
                    const struct expo_histogram *histogram)
{
    ASSERT(labels_count < EXPO_LABELS_MAX && metric->type == EXPO_HISTOGRAM);
    struct expo_label all[EXPO_LABELS_MAX];
    struct buf bound;
    double count = 0;
    bool ok = true;
    buf_init(&bound, 64);
    memcpy(all, labels, labels_count * sizeof *labels);
    for (size_t i = 0; ok && i <= histogram->bounds_count; i++) {
        bool rest = i == histogram->bounds_count;
        buf_clear(&bound);
        count += (double)histogram->counts[i];
        ok = number(&bound, "", rest ? (double)INFINITY : histogram->bounds[i], "") &&
             buf_append(&bound, "", 1);
        all[labels_count] = (struct expo_label){"le", (const char *)bound.data};
        ok = ok && bucket(out, metric->name, all, labels_count + 1, count);
    }
    buf_release(&bound);
    return ok && sample(out, metric->name, "_sum", labels, labels_count) &&
           number(out, " ", histogram->sum, "\n") &&
           sample(out, metric->name, "_count", labels, labels_count) &&
           number(out, " ", count, "\n");
}
