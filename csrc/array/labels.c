/* Add numbers to the states that their labels name, batch by batch: a batch has the bits of each
 * number, as a double or a 64-bit integer, and the index of its state. */
#include "contiguous.h"
#include "gather.h"
#include "layout.h"
#include "widen.h"
#include "../base/fpenv.h"
#include "../sums/states.h"

#include <string.h>

/* ---- batches ---------------------------------------------------------------------- */

/* Real numbers in a batch: a complex one is two. */
enum { BATCH = BUFFER };

/* The elements of a batch that are not left out: their bits, states, and places in the batch. */
typedef struct {
    uint64_t x[BATCH];
    size_t state[BATCH];
    uint16_t element[BATCH];
    size_t count;
} batch;

/* Elements of `size` bytes as contiguous native ones: in place, or copied to `scratch`. */
static const char *contiguous(char *scratch, const char *from, size_t size, ptrdiff_t stride,
                              size_t n, size_t components, int swapped)
{
    if (stride == (ptrdiff_t)size && !swapped)
        return from;
    gather_columns(scratch, 0, from, size, n, stride, 1, 0);
    if (swapped)
        swap_bytes(scratch, size / components, n * components);
    return scratch;
}

static int is_unsigned(pc_type type)
{
    return type == PC_BOOL || (type < PC_BOOL && (type == PC_UINT8 || type == PC_UINT16 ||
                                                  type == PC_UINT32 || type == PC_UINT64));
}

static int is_nan_bits(uint64_t bits)
{
    return (bits & UINT64_MAX >> 1) > UINT64_C(0x7ff) << 52;
}

/* Of the n elements that fill() appended, keep those that are not left out. Returns 0 if one of
 * these has no state. */
static inline int keep_some(batch *to, const pc_labelled *a, const int64_t *label, const char *mask,
                            ptrdiff_t mask_stride, size_t components, size_t n)
{
    const int skip_nan = a->skip_nan && is_float(a->type);
    const size_t end = to->count + n;
    size_t count = to->count;
    int out_of_range = 0;
    for (size_t from = to->count; from < end; from++, label++) {
        const uint64_t *x = to->x + from * components;
        int keep = *label >= 0;
        if (mask) {
            keep &= *mask != 0;
            mask += mask_stride;
        }
        if (skip_nan)
            keep &= (is_nan_bits(x[0]) | is_nan_bits(x[components - 1])) == 0;
        out_of_range |= keep & ((uint64_t)*label >= a->label_count);
        to->state[count] = to->state[from];
        to->element[count] = to->element[from];
        for (size_t p = 0; p < components; p++)
            to->x[count * components + p] = x[p];
        count += (size_t)keep;
    }
    to->count = count;
    return !out_of_range;
}

/* The indexes of the states of n elements. Returns a negative number if a label is negative or
 * above `last`. Inlined with constant steps, so that compilers vectorize it. */
static inline int64_t find_states(size_t *to, const int64_t *label, size_t n, int64_t last,
                                  size_t label_step, size_t state, size_t step)
{
    int64_t out_of_range = 0;
    for (size_t k = 0; k < n; k++, state += step) {
        out_of_range |= label[k] | (int64_t)((uint64_t)last - (uint64_t)label[k]);
        to[k] = (size_t)label[k] * label_step + state;
    }
    return out_of_range;
}

/* Append n elements along the last axis to a batch, whose elements they are from `first` on.
 * Returns 0 if there is no state for a label. */
static int fill(batch *to, const pc_labelled *a, const cursor *at, size_t n, size_t first)
{
    const pc_axis *axis = a->axes ? &a->axis[a->axes - 1] : &no_axis;
    const size_t components = (size_t)a->components, size = size_of_type[a->type] * components,
                 label_size = size_of_type[a->label_type],
                 labels = axis->other_stride ? n : 1; /* or one for all */
    const size_t count = to->count, label_step = a->label_step, step = (size_t)axis->out_stride;
    const int64_t last = (int64_t)(a->label_count - 1);
    int64_t label[BATCH];
    char scratch[BATCH * sizeof(double)];

    widen_to_words(to->x + count * components, a->type,
                   contiguous(scratch, a->data + at->offset.data, size, axis->stride, n, components,
                              a->swapped),
                   n * components);
    widen_labels(label, a->label_type,
                 contiguous(scratch, a->labels + at->offset.other, label_size, axis->other_stride,
                            labels, 1, a->labels_swapped),
                 labels);
    for (size_t k = labels; k < n; k++)
        label[k] = label[0];
    const int64_t out_of_range =
        label_step == 1 && step == 0
            ? find_states(to->state + count, label, n, last, 1, (size_t)at->offset.out, 0)
            : find_states(to->state + count, label, n, last, label_step, (size_t)at->offset.out,
                          step);
    for (size_t k = 0; k < n; k++)
        to->element[count + k] = (uint16_t)(first + k);
    if (out_of_range >= 0 && !a->mask && !(a->skip_nan && is_float(a->type))) {
        to->count += n;
        return 1;
    }
    const char *mask = a->mask ? a->mask + at->offset.mask : NULL;
    const ptrdiff_t mask_stride = a->mask ? axis->mask_stride : 0;
    return components == 1 ? keep_some(to, a, label, mask, mask_stride, 1, n)
                           : keep_some(to, a, label, mask, mask_stride, 2, n);
}

/* ---- add -------------------------------------------------------------------------- */

/* How many elements ahead states are prefetched. */
enum { STATES_AHEAD = 12 };

/* The state of element k of a batch; prefetches that of a later one. */
static inline pc_state *state_of(const batch *from, char *at, size_t size, size_t k)
{
    /* Not as a pointer: behind the last element there may be any index. */
    const uintptr_t later = (uintptr_t)at + from->state[(k + STATES_AHEAD) % BATCH] * size;
    prefetch(later, 0);
    prefetch(later, size - 1);
    return (pc_state *)(void *)(at + from->state[k] * size);
}

/* Add a batch, up to the first element for which there is no room, or whose state has 2^64 - 1
 * numbers; returns how many. Inlined with constant `size` and `sums`. */
static inline size_t add_doubles(pc_states *states, const batch *from, size_t size, uint32_t sums)
{
    char *const at = states->at;
    const size_t count = from->count;
    for (size_t k = 0; k < count; k++) {
        pc_state *state = state_of(from, at, size, k);
        if (!++state->count || (!state_add_double(state, state->numbers, from->x[k], sums) &&
                                state_add_any_double(states, state, from->x[k], 0) != PC_OK)) {
            state->count--;
            return k;
        }
    }
    return count;
}

static size_t add_complexes(pc_states *states, const batch *from, uint32_t sums)
{
    for (size_t k = 0; k < from->count; k++) {
        pc_state *state = state_at(states, from->state[k]);
        if (!++state->count || (!state->pool && states->pool_used == states->pool_size)) {
            state->count--;
            return k; /* both components or none */
        }
        for (int p = 0; p < 2; p++) {
            const uint64_t bits = from->x[2 * k + (size_t)p];
            if (!state_add_double(state, p ? state->imaginary : state->numbers, bits, sums))
                state_add_any_double(states, state, bits, p);
        }
    }
    return from->count;
}

static inline size_t add_integers(pc_states *states, const batch *from, size_t size, uint32_t sums,
                                  uint64_t sign_bit)
{
    char *const at = states->at;
    const size_t count = from->count;
    for (size_t k = 0; k < count; k++) {
        pc_state *state = state_of(from, at, size, k);
        const uint64_t x = from->x[k], sign = 0 - (x >> 63 & sign_bit);
        if (!++state->count || (!state_add_integer(state, x, sign, sums) &&
                                state_add_any_integer(states, state, x, sign) != PC_OK)) {
            state->count--;
            return k;
        }
    }
    return count;
}

static size_t add_batch(pc_states *states, const pc_labelled *a, const batch *from)
{
    const uint32_t both = PC_WITH_NUMBERS | PC_WITH_SQUARES;
    const uint64_t sign_bit = !is_unsigned(a->type);
    if (a->components == 2)
        return add_complexes(states, from, both);
    switch (states->size) { /* as a constant */
    case PC_STATE_NUMBERS:
        return is_float(a->type)
                   ? add_doubles(states, from, PC_STATE_NUMBERS, PC_WITH_NUMBERS)
                   : add_integers(states, from, PC_STATE_NUMBERS, PC_WITH_NUMBERS, sign_bit);
    case PC_STATE_BOTH:
        return is_float(a->type) ? add_doubles(states, from, PC_STATE_BOTH, both)
                                 : add_integers(states, from, PC_STATE_BOTH, both, sign_bit);
    default:
        return is_float(a->type) ? add_doubles(states, from, states->size, both)
                                 : add_integers(states, from, states->size, both, sign_bit);
    }
}

/* The shortest run of equal labels for which the block kernels pay. */
enum { LONG_RUN = 64 };

/* How many of the next elements, contiguous and all included, have the same label; 0 if that is
 * less than LONG_RUN. */
static size_t equal_labels(const pc_labelled *a, const cursor *at, size_t max)
{
    const size_t size = size_of_type[a->label_type];
    if (!a->axes || a->mask || a->swapped || (a->skip_nan && is_float(a->type)))
        return 0;
    const pc_axis *axis = &a->axis[a->axes - 1];
    const size_t left = axis->length - at->index[a->axes - 1];
    const char *label = a->labels + at->offset.other;
    max = left < max ? left : max;
    if (max < LONG_RUN || axis->other_stride != (ptrdiff_t)size || axis->out_stride ||
        axis->stride != (ptrdiff_t)size_of_type[a->type] * a->components ||
        memcmp(label, label + (LONG_RUN - 1) * size, size) != 0)
        return 0;
    size_t run = 1; /* each label is compared with the one before it */
    while (run + LONG_RUN <= max &&
           memcmp(label + (run - 1) * size, label + run * size, LONG_RUN * size) == 0)
        run += LONG_RUN;
    while (run < max && memcmp(label, label + run * size, size) == 0)
        run++;
    return run < LONG_RUN ? 0 : run;
}

/* Add `run` elements with the same label. */
static pc_status add_run(pc_states *states, const pc_labelled *a, const cursor *at, size_t run)
{
    const char *from = a->labels + at->offset.other;
    char scratch[sizeof(uint64_t)];
    int64_t label;
    pc_accumulator acc;
    widen_labels(&label, a->label_type,
                 contiguous(scratch, from, size_of_type[a->label_type], 0, 1, 1, a->labels_swapped),
                 1);
    if (label < 0)
        return PC_OK;
    if ((uint64_t)label >= a->label_count)
        return PC_NO_LABEL;
    pc_accumulator_clear(&acc, states->size >= PC_STATE_BOTH ? PC_VAR : PC_SUM);
    acc.count = run;
    add_reals(&acc, a->type, a->components, a->data + at->offset.data, run * (size_t)a->components);
    return pc_states_add(states, (size_t)label * a->label_step + (size_t)at->offset.out, &acc);
}

static pc_status add_elements(pc_states *states, const pc_labelled *a, size_t *done, size_t stop)
{
    const size_t max = BATCH / (size_t)a->components;
    cursor at;
    batch some;
    if (*done == stop) /* perhaps of no element at all, where a cursor is nowhere */
        return PC_OK;
    cursor_move(&at, a->axis, a->axes, *done);
    memset(some.state, 0, sizeof some.state); /* state_of prefetches some that are not set */
    for (size_t n; *done < stop; *done += n) {
        n = equal_labels(a, &at, stop - *done);
        if (n) {
            const pc_status status = add_run(states, a, &at, n);
            if (status != PC_OK)
                return status;
            cursor_advance(&at, a->axis, a->axes, n);
            continue;
        }
        some.count = 0;
        for (size_t run; n < max && *done + n < stop; n += run) {
            run = a->axes ? a->axis[a->axes - 1].length - at.index[a->axes - 1] : 1;
            run = run < max - n ? run : max - n;
            run = run < stop - *done - n ? run : stop - *done - n;
            if (!fill(&some, a, &at, run, n))
                return PC_NO_LABEL;
            cursor_advance(&at, a->axis, a->axes, run);
        }
        const size_t added = add_batch(states, a, &some);
        if (added < some.count) {
            *done += some.element[added];
            return state_at(states, some.state[added])->count == UINT64_MAX ? PC_TOO_LARGE
                                                                            : PC_NO_ROOM;
        }
    }
    return PC_OK;
}

pc_status pc_states_add_labelled(pc_states *states, const pc_labelled *array, size_t *done,
                                 size_t stop)
{
    fpenv callers = fpenv_enter();
    const pc_status status = add_elements(states, array, done, stop);
    fpenv_leave(callers);
    return status;
}
