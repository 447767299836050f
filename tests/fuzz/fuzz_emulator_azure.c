/* fuzz_emulator_azure.c - what the emulator reads from a client of Azure, over any bytes: a form, a
 * JSON object, a token; and what is quoted for an answer. The first byte chooses.
 *
 * What is read must hold together: a form's parts have no NUL and lie in its copy, a token's claims
 * are valid JSON, and no token that the emulator did not sign is good. */
#include "../../tools/emulator/claims.c"
#include "../../tools/emulator/form.c"
#include "../../tools/emulator/jwt.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_form(struct view body)
{
    struct form form;
    struct err err;
    if (form_parse(body, &form, &err)) {
        for (size_t index = 0; index < form.count; index++) {
            ASSERT(form_get(&form, form.names[index]) != NULL);
            ASSERT(strlen(form.values[index]) + strlen(form.names[index]) <= view_left(&body));
        }
    }
    form_release(&form);
}

static void read_claims(struct view object)
{
    static const char *const NAMES[] = {"aud", "iss", "sub", "exp", "jti", "x5c", "alg"};
    char text[64];
    int64_t number;
    bool valid = claims_valid(object);
    for (size_t index = 0; index < ARRAY_COUNT(NAMES); index++) {
        bool found = claims_text(object, NAMES[index], text, sizeof text);
        ASSERT(!found || strlen(text) < sizeof text);
        if (found && valid) {
            ASSERT(claims_has(object, NAMES[index], text));
            ASSERT(!claims_integer(object, NAMES[index], &number));
        }
    }
}

static void read_token(struct view token, EVP_PKEY *key)
{
    struct jwt jwt;
    struct err err;
    if (jwt_split(token, &jwt, &err)) {
        ASSERT(view_left(&jwt.signed_text) < view_left(&token));
        ASSERT(claims_valid(view_of(jwt.claims.data, jwt.claims.bytes)));
        read_claims(view_of(jwt.header.data, jwt.header.bytes));
        read_claims(view_of(jwt.claims.data, jwt.claims.bytes));
        ASSERT(!jwt_verify(&jwt, key));
        X509_free(jwt_leaf(&jwt));
    }
    jwt_release(&jwt);
}

/* What is quoted is read back as it was. */
static void quote(struct view text)
{
    struct buf copy, object;
    char back[512];
    buf_init(&copy, 256);
    buf_init(&object, 4096);
    if (view_left(&text) < 256 && memchr(text.at, 0, view_left(&text)) == NULL &&
        buf_append(&copy, text.at, view_left(&text)) && buf_append(&copy, "", 1)) {
        bool good = buf_format(&object, "{\"a\":") &&
                    claims_quote(&object, (const char *)copy.data) && buf_append(&object, "}", 1);
        ASSERT(good);
        struct view whole = view_of(object.data, object.bytes);
        ASSERT(claims_valid(whole));
        ASSERT(claims_text(whole, "a", back, sizeof back));
        ASSERT(strcmp(back, (const char *)copy.data) == 0);
    }
    buf_release(&copy);
    buf_release(&object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static EVP_PKEY *key;
    if (key == NULL) {
        key = jwt_key_new();
    }
    if (size == 0) {
        return 0;
    }
    struct view rest = view_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        read_form(rest);
        break;
    case 1:
        read_claims(rest);
        break;
    case 2:
        read_token(rest, key);
        break;
    default:
        quote(rest);
        break;
    }
    return 0;
}
