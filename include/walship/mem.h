/* mem.h - heap that never returns NULL: out of memory aborts, restart from the saved state is the
 * recovery (I8). Sizes are checked for overflow. */
#ifndef WALSHIP_MEM_H
#define WALSHIP_MEM_H

#include <stddef.h>
#include <walship/assert.h>

void *mem_new(size_t count, size_t bytes);                   /* zeroed */
void *mem_grow(void *old, size_t count, size_t bytes);       /* realloc; new part undefined */
char *mem_string(const char *text);                          /* copy */
char *mem_format(const char *format, ...) PRINTF_LIKE(1, 2); /* heap, caller frees */
void mem_free(void *pointer);                                /* NULL-safe */

#endif
