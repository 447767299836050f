/* issuer.c - a stand-in for a cluster's token issuer: GET /issuer/token gives the federated token
 * of a subject, as the kubelet would put it into a file. */
#include "azure.h"

#include <stdio.h>
#include <walship/conf.h>

enum { TEXT_BYTES_MAX = 512 };

static const char *short_query(const struct exchange *exchange, const char *key,
                               const char *otherwise)
{
    const char *text = exchange_query(exchange, key);
    return text == NULL || strlen(text) > TEXT_BYTES_MAX ? otherwise : text;
}

void issuer_answer(struct azure *azure, const struct exchange *exchange, struct answer *answer)
{
    const char *own = azure->options->issuer;
    const char *subject = short_query(exchange, "subject", NULL);
    int64_t life_ms;
    if (own == NULL || strlen(own) > TEXT_BYTES_MAX || subject == NULL ||
        !conf_duration_parse(short_query(exchange, "life", "1h"), &life_ms)) {
        answer_text(answer, 400,
                    "needs subject (and life, audience, issuer), and "
                    "federated_issuer in the configuration");
        return;
    }
    struct federated_claims claims = {
        .issuer = short_query(exchange, "issuer", own),
        .subject = subject,
        .audience = short_query(exchange, "audience", "api://AzureADTokenExchange"),
        .from_ms = exchange->wall_ms,
        .until_ms = exchange->wall_ms + life_ms,
    };
    buf_clear(&answer->body);
    token_federated(azure, &claims, &answer->body);
    answer->status = 200;
    answer->content_type = "text/plain; charset=utf-8";
}
