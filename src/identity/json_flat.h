/* json_flat.h - private: reads the members of one JSON object, from hostile bytes. Strings and
 * numbers at the top level are given; what is nested is checked for balance and given as OTHER.
 * Nothing is copied or allocated; no recursion. */
#ifndef WALSHIP_SRC_IDENTITY_JSON_FLAT_H
#define WALSHIP_SRC_IDENTITY_JSON_FLAT_H

#include <walship/view.h>

enum { JSON_DEPTH_MAX = 64, JSON_MEMBERS_MAX = 256 };

enum json_kind { JSON_STRING, JSON_NUMBER, JSON_OTHER };

struct json_member {
    struct view name;  /* without quotes, escapes as they stand */
    struct view value; /* a string without its quotes, escapes as they stand */
    enum json_kind kind;
};

struct json_flat {
    struct view view;
    size_t members;
    bool ended; /* saw the closing brace and nothing but white space after it */
};

void json_flat_init(struct json_flat *json, const void *text, size_t bytes);
/* False: the end, or malformed: ask json_flat_ok. */
bool json_flat_next(struct json_flat *json, struct json_member *out);
bool json_flat_ok(const struct json_flat *json);

bool json_name_is(const struct json_member *member, const char *name);
/* The value with its escapes resolved, NUL-terminated. False: no room, a bad escape or a NUL in it.
 * *bytes may be NULL. */
bool json_text(const struct json_member *member, char *out, size_t room, size_t *bytes);

#endif
