/* status_mhd_web.c - see status_mhd_web.h. bcrypt by crypt(3), client certificates by GnuTLS, which
 * is what libmicrohttpd speaks TLS with. */
#include "status_mhd_web.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <time.h>
#include <unistd.h>
#include <walship/assert.h>
#include <walship/mem.h>

enum { FILE_BYTES_MAX = 256 << 10, WRONG_WAIT_MS = 1000, PASSWORD_BYTES_MAX = 512 };

/* ---- TLS ---- */

static void wipe(char *text, size_t bytes)
{
    if (text != NULL) {
        explicit_bzero(text, bytes);
        mem_free(text);
    }
}

static char *file_read(const char *path, struct err *err)
{
    char *text = mem_new(FILE_BYTES_MAX + 1, 1);
    size_t bytes = 0;
    ssize_t got = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (fd >= 0 && bytes < FILE_BYTES_MAX &&
           (got = read(fd, text + bytes, FILE_BYTES_MAX - bytes)) > 0) {
        bytes += (size_t)got;
    }
    if (got != 0) {
        err_set(err, errno, "web_config: %s: %s", path,
                got < 0 ? strerror(errno) : "larger than 256 KiB");
        wipe(text, FILE_BYTES_MAX);
        text = NULL;
    }
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

void status_tls_release(struct status_tls *tls)
{
    wipe(tls->cert, FILE_BYTES_MAX);
    wipe(tls->key, FILE_BYTES_MAX);
    wipe(tls->ca, FILE_BYTES_MAX);
    *tls = (struct status_tls){0};
}

/* Before the daemon is asked: it would only say that it did not start. */
static bool pair_good(const struct status_tls *tls, const struct conf_web *web, struct err *err)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t cert = {(unsigned char *)tls->cert, (unsigned)strlen(tls->cert)};
    gnutls_datum_t key = {(unsigned char *)tls->key, (unsigned)strlen(tls->key)};
    int code = gnutls_certificate_allocate_credentials(&credentials);
    ASSERT(code == GNUTLS_E_SUCCESS);
    code = gnutls_certificate_set_x509_key_mem(credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    return code == GNUTLS_E_SUCCESS || err_set(err, 0, "web_config: %s and %s: %s", web->cert_file,
                                               web->key_file, gnutls_strerror(code));
}

bool status_tls_read(struct status_tls *tls, const struct conf_web *web, struct err *err)
{
    *tls = (struct status_tls){0};
    tls->cert = file_read(web->cert_file, err);
    tls->key = tls->cert != NULL ? file_read(web->key_file, err) : NULL;
    if (tls->key != NULL && web->client_ca_file != NULL) {
        tls->ca = file_read(web->client_ca_file, err);
    }
    bool ca_good = web->client_ca_file == NULL || tls->ca != NULL;
    if (tls->key == NULL || !ca_good || !pair_good(tls, web, err)) {
        status_tls_release(tls);
        return false;
    }
    bool old = web->min_tls != HTTP_TLS_1_3, new = web->max_tls != HTTP_TLS_1_2;
    (void)snprintf(tls->priorities, sizeof tls->priorities, "NORMAL:-VERS-ALL%s%s",
                   old ? ":+VERS-TLS1.2" : "", new ? ":+VERS-TLS1.3" : "");
    return true;
}

static gnutls_session_t session_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info == NULL ? NULL : info->tls_session;
}

/* The daemon asks by itself only where it has CAs; RequireAnyClientCert may have none. */
void status_tls_ask(const struct conf_web *web, struct MHD_Connection *connection)
{
    gnutls_session_t session = session_of(connection);
    if (session == NULL || web->client_auth == CONF_WEB_NO_CLIENT_CERT) {
        return;
    }
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    if (web->client_auth < CONF_WEB_VERIFY_CLIENT_CERT_IF_GIVEN) {
        gnutls_certificate_send_x509_rdn_sequence(session, 1); /* of any CA: names none */
    }
}

bool status_tls_client_good(const struct conf_web *web, struct MHD_Connection *connection)
{
    bool required = web->client_auth == CONF_WEB_REQUIRE_ANY_CLIENT_CERT ||
                    web->client_auth == CONF_WEB_REQUIRE_AND_VERIFY_CLIENT_CERT;
    bool verified = web->client_auth >= CONF_WEB_VERIFY_CLIENT_CERT_IF_GIVEN;
    if (web->cert_file == NULL || (!required && !verified)) {
        return true;
    }
    gnutls_session_t session = session_of(connection);
    if (session == NULL) {
        return false;
    }
    unsigned count = 0;
    unsigned status = 0;
    if (gnutls_certificate_get_peers(session, &count) == NULL || count == 0) {
        return !required;
    }
    return !verified ||
           (gnutls_certificate_verify_peers2(session, &status) == GNUTLS_E_SUCCESS && status == 0);
}

/* ---- basic auth ---- */

/* As long as the longer one, whatever the texts are. */
static bool same(const char *left, size_t left_bytes, const char *right, size_t right_bytes)
{
    unsigned char differs = left_bytes != right_bytes;
    for (size_t i = 0; i < left_bytes && i < right_bytes; i++) {
        differs |= (unsigned char)(left[i] ^ right[i]);
    }
    return differs == 0;
}

static bool hash_matches(const char *password, const char *hash)
{
    ASSERT(password != NULL && hash != NULL);
    struct crypt_data *data = mem_new(1, sizeof *data);
    const char *made = crypt_r(password, hash, data);
    bool good = made != NULL && same(made, strlen(made), hash, strlen(hash));
    explicit_bzero(data, sizeof *data);
    mem_free(data);
    return good;
}

/* An unknown user costs as much as a known one. */
static const char *hash_of(const struct conf_web *web, const char *user)
{
    for (size_t i = 0; i < web->users_count; i++) {
        if (strcmp(web->users[i].name, user) == 0) {
            return web->users[i].hash;
        }
    }
    return NULL;
}

static bool is_known(const struct status_users *users, const char *pair, size_t bytes)
{
    return users->known != NULL && same(users->known, users->known_bytes, pair, bytes);
}

static int64_t now_ms(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    ASSERT(failed == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* bcrypt holds up the one loop, a second and more where the hashes are dear: who guesses gets a
 * tenth of its time at most. */
static void wrong(struct status_users *users, int64_t from_ms)
{
    int64_t end_ms = now_ms();
    ASSERT(end_ms >= from_ms);
    users->not_before_ms = end_ms + WRONG_WAIT_MS + (end_ms - from_ms) * 9;
}

static enum status_user pair_check(struct status_users *users, const struct conf_web *web,
                                   const char *pair, size_t bytes)
{
    int64_t from_ms = now_ms();
    const char *password = pair + strlen(pair) + 1;
    if (is_known(users, pair, bytes)) {
        return STATUS_USER_GOOD;
    }
    if (from_ms < users->not_before_ms) {
        return STATUS_USER_LATER;
    }
    const char *hash = hash_of(web, pair);
    bool good = hash_matches(password, hash != NULL ? hash : web->users[0].hash) && hash != NULL;
    if (!good) {
        wrong(users, from_ms);
        return STATUS_USER_BAD;
    }
    status_users_release(users);
    users->known = mem_new(bytes, 1);
    users->known_bytes = bytes;
    memcpy(users->known, pair, bytes);
    return STATUS_USER_GOOD;
}

enum status_user status_users_check(struct status_users *users, const struct conf_web *web,
                                    struct MHD_Connection *connection)
{
    char pair[2 * PASSWORD_BYTES_MAX];
    ASSERT(web->users_count > 0);
    char *password = NULL;
    char *user = MHD_basic_auth_get_username_password(connection, &password);
    enum status_user result = STATUS_USER_BAD;
    if (user != NULL && password != NULL && strlen(user) < PASSWORD_BYTES_MAX &&
        strlen(password) < PASSWORD_BYTES_MAX) {
        int bytes = snprintf(pair, sizeof pair, "%s%c%s", user, 0, password);
        ASSERT(bytes > 0 && (size_t)bytes < sizeof pair);
        result = pair_check(users, web, pair, (size_t)bytes + 1);
    }
    if (password != NULL) {
        explicit_bzero(password, strlen(password));
        MHD_free(password);
    }
    MHD_free(user);
    explicit_bzero(pair, sizeof pair);
    return result;
}

void status_users_release(struct status_users *users)
{
    wipe(users->known, users->known_bytes);
    users->known = NULL;
    users->known_bytes = 0;
}
