/* process.c - see process.h. From /proc, which is there wherever inotify is. */
#include "process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static void resident_read(struct metrics_process *process)
{
    char line[128] = "";
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return;
    }
    if (fgets(line, sizeof line, file) != NULL && sscanf(line, "%*u %llu", &pages) == 1) {
        process->resident_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    (void)fclose(file);
}

static void files_read(struct metrics_process *process)
{
    DIR *directory = opendir("/proc/self/fd");
    uint64_t count = 0;
    if (directory == NULL) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(directory);
    process->open_files = count > 0 ? count - 1 : 0; /* without the one that was looking */
}

void process_read(struct metrics_process *process)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        process->cpu_seconds = seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
    }
    resident_read(process);
    files_read(process);
}
