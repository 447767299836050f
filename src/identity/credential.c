/* credential.c - see credential.h. Files are compared by content, not by stat: a secret rotated in
 * place may keep its inode and its size. */
#include "credential.h"

#include <errno.h>

/* Short reads are not the end: only a read of nothing is. */
static int64_t read_all(struct os *os, int fd, char *out, size_t room)
{
    size_t used = 0;
    while (used < room) {
        int64_t got = os->pread(os, fd, out + used, room - used, used);
        if (got <= 0) {
            return got < 0 ? got : (int64_t)used;
        }
        used += (size_t)got;
    }
    return (int64_t)used;
}

static bool read_open(struct os *os, int fd, size_t bytes_max, struct secret *out, struct err *err)
{
    struct os_stat stat;
    int status = os->stat_fd(os, fd, &stat);
    if (status < 0) {
        return err_set(err, -status, "%s", strerror(-status));
    }
    if (stat.is_directory) {
        return err_set(err, 0, "it is a directory");
    }
    /* one byte more than allowed, to see a file that grew or that stat knows no size of */
    secret_reset(out, bytes_max + 1);
    int64_t got =
        stat.bytes > bytes_max ? (int64_t)stat.bytes : read_all(os, fd, out->text, bytes_max + 1);
    if (got == -ESPIPE) {
        secret_reset(out, 0);
        return err_set(err, ESPIPE, "it is a pipe, and must be a file");
    }
    if (got < 0 || (uint64_t)got > bytes_max) {
        secret_reset(out, 0);
        return got < 0 ? err_set(err, (int)-got, "%s", strerror((int)-got))
                       : err_set(err, 0, "it is larger than the %zu bytes allowed", bytes_max);
    }
    out->bytes = (size_t)got;
    out->text[got] = '\0';
    return true;
}

bool file_read(struct os *os, const char *path, size_t bytes_max, struct secret *out,
               struct err *err)
{
    ASSERT(os != NULL && path != NULL && bytes_max < SIZE_MAX);
    int fd = os->open(os, path);
    if (fd < 0) {
        return err_set(err, -fd, "%s: %s", path, strerror(-fd));
    }
    bool good = read_open(os, fd, bytes_max, out, err);
    os->close(os, fd);
    return good || err_wrap(err, "%s", path);
}

enum file_form { FILE_AS_IT_IS, FILE_TRIMMED };

static enum credential_news watched_read(struct watched_file *file, const char *path,
                                         enum file_form form, struct os *os, struct err *err)
{
    struct secret fresh = {0};
    bool good = file_read(os, path, IDENTITY_FILE_BYTES_MAX, &fresh, err);
    if (good && form == FILE_TRIMMED) {
        secret_trim(&fresh);
    }
    if (good && fresh.bytes == 0) {
        good = err_set(err, 0, "%s: it is empty", path);
    }
    if (good && form == FILE_TRIMMED && memchr(fresh.text, '\0', fresh.bytes) != NULL) {
        good = err_set(err, 0, "%s: it is not text", path);
    }
    if (!good) {
        secret_reset(&fresh, 0);
        return file->content.text != NULL ? CREDENTIAL_KEPT : CREDENTIAL_NONE;
    }
    if (file->content.text != NULL && secret_equal(&file->content, &fresh)) {
        secret_reset(&fresh, 0);
        return CREDENTIAL_SAME;
    }
    secret_set(&file->content, fresh.text, fresh.bytes); /* not the whole 256 KiB of room */
    secret_reset(&fresh, 0);
    return CREDENTIAL_CHANGED;
}

/* The worse news of two; the first bad one's err stands. */
static enum credential_news worse(enum credential_news left, enum credential_news right)
{
    return left > right ? left : right;
}

static enum credential_news load_certificate(struct credential *credential,
                                             const struct source *source, struct os *os,
                                             struct err *err)
{
    enum credential_news news = watched_read(
        &credential->certificate, source->text[TEXT_CERTIFICATE_FILE], FILE_AS_IT_IS, os, err);
    if (news < CREDENTIAL_KEPT && source->text[TEXT_KEY_FILE] != NULL) {
        news = worse(news, watched_read(&credential->key, source->text[TEXT_KEY_FILE],
                                        FILE_AS_IT_IS, os, err));
    }
    if (news >= CREDENTIAL_KEPT) {
        return credential->loaded.key != NULL ? CREDENTIAL_KEPT : CREDENTIAL_NONE;
    }
    if (news == CREDENTIAL_SAME && credential->loaded.key != NULL && !credential->refused) {
        return CREDENTIAL_SAME;
    }
    credential->refused = !certificate_load(&credential->loaded, &credential->certificate.content,
                                            &credential->key.content,
                                            source->text[TEXT_KEY_PASSWORD], source->chain, err);
    if (!credential->refused) {
        return CREDENTIAL_CHANGED;
    }
    (void)err_wrap(err, "%s", source->text[TEXT_CERTIFICATE_FILE]);
    return credential->loaded.key != NULL ? CREDENTIAL_KEPT : CREDENTIAL_NONE;
}

enum credential_news credential_load(struct credential *credential, const struct source *source,
                                     struct os *os, struct err *err)
{
    enum credential_news news = CREDENTIAL_SAME;
    ASSERT(credential != NULL && source != NULL && os != NULL);
    if (source->text[TEXT_CERTIFICATE_FILE] != NULL) {
        return load_certificate(credential, source, os, err);
    }
    if (source->text[TEXT_SECRET_FILE] != NULL) {
        news = watched_read(&credential->secret, source->text[TEXT_SECRET_FILE], FILE_TRIMMED, os,
                            err);
    }
    if (source->text[TEXT_USERNAME_FILE] != NULL) {
        news = worse(news, watched_read(&credential->username, source->text[TEXT_USERNAME_FILE],
                                        FILE_TRIMMED, os, err));
    }
    return news;
}

void credential_release(struct credential *credential)
{
    secret_reset(&credential->secret.content, 0);
    secret_reset(&credential->username.content, 0);
    secret_reset(&credential->certificate.content, 0);
    secret_reset(&credential->key.content, 0);
    certificate_release(&credential->loaded);
}

bool credential_has_files(const struct source *source)
{
    return source->text[TEXT_SECRET_FILE] != NULL || source->text[TEXT_USERNAME_FILE] != NULL ||
           source->text[TEXT_CERTIFICATE_FILE] != NULL;
}

static const char *in_force(const struct watched_file *file, const char *given)
{
    if (file->content.text != NULL) {
        return file->content.text;
    }
    return given != NULL ? given : "";
}

const char *credential_secret(const struct credential *credential, const struct source *source)
{
    return in_force(&credential->secret, source->text[TEXT_SECRET]);
}

const char *credential_username(const struct credential *credential, const struct source *source)
{
    return in_force(&credential->username, source->text[TEXT_USERNAME]);
}
