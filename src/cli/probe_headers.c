/* probe_headers.c - see probe_headers.h. The files are read by the rules of the engine's headers.c:
 * one line of text, without the white space around it. */
#include "probe_headers.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <walship/limits.h>
#include <walship/mem.h>

/* NULL: err tells. */
static char *file_read(const char *path, struct err *err)
{
    char text[HTTP_HEADER_VALUE_BYTES_MAX + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (got < 0 || got == (ssize_t)sizeof text) {
        err_set(err, 0, "unable to read headers file %s: %s", path,
                got < 0 ? strerror(errno) : "too long");
    }
    if (fd >= 0) {
        close(fd);
    }
    if (got < 0 || got == (ssize_t)sizeof text) {
        explicit_bzero(text, sizeof text);
        return NULL;
    }
    size_t from = 0, to = (size_t)got;
    while (from < to && isspace((unsigned char)text[from]) != 0) {
        from++;
    }
    while (to > from && isspace((unsigned char)text[to - 1]) != 0) {
        to--;
    }
    bool good = true;
    for (size_t i = from; i < to; i++) {
        good = good && ((unsigned char)text[i] >= ' ' || text[i] == '\t') && text[i] != 0x7f;
    }
    char *value = good ? mem_format("%.*s", (int)(to - from), text + from) : NULL;
    explicit_bzero(text, sizeof text);
    if (!good) {
        err_set(err, 0, "headers file %s must be one line of text", path);
    }
    return value;
}

bool probe_headers_fill(struct probe_headers *own, const struct conf_headers *conf,
                        struct http_header *headers, size_t *count, struct err *err)
{
    ASSERT(conf->count <= CONF_HEADERS_MAX && count != NULL);
    *own = (struct probe_headers){.conf = conf};
    for (size_t i = 0; i < conf->count; i++) {
        const char *value = conf->rows[i].value;
        if (value == NULL) {
            ASSERT(conf->rows[i].file != NULL);
            value = own->read[i] = file_read(conf->rows[i].file, err);
        }
        if (value == NULL) {
            return false;
        }
        headers[(*count)++] = (struct http_header){conf->rows[i].name, value};
    }
    return true;
}

void probe_headers_release(struct probe_headers *own)
{
    for (size_t i = 0; own->conf != NULL && i < own->conf->count; i++) {
        if (own->read[i] != NULL) {
            explicit_bzero(own->read[i], strlen(own->read[i]));
            mem_free(own->read[i]);
        }
    }
    *own = (struct probe_headers){0};
}
