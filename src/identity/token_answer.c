/* token_answer.c - see token_answer.h. */
#include "token_answer.h"

#include "json_flat.h"

#include <strings.h>
#include <walship/identity.h>

/* A copy of the value when the member has this name; what doesn't fit counts as absent. */
static void take_field(const struct json_member *member, const char *name, char *out, size_t room)
{
    if (member->kind == JSON_OTHER || !json_name_is(member, name)) {
        return;
    }
    if (!json_text(member, out, room, NULL)) {
        out[0] = '\0';
    }
}

static void take_token(const struct json_member *member, struct secret *token)
{
    size_t raw = view_left(&member->value);
    if (member->kind != JSON_STRING || !json_name_is(member, "access_token") || raw == 0 ||
        raw > IDENTITY_TOKEN_BYTES_MAX) {
        return;
    }
    secret_reset(token, raw);
    if (!json_text(member, token->text, raw + 1, &token->bytes)) {
        secret_reset(token, 0);
    }
}

static void take_member(const struct json_member *member, struct token_answer *out)
{
    take_token(member, &out->token);
    take_field(member, "token_type", out->type, sizeof out->type);
    take_field(member, "expires_on", out->expires_on, sizeof out->expires_on);
    take_field(member, "expires_in", out->expires_in, sizeof out->expires_in);
    take_field(member, "refresh_in", out->refresh_in, sizeof out->refresh_in);
    take_field(member, "client_id", out->client_id, sizeof out->client_id);
    take_field(member, "object_id", out->object_id, sizeof out->object_id);
    take_field(member, "msi_res_id", out->msi_res_id, sizeof out->msi_res_id);
    take_field(member, "mi_res_id", out->msi_res_id, sizeof out->msi_res_id);
}

bool token_answer_parse(const char *body, size_t bytes, struct token_answer *out, struct err *err)
{
    struct json_flat json;
    struct json_member member;
    ASSERT(out->token.text == NULL && out->type[0] == '\0');
    json_flat_init(&json, body, bytes);
    while (json_flat_next(&json, &member)) {
        take_member(&member, out);
    }
    if (!json_flat_ok(&json)) {
        return err_set(err, 0, "the answer is not a JSON object");
    }
    if (out->token.bytes == 0) {
        return err_set(err, 0, "the answer has no access_token");
    }
    if (!secret_is_printable(&out->token) || strchr(out->token.text, ' ') != NULL) {
        return err_set(err, 0, "the access_token has bytes that can't stand in a header");
    }
    if (out->type[0] != '\0' && strcasecmp(out->type, "Bearer") != 0) {
        return err_set(err, 0, "the token's type is not Bearer");
    }
    return true;
}

void token_answer_release(struct token_answer *answer)
{
    secret_reset(&answer->token, 0);
}

/* ---- refusals ---- */

/* The first number behind `mark`; view is text, not NUL-terminated. */
static uint32_t number_behind(const struct view *text, const char *mark)
{
    size_t bytes = strlen(mark);
    const uint8_t *found = memmem(text->at, view_left(text), mark, bytes);
    uint32_t number = 0;
    if (found == NULL) {
        return 0;
    }
    for (found += bytes; found < text->end && *found >= '0' && *found <= '9'; found++) {
        if (number > UINT32_MAX / 10 - 1) {
            return 0;
        }
        number = number * 10 + (uint32_t)(*found - '0');
    }
    return number;
}

static bool mentions(const struct view *text, const char *words)
{
    return memmem(text->at, view_left(text), words, strlen(words)) != NULL;
}

static void take_error_word(const struct json_member *member, struct token_refusal *out)
{
    char word[TOKEN_WORD_BYTES];
    if (!json_text(member, word, sizeof word, NULL) ||
        strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(word)) {
        return;
    }
    memcpy(out->error, word, sizeof word);
}

static void take_refusal(const struct json_member *member, struct token_refusal *out)
{
    if (json_name_is(member, "error") && member->kind == JSON_STRING) {
        take_error_word(member, out);
    } else if (json_name_is(member, "error_description") && member->kind == JSON_STRING) {
        uint32_t code = number_behind(&member->value, "AADSTS");
        out->aadsts = code != 0 ? code : out->aadsts;
        out->no_identity = mentions(&member->value, "Identity not found");
        out->which_identity = mentions(&member->value, "Multiple user assigned identities");
    } else if (json_name_is(member, "error_codes") && out->aadsts == 0) {
        out->aadsts = number_behind(&member->value, "[");
    }
}

void token_refusal_parse(const char *body, size_t bytes, struct token_refusal *out)
{
    struct json_flat json;
    struct json_member member;
    ASSERT(out != NULL);
    *out = (struct token_refusal){0};
    json_flat_init(&json, body, bytes);
    while (json_flat_next(&json, &member)) {
        take_refusal(&member, out);
    }
    if (!json_flat_ok(&json)) {
        *out = (struct token_refusal){0}; /* half of a document is no document */
    }
}
