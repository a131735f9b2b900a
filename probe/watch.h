/*
 * A watch over the GIL: one thread, the beat, asks for the GIL now and then; another, which never
 * takes it, looks on while the beat waits: who has the GIL, does it run, was it asked to hand it
 * over, on which line is it.
 */
#ifndef PC_WATCH_H
#define PC_WATCH_H

#include "gil.h"

enum { PC_TEXT = 16384 };

/* A time for which one thread had the GIL, as seen while another waited. Times in seconds. */
typedef struct {
    unsigned long switches; /* of the GIL before */
    unsigned long ident;    /* as threading has it; 0: nothing is known, in all that follows */
    int tid;                /* as the system has it; 0 if unknown */
    double since;
    double first, last; /* the looks at it */
    double cpu;         /* for which the holder ran, between the two */
    double asleep;      /* for which it slept all the same */
    double ignored;     /* for which it ran or slept although it had been asked */
    int looks, collecting;
    int signals;
    int length;
    char text[PC_TEXT]; /* the tracebacks it wrote */
} pc_spell;

/* A wait of the beat. */
typedef struct {
    double begin, end;
    unsigned long switches; /* of the GIL meanwhile; 1 if there was one holder */
    double late;            /* for which the watcher was kept from looking */
    double delay;           /* for which the beat was ready to run and had no core */
    int direct;             /* whether the holder of this spell gave the GIL to the beat */
    pc_spell spell;         /* the longest for which a holder ignored the request */
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
/* Is the signal free? */
int pc_signal_is_free(int signum);
/* From now on this signal makes a thread write its traceback. */
void pc_watch_signal(pc_watch *watch, int signum);
/* Does it still? */
int pc_watch_has_signal(pc_watch *watch);
/* Around what takes our own handler away: keep what the program may have set for the signal; if it
 * is still ours, drop what is under way to a thread that has yet to run, or that blocks it. */
void pc_watch_keep_signal(pc_watch *watch, int begin);

/* Start both threads; gives 0, or an errno. */
int pc_watch_start(pc_watch *watch, void *(*beat)(void *), void *argument);
/* Wait until the beat has begun; without the GIL, which it needs for that. */
void pc_watch_begun(pc_watch *watch);
/* Stop and join both; without the GIL. */
void pc_watch_stop(pc_watch *watch);

/* For the beat, without the GIL: sleep until the next one; false: the end. */
int pc_watch_nap(pc_watch *watch, double mean);
/* Is the GIL held? If so the beat is about to ask for it. */
int pc_watch_ask(pc_watch *watch, int always);
/* It has it; gives what it waited. */
double pc_watch_got(pc_watch *watch);
/* Who was seen to have the GIL, by threading's ident; 0 if nobody was. */
unsigned long pc_watch_holder(pc_watch *watch);
/* Without the GIL: what was seen of the last wait. */
void pc_watch_judge(pc_watch *watch, pc_stall *stall);

/* The shortest wait that counts, at this moment's switch interval. */
double pc_watch_over(pc_watch *watch);
void pc_watch_figures(pc_watch *watch, pc_figures *figures, int reset);

/* Can these bytes be read? */
int pc_readable(const void *bytes);
/* The calling thread, as the system has it. */
int pc_gettid(void);
/* Whether somebody has the GIL. */
int pc_is_locked(const pc_gil *gil);
/* The seconds for which a thread ran; -1 if there is none of this number. */
double pc_cpu_of(int tid);
/* The seconds for which a thread was ready to run and had no core; 0 where that is not told. */
double pc_delay_of(int tid);

#endif
