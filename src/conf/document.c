/* document.c - docs/CONFIG.md from the tables. Written again by the unit test on demand; see there.
 */
#include "bind.h"

enum { TABLES_MAX = 32 };

static const char *kind_of(const struct option *option)
{
    if (option->kind != NULL) {
        return option->kind;
    }
    switch (option->type) {
    case OPTION_STRING:
        return "text";
    case OPTION_PATH:
        return "path";
    case OPTION_COUNT:
    case OPTION_COUNT32:
        return "whole number";
    case OPTION_BYTES:
    case OPTION_BYTES32:
        return "size";
    case OPTION_NUMBER:
        return "number";
    case OPTION_BOOL:
        return "true or false";
    case OPTION_DURATION:
        return "duration";
    case OPTION_SECTION:
        return "map, below";
    case OPTION_LIST:
        return "list, below";
    case OPTION_CHOICE:
    case OPTION_CUSTOM:
    case OPTION_LATER:
        break;
    }
    return "";
}

static bool write_kind(const struct option *option, struct buf *out)
{
    if (option->type != OPTION_CHOICE) {
        return buf_format(out, "%s", kind_of(option));
    }
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        if (!buf_format(out, "%s`%s`", i > 0 ? " or " : "", option->choices[i])) {
            return false;
        }
    }
    return true;
}

static bool write_row(const struct option *option, struct buf *out)
{
    const char *tick = option->shown == NULL && option->initial != NULL ? "`" : "";
    const char *initial = option->shown != NULL     ? option->shown
                          : option->initial != NULL ? option->initial
                                                    : "";
    return buf_format(out, "| `%s` | ", option->key) && write_kind(option, out) &&
           buf_format(out, " | %s%s%s | %s | %s |\n", tick, initial, tick, option->meaning,
                      option->differs != NULL ? option->differs : "");
}

/* The keys that are refused for now, in one paragraph behind the table. */
static bool write_later(const struct option_table *table, struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->options[i];
        if (option->type != OPTION_LATER) {
            continue;
        }
        if (!buf_format(out, "%s`%s` (%s)", count > 0 ? ", " : "\nNot supported yet: ", option->key,
                        option->meaning)) {
            return false;
        }
        count++;
    }
    return count == 0 || buf_format(out, ".\n");
}

static bool write_table(const struct option_table *table, struct buf *out)
{
    if (!buf_format(out,
                    "\n## %s\n\n| key | type | default | meaning | difference from Prometheus |\n"
                    "| --- | --- | --- | --- | --- |\n",
                    table->title)) {
        return false;
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->options[i];
        if (option->type != OPTION_LATER && !write_row(option, out)) {
            return false;
        }
    }
    return write_later(table, out);
}

/* Adds the tables within `tables[at]` that are not listed yet; the new count. */
static size_t list_inner(const struct option_table **tables, size_t at, size_t count)
{
    for (size_t i = 0; i < tables[at]->count; i++) {
        const struct option_table *inner = tables[at]->options[i].table;
        size_t j = 0;
        while (inner != NULL && j < count && tables[j] != inner) {
            j++;
        }
        if (inner != NULL && j == count) {
            ASSERT(count < TABLES_MAX);
            tables[count++] = inner;
        }
    }
    return count;
}

bool conf_document(struct buf *out)
{
    static const char head[] =
        "# Configuration\n\n"
        "<!-- Made from the tables in src/conf/tables.c; tests/unit/conf/test_document.c says how. -->\n\n"
        "One YAML file, given with `--config`. Unknown keys are errors; `walship check --config FILE`\n"
        "says every error as FILE:LINE:COLUMN: text. Relative paths are relative to the file.\n\n"
        "A duration is `0` or whole numbers with units `y w d h m s ms`, each once and in that order:\n"
        "`1h30m`. A size is a whole number of bytes or one with `KB MB GB TB PB` (or `KiB` ...), all\n"
        "powers of 1024. A key without a value is as good as absent.\n\n"
        "An endpoint has from its destination what it does not say itself: the way to authenticate,\n"
        "`tls_config`, and the proxy keys, each as a whole. Tokens are asked for through the\n"
        "endpoint's proxy (the first one's, where several share an identity) but with the system's CAs,\n"
        "and at metadata services directly.\n\n"
        "```yaml\n"
        "wal_dir: /var/lib/prometheus/metrics2/wal\n"
        "state_dir: /var/lib/walship\n"
        "external_labels: {cluster: prod}\n"
        "remote_write:\n"
        "  - name: central\n"
        "    endpoints:\n"
        "      - url: https://a.example.com/api/v1/write\n"
        "      - url: https://b.example.com/api/v1/write\n"
        "        weight: 2\n"
        "```\n";
    const struct option_table *tables[TABLES_MAX] = {&conf_table_top, &conf_table_web,
                                                     &conf_table_page};
    size_t count = 3;
    ASSERT(out != NULL);
    if (!buf_append(out, head, sizeof head - 1)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!write_table(tables[i], out)) {
            return false;
        }
        count = list_inner(tables, i, count);
    }
    return true;
}
