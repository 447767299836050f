/* secret.c - text that is wiped. See secret.h. */
#include "secret.h"

#include <walship/mem.h>

void secret_reset(struct secret *secret, size_t room)
{
    ASSERT(secret != NULL);
    if (secret->text != NULL) {
        explicit_bzero(secret->text, secret->room + 1);
        mem_free(secret->text);
    }
    *secret = (struct secret){0};
    if (room > 0) {
        secret->text = mem_new(room + 1, 1);
        secret->room = room;
    }
}

void secret_append(struct secret *secret, const char *text, size_t bytes)
{
    ASSERT(secret->text != NULL && secret->bytes <= secret->room);
    if (bytes > secret->room - secret->bytes) {
        secret->cut = true;
        return;
    }
    if (bytes > 0) {
        memcpy(secret->text + secret->bytes, text, bytes);
        secret->bytes += bytes;
        secret->text[secret->bytes] = '\0';
    }
}

void secret_add(struct secret *secret, const char *text)
{
    secret_append(secret, text, strlen(text));
}

void secret_number(struct secret *secret, int64_t number)
{
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%lld", (long long)number);
    ASSERT(count > 0 && (size_t)count < sizeof digits);
    secret_append(secret, digits, (size_t)count);
}

void secret_set(struct secret *secret, const char *text, size_t bytes)
{
    /* the new text first: it may be a part of the old */
    struct secret fresh = {0};
    secret_reset(&fresh, bytes > 0 ? bytes : 1);
    secret_append(&fresh, text, bytes);
    secret_take(secret, &fresh);
}

void secret_take(struct secret *secret, struct secret *giver)
{
    ASSERT(secret != giver);
    secret_reset(secret, 0);
    *secret = *giver;
    *giver = (struct secret){0};
}

bool secret_equal(const struct secret *left, const struct secret *right)
{
    return left->bytes == right->bytes &&
           (left->bytes == 0 || memcmp(left->text, right->text, left->bytes) == 0);
}

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

void secret_trim(struct secret *secret)
{
    size_t from = 0, to = secret->bytes;
    while (from < to && is_blank(secret->text[from])) {
        from++;
    }
    while (to > from && is_blank(secret->text[to - 1])) {
        to--;
    }
    if (from == 0 && to == secret->bytes) {
        return;
    }
    ASSERT(secret->text != NULL);
    memmove(secret->text, secret->text + from, to - from);
    secret->bytes = to - from;
    explicit_bzero(secret->text + secret->bytes, secret->room + 1 - secret->bytes);
}

bool secret_is_printable(const struct secret *secret)
{
    for (size_t i = 0; i < secret->bytes; i++) {
        if (secret->text[i] < ' ' || secret->text[i] > '~') {
            return false;
        }
    }
    return true;
}

void secret_string_free(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        mem_free(text);
    }
}
