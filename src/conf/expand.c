/* expand.c - $VAR and ${VAR} in external labels, by the rules of Go's os.Expand, as Prometheus has
 * them: `$$` is a dollar, an unknown name is empty, a dollar before anything else stays. */
#include "bind.h"

#include <ctype.h>
#include <walship/log.h>
#include <walship/mem.h>

enum { VALUE_BYTES_MAX = 1 << 20, NAME_BYTES_MAX = 1024 };

static bool is_special(char c)
{
    return c != '\0' && strchr("*#$@!?-0123456789", c) != NULL;
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) != 0 || c == '_';
}

struct found {
    const char *name;
    size_t name_bytes; /* 0: none */
    size_t bytes;      /* of the text behind the dollar; 0: the dollar stands for itself */
};

/* `at` is behind the dollar. */
static struct found name_at(const char *at)
{
    if (*at == '{') {
        const char *end = strchr(at, '}');
        if (end == NULL) {
            return (struct found){at, 0, 1}; /* no name: the brace is eaten */
        }
        return (struct found){at + 1, (size_t)(end - at) - 1, (size_t)(end - at) + 1};
    }
    if (is_special(*at)) {
        return (struct found){at, 1, 1};
    }
    size_t bytes = 0;
    while (is_name(at[bytes])) {
        bytes++;
    }
    return (struct found){at, bytes, bytes};
}

static const char *value_of(const struct binder *binder, const struct found *found)
{
    char name[NAME_BYTES_MAX];
    if (found->name_bytes == 1 && *found->name == '$') {
        return "$";
    }
    if (found->name_bytes == 0 || found->name_bytes >= sizeof name) {
        return "";
    }
    memcpy(name, found->name, found->name_bytes);
    name[found->name_bytes] = '\0';
    const char *value = binder->variable(binder->variable_context, name);
    if (value == NULL || *value == '\0') { /* as Prometheus: no error, but said */
        LOG_WARN("external_labels: a variable is empty, so is what it stands for",
                 LOG_STR("variable", name));
    }
    return value != NULL ? value : "";
}

char *text_expand(const struct binder *binder, const char *text)
{
    struct buf out;
    buf_init(&out, VALUE_BYTES_MAX);
    bool ok = true;
    while (ok && *text != '\0') {
        const char *dollar = binder->variable != NULL ? strchr(text, '$') : NULL;
        size_t plain = dollar != NULL ? (size_t)(dollar - text) : strlen(text);
        ok = buf_append(&out, text, plain);
        text += plain;
        if (dollar == NULL) {
            break;
        }
        struct found found = name_at(++text);
        const char *value = found.bytes == 0 ? "$" : value_of(binder, &found);
        ok = ok && buf_append(&out, value, strlen(value));
        text += found.bytes;
    }
    char *result = ok && buf_append(&out, "", 1) ? mem_string((const char *)out.data) : NULL;
    buf_release(&out);
    return result;
}
