/* histogram_text.h - a native histogram as Prometheus' tools print it:
 * {count:3, sum:1.5, [-2,-1):1, [-0.001,0.001]:1, (0.5,1]:1} */
#ifndef CLI_HISTOGRAM_TEXT_H
#define CLI_HISTOGRAM_TEXT_H

#include <walship/buf.h>
#include <walship/wal_record.h>

/* Any decoded histogram of a known schema; spans and buckets that disagree are cut to the shorter.
 * False: out is full. */
MUST_USE bool histogram_text(const struct wal_histogram *histogram, struct buf *out);

#endif
