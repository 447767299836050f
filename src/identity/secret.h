/* secret.h - private: text that is wiped. Its room is fixed, because growing would leave copies of
 * the old bytes in the heap. What doesn't fit sets `cut`, asked for once when all is written. */
#ifndef WALSHIP_SRC_IDENTITY_SECRET_H
#define WALSHIP_SRC_IDENTITY_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/assert.h>

struct secret {
    char *text;   /* NUL-terminated; NULL: no room was ever made */
    size_t bytes; /* without the NUL */
    size_t room;
    bool cut;
};

/* Wipes what it holds and makes room for `room` bytes; 0 releases. A zeroed struct is valid. */
void secret_reset(struct secret *secret, size_t room);
void secret_append(struct secret *secret, const char *text, size_t bytes);
void secret_add(struct secret *secret, const char *text);
void secret_number(struct secret *secret, int64_t number);
/* Exactly this text. */
void secret_set(struct secret *secret, const char *text, size_t bytes);
/* The giver is left empty. */
void secret_take(struct secret *secret, struct secret *giver);
bool secret_equal(const struct secret *left, const struct secret *right);
/* White space at both ends goes. */
void secret_trim(struct secret *secret);
/* Printable ASCII only: may stand in a header. */
bool secret_is_printable(const struct secret *secret);

/* Heap strings of the configuration: copied, wiped, freed. NULL-safe. */
void secret_string_free(char *text);

#endif
