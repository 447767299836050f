/* value.c - texts to values: durations, byte sizes, paths. Pure; nothing is read from the disk. */
#include "bind.h"

#include <walship/mem.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Reads decimal digits; false: none, or beyond `max`. */
static bool digits(const char **at, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (**at < '0' || **at > '9') {
        return false;
    }
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

bool conf_duration_parse(const char *text, int64_t *out_ms)
{
    static const struct unit units[] = {
        {"y", 31536000000}, {"w", 604800000}, {"d", 86400000}, {"h", 3600000},
        {"m", 60000},       {"s", 1000},      {"ms", 1},
    };
    ASSERT(text != NULL && out_ms != NULL);
    if (strcmp(text, "0") == 0) {
        *out_ms = 0;
        return true;
    }
    /* Prometheus counts in nanoseconds: what does not fit there is refused there too. */
    const uint64_t ms_max = INT64_MAX / 1000000;
    uint64_t total = 0;
    size_t next = 0; /* units before this one are used up */
    const char *at = text;
    while (*at != '\0') {
        uint64_t value;
        if (!digits(&at, ms_max, &value)) {
            return false;
        }
        size_t letters = strspn(at, "ywdhms");
        while (next < ARRAY_COUNT(units) && (strlen(units[next].name) != letters ||
                                             strncmp(at, units[next].name, letters) != 0)) {
            next++;
        }
        if (next == ARRAY_COUNT(units) || value > (ms_max - total) / units[next].factor) {
            return false;
        }
        total += value * units[next].factor;
        next++;
        at += letters;
    }
    if (at == text) {
        return false;
    }
    *out_ms = (int64_t)total;
    return true;
}

bool conf_bytes_parse(const char *text, uint64_t *out)
{
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"KB", (uint64_t)1 << 10},
        {"KiB", (uint64_t)1 << 10},
        {"MB", (uint64_t)1 << 20},
        {"MiB", (uint64_t)1 << 20},
        {"GB", (uint64_t)1 << 30},
        {"GiB", (uint64_t)1 << 30},
        {"TB", (uint64_t)1 << 40},
        {"TiB", (uint64_t)1 << 40},
        {"PB", (uint64_t)1 << 50},
        {"PiB", (uint64_t)1 << 50},
    };
    ASSERT(text != NULL && out != NULL);
    const char *at = text;
    uint64_t value;
    if (!digits(&at, INT64_MAX, &value)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (strcmp(at, units[i].name) != 0) {
            continue;
        }
        if (value > INT64_MAX / units[i].factor) {
            return false;
        }
        *out = value * units[i].factor;
        return true;
    }
    return false;
}

/* Takes out "", "." and ".." in place. A leading ".." of a relative path stays. */
static void path_clean(char *path)
{
    bool rooted = path[0] == '/';
    char *out = path + (rooted ? 1 : 0);
    char *floor = out; /* nothing before this may be taken back */
    const char *at = out;
    while (*at != '\0') {
        size_t bytes = strcspn(at, "/");
        const char *next = at + bytes + (at[bytes] == '/' ? 1 : 0);
        bool up = bytes == 2 && at[0] == '.' && at[1] == '.';
        if (up && out > floor) {
            out--; /* the slash, then the name before it */
            while (out > floor && out[-1] != '/') {
                out--;
            }
        } else if (bytes > 0 && !(bytes == 1 && at[0] == '.') && !(up && rooted)) {
            memmove(out, at, bytes);
            out += bytes;
            *out++ = '/';
            floor = up ? out : floor;
        }
        at = next;
    }
    if (out > path + 1 || (!rooted && out > path)) {
        out--; /* the last slash */
    }
    *out = '\0';
}

char *path_resolve(const char *file, const char *path)
{
    ASSERT(file != NULL && path != NULL && *path != '\0');
    const char *slash = strrchr(file, '/');
    /* one byte more than the text: path_clean writes a slash behind the last name */
    char *out = path[0] == '/' || slash == NULL
                    ? mem_format("%s/", path)
                    : mem_format("%.*s/%s/", (int)(slash - file), file, path);
    path_clean(out);
    if (*out == '\0') {
        mem_free(out);
        return mem_string(".");
    }
    return out;
}

bool path_within(const char *path, const char *directory)
{
    ASSERT(path != NULL && directory != NULL);
    if (strcmp(directory, ".") == 0) {
        return path[0] != '/' && strncmp(path, "..", 2) != 0;
    }
    size_t bytes = strlen(directory);
    return strncmp(path, directory, bytes) == 0 && (path[bytes] == '\0' || path[bytes] == '/');
}
