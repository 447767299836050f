/* expo.c - Prometheus text from the table. Numbers print shortest-exact for integers, else %.17g.
 */
#include <math.h>
#include <walship/expo.h>

struct row {
    const char *name;
    const char *type;
    const char *help;
};

static const struct row rows[EXPO_COUNT] = {
#define EXPO_ROW(id, type, name, help) {name, #type, help},
    EXPO_METRICS(EXPO_ROW)
#undef EXPO_ROW
};

bool expo_head(struct buf *out, enum expo_metric metric)
{
    ASSERT((unsigned)metric < EXPO_COUNT);
    const struct row *row = &rows[metric];
    return buf_format(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                      row->type);
}

static bool escaped(struct buf *out, const char *text)
{
    for (; *text != 0; text++) {
        bool ok;
        if (*text == '\n') {
            ok = buf_append(out, "\\n", 2);
        } else if (*text == '"' || *text == '\\') {
            ok = buf_append(out, "\\", 1) && buf_append(out, text, 1);
        } else {
            ok = buf_append(out, text, 1);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

static bool number(struct buf *out, double value)
{
    if (isnan(value)) {
        return buf_format(out, " NaN\n");
    }
    if (isinf(value)) {
        return buf_format(out, value > 0 ? " +Inf\n" : " -Inf\n");
    }
    return buf_format(out, fabs(value) < 1e15 ? " %.15g\n" : " %.17g\n", value);
}

bool expo_value(struct buf *out, enum expo_metric metric, const struct expo_label *labels,
                size_t labels_count, double value)
{
    ASSERT((unsigned)metric < EXPO_COUNT);
    bool ok = buf_format(out, "%s", rows[metric].name);
    for (size_t i = 0; i < labels_count; i++) {
        ok = ok && buf_format(out, "%s%s=\"", i == 0 ? "{" : ",", labels[i].name) &&
             escaped(out, labels[i].value) && buf_append(out, "\"", 1);
    }
    if (labels_count > 0) {
        ok = ok && buf_append(out, "}", 1);
    }
    return ok && number(out, value);
}

bool expo_document(struct buf *out)
{
    bool ok = buf_format(
        out, "# Metrics\n\nMade from the table in include/walship/expo.h; served at "
             "`/metrics` of `listen_address`.\n\n| name | type | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < EXPO_COUNT; i++) {
        ok =
            ok && buf_format(out, "| `%s` | %s | %s |\n", rows[i].name, rows[i].type, rows[i].help);
    }
    return ok;
}
