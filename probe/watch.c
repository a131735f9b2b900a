#ifdef __linux__
#define _GNU_SOURCE
#endif

#include "watch.h"

#include "clock.h"

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct pc_watch {
    pc_gil gil;
    double over, pace; /* seconds: of a wait that counts, between two looks */
    pthread_t beat, watcher;
    pthread_mutex_t lock;   /* of what follows; never held by who has the GIL */
    pthread_cond_t changed; /* it begins, it stops */
    int stop, running;
    pc_spell spell,
        longest;      /* the holder now, and who ignored the request for longest in this wait */
    uint64_t watched; /* the number of the wait that they are of */
    double late;
    double delay_before; /* of the beat, when this wait was first seen */
    double cpu_first;    /* of the holder, when its spell was first seen */
    double solid_asked; /* for which it had run or slept when it was first seen to be asked; -1: not
                           yet */
    int runs, sleeps;   /* the holder, when last seen */
    int beat_tid, watcher_tid;
    pc_figures figures;
    /* Tracebacks. */
    int signum, in, out;
    struct stat pipe;
    struct sigaction ours, theirs;
    int unanswered;          /* the thread that has yet to write one; 0: none */
    uint64_t wait_signalled; /* when one was last asked for */
    unsigned long switches_signalled;
    double next_signal;
    /* The wait: written by the beat, read by the watcher. */
    _Atomic uint64_t wait; /* its number; 0: none */
    _Atomic double begin;
    _Atomic unsigned long switches;
    _Atomic unsigned long ident; /* of the holder: written by the watcher, read by the beat */
    /* The beat's own. */
    uint64_t waits;
    double end;
    unsigned long switches_end;
    uint64_t random;
};

/* ---- what others wrote
 * ------------------------------------------------------------------------------------- */

int pc_readable(const void *bytes)
{
    /* The kernel reads the new mask before it finds that there is no such operation. */
    return syscall(SYS_rt_sigprocmask, -1, (uintptr_t)bytes & ~(uintptr_t)7, NULL, 8) == -1 &&
           errno == EINVAL;
}

int pc_gettid(void)
{
    return (int)syscall(SYS_gettid);
}

static const char *holder_now(const pc_watch *watch)
{
    return __atomic_load_n(watch->gil.holder, __ATOMIC_ACQUIRE);
}

int pc_is_locked(const pc_gil *gil)
{
    return __atomic_load_n(gil->locked, __ATOMIC_ACQUIRE) == 1;
}

static unsigned long switches_now(const pc_watch *watch)
{
    return __atomic_load_n(watch->gil.switches, __ATOMIC_ACQUIRE);
}

static double interval(const pc_watch *watch)
{
    return 1e-6 * (double)__atomic_load_n(watch->gil.interval, __ATOMIC_RELAXED);
}

static unsigned long member(const char *state, size_t offset)
{
    unsigned long value = 0;
    if (pc_readable(state + offset)) {
        memcpy(&value, state + offset, sizeof value);
    }
    return value;
}

static int is_asked(const pc_watch *watch, const char *holder)
{
    if (watch->gil.asked != NULL) {
        return __atomic_load_n(watch->gil.asked, __ATOMIC_RELAXED) != 0;
    }
    return (int)(member(holder, watch->gil.asked_in_state) & 1);
}

/* ---- what the system says of a thread
 * ------------------------------------------------------------------------ */

double pc_cpu_of(int tid)
{
    struct timespec time;
    clockid_t clock =
        (clockid_t)((~(unsigned)tid << 3) | 6); /* as pthread_getcpuclockid makes it */
    if (tid == 0 || clock_gettime(clock, &time) != 0) {
        return -1.0;
    }
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int read_of(int tid, const char *what, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, what);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    ssize_t length = read(file, text, size - 1);
    close(file);
    if (length <= 0) {
        return 0;
    }
    text[length] = '\0';
    return 1;
}

/* R: it runs or waits for a core, S, D: it sleeps; ? if that is not told. */
static char state_of(int tid)
{
    char text[512];
    const char *name_end = read_of(tid, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;
    return name_end != NULL && name_end[1] == ' ' ? name_end[2] : '?';
}

double pc_delay_of(int tid)
{
    char text[128];
    unsigned long long delay = 0;
    if (read_of(tid, "schedstat", text, sizeof text)) {
        sscanf(text, "%*u %llu", &delay);
    }
    return 1e-9 * (double)delay;
}

/* ---- tracebacks
 * ------------------------------------------------------------------------------------------------
 */

int pc_watch_pipe(pc_watch *watch)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return -1;
    }
    /* The small numbers are the program's. */
    for (int k = 0; k < 2; k++) {
        int far = fcntl(ends[k], F_DUPFD_CLOEXEC, 700 + k);
        if (far < 0) {
            far = fcntl(ends[k], F_DUPFD_CLOEXEC, 100 + k);
        }
        if (far >= 0) {
            close(ends[k]);
            ends[k] = far;
        }
    }
    watch->in = ends[0];
    watch->out = ends[1];
    fstat(watch->out, &watch->pipe);
    return watch->out;
}

/* A program that closes every descriptor may have another file there by now; and none is like a
 * pipe that was never made. */
static int is_ours(const pc_watch *watch, int file)
{
    struct stat now;
    return fstat(file, &now) == 0 && now.st_ino == watch->pipe.st_ino &&
           now.st_dev == watch->pipe.st_dev;
}

int pc_signal_is_free(int signum)
{
    struct sigaction now;
    return sigaction(signum, NULL, &now) == 0 &&
           (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN);
}

void pc_watch_signal(pc_watch *watch, int signum)
{
    sigaction(signum, NULL, &watch->ours);
    watch->signum = signum;
}

int pc_watch_has_signal(pc_watch *watch)
{
    struct sigaction now;
    return sigaction(watch->signum, NULL, &now) == 0 && /* not for 0: no signal */
           now.sa_handler == watch->ours.sa_handler && is_ours(watch, watch->out) &&
           is_ours(watch, watch->in);
}

void pc_watch_keep_signal(pc_watch *watch, int begin)
{
    if (begin) {
        sigaction(watch->signum, NULL, &watch->theirs);
        if (watch->theirs.sa_handler == watch->ours.sa_handler) {
            struct sigaction ignore = {.sa_handler =
                                           SIG_IGN}; /* the kernel discards what is pending */
            sigaction(watch->signum, &ignore, NULL);
        }
    } else if (watch->theirs.sa_handler != watch->ours.sa_handler) {
        sigaction(watch->signum, &watch->theirs, NULL);
    }
}

/* Take in what was written: it belongs to the holder at the time of the signal. */
static void drain(pc_watch *watch)
{
    char text[4096];
    ssize_t length;
    while (is_ours(watch, watch->in) && (length = read(watch->in, text, sizeof text)) > 0) {
        pc_spell *spell = &watch->spell;
        int fits = PC_TEXT - spell->length;
        watch->unanswered = 0;
        if (watch->wait_signalled == watch->watched &&
            watch->switches_signalled == spell->switches) {
            fits = fits < length ? fits : (int)length;
            memcpy(spell->text + spell->length, text, (size_t)fits);
            spell->length += fits;
        }
    }
}

static void signal_holder(pc_watch *watch, double now)
{
    pc_spell *spell = &watch->spell;
    if (now < watch->next_signal || spell->length >= PC_TEXT - 512) {
        return;
    }
    if (watch->unanswered != spell->tid && pc_cpu_of(watch->unanswered) >= 0.0) {
        return; /* its traceback, which may still come, would pass for this one's */
    }
    if (!pc_watch_has_signal(watch)) {
        watch->figures.signal_lost = watch->signum != 0;
        return;
    }
    watch->unanswered = spell->tid;
    watch->wait_signalled = watch->watched;
    watch->switches_signalled = spell->switches;
    syscall(SYS_tgkill, getpid(), spell->tid, watch->signum);
    spell->signals++;
    /* Often at first, rarely in a long spell. */
    double age = now - spell->first;
    watch->next_signal = now + (spell->signals == 1 || age < watch->over ? 0.0 : 0.25 * age);
}

/* ---- the watcher
 * ------------------------------------------------------------------------------------------------
 */

static void end_spell(pc_watch *watch)
{
    if (watch->spell.ident != 0 &&
        (watch->longest.ident == 0 || watch->spell.ignored > watch->longest.ignored)) {
        watch->longest = watch->spell;
    }
}

static void begin_spell(pc_watch *watch, const char *holder, unsigned long switches, double now)
{
    pc_spell *spell = &watch->spell;
    memset(spell, 0, offsetof(pc_spell, text));
    spell->switches = switches;
    spell->since = switches == watch->switches ? watch->begin : now;
    spell->first = spell->last = now;
    spell->looks = 1;
    watch->next_signal = 0.0;
    watch->solid_asked = -1.0;
    watch->runs = watch->sleeps = 0;
    if (holder != NULL) {
        unsigned long tid = member(holder, watch->gil.tid_in_state);
        unsigned long ident = member(holder, watch->gil.ident_in_state);
        /* It is the holder's state only if it still has the GIL: else it may be freed. */
        if (pc_is_locked(&watch->gil) && switches_now(watch) == switches) {
            spell->tid = (int)tid;
            spell->ident = ident;
        }
    }
    watch->cpu_first = pc_cpu_of(spell->tid);
    watch->ident = spell->ident;
}

/* What the holder did since the last look. */
static void follow(pc_watch *watch, double now, int asked, char state)
{
    pc_spell *spell = &watch->spell;
    double gap = now - spell->last;
    double cpu = pc_cpu_of(spell->tid) - watch->cpu_first;
    double ran = fmax(cpu - spell->cpu, 0.0);
    if (state == '?' && ran < 0.5 * gap) {
        watch->runs = 0;
    } else if (state != '\0') {
        watch->runs = state != 'S' && state != 'D';
        watch->sleeps = !watch->runs;
    }
    spell->cpu += ran;
    if (watch->sleeps) {
        /* If this thread itself was kept from looking, nobody knows. */
        spell->asleep += fmin(fmax(gap - ran, 0.0), 2.0 * watch->pace);
    }
    if (asked && watch->solid_asked < 0.0) {
        watch->solid_asked = spell->cpu + spell->asleep;
    }
    if (watch->solid_asked >= 0.0) {
        spell->ignored = spell->cpu + spell->asleep - watch->solid_asked;
    }
    spell->last = now;
}

/* One look, while the beat waits. */
static void look(pc_watch *watch, double now)
{
    pc_spell *spell = &watch->spell;
    unsigned long switches = switches_now(watch);
    const char *holder = holder_now(watch);
    /* Again, if it gave the GIL away just when it was asked who it is, and took it back. */
    if (spell->ident == 0 || spell->switches != switches) {
        end_spell(watch);
        begin_spell(watch, holder, switches, now);
        return;
    }
    int asked = is_asked(watch, holder);
    int collecting = __atomic_load_n(watch->gil.collecting, __ATOMIC_RELAXED) != 0;
    char state = asked ? state_of(spell->tid) : '\0';
    if (!pc_is_locked(&watch->gil) || switches_now(watch) != switches) {
        return; /* it gave it away meanwhile: what was read may be true of the time after */
    }
    follow(watch, now, asked, state);
    spell->looks++;
    spell->collecting += collecting;
    if (asked && watch->runs && spell->ignored > 0.0 &&
        now - watch->begin >= 0.5 * pc_watch_over(watch)) {
        signal_holder(watch, now);
    }
}

/* Sleep until then; true: the end. With the lock, which others have meanwhile. */
static int sleep_until(pc_watch *watch, double due)
{
    struct timespec time = {.tv_sec = (time_t)due};
    time.tv_nsec = (long)(1e9 * (due - (double)time.tv_sec));
    while (!watch->stop && pthread_cond_timedwait(&watch->changed, &watch->lock, &time) == 0) {
    }
    return watch->stop;
}

static void *watcher(void *argument)
{
    pc_watch *watch = argument;
    pthread_setname_np(pthread_self(), "pycrust-watch");
    watch->watcher_tid = pc_gettid();
    pthread_mutex_lock(&watch->lock);
    for (;;) {
        /* Rarely while nobody waits: most waits are over within a switch interval. */
        double due = pc_now() + (watch->wait == 0 ? 3.0 : 1.0) * watch->pace;
        if (sleep_until(watch, due)) {
            break;
        }
        double now = pc_now();
        watch->figures.looks++;
        watch->figures.unseen += fmax(now - due - 1e-3, 0.0);
        watch->figures.longest_late = fmax(watch->figures.longest_late, now - due);
        drain(watch);
        uint64_t wait = watch->wait;
        if (wait == 0) {
            continue;
        }
        if (wait != watch->watched) {
            watch->watched = wait;
            watch->spell.ident = watch->longest.ident = 0;
            watch->late = 0.0;
            watch->delay_before = pc_delay_of(watch->beat_tid);
            due = fmax(due, watch->begin);
        }
        watch->late += now - due;
        look(watch, now);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

/* ---- the beat
 * --------------------------------------------------------------------------------------------------
 */

int pc_watch_nap(pc_watch *watch, double mean)
{
    double nap = pc_random_time(&watch->random, mean);
    pthread_mutex_lock(&watch->lock);
    if (watch->beat_tid == 0) {
        watch->beat_tid = pc_gettid();
        pthread_cond_broadcast(&watch->changed);
    }
    int stop = sleep_until(watch, pc_now() + fmin(nap, 4.0 * mean));
    watch->figures.beats++;
    pthread_mutex_unlock(&watch->lock);
    return !stop;
}

int pc_watch_ask(pc_watch *watch, int always)
{
    if (!always && !pc_is_locked(&watch->gil)) {
        return 0;
    }
    watch->switches = switches_now(watch);
    watch->begin = pc_now();
    watch->wait = ++watch->waits;
    return 1;
}

double pc_watch_got(pc_watch *watch)
{
    watch->end = pc_now();
    watch->switches_end = switches_now(watch);
    watch->wait = 0;
    return watch->end - watch->begin;
}

unsigned long pc_watch_holder(pc_watch *watch)
{
    return watch->ident;
}

void pc_watch_judge(pc_watch *watch, pc_stall *stall)
{
    pthread_mutex_lock(&watch->lock);
    double wait = watch->end - watch->begin;
    watch->figures.waits++;
    watch->figures.waited += wait;
    watch->figures.longest_wait = fmax(watch->figures.longest_wait, wait);
    if (stall != NULL) {
        stall->begin = watch->begin;
        stall->end = watch->end;
        stall->switches = watch->switches_end - watch->switches;
        stall->late = wait;
        stall->delay = 0.0;
        stall->direct = stall->spell.length = 0;
        stall->spell.ident = 0;
        if (watch->watched == watch->waits) {
            drain(watch);
            stall->late = watch->late;
            stall->delay = pc_delay_of(watch->beat_tid) - watch->delay_before;
            if (watch->spell.ident != 0 && watch->switches_end == watch->spell.switches + 1) {
                follow(watch, watch->end, 0, '\0'); /* it had the GIL until now */
            }
            end_spell(watch);
            stall->spell = watch->longest;
            stall->direct = watch->switches_end == stall->spell.switches + 1;
        }
    }
    pthread_mutex_unlock(&watch->lock);
}

/* ---- both
 * ------------------------------------------------------------------------------------------------------
 */

double pc_watch_over(pc_watch *watch)
{
    return fmax(watch->over, 2.0 * interval(watch));
}

void pc_watch_figures(pc_watch *watch, pc_figures *figures, int reset)
{
    pthread_mutex_lock(&watch->lock);
    *figures = watch->figures;
    if (reset) {
        memset(&watch->figures, 0, sizeof watch->figures);
        watch->figures.started = pc_now();
    }
    pthread_mutex_unlock(&watch->lock);
}

pc_watch *pc_watch_new(const pc_gil *gil, double over)
{
    pc_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return NULL;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&watch->lock, NULL);
    watch->gil = *gil;
    watch->over = over;
    watch->pace = fmin(fmax(over / 8.0, 1e-3), 5e-3);
    watch->figures.started = pc_now();
    watch->random = pc_seed();
    return watch;
}

void pc_watch_free(pc_watch *watch)
{
    if (is_ours(watch, watch->in)) {
        close(watch->in);
    }
    if (is_ours(watch, watch->out)) {
        close(watch->out);
    }
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

static void tell_to_stop(pc_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->stop = 1;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
}

int pc_watch_start(pc_watch *watch, void *(*beat)(void *), void *argument)
{
    /* The program's signals are for the program's threads. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    watch->stop = watch->beat_tid = 0;
    int error = pthread_create(&watch->watcher, NULL, watcher, watch);
    if (error == 0) {
        error = pthread_create(&watch->beat, NULL, beat, argument);
        if (error != 0) {
            tell_to_stop(watch);
            pthread_join(watch->watcher, NULL);
        }
    }
    watch->running = error == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

void pc_watch_begun(pc_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    while (watch->beat_tid == 0) {
        pthread_cond_wait(&watch->changed, &watch->lock);
    }
    pthread_mutex_unlock(&watch->lock);
}

/* The kernel lists a thread for a moment after it was joined: a fork would warn of it. */
static void wait_until_gone(int tid)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/self/task/%d", tid);
    for (int k = 0; k < 2000 && access(path, F_OK) == 0; k++) {
        usleep(50);
    }
}

void pc_watch_stop(pc_watch *watch)
{
    if (!watch->running) {
        return;
    }
    tell_to_stop(watch);
    pthread_join(watch->beat, NULL);
    pthread_join(watch->watcher, NULL);
    wait_until_gone(watch->beat_tid);
    wait_until_gone(watch->watcher_tid);
    watch->running = 0;
}

#else /* not Linux: pc_gil_find says so, and nothing below is ever called */

pc_watch *pc_watch_new(const pc_gil *gil, double over)
{
    (void)gil;
    (void)over;
    return NULL;
}
#define ABSENT(type, name, arguments, value)                                                       \
    type name arguments                                                                            \
    {                                                                                              \
        return value;                                                                              \
    }
ABSENT(void, pc_watch_free, (pc_watch * watch), )
ABSENT(int, pc_watch_pipe, (pc_watch * watch), -1)
ABSENT(int, pc_signal_is_free, (int signum), 0)
ABSENT(void, pc_watch_signal, (pc_watch * watch, int signum), )
ABSENT(int, pc_watch_has_signal, (pc_watch * watch), 0)
ABSENT(void, pc_watch_keep_signal, (pc_watch * watch, int begin), )
ABSENT(int, pc_watch_start, (pc_watch * watch, void *(*beat)(void *), void *argument), -1)
ABSENT(void, pc_watch_begun, (pc_watch * watch), )
ABSENT(void, pc_watch_stop, (pc_watch * watch), )
ABSENT(int, pc_watch_nap, (pc_watch * watch, double mean), 0)
ABSENT(int, pc_watch_ask, (pc_watch * watch, int always), 0)
ABSENT(double, pc_watch_got, (pc_watch * watch), 0.0)
ABSENT(unsigned long, pc_watch_holder, (pc_watch * watch), 0)
ABSENT(void, pc_watch_judge, (pc_watch * watch, pc_stall *stall), )
ABSENT(double, pc_watch_over, (pc_watch * watch), 0.0)
ABSENT(void, pc_watch_figures, (pc_watch * watch, pc_figures *figures, int reset), )
ABSENT(int, pc_readable, (const void *bytes), 0)
ABSENT(int, pc_gettid, (void), 0)
ABSENT(int, pc_is_locked, (const pc_gil *gil), 0)
ABSENT(double, pc_delay_of, (int tid), 0.0)
ABSENT(double, pc_cpu_of, (int tid), -1.0)

#endif
