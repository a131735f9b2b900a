/* Where CPython keeps the state of its GIL, for readers that never take it. */
#ifndef PC_GIL_H
#define PC_GIL_H

#include <stddef.h>

typedef struct {
    /* The thread state that has the GIL, or had it last: never followed, but to the three members
     * below, and by pc_stack_of. */
    const char *const *holder;
    const int *locked;             /* whether a thread has it */
    const unsigned long *switches; /* how often it went from one thread to another */
    const unsigned long *interval; /* the switch interval, in microseconds */
    const int *collecting;         /* whether the garbage collector is at work */
    const int *asked; /* whether the holder is asked to hand it over; NULL: by a bit of its state */
    size_t asked_in_state; /* offsets in a thread state */
    size_t tid_in_state;
    size_t ident_in_state;
    const char *begin; /* of all of it: who waits for it waits at an address in there */
    size_t size;
} pc_gil;

/* Find it; the caller has the GIL. Returns NULL, or why this interpreter's GIL cannot be read. */
const char *pc_gil_find(pc_gil *gil);

/* Write the stack of another thread, given its state, as faulthandler would: frames that do not fit
 * are left out. Gives the length, or 0 if it cannot be read. Without the GIL: from /proc, which
 * fails where there is no memory. It is a stack only if the thread does not run meanwhile. */
int pc_stack_of(const char *state, char *text, int size);

/* A new reference to a local variable of a running frame, a PyFrameObject that the caller has a
 * reference to; NULL: it has no value. With the GIL. Unlike frame.f_locals, which before
 * Python 3.13 is a dict that belongs to the frame and that a trace function may be about to change.
 */
void *pc_variable(void *frame, const char *name);

#endif
