/* spool_check.c - which way segments will be kept back: a segment of the WAL is linked into the
 * spool, and the link removed again. While the spool's directory is missing its nearest parent that
 * exists is tried, since it will be made there. */
#include "spool_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <walship/mem.h>
#include <walship/os_linux.h>
#include <walship/tail.h>

/* The nearest directory that exists; the caller frees it. */
static char *existing(const char *path)
{
    char *out = mem_string(path);
    while (access(out, F_OK) != 0) {
        char *slash = strrchr(out, '/');
        if (slash == NULL || slash == out) {
            mem_free(out);
            return mem_string(slash == NULL ? "." : "/");
        }
        *slash = 0;
    }
    return out;
}

/* 0, or the errno of the link. */
static int link_try(const char *segment, const char *directory)
{
    char *name = mem_format("%s/.walship-check-%ld", directory, (long)getpid());
    int error = link(segment, name) == 0 ? 0 : errno;
    if (error == 0 && unlink(name) != 0) {
        error = errno;
    }
    mem_free(name);
    return error;
}

void spool_check(const struct conf *conf)
{
    struct err err;
    struct os *os = os_linux_new();
    struct waldir *dir = waldir_open(os, conf->wal_dir, &err);
    size_t count = dir == NULL ? 0 : waldir_count(dir);
    if (count > 0) {
        char *segment = mem_format("%s/%08u", waldir_path(dir), waldir_at(dir, count - 1)->number);
        char *directory = existing(conf->spool_dir);
        int error = link_try(segment, directory);
        if (error == 0) {
            printf("spool_dir %s: hard links\n", conf->spool_dir);
        } else {
            printf("spool_dir %s: no hard links from the WAL (%s): what is not sent is held open "
                   "and copied\n",
                   conf->spool_dir, strerror(error));
        }
        mem_free(segment);
        mem_free(directory);
    }
    waldir_free(dir);
    os_linux_free(os);
}
