/* What stands in for probe/ where test_probe.py tries _probe.pyx alone: each function is one of
 * Python's, but for that which reads a variable. */
#define pc_gil_find not_by_hand
#include "../../probe/gil.c"
#undef pc_gil_find

#include "../../probe/watch.h"

int (*by_hand_check)(void); /* whether this thread has the GIL */
int by_hand_held;           /* whether it had it in the last call */

#define BY_HAND(type, name, parameters, arguments)                                                 \
    type(*by_hand_##name) parameters;                                                              \
    type name parameters                                                                           \
    {                                                                                              \
        by_hand_held = by_hand_check();                                                            \
        return by_hand_##name arguments;                                                           \
    }

BY_HAND(const char *, pc_gil_find, (pc_gil * gil), (gil))
BY_HAND(pc_watch *, pc_watch_new, (const pc_gil *gil, double over), (gil, over))
BY_HAND(void, pc_watch_free, (pc_watch * watch), (watch))
BY_HAND(int, pc_watch_pipe, (pc_watch * watch), (watch))
BY_HAND(int, pc_signal_is_free, (int signum), (signum))
BY_HAND(void, pc_watch_keep_slot, (pc_watch * watch, int slot, int begin), (watch, slot, begin))
BY_HAND(void, pc_watch_signal, (pc_watch * watch, int signum, int slot), (watch, signum, slot))
BY_HAND(void, pc_watch_give_signal, (pc_watch * watch), (watch))
BY_HAND(void, pc_watch_sink, (pc_watch * watch, int file, const char *path), (watch, file, path))
BY_HAND(void, pc_watch_dump_over, (pc_watch * watch, double seconds, double abort_seconds),
        (watch, seconds, abort_seconds))
BY_HAND(int, pc_watch_start, (pc_watch * watch, void *(*beat)(void *), void *argument),
        (watch, beat, argument))
BY_HAND(void, pc_watch_begun, (pc_watch * watch), (watch))
BY_HAND(void, pc_watch_stop, (pc_watch * watch), (watch))
BY_HAND(void, pc_watch_pause, (void), ())
BY_HAND(void, pc_watch_resume, (void), ())
BY_HAND(void, pc_watch_forget, (void), ())
BY_HAND(int, pc_watch_nap, (pc_watch * watch, double mean), (watch, mean))
BY_HAND(int, pc_watch_ask, (pc_watch * watch, int always), (watch, always))
BY_HAND(void, pc_watch_ask_by, (pc_watch * watch, double time), (watch, time))
BY_HAND(double, pc_watch_got, (pc_watch * watch), (watch))
BY_HAND(unsigned long, pc_watch_holder, (pc_watch * watch, int which), (watch, which))
BY_HAND(void, pc_watch_judge, (pc_watch * watch, pc_stall *stall), (watch, stall))
BY_HAND(void, pc_watch_keep, (pc_watch * watch, const pc_stall *stall), (watch, stall))
BY_HAND(void, pc_watch_note, (pc_watch * watch, const char *what, int reset), (watch, what, reset))
BY_HAND(void, pc_watch_fork,
        (pc_watch * watch, double begin, double seconds, const char *thread, const char *stack),
        (watch, begin, seconds, thread, stack))
BY_HAND(void, pc_watch_loop,
        (pc_watch * watch, double begin, double seconds, double missing, const char *thread,
         const char *task, const char *stacks),
        (watch, begin, seconds, missing, thread, task, stacks))
BY_HAND(void, pc_watch_leave_after, (pc_watch * watch, double seconds, void (*leave)(void)),
        (watch, seconds, leave))
BY_HAND(int, pc_watch_left, (pc_watch * watch), (watch))
BY_HAND(size_t, pc_watch_log, (pc_watch * watch, size_t start, char *log, size_t size),
        (watch, start, log, size))
BY_HAND(int, pc_watch_await, (pc_watch * watch, size_t start), (watch, start))
BY_HAND(double, pc_watch_over, (pc_watch * watch), (watch))
BY_HAND(void, pc_forward_begin, (uint64_t signums), (signums))
BY_HAND(void, pc_forward_to, (int pid), (pid))
BY_HAND(void, pc_forward_end, (void), ())
BY_HAND(void, pc_last_words, (const char *text), (text))
BY_HAND(int, pc_readable, (const void *bytes), (bytes))
BY_HAND(int, pc_gettid, (void), ())
BY_HAND(int, pc_is_locked, (const pc_gil *gil), (gil))
BY_HAND(int, pc_sleeps_elsewhere, (const pc_gil *gil, int tid), (gil, tid))
BY_HAND(double, pc_delay_of, (int tid), (tid))
BY_HAND(double, pc_cpu_of, (int tid), (tid))
