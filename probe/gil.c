/*
 * The only file that includes Python's internal headers. Each version has its place in the ladder;
 * on any other, and where there is no GIL or no Linux, the GIL is not read.
 */
#include <patchlevel.h>

#if defined(__linux__) && !defined(PYPY_VERSION) && PY_VERSION_HEX >= 0x030B0000 &&                \
    PY_VERSION_HEX < 0x030F0000
#define PC_KNOWN_VERSION 1
#define Py_BUILD_CORE 1
#endif

#include <Python.h>

#include "gil.h"

#if defined(PYPY_VERSION)
const char *pc_gil_find(pc_gil *gil)
{
    (void)gil;
    return "PyPy's GIL is not CPython's";
}
#elif defined(Py_GIL_DISABLED)
const char *pc_gil_find(pc_gil *gil)
{
    (void)gil;
    return "a free-threaded build of Python has no GIL to wait for";
}
#elif !defined(__linux__)
const char *pc_gil_find(pc_gil *gil)
{
    (void)gil;
    return "it needs Linux";
}
#elif !defined(PC_KNOWN_VERSION)
const char *pc_gil_find(pc_gil *gil)
{
    (void)gil;
    return "it knows the GIL of CPython 3.11 to 3.14 only";
}
#else

#if PY_VERSION_HEX >= 0x030C0000
#include "internal/pycore_interp.h"
#else
#include "internal/pycore_runtime.h"
#endif

const char *pc_gil_find(pc_gil *gil)
{
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    if (interpreter != PyInterpreterState_Main()) {
        return "it watches the main interpreter only, and this is a subinterpreter";
    }
#if PY_VERSION_HEX >= 0x030C0000
    struct _gil_runtime_state *state = interpreter->ceval.gil;
#else
    struct _gil_runtime_state *state = &_PyRuntime.ceval.gil;
#endif
    *gil = (pc_gil){
#if PY_VERSION_HEX >= 0x030D0000
        .holder = (const char *const *)&state->last_holder,
        .locked = &state->locked,
        .asked_in_state = offsetof(PyThreadState, eval_breaker),
#else
        .holder = (const char *const *)&state->last_holder._value,
        .locked = (const int *)&state->locked._value,
        .asked = (const int *)&interpreter->ceval.gil_drop_request._value,
#endif
        .switches = &state->switch_number,
        .interval = &state->interval,
        .collecting = &interpreter->gc.collecting,
        .tid_in_state = offsetof(PyThreadState, native_thread_id),
        .ident_in_state = offsetof(PyThreadState, thread_id),
        .begin = (const char *)state,
        .size = sizeof *state,
    };
    return NULL;
}
#endif
