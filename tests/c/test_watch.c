/* The watch over the GIL (probe/), of a GIL, a clock and answers of the system that are made by
 * hand: what each look, signal and wait comes to, to the last bit where it is a time. */
#ifndef __linux__
int main(void)
{
    return 77; /* as check.h has it */
}
#else

#define _GNU_SOURCE
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- made by hand ---------------------------------------------------------- */

enum { OTHER = 0x3fffff00 }; /* a thread that there is by hand alone */

static double hour;              /* on the clock; 0: the system's own clocks */
static int mine;                 /* this thread, and for how long it and the other ran */
static double cpu, cpu_of_other; /* -1: it has ended */
static const char *answer;       /* what files of /proc say; NULL: there are none */
static char asked_for[64];       /* the last of them */
static void (*meanwhile)(void);  /* what happens while one is read */
static void (*step)(void);       /* what happens while the watcher sleeps, or the beat naps */
static int steps, until, made, held, failing, no_memory, gone, napped, told, looked;
static struct timespec slept;

static struct timespec time_of(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds};
    time.tv_nsec = (long)(1e9 * (seconds - (double)time.tv_sec));
    return time;
}

static double seconds_of(const struct timespec *time)
{
    return (double)time->tv_sec + 1e-9 * (double)time->tv_nsec;
}

static int clock_by_hand(clockid_t clock, struct timespec *time)
{
    clockid_t my_own;
    assert(pthread_getcpuclockid(pthread_self(), &my_own) == 0);
    if (hour == 0.0) {
        return clock_gettime(clock, time);
    }
    if (clock == CLOCK_MONOTONIC) {
        *time = time_of(hour);
        return 0;
    }
    const double ran = clock == my_own                                   ? cpu
                       : clock == (clockid_t)(~(unsigned)OTHER << 3 | 6) ? cpu_of_other
                                                                         : -1.0;
    if (ran < 0.0) {
        return -1;
    }
    *time = time_of(ran);
    return 0;
}

static int open_by_hand(const char *path, int flags)
{
    if (flags == (O_WRONLY | O_APPEND | O_CLOEXEC)) { /* the log */
        return open(path, flags);
    }
    assert(flags == (O_RDONLY | O_CLOEXEC) && strlen(path) < sizeof asked_for);
    strcpy(asked_for, path);
    if (meanwhile != NULL) {
        meanwhile();
    }
    if (answer == NULL) {
        return -1;
    }
    int file = memfd_create("answer", MFD_CLOEXEC);
    assert(file >= 0 && write(file, answer, strlen(answer)) == (ssize_t)strlen(answer) &&
           lseek(file, 0, SEEK_SET) == 0);
    return file;
}

static pthread_mutex_t forks; /* of watch.c: others are taken within it */

static int lock_by_hand(pthread_mutex_t *lock)
{
    if (lock == &forks) {
        return pthread_mutex_lock(lock);
    }
    assert(pthread_mutex_lock(lock) == 0 && held == 0);
    held = 1;
    return 0;
}

static int unlock_by_hand(pthread_mutex_t *lock)
{
    if (lock == &forks) {
        return pthread_mutex_unlock(lock);
    }
    assert(held == 1);
    held = 0;
    return pthread_mutex_unlock(lock);
}

static int sleep_by_hand(pthread_cond_t *changed, pthread_mutex_t *lock, struct timespec *time)
{
    assert(held == 1);
    if (hour == 0.0) {
        held = 0;
        int error =
            time ? pthread_cond_timedwait(changed, lock, time) : pthread_cond_wait(changed, lock);
        held = 1;
        return error;
    }
    if (steps++ % 2 == 0) {
        return 0; /* awake too early, for nothing */
    }
    assert(time->tv_nsec >= 0 && time->tv_nsec < 1000000000);
    hour = fmax(hour, seconds_of(time));
    step();
    return ETIMEDOUT;
}

static int create_by_hand(pthread_t *thread, void *(*function)(void *), void *argument)
{
    if (failing != 0 && --failing == 0) {
        return EAGAIN;
    }
    made++;
    return pthread_create(thread, NULL, function, argument);
}

static int access_by_hand(const char *path)
{
    assert(strlen(path) < sizeof asked_for);
    strcpy(asked_for, path);
    return gone-- > 0 ? 0 : -1;
}

static const char *frames; /* the stack of a thread that sleeps; NULL: it cannot be read */
static void (*while_read)(void);
static int reads;
static const char *read_from;

int pc_stack_of(const char *state, char *text, int size)
{
    reads++;
    read_from = state;
    if (while_read != NULL) {
        while_read();
    }
    if (frames == NULL || strlen(frames) >= (size_t)size) {
        return 0;
    }
    strcpy(text, frames);
    return (int)strlen(frames);
}

#define clock_gettime(clock, time) clock_by_hand(clock, time)
#define nanosleep(time, rest) (slept = *(time))
#define open(path, flags) open_by_hand(path, flags)
#define access(path, mode) (looked++, hour == 0.0 ? access(path, mode) : access_by_hand(path))
#define usleep(time) (hour == 0.0 ? usleep(time) : napped++)
#define calloc(count, size) (no_memory ? NULL : (made++, calloc(count, size)))
#define realloc(memory, size) (no_memory ? NULL : (made += (memory) == NULL, realloc(memory, size)))
#define free(memory) (made -= (memory) != NULL, free(memory))
#define pthread_condattr_init(attributes) (made++, pthread_condattr_init(attributes))
#define pthread_condattr_destroy(attributes) (made--, pthread_condattr_destroy(attributes))
#define pthread_cond_init(changed, attributes) (made++, pthread_cond_init(changed, attributes))
#define pthread_cond_destroy(changed) (made--, pthread_cond_destroy(changed))
#define pthread_mutex_init(lock, attributes) (made++, pthread_mutex_init(lock, attributes))
#define pthread_mutex_destroy(lock) (made--, pthread_mutex_destroy(lock))
#define pthread_mutex_lock(lock) lock_by_hand(lock)
#define pthread_mutex_unlock(lock) unlock_by_hand(lock)
#define pthread_cond_broadcast(changed) (told++, pthread_cond_broadcast(changed))
#define pthread_cond_timedwait(changed, lock, time) sleep_by_hand(changed, lock, time)
#define pthread_cond_wait(changed, lock) sleep_by_hand(changed, lock, NULL)
#define pthread_join(thread, result) (made--, pthread_join(thread, result))
#define pthread_create(thread, attributes, function, argument)                                     \
    create_by_hand(thread, function, argument)

#include "../../probe/watch.c"

/* A GIL, and the states of two threads. */
typedef struct {
    unsigned long before[3], asked, tid, ident, behind;
} thread_state;

static thread_state me = {{~0UL, ~0UL, ~0UL}, 0, 0, 77, ~0UL},
                    other = {{~0UL, ~0UL, ~0UL}, 0, OTHER, 88, ~0UL};
static const char *holder;
static int locked, collecting, asked;
static unsigned long switches, interval_us = 5000;
static const pc_gil gil = {
    .holder = &holder,
    .locked = &locked,
    .switches = &switches,
    .interval = &interval_us,
    .collecting = &collecting,
    .asked = &asked,
    .asked_in_state = offsetof(thread_state, asked),
    .tid_in_state = offsetof(thread_state, tid),
    .ident_in_state = offsetof(thread_state, ident),
};

static const double OVER = 0.5, TICK = 0.0625; /* whole nanoseconds, and so are quarters of it */
static const int SIGNAL = SIGUSR1, SLOT = SIGUSR2;
static pc_watch *watch;
static volatile sig_atomic_t signals, writes_to = -1;
static const char *traceback = "a line\n";

static void write_traceback(int signum)
{
    assert(signum == SLOT);
    signals++;
    assert(writes_to < 0 || write(writes_to, traceback, strlen(traceback)) > 0);
}

static void handle(int signum, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    assert(sigaction(signum, &action, NULL) == 0);
}

static int is_handled_by(int signum, void (*handler)(int))
{
    struct sigaction now;
    assert(sigaction(signum, NULL, &now) == 0);
    return now.sa_handler == handler;
}

static int lowest_file(void)
{
    int file = dup(2);
    close(file);
    return file;
}

/* A wait that began at 64 s, of which nobody has seen anything; both threads ran for long before.
 */
static void begin_wait(void)
{
    hour = 64.0;
    cpu = cpu_of_other = 1000.0;
    answer = "1 (python) R 1";
    holder = (const char *)&me;
    locked = 1;
    collecting = asked = 0;
    switches = 7;
    signals = steps = 0;
    watch = pc_watch_new(&gil, OVER);
    assert(watch != NULL);
    watch->pace = TICK;
    writes_to = pc_watch_pipe(watch);
    pc_watch_keep_slot(watch, SLOT, 1);
    handle(SLOT, write_traceback);
    pc_watch_signal(watch, SIGNAL, SLOT);
    pc_watch_keep_slot(watch, SLOT, 0);
    assert(pc_watch_ask(watch, 0));
    watch->watched = watch->wait;
    dump_switches = switches;
}

static void end_wait(void)
{
    pc_watch_free(watch);
    handle(SIGNAL, SIG_DFL);
    writes_to = -1;
    hour = 0.0;
}

/* A look so many ticks later, when the holder had run for so many of them. */
static void look_after(double ticks, double ran)
{
    hour += ticks * TICK;
    cpu += ran * TICK;
    look(watch, hour);
}

/* ---- the clock, and what the system says ------------------------------------ */

static void test_clock(void)
{
    /* xorshift64 of Marsaglia, from 1: exponential times. */
    uint64_t random = 1;
    const double first = pc_random_time(&random, 2.0);
    assert(random == 1082269761 &&
           first == -2.0 * log(((double)(1082269761 >> 11) + 0.5) * 0x1p-53));
    double sum = 0.0, shorter = 0.0;
    for (int k = 0; k < 100000; k++) {
        const double time = pc_random_time(&random, 2.0);
        assert(time > 0.0);
        sum += time;
        shorter += time < 2.0 * log(2.0);
    }
    assert(fabs(sum / 2e5 - 1.0) < 0.02 && fabs(shorter / 1e5 - 0.5) < 0.01);
    pc_nap(3.25);
    assert(slept.tv_sec == 3 && slept.tv_nsec == 250000000);
    hour = 5.75;
    assert(pc_now() == 5.75);
    hour = 0.0;
}

static void test_what_can_be_read(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *map = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigset_t before, after;
    assert(map != MAP_FAILED && mprotect(map, page, PROT_NONE) == 0 &&
           mprotect(map + 2 * page, page, PROT_NONE) == 0);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    memset(map + page, 0xff, page);
    for (size_t k = 0; k < page; k++) {
        assert(pc_readable(map + page + k));
    }
    assert(!pc_readable(map + page - 1) && !pc_readable(map + 2 * page) && !pc_readable(NULL));
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int signum = 1; signum < 64; signum++) {
        assert(sigismember(&before, signum) == sigismember(&after, signum));
    }
    memset(map + page, 0x11, page);
    assert(member(map + page, page - 8) == 0x1111111111111111 && member(map + page, page) == 0);
    munmap(map, 3 * page);
}

static char state_by_hand(int tid)
{
    char text[512];
    return read_of(tid, "stat", text, sizeof text) ? state_in(text) : '?';
}

/* What stays open: one file, until its thread ends or another one is asked for. */
static void test_files_kept_open(void)
{
    const int file = lowest_file();
    char text[8];
    pc_watch *some = pc_watch_new(&gil, 0.02);
    pc_kept kept = {0, 0};
    answer = "1";
    assert(read_again(some, &kept, mine, "stat", text, sizeof text) && strcmp(text, "1") == 0);
    assert(kept.tid == 0 && lowest_file() == file); /* not in a table that is the program's, too */
    some->own_files = 1;
    for (int k = 0; k < 3; k++) {
        strcpy(asked_for, "");
        assert(read_again(some, &kept, mine, "stat", text, sizeof text) && strcmp(text, "1") == 0);
        assert(kept.tid == mine && kept.file == file && (asked_for[0] == '\0') == (k > 0));
    }
    answer = "2345678901";
    assert(read_again(some, &kept, OTHER, "stat", text, sizeof text));
    assert(strcmp(text, "2345678") == 0 && kept.tid == OTHER && kept.file == file);
    assert(ftruncate(kept.file, 0) == 0); /* as of a thread that has ended */
    assert(!read_again(some, &kept, OTHER, "stat", text, sizeof text) && kept.tid == 0);
    assert(lowest_file() == file);
    answer = NULL;
    assert(!read_again(some, &kept, OTHER, "stat", text, sizeof text) && kept.tid == 0);
    assert(lowest_file() == file);
    pc_watch_free(some);
}

static void test_threads_of_the_system(void)
{
    char text[8], path[64];
    assert(pc_gettid() == getpid());
    hour = 1.0;
    cpu = 2.25;
    cpu_of_other = 0.0;
    assert(pc_cpu_of(mine) == 2.25 && pc_cpu_of(OTHER) == 0.0);
    cpu_of_other = -1.0;
    assert(pc_cpu_of(OTHER) == -1.0 && pc_cpu_of(0) == -1.0);
    hour = 0.0;
    assert(pc_cpu_of(mine) > 0.0 && pc_cpu_of(0) == -1.0);

    const int file = lowest_file();
    answer = "0123456789";
    assert(read_of(OTHER, "stat", text, sizeof text) && strcmp(text, "0123456") == 0);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", OTHER);
    assert(strcmp(asked_for, path) == 0);
    answer = "1";
    assert(read_of(mine, "stat", text, sizeof text) && strcmp(text, "1") == 0);
    answer = "";
    assert(!read_of(mine, "stat", text, sizeof text));
    answer = NULL;
    assert(!read_of(mine, "stat", text, sizeof text) && state_by_hand(mine) == '?');
    answer = "12 (a) S (b) R 1 2";
    assert(state_by_hand(mine) == 'R');
    answer = "12 (a) S";
    assert(state_by_hand(mine) == 'S');
    answer = "12 (a)";
    assert(state_by_hand(mine) == '?');
    answer = "12";
    assert(state_by_hand(mine) == '?');
    assert(lowest_file() == file);

    answer = "123 2500000000 7";
    assert(pc_delay_of(mine) == 2.5);
    assert(strstr(asked_for, "/schedstat") != NULL);
    answer = "123";
    assert(pc_delay_of(mine) == 0.0);
    answer = NULL;
    assert(pc_delay_of(mine) == 0.0);

    /* The first descriptor is one like others. */
    const int kept = dup(0);
    close(0);
    answer = "1 (a) D";
    assert(state_by_hand(mine) == 'D' && lowest_file() == 0);
    assert(dup2(kept, 0) == 0);
    close(kept);
}

/* ---- the pipe and the signal -------------------------------------------------- */

/* Whether the thread's own table has this one. */
static int has_file(int file)
{
    return fcntl(file, F_GETFD) != -1;
}

static void *keep_two(void *argument)
{
    const int *files = argument;
    assert(keep_only(files[1], files[0]) == 1);
    for (int k = 0; k < 4; k++) {
        assert(has_file(files[k]) == (k < 2));
    }
    assert(!has_file(0) && !has_file(2) && lowest_file() == -1);
    assert(keep_only(-1, files[0]) == 1 && has_file(files[0]) && !has_file(files[1]));
    assert(keep_only(-1, -1) == 1 && !has_file(files[0]));
    return NULL;
}

/* A thread's own table of descriptors: the program's stays as it is. */
static void test_own_files(void)
{
    pthread_t thread;
    int files[4]; /* two that are kept; one between them, one after */
    for (int k = 0; k < 4; k++) {
        files[k] = fcntl(2, F_DUPFD, 600 + (int[]){0, 20, 10, 30}[k]);
    }
    if (syscall(SYS_close_range, 9999, 9999, 0) == 0) { /* else the system is too old */
        assert((pthread_create)(&thread, NULL, keep_two, files) == 0);
        (pthread_join)(thread, NULL);
    }
    for (int k = 0; k < 4; k++) {
        assert(close(files[k]) == 0);
    }
}

static void test_pipe(void)
{
    struct rlimit before, few;
    const int file = lowest_file();
    getrlimit(RLIMIT_NOFILE, &before);
    static const int limits[] = {1000, 400, 90}, expected[] = {700, 100, 0};
    for (int k = 0; k < 3; k++) {
        few = (struct rlimit){(rlim_t)limits[k], before.rlim_max};
        assert(setrlimit(RLIMIT_NOFILE, &few) == 0);
        pc_watch *some = pc_watch_new(&gil, OVER);
        const int out = pc_watch_pipe(some);
        assert(out == some->out && (expected[k] ? out == expected[k] + 1 : out < 90));
        assert(expected[k] == 0 || some->in == expected[k]);
        for (int end = 0; end < 2; end++) {
            const int one = end ? some->out : some->in;
            assert(is_ours(some, one) && fcntl(one, F_GETFD) == FD_CLOEXEC &&
                   (fcntl(one, F_GETFL) & O_NONBLOCK));
        }
        char byte = 'x';
        assert(write(some->out, &byte, 1) == 1 && read(some->in, &byte, 1) == 1 && byte == 'x');
        assert(expected[k] == 0 || lowest_file() == file); /* no other ends are left */
        const int kept = dup(0);
        dup2(some->in, 0);
        assert(is_ours(some, 0));
        dup2(kept, 0);
        close(kept);
        pc_watch_free(some);
        assert(lowest_file() == file && fcntl(out, F_GETFD) == -1);
    }
    /* None to be had. */
    few.rlim_cur = (rlim_t)file;
    setrlimit(RLIMIT_NOFILE, &few);
    pc_watch *none = pc_watch_new(&gil, OVER);
    assert(pc_watch_pipe(none) == -1 && !is_ours(none, none->in) && !is_ours(none, none->out));
    setrlimit(RLIMIT_NOFILE, &before);
    assert(!pc_watch_has_signal(none));
    pc_watch_free(none);

    /* Others that have come to our numbers are neither ours nor closed. */
    pc_watch *some = pc_watch_new(&gil, OVER);
    int ends[2];
    const int in = (pc_watch_pipe(some), some->in), out = some->out;
    assert(pipe(ends) == 0 && dup2(ends[0], in) == in && dup2(ends[1], out) == out);
    assert(!is_ours(some, in) && !is_ours(some, out) && !is_ours(some, -1));
    assert(write(out, "theirs", 6) == 6);
    drain(some);
    char text[6];
    assert(read(in, text, 6) == 6 && memcmp(text, "theirs", 6) == 0);
    pc_watch_free(some);
    assert(fcntl(in, F_GETFD) == 0 && fcntl(out, F_GETFD) == 0);
    close(in);
    close(out);
    close(ends[0]);
    close(ends[1]);
    assert(lowest_file() == file);
}

static void other_handler(int signum)
{
    (void)signum;
}

static void handler_of_three(int signum, siginfo_t *info, void *context)
{
    (void)signum;
    (void)info;
    (void)context;
}

static void test_signal(void)
{
    struct sigaction three = {.sa_sigaction = handler_of_three, .sa_flags = SA_SIGINFO};
    assert(pc_signal_is_free(SIGNAL));
    handle(SIGNAL, SIG_IGN);
    assert(pc_signal_is_free(SIGNAL));
    handle(SIGNAL, other_handler);
    assert(!pc_signal_is_free(SIGNAL));
    sigaction(SIGNAL, &three, NULL);
    assert(!pc_signal_is_free(SIGNAL) && !pc_signal_is_free(1000));
    handle(SIGNAL, SIG_IGN);
    handle(SLOT, other_handler);

    begin_wait();
    assert(is_handled_by(SLOT, other_handler)); /* the slot's handler is called, and not set */
    assert(pc_watch_has_signal(watch));
    raise(SIGNAL);
    assert(signals == 1);
    /* Who has not the GIL any more, or has it again, answers without a traceback. */
    char line[64];
    assert(read(watch->in, line, sizeof line) == (ssize_t)strlen(traceback));
    locked = 0;
    raise(SIGNAL);
    locked = 1;
    switches++;
    raise(SIGNAL);
    switches--;
    holder = (const char *)&other;
    raise(SIGNAL);
    holder = (const char *)&me;
    assert(signals == 1 && read(watch->in, line, sizeof line) == 3);
    assert(memcmp(line, "\n\n\n", 3) == 0);
    /* The program takes it, and later gives it back. */
    handle(SIGNAL, other_handler);
    assert(!pc_watch_has_signal(watch));
    handle(SIGNAL, write_own_traceback);
    assert(pc_watch_has_signal(watch));
    /* What is pending is gone before what was there is put back. */
    sigset_t blocked, pending;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGNAL);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    raise(SIGNAL);
    pc_watch_give_signal(watch);
    sigpending(&pending);
    assert(!sigismember(&pending, SIGNAL) && is_handled_by(SIGNAL, SIG_IGN));
    pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
    assert(signals == 1 && !pc_watch_has_signal(watch));
    handle(SIGNAL, write_own_traceback); /* given back to us when there is no watch any more */
    raise(SIGNAL);
    assert(signals == 1);
    end_wait();

    /* The program's is left alone. */
    begin_wait();
    handle(SIGNAL, other_handler);
    pc_watch_give_signal(watch);
    assert(is_handled_by(SIGNAL, other_handler));
    end_wait();
    handle(SLOT, SIG_DFL);

    /* Without either end of the pipe there is no use in it. */
    begin_wait();
    close(watch->in);
    assert(!pc_watch_has_signal(watch));
    end_wait();
    begin_wait();
    const int theirs = memfd_create("theirs", 0);
    dup2(theirs,
         watch->out); /* of the program, to which the thread that is signalled would write */
    signals = 0;
    errno = 77;
    raise(SIGNAL);
    assert(signals == 0 && errno == 77 && !pc_watch_has_signal(watch));
    close(watch->out);
    raise(SIGNAL);
    assert(signals == 0 && !pc_watch_has_signal(watch));
    close(theirs);
    end_wait();
    begin_wait();
    assert(pc_watch_has_signal(watch));
    end_wait();
}

/* ---- looks ------------------------------------------------------------------- */

static void test_a_holder_that_goes_on(void)
{
    begin_wait();
    pc_spell *spell = &watch->spell;
    memset(spell, 0x55, offsetof(pc_spell, text)); /* of the wait before */
    watch->next_signal = 1e9;
    watch->solid_asked = 5.0;
    watch->runs = watch->sleeps = 1;
    spell->ident = 0;
    look_after(1, 1);
    assert(spell->looks == 1 && spell->switches == 7 && spell->ident == 77 && spell->tid == mine);
    assert(spell->since == 64.0 && spell->first == hour && spell->last == hour);
    assert(spell->cpu == 0.0 && spell->asleep == 0.0 && spell->ignored == 0.0);
    assert(spell->collecting == 0 && spell->signals == 0 && spell->length == 0);
    assert(pc_watch_holder(watch, 0) == 77);

    look_after(1, 0.75); /* not asked yet: whether it runs is not looked at */
    assert(spell->looks == 2 && spell->cpu == 0.75 * TICK && spell->ignored == 0.0);
    assert(!watch->runs && !watch->sleeps && watch->next_signal == 0.0);
    asked = 1;
    collecting = 1;
    look_after(0.5, 0.25); /* asked since */
    assert(spell->cpu == TICK && spell->asleep == 0.0 && spell->ignored == 0.0);
    assert(watch->runs && !watch->sleeps && spell->collecting == 1 && signals == 0);
    collecting = 0;
    look_after(1, 1);
    assert(spell->ignored == TICK && spell->collecting == 1);
    assert(signals == 0); /* not yet: half of what counts has not passed */
    look_after(0.5, 0.5);
    assert(hour == 64.0 + 4.0 * TICK && spell->looks == 5);
    assert(signals == 1 && spell->signals == 1 && watch->unanswered == mine);
    assert(watch->next_signal == hour && spell->last == hour && spell->first == 64.0 + TICK);
    drain(watch);
    assert(spell->length == 7 && memcmp(spell->text, "a line\n", 7) == 0);
    assert(watch->unanswered == 0);
    look_after(1, 1); /* again at once */
    assert(signals == 2 && watch->next_signal == hour);
    drain(watch);
    assert(spell->length == 14 && memcmp(spell->text + 7, "a line\n", 7) == 0);
    /* Rarely from then on: a quarter of its age later. */
    look_after(4, 4);
    assert(hour - spell->first == OVER && signals == 3);
    assert(watch->next_signal == hour + 0.25 * OVER);
    look_after(1.75, 1.75);
    assert(signals == 3);
    look_after(0.25, 0.25);
    assert(signals == 4 && watch->next_signal == hour + 0.25 * (10.0 * TICK));
    assert(spell->ignored == spell->cpu - TICK && spell->asleep == 0.0);
    end_wait();
}

static void test_one_that_is_first_asked_late(void)
{
    begin_wait();
    pc_spell *spell = &watch->spell;
    look_after(1, 1);
    look_after(20, 20);
    asked = 1;
    look_after(1, 1);
    assert(spell->ignored == 0.0 && signals == 0); /* it may give the GIL away at any moment */
    look_after(1, 1);
    assert(spell->ignored == TICK && signals == 1 && watch->next_signal == hour);
    drain(watch);
    look_after(1, 1);
    assert(signals == 2 && watch->next_signal == hour + 0.25 * (23.0 * TICK));
    end_wait();

    /* Asked before it had run at all. */
    begin_wait();
    look_after(1, 1);
    asked = 1;
    look_after(1, 0);
    look_after(1, 1);
    assert(watch->spell.ignored == TICK);
    /* As Python 3.13 has it: by a bit of the thread's state. */
    asked = 0;
    watch->gil.asked = NULL;
    me.asked = 2;
    assert(!is_asked(watch, holder));
    me.asked = 3;
    assert(is_asked(watch, holder));
    me.asked = 0;
    end_wait();
}

static void test_sleepers_and_those_without_a_core(void)
{
    begin_wait();
    pc_spell *spell = &watch->spell;
    asked = 1;
    look_after(1, 1);
    answer = "1 (python) S 1";
    look_after(1, 0.25);
    assert(!watch->runs && watch->sleeps);
    assert(spell->asleep == 0.75 * TICK && spell->cpu == 0.25 * TICK && spell->ignored == 0.0);
    answer = "1 (python) D 1";
    look_after(1, 0);
    assert(spell->asleep == 1.75 * TICK && spell->ignored == TICK);
    look_after(8, 0); /* when nobody could look, it may have waited for a core */
    assert(spell->asleep == 1.75 * TICK + 2.0 * watch->pace);
    look_after(1, 2); /* the clocks are not one */
    assert(spell->asleep == 1.75 * TICK + 2.0 * watch->pace && spell->cpu == 2.25 * TICK);
    look_after(1, -1);
    assert(spell->cpu == 2.25 * TICK);
    assert(signals == 0); /* it would wake it */
    answer = "1 (python) R 1";
    look_after(1, 0.0);
    assert(watch->runs && !watch->sleeps && signals == 1);
    const double asleep = spell->asleep;
    look_after(1, 1.0);
    look_after(1, 0.0); /* it has no core */
    assert(spell->asleep == asleep && signals == 2);
    /* Where that is not told: it runs if it ran for half of the time. */
    answer = NULL;
    watch->next_signal = 0.0;
    look_after(1, 0.25);
    assert(!watch->runs && !watch->sleeps && signals == 2);
    answer = "1 (python) R 1";
    look_after(1, 0.5);
    answer = NULL;
    look_after(1, 0.5);
    assert(watch->runs && !watch->sleeps);
    end_wait();
}

static void it_runs(void)
{
    cpu += 0.25 * TICK;
}

static void it_hands_on(void)
{
    switches++;
}

static void it_lets_go(void)
{
    locked = 0;
}

static void test_the_stack_of_a_sleeper(void)
{
    begin_wait();
    pc_spell *spell = &watch->spell;
    frames = "a frame\n";
    reads = 0;
    asked = 1;
    look_after(1, 1);
    answer = "1 (python) S 1";
    look_after(1, 0);
    look_after(1, 0);
    assert(reads == 0); /* not yet: half of what counts has not passed */
    look_after(1, 0);
    assert(reads == 1 && read_from == (const char *)&me && spell->signals == 1 && signals == 0);
    assert(spell->length == 8 && memcmp(spell->text, "a frame\n", 8) == 0);
    look_after(1, 0); /* again at once, then rarely, as a signal */
    assert(reads == 2 && spell->length == 16 && memcmp(spell->text + 8, "a frame\n", 8) == 0);
    look_after(4, 0);
    assert(reads == 3 && watch->next_signal == hour + 0.25 * OVER);
    look_after(1.75, 0);
    assert(reads == 3);
    look_after(0.25, 0);
    assert(reads == 4 && spell->length == 32);

    /* Nothing counts that was read while the thread ran, or no longer had the GIL. */
    void (*const changes[])(void) = {it_runs, it_hands_on, it_lets_go};
    for (int k = 0; k < 3; k++) {
        watch->next_signal = 0.0;
        while_read = changes[k];
        look_after(1, 0);
        while_read = NULL;
        switches = 7;
        locked = 1;
        assert(reads == 5 + k && spell->length == 32 && spell->signals == 4);
    }
    answer = "1 (python) R 1"; /* it has been woken by now */
    watch->next_signal = 0.0;
    assert(!read_sleeper(watch, holder, hour) && reads == 7);
    answer = "1 (python) D 1";
    assert(read_sleeper(watch, holder, hour) && reads == 8 && spell->length == 40);
    frames = NULL;
    watch->next_signal = 0.0;
    assert(!read_sleeper(watch, holder, hour) && reads == 9 && spell->length == 40);
    frames = "a frame\n";
    spell->length = PC_TEXT - 512;
    assert(read_sleeper(watch, holder, hour) && reads == 9); /* it is full */
    assert(signals == 0);
    end_wait();
    frames = NULL;
}

static void test_spells(void)
{
    begin_wait();
    pc_spell *spell = &watch->spell, *longest = &watch->longest;
    asked = 1;
    longest->ignored = 1e9; /* of another wait */
    look_after(1, 1);
    look_after(1, 1);
    look_after(1, 1);
    const double ignored = spell->ignored;
    assert(ignored == TICK && longest->ident == 0);
    holder = (const char *)&other;
    switches++;
    look_after(1, 1);
    assert(longest->ident == 77 && longest->looks == 3 && longest->ignored == ignored);
    assert(pc_watch_holder(watch, 1) == 77);
    assert(spell->ident == 88 && spell->tid == OTHER && spell->looks == 1 && spell->switches == 8);
    assert(spell->since == hour && spell->first == hour && pc_watch_holder(watch, 0) == 88);
    /* A short one does not count for more than a long one. */
    switches++;
    look_after(1, 1);
    assert(longest->ident == 77 && spell->switches == 9 && spell->looks == 1);
    for (int k = 0; k < 5; k++) {
        cpu_of_other += TICK;
        look_after(1, 0);
    }
    assert(spell->ignored == 4.0 * TICK && spell->cpu == 5.0 * TICK);
    end_spell(watch);
    assert(longest->ident == 88 && longest->looks == 6 && longest->ignored == 4.0 * TICK);
    spell->ident = 0;
    spell->ignored = 1e9;
    end_spell(watch); /* of nobody */
    assert(longest->ident == 88);
    end_wait();

    begin_wait();
    look_after(1, 1);
    end_spell(watch); /* one look is better than none */
    assert(watch->longest.ident == 77 && watch->longest.looks == 1);
    end_wait();
}

static void it_is_given_away(void)
{
    locked = 0;
}

static void it_is_handed_on(void)
{
    switches++;
}

static void test_a_gil_that_goes_while_it_is_looked_at(void)
{
    begin_wait();
    pc_spell *spell = &watch->spell;
    locked = 0;
    look_after(1, 1);
    assert(spell->ident == 0);
    locked = 1;
    look_after(1, 1);
    assert(spell->ident == 77 && spell->looks == 1);
    locked = 0;
    look_after(1, 1);
    assert(spell->looks == 1);
    locked = 1;
    look_after(1, 1);
    assert(spell->looks == 2 && spell->cpu == 2.0 * TICK);

    /* What is read of the holder may be of the time after. */
    asked = 1;
    meanwhile = it_is_given_away;
    look_after(1, 1);
    locked = 1;
    meanwhile = it_is_handed_on;
    look_after(1, 1);
    switches--;
    meanwhile = NULL;
    assert(spell->looks == 2 && !watch->runs && spell->cpu == 2.0 * TICK);
    asked = 0;

    /* Nobody has had it yet. */
    switches++;
    holder = NULL;
    look_after(1, 1);
    assert(spell->ident == 0 && spell->tid == 0 && spell->looks == 1 && spell->switches == 8);
    /* Given away while its name was read, and taken back: the same switches, and the name after
     * all. */
    holder = (const char *)&me;
    look_after(1, 1);
    assert(spell->ident == 77 && spell->tid == mine && spell->looks == 1 && spell->first == hour);
    look_after(1, 1);
    assert(spell->looks == 2);
    begin_spell(watch, holder, 7, hour);
    assert(spell->ident == 0 && spell->tid == 0 && pc_watch_holder(watch, 0) == 0);
    locked = 0;
    begin_spell(watch, holder, 8, hour);
    assert(spell->ident == 0 && spell->tid == 0);
    locked = 2;
    assert(!pc_is_locked(&gil));
    locked = 1;
    assert(pc_is_locked(&gil));
    end_wait();
}

static void test_whom_to_signal(void)
{
    begin_wait();
    pc_spell *spell = &watch->spell;
    look_after(1, 1);
    spell->length = PC_TEXT - 512; /* no room for another */
    signal_holder(watch, hour);
    assert(signals == 0 && spell->signals == 0);
    spell->length--;
    watch->next_signal = hour + TICK;
    signal_holder(watch, hour);
    assert(signals == 0);
    signal_holder(watch, hour + TICK);
    assert(signals == 1);
    drain(watch);
    spell->length = 0;
    watch->next_signal = 0.0;
    /* Another has yet to write. */
    watch->unanswered = OTHER;
    cpu_of_other = 0.0;
    signal_holder(watch, hour);
    assert(signals == 1 && watch->unanswered == OTHER);
    cpu_of_other = -1.0; /* it never will */
    signal_holder(watch, hour);
    assert(signals == 2 && watch->unanswered == mine);
    signal_holder(watch, hour + TICK);
    assert(signals == 3);
    /* The program took the signal. */
    assert(watch->figures.signal_lost == 0);
    handle(SIGNAL, other_handler);
    watch->next_signal = 0.0;
    signal_holder(watch, hour);
    assert(signals == 3 && spell->signals == 3 && watch->figures.signal_lost == 1);
    /* There never was a pipe. */
    watch->signum = 0;
    signal_holder(watch, hour);
    assert(watch->figures.signal_lost == 0);
    end_wait();
}

static void test_whose_traceback_it_is(void)
{
    begin_wait();
    pc_spell *spell = &watch->spell;
    look_after(1, 1);
    signal_holder(watch, hour);
    watch->watched++; /* it came after its wait */
    drain(watch);
    assert(spell->length == 0 && watch->unanswered == 0);
    signal_holder(watch, hour);
    spell->switches++; /* or after its spell */
    drain(watch);
    assert(spell->length == 0 && watch->unanswered == 0);
    watch->next_signal = 0.0;
    traceback = "1";
    switches++;
    signal_holder(watch, hour);
    drain(watch);
    assert(spell->length == 1 && spell->text[0] == '1');
    /* What there is no room for is left out. */
    static char full[PC_TEXT];
    memset(spell->text, 'a', PC_TEXT);
    spell->length = PC_TEXT - 5;
    memset(full, 'b', 9000);
    watch->signum = SIGNAL;
    assert(write(watch->out, full, 9000) == 9000);
    drain(watch);
    assert(spell->length == PC_TEXT && memcmp(spell->text + PC_TEXT - 7, "aabbbbb", 7) == 0);
    assert(read(watch->in, full, 1) == -1 && errno == EAGAIN);
    /* The end of what was written is no text. */
    writes_to = -1;
    close(watch->out);
    drain(watch);
    traceback = "a line\n";
    end_wait();
}

/* ---- the watcher's loop, and what the beat says of its wait ---------------------- */

static double dues[16];
static int turn;

/* The watcher sleeps, and wakes late; the beat waits from the second time on, and again from the
 * sixth. */
static void happens(void)
{
    dues[turn++] = hour;
    switch (turn) {
    case 1: hour += 0.002; break; /* nobody waits */
    case 2:
        assert(watch->spell.ident == 99); /* so long nobody looks */
        hour += TICK / 2.0;
        answer = "1 1000000000 1";
        pc_watch_ask(watch, 1);
        hour += TICK / 2.0;
        break;
    case 3:
        hour += TICK;
        cpu += 2.0 * TICK;
        assert(write(watch->out, "lost", 4) == 4);
        break;
    case 4: cpu += TICK; break;
    case 5:
        pc_watch_got(watch);
        hour += TICK;
        break;
    case 6: pc_watch_ask(watch, 1); break;
    default: watch->stop = 1;
    }
}

static void test_watcher(void)
{
    char name[16], before[16], byte;
    begin_wait();
    pthread_getname_np(pthread_self(), before, sizeof before);
    watch->wait = 0;
    watch->beat_tid = OTHER;
    watch->ident_of_longest = watch->spell.ident = watch->longest.ident = 99;
    turn = 0;
    step = happens;
    assert(watcher(watch) == NULL && turn == 7 && held == 0);
    pthread_getname_np(pthread_self(), name, sizeof name);
    assert(strcmp(name, "pycrust-watch") == 0 && watch->watcher_tid == mine);
    pthread_setname_np(pthread_self(), before);
    /* It looks three times as rarely while nobody waits. */
    const double pace = TICK;
    static const double late[] = {0.002, TICK, TICK, 0.0, TICK, 0.0}, rarely[] = {3, 3, 1, 1, 1, 3};
    double at = 64.0, unseen = 0.0;
    for (int k = 0; k < 6; k++) {
        at += rarely[k] * pace;
        assert(fabs(dues[k] - at) < 1e-8);
        at += late[k];
        unseen += fmax(late[k] - 1e-3, 0.0);
    }
    assert(watch->figures.looks == 6);
    assert(fabs(watch->figures.unseen - unseen) < 1e-7);
    assert(fabs(watch->figures.longest_late - TICK) < 1e-8);
    assert(read(watch->in, &byte, 1) == -1); /* it drains the pipe */
    /* The last wait is of another number: nothing is left of the one before. */
    assert(watch->watched == 3 && watch->spell.looks == 1 && watch->longest.ident == 0);
    assert(pc_watch_holder(watch, 1) == 0);
    assert(watch->late == 0.0 && watch->delay_before == 1.0);
    end_wait();
}

/* Three looks at one wait, the first of which comes late; then it is over. */
static void waits(void)
{
    switch (++turn) {
    case 1:
        answer = "1 1000000000 1";
        hour += TICK / 2.0;
        pc_watch_ask(watch, 0);
        hour += TICK / 2.0; /* of its wait */
        break;
    case 2:
        asked = 1;
        answer = "1 (python) S 1";
        hour += TICK / 2.0;
        break;
    case 3: break;
    default: watch->stop = 1;
    }
}

static pc_stall stall;

static void test_judgement(void)
{
    begin_wait();
    pc_watch_got(watch);
    pc_watch_judge(watch, NULL);
    pc_watch_judge(watch, NULL); /* nothing is asked of it */
    assert(watch->figures.waits == 2 && watch->figures.waited == 0.0);
    watch->beat_tid = OTHER;
    turn = 0;
    step = waits;
    watcher(watch);
    pthread_setname_np(pthread_self(), "test_watch");
    assert(turn == 4 && watch->spell.looks == 3 && watch->spell.ident == 77);
    const double begin = watch->begin, first = watch->spell.first, asleep = watch->spell.asleep;
    assert(fabs(watch->late - TICK) < 1e-8);
    hour = begin + 8.0 * TICK;
    answer = "1 1250000000 1";
    assert(write(watch->out, "its line", 8) == 8);
    watch->wait_signalled = watch->watched;
    watch->switches_signalled = switches;
    switches++;
    assert(pc_watch_got(watch) == watch->end - begin && watch->wait == 0);
    assert(watch->end == pc_now() && watch->switches_end == 8);
    memset(&stall, 0x55, sizeof stall);
    pc_watch_judge(watch, &stall);
    assert(stall.begin == begin && stall.end == watch->end && stall.switches == 1 && stall.unmoved);
    assert(stall.late == watch->late && stall.delay == 0.25);
    assert(stall.spell.ident == 77 && stall.spell.looks == 3 && stall.spell.first == first);
    assert(stall.spell.last == watch->end); /* it had the GIL, and slept, until then */
    assert(fabs(stall.spell.asleep - asleep - 2.0 * watch->pace) < 1e-7);
    assert(stall.spell.length == 8 && memcmp(stall.spell.text, "its line", 8) == 0);
    const double wait = stall.end - stall.begin;
    assert(watch->figures.waits == 3 && watch->figures.waited == wait);
    assert(watch->figures.longest_wait == wait);
    end_wait();

    /* Of several holders the last has the GIL until then: not the one with the longest spell. */
    begin_wait();
    asked = 1;
    for (int k = 0; k < 4; k++) {
        look_after(1, 1);
    }
    switches++;
    holder = (const char *)&other;
    look_after(1, 1);
    hour += 2.0 * TICK;
    switches++;
    pc_watch_got(watch);
    pc_watch_judge(watch, &stall);
    assert(stall.switches == 2 && !stall.unmoved && stall.spell.ident == 77);
    assert(stall.spell.last == hour - 3.0 * TICK && stall.spell.switches == 7);
    assert(watch->spell.last == hour);
    end_wait();

    /* The holder gave it to another, who was not seen; or to several: then it may have come back.
     */
    begin_wait();
    look_after(1, 1);
    const double last = watch->spell.last;
    hour += TICK;
    switches += 2;
    pc_watch_got(watch);
    pc_watch_judge(watch, &stall);
    assert(stall.unmoved && stall.switches == 2 && stall.spell.last == last);
    end_wait();
    begin_wait();
    look_after(1, 1);
    switches += 3;
    pc_watch_got(watch);
    pc_watch_judge(watch, &stall);
    assert(!stall.unmoved && stall.switches == 3 && stall.spell.ident == 77);
    end_wait();

    /* None was seen; what there is of a spell is of a wait before. */
    begin_wait();
    pc_watch_ask(watch, 1);
    switches++;
    hour += 4.0 * TICK;
    watch->spell.ident = 99;
    watch->spell.switches = 7;
    watch->spell.last = 1.0;
    pc_watch_got(watch);
    memset(&stall, 0x55, sizeof stall);
    pc_watch_judge(watch, &stall);
    assert(stall.late == 4.0 * TICK && stall.delay == 0.0 && !stall.unmoved);
    assert(stall.spell.ident == 0 && stall.spell.length == 0 && watch->spell.last == 1.0);
    /* Nobody was seen, though it was looked. */
    pc_watch_ask(watch, 1);
    watch->watched = watch->wait;
    watch->spell.ident = 0;
    watch->spell.switches = switches;
    switches++;
    pc_watch_got(watch);
    pc_watch_judge(watch, &stall);
    assert(watch->spell.last == 1.0 && stall.spell.ident == 0);
    end_wait();
}

static double shortest_nap, longest_nap;

static void naps(void)
{
    const double length = hour - 64.0;
    shortest_nap = fmin(shortest_nap, length);
    longest_nap = fmax(longest_nap, length);
    hour = 64.0;
    watch->stop = ++turn == until;
}

static void test_beat(void)
{
    begin_wait();
    /* Whether it asks at all. */
    const uint64_t waits = watch->waits;
    locked = 0;
    watch->wait = 0;
    assert(!pc_watch_ask(watch, 0) && watch->wait == 0);
    hour = 65.0;
    switches = 9;
    assert(pc_watch_ask(watch, 1) && watch->wait == waits + 1 && watch->begin == 65.0);
    assert(watch->switches == 9);
    locked = 1;
    assert(pc_watch_ask(watch, 0) && watch->wait == waits + 2);
    assert(pc_watch_ask(watch, 1) && watch->wait == waits + 3);
    hour = 66.0;
    assert(pc_watch_got(watch) == 1.0 && watch->wait == 0);
    pc_watch_judge(watch, NULL);

    /* It naps for random times, no longer than four times the mean. */
    hour = shortest_nap = 64.0;
    longest_nap = turn = steps = 0;
    until = 500;
    step = naps;
    for (int k = 1; k <= until; k++) {
        assert(pc_watch_nap(watch, 0.25) == (k < until) && watch->beat_tid == mine);
    }
    assert(turn == until && shortest_nap >= 0.0 && shortest_nap < 0.01 && longest_nap == 1.0);
    assert(!pc_watch_nap(watch, 0.25) && turn == until); /* not once more at the end */

    pc_figures figures;
    pc_watch_figures(watch, &figures, 0);
    assert(figures.beats == 501 && figures.waits == 1 && figures.waited == 1.0);
    assert(figures.longest_wait == 1.0 && figures.started == 64.0 && figures.signal_lost == 0);
    hour = 70.0;
    pc_watch_figures(watch, &figures, 1);
    assert(figures.beats == 501 && figures.started == 64.0);
    pc_watch_figures(watch, &figures, 0);
    assert(figures.beats == 0 && figures.waits == 0 && figures.looks == 0);
    assert(figures.longest_wait == 0.0 && figures.started == 70.0 && figures.signal_lost == 0);
    end_wait();
}

static void test_new(void)
{
    no_memory = 1;
    assert(pc_watch_new(&gil, OVER) == NULL);
    no_memory = 0;
    hour = 6.0;
    static const double overs[] = {0.001, 0.008, 0.02, 0.04, 0.4},
                        paces[] = {1e-3, 1e-3, 2.5e-3, 5e-3, 5e-3};
    for (int k = 0; k < 5; k++) {
        pc_watch *some = pc_watch_new(&gil, overs[k]);
        assert(some->pace == paces[k] && some->random == 6000000001);
        /* Never less than twice the switch interval, as it is at the moment. */
        assert(pc_watch_over(some) == fmax(overs[k], 0.01));
        interval_us = 20000;
        assert(pc_watch_over(some) == fmax(overs[k], 0.04));
        interval_us = 5000;
        assert(memcmp(&some->gil, &gil, sizeof gil) == 0);
        pc_watch_free(some);
    }
    hour = 0.0;
    assert(made == 0);
}

/* ---- the log -------------------------------------------------------------------- */

static char logged[1 << 18];

static const char *log_now(void)
{
    const size_t length = pc_watch_log(watch, 0, logged, sizeof logged - 1);
    assert(length < sizeof logged);
    logged[length] = '\0';
    return logged;
}

/* A record as it is written: of which process it is, too. */
static const char *record(const char *values)
{
    static char text[2][1024];
    static int turn_of;
    turn_of = !turn_of;
    snprintf(text[turn_of], sizeof text[0], "{%s], \"pid\": %d}\n", values, mine);
    return text[turn_of];
}

/* Several holders in one wait: each that counts is told, whatever their order, and only once. */
static void test_several_holders(void)
{
    static const double ignored[] = {0.5, 0.75, 0.01, 0.6};
    begin_wait();
    watch->unnamed_count = 0;
    watch->spell.ident = watch->longest.ident = 0;
    for (int k = 0; k < 4; k++) {
        pc_spell *spell = &watch->spell;
        *spell =
            (pc_spell){.ident = 70 + (unsigned long)k % 3, .tid = OTHER, .switches = 9, .looks = 3};
        spell->since = spell->first = hour + k;
        spell->last = hour + k + 1.0;
        spell->cpu = 1.0;
        spell->ignored = ignored[k];
        end_spell(watch);
    }
    /* The second is the longest, and told with the wait; the third is none. */
    assert(watch->longest.ident == 71 && watch->ident_of_longest == 71);
    assert(watch->unnamed_count == 1 && pc_watch_holder(watch, 2) == 70);
    assert(pc_watch_holder(watch, 3) == 0 && pc_watch_holder(watch, 1) == 71);
    const char *log = log_now(), *second = strchr(log, '\n') + 1;
    assert(strncmp(log, "{\"also\": [1, 64.000000000, 1.000000000, ", 40) == 0);
    assert(strncmp(second, "{\"also\": [1, 67.000000000, 1.000000000, ", 40) == 0);
    assert(strchr(second, '\n')[1] == '\0');
    /* Their names follow, those that are known; then the wait. */
    const size_t before = strlen(log);
    memset(&stall, 0, sizeof stall);
    stall.names[2].ident = 70;
    strcpy(stall.names[2].thread, "one");
    stall.names[3].ident = 71;
    pc_watch_keep(watch, &stall);
    assert(strncmp(log_now() + before, "{\"names\": [0, \"\", 70, \"one\"], ", 30) == 0);
    end_wait();
}

/* A fork that stopped the threads for long enough. */
static void test_fork(void)
{
    begin_wait();
    pc_watch_fork(watch, 64.5, 0.499, "me", "a stack\n");
    assert(strcmp(log_now(), "") == 0);
    pc_watch_fork(watch, 64.5, 0.5, "me", "a stack\n");
    assert(strcmp(log_now(), record("\"fork\": [1, 64.500000000, 0.500000000, \"me\", "
                                    "\"a stack\\u000a\"")) == 0);
    end_wait();
}

/* A turn of an event loop; and whether its thread sleeps, for something else than the GIL. */
static void test_loop(void)
{
    begin_wait();
    pc_watch_loop(watch, 64.5, 0.25, 0.125, "me", "its task", "a stack");
    assert(strcmp(log_now(), record("\"loop\": [1, 64.500000000, 0.250000000, 0.125000000, \"me\", "
                                    "\"its task\", \"a stack\"")) == 0);
    watch->kept = PC_MAX_STALLS;
    pc_watch_loop(watch, 64.5, 0.25, 0.125, "me", "", "");
    assert(strchr(log_now(), '\n')[1] == '\0');
    pc_gil there = gil;
    there.begin = (const char *)0x7f0000001000;
    there.size = 0x100;
    const char *const calls[] = {"running",
                                 "-1 0x7f0000001000",
                                 "202 0x7f0000001000 0x80",
                                 "202 0x7f00000010ff",
                                 "202 0x7f0000000fff",
                                 "202 0x7f0000001100",
                                 "35 0x7f0000001000",
                                 "230"};
    char sleeps[sizeof calls / sizeof *calls + 1] = "";
    for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
        answer = calls[k];
        sleeps[k] = pc_sleeps_elsewhere(&there, mine) ? 'y' : 'n';
    }
    assert(strcmp(sleeps, SYS_futex == 202 ? "nnnnyyyy" : "nnyyyyyy") == 0);
    answer = NULL;
    assert(!pc_sleeps_elsewhere(&there, mine));
    /* The beat asks at its time, even if the GIL is free. */
    locked = 0;
    assert(!pc_watch_ask(watch, 0) && pc_watch_ask(watch, 1));
    pc_watch_ask_by(watch, 65.0);
    assert(!pc_watch_ask(watch, 0));
    hour = 65.0;
    assert(pc_watch_ask(watch, 0));
    pc_watch_ask_by(watch, 65.5);
    assert(!pc_watch_ask(watch, 0));
    end_wait();
}

static int farewells;

static void farewell(void)
{
    farewells++;
}

/* A watch that was brought in, with its end of the lock or without. */
static void test_one_that_leaves(void)
{
    char path[] = "/tmp/pycrust-test-XXXXXX";
    const int lock = mkstemp(path);
    begin_wait();
    assert(!leaves(watch, 1e9) && !pc_watch_left(watch)); /* any other stays */
    pc_watch_leave_after(watch, 8.0, farewell);
    assert(watch->leave_at == 72.0 && !leaves(watch, 71.9)); /* without a sink nobody is asked */
    watch->sink = (open)(path, O_WRONLY);
    assert(flock(lock, LOCK_EX) == 0);
    watch->next_question = 0.0;
    assert(!leaves(watch, 65.0) && watch->next_question == 65.25);
    flock(lock, LOCK_UN);
    assert(!leaves(watch, 65.2)); /* it asks rarely */
    flock(lock, LOCK_EX);
    assert(!leaves(watch, 71.9) && leaves(watch, 72.0));
    assert(pc_watch_left(watch) && watch->stop && strncmp(log_now(), "{\"end\": [", 9) == 0);
    watch->left = watch->stop = 0;
    flock(lock, LOCK_UN);
    assert(leaves(watch, 66.0) == (watch->next_question <= 66.0));
    watch->left = watch->stop = 0;
    watch->next_question = 0.0;
    /* A hold that has not ended is told. */
    asked = 1;
    for (int k = 0; k < 20; k++) {
        look_after(1, 1);
    }
    assert(leaves(watch, hour) && strstr(log_now(), "{\"lasting\": [1, 64.000000000, ") != NULL);
    assert(farewells == 0); /* that is for the thread, without the lock */
    close(lock);
    unlink(path);
    end_wait();
}

static void test_log(void)
{
    char nobody[128];
    strcpy(nobody, record("\"stall\": [3, 64.250000000, 0.500000000, 0.125000000, 0.000000001"));
    begin_wait();
    assert(strcmp(log_now(), "") == 0);
    memset(&stall, 0, sizeof stall);
    stall.switches = 3;
    stall.begin = 64.25;
    stall.end = 64.75;
    stall.late = 0.125;
    stall.delay = 1e-9;
    pc_watch_keep(watch, &stall);
    assert(strcmp(log_now(), nobody) == 0);
    assert(pc_watch_log(watch, 0, logged, 5) == strlen(nobody)); /* as far as it fits */
    assert(pc_watch_log(watch, 9, logged, sizeof logged) == strlen(nobody) - 9); /* from there */
    assert(memcmp(logged, nobody + 9, strlen(nobody) - 9) == 0);
    assert(pc_watch_log(watch, strlen(nobody) + 1, logged, sizeof logged) == 0);
    assert(pc_watch_await(watch, strlen(nobody) - 1) == 1);
    watch->ended = 1;
    assert(pc_watch_await(watch, strlen(nobody)) == 0);
    watch->ended = 0;

    /* A thread that threading knows, whose name is to be quoted; and a place. */
    stall.spell = (pc_spell){.ident = 77, .tid = OTHER, .since = 65.0, .first = 65.5, .last = 67.5};
    stall.spell.cpu = 0.25;
    stall.spell.asleep = 12.0;
    stall.spell.ignored = -0.5;
    stall.spell.looks = 8;
    stall.spell.collecting = 2;
    stall.spell.length = 5;
    memcpy(stall.spell.text, "l\n\"\\\x7f and more", 14);
    strcpy(stall.names[0].thread, "another");
    stall.names[0].ident = 76;
    strcpy(stall.names[1].thread, "w\xc3\xb6 \"1\"");
    stall.names[1].ident = 77;
    stall.line = 12;
    stall.end_line = 13;
    stall.end_column = 70;
    strcpy(stall.file, "/a\t.py");
    strcpy(stall.function, "f");
    strcpy(stall.task, "task");
    strcpy(stall.callee, "m:f");
    stall.unmoved = 1;
    pc_watch_keep(watch, &stall);
    const char *second = log_now() + strlen(nobody);
    assert(strncmp(log_now(), nobody, strlen(nobody)) == 0);
    assert(
        strcmp(second,
               record("\"stall\": [3, 64.250000000, 0.500000000, 0.125000000, 0.000000001, "
                      "0.750000000, 0.500000000, 2.000000000, 0.250000000, 12.000000000, "
                      "-0.500000000, 8, 2, 77, \"w\xc3\xb6 \\\"1\\\"\", \"l\\u000a\\\"\\\\\x7f\", "
                      "\"/a\\u0009.py\", 12, \"f\", 13, 70, \"task\", \"m:f\"")) == 0);
    stall.unmoved = 0; /* it is where another thread is */
    stall.spell.length = 0;
    pc_watch_keep(watch, &stall);
    assert(strstr(log_now() + strlen(nobody) + 300, "\"w\xc3\xb6 \\\"1\\\"\", \"\"], ") != NULL);

    /* The names of threads that threading does not know. */
    stall.names[1].thread[0] = '\0';
    char text[32];
    cpu_of_other = 0.0;
    answer = "python\n";
    strcpy(stall.spell.comm, "the pool\n");
    assert(strcmp(name_of(&stall, text, sizeof text), "the pool") == 0);
    strcpy(stall.spell.comm, answer);
    snprintf(logged, sizeof logged, "thread %d", OTHER);
    assert(strcmp(name_of(&stall, text, sizeof text), logged) == 0);
    stall.spell.comm[0] = '\0';
    assert(strcmp(name_of(&stall, text, sizeof text), logged) == 0);
    cpu_of_other = -1.0;
    assert(strcmp(name_of(&stall, text, sizeof text), "") == 0);
    stall.spell.tid = mine; /* getpid() */
    assert(strcmp(name_of(&stall, text, sizeof text), "MainThread") == 0);
    end_wait();

    /* Figures; and what there is no memory for is left out. */
    begin_wait();
    hour = 66.0;
    watch->figures = (pc_figures){1, 2, 3, 4.0, 5.0, 6.0, 7.0, 64.0, 1};
    no_memory = 1;
    pc_watch_note(watch, "lost", 0);
    no_memory = 0;
    pc_watch_note(watch, "end", 1);
    assert(strcmp(log_now(), record("\"end\": [1, 2, 3, 1, 4.000000000, 5.000000000, 6.000000000, "
                                    "7.000000000, 2.000000000, 0.500000000, 64.000000000")) == 0);
    assert(watch->figures.beats == 0);
    /* Only so many. */
    stall.spell.ident = 0;
    watch->kept = PC_MAX_STALLS - 1;
    for (int k = 0; k < 3; k++) {
        pc_watch_keep(watch, &stall);
    }
    assert(strchr(strchr(log_now(), '\n') + 1, '\n')[1] == '\0');
    end_wait();

    /* To a file, which is opened again if it was closed, and is never another. */
    begin_wait();
    char path[64];
    const int sink = memfd_create("log", 0), far = fcntl(sink, F_DUPFD, 650);
    snprintf(path, sizeof path, "/proc/self/fd/%d", sink);
    pc_watch_sink(watch, far, path);
    assert(fcntl(far, F_GETFD) == FD_CLOEXEC);
    pc_watch_keep(watch, &stall);
    assert(strcmp(log_now(), "") == 0);
    const off_t length = lseek(sink, 0, SEEK_END);
    assert(length == (off_t)strlen(nobody));
    const int theirs = memfd_create("theirs", 0), few = lowest_file();
    assert(dup2(theirs, far) == far);
    pc_watch_keep(watch, &stall);
    assert(lseek(sink, 0, SEEK_END) == 2 * length && lseek(theirs, 0, SEEK_END) == 0);
    assert(watch->sink >= 700 && lowest_file() == few);
    close(watch->sink);
    close(sink); /* it is nowhere any more */
    pc_watch_keep(watch, &stall);
    close(theirs);
    end_wait();
    assert(fcntl(far, F_GETFD) == 0);
    close(far);
}

/* ---- a hold that lasts --------------------------------------------------------------- */

static char *told_of(int file)
{
    static char text[4096];
    const ssize_t length = pread(file, text, sizeof text - 1, 0);
    assert(length >= 0 && ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
    text[length] = '\0';
    return text;
}

static void test_a_hold_that_lasts(void)
{
    const int usual = dup(2);
    const int file = memfd_create("stderr", 0);
    assert(dup2(file, 2) == 2);
    begin_wait();
    const int few = lowest_file();
    pc_watch_dump_over(watch, 1.0, 1e9);
    traceback = "Stack (most recent call first):\n  a line\n";
    answer = "1 (python) S 1"; /* it is asked though it sleeps */
    asked = 1;
    for (int k = 0; k < 16; k++) {
        look_after(1, 0);
    }
    assert(hour == 65.0 && signals == 1 && strcmp(told_of(file), "") == 0);
    for (int k = 0; k < 4; k++) {
        drain(watch);
        look_after(1, 0);
    }
    assert(signals == 2);
    assert(strcmp(told_of(file), "pycrust: MainThread has held the GIL for 1.2 s\n"
                                 "Stack (most recent call first):\n  a line\n") == 0);
    /* To the log before, too, in case that the process is killed: again after a quarter more. */
    static const char *const lasted[] = {"0.500000000", "0.625000000", "0.812500000",
                                         "1.000000000", "1.250000000", "1.250000000"};
    const char *next = log_now();
    for (size_t k = 0; k < sizeof lasted / sizeof *lasted; k++) {
        char expected[64];
        snprintf(expected, sizeof expected, "{\"lasting\": [1, 64.000000000, %s, ", lasted[k]);
        assert(strncmp(next, expected, strlen(expected)) == 0);
        next = strchr(next, '\n') + 1;
    }
    assert(*next == '\0');
    assert(watch->next_dump == 2.0 && watch->dump_signals == 0);
    look_after(1, 0);
    assert(strcmp(told_of(file), "") == 0 && signals == 2);
    /* From a thread with a table of its own, which has no stderr: to that of the process. */
    watch->own_files = 1;
    tell(watch, "a line\n", 7);
    assert(strcmp(told_of(file), "a line\n") == 0 && lowest_file() == few);
    watch->own_files = 0;
    /* Without a traceback, and of another spell: from the start on. */
    begin_spell(watch, holder, switches, hour);
    assert(watch->next_dump == 1.0 && watch->spell.length == 0);
    watch->signum = 0;
    watch->spell.since = hour - 3.0;
    for (int k = 0; k < 5; k++) {
        look_after(0, 0);
    }
    assert(strcmp(told_of(file), "pycrust: MainThread has held the GIL for 3.0 s\n") == 0);
    end_wait();

    /* One that sleeps is not signalled if its stack can be read, or if it is not to be aborted. */
    static const char *const stacks[] = {"Stack (most recent call first):\n  a frame\n", NULL};
    for (int k = 0; k < 2; k++) {
        begin_wait();
        pc_watch_dump_over(watch, 1.0, k == 0 ? 1e9 : 0.0);
        answer = "1 (python) S 1";
        frames = stacks[k];
        asked = 1;
        for (int ticks = 0; ticks < 20; ticks++) {
            look_after(1, 0);
        }
        frames = NULL;
        assert(signals == 0);
        char expected[128];
        snprintf(expected, sizeof expected, "pycrust: MainThread has held the GIL for 1.2 s\n%s",
                 k == 0 ? stacks[0] : "");
        assert(strcmp(told_of(file), expected) == 0);
        end_wait();
    }

    /* What counts is for how long it ran or slept, not how long the process was suspended. */
    begin_wait();
    pc_watch_dump_over(watch, 1.0, 1e9);
    watch->signum = 0;
    asked = 1;
    look_after(1, 1);
    for (int k = 0; k < 8; k++) {
        look_after(100, 0);
    }
    assert(strcmp(told_of(file), "") == 0);
    for (int k = 0; k < 20; k++) {
        look_after(1, 1);
    }
    assert(strcmp(told_of(file), "pycrust: MainThread has held the GIL for 1.2 s\n") == 0);
    end_wait();

    /* Never, unless it is asked for; --abort-over alone tells as well, at its time. */
    begin_wait();
    for (int k = 0; k < 100; k++) {
        look_after(100, 100);
    }
    assert(signals == 0 && strcmp(told_of(file), "") == 0);
    pc_watch_dump_over(watch, 0.0, 3.0);
    assert(watch->dump_over == 3.0);
    pc_watch_dump_over(watch, 100.0, 3.0);
    const pid_t aborts = fork();
    if (aborts == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        watch->signum = 0;
        watch->spell.since = hour - 2.0;
        for (int k = 0; k < 10; k++) {
            look_after(0, 0);
        }
        watch->spell.since = hour - 4.0;
        for (int k = 0; k < 10; k++) {
            look_after(0, 0);
        }
        _exit(0);
    }
    int status;
    assert(waitpid(aborts, &status, 0) == aborts && WTERMSIG(status) == SIGABRT);
    assert(strstr(told_of(file), " for 4.0 s\npycrust: aborted, as --abort-over asks\n") != NULL);
    end_wait();
    traceback = "a line\n";
    assert(dup2(usual, 2) == 2);
    close(usual);
    close(file);
}

/* ---- signals for a child ----------------------------------------------------------- */

/* A process that each signal ends. */
static pid_t one_that_waits(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t number = fork();
    if (number == 0) {
        handle(SIGUSR1, SIG_DFL);
        handle(SIGUSR2, SIG_DFL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        for (;;) {
            pause();
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}

static uint64_t bit(int signum)
{
    return (uint64_t)1 << (signum - 1);
}

static int tells[2]; /* a pipe, in the place of that of the witness */

static void it_tells(void)
{
    pc_note note = {.signum = SIGUSR2, .when = pc_now()};
    assert(write(tells[1], &note, sizeof note) == sizeof note);
}

static void it_tells_and_sleeps(void)
{
    it_tells();
    answer = "1 (python) S 1";
}

/* It may have no core for long: as long as it is awake it may have to tell something. */
static void test_a_witness_that_is_late(void)
{
    const int its = notes;
    assert(pipe(tells) == 0);
    notes = tells[0];
    for (int k = 0; k < 2; k++) {
        answer = "1 (python) R 1";
        meanwhile = k == 0 ? it_tells : it_tells_and_sleeps;
        assert(was_for_the_group(SIGUSR2));
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/stat", witness);
        assert(strcmp(asked_for, path) == 0 && noted[SIGUSR2 - 1] == 0.0);
    }
    meanwhile = NULL;
    const double start = pc_now();
    answer = "1 (python) S 1";
    assert(!was_for_the_group(SIGUSR2));
    answer = NULL; /* it has ended */
    assert(!was_for_the_group(SIGUSR2) && pc_now() < start + 10.0);
    answer = "1 (python) R 1";
    assert(!was_for_the_group(SIGUSR2)); /* not for ever */
    answer = NULL;
    close(tells[0]);
    close(tells[1]);
    notes = its;
}

static void test_forwarding(void)
{
    const int file = lowest_file();
    handle(SIGTERM, SIG_IGN);
    handle(SIGUSR2, other_handler);
    setpgid(0, 0);
    pc_forward_begin(bit(SIGTERM) | bit(SIGUSR1) | bit(SIGUSR2));
    assert(witness > 0 && getpgid(witness) == getpgrp());
    test_a_witness_that_is_late();
    assert(is_handled_by(SIGTERM, SIG_IGN)); /* as under nohup */
    raise(SIGUSR1);                          /* there is no child yet */
    const pid_t waits = one_that_waits();
    pc_forward_to(waits);
    int status;
    assert(waitpid(waits, &status, 0) == waits && WTERMSIG(status) == SIGUSR1);
    pc_forward_to(0);
    const pid_t next = one_that_waits();
    pc_forward_to(next); /* nothing is left over */
    setpgid(next, next); /* so that what is sent to the group ends it only if it is passed on */
    siginfo_t of_terminal = {.si_signo = SIGUSR1, .si_code = SI_KERNEL};
    errno = 77;
    forward(SIGUSR1, &of_terminal, NULL);
    kill(0, SIGUSR1);
    kill(0, SIGUSR2);
    assert(kill(next, 0) == 0 && waitpid(next, &status, WNOHANG) == 0 && undelivered == 0);
    of_terminal.si_code = SI_USER;
    noted[SIGUSR2 - 1] = pc_now() - 2.0; /* that was another one */
    forward(SIGUSR2, &of_terminal, NULL);
    assert(errno == 77);
    assert(waitpid(next, &status, 0) == next && WTERMSIG(status) == SIGUSR2);
    /* Without a witness all is passed on, but for what the terminal sends. */
    const pid_t last = one_that_waits();
    pc_forward_to(last);
    kill(witness, SIGKILL);
    of_terminal.si_code = SI_KERNEL;
    forward(SIGUSR1, &of_terminal, NULL);
    assert(waitpid(last, &status, WNOHANG) == 0);
    kill(getpid(), SIGUSR1);
    assert(waitpid(last, &status, 0) == last && WTERMSIG(status) == SIGUSR1);
    pc_forward_to(0);
    const pid_t was = witness;
    pc_forward_end();
    assert(is_handled_by(SIGUSR1, SIG_DFL) && is_handled_by(SIGUSR2, other_handler));
    assert(kill(was, 0) != 0 && lowest_file() == file);
    handle(SIGTERM, SIG_DFL);
    handle(SIGUSR2, SIG_DFL);
}

/* ---- both threads, on the clock of the system ------------------------------------ */

static _Atomic int begun, blocked;

static void *beats(void *argument)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGINT);
    struct timespec some = {.tv_nsec = 20000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &some, NULL);
    begun = 1;
    while (pc_watch_nap(argument, 0.001)) {
        if (pc_watch_ask(argument, 0)) {
            pc_watch_got(argument);
            pc_watch_judge(argument, NULL);
        }
    }
    return NULL;
}

static int is_there(int tid)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/self/task/%d", tid);
    return access(path, F_OK) == 0;
}

static void test_threads(void)
{
    pc_figures figures;
    sigset_t mask;
    locked = 1;
    pc_watch *some = pc_watch_new(&gil, 0.02);
    pc_watch_stop(some); /* it does not run */
    for (int k = 0; k < 2; k++) {
        begun = 0;
        assert(pc_watch_start(some, beats, some) == 0);
        pthread_sigmask(SIG_SETMASK, NULL, &mask);
        assert(!sigismember(&mask, SIGTERM) && !sigismember(&mask, SIGINT));
        pc_watch_begun(some);
        assert(begun && blocked && some->beat_tid != 0 && is_there(some->beat_tid));
        do { /* it goes on */
            pc_watch_figures(some, &figures, 0);
        } while (figures.beats < 20 || figures.looks < 5);
        told = looked = 0;
        pc_watch_stop(some);
        assert(told == 2);   /* they would sleep on for a while, and who awaits the log for ever */
        assert(looked >= 2); /* whether the kernel still lists them */
        assert(!is_there(some->beat_tid) && !is_there(some->watcher_tid));
        pc_watch_figures(some, &figures, 1);
        /* No look is sooner than one pace after the one before. */
        assert((double)figures.looks * some->pace <= pc_now() - figures.started);
        assert(figures.longest_late >= 0.0 && figures.waits >= 10);
        assert(figures.waits <= figures.beats);
        pc_watch_stop(some);
    }
    /* No thread to be had, neither the first nor the second. */
    for (int k = 1; k <= 2; k++) {
        some->watcher_tid = 0;
        failing = k;
        begun = 0;
        assert(pc_watch_start(some, beats, some) == EAGAIN && !begun && failing == 0);
        assert(made == 3); /* the watch, its lock and condition; no thread */
        pthread_sigmask(SIG_SETMASK, NULL, &mask);
        assert(!sigismember(&mask, SIGTERM));
        pc_watch_stop(some);
    }
    assert(pc_watch_start(some, beats, some) == 0);
    pc_watch_begun(some);
    pc_watch_stop(some);

    /* One at a time; forks may overlap. */
    pc_watch *second = pc_watch_new(&gil, 0.02);
    assert(pc_watch_start(some, beats, some) == 0);
    assert(pc_watch_start(second, beats, second) == EBUSY);
    pc_watch_stop(second);
    pc_watch_begun(some);
    assert(is_there(some->watcher_tid));
    pc_watch_pause();
    assert(!is_there(some->watcher_tid) && !is_there(some->beat_tid) && !some->running);
    pc_watch_pause();
    pc_watch_resume();
    assert(!some->running);
    pc_watch_resume();
    assert(some->running);
    pc_watch_begun(some);
    assert(is_there(some->watcher_tid));
    pc_watch_resume(); /* of a fork that began before there was a watch */
    pc_watch_pause();
    assert(!some->running);
    pc_watch_resume();
    assert(some->running);
    /* It ends while it is paused, and another begins. */
    pc_watch_pause();
    pc_watch_stop(some);
    assert(pc_watch_start(second, beats, second) == 0 && !second->running);
    pc_watch_begun(second); /* is not waited for */
    pc_watch_resume();
    assert(second->running && !some->running);
    /* A child has none, whoever had the locks. */
    pc_watch_pause();
    pthread_mutex_lock(&forks);
    (pthread_mutex_lock)(&second->lock);
    pc_watch_forget();
    made -= 2; /* whose lock and condition are replaced, not destroyed: others may be in them */
    pc_watch_pause();
    pc_watch_resume();
    assert(!second->running);
    pc_watch_figures(second, &figures, 0);
    pc_watch_stop(second);
    pc_watch_free(second);
    pc_watch_free(some);

    /* A thread that the kernel still lists is waited for, and not for ever. */
    hour = 1.0;
    napped = 0;
    gone = 3;
    wait_until_gone(mine);
    assert(napped == 3);
    char path[48];
    snprintf(path, sizeof path, "/proc/self/task/%d", mine);
    assert(strcmp(asked_for, path) == 0);
    gone = 1000000;
    wait_until_gone(mine);
    assert(napped > 100 && napped < 100000);
    hour = 0.0;
}

int main(void)
{
    alarm(60); /* what hangs is ended */
    mine = getpid();
    me.tid = (unsigned long)mine;
    test_clock();
    test_what_can_be_read();
    test_threads_of_the_system();
    test_files_kept_open();
    test_own_files();
    test_pipe();
    test_signal();
    test_a_holder_that_goes_on();
    test_one_that_is_first_asked_late();
    test_sleepers_and_those_without_a_core();
    test_the_stack_of_a_sleeper();
    test_spells();
    test_a_gil_that_goes_while_it_is_looked_at();
    test_whom_to_signal();
    test_whose_traceback_it_is();
    test_watcher();
    test_judgement();
    test_beat();
    test_new();
    test_several_holders();
    test_fork();
    test_loop();
    test_one_that_leaves();
    test_log();
    test_a_hold_that_lasts();
    test_forwarding();
    test_threads();
    assert(made == 0 && held == 0);
    return 0;
}
#endif
