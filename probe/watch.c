#ifdef __linux__
#define _GNU_SOURCE
#endif

#include "watch.h"

#include "clock.h"

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* since Linux 5.9 */
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/* A file of /proc on a thread, kept open; 0: none. */
typedef struct {
    int tid, file;
} pc_kept;

struct pc_watch {
    pc_gil gil;
    double over, pace; /* seconds: of a wait that counts, between two looks */
    pthread_t beat, watcher;
    pthread_mutex_t lock;   /* of what follows; never held by who has the GIL */
    pthread_cond_t changed; /* it begins, it stops */
    int stop;
    _Atomic int running;
    void *(*beats)(void *); /* what the beat runs, with this argument */
    void *argument;
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
    int own_files;                  /* the watcher's descriptors are not the program's */
    pc_kept state_file, delay_file; /* of the holder, of the beat */
    struct stat pipe;
    struct sigaction before, slot; /* what handled the signal, and the slot */
    int unanswered;                /* the thread that has yet to write one; 0: none */
    uint64_t wait_signalled;       /* when one was last asked for */
    unsigned long switches_signalled;
    double next_signal;
    /* A hold that lasts: seconds from which on it is told, and ends the process; 0: never. */
    double dump_over, abort_over, next_dump;
    int dump_signals; /* sent for the next */
    double next_keep; /* seconds, after which it is logged again: the process may be killed */
    pc_stall scratch; /* for what the watcher logs */
    /* A watch that was brought in: when it leaves, in seconds, and how; NULL: it stays. */
    double leave_at, next_question;
    void (*leave)(void);
    int left;
    /* The log: written to the sink if there is one, else kept in memory. */
    int sink, kept;
    struct stat sink_stat;
    char sink_path[64];
    char record[PC_RECORD];
    size_t record_length;
    char *log;
    size_t log_length, log_size;
    int ended; /* for good, not for a fork */
    /* The wait: written by the beat, read by the watcher. */
    _Atomic uint64_t wait; /* its number; 0: none */
    _Atomic double begin;
    _Atomic unsigned long switches;
    /* Of the holder, and of the one before it that ignored the request for longest in this wait:
     * written by the watcher, read by the beat. */
    _Atomic unsigned long ident, ident_of_longest;
    /* And of those whose holds were logged in this wait, before their names were known. */
    _Atomic unsigned long unnamed[PC_NAMES - 2];
    _Atomic int unnamed_count;
    /* The beat's own. */
    uint64_t waits;
    double end, ask_by;
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
static char state_in(const char *stat)
{
    const char *name_end = strrchr(stat, ')');
    return name_end != NULL && name_end[1] == ' ' ? name_end[2] : '?';
}

static int is_sleep(char state)
{
    return state == 'S' || state == 'D';
}

static double delay_in(const char *schedstat)
{
    unsigned long long delay = 0;
    sscanf(schedstat, "%*u %llu", &delay);
    return 1e-9 * (double)delay;
}

double pc_delay_of(int tid)
{
    char text[128];
    return read_of(tid, "schedstat", text, sizeof text) ? delay_in(text) : 0.0;
}

int pc_sleeps_elsewhere(const pc_gil *gil, int tid)
{
    char text[256];
    long call = -1;
    unsigned long long address = 0;
    if (!read_of(tid, "syscall", text, sizeof text) ||
        sscanf(text, "%ld %llx", &call, &address) < 1 ||
        call < 0) { /* it runs, or has just been woken */
        return 0;
    }
    uintptr_t at = (uintptr_t)address, begin = (uintptr_t)gil->begin;
    return call != SYS_futex || at < begin || at >= begin + gil->size;
}

/* The same file again and again, for the watcher: it stays open if its descriptors are its own. */
static int read_again(const pc_watch *watch, pc_kept *kept, int tid, const char *what, char *text,
                      size_t size)
{
    if (!watch->own_files) {
        return read_of(tid, what, text, size);
    }
    if (kept->tid != tid) {
        char path[64];
        if (kept->tid != 0) {
            close(kept->file);
        }
        snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, what);
        kept->file = open(path, O_RDONLY | O_CLOEXEC);
        kept->tid = kept->file < 0 ? 0 : tid;
    }
    ssize_t length = kept->tid == 0 ? 0 : pread(kept->file, text, size - 1, 0);
    if (length <= 0) {
        if (kept->tid != 0) { /* the thread has ended */
            close(kept->file);
            kept->tid = 0;
        }
        return 0;
    }
    text[length] = '\0';
    return 1;
}

/* ---- descriptors
 * ------------------------------------------------------------------------------------------------
 */

/* Close all descriptors but two, of this thread alone: it gets a table of its own. False where the
 * system does not know how. */
static int keep_only(int one, int other)
{
    int low = one < other ? one : other, high = one < other ? other : one;
    const unsigned unshare = 2; /* CLOSE_RANGE_UNSHARE */
    if (syscall(SYS_close_range, high + 1, ~0U, unshare) != 0) {
        return 0;
    }
    if (low + 1 < high) {
        syscall(SYS_close_range, low + 1, high - 1, 0);
    }
    if (low > 0) {
        syscall(SYS_close_range, 0, low - 1, 0);
    }
    return 1;
}

/* ---- tracebacks
 * ------------------------------------------------------------------------------------------------
 */

/* The small numbers are the program's: move a descriptor away from them. */
static int moved_far(int file, int least)
{
    int far = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, 700 + least);
    if (file >= 0 && far < 0) {
        far = fcntl(file, F_DUPFD_CLOEXEC, 100 + least);
    }
    if (far < 0) {
        return file;
    }
    close(file);
    return far;
}

int pc_watch_pipe(pc_watch *watch)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return -1;
    }
    watch->in = moved_far(ends[0], 0);
    watch->out = moved_far(ends[1], 1);
    fstat(watch->out, &watch->pipe);
    return watch->out;
}

/* A program that closes every descriptor may have another file there by now; and none is like a
 * file that was never opened. */
static int is_file(int file, const struct stat *expected)
{
    struct stat now;
    return fstat(file, &now) == 0 && now.st_ino == expected->st_ino &&
           now.st_dev == expected->st_dev;
}

static int is_ours(const pc_watch *watch, int file)
{
    return is_file(file, &watch->pipe);
}

int pc_signal_is_free(int signum)
{
    struct sigaction now;
    return sigaction(signum, NULL, &now) == 0 &&
           (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN);
}

/* What writes the traceback of the calling thread: faulthandler's handler of another signal, the
 * slot, which is never sent. So a program that registers the watch's signal with faulthandler
 * replaces our handler, and we see that it did. */
static void (*_Atomic dump)(int);
static volatile sig_atomic_t dump_slot, dump_out;
static struct stat dump_pipe;
static _Atomic int dump_lost; /* the program closed the pipe: its number may be another file's */
static pc_gil dump_gil;
static _Atomic unsigned long dump_switches; /* of the spell in which the signal was sent */

/* Has the calling thread the GIL still, as when it was signalled? Else it would name an innocent
 * line: that on which it is by now. */
static int still_has_it(void)
{
    const char *holder = __atomic_load_n(dump_gil.holder, __ATOMIC_ACQUIRE);
    return pc_is_locked(&dump_gil) &&
           __atomic_load_n(dump_gil.switches, __ATOMIC_ACQUIRE) == dump_switches &&
           (int)member(holder, dump_gil.tid_in_state) == pc_gettid();
}

/* It may run after the watch has ended: a program that took the signal gives it back to us. */
static void write_own_traceback(int signum)
{
    (void)signum;
    int error = errno;
    void (*function)(int) = dump;
    if (function != NULL) {
        if (!is_file(dump_out, &dump_pipe)) {
            dump_lost = 1;
        } else if (still_has_it()) {
            function(dump_slot);
        } else { /* an answer all the same */
            ssize_t written = write(dump_out, "\n", 1);
            (void)written;
        }
    }
    errno = error;
}

void pc_watch_keep_slot(pc_watch *watch, int slot, int begin)
{
    sigaction(slot, begin ? NULL : &watch->slot, begin ? &watch->slot : NULL);
}

void pc_watch_signal(pc_watch *watch, int signum, int slot)
{
    struct sigaction ours = {.sa_handler = write_own_traceback,
                             .sa_flags = SA_RESTART | SA_ONSTACK},
                     faulthandlers;
    sigaction(slot, NULL, &faulthandlers);
    dump_slot = slot;
    dump_out = watch->out;
    dump_pipe = watch->pipe;
    dump_lost = 0;
    dump_gil = watch->gil;
    dump = faulthandlers.sa_handler;
    if (sigaction(signum, &ours, &watch->before) == 0) {
        watch->signum = signum;
    }
}

static int handles(int signum)
{
    struct sigaction now;
    return sigaction(signum, NULL, &now) == 0 && /* not for 0: no signal */
           now.sa_handler == write_own_traceback;
}

int pc_watch_has_signal(pc_watch *watch)
{
    return handles(watch->signum) && !dump_lost && is_ours(watch, watch->in);
}

void pc_watch_give_signal(pc_watch *watch)
{
    if (handles(watch->signum)) {
        /* The kernel discards what is pending: to a thread that has yet to run, or blocks it. */
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigaction(watch->signum, &ignore, NULL);
        sigaction(watch->signum, &watch->before, NULL);
    }
    watch->signum = 0;
    dump = NULL;
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

static void dump_holder(pc_watch *watch, const char *holder, double now);
static void keep(pc_watch *watch, const char *what, const pc_stall *stall);
static void keep_lasting(pc_watch *watch, double now);
static int leaves(pc_watch *watch, double now);

static int is_time_for_a_stack(const pc_watch *watch, double now)
{
    return now >= watch->next_signal && watch->spell.length < PC_TEXT - 512;
}

/* Often at first, rarely in a long spell. */
static void asked_for_a_stack(pc_watch *watch, double now)
{
    pc_spell *spell = &watch->spell;
    double age = now - spell->first;
    spell->signals++;
    watch->next_signal = now + (spell->signals == 1 || age < watch->over ? 0.0 : 0.25 * age);
}

static void signal_holder(pc_watch *watch, double now)
{
    pc_spell *spell = &watch->spell;
    if (!is_time_for_a_stack(watch, now)) {
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
    dump_switches = spell->switches;
    syscall(SYS_tgkill, getpid(), spell->tid, watch->signum);
    asked_for_a_stack(watch, now);
}

/* The stack of a holder that sleeps, which a signal would wake: from outside. It is right if the
 * thread did not run at all meanwhile, since what is read is changed by none but who has the GIL.
 * False: it did, or the stack cannot be read. */
static int read_sleeper(pc_watch *watch, const char *holder, double now)
{
    pc_spell *spell = &watch->spell;
    if (!is_time_for_a_stack(watch, now)) {
        return 1;
    }
    double cpu_before = pc_cpu_of(spell->tid);
    char text[512];
    if (!read_again(watch, &watch->state_file, spell->tid, "stat", text, sizeof text) ||
        !is_sleep(state_in(text))) {
        return 0;
    }
    int length = pc_stack_of(holder, spell->text + spell->length, PC_TEXT - spell->length);
    if (length == 0 || pc_cpu_of(spell->tid) != cpu_before || !pc_is_locked(&watch->gil) ||
        switches_now(watch) != spell->switches) {
        return 0;
    }
    spell->length += length;
    asked_for_a_stack(watch, now);
    return 1;
}

/* ---- the watcher
 * ------------------------------------------------------------------------------------------------
 */

/* For how long a holder had it, without the time for which it could not run, as while the process
 * is suspended. */
static double held_by(const pc_spell *spell)
{
    double missing = fmax(spell->last - spell->first - spell->cpu - spell->asleep, 0.0);
    return spell->last - spell->since - missing;
}

/* Did a holder keep the GIL for so long, though asked, that it counts by itself? */
static int is_hold(const pc_watch *watch, const pc_spell *spell)
{
    return spell->ident != 0 && spell->ignored >= watch->over / 4.0 &&
           held_by(spell) >= watch->over;
}

/* One of several holds within a wait: to the log, its thread's name follows. */
static void keep_also(pc_watch *watch, const pc_spell *spell)
{
    pc_stall *stall = &watch->scratch;
    int count = watch->unnamed_count, k = 0;
    stall->switches = 1;
    stall->begin = spell->since;
    stall->end = spell->last;
    stall->late = 0.0;
    stall->spell = *spell;
    keep(watch, "also", stall);
    while (k < count && watch->unnamed[k] != spell->ident) {
        k++;
    }
    if (k == count && count < PC_NAMES - 2) {
        watch->unnamed[k] = spell->ident;
        watch->unnamed_count = count + 1;
    }
}

/* The one that ignored the request for longest is told with the wait, any other now. */
static void end_spell(pc_watch *watch)
{
    const pc_spell *spell = &watch->spell;
    int longer = watch->longest.ident == 0 || spell->ignored > watch->longest.ignored;
    const pc_spell *other = longer ? &watch->longest : spell;
    if (is_hold(watch, other)) {
        keep_also(watch, other);
    }
    if (spell->ident != 0 && longer) {
        watch->longest = *spell;
        watch->ident_of_longest = spell->ident;
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
    watch->next_dump = watch->dump_over;
    watch->next_keep = 0.5;
    watch->dump_signals = 0;
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
        watch->runs = !is_sleep(state);
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
    char text[512], state = '\0';
    if (asked) {
        int told = read_again(watch, &watch->state_file, spell->tid, "stat", text, sizeof text);
        state = told ? state_in(text) : '?';
    }
    if (!pc_is_locked(&watch->gil) || switches_now(watch) != switches) {
        return; /* it gave it away meanwhile: what was read may be true of the time after */
    }
    follow(watch, now, asked, state);
    if (++spell->looks == 2) {
        read_of(spell->tid, "comm", spell->comm, sizeof spell->comm);
    }
    spell->collecting += collecting;
    if (asked && spell->ignored > 0.0 && now - watch->begin >= 0.5 * pc_watch_over(watch)) {
        if (watch->runs) {
            signal_holder(watch, now);
        } else if (watch->sleeps) {
            read_sleeper(watch, holder, now);
        }
    }
    if (now - spell->since >= watch->next_keep && is_hold(watch, spell)) {
        keep_lasting(watch, now);
        watch->next_keep = 1.25 * watch->next_keep; /* so no more than a fifth is ever lost */
    }
    dump_holder(watch, holder, now);
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
        if (leaves(watch, now)) {
            break;
        }
        uint64_t wait = watch->wait;
        if (wait == 0) {
            continue;
        }
        if (wait != watch->watched) {
            watch->watched = wait;
            watch->ident_of_longest = watch->spell.ident = watch->longest.ident = 0;
            watch->late = 0.0;
            watch->unnamed_count = 0;
            char text[128];
            int told = read_again(watch, &watch->delay_file, watch->beat_tid, "schedstat", text,
                                  sizeof text);
            watch->delay_before = told ? delay_in(text) : 0.0;
            due = fmax(due, watch->begin);
        }
        watch->late += now - due;
        look(watch, now);
    }
    int left = watch->left;
    pthread_mutex_unlock(&watch->lock);
    if (left) {
        watch->leave();
    }
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
    int due = watch->ask_by > 0.0 && pc_now() >= watch->ask_by;
    if (!always && !due && !pc_is_locked(&watch->gil)) {
        return 0;
    }
    watch->switches = switches_now(watch);
    watch->begin = pc_now();
    watch->wait = ++watch->waits;
    return 1;
}

void pc_watch_ask_by(pc_watch *watch, double time)
{
    watch->ask_by = time;
}

double pc_watch_got(pc_watch *watch)
{
    watch->end = pc_now();
    watch->switches_end = switches_now(watch);
    watch->wait = 0;
    return watch->end - watch->begin;
}

unsigned long pc_watch_holder(pc_watch *watch, int which)
{
    if (which < 2) {
        return which == 0 ? watch->ident : watch->ident_of_longest;
    }
    return which - 2 < watch->unnamed_count ? watch->unnamed[which - 2] : 0;
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
        stall->unmoved = stall->spell.length = 0;
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
            /* One other thread may have had the GIL in between: that one has not come back to it.
             */
            stall->unmoved = watch->switches_end <= stall->spell.switches + 2 &&
                             stall->spell.ident == watch->ident;
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

/* ---- the log
 * ------------------------------------------------------------------------------------------------
 */

static void put(pc_watch *watch, const char *format, ...)
{
    size_t left = PC_RECORD - watch->record_length;
    va_list values;
    va_start(values, format);
    int length = vsnprintf(watch->record + watch->record_length, left, format, values);
    va_end(values);
    watch->record_length += (size_t)length < left ? (size_t)length : left - 1;
}

/* As a decimal fraction, whatever the program's locale; 292 years of nanoseconds would not fit. */
static void put_seconds(pc_watch *watch, double seconds)
{
    long long ns = llround(1e9 * fmin(fabs(seconds), 9e9));
    put(watch, ", %s%lld.%09lld", seconds < 0.0 ? "-" : "", ns / 1000000000, ns % 1000000000);
}

static void put_string(pc_watch *watch, const char *text, int length)
{
    put(watch, ", \"");
    for (int k = 0; k < length; k++) {
        unsigned char byte = (unsigned char)text[k];
        if (byte < ' ') {
            put(watch, "\\u%04x", byte);
        } else {
            put(watch, byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
        }
    }
    put(watch, "\"");
}

/* As a line of its own; with the lock. */
static void log_record(pc_watch *watch)
{
    put(watch, "], \"pid\": %d}\n", getpid());
    size_t length = watch->record_length, need = watch->log_length + length;
    const char *record = watch->record;
    watch->record_length = 0;
    if (watch->sink_path[0] != '\0') {
        if (!is_file(watch->sink, &watch->sink_stat)) { /* the program closed it */
            watch->sink = moved_far(open(watch->sink_path, O_WRONLY | O_APPEND | O_CLOEXEC), 2);
        }
        ssize_t written = 1;
        while (length > 0 && written > 0 && is_file(watch->sink, &watch->sink_stat)) {
            written = write(watch->sink, record, length);
            record += written > 0 ? written : 0;
            length -= written > 0 ? (size_t)written : 0;
        }
        return;
    }
    if (need > watch->log_size) {
        char *log = realloc(watch->log, 2 * need);
        if (log == NULL) {
            return;
        }
        watch->log = log;
        watch->log_size = 2 * need;
    }
    memcpy(watch->log + watch->log_length, record, length);
    watch->log_length = need;
    pthread_cond_broadcast(&watch->changed);
}

/* The name of the thread as the system has it, if it is not just that of the process. */
static const char *name_by_system(const pc_spell *spell, char *text, size_t size)
{
    if (spell->tid == getpid()) {
        return "MainThread";
    }
    char comm[sizeof spell->comm];
    snprintf(text, size, "%.*s", (int)strcspn(spell->comm, "\n"), spell->comm);
    if (text[0] == '\0' ||
        (read_of(getpid(), "comm", comm, sizeof comm) && strcmp(comm, spell->comm) == 0)) {
        if (pc_cpu_of(spell->tid) < 0.0) {
            return "";
        }
        snprintf(text, size, "thread %d", spell->tid);
    }
    return text;
}

/* As threading has it, or else the system. */
static const char *name_of(const pc_stall *stall, char *text, size_t size)
{
    for (int k = 0; k < PC_NAMES; k++) {
        if (stall->names[k].ident == stall->spell.ident && stall->names[k].thread[0] != '\0') {
            return stall->names[k].thread;
        }
    }
    return name_by_system(&stall->spell, text, size);
}

/* With the lock. */
static void keep(pc_watch *watch, const char *what, const pc_stall *stall)
{
    const pc_spell *spell = &stall->spell;
    char text[32];
    if (watch->kept < PC_MAX_STALLS) {
        watch->kept++;
        put(watch, "{\"%s\": [%lu", what, stall->switches);
        put_seconds(watch, stall->begin);
        put_seconds(watch, stall->end - stall->begin);
        put_seconds(watch, stall->late);
        put_seconds(watch, stall->delay);
        if (spell->ident != 0) {
            put_seconds(watch, spell->since - stall->begin);
            put_seconds(watch, spell->first - spell->since);
            put_seconds(watch, spell->last - spell->first);
            put_seconds(watch, spell->cpu);
            put_seconds(watch, spell->asleep);
            put_seconds(watch, spell->ignored);
            put(watch, ", %d, %d, %lu", spell->looks, spell->collecting, spell->ident);
            const char *name = name_of(stall, text, sizeof text);
            put_string(watch, name, (int)strlen(name));
            put_string(watch, spell->text, spell->length);
            if (stall->unmoved && stall->line > 0) {
                put_string(watch, stall->file, (int)strlen(stall->file));
                put(watch, ", %d", stall->line);
                put_string(watch, stall->function, (int)strlen(stall->function));
                put(watch, ", %d, %d", stall->end_line, stall->end_column);
                put_string(watch, stall->task, (int)strlen(stall->task));
                put_string(watch, stall->callee, (int)strlen(stall->callee));
            }
        }
        log_record(watch);
    }
}

void pc_watch_keep(pc_watch *watch, const pc_stall *stall)
{
    pthread_mutex_lock(&watch->lock);
    if (watch->unnamed_count > 0) {
        put(watch, "{\"names\": [0, \"\"");
        for (int k = 0; k < PC_NAMES; k++) {
            const char *name = stall->names[k].thread;
            if (stall->names[k].ident != 0 && name[0] != '\0') {
                put(watch, ", %lu", stall->names[k].ident);
                put_string(watch, name, (int)strlen(name));
            }
        }
        log_record(watch);
    }
    keep(watch, "stall", stall);
    pthread_mutex_unlock(&watch->lock);
}

void pc_watch_dump_over(pc_watch *watch, double seconds, double abort_seconds)
{
    watch->dump_over = seconds > 0.0 ? seconds : abort_seconds;
    watch->abort_over = abort_seconds;
}

/* To the program's stderr, whatever that is by now. */
static void tell(const pc_watch *watch, const char *text, size_t length)
{
    int file = 2;
    if (watch->own_files) {
        int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
        file = (int)syscall(SYS_pidfd_getfd, self, 2, 0);
        if (file < 0) { /* forbidden in some containers; and sockets cannot be opened like this */
            file = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_CLOEXEC);
        }
        close(self);
    }
    ssize_t written = write(file, text, length);
    (void)written;
    if (watch->own_files) {
        close(file);
    }
}

/* A hold that has not ended: to the log. */
static void keep_lasting(pc_watch *watch, double now)
{
    pc_stall *stall = &watch->scratch;
    stall->switches = switches_now(watch) - watch->switches + 1;
    stall->begin = watch->begin;
    stall->end = now;
    stall->late = watch->late;
    stall->spell = watch->spell;
    keep(watch, "lasting", stall);
}

/* A hold that lasts is told while it does: it may never end, or end with the process. */
static void dump_holder(pc_watch *watch, const char *holder, double now)
{
    pc_spell *spell = &watch->spell;
    double held = held_by(spell);
    int ends = watch->abort_over > 0.0 && held >= watch->abort_over;
    if (watch->dump_over <= 0.0 || spell->tid == 0 || (held < watch->next_dump && !ends)) {
        return;
    }
    if (watch->dump_signals < 4) {
        /* Two looks make a line. If it sleeps, and its stack cannot be read, it is asked all the
         * same if the program is to be aborted. */
        if (watch->dump_signals++ % 2 == 0) {
            watch->next_signal = 0.0;
            if (!watch->sleeps || (!read_sleeper(watch, holder, now) && watch->abort_over > 0.0)) {
                signal_holder(watch, now);
            }
        }
        return;
    }
    keep_lasting(watch, now); /* first: whoever reads stderr may end the process */
    char name[32], text[128];
    int length = snprintf(text, sizeof text, "pycrust: %s has held the GIL for %.*f s\n",
                          name_by_system(spell, name, sizeof name), held < 9.95, held);
    tell(watch, text, (size_t)length);
    static const char begin[] = "Stack (most recent call first):\n";
    const size_t size = sizeof begin - 1;
    for (int at = spell->length - (int)size; at >= 0; at--) {
        if (memcmp(spell->text + at, begin, size) == 0) {
            tell(watch, spell->text + at, (size_t)(spell->length - at));
            break;
        }
    }
    if (ends) {
        tell(watch, "pycrust: aborted, as --abort-over asks\n", 39);
        abort();
    }
    watch->next_dump = 2.0 * watch->next_dump;
    watch->dump_signals = 0;
}

/* With the lock. */
static void note(pc_watch *watch, const char *what, const pc_figures *figures)
{
    put(watch, "{\"%s\": [%lu, %lu, %lu, %d", what, figures->beats, figures->waits, figures->looks,
        figures->signal_lost);
    put_seconds(watch, figures->waited);
    put_seconds(watch, figures->longest_wait);
    put_seconds(watch, figures->unseen);
    put_seconds(watch, figures->longest_late);
    put_seconds(watch, pc_now() - figures->started);
    put_seconds(watch, pc_watch_over(watch));
    put_seconds(watch, figures->started);
    log_record(watch);
}

void pc_watch_note(pc_watch *watch, const char *what, int reset)
{
    pc_figures figures;
    pc_watch_figures(watch, &figures, reset);
    pthread_mutex_lock(&watch->lock);
    note(watch, what, &figures);
    pthread_mutex_unlock(&watch->lock);
}

void pc_watch_leave_after(pc_watch *watch, double seconds, void (*leave)(void))
{
    watch->leave_at = pc_now() + seconds;
    watch->leave = leave;
}

int pc_watch_left(pc_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    int left = watch->left;
    pthread_mutex_unlock(&watch->lock);
    return left;
}

/* Does a watch that was brought in leave: is its time over, or is nobody there any more to whom it
 * reports? Who does holds the lock on the sink, which ends with their process. Then both threads
 * end, and what else is to be taken away needs the GIL. */
static int leaves(pc_watch *watch, double now)
{
    const double often = 0.25; /* seconds */
    if (watch->leave == NULL || now < fmin(watch->next_question, watch->leave_at)) {
        return 0;
    }
    watch->next_question = now + often;
    if (now < watch->leave_at && flock(watch->sink, LOCK_SH | LOCK_NB) != 0) {
        return 0;
    }
    if (watch->wait != 0 && watch->wait == watch->watched && is_hold(watch, &watch->spell)) {
        keep_lasting(watch, now);
    }
    note(watch, "end", &watch->figures);
    watch->left = watch->stop = 1;
    pthread_cond_broadcast(&watch->changed);
    return 1;
}

void pc_watch_fork(pc_watch *watch, double begin, double seconds, const char *thread,
                   const char *stack)
{
    pthread_mutex_lock(&watch->lock);
    if (seconds >= watch->over && watch->kept < PC_MAX_STALLS) {
        watch->kept++;
        put(watch, "{\"fork\": [1");
        put_seconds(watch, begin);
        put_seconds(watch, seconds);
        put_string(watch, thread, (int)strlen(thread));
        put_string(watch, stack, (int)strnlen(stack, PC_TEXT));
        log_record(watch);
    }
    pthread_mutex_unlock(&watch->lock);
}

void pc_watch_loop(pc_watch *watch, double begin, double seconds, double missing,
                   const char *thread, const char *task, const char *stacks)
{
    pthread_mutex_lock(&watch->lock);
    if (watch->kept < PC_MAX_STALLS) {
        watch->kept++;
        put(watch, "{\"loop\": [1");
        put_seconds(watch, begin);
        put_seconds(watch, seconds);
        put_seconds(watch, missing);
        put_string(watch, thread, (int)strlen(thread));
        put_string(watch, task, (int)strlen(task));
        put_string(watch, stacks, (int)strnlen(stacks, PC_TEXT));
        log_record(watch);
    }
    pthread_mutex_unlock(&watch->lock);
}

void pc_watch_sink(pc_watch *watch, int file, const char *path)
{
    if (file < 0) {
        file = moved_far(open(path, O_WRONLY | O_APPEND | O_CLOEXEC), 2);
    }
    watch->sink = file;
    fstat(file, &watch->sink_stat);
    fcntl(file, F_SETFD, FD_CLOEXEC);
    snprintf(watch->sink_path, sizeof watch->sink_path, "%s", path);
}

size_t pc_watch_log(pc_watch *watch, size_t start, char *log, size_t size)
{
    pthread_mutex_lock(&watch->lock);
    size_t length = watch->log_length > start ? watch->log_length - start : 0;
    if (size > 0 && length > 0) {
        memcpy(log, watch->log + start, length < size ? length : size);
    }
    pthread_mutex_unlock(&watch->lock);
    return length;
}

int pc_watch_await(pc_watch *watch, size_t start)
{
    pthread_mutex_lock(&watch->lock);
    while (watch->log_length <= start && !watch->ended) {
        pthread_cond_wait(&watch->changed, &watch->lock);
    }
    int more = watch->log_length > start;
    pthread_mutex_unlock(&watch->lock);
    return more;
}

/* ---- begin and end
 * ------------------------------------------------------------------------------------------------
 */

static void make_lock(pc_watch *watch)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&watch->lock, NULL);
}

pc_watch *pc_watch_new(const pc_gil *gil, double over)
{
    pc_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return NULL;
    }
    make_lock(watch);
    watch->gil = *gil;
    watch->in = watch->out = watch->sink = -1;
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
    if (is_file(watch->sink, &watch->sink_stat)) {
        close(watch->sink);
    }
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->lock);
    free(watch->log);
    free(watch);
}

static void tell_to_stop(pc_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->stop = 1;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
}

/* The program must not find that a descriptor is taken while a thread of the watch looks into
 * /proc; nor must what it closes stay open. */

static void *run_watcher(void *argument)
{
    pc_watch *watch = argument;
    watch->own_files = keep_only(watch->in, watch->sink);
    watch->state_file.tid = watch->delay_file.tid = 0; /* those of the thread before went with it */
    return watcher(watch);
}

static void *run_beat(void *argument)
{
    pc_watch *watch = argument;
    keep_only(watch->in, watch->sink);
    return watch->beats(watch->argument);
}

static int start(pc_watch *watch)
{
    /* The program's signals are for the program's threads. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    watch->stop = watch->beat_tid = 0;
    int error = pthread_create(&watch->watcher, NULL, run_watcher, watch);
    if (error == 0) {
        error = pthread_create(&watch->beat, NULL, run_beat, watch);
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
    while (watch->beat_tid == 0 && watch->running) { /* not while a fork is under way */
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

static void stop(pc_watch *watch)
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

/* The watch that runs, and how many forks are under way: several threads may fork at once. */
static pthread_mutex_t forks = PTHREAD_MUTEX_INITIALIZER;
static pc_watch *current;
static int pauses;

int pc_watch_start(pc_watch *watch, void *(*beat)(void *), void *argument)
{
    int error = EBUSY;
    pthread_mutex_lock(&forks);
    if (current == NULL) {
        watch->beats = beat;
        watch->argument = argument;
        watch->ended = 0;
        error = pauses > 0 ? 0 : start(watch);
        current = error == 0 ? watch : NULL;
    }
    pthread_mutex_unlock(&forks);
    return error;
}

void pc_watch_stop(pc_watch *watch)
{
    pthread_mutex_lock(&forks);
    if (current == watch) {
        stop(watch);
        current = NULL;
        pthread_mutex_lock(&watch->lock);
        watch->ended = 1;
        pthread_cond_broadcast(&watch->changed);
        pthread_mutex_unlock(&watch->lock);
    }
    pthread_mutex_unlock(&forks);
}

void pc_watch_pause(void)
{
    pthread_mutex_lock(&forks);
    if (pauses++ == 0 && current != NULL) {
        stop(current);
    }
    pthread_mutex_unlock(&forks);
}

void pc_watch_resume(void)
{
    pthread_mutex_lock(&forks);
    /* None if the hook of the fork was set while the fork was under way. */
    if (pauses > 0 && --pauses == 0 && current != NULL && !current->left) {
        start(current);
    }
    pthread_mutex_unlock(&forks);
}

void pc_watch_forget(void)
{
    /* Another thread of the parent may have had the locks. */
    pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
    forks = fresh;
    if (current != NULL) { /* and may have waited for the log */
        make_lock(current);
        current->ended = 1;
    }
    current = NULL;
    pauses = 0;
}

/* ---- signals for a child
 * ------------------------------------------------------------------------------------------------
 */

static volatile sig_atomic_t child;        /* 0: not yet */
static _Atomic uint64_t undelivered;       /* bit n - 1: signal n */
static uint64_t forwarded;                 /* the same, as all sets of signals here */
static struct sigaction not_forwarded[64]; /* what handled them before */

/* A signal that is sent to the group of processes reaches the child, too; one that is sent to this
 * process does not. To tell them apart there is another process in the group, the witness, of which
 * nobody knows: what reaches it was sent to the group. */
typedef struct {
    int signum;
    double when;
} pc_note;
static pid_t witness;
static char witness_stat[32];         /* where the system says what it does */
static int notes = -1;                /* from the witness */
static double noted[64];              /* when it told of signal n last, and nobody has asked */
static const int wait_for_notes = 50; /* milliseconds, if it tells nothing; at most 40 times */

static int has(uint64_t signums, int signum)
{
    return (int)(signums >> (signum - 1) & 1);
}

static sigset_t set_of(uint64_t signums)
{
    sigset_t set;
    sigemptyset(&set);
    for (int signum = 1; signum < 64; signum++) {
        if (has(signums, signum)) {
            sigaddset(&set, signum);
        }
    }
    return set;
}

static void tell_of_signals(int file, pid_t parent)
{
    sigset_t set = set_of(forwarded);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    keep_only(file, -1);
    while (getppid() == parent) {
        pc_note note = {.signum = sigwaitinfo(&set, NULL), .when = pc_now()};
        if (note.signum > 0 && write(file, &note, sizeof note) != sizeof note) {
            break;
        }
    }
    _exit(0);
}

static void start_witness(void)
{
    int ends[2];
    sigset_t all, before;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    witness = fork();
    if (witness == 0) {
        tell_of_signals(ends[1], parent);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    notes = ends[0];
    snprintf(witness_stat, sizeof witness_stat, "/proc/%d/stat", witness);
}

/* It sleeps until a signal comes. If one came, and it had no core yet, it has yet to tell. */
static int has_yet_to_tell(void)
{
    char text[256];
    int file = open(witness_stat, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0) {
        close(file);
    }
    text[length > 0 ? length : 0] = '\0';
    return length > 0 && state_in(text) == 'R';
}

/* Was the signal that just came sent to the group? */
static int was_for_the_group(int signum)
{
    double now = pc_now();
    struct pollfd ready = {.fd = notes, .events = POLLIN};
    pc_note note;
    int tries = 0;
    while (noted[signum - 1] == 0.0 || noted[signum - 1] < now - 1.0) { /* else of another one */
        if (poll(&ready, 1, wait_for_notes) <= 0) {
            if (tries++ < 40 && has_yet_to_tell()) {
                continue;
            }
            if (poll(&ready, 1, 0) <= 0) { /* nor did it just before it fell asleep */
                return 0;
            }
        }
        if (read(notes, &note, sizeof note) != sizeof note) {
            return 0;
        }
        noted[note.signum - 1] = note.when;
    }
    noted[signum - 1] = 0.0;
    return 1;
}

static void deliver(void)
{
    if (child > 0) {
        uint64_t signums = atomic_exchange(&undelivered, 0);
        for (int signum = 1; signum < 64; signum++) {
            if (has(signums, signum)) {
                kill((pid_t)child, signum);
            }
        }
    }
}

static void forward(int signum, siginfo_t *info, void *context)
{
    (void)context;
    int error = errno;
    /* What the terminal sends is for the group, as the witness knows, too. */
    int reached = was_for_the_group(signum) || info->si_code == SI_KERNEL;
    if (!reached || child == 0) {
        atomic_fetch_or(&undelivered, (uint64_t)1 << (signum - 1));
        deliver();
    }
    errno = error;
}

void pc_forward_begin(uint64_t signums)
{
    struct sigaction action = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART};
    forwarded = signums;
    action.sa_mask = set_of(signums); /* one at a time */
    start_witness();
    for (int signum = 1; signum < 64; signum++) {
        struct sigaction *before = &not_forwarded[signum - 1];
        if (has(signums, signum) && sigaction(signum, NULL, before) == 0 &&
            before->sa_handler != SIG_IGN) { /* as under nohup: the child ignores it, too */
            sigaction(signum, &action, NULL);
        }
    }
}

void pc_forward_to(int pid)
{
    child = pid;
    deliver();
}

void pc_forward_end(void)
{
    for (int signum = 1; signum < 64; signum++) {
        if (has(forwarded, signum)) {
            sigaction(signum, &not_forwarded[signum - 1], NULL);
        }
    }
    if (witness > 0) {
        kill(witness, SIGKILL);
        waitpid(witness, NULL, 0);
    }
    close(notes);
    notes = -1;
    witness = 0;
}

/* ---- a crash
 * ----------------------------------------------------------------------------------------------------
 */

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
enum { FATAL = sizeof fatal / sizeof fatal[0] };
static struct sigaction before_fatal[FATAL];
static const char *_Atomic last_words;

static void say_last_words(int signum)
{
    const char *text = last_words;
    if (text != NULL) {
        ssize_t written = write(2, text, strlen(text));
        (void)written;
    }
    for (int k = 0; k < FATAL; k++) { /* then as it would have died without */
        sigaction(fatal[k], &before_fatal[k], NULL);
    }
    raise(signum);
}

void pc_last_words(const char *text)
{
    struct sigaction action = {.sa_handler = say_last_words, .sa_flags = SA_ONSTACK | SA_NODEFER};
    int was = last_words != NULL;
    last_words = text;
    for (int k = 0; k < FATAL && was != (text != NULL); k++) {
        sigaction(fatal[k], text != NULL ? &action : &before_fatal[k],
                  text != NULL ? &before_fatal[k] : NULL);
    }
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
ABSENT(void, pc_watch_keep_slot, (pc_watch * watch, int slot, int begin), )
ABSENT(void, pc_watch_signal, (pc_watch * watch, int signum, int slot), )
ABSENT(int, pc_watch_has_signal, (pc_watch * watch), 0)
ABSENT(void, pc_watch_give_signal, (pc_watch * watch), )
ABSENT(int, pc_watch_start, (pc_watch * watch, void *(*beat)(void *), void *argument), -1)
ABSENT(void, pc_watch_begun, (pc_watch * watch), )
ABSENT(void, pc_watch_stop, (pc_watch * watch), )
ABSENT(void, pc_watch_pause, (void), )
ABSENT(void, pc_watch_resume, (void), )
ABSENT(void, pc_watch_forget, (void), )
ABSENT(int, pc_watch_nap, (pc_watch * watch, double mean), 0)
ABSENT(int, pc_watch_ask, (pc_watch * watch, int always), 0)
ABSENT(void, pc_watch_ask_by, (pc_watch * watch, double time), )
ABSENT(double, pc_watch_got, (pc_watch * watch), 0.0)
ABSENT(unsigned long, pc_watch_holder, (pc_watch * watch, int which), 0)
ABSENT(void, pc_watch_judge, (pc_watch * watch, pc_stall *stall), )
ABSENT(void, pc_watch_keep, (pc_watch * watch, const pc_stall *stall), )
ABSENT(void, pc_watch_dump_over, (pc_watch * watch, double seconds, double abort_seconds), )
ABSENT(void, pc_watch_note, (pc_watch * watch, const char *what, int reset), )
ABSENT(void, pc_watch_leave_after, (pc_watch * watch, double seconds, void (*leave)(void)), )
ABSENT(int, pc_watch_left, (pc_watch * watch), 0)
ABSENT(void, pc_watch_sink, (pc_watch * watch, int file, const char *path), )
ABSENT(size_t, pc_watch_log, (pc_watch * watch, size_t start, char *log, size_t size), 0)
ABSENT(int, pc_watch_await, (pc_watch * watch, size_t start), 0)
ABSENT(void, pc_watch_fork,
       (pc_watch * watch, double begin, double seconds, const char *thread, const char *stack), )
ABSENT(void, pc_watch_loop,
       (pc_watch * watch, double begin, double seconds, double missing, const char *thread,
        const char *task, const char *stacks), )
ABSENT(double, pc_watch_over, (pc_watch * watch), 0.0)
ABSENT(void, pc_watch_figures, (pc_watch * watch, pc_figures *figures, int reset), )
ABSENT(void, pc_forward_begin, (uint64_t signums), )
ABSENT(void, pc_forward_to, (int pid), )
ABSENT(void, pc_forward_end, (void), )
ABSENT(void, pc_last_words, (const char *text), )
ABSENT(int, pc_readable, (const void *bytes), 0)
ABSENT(int, pc_gettid, (void), 0)
ABSENT(int, pc_is_locked, (const pc_gil *gil), 0)
ABSENT(int, pc_sleeps_elsewhere, (const pc_gil *gil, int tid), 0)
ABSENT(double, pc_delay_of, (int tid), 0.0)
ABSENT(double, pc_cpu_of, (int tid), -1.0)

#endif
