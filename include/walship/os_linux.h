/* os_linux.h - the real os.h: clock_gettime, getrandom, open/fstat/pread, inotify.
 *
 * Owns one inotify descriptor; every descriptor it opens is close-on-exec. Loop thread only.
 * Where inotify is not to be had (no instances left, another kernel), or a watched directory went
 * away, hint says OS_HINT_UNAVAILABLE: the caller polls, and may watch again. */
#ifndef WALSHIP_OS_LINUX_H
#define WALSHIP_OS_LINUX_H

#include <walship/os.h>

struct os *os_linux_new(void);
void os_linux_free(struct os *os);
/* For the poll loop, readable when hint has something to say; -1: there is none. */
int os_linux_fd(struct os *os);

#endif
