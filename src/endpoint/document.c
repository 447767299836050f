/* document.c - docs/VERDICTS.md from the tables. The unit test writes it again on demand; see
 * there. */
#include "answers.h"

#include <limits.h>
#include <walship/assert.h>
#include <walship/endpoint.h>

static const char head[] =
    "# What an answer means\n\n"
    "Made from the tables in `src/endpoint` (`WALSHIP_WRITE_DOCS=1 build/dev/test_endpoint`).\n\n"
    "| answer | what walship does | what it tells the operator |\n|---|---|---|\n";

static const char network[] =
    "| no connection, name or TLS | retried like 503; surely nothing arrived | |\n"
    "| timeout, reset, answer cut | retried like 503 with the same bytes; it may have arrived; of "
    "large requests the fourth in a row is a small piece; one that ends so after a piece was "
    "taken: as 413 | |\n";

static const char *const meanings[] = {
    [ANSWER_ACKED] = "settled: acked",
    [ANSWER_RETRY] =
        "the same bytes again: jittered backoff, Retry-After kept; a request that alone "
        "fails 8 times is taken apart",
    [ANSWER_THROTTLED] =
        "as a 503; with `retry_on_http_429: false` it is lost (`rejected`) at once, "
        "as in Prometheus",
    [ANSWER_SMALLER] =
        "half of it, and later requests are as small; a little more is tried each minute",
    [ANSWER_REFUSED] = "already there, or taken apart until the culprit is known: below",
    [ANSWER_HOLD] = "nothing is lost: the endpoint is held, a small probe each 15-60 s",
};

static const char redirects[] =
    "\n## Redirects\n\n"
    "A 307 or 308 is followed at once with the same bytes, at most 5 times in a row, when it leads "
    "to the same scheme, host and port, or to https of the same host (the same port, or 443): the "
    "token never goes to another origin. A 308 holds for the endpoint until the next reload or "
    "start, a 307 for that batch, and each only while the new place neither refuses nor is out of "
    "reach. All other redirects hold the endpoint and the log names the origin they lead to; so "
    "do 307 and 308 with `follow_redirects: false`. Requests of metadata follow in the same way, "
    "but one that is not followed holds nothing.\n";

static const char apart[] =
    "\n## Refused (400, 409, 422)\n\n"
    "What is refused is taken apart by halves from the front; a piece that is taken is settled, so "
    "nothing is sent in another order than before. What is refused alone is asked for again after "
    "the endpoint took something else that was sent later, and since it was ill last; refused once more, it is quarantined: "
    "`rejected` in the "
    "ledger, with labels and the receiver's words. One such item costs log2(batch) + 4 further "
    "requests at most. When the rest of its series in that batch is refused too, or the series "
    "again in a later one, the series is quarantined for 10 minutes: its items go to the ledger "
    "without a request; then they are tried apart from all others. While everything is refused, "
    "also four items from all over the batch once three are, nothing is quarantined: the endpoint is "
    "held.\n\n"
    "A request that fails 8 times with 5xx, timeout or reset is taken apart in the same way, and a "
    "piece counts as refused when it failed 3 times while the endpoint took something else in "
    "between: `server_error`.\n"
    "\n## Already there\n\n"
    "Texts that say that the receiver has something as new for a series. For what may have been "
    "delivered before (sent again after an ambiguous end, read again after a start) they mean that "
    "it is there: `already there`, never lost. How much of it? The first open item of a shard is "
    "asked for alone: taken, nothing of its series was skipped and nothing of its shard overtaken; "
    "refused, a later one of its series is there (an equal newest one is taken silently). What that "
    "proves:\n\n"
    "- A shard leaves in order. So all that lies before that later one in the shard is there as "
    "well, and when the shard's part of the batch holds no later one, all of that part; "
    "but only up to the end of the item's segment. A crash may have cut that off behind what is "
    "left of it, and then the later one may be gone.\n"
    "- A batch sent again with the same bytes was delivered whole or not at all: all of it is "
    "there. A series of which a smaller piece may have been delivered since is no witness of that.\n"
    "- It proves nothing, but for itself, when it is not newer than all that was settled of its "
    "shard (sources with an out-of-order window write such items), or when the order of the shard "
    "was broken: a search for a culprit lets later items pass, and before the first of them leaves, "
    "that is saved (what would overtake waits while the state can't be saved). Nor after a change of "
    "the rules, until all that was sent by the old ones is settled; nor after a start that found no "
    "state, until the end of the WAL of then is settled: where an earlier life began, and what it "
    "let overtake, is not known; nor, as long, behind bytes or segments that can't be read any more, "
    "or in another WAL: what an earlier life sent of them is at the receiver only. Where nothing is "
    "proved, each item that is there costs a request.\n\n"
    "So after a kill a shard of which something had been sent costs one request for each round of "
    "its series that is there, two more, and log2(batch) where series come and go; a batch of several "
    "such shards is halved first, shard by shard. A search over time, 2*log2(batch) for all of it, "
    "is not possible without harm at a receiver that tells one bit a request: a later sample of a "
    "series that is sent before an earlier one is taken where both are missing, and then what lies "
    "between is refused for ever. For anything else these texts mean a refusal of that item.\n\n"
    "| text | by | what it took of the request |\n|---|---|---|\n";

static bool write_range(const struct answer_row *row, struct buf *out)
{
    if (row->first == INT_MIN) {
        return buf_format(out, "| anything else ");
    }
    if (row->first == row->last) {
        return buf_format(out, "| %d ", row->first);
    }
    return buf_format(out, "| %d-%d ", row->first, row->last);
}

static bool write_refusal(const struct refusal_text *row, struct buf *out)
{
    const char *taken = NULL;
    switch (row->refusal) {
    case REFUSAL_CONTENT:
        taken = "not of this kind: refused";
        break;
    case REFUSAL_THERE:
        taken = "nothing";
        break;
    case REFUSAL_THERE_TAKEN:
        taken = "all that it could take";
        break;
    }
    ASSERT(taken != NULL);
    return buf_format(out, "| `%s` | %s | %s |\n", row->text, row->said_by, taken);
}

bool endpoint_document(struct buf *out)
{
    bool fits = buf_format(out, "%s", head);
    for (size_t i = 0; answer_row_at(i) != NULL; i++) {
        const struct answer_row *row = answer_row_at(i);
        ASSERT((size_t)row->class < ARRAY_COUNT(meanings));
        fits = fits && write_range(row, out) &&
               buf_format(out, "| %s | %s |\n", meanings[row->class],
                          row->advice == NULL ? "" : row->advice);
    }
    fits = fits && buf_format(out, "%s%s%s", network, redirects, apart);
    for (size_t i = 0; refusal_text_at(i) != NULL; i++) {
        fits = fits && write_refusal(refusal_text_at(i), out);
    }
    return fits;
}
