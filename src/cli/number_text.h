/* number_text.h - a 64 bit float as Go's strconv 'g' prints it: the shortest digits that parse back
 * to the same bits. NaN whatever its payload, +Inf, -Inf. */
#ifndef CLI_NUMBER_TEXT_H
#define CLI_NUMBER_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { NUMBER_TEXT_BYTES_MAX = 32 };

/* NUL-terminated; returns its length. */
size_t number_text(uint64_t bits, char out[NUMBER_TEXT_BYTES_MAX]);

#endif
