/* main.c - walship_sim: seeds, one process each, so that an abort or a hang costs that seed only.
 *
 *     walship_sim --seed N [--turns M] [--trace]     one seed, in this process
 *     walship_sim --seeds K [--from N] [--jobs J]    K seeds
 *     walship_sim --replay FILE                      seeds that failed once, one a line */
#include "world.h"

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <walship/mem.h>

enum {
    JOBS_MAX = 16,
    SEED_SECONDS_MAX = 60,
    FAILURES_PRINTED_MAX = 5,
    FAILURES_NAMED_MAX = 25,
    REPLAY_MAX = 1024
};

struct job {
    pid_t pid; /* 0: free */
    struct report *report;
};

struct runner {
    struct job jobs[JOBS_MAX];
    size_t jobs_count;
    uint64_t turns;
    uint64_t passed, failed;
    uint64_t items, arrivals, crashes, all_turns;
};

static struct report *report_shared(void)
{
    void *memory = mmap(NULL, sizeof(struct report), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(memory != MAP_FAILED);
    return memory;
}

static void runner_end(struct runner *runner, struct job *job, int status)
{
    const struct report *report = job->report;
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0 && report->finished && !report->failed;
    job->pid = 0;
    runner->items += report->items;
    runner->arrivals += report->arrivals;
    runner->crashes += report->crashes;
    runner->all_turns += report->turns;
    if (ok) {
        runner->passed++;
        return;
    }
    runner->failed++;
    if (runner->failed <= FAILURES_PRINTED_MAX) {
        if (WIFSIGNALED(status)) {
            printf("seed %llu: killed by signal %d%s\n", (unsigned long long)report->seed,
                   WTERMSIG(status), WTERMSIG(status) == SIGALRM ? " (it hangs)" : "");
        }
        report_print(report);
    } else if (runner->failed <= FAILURES_NAMED_MAX) {
        printf("seed %llu failed too: %s\n", (unsigned long long)report->seed, report->violation);
    }
}

/* Waits for one of them. */
static void runner_wait(struct runner *runner)
{
    int status;
    pid_t pid = wait(&status);
    ASSERT(pid > 0);
    for (size_t i = 0; i < runner->jobs_count; i++) {
        if (runner->jobs[i].pid == pid) {
            runner_end(runner, &runner->jobs[i], status);
        }
    }
}

static struct job *job_free(struct runner *runner)
{
    for (;;) {
        for (size_t i = 0; i < runner->jobs_count; i++) {
            if (runner->jobs[i].pid == 0) {
                return &runner->jobs[i];
            }
        }
        runner_wait(runner);
    }
}

static void runner_start(struct runner *runner, uint64_t seed)
{
    struct job *job = job_free(runner);
    memset(job->report, 0, sizeof *job->report);
    job->report->seed = seed;
    (void)fflush(stdout);
    job->pid = fork();
    ASSERT(job->pid >= 0);
    if (job->pid == 0) {
        const struct rlimit limit = {SEED_SECONDS_MAX, SEED_SECONDS_MAX}; /* of CPU */
        (void)setrlimit(RLIMIT_CPU, &limit);
        world_run(job->report, runner->turns);
        exit(job->report->failed ? 1 : 0);
    }
}

static int runner_finish(struct runner *runner)
{
    for (size_t i = 0; i < runner->jobs_count; i++) {
        while (runner->jobs[i].pid != 0) {
            runner_wait(runner);
        }
    }
    printf("%llu items, %llu arrivals, %llu crashes, %llu turns\n",
           (unsigned long long)runner->items, (unsigned long long)runner->arrivals,
           (unsigned long long)runner->crashes, (unsigned long long)runner->all_turns);
    printf("%llu passed, %llu failed\n", (unsigned long long)runner->passed,
           (unsigned long long)runner->failed);
    return runner->failed == 0 ? 0 : 1;
}

static int run_one(uint64_t seed, uint64_t turns, bool trace)
{
    struct report *report = report_shared();
    report->seed = seed;
    report->echo = trace;
    world_run(report, turns);
    if (report->failed) {
        report_print(report);
    }
    printf("%d passed, %d failed\n", !report->failed, report->failed);
    return report->failed ? 1 : 0;
}

/* One seed a line; # begins a comment. All are read before the first child is made: at its exit a
 * child would set back the file that it shares. */
static bool replay(struct runner *runner, const char *path)
{
    char line[256];
    uint64_t seeds[REPLAY_MAX];
    size_t count = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return false;
    }
    while (count < REPLAY_MAX && fgets(line, sizeof line, file) != NULL) {
        char *end = line;
        seeds[count] = strtoull(line, &end, 10);
        count += end != line;
    }
    (void)fclose(file);
    for (size_t i = 0; i < count; i++) {
        runner_start(runner, seeds[i]);
    }
    return true;
}

static int usage(void)
{
    (void)fputs(
        "usage: walship_sim --seed N [--turns M] [--trace]\n"
        "       walship_sim [--replay FILE] [--seeds K [--from N]] [--jobs J] [--turns M]\n",
        stderr);
    return 2;
}

struct arguments {
    bool single, trace;
    uint64_t seed, seeds, from, turns, jobs;
    const char *replay;
};

static bool arguments_read(int argc, char **argv, struct arguments *out)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'}, {"seeds", required_argument, NULL, 'k'},
        {"from", required_argument, NULL, 'f'}, {"turns", required_argument, NULL, 't'},
        {"jobs", required_argument, NULL, 'j'}, {"replay", required_argument, NULL, 'r'},
        {"trace", no_argument, NULL, 'x'},      {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint64_t number = optarg == NULL ? 0 : strtoull(optarg, NULL, 10);
        switch (option) {
        case 's':
            out->single = true;
            out->seed = number;
            break;
        case 'k':
            out->seeds = number;
            break;
        case 'f':
            out->from = number;
            break;
        case 't':
            out->turns = number;
            break;
        case 'j':
            out->jobs = number;
            break;
        case 'r':
            out->replay = optarg;
            break;
        case 'x':
            out->trace = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc && (out->single || out->seeds > 0 || out->replay != NULL);
}

int main(int argc, char **argv)
{
    enum { MAPPED_FROM_BYTES = 128 * 1024 };
    struct arguments arguments = {.from = 1};
    /* each life makes the engine's large buffers anew: never cleared by hand, mostly not touched */
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
    if (!arguments_read(argc, argv, &arguments)) {
        return usage();
    }
    if (arguments.single) {
        return run_one(arguments.seed, arguments.turns, arguments.trace);
    }
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t jobs = arguments.jobs > 0 ? arguments.jobs : processors > 0 ? (uint64_t)processors : 1;
    struct runner runner = {.turns = arguments.turns,
                            .jobs_count = jobs < JOBS_MAX ? (size_t)jobs : JOBS_MAX};
    for (size_t i = 0; i < runner.jobs_count; i++) {
        runner.jobs[i].report = report_shared();
    }
    if (arguments.replay != NULL && !replay(&runner, arguments.replay)) {
        return 2;
    }
    for (uint64_t i = 0; i < arguments.seeds; i++) {
        runner_start(&runner, arguments.from + i);
    }
    return runner_finish(&runner);
}
