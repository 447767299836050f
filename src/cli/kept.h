/* kept.h - how much of what a destination waits for is in the spool alone. */
#ifndef CLI_KEPT_H
#define CLI_KEPT_H

#include <walship/store.h>
#include <walship/tail.h>

/* Bytes of the segment at `path` before the zeros with which Prometheus fills the last page of one
 * that it is done with: they hold nothing that waits. `bytes` of it are looked at; all of them
 * where it can't be read. */
uint64_t kept_filled_bytes(const char *path, uint64_t bytes);

/* From this place on: segments in the spool (links, and copies by the file they are of) that `dir`
 * does not have. 0 as well where spool_dir does not exist or can't be read. */
uint64_t kept_behind_bytes(const char *spool_dir, const struct waldir *dir,
                           const struct store_watermark *mark);

#endif
