/* test_certificate.c - certificates in every form they come in, and the assertion verified with
 * OpenSSL as Entra would. */
#include "certificate.h"
#include "certificates.h"
#include "encode.h"

struct kit {
    EVP_PKEY *root_key, *key, *other_key;
    X509 *root, *leaf;
    struct secret bytes, separate;
    struct certificate loaded;
    struct err err;
};

static void kit_init(struct kit *kit)
{
    *kit = (struct kit){.root_key = make_key(), .key = make_key(), .other_key = make_key()};
    kit->root = make_certificate(kit->root_key, "root", NULL, NULL);
    kit->leaf = make_certificate(kit->key, "leaf", kit->root, kit->root_key);
}

static void kit_release(struct kit *kit)
{
    certificate_release(&kit->loaded);
    secret_reset(&kit->bytes, 0);
    secret_reset(&kit->separate, 0);
    X509_free(kit->root);
    X509_free(kit->leaf);
    EVP_PKEY_free(kit->root_key);
    EVP_PKEY_free(kit->key);
    EVP_PKEY_free(kit->other_key);
}

static bool kit_load(struct kit *kit, const char *password, bool chain)
{
    return certificate_load(&kit->loaded, &kit->bytes, &kit->separate, password, chain, &kit->err);
}

/* The header every form of the same certificate must give. */
static void expect_header(const struct kit *kit, bool chain)
{
    unsigned char digest[32];
    unsigned bytes = 0;
    struct secret text = {0};
    secret_reset(&text, 16384);
    ck_assert(X509_digest(kit->leaf, EVP_sha256(), digest, &bytes) == 1);
    secret_add(&text, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"");
    encode_base64(&text, digest, bytes, BASE64_URL);
    secret_add(&text, chain ? "\",\"x5c\":[\"" : "\"");
    for (int i = 0; chain && i < 2; i++) {
        unsigned char *der = NULL;
        int der_bytes = i2d_X509(i == 0 ? kit->leaf : kit->root, &der);
        encode_base64(&text, der, (size_t)der_bytes, BASE64_STANDARD);
        secret_add(&text, i == 0 ? "\",\"" : "\"]");
        OPENSSL_free(der);
    }
    secret_add(&text, "}");
    ck_assert_str_eq(kit->loaded.header.text, text.text);
    secret_reset(&text, 0);
}

START_TEST(pem_may_hold_key_and_certificates_in_any_order)
{
    struct kit kit;
    kit_init(&kit);
    for (int order = 0; order < 3; order++) {
        secret_reset(&kit.bytes, 0);
        if (order == 0) {
            put_key(&kit.bytes, kit.key, NULL);
        }
        put_certificate(&kit.bytes, order == 1 ? kit.leaf : kit.root);
        put_certificate(&kit.bytes, order == 1 ? kit.root : kit.leaf);
        if (order != 0) {
            put_key(&kit.bytes, kit.key, NULL);
        }
        ck_assert_msg(kit_load(&kit, NULL, order == 2), "%s", kit.err.text);
        expect_header(&kit, order == 2);
    }
    kit_release(&kit);
}
END_TEST

START_TEST(the_key_may_be_in_a_file_of_its_own_and_encrypted)
{
    struct kit kit;
    kit_init(&kit);
    put_certificate(&kit.bytes, kit.leaf);
    ck_assert(!kit_load(&kit, NULL, false));
    ck_assert_str_eq(kit.err.text,
                     "no private key in the file: add it, or give certificate_key_path");
    put_key(&kit.separate, kit.key, "sesame");
    ck_assert(!kit_load(&kit, NULL, false));
    ck_assert_str_eq(kit.err.text, "the private key can't be read: it is damaged, or "
                                   "certificate_password is missing");
    ck_assert(!kit_load(&kit, "open", false));
    ck_assert_str_eq(kit.err.text, "the private key can't be read: it is damaged, or "
                                   "certificate_password is wrong");
    ck_assert_ptr_null(kit.loaded.key);
    ck_assert_msg(kit_load(&kit, "sesame", false), "%s", kit.err.text);
    expect_header(&kit, false);
    kit_release(&kit);
}
END_TEST

START_TEST(pfx_with_and_without_a_password_gives_the_same)
{
    struct kit kit;
    kit_init(&kit);
    STACK_OF(X509) *others = sk_X509_new_null();
    ck_assert_int_gt(sk_X509_push(others, kit.root), 0);
    put_pfx(&kit.bytes, kit.key, kit.leaf, others, "sesame");
    ck_assert(!kit_load(&kit, NULL, false));
    ck_assert_str_eq(kit.err.text, "certificate_password is missing for this PFX file");
    ck_assert(!kit_load(&kit, "open", false));
    ck_assert_str_eq(kit.err.text, "certificate_password is wrong for this PFX file");
    ck_assert_msg(kit_load(&kit, "sesame", true), "%s", kit.err.text);
    expect_header(&kit, true);
    secret_reset(&kit.bytes, 0);
    put_pfx(&kit.bytes, kit.key, kit.leaf, others, "");
    ck_assert_msg(kit_load(&kit, NULL, false), "%s", kit.err.text);
    expect_header(&kit, false);
    sk_X509_free(others);
    kit_release(&kit);
}
END_TEST

START_TEST(what_can_not_sign_is_refused_and_the_old_one_stays)
{
    struct kit kit;
    kit_init(&kit);
    put_certificate(&kit.bytes, kit.leaf);
    put_key(&kit.bytes, kit.key, NULL);
    ck_assert(kit_load(&kit, NULL, false));
    const void *key = kit.loaded.key;

    secret_reset(&kit.bytes, 0);
    put_certificate(&kit.bytes, kit.leaf);
    put_key(&kit.bytes, kit.other_key, NULL);
    ck_assert(!kit_load(&kit, NULL, false));
    ck_assert_str_eq(kit.err.text, "the private key belongs to none of the certificates");

    secret_reset(&kit.bytes, 0);
    put_key(&kit.bytes, kit.key, NULL);
    ck_assert(!kit_load(&kit, NULL, false));
    ck_assert_str_eq(kit.err.text, "no certificate in the file");

    EVP_PKEY *curve = EVP_EC_gen("P-256");
    X509 *curved = make_certificate(curve, "ec", NULL, NULL);
    secret_reset(&kit.bytes, 0);
    put_certificate(&kit.bytes, curved);
    put_key(&kit.bytes, curve, NULL);
    ck_assert(!kit_load(&kit, NULL, false));
    ck_assert_str_eq(kit.err.text, "the key is not RSA: Entra takes PS256 assertions only");
    X509_free(curved);
    EVP_PKEY_free(curve);

    EVP_PKEY *small = EVP_RSA_gen(1024);
    X509 *weak = make_certificate(small, "weak", NULL, NULL);
    secret_reset(&kit.bytes, 0);
    put_certificate(&kit.bytes, weak);
    put_key(&kit.bytes, small, NULL);
    ck_assert(!kit_load(&kit, NULL, false));
    ck_assert_str_eq(kit.err.text, "the RSA key is shorter than 2048 bits");
    X509_free(weak);
    EVP_PKEY_free(small);

    secret_set(&kit.bytes, "rubbish", 7);
    ck_assert(!kit_load(&kit, NULL, false));
    ck_assert_str_eq(kit.err.text, "the file is neither PEM nor PFX");
    ck_assert_ptr_eq(kit.loaded.key, key);
    expect_header(&kit, false);
    kit_release(&kit);
}
END_TEST

static bool verify(EVP_PKEY *key, const char *text, size_t bytes, const char *signature,
                   size_t signature_bytes)
{
    EVP_PKEY_CTX *padding = NULL;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    ck_assert(EVP_DigestVerifyInit(digest, &padding, EVP_sha256(), NULL, key) == 1);
    ck_assert(EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1);
    ck_assert(EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST) == 1);
    int good = EVP_DigestVerify(digest, (const unsigned char *)signature, signature_bytes,
                                (const unsigned char *)text, bytes);
    EVP_MD_CTX_free(digest);
    return good == 1;
}

START_TEST(the_assertion_is_a_ps256_jwt_that_verifies)
{
    struct kit kit;
    struct secret signed_text = {0};
    const struct assertion assertion = {
        .audience = "https://login.microsoftonline.com/t/oauth2/v2.0/token",
        .client_id = "01234567-abcd-ef01-2345-67890abcdef0",
        .id = "8e0f4a2c-0000-4000-8000-000000000001",
        .now_ms = 1795000000123,
    };
    kit_init(&kit);
    put_certificate(&kit.bytes, kit.leaf);
    put_key(&kit.bytes, kit.key, NULL);
    ck_assert(kit_load(&kit, NULL, false));
    secret_reset(&signed_text, 16384);
    ck_assert(certificate_sign(&kit.loaded, &assertion, &signed_text, &kit.err));

    char *claims = strchr(signed_text.text, '.');
    ck_assert_ptr_nonnull(claims);
    char *signature = strchr(claims + 1, '.');
    ck_assert_ptr_nonnull(signature);
    ck_assert_ptr_null(strchr(signature + 1, '.'));
    size_t covered = (size_t)(signature - signed_text.text);
    char text[8192];
    ck_assert_uint_lt(covered, sizeof text);
    memcpy(text, signed_text.text, covered);
    size_t signature_bytes = base64url_decode(signature + 1);
    ck_assert_uint_eq(signature_bytes, 256);
    ck_assert(verify(kit.key, text, covered, signature + 1, signature_bytes));
    text[3] ^= 1;
    ck_assert(!verify(kit.key, text, covered, signature + 1, signature_bytes));

    *claims++ = '\0';
    *signature = '\0';
    (void)base64url_decode(signed_text.text);
    (void)base64url_decode(claims);
    ck_assert_str_eq(signed_text.text, kit.loaded.header.text);
    ck_assert_str_eq(claims, "{\"aud\":\"https://login.microsoftonline.com/t/oauth2/v2.0/token\","
                             "\"iss\":\"01234567-abcd-ef01-2345-67890abcdef0\","
                             "\"sub\":\"01234567-abcd-ef01-2345-67890abcdef0\","
                             "\"jti\":\"8e0f4a2c-0000-4000-8000-000000000001\","
                             "\"nbf\":1794999940,\"iat\":1794999940,\"exp\":1795000540}");
    secret_reset(&signed_text, 0);
    kit_release(&kit);
}
END_TEST

START_TEST(an_assertion_that_does_not_fit_is_refused)
{
    struct kit kit;
    struct secret small = {0};
    const struct assertion assertion = {.audience = "a", .client_id = "b", .id = "c"};
    kit_init(&kit);
    put_certificate(&kit.bytes, kit.leaf);
    put_key(&kit.bytes, kit.key, NULL);
    ck_assert(kit_load(&kit, NULL, false));
    secret_reset(&small, 300);
    ck_assert(!certificate_sign(&kit.loaded, &assertion, &small, &kit.err));
    secret_reset(&small, 0);
    kit_release(&kit);
}
END_TEST

Suite *suite_certificate(void);
Suite *suite_certificate(void)
{
    Suite *suite = suite_create("certificate");
    TCase *tcase = tcase_create("certificate");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, pem_may_hold_key_and_certificates_in_any_order);
    tcase_add_test(tcase, the_key_may_be_in_a_file_of_its_own_and_encrypted);
    tcase_add_test(tcase, pfx_with_and_without_a_password_gives_the_same);
    tcase_add_test(tcase, what_can_not_sign_is_refused_and_the_old_one_stays);
    tcase_add_test(tcase, the_assertion_is_a_ps256_jwt_that_verifies);
    tcase_add_test(tcase, an_assertion_that_does_not_fit_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
