/* Results of groups whose numbers lie side by side, since their labels are sorted: many at once,
 * without states, through the kernels of kernels/groups.h and of lanes. */
#include "gather.h"
#include "lanes.h"
#include "widen.h"
#include "../base/fpenv.h"

#include <string.h>

/* Working memory, too large for the stack. */
typedef struct {
    lane_sums sums, one;
    double value[LANE_COLUMNS], residual[LANE_COLUMNS];
} workspace;

typedef char workspace_fits[PC_MIN_SUMS * sizeof(pc_tile_sum) >= sizeof(workspace) ? 1 : -1];

int pc_sorted_suited(pc_type type, const pc_output_spec *spec)
{
    return spec->components == 1 && fits_lanes(spec) &&
           pc_kernels_in_use()->group_sums[type][SUM_BOTH] != NULL;
}

/* The job, and how far it is: the labels first to last - 1 are next, and label first + k has the
 * elements at[k] to at[k + 1] - 1, where zeros are not yet known. */
typedef struct {
    const pc_sorted *array;
    const pc_output_spec *spec;
    const pc_kernels *kernels;
    lane_spec lanes;
    char *out;
    pc_tile_sum *sums;
    pc_status status;
    size_t first, last, at[LANE_COLUMNS + 1];
} group_job;

/* Write the results of `count` groups, from label job->first on: those of the kernels if they are
 * certain, else exact ones. */
static void reduce_some(group_job *job, size_t count)
{
    const pc_sorted *a = job->array;
    const summands what = summands_of(job->spec);
    const size_t size = size_of_type[a->type], made = size_of_type[job->spec->type], *at = job->at;
    const int floats = is_float(a->type);
    uint64_t certain[LANE_COLUMNS];
    char *out = job->out + job->first * made;
    workspace *in = (workspace *)job->sums;
    const lane_groups groups = {a->data, at, count, a->count};
    job->kernels->group_sums[a->type][what == SUM_NUMBERS ? what : SUM_BOTH](&groups, &in->sums);
    for (size_t c = 0; floats && c < count; c++) {
        const size_t n = at[c + 1] - at[c];
        if (n > MAX_SHORT_GROUP && n <= MAX_MATRIX_LENGTH)
            sum_row_alone(job->kernels, a->type, what, 0, a->data + at[c] * size, n, &in->one,
                          &in->sums, c);
    }
    const int all = job->kernels->lane_results(&job->lanes, &in->sums, whole_steps(count),
                                               in->value, in->residual, certain);
    write_lane_results(job->spec->type, in->value, in->residual, count, out, (ptrdiff_t)made);
    for (size_t c = 0; !all && c < count && job->status != PC_TOO_LARGE; c++) {
        if (certain[c])
            continue;
        const pc_status one =
            pc_reduce_contiguous(a->type, 1, a->data + at[c] * size, at[c + 1] - at[c], a->skip_nan,
                                 job->spec, job->sums, out + c * made);
        job->status = one == PC_OK ? job->status : one;
    }
}

/* Write the results of the next labels, which end before element `stop`, and go on. */
static void reduce_next(group_job *job, size_t stop)
{
    const size_t left = job->last - job->first, count = left < LANE_COLUMNS ? left : LANE_COLUMNS;
    size_t *at = job->at;
    for (size_t k = 0; k < count; k++) /* a label without elements ends where it begins */
        at[k + 1] = at[k + 1] > at[k] ? at[k + 1] : at[k];
    reduce_some(job, count);
    job->first += count;
    memset(at, 0, sizeof job->at);
    at[0] = stop;
}

/* How many labels are compared at once, and how many bytes ahead they are prefetched. */
enum { LABELS_AT_ONCE = BUFFER, LABELS_AHEAD = 8192 };

/* Copy n labels as int64 to label + 1, and repeat the last one up to a multiple of LABELS_STEP. */
static void copy_labels(int64_t *label, const pc_sorted *a, size_t start, size_t n)
{
    const size_t size = size_of_type[a->label_type];
    const char *labels = a->labels + start * size;
    char scratch[LABELS_AT_ONCE * sizeof(int64_t)];
    if (a->labels_swapped) {
        memcpy(scratch, labels, n * size);
        swap_bytes(scratch, size, n);
        labels = scratch;
    }
    widen_labels(label + 1, a->label_type, labels, n);
    for (size_t k = n; k % LABELS_STEP; k++)
        label[k + 1] = label[n];
}

/* Copy LABELS_STEP labels of int32 or int64, by their size: widen_labels would take longer. */
static void copy_step(int64_t *label, const char *from, size_t size)
{
    if (size == sizeof *label)
        memcpy(label, from, LABELS_STEP * sizeof *label);
    for (size_t k = 0; k < LABELS_STEP && size == sizeof(int32_t); k++) {
        int32_t narrow;
        memcpy(&narrow, from + k * sizeof narrow, sizeof narrow);
        label[k] = narrow;
    }
}

/* Find where labels end among the n elements from `start` on, and write the results of complete
 * ones; label[0] is that of the element before them. Returns 0 if a label is below the one before,
 * or not below job->last. Another thread may have changed labels since they were compared: any are
 * safe. */
static int find_ends(group_job *job, const int64_t *label, size_t start, size_t n)
{
    const size_t first = job->first;
    size_t *at = job->at;
    if (label[n] < label[0] || (size_t)label[n] >= job->last)
        return 0;
    if (n == LABELS_STEP && (size_t)label[n] - first < LANE_COLUMNS) { /* so are the others */
        for (size_t k = 0; k <= LABELS_STEP; k++)
            at[((size_t)label[k] - first) % LANE_COLUMNS + 1] = start + k;
        return 1;
    }
    for (size_t k = 0; k <= n; k++) {
        if ((k && label[k] < label[k - 1]) || (size_t)label[k] >= job->last)
            return 0;
        while ((size_t)label[k] - job->first >= LANE_COLUMNS)
            reduce_next(job, start + k - 1);
        at[(size_t)label[k] - job->first + 1] = start + k;
    }
    return 1;
}

/* All elements. Returns 0 if a label is below the one before, or not below job->last. */
static int reduce_all(group_job *job, size_t start, size_t stop)
{
    const pc_sorted *a = job->array;
    const int in_place =
        (a->label_type == PC_INT32 || a->label_type == PC_INT64) && !a->labels_swapped;
    const size_t size = size_of_type[a->label_type];
    int64_t label[1 + LABELS_AT_ONCE], last = (int64_t)job->first; /* that of the element before */
    for (size_t n, from = start; from < stop && job->status != PC_TOO_LARGE; from += n) {
        uint64_t changes = 0;
        const char *labels = (const char *)(label + 1);
        n = stop - from < LABELS_AT_ONCE ? stop - from : LABELS_AT_ONCE;
        const int copied = !in_place || from == start || n < LABELS_AT_ONCE;
        if (copied) {
            label[0] = last;
            copy_labels(label, a, from, n);
        } else {
            labels = a->labels + from * size;
            for (size_t k = 0; k < LABELS_AT_ONCE * size; k += 64)
                prefetch(labels + k, LABELS_AHEAD);
        }
        if (!job->kernels->compare_labels[copied || size == sizeof *label](labels, n, &changes))
            return 0;
        for (size_t step = 0; changes; step += LABELS_STEP, changes >>= 1) {
            const size_t some = n - step < LABELS_STEP ? n - step : LABELS_STEP;
            if (!(changes & 1))
                continue;
            if (!copied) {
                label[0] = last;
                copy_step(label + 1, labels + step * size, size);
            }
            if (!find_ends(job, copied ? label + step : label, from + step, some))
                return 0;
            last = (copied ? label + step : label)[some];
        }
    }
    while (job->first < job->last && job->status != PC_TOO_LARGE) {
        if ((size_t)last - job->first < LANE_COLUMNS)
            job->at[(size_t)last - job->first + 1] = stop;
        reduce_next(job, stop);
    }
    return 1;
}

pc_status pc_reduce_sorted(const pc_sorted *array, size_t start, size_t stop, size_t first,
                           size_t last, const pc_output_spec *spec, char *out, pc_tile_sum *sums)
{
    group_job job = {.array = array,
                     .spec = spec,
                     .kernels = pc_kernels_in_use(),
                     .lanes = lane_spec_of(spec, 0, 1),
                     .out = out,
                     .sums = sums,
                     .status = PC_OK,
                     .first = first,
                     .last = last,
                     .at = {start}};
    if (!job.kernels->group_sums[array->type][SUM_BOTH])
        return PC_UNSUITED; /* another thread has just switched to a level without it */
    fpenv callers = fpenv_enter();
    const int sorted = reduce_all(&job, start, stop);
    fpenv_leave(callers);
    return sorted ? job.status : PC_UNSUITED;
}
