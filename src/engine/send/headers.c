/* headers.c - the configured headers of a request. One whose value stands in a file follows that
 * file: it is read again every few seconds, and what was read last serves while it can't be. */
#include "internal.h"

enum { READ_AGAIN_MS = 5000 };

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The line in the file, without the white space around it; NULL: err tells. */
static char *file_read(struct engine *engine, const char *path, struct err *err)
{
    char text[HTTP_HEADER_VALUE_BYTES_MAX + 1];
    char *result = NULL;
    struct os *os = engine->os;
    int fd = os->open(os, path);
    int64_t got = fd < 0 ? fd : os->pread(os, fd, text, sizeof text, 0);
    if (fd >= 0) {
        os->close(os, fd);
    }
    if (got < 0 || got == (int64_t)sizeof text) {
        err_set(err, 0, "unable to read headers file %s: %s", path,
                got < 0 ? strerror((int)-got) : "too long");
        return NULL;
    }
    size_t from = 0, to = (size_t)got;
    while (from < to && is_blank(text[from])) {
        from++;
    }
    while (to > from && is_blank(text[to - 1])) {
        to--;
    }
    bool good = true;
    for (size_t i = from; i < to; i++) {
        good = good && ((unsigned char)text[i] >= ' ' || text[i] == '\t') && text[i] != 0x7f;
    }
    if (good) {
        result = mem_format("%.*s", (int)(to - from), text + from);
    } else {
        err_set(err, 0, "headers file %s must be one line of text", path);
    }
    explicit_bzero(text, sizeof text);
    return result;
}

static void wiped(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        mem_free(text);
    }
}

static const char *file_value(struct engine *engine, struct header_file *file, const char *path,
                              struct err *err)
{
    if (file->value != NULL && engine->now_ms - file->read_ms < READ_AGAIN_MS) {
        return file->value;
    }
    char *value = file_read(engine, path, err);
    if (value == NULL && file->value != NULL) {
        LOG_WARN("a header's file can't be read, what it held before is sent",
                 LOG_STR("err", err->text));
    } else if (value != NULL) {
        wiped(file->value);
        file->value = value;
    }
    file->read_ms = engine->now_ms;
    return file->value;
}

bool headers_fill(struct engine *engine, struct sender *sender, struct http_header *out,
                  size_t *count, struct err *err)
{
    const struct conf_headers *headers = &sender->conf->headers;
    ASSERT(headers->count <= CONF_HEADERS_MAX);
    if (headers->count > 0 && sender->header_files == NULL) {
        sender->header_files = mem_new(headers->count, sizeof *sender->header_files);
    }
    for (size_t i = 0; i < headers->count; i++) {
        const struct conf_header *header = &headers->rows[i];
        const char *value = header->value;
        if (header->file != NULL) {
            value = file_value(engine, &sender->header_files[i], header->file, err);
        }
        if (value == NULL) {
            return false;
        }
        out[(*count)++] = (struct http_header){header->name, value};
    }
    return true;
}

void headers_forget(struct sender *sender)
{
    for (size_t i = 0; sender->header_files != NULL && i < sender->conf->headers.count; i++) {
        wiped(sender->header_files[i].value);
    }
    mem_free(sender->header_files);
    sender->header_files = NULL;
}
