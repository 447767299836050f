/* refusals.c - how receivers say that they have something as new already. Texts of their sources,
 * matched as a part of the body; the status alone (400, 409, 422) does not tell.
 *
 * Prometheus takes a request of remote write 1.0 whole or not at all. The others take what they can
 * and name one of the samples that they did not: after such an answer, what was fit is there.
 * VictoriaMetrics refuses nothing for its time, Azure answers 2xx and drops later. */
#include "answers.h"

#include <strings.h>
#include <walship/assert.h>
#include <walship/limits.h>

/* The first that fits counts: the more special ones come first. */
static const struct refusal_text texts[] = {
    {"too far in the future", REFUSAL_CONTENT, "Prometheus, Mimir"},
    {"err-mimir-too-far-in-future", REFUSAL_CONTENT, "Mimir"},
    {"err-mimir-sample-out-of-order", REFUSAL_THERE_TAKEN, "Mimir"},
    {"err-mimir-sample-timestamp-too-old", REFUSAL_THERE_TAKEN, "Mimir"},
    {"err-mimir-sample-duplicate-timestamp", REFUSAL_THERE_TAKEN, "Mimir"},
    {"err: out of order sample", REFUSAL_THERE_TAKEN, "Cortex"},
    {"err: out of bounds", REFUSAL_THERE_TAKEN, "Cortex"},
    {"err: too old sample", REFUSAL_THERE_TAKEN, "Cortex"},
    {"err: duplicate sample for timestamp", REFUSAL_THERE_TAKEN, "Cortex"},
    {"samples: out of order sample", REFUSAL_THERE_TAKEN, "Thanos"},
    {"samples: out of bounds", REFUSAL_THERE_TAKEN, "Thanos"},
    {"samples: too old sample", REFUSAL_THERE_TAKEN, "Thanos"},
    {"samples: duplicate sample for timestamp", REFUSAL_THERE_TAKEN, "Thanos"},
    {": conflict", REFUSAL_THERE_TAKEN, "Thanos"},
    {"points must be written in order", REFUSAL_THERE_TAKEN, "Google Cloud Monitoring"},
    {"out of order sample", REFUSAL_THERE, "Prometheus"},
    {"duplicate sample for timestamp", REFUSAL_THERE, "Prometheus"},
    {"too old sample", REFUSAL_THERE, "Prometheus"},
    {"out of bounds", REFUSAL_THERE, "Prometheus"},
};

const struct refusal_text *refusal_text_at(size_t index)
{
    return index < ARRAY_COUNT(texts) ? &texts[index] : NULL;
}

static bool body_has(const char *body, size_t body_bytes, const char *text)
{
    size_t text_bytes = strlen(text);
    for (size_t i = 0; i + text_bytes <= body_bytes; i++) {
        if (strncasecmp(body + i, text, text_bytes) == 0) {
            return true;
        }
    }
    return false;
}

enum refusal answer_refusal(const char *body, size_t body_bytes)
{
    enum { LOOKED_AT_MAX = 4096 }; /* the reason stands at the start; a flood costs nothing */
    ASSERT(body != NULL || body_bytes == 0);
    size_t bytes = body_bytes < LOOKED_AT_MAX ? body_bytes : LOOKED_AT_MAX;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        if (body_has(body, bytes, texts[i].text)) {
            return texts[i].refusal;
        }
    }
    return REFUSAL_CONTENT;
}
