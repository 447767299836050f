/* form.h - application/x-www-form-urlencoded bodies, as the token endpoint gets them.
 *
 * form_parse decodes in place of a copy it owns; names and values are NUL-terminated and refused
 * when they hold a NUL of their own. Limits: FORM_BYTES_MAX and FORM_FIELDS_MAX. Pure. */
#ifndef EMULATOR_FORM_H
#define EMULATOR_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <walship/err.h>
#include <walship/view.h>

enum { FORM_BYTES_MAX = 256 << 10, FORM_FIELDS_MAX = 32 };

struct form {
    char *bytes;
    const char *names[FORM_FIELDS_MAX];
    char *values[FORM_FIELDS_MAX];
    size_t count;
};

/* Release it either way. */
MUST_USE bool form_parse(struct view body, struct form *out, struct err *err);
void form_release(struct form *form); /* wipes */
/* NULL: absent. Of two with one name the first. */
const char *form_get(const struct form *form, const char *name);
/* Decodes %XX and + in place; false: a bad escape or a NUL. */
MUST_USE bool form_decode(char *text);

#endif
