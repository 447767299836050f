/* expect.h - a check for hot loops of tests. ck_assert writes to a file each time it passes, which
 * costs seconds when it is asked a million times; this one speaks only when it fails. */
#ifndef T_EXPECT_H
#define T_EXPECT_H

#include <check.h>

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg("expected: %s", #condition);                                              \
        }                                                                                          \
    } while (0)

#endif
