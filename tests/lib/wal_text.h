/* wal_text.h - a decoded WAL record as text, one line an item: what tests compare and people read.
 * Values are shown as their bits, so equal text means equal items. */
#ifndef TESTS_WAL_TEXT_H
#define TESTS_WAL_TEXT_H

#include <walship/buf.h>
#include <walship/view.h>

/* Appends the lines of a record. It may be damaged: the items before the damage are shown, then a
 * line "broken". An unknown type is one line "unknown". */
void wal_text(struct view record, struct buf *out);

/* Decodes a whole record and encodes it again into out (cleared). False: broken or unknown. */
bool wal_recode(struct view record, struct buf *out);

#endif
