/* The layout of an array: axes, strides, outputs, tiles. */
#ifndef PYCRUST_LAYOUT_H
#define PYCRUST_LAYOUT_H

#include "../kernels/kernels.h"

static inline size_t stride_size(ptrdiff_t stride)
{
    return stride < 0 ? 0 - (size_t)stride : (size_t)stride;
}

static inline int skips_nan(const pc_array *a)
{
    return a->skip_nan && is_float(a->type);
}

/* Whether elements may be left out, by a mask or as NaN. */
static inline int is_partial(const pc_array *a)
{
    return a->mask || skips_nan(a);
}

/* The components of a complex array as real numbers, along one more kept axis, the last one: the
 * results of both are `out_stride` bytes apart. 0 if there are too many axes. */
int split_components(pc_array *reals, const pc_array *a, ptrdiff_t out_stride);

/* Make *a an array of one axis, to be reduced. (To initialize all of a pc_array takes long.) */
static inline void set_run(pc_array *a, pc_type type, int components, const char *data,
                           size_t length, ptrdiff_t stride)
{
    a->type = type;
    a->components = components;
    a->swapped = a->skip_nan = a->kept_axes = 0;
    a->data = data;
    a->mask = NULL;
    a->other.data = NULL;
    a->reduced_axes = 1;
    a->repeat = 1;
    a->axis[0] = (pc_axis){length, stride, 0, 0, 0};
}

/* In the place of an axis that is not there: it has one element. */
extern const pc_axis no_axis;

/* The offsets of an element, of its mask, of its result and of the element of a second array. */
typedef struct {
    ptrdiff_t data, mask, out, other;
} offsets;

/* Those of element `index` along `count` axes, the last of which varies fastest. */
offsets offsets_of(const pc_axis *axis, int count, size_t index);

/* An element, or an output, that is one of a sequence: its index along each axis, and its offsets.
 */
typedef struct {
    size_t index[PC_MAX_AXES];
    offsets offset;
} cursor;

/* Move it to element `index` along `count` axes. */
void cursor_move(cursor *c, const pc_axis *axis, int count, size_t index);

/* Advance it by n elements, at most to the end of the last axis. */
void cursor_advance(cursor *c, const pc_axis *axis, int count, size_t n);

#endif
