/*
 * A watch over the GIL: one thread, the beat, asks for the GIL now and then. While it waits,
 * another thread, which never takes the GIL, observes who holds it, whether the holder runs,
 * whether it was asked to release the GIL, and on which line it is.
 */
#ifndef PC_WATCH_H
#define PC_WATCH_H

#include "gil.h"

#include <stdint.h>

enum { PC_TEXT = 16384, PC_RECORD = 131072, PC_MAX_STALLS = 100000, PC_NAMES = 18 };

/* A time for which one thread had the GIL, as seen while another waited. Times in seconds. */
typedef struct {
    unsigned long switches; /* of the GIL before */
    unsigned long ident;    /* as threading has it; 0: nothing is known, in all that follows */
    int tid;                /* as the system has it; 0 if unknown */
    double since;
    double first, last; /* when it was observed first and last */
    double cpu;         /* for which the holder ran, between the two */
    double asleep;      /* for which it slept while it had the GIL */
    double ignored;     /* for which it ran or slept although it had been asked */
    int looks, collecting;
    int signals;
    int length;
    char comm[17];      /* its name, as the system has it, and a newline */
    char text[PC_TEXT]; /* the tracebacks it wrote */
} pc_spell;

/* The name of a thread, as threading has it, in UTF-8; "": unknown. */
typedef struct {
    unsigned long ident;
    char thread[256];
} pc_name;

/* A wait of the beat. */
typedef struct {
    double begin, end;
    unsigned long switches; /* of the GIL meanwhile; 1 if there was one holder */
    double late;            /* for which the watcher was kept from looking */
    double delay;           /* for which the beat was ready to run and had no core */
    int unmoved;            /* whether the last holder seen had this spell, and no other since */
    pc_spell spell;         /* the longest for which a holder ignored the request */
    /* Not told by the watch, but by whoever has the GIL after the wait. */
    pc_name names[PC_NAMES];  /* of the last holder, of that spell's, and of others that held it */
    int line;                 /* where the last holder is, if it just made a call; 0: unknown */
    int end_line, end_column; /* where that call ends, in bytes; 0, -1: unknown */
    char file[4096], function[512];
    char task[256], callee[256]; /* of asyncio; the function that a pool or a thread runs there */
} pc_stall;

typedef struct {
    unsigned long beats, waits, looks;
    double waited, longest_wait; /* the beat for the GIL */
    double unseen, longest_late; /* the watcher, which never takes the GIL: beyond 1 ms; the most */
    double started;
    int signal_lost; /* the program took the signal, or closed the pipe */
} pc_figures;

typedef struct pc_watch pc_watch;

/* A watch for waits from `over` seconds on; NULL without memory. Free it when it is stopped. */
pc_watch *pc_watch_new(const pc_gil *gil, double over);
void pc_watch_free(pc_watch *watch);

/* A pipe for tracebacks, far from the small descriptors; gives the end to write to, or -1. */
int pc_watch_pipe(pc_watch *watch);
/* Whether the signal is free. */
int pc_signal_is_free(int signum);
/* Around what sets or takes away a handler of this signal: it stays as it was. */
void pc_watch_keep_slot(pc_watch *watch, int slot, int begin);
/* From now on this signal makes a thread write its traceback, with the handler of the slot. */
void pc_watch_signal(pc_watch *watch, int signum, int slot);
/* Whether it still does. */
int pc_watch_has_signal(pc_watch *watch);
/* If it does, restore the previous handler, and drop pending signals. */
void pc_watch_give_signal(pc_watch *watch);

/* Before the start: write who holds the GIL, and where, to stderr and to the log, after so many
 * seconds, and again after twice as many each time; abort the process after so many. 0: never. */
void pc_watch_dump_over(pc_watch *watch, double seconds, double abort_seconds);

/* Before the start: a watch that was brought into a running process leaves after so many seconds,
 * or as soon as nobody holds a lock (flock) on its sink any more. Its threads end, and `leave` is
 * called without the GIL: the rest is for `pc_watch_stop`. */
void pc_watch_leave_after(pc_watch *watch, double seconds, void (*leave)(void));
/* Has it left? */
int pc_watch_left(pc_watch *watch);

/* Write the log to this file instead of to memory; opened (-1) and opened again, if the program
 * closes it, by its path, of less than 64 bytes. */
void pc_watch_sink(pc_watch *watch, int file, const char *path);

/* Start both threads, unless a fork is under way: then they are started after it. Gives 0, or an
 * errno: EBUSY if another watch runs. Without the GIL, as all that starts or stops them. */
int pc_watch_start(pc_watch *watch, void *(*beat)(void *), void *argument);
/* Wait until the beat has begun; without the GIL, which it needs for that. */
void pc_watch_begun(pc_watch *watch);
/* Stop and join both. */
void pc_watch_stop(pc_watch *watch);
/* Around a fork: the watch that runs, if any, has no threads meanwhile. Forks may overlap: the
 * first pauses it, the last resumes it. */
void pc_watch_pause(void);
void pc_watch_resume(void);
/* In the child: there is none. Locks are not touched, but replaced. */
void pc_watch_forget(void);

/* For the beat, without the GIL: sleep until the next request; false: the watch ends. */
int pc_watch_nap(pc_watch *watch, double mean);
/* Whether the GIL is held, it is time to look, or `always`; if so, the beat is about to ask for it.
 */
int pc_watch_ask(pc_watch *watch, int always);
/* The time from which on the beat asks even if the GIL is free, once; 0: never. */
void pc_watch_ask_by(pc_watch *watch, double time);
/* The beat has the GIL; returns how long it waited. */
double pc_watch_got(pc_watch *watch);
/* The ident, in threading, of a holder: 0: the last one seen; 1: the one that ignored the request
 * for longest; from 2 on: others that held the GIL in this wait. Returns 0 if there is none. */
unsigned long pc_watch_holder(pc_watch *watch, int which);
/* Without the GIL: what was seen of the last wait. */
void pc_watch_judge(pc_watch *watch, pc_stall *stall);
/* Without the GIL: write it to the log. The first PC_MAX_STALLS are kept. */
void pc_watch_keep(pc_watch *watch, const pc_stall *stall);
/* Without the GIL: write the figures to the log, under this name. */
void pc_watch_note(pc_watch *watch, const char *what, int reset);
/* Without the GIL: a fork stopped all threads for so long. */
void pc_watch_fork(pc_watch *watch, double begin, double seconds, const char *thread,
                   const char *stack);
/* Without the GIL: a callback kept an event loop from its next turn for so long, and the
 * thread of the loop had no core for so long besides. */
void pc_watch_loop(pc_watch *watch, double begin, double seconds, double missing,
                   const char *thread, const char *task, const char *stacks);
/* Without the GIL: copy the log in memory, from there on, as far as it fits; gives the length of
 * the rest. A line is a record in JSON. */
size_t pc_watch_log(pc_watch *watch, size_t start, char *log, size_t size);
/* Without the GIL: wait until there is more of it; false: the watch has ended, and there is not. */
int pc_watch_await(pc_watch *watch, size_t start);

/* The shortest wait that counts, at this moment's switch interval. */
double pc_watch_over(pc_watch *watch);
void pc_watch_figures(pc_watch *watch, pc_figures *figures, int reset);

/* Pass these signals of this process (bit n - 1: signal n) on to a child, from `pc_forward_to` on;
 * one that comes before is passed on then. 0: to none any more. What was sent to the whole group of
 * processes, of which the child is one, is not passed on: it reaches the child by itself. */
void pc_forward_begin(uint64_t signums);
void pc_forward_to(int pid);
void pc_forward_end(void);

/* Should the process die of a fault, or by abort, write this to stderr before; NULL: no longer. The
 * text stays where it is. */
void pc_last_words(const char *text);

/* Whether memory at this address can be read. */
int pc_readable(const void *bytes);
/* The operating system's id of the calling thread. */
int pc_gettid(void);
/* Whether a thread has the GIL. */
int pc_is_locked(const pc_gil *gil);
/* The seconds for which a thread ran; -1 if there is no thread with this id. */
double pc_cpu_of(int tid);
/* Whether a thread sleeps in a system call, and not for the GIL; false where that is unknown. */
int pc_sleeps_elsewhere(const pc_gil *gil, int tid);
/* The seconds for which a thread was ready to run and had no core; 0 where that is unknown. */
double pc_delay_of(int tid);

#endif
