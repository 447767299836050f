/* replay_main.c - runs a fuzz target over the files and folders given, without libFuzzer: the
 * corpus is part of every test run, with every compiler. A corpus that is missing or empty is a
 * failure. */
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <walship/assert.h>
#include <walship/mem.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 0;
    }
    size_t size = 0, room = 1 << 16;
    uint8_t *data = mem_new(room, 1);
    for (size_t got; (got = fread(data + size, 1, room - size, file)) > 0;) {
        size += got;
        if (size == room) {
            room *= 2;
            data = mem_grow(data, room, 1);
        }
    }
    (void)fclose(file);
    /* an exact copy: a sanitizer then sees a read one past the end */
    uint8_t *exact = mem_new(size + (size == 0), 1);
    memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    mem_free(exact);
    mem_free(data);
    return 1;
}

static size_t replay_folder(const char *path)
{
    size_t count = 0;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        perror(path);
        return 0;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char *inner = mem_format("%s/%s", path, entry->d_name);
        struct stat status;
        if (entry->d_name[0] != '.' && stat(inner, &status) == 0 && S_ISREG(status.st_mode)) {
            count += replay_file(inner);
        }
        mem_free(inner);
    }
    (void)closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    for (int i = 1; i < argc; i++) {
        struct stat status;
        bool folder = stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode);
        size_t count = folder ? replay_folder(argv[i]) : replay_file(argv[i]);
        printf("%s: %zu inputs\n", argv[i], count);
        failed |= count == 0;
    }
    return failed;
}
