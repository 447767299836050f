/* challenge.c - see challenge.h. */
#include "challenge.h"

#include <strings.h>

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    return at;
}

/* Where the value of realm starts; NULL: not there. Only the Basic scheme, and realm first, as
 * every agent sends it. */
static const char *find_realm(const char *header)
{
    const char *at = skip_blanks(header);
    if (strncasecmp(at, "Basic", 5) != 0 || (at[5] != ' ' && at[5] != '\t')) {
        return NULL;
    }
    at = skip_blanks(at + 5);
    if (strncasecmp(at, "realm", 5) != 0) {
        return NULL;
    }
    at = skip_blanks(at + 5);
    return *at == '=' ? skip_blanks(at + 1) : NULL;
}

/* A name that is a name in this directory and nothing else. */
static bool name_is_good(const char *name)
{
    size_t bytes = strlen(name);
    if (bytes <= 4 || strcmp(name + bytes - 4, ".key") != 0 || name[0] == '.') {
        return false;
    }
    for (; *name != '\0'; name++) {
        bool word = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
                    (*name >= '0' && *name <= '9');
        if (!word && *name != '-' && *name != '_' && *name != '.') {
            return false;
        }
    }
    return true;
}

bool challenge_parse(const char *header, const char *directory, char path[CHALLENGE_PATH_BYTES],
                     struct err *err)
{
    ASSERT(header != NULL && directory != NULL && path != NULL);
    const char *realm = find_realm(header);
    if (realm == NULL) {
        return err_set(err, 0, "the challenge is not \"Basic realm=FILE\"");
    }
    size_t bytes;
    if (*realm == '"') {
        realm++;
        bytes = strcspn(realm, "\"");
    } else {
        bytes = strcspn(realm, " \t,");
    }
    if (bytes == 0 || bytes >= CHALLENGE_PATH_BYTES) {
        return err_set(err, 0, "the challenge names no file, or a name that is too long");
    }
    memcpy(path, realm, bytes);
    path[bytes] = '\0';
    size_t prefix = strlen(directory);
    if (bytes <= prefix || memcmp(path, directory, prefix) != 0 || path[prefix] != '/' ||
        !name_is_good(path + prefix + 1)) {
        return err_set(err, 0, "the challenge names a file that is not a .key in %s", directory);
    }
    return true;
}
