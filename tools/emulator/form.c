/* form.c - split at & and =, then decode each part in place. */
#include "form.h"

#include <string.h>
#include <walship/mem.h>

static int hex(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool form_decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '%') {
            *to++ = *from == '+' ? ' ' : *from;
            continue;
        }
        int high = hex(from[1]);
        int low = high < 0 ? -1 : hex(from[2]);
        if (low < 0 || (high == 0 && low == 0)) {
            return false;
        }
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    *to = '\0';
    return true;
}

static bool add_field(struct form *form, char *field)
{
    char *equals = strchr(field, '=');
    if (form->count == FORM_FIELDS_MAX) {
        return false;
    }
    char *value = field + strlen(field);
    if (equals != NULL) {
        *equals = '\0';
        value = equals + 1;
    }
    form->names[form->count] = field;
    form->values[form->count] = value;
    form->count++;
    return form_decode(field) && form_decode(value);
}

bool form_parse(struct view body, struct form *out, struct err *err)
{
    *out = (struct form){0};
    size_t bytes = view_left(&body);
    if (bytes > FORM_BYTES_MAX || memchr(body.at, '\0', bytes) != NULL) {
        return err_set(err, 0, "the form is too long or has a NUL");
    }
    out->bytes = mem_new(bytes + 1, 1);
    memcpy(out->bytes, body.at, bytes);
    char *field = out->bytes;
    while (field != NULL && *field != '\0') {
        char *next = strchr(field, '&');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (*field != '\0' && !add_field(out, field)) {
            return err_set(err, 0, "the form has too many fields or a bad escape");
        }
        field = next;
    }
    ASSERT(out->count <= FORM_FIELDS_MAX);
    return true;
}

void form_release(struct form *form)
{
    if (form->bytes != NULL) {
        for (size_t index = 0; index < form->count; index++) {
            explicit_bzero(form->values[index], strlen(form->values[index]));
        }
    }
    mem_free(form->bytes);
    *form = (struct form){0};
}

const char *form_get(const struct form *form, const char *name)
{
    ASSERT(form != NULL && name != NULL);
    for (size_t index = 0; index < form->count; index++) {
        if (strcmp(form->names[index], name) == 0) {
            return form->values[index];
        }
    }
    return NULL;
}
