/* The loop is a loop: counting the instructions that it executes, twice the
 * squares take twice as many. A compiler that folded it to n(n+1)(2n+1)/6
 * would make it constant. A child is stepped through the call one instruction
 * at a time by ptrace; where that is not allowed, this is skipped. */
#include "check.h"

#if defined(__linux__)
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static void skip(const char *why)
{
    printf("skipped: %s\n", why);
    exit(SKIPPED);
}

/* How many instructions a walk of n squares from `first` executes (and a few around it). */
static long steps(uint64_t first, uint64_t n)
{
    pid_t child = fork();
    int status = 0;
    long count = 0;
    if (child == 0) {
        pc_walk walk = {first, {0, 0}};
        pc_simd(); /* so that the choice of a level is not counted */
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(SKIPPED);
        raise(SIGSTOP);
        pc_walk_to(&walk, first + n);
        raise(SIGSTOP);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        skip("no child process");
    if (!WIFSTOPPED(status))
        skip("ptrace is refused here");
    for (;; count++) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0)
            skip("single steps are refused here");
        CHECK(waitpid(child, &status, 0) == child);
        if (!WIFSTOPPED(status))
            skip("ptrace is refused here");
        if (WSTOPSIG(status) != SIGTRAP) /* the second SIGSTOP */
            break;
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return count;
}

int main(void)
{
    /* In rounds of every level, below 2^26 and above 2^27, between which the kernels change. */
    static const uint64_t starts[] = {0, UINT64_C(1) << 28};
    enum { N = 1 << 10 };
    FOR_EACH_LEVEL
    {
        for (size_t k = 0; k < 2; k++) {
            long start = steps(starts[k], N), once = steps(starts[k], 2 * N) - start,
                 twice = steps(starts[k], 3 * N) - start; /* without what each call costs */
            printf("%s: %ld and %ld instructions for %d and %d more squares; ", pc_simd(), once,
                   twice, N, 2 * N);
            CHECK(once >= N / 8); /* 8 lanes: an instruction can do no more */
            CHECK(10 * twice > 19 * once && 10 * twice < 21 * once);
        }
    }
    return 0;
}
#else
int main(void)
{
    printf("skipped: Linux only\n");
    return SKIPPED;
}
#endif
