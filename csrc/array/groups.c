/* Results of groups, many at once through lanes: of states; and, without states, through the
 * kernels of kernels/groups.h, of groups whose numbers lie side by side, since their labels never
 * fall. */
#include "gather.h"
#include "labels.h"
#include "lanes.h"
#include "../base/fpenv.h"
#include "../sums/bounded.h"
#include "../sums/states.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* ---- of states --------------------------------------------------------------------- */

/* Where the exponents of both doubles of an estimate are normal. */
enum { ESTIMATE_MAX = 800 };

/* At [c] an integer in two's complement times 2^exponent as high + low, up to [2]; NaN if that is
 * out of range. Returns the exponent of its lowest set bit, or INT_MAX. */
static int estimate_words(double sum[3][LANE_COLUMNS], size_t c, const uint64_t *words,
                          size_t count, int exponent)
{
    enum { BELOW = 2 };
    uint64_t w[BELOW + 4] = {0};
    size_t top = BELOW + count - 1, low = BELOW;
    memcpy(w + BELOW, words, count * sizeof *w);
    const int negative = w[top] >> 63 != 0;
    if (negative)
        negate_words(w + BELOW, count);
    while (top > BELOW && !w[top])
        top--;
    sum[0][c] = sum[1][c] = sum[2][c] = 0.0;
    if (!w[top])
        return INT_MAX;
    while (!w[low])
        low++;
    const unsigned up = leading_zeros(w[top]);
    const uint64_t high = w[top] << up | w[top - 1] >> 1 >> (63 - up),
                   next = w[top - 1] << up | w[top - 2] >> 1 >> (63 - up);
    const int lowest = exponent + 64 * (int)(low - BELOW) + trailing_zeros(w[low]),
              last = exponent + 64 * (int)(top - BELOW) - (int)up - 42; /* of 53 + 53 bits */
    if (last < -ESTIMATE_MAX || last > ESTIMATE_MAX) {
        sum[0][c] = NAN;
        return lowest;
    }
    const double unit = power(last), sign = negative ? -unit : unit;
    sum[0][c] = (double)(high >> 11) * 0x1p53 * sign;
    sum[1][c] = (double)((high & 0x7ff) << 42 | next >> 22) * sign;
    sum[2][c] = lowest < last ? unit : 0.0;
    return lowest;
}

/* The sums of a state at [c]; NaN if it does not have all of them, or if integers are wanted that
 * they are not. Of both sums a grid, too, of which, or of whose square, they are multiples. */
static void estimate_state(lane_sums *sums, size_t c, const pc_state *state, summands what,
                           int integers)
{
    int squares = INT_MAX, numbers = INT_MAX;
    if (state->flags || state->pool || state->count > MAX_LANE_COUNT) {
        sums->number[0][c] = sums->square[0][c] = NAN;
        return;
    }
    if (what != SUM_NUMBERS)
        squares = estimate_words(sums->square, c, state->squares, 4, 2 * state->exponent);
    if (what != SUM_SQUARES)
        numbers = estimate_words(sums->number, c, state->numbers, 3, state->exponent);
    if (integers && (squares < 0 || numbers < 0))
        sums->number[0][c] = sums->square[0][c] = NAN;
    const int grid = squares >> 1 < numbers ? squares >> 1 : numbers;
    sums->grid[c] = grid < -ESTIMATE_MAX ? 0.0 : power(grid < ESTIMATE_MAX ? grid : 0);
    sums->common_magnitude[c] =
        state->count == 1 ? fabs(sums->number[0][c] + sums->number[1][c]) : NAN;
    sums->count[c] = (double)state->count;
}

/* The results that are certain of the states first to first + count - 1. */
static void round_in_lanes(const pc_kernels *kernels, const pc_states *states, size_t first,
                           size_t count, const pc_output_spec *spec, char *out,
                           uint64_t certain[LANE_COLUMNS])
{
    const lane_spec lanes = lane_spec_of(spec, 0, 1);
    const summands what = summands_of(spec);
    double value[LANE_COLUMNS], residual[LANE_COLUMNS];
    lane_sums sums;
    memset(&sums, 0, sizeof sums);
    for (size_t c = 0; c < count; c++)
        estimate_state(&sums, c, state_at(states, first + c), what, lanes.integer);
    kernels->lane_results(&lanes, &sums, whole_steps(count), value, residual, certain);
    write_lane_results(spec->type, value, residual, count, out,
                       (ptrdiff_t)size_of_type[spec->type]);
}

static pc_status round_states(const pc_states *states, size_t first, size_t last,
                              const pc_output_spec *spec, char *out, size_t *done)
{
    const size_t size = size_of_type[spec->type] * (size_t)spec->components;
    const pc_kernels *kernels = pc_kernels_in_use();
    const int in_lanes = states->size != PC_STATE_COMPLEX && spec->components == 1 &&
                         fits_lanes(spec) && kernels->lane_results;
    pc_accumulator acc;
    pc_status status = PC_OK;
    for (*done = first; *done < last;) {
        const size_t left = last - *done, count = left < LANE_COLUMNS ? left : LANE_COLUMNS;
        uint64_t certain[LANE_COLUMNS] = {0};
        if (in_lanes)
            round_in_lanes(kernels, states, *done, count, spec, out, certain);
        for (size_t c = 0; c < count; c++, ++*done, out += size) {
            if (certain[c])
                continue;
            pc_states_get(states, *done, &acc);
            const pc_status one = pc_accumulator_round(&acc, spec, out);
            if (one == PC_TOO_LARGE)
                return one;
            status = one == PC_OK ? status : one;
        }
    }
    return status;
}

pc_status pc_states_round(const pc_states *states, size_t first, size_t last,
                          const pc_output_spec *spec, char *out, size_t *done)
{
    fpenv callers = fpenv_enter();
    const pc_status status = round_states(states, first, last, spec, out, done);
    fpenv_leave(callers);
    return status;
}

/* ---- side by side ------------------------------------------------------------------ */

/* In the working memory: too large for the stack. */
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

/* The work, and where it stands: the labels first to last - 1 are next, and at[k] to at[k + 1] - 1
 * the elements of label first + k; zeros are not yet known. */
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

/* The results of `count` groups, from that of label job->first on: the kernels' where these are
 * certain. */
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

/* The results of the labels that are next, up to element `stop`; then the ones after these. */
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

/* How many labels are looked at together, and how far ahead they are fetched. */
enum { LABELS_AT_ONCE = BUFFER, LABELS_AHEAD = 8192 };

/* n labels as int64 to label[1] and after; then the last again, to a multiple of LABELS_STEP. */
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

/* LABELS_STEP labels of int32 or int64, as their size says: widen_labels would take longer. */
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

/* Find where the labels of n elements end, from `start` on, and reduce; label[0] is that of the
 * element before them, which may end there. Returns 0 if a label falls, or is not below `last`.
 * Another thread may have changed some since they were compared: any of them are safe. */
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

/* All elements. Returns 0 if a label falls, or is not below `last`. */
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
        return PC_NO_LABEL; /* another thread has just switched to a level without it */
    fpenv callers = fpenv_enter();
    const int sorted = reduce_all(&job, start, stop);
    fpenv_leave(callers);
    return sorted ? job.status : PC_NO_LABEL;
}
