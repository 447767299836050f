/* fake_os.h - os.h in memory: files, directories, clocks, random numbers and hints that a test
 * sets, and the faults it orders. Deterministic from the seed; no system call, no thread.
 *
 * Files behave as POSIX has it: an unlinked or replaced file lives on while a descriptor is open.
 * Paths are plain strings ("/wal/00000000"); the parent directory must exist. Using a path that is
 * not there in a test-side call (fake_os_truncate, ...) is a bug of the test and aborts. */
#ifndef FAKE_OS_H
#define FAKE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/os.h>
#include <walship/rng.h>

struct fake_os;

struct fake_os *fake_os_new(uint64_t seed); /* holds the directory "/" only */
void fake_os_free(struct fake_os *fake);    /* aborts when a descriptor is still open */
struct os *fake_os_seam(struct fake_os *fake);

/* ---- clocks: both start at values that are not 0 ---- */
void fake_os_advance(struct fake_os *fake, int64_t ms); /* both */
void fake_os_set_wall(struct fake_os *fake, int64_t ms);
int64_t fake_os_now(const struct fake_os *fake);

/* ---- what the world does to the files; each gives a hint, if hints are not held back ---- */
void fake_os_mkdir(struct fake_os *fake, const char *path);
void fake_os_append(struct fake_os *fake, const char *path, const void *bytes, size_t count);
/* Another file under the same name: a new inode. Creates it too. */
void fake_os_replace(struct fake_os *fake, const char *path, const void *bytes, size_t count);
void fake_os_overwrite(struct fake_os *fake, const char *path, uint64_t at, const void *bytes,
                       size_t count);
/* Shorter, or longer with zeros. */
void fake_os_truncate(struct fake_os *fake, const char *path, uint64_t bytes);
void fake_os_unlink(struct fake_os *fake,
                    const char *path); /* a file, or a directory and all in it */
void fake_os_clear(struct fake_os *fake, const char *path); /* all that is in a directory */
void fake_os_rename(struct fake_os *fake, const char *from, const char *to);
/* A second name of the same file. */
void fake_os_link(struct fake_os *fake, const char *from, const char *to);
/* What is in a directory; no call of the code under test is counted. */
void fake_os_names(const struct fake_os *fake, const char *path, os_entry_fn *each, void *context);
bool fake_os_exists(const struct fake_os *fake, const char *path);
uint64_t fake_os_bytes(const struct fake_os *fake, const char *path);
const uint8_t *fake_os_data(const struct fake_os *fake, const char *path);
/* New files take inode numbers of removed ones first, as ext4 does. Off at first. */
void fake_os_reuse_inodes(struct fake_os *fake, bool on);
/* All bytes of the file are durable from now on. */
void fake_os_sync(struct fake_os *fake, const char *path);
/* Unsynced tails are gone. With `rng` each file keeps a random part of its tail, which half of the
 * time reads as zeros; NULL: all of it is lost. Open descriptors see it too: close them, the
 * process is dead as well. */
void fake_os_power_cut(struct fake_os *fake, struct rng *rng);

/* ---- faults ---- */
enum fake_os_call { FAKE_OS_OPEN, FAKE_OS_STAT, FAKE_OS_PREAD, FAKE_OS_LIST, FAKE_OS_CALLS };
/* The nth call of that kind from now (1: the next) fails with that errno, once. */
void fake_os_fail_nth(struct fake_os *fake, enum fake_os_call call, uint64_t nth, int error);
/* Every open, stat, pread or list of that path fails until set to 0. */
void fake_os_fail_path(struct fake_os *fake, const char *path, int error);
/* That many of 100 preads give only a part of what was asked for (at least 1 byte). */
void fake_os_short_reads(struct fake_os *fake, unsigned percent);
/* That many of 100 changes give no hint; that many of 100 hints come twice. */
void fake_os_hint_faults(struct fake_os *fake, unsigned missed_percent, unsigned doubled_percent);
void fake_os_hints_available(struct fake_os *fake, bool available);

/* ---- what the code under test did ---- */
uint64_t fake_os_calls(const struct fake_os *fake, enum fake_os_call call);
size_t fake_os_open_count(const struct fake_os *fake);
/* Ends every open descriptor: the process under test was killed. */
void fake_os_close_all(struct fake_os *fake);

#endif
