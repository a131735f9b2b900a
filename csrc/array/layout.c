/* The layout of an array: axes merged and sorted for speed, the outputs cut into tiles. */
#include "layout.h"

#include <string.h>

const pc_axis no_axis = {1, 0, 0, 0, 0};

static size_t product(const pc_axis *axis, int count)
{
    size_t total = 1;
    for (int k = 0; k < count; k++)
        total *= axis[k].length;
    return total;
}

size_t pc_array_outputs(const pc_array *array)
{
    return product(array->axis, array->kept_axes);
}

size_t pc_array_reduction_length(const pc_array *array)
{
    return product(array->axis + array->kept_axes, array->reduced_axes);
}

/* The longest stride first; among equals the order stays. */
static void sort_axes(pc_axis *axis, int count)
{
    for (int k = 1; k < count; k++)
        for (int j = k; j > 0 && stride_size(axis[j].stride) > stride_size(axis[j - 1].stride);
             j--) {
            pc_axis moved = axis[j];
            axis[j] = axis[j - 1];
            axis[j - 1] = moved;
        }
}

int pc_merge_axes(pc_axis *axis, int count)
{
    int left = 0;
    for (int k = 0; k < count; k++) {
        pc_axis *outer = left ? &axis[left - 1] : NULL;
        ptrdiff_t n = (ptrdiff_t)axis[k].length;
        if (n == 1)
            continue;
        if (outer && outer->stride == axis[k].stride * n &&
            outer->mask_stride == axis[k].mask_stride * n &&
            outer->out_stride == axis[k].out_stride * n &&
            outer->other_stride == axis[k].other_stride * n) {
            axis[k].length *= outer->length;
            *outer = axis[k];
        } else {
            axis[left++] = axis[k];
        }
    }
    return left;
}

void pc_array_arrange(pc_array *a)
{
    pc_axis *reduced = a->axis + a->kept_axes;
    int count = 0;
    if (pc_array_outputs(a) == 0 || pc_array_reduction_length(a) == 0) {
        for (int k = 0; k < a->kept_axes + a->reduced_axes;
             k++) /* the strides of an empty array may be anything */
            a->axis[k].stride = a->axis[k].mask_stride = a->axis[k].other_stride = 0;
        return;
    }
    for (int k = 0; k < a->reduced_axes; k++) {
        pc_axis axis = reduced[k];
        ptrdiff_t last = (ptrdiff_t)axis.length - 1;
        if (axis.stride < 0) { /* negative stride: start from the other end */
            a->data += last * axis.stride;
            axis.stride = -axis.stride;
            if (a->mask)
                a->mask += last * axis.mask_stride;
            axis.mask_stride = -axis.mask_stride;
            if (a->other.data)
                a->other.data += last * axis.other_stride;
            axis.other_stride = -axis.other_stride;
        }
        if (axis.stride == 0 && axis.other_stride == 0 && (!a->mask || axis.mask_stride == 0))
            a->repeat *= axis.length; /* broadcast: the same elements again */
        else
            reduced[count++] = axis;
    }
    sort_axes(reduced, count);
    count = pc_merge_axes(reduced, count);
    sort_axes(a->axis, a->kept_axes);
    int kept = pc_merge_axes(a->axis, a->kept_axes);
    memmove(a->axis + kept, reduced, (size_t)count * sizeof *reduced);
    a->kept_axes = kept;
    a->reduced_axes = count;
}

int split_components(pc_array *reals, const pc_array *a, ptrdiff_t out_stride)
{
    if (a->kept_axes + a->reduced_axes >= PC_MAX_AXES)
        return 0;
    *reals = *a;
    reals->components = 1;
    reals->axis[a->kept_axes] = (pc_axis){2, (ptrdiff_t)size_of_type[a->type], 0, out_stride, 0};
    reals->kept_axes = pc_merge_axes(reals->axis, a->kept_axes + 1);
    memcpy(reals->axis + reals->kept_axes, a->axis + a->kept_axes,
           (size_t)a->reduced_axes * sizeof *a->axis);
    return 1;
}

size_t pc_array_tile(const pc_array *a, size_t first, size_t last)
{
    size_t count = last - first < PC_TILE ? last - first : PC_TILE;
    if (a->kept_axes) {
        size_t length = a->axis[a->kept_axes - 1].length, left = length - first % length;
        if (left < count)
            count = left;
    }
    return count;
}

/* n elements on, or back, along an axis. */
static inline void add_steps(offsets *at, const pc_axis *axis, ptrdiff_t n)
{
    at->data += n * axis->stride;
    at->mask += n * axis->mask_stride;
    at->out += n * axis->out_stride;
    at->other += n * axis->other_stride;
}

offsets offsets_of(const pc_axis *axis, int count, size_t index)
{
    offsets at = {0, 0, 0, 0};
    for (int k = count - 1; k >= 0; k--) {
        add_steps(&at, &axis[k], (ptrdiff_t)(index % axis[k].length));
        index /= axis[k].length;
    }
    return at;
}

void cursor_move(cursor *c, const pc_axis *axis, int count, size_t index)
{
    c->offset = offsets_of(axis, count, index);
    for (int k = count - 1; k >= 0; k--) {
        c->index[k] = index % axis[k].length;
        index /= axis[k].length;
    }
}

void cursor_advance(cursor *c, const pc_axis *axis, int count, size_t n)
{
    for (int k = count - 1; k >= 0; k--, n = 1) {
        add_steps(&c->offset, &axis[k], (ptrdiff_t)n);
        c->index[k] += n;
        if (c->index[k] < axis[k].length)
            return;
        add_steps(&c->offset, &axis[k], -(ptrdiff_t)axis[k].length);
        c->index[k] = 0;
    }
}
