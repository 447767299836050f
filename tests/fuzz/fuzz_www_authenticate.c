/* fuzz_www_authenticate.c - any bytes as Arc's challenge: never a path outside the one directory.
 */
#include "../../src/identity/challenge.h"

#include <stdint.h>
#include <walship/mem.h>

#define DIRECTORY "/var/opt/azcmagent/tokens"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[CHALLENGE_PATH_BYTES];
    struct err err;
    char *header = mem_new(size + 1, 1);
    if (size > 0) {
        memcpy(header, data, size);
    }
    if (challenge_parse(header, DIRECTORY, path, &err)) {
        const char *name = path + sizeof DIRECTORY;
        ASSERT(strncmp(path, DIRECTORY "/", sizeof DIRECTORY) == 0);
        ASSERT(strchr(name, '/') == NULL && name[0] != '.' && strlen(name) > 4);
        ASSERT(strcmp(name + strlen(name) - 4, ".key") == 0);
    }
    mem_free(header);
    return 0;
}
