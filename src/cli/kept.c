/* kept.c - the spool as `status` sees it: by the names that the engine gives what it keeps. */
#include "kept.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/wal_frame.h>

struct kept {
    unsigned generation, number;
    uint64_t device, inode; /* of Prometheus' file */
    uint64_t bytes;
};

uint64_t kept_filled_bytes(const char *path, uint64_t bytes)
{
    uint8_t page[WAL_PAGE_BYTES];
    uint64_t from = bytes > sizeof page ? bytes - sizeof page : 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd < 0 ? -1 : pread(fd, page, sizeof page, (off_t)from);
    if (fd >= 0) {
        close(fd);
    }
    if (got < 0 || from + (uint64_t)got < bytes) {
        return bytes;
    }
    while (got > 0 && page[got - 1] == 0) {
        got--;
    }
    return from + (uint64_t)got;
}

/* False: no segment, but a file of series, or something else. */
static bool kept_look(const char *spool_dir, const char *name, struct kept *out)
{
    struct stat file;
    unsigned long long device = 0;
    unsigned long long inode = 0;
    char end[8] = "";
    *out = (struct kept){0};
    bool link = sscanf(name, "%u-%8u.%7s", &out->generation, &out->number, end) == 3 &&
                strcmp(end, "wal") == 0;
    bool copy = !link &&
                sscanf(name, "%u-%8u-%llx-%llx.%7s", &out->generation, &out->number, &device,
                       &inode, end) == 5 &&
                strcmp(end, "copy") == 0;
    char *path = mem_format("%s/%s", spool_dir, name);
    bool is = (link || copy) && stat(path, &file) == 0 && S_ISREG(file.st_mode);
    if (is) {
        out->device = link ? (uint64_t)file.st_dev : device;
        out->inode = link ? (uint64_t)file.st_ino : inode;
        out->bytes = kept_filled_bytes(path, (uint64_t)file.st_size);
    }
    mem_free(path);
    return is;
}

static bool has(const struct waldir *dir, const struct kept *kept)
{
    for (size_t i = 0; i < waldir_count(dir); i++) {
        const struct waldir_segment *segment = waldir_at(dir, i);
        if (segment->device == kept->device && segment->inode == kept->inode) {
            return true;
        }
    }
    return false;
}

static uint64_t behind(const struct kept *kept, const struct store_watermark *mark)
{
    struct position end = {.generation = kept->generation, .segment = kept->number + 1};
    bool own = kept->generation == mark->at.generation && kept->number == mark->at.segment;
    if (!position_before(&mark->at, &end) || (own && mark->offset == TAIL_OFFSET_UNKNOWN)) {
        return 0;
    }
    uint64_t begin = own ? mark->offset : 0;
    return kept->bytes > begin ? kept->bytes - begin : 0;
}

uint64_t kept_behind_bytes(const char *spool_dir, const struct waldir *dir,
                           const struct store_watermark *mark)
{
    DIR *spool = opendir(spool_dir);
    const struct dirent *entry = NULL;
    struct kept kept;
    uint64_t bytes = 0;
    while (spool != NULL && (entry = readdir(spool)) != NULL) {
        if (kept_look(spool_dir, entry->d_name, &kept) && !has(dir, &kept)) {
            bytes += behind(&kept, mark);
        }
    }
    if (spool != NULL) {
        closedir(spool);
    }
    return bytes;
}
