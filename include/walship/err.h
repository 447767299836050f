/* err.h - the third kind of error: the world failed. `bool` result plus one of these.
 *
 * Each level adds context in front ("open state: /x/state.db: permission denied"); it is logged
 * once, where it is handled. Never holds a secret (I6): callers put names and paths in, not values.
 */
#ifndef WALSHIP_ERR_H
#define WALSHIP_ERR_H

#include <stdbool.h>
#include <walship/assert.h>

struct err {
    int code; /* errno where there is one, else 0 */
    char text[512];
};

/* Both return false, so that `return err_set(...)` reads well. Over-long text is cut. */
bool err_set(struct err *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);
/* Puts "format: " before what err already says. */
bool err_wrap(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
