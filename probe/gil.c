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

#if !defined(PC_KNOWN_VERSION) || defined(Py_GIL_DISABLED)
int pc_stack_of(const char *state, char *text, int size)
{
    (void)state;
    (void)text;
    (void)size;
    return 0;
}

void *pc_variable(void *frame, const char *name)
{
    (void)frame;
    (void)name;
    return NULL;
}
#endif

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

#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_interpframe_structs.h"
#else
#include "internal/pycore_frame.h"
#endif
#if PY_VERSION_HEX >= 0x030C0000
#include "internal/pycore_interp.h"
#else
#include "internal/pycore_runtime.h"
#endif

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

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

/* ---- the stack of another thread
 * ------------------------------------------------------------------------------------------------
 */

/* From this process's memory as a file; false where there is none. */
static int get(int memory, const void *from, void *to, size_t size)
{
    return pread(memory, to, size, (off_t)(uintptr_t)from) == (ssize_t)size;
}

/* Bytes in memory, one after another. */
typedef struct {
    int memory;
    const char *from;
    Py_ssize_t left; /* not read yet */
    size_t at, length;
    unsigned char bytes[256];
} pc_bytes;

/* -1: the end. */
static int next_byte(pc_bytes *bytes)
{
    if (bytes->at == bytes->length) {
        size_t size = sizeof bytes->bytes;
        size = bytes->left < (Py_ssize_t)size ? (size_t)Py_MAX(bytes->left, 0) : size;
        if (size == 0 || !get(bytes->memory, bytes->from, bytes->bytes, size)) {
            return -1;
        }
        bytes->from += size;
        bytes->left -= (Py_ssize_t)size;
        bytes->at = 0;
        bytes->length = size;
    }
    return bytes->bytes[bytes->at++];
}

static int next_signed_number(pc_bytes *bytes)
{
    unsigned number = 0;
    int byte = 64;
    for (unsigned shift = 0; byte >= 0 && (byte & 64) && shift < 32; shift += 6) {
        byte = next_byte(bytes);
        number |= ((unsigned)byte & 63U) << shift;
    }
    return (number & 1) ? -(int)(number >> 1) : (int)(number >> 1);
}

/* Of a code unit, by the table of locations (CPython's Objects/locations.md); 0: it has none. */
static int line_of(int memory, const PyCodeObject *code, Py_ssize_t unit)
{
    PyVarObject head;
    const char *locations = (const char *)code->co_linetable + offsetof(PyBytesObject, ob_sval);
    pc_bytes table = {.memory = memory, .from = locations};
    int line = code->co_firstlineno;
    if (!get(memory, code->co_linetable, &head, sizeof head)) {
        return 0;
    }
    table.left = head.ob_size;
    for (int first = next_byte(&table); first >= 0;) {
        int kind =
            first >> 3 & 15; /* from 10 on with a line: that many on, or as follows; 15: none */
        if (kind == 13 || kind == 14) {
            line += next_signed_number(&table);
        } else if (kind >= 10 && kind < 13) {
            line += kind - 10;
        }
        unit -= (first & 7) + 1;
        if (unit < 0) {
            return kind == 15 ? 0 : line;
        }
        do {
            first = next_byte(&table);
        } while (first >= 0 && first < 128);
    }
    return 0;
}

typedef struct {
    int memory;
    char *text;
    int size, length; /* beyond the size: it does not fit */
} pc_lines;

static void put(pc_lines *lines, const char *format, ...)
{
    int left = Py_MAX(lines->size - lines->length, 0);
    va_list values;
    va_start(values, format);
    lines->length +=
        vsnprintf(lines->text + Py_MIN(lines->length, lines->size), (size_t)left, format, values);
    va_end(values);
}

/* In ASCII, and of no more than 500 characters, as faulthandler has it. */
static void put_str(pc_lines *lines, PyObject *str)
{
    PyASCIIObject head;
    if (!get(lines->memory, str, &head, sizeof head) || !head.state.compact) {
        put(lines, "???");
        return;
    }
    int kind = (int)head.state.kind;
    size_t behind = head.state.ascii ? sizeof(PyASCIIObject) : sizeof(PyCompactUnicodeObject);
    pc_bytes bytes = {.memory = lines->memory,
                      .from = (const char *)str + behind,
                      .left = kind * Py_MIN(head.length, 500)};
    for (int byte = next_byte(&bytes); byte >= 0; byte = next_byte(&bytes)) {
        unsigned character = (unsigned)byte;
        for (int k = 1; k < kind; k++) { /* the least first */
            character |= ((unsigned)next_byte(&bytes) & 255U) << 8 * k;
        }
        put(lines,
            character >= ' ' && character <= '~' ? "%c"
            : character <= 0xff                  ? "\\x%02x"
            : character <= 0xffff                ? "\\u%04x"
                                                 : "\\U%08x",
            character);
    }
    put(lines, head.length > 500 ? "..." : "");
}

static const void *code_of(const struct _PyInterpreterFrame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    return (const void *)(frame->f_executable.bits & ~(uintptr_t)1);
#elif PY_VERSION_HEX >= 0x030D0000
    return frame->f_executable;
#else
    return frame->f_code;
#endif
}

static void put_frame(pc_lines *lines, const struct _PyInterpreterFrame *frame)
{
    const PyCodeObject *at = code_of(frame);
    PyCodeObject code;
    if (frame->owner >
            FRAME_OWNED_BY_FRAME_OBJECT || /* between a function of C and what it calls */
        !get(lines->memory, at, &code, offsetof(PyCodeObject, co_code_adaptive)) ||
        Py_TYPE(&code) != &PyCode_Type) {
        return;
    }
#if PY_VERSION_HEX >= 0x030D0000
    const _Py_CODEUNIT *instruction = frame->instr_ptr;
#else
    const _Py_CODEUNIT *instruction = frame->prev_instr;
#endif
    int line =
        line_of(lines->memory, &code, instruction - (const _Py_CODEUNIT *)at->co_code_adaptive);
    put(lines, "  File \"");
    put_str(lines, code.co_filename);
    put(lines, line > 0 ? "\", line %d in " : "\", line ??? in ", line);
    put_str(lines, code.co_name);
    put(lines, "\n");
}

int pc_stack_of(const char *state, char *text, int size)
{
    const PyThreadState *thread = (const PyThreadState *)(const void *)state;
    struct _PyInterpreterFrame *at, frame;
    pc_lines lines = {
        .memory = open("/proc/thread-self/mem", O_RDONLY | O_CLOEXEC), .text = text, .size = size};
    int whole = 0;
#if PY_VERSION_HEX >= 0x030D0000
    int found = get(lines.memory, &thread->current_frame, &at, sizeof at);
#else
    const struct _PyCFrame *c_frame;
    int found = get(lines.memory, &thread->cframe, &c_frame, sizeof c_frame) &&
                get(lines.memory, &c_frame->current_frame, &at, sizeof at);
#endif
    put(&lines, "Stack (most recent call first):\n");
    const int head = lines.length;
    for (int depth = 0; found && at != NULL && depth < 100; depth++) {
        found = get(lines.memory, at, &frame, offsetof(struct _PyInterpreterFrame, localsplus));
        if (found) {
            put_frame(&lines, &frame);
            whole = lines.length > head && lines.length < size ? lines.length : whole;
            at = frame.previous;
        }
    }
    if (lines.memory >= 0) {
        close(lines.memory);
    }
    return found ? whole : 0;
}

void *pc_variable(void *frame, const char *name)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyObject *value = PyFrame_GetVarString(frame, name);
    if (value == NULL) {
        PyErr_Clear();
    }
    return value;
#else
    struct _PyInterpreterFrame *inner = ((PyFrameObject *)frame)->f_frame;
    const PyCodeObject *code = inner->f_code;
    for (int k = 0; k < code->co_nlocals; k++) {
        PyObject *each = PyTuple_GET_ITEM(code->co_localsplusnames, k);
        if (PyUnicode_CompareWithASCIIString(each, name) == 0) {
            return Py_XNewRef(inner->localsplus[k]);
        }
    }
    return NULL;
#endif
}
#endif
