/* Moving windows: block by block, the kernels of kernels/moving.h sum what enters less what leaves,
 * in pieces that add up exactly, and lane_results rounds. Windows that fail the rounding test are
 * summed exactly. Bounds: docs/design/moving.md. */
#include "contiguous.h"
#include "gather.h"
#include "lanes.h"
#include "widen.h"
#include "../sums/bounded.h"

#include <math.h>

enum { BLOCK = LANE_COLUMNS };

/* The exact sum is moved on, or computed anew, whichever is faster: while one number enters and one
 * leaves, STEP_COST numbers could be summed anew. */
enum { STEP_COST = 64 };

/* New units are chosen if MANY_UNCERTAIN results of a block are not certain, but only window /
 * RESTARTS_PER_WINDOW results after the last time, so that the time stays linear. */
enum { RESTARTS_PER_WINDOW = 64, MANY_UNCERTAIN = 16 };

/* New units are also chosen if so many blocks took the slower way since the last time, which must
 * be `window` results ago. */
enum { MAX_FAILED = 8 };

/* The most blocks in one call of a slide_kernel. */
enum { MAX_BLOCKS = 16 };

/* Three pieces are used for windows of LONG_WINDOW numbers or more, and where two pieces cost more:
 * an uncertain result takes the time of UNCERTAIN_COST + window others, the third piece half that
 * of one. */
enum { LONG_WINDOW = 16384, UNCERTAIN_COST = 1024 };

/* Working memory: here rather than on the stack, which may be small. */
typedef struct {
    lane_sums sums;
    double in[BLOCK], out[BLOCK], value[BLOCK], residual[BLOCK];
    uint64_t certain[BLOCK];
} move_scratch;

/* In windows with bounds: those of a window, and the number of the next result. */
typedef struct {
    size_t start, end, result;
} window_position;

/* A window is summed anew in two passes, of which a call may do a part: the first finds how large
 * its numbers are. */
enum { NOT_STARTED, RANGE_PASS, SUMS_PASS, STARTED };

struct pc_move_state {
    size_t row;         /* 1 + its index; 0 at first */
    size_t next;        /* the next result; of windows with bounds, the next step */
    window_position at; /* of windows with bounds: the window before that step */
    /* Of the window before it: how many numbers that are not NaN, infinities among them. */
    size_t present, plus, minus, nan; /* nan: where none is left out */

    moving_sums sums;
    int pieces;
    int usable;         /* whether the sums are those of the window */
    int restart_wanted; /* with other units; 3: with 3 pieces, too */
    int stage;
    ptrdiff_t reached;     /* by the pass */
    double min, max;       /* of what it has seen, */
    int same;              /* of which all are the same as doubles */
    size_t restarted;      /* at which result */
    uint64_t cost;         /* of uncertain results since */
    size_t failed;         /* blocks since that were not for the kernels that give results */
    double limit;          /* on |x - pivot| */
    double error_bound[2]; /* of a number, and of a square, whose pieces do not add up */
    size_t inexact[2];     /* behind the last such; 0: none */
    size_t exact_start, exact_end; /* `exact` is of that window; both 0: of none */
    size_t exact_to;               /* how far it is to go, if that is further */
    int exact_skip_nan;            /* whether there may be NaN until then */
    pc_tile_sum exact;

    move_scratch scratch; /* of the first of some rows, for all of them */
};

size_t pc_move_state_size(void)
{
    return sizeof(pc_move_state);
}

/* One row of a job: where it is, and what comes out. */
typedef struct {
    const pc_moving *m;
    size_t index;
    const char *data, *mask;
    char *out;
    ptrdiff_t stride, mask_stride, out_stride;
    size_t window;     /* the length of a cumulative sum; of windows with bounds, of the longest */
    size_t carried;    /* of m->carried, in front of the elements */
    ptrdiff_t offset;  /* of elements: number k is element k + offset */
    int in_place;      /* whether adjacent elements are doubles as the kernels take them */
    int squares, full; /* full: results of full windows alone */
    const pc_kernels *kernels;
    move_scratch *scratch;
    size_t *budget; /* blocks that this call may still look at */
} row;

/* Take one from the budget; whether there was one left. */
static int take_block(const row *r)
{
    return *r->budget > 0 && (*r->budget)--;
}

/* ---- numbers --------------------------------------------------------------------- */

/* n numbers as doubles; returns whether those are the same, as integers from 2^53 on may not be. */
static int convert(pc_type type, const char *raw, double *to, size_t n)
{
    const uint64_t offset = type == PC_INT64 ? UINT64_C(1) << 53 : 0;
    uint64_t all = 0;
    for (size_t k = 0; k < n && (type == PC_INT64 || type == PC_UINT64); k++) {
        uint64_t v;
        memcpy(&v, raw + k * sizeof v, sizeof v);
        all |= v + offset;
    }
    widen_to_doubles(to, type, raw, n);
    return all >> (type == PC_INT64 ? 54 : 53) == 0;
}

/* The address of number `first`. Sets *n to how many of the *n numbers from there on lie along the
 * last axis; if they are one or more whole lines along it, *n is the length of a line, and *lines
 * how many there are. */
static const char *line_at(const row *r, size_t first, size_t *n, size_t *lines)
{
    const pc_array *a = &r->m->array;
    const pc_axis *along = &a->axis[a->kept_axes + a->reduced_axes - 1];
    const size_t at = (size_t)((ptrdiff_t)first + r->offset);
    *lines = 1;
    if (a->reduced_axes == 1)
        return r->data + (ptrdiff_t)at * r->stride;
    const size_t line = at / along->length, behind = at % along->length;
    if (behind == 0 && *n >= along->length) {
        const size_t whole = *n / along->length, left = along[-1].length - line % along[-1].length;
        *lines = whole < left ? whole : left;
    }
    if (*n > along->length - behind)
        *n = along->length - behind;
    return r->data + offsets_of(a->axis + a->kept_axes, a->reduced_axes - 1, line).data +
           (ptrdiff_t)behind * r->stride;
}

/* Copy n elements, without a gap, in the byte order of the machine. */
static void gather_numbers(const row *r, size_t first, size_t n, char *to)
{
    const pc_array *a = &r->m->array;
    const ptrdiff_t across =
        a->reduced_axes > 1 ? a->axis[a->kept_axes + a->reduced_axes - 2].stride : 0;
    const size_t size = size_of_type[a->type];
    char *raw = to;
    for (size_t left = n, length, lines; left; left -= length * lines) {
        length = left;
        const char *from = line_at(r, first, &length, &lines);
        gather_columns(raw, length * size, from, size, length, r->stride, lines, across);
        first += length * lines;
        raw += length * lines * size;
    }
    if (a->swapped)
        swap_bytes(to, size, n);
}

/* n elements as contiguous native ones: in place, or copied to `to`. */
static const char *contiguous_numbers(const row *r, size_t first, size_t n, char *to)
{
    const pc_array *a = &r->m->array;
    size_t length = n, lines;
    const char *from = line_at(r, first, &length, &lines);
    if (length == n && !a->swapped && r->stride == (ptrdiff_t)size_of_type[a->type])
        return from;
    gather_numbers(r, first, n, to);
    return to;
}

static const double *load(const row *r, ptrdiff_t first, size_t n, double *to, int *same);

static double first_number(const row *r)
{
    double x[BLOCK];
    int same = 1;
    return *load(r, 0, 1, x, &same);
}

/* n numbers from `first` on, which may be negative: before the first there are NaN, or, where only
 * results of full windows are asked for, which it does not change, others like the first. They may
 * be in `to`; *same &= convert. */
static const double *load(const row *r, ptrdiff_t first, size_t n, double *to, int *same)
{
    const pc_array *a = &r->m->array;
    char raw[BLOCK * sizeof(double)];
    size_t before = 0, length = n, lines;
    if (n == BLOCK && first >= (ptrdiff_t)r->carried && r->in_place) {
        const char *from = line_at(r, (size_t)first, &length, &lines);
        if (length == n)
            return (const double *)(const void *)from;
    }
    const double edge = first < 0 && r->full ? first_number(r) : (double)NAN;
    for (; before < n && first < 0; before++, first++)
        to[before] = edge;
    for (; before < n && first < (ptrdiff_t)r->carried; before++, first++)
        to[before] = r->m->carried[first];
    if (before < n) {
        char *made = a->type == PC_FLOAT64 ? (char *)(to + before) : raw;
        const char *from = contiguous_numbers(r, (size_t)first, n - before, made);
        if (from != (char *)(to + before))
            *same &= convert(a->type, from, to + before, n - before);
        for (size_t k = before; r->mask && k < n; k++, first++)
            if (!r->mask[first * r->mask_stride])
                to[k] = (double)NAN;
    }
    return to;
}

/* ---- the sums in pieces ------------------------------------------------------------- */

static int ceil_log2(size_t n)
{
    int bits = 0;
    while (n > (size_t)1 << bits && bits < 63)
        bits++;
    return bits;
}

/* The longest windows whose means that are ties are known as such. */
enum { MAX_TIES_WINDOW = 256 };

/* Of pieces up to 2^width units, `window` and some more sum up to less than 2^53, and `window` to
 * 2^51; or 2^48, for ties. Those of squares may be larger, by less than a 64th. */
static int piece_width(const row *r)
{
    const size_t window = r->squares ? r->window + r->window / 64 + 1 : r->window;
    const int ties = r->m->spec.statistic == PC_MEAN && r->window <= MAX_TIES_WINDOW,
              width = (ties ? 48 : 51) - ceil_log2(window),
              more = 53 - ceil_log2(window + 2 * BLOCK);
    return width < more ? width : more;
}

/* Units for numbers up to 2^exponent. */
static void set_units(moving_pieces *to, int exponent, int width, int pieces)
{
    int unit = exponent - width;
    for (int k = 0; k < pieces; k++, unit -= width + 1) {
        to->magic[k] = 1.5 * power(unit + 52);
        to->sum[k] = 0.0;
    }
}

static double unit_of(const moving_pieces *of, int piece)
{
    return of->magic[piece] * (0x1p-52 / 1.5);
}

/* Room for numbers up to twice as large as those found. */
enum { HEADROOM_BITS = 1 };

/* The least e for which size < 2^(e - HEADROOM_BITS). */
static int exponent_for(double size)
{
    int exponent;
    frexp(size, &exponent);
    return exponent + HEADROOM_BITS;
}

/* Choose units, and a pivot, for finite numbers from `min` to `max`; whether there are any. */
static int choose_units(const row *r, pc_move_state *s, double min, double max)
{
    const int width = piece_width(r);
    const double half = max / 2 - min / 2, middle = min + half,
                 size = fabs(min) > fabs(max) ? fabs(min) : fabs(max);
    int exponent = exponent_for(min <= max ? size : 0.0);
    s->sums.pivot = 0.0;
    if (r->squares && min <= max && middle != 0.0) {
        /* What is within 2^exponent <= |middle| / 4 of it differs from it by a double. */
        const double tiny = fabs(middle) * 0x1p-40;
        const int nearer = exponent_for(half > tiny ? half * 0.75 : tiny * 0.5) + 1; /* finite */
        if (nearer < exponent_for(fabs(middle)) - HEADROOM_BITS - 2) {
            s->sums.pivot = middle;
            exponent = nearer;
        }
    }
    const int lowest = r->squares ? -480 + 3 * width + 2 : -850;
    exponent = exponent < lowest ? lowest : exponent;
    if (exponent > (r->squares ? 440 : 980) ||
        (s->sums.pivot != 0.0 && power(exponent) > fabs(s->sums.pivot) / 4) ||
        r->window >> (r->squares ? 26 : 40)) /* or units would be beyond the range of doubles */
        return 0;
    s->limit = power(exponent);
    set_units(&s->sums.number, exponent, width, s->pieces);
    set_units(&s->sums.square, 2 * exponent, width, s->pieces);
    s->error_bound[0] = 0.5 * unit_of(&s->sums.number, s->pieces - 1);
    s->error_bound[1] = 0.5625 * unit_of(&s->sums.square, s->pieces - 1);
    return 1;
}

static size_t window_start(const row *r, size_t next)
{
    return next > r->window ? next - r->window : 0;
}

/* Whether a number whose pieces do not add up may be in the window of result `next`, one of the
 * last `max` numbers. Windows with bounds: or has been since units were chosen. */
static int may_be_inexact(const row *r, const pc_move_state *s, int square, size_t max, size_t next)
{
    return s->inexact[square] && (r->m->start || s->inexact[square] + max > next + 1);
}

/* Count and sum the window before the next result anew, in units that suit it and the next `count`
 * numbers `in`. May take several calls: returns whether it is finished. */
static int restart(const row *r, pc_move_state *s, const double *in, size_t count)
{
    const pc_kernels *kernels = r->kernels;
    double buffer[BLOCK];
    const ptrdiff_t next = (ptrdiff_t)(r->m->start ? s->at.end : s->next),
                    start = r->m->start ? (ptrdiff_t)s->at.start
                            : r->full   ? next - (ptrdiff_t)r->window
                                        : (ptrdiff_t)window_start(r, s->next);
    size_t n;
    if (s->stage == NOT_STARTED) {
        s->stage = RANGE_PASS;
        s->reached = start;
        s->min = (double)INFINITY;
        s->max = -s->min;
        s->same = 1;
        s->present = s->plus = s->minus = s->nan = 0;
    }
    for (; s->stage == RANGE_PASS && s->reached < next + (ptrdiff_t)count;
         s->reached += (ptrdiff_t)n) {
        const int inside = s->reached < next;
        n = inside ? (size_t)(next - s->reached) : count;
        n = n < BLOCK ? n : BLOCK;
        if (!take_block(r))
            return 0;
        const double *x = inside ? load(r, s->reached, n, buffer, &s->same) : in;
        const int counted = n == BLOCK && kernels->extend_range;
        if (counted && (kernels->extend_range(x, &s->min, &s->max) || !inside))
            continue;
        for (size_t k = 0; k < n; k++) {
            if (fabs(x[k]) < (double)INFINITY) {
                s->min = x[k] < s->min ? x[k] : s->min;
                s->max = x[k] > s->max ? x[k] : s->max;
            } else if (inside) {
                s->nan += x[k] != x[k];
                s->plus += x[k] == (double)INFINITY;
                s->minus += x[k] == -(double)INFINITY;
            }
        }
    }
    if (s->stage == RANGE_PASS) {
        s->stage = SUMS_PASS;
        s->reached = start;
        s->present = (size_t)(next - start) - s->nan;
        s->restarted = s->next;
        s->cost = 0;
        s->failed = 0;
        s->pieces = s->restart_wanted == 3 ? 3 : s->pieces;
        s->restart_wanted = 0;
        s->usable = s->same && kernels->lane_results && choose_units(r, s, s->min, s->max);
        if (s->usable)
            s->inexact[0] = s->inexact[1] = 0;
    }
    for (; s->usable && s->reached < next; s->reached += (ptrdiff_t)n) {
        n = next - s->reached < BLOCK ? (size_t)(next - s->reached) : BLOCK;
        if (!take_block(r))
            return 0;
        const double *x = load(r, s->reached, n, buffer, &s->same);
        for (size_t k = n; k < BLOCK; k++)
            buffer[k] = (double)NAN; /* x is buffer */
        kernels->start[r->squares][s->pieces - 2](x, &s->sums);
        if (s->sums.number.inexact)
            s->inexact[0] = (size_t)next;
        if (s->sums.square.inexact)
            s->inexact[1] = (size_t)next;
    }
    s->stage = STARTED;
    return 1;
}

/* ---- the exact sums ------------------------------------------------------------------- */

/* Add the elements first to last - 1. */
static void add_elements(const row *r, size_t first, size_t last, int skip_nan, pc_tile_sum *sum)
{
    pc_array a;
    if (r->m->array.reduced_axes > 1) { /* prefix sums, of which none is exact that is of NaN */
        pc_add_tile(&r->m->array, 0, 1, first, last, sum);
        return;
    }
    set_run(&a, r->m->array.type, 1, r->data + (ptrdiff_t)first * r->stride, last - first,
            r->stride);
    a.swapped = r->m->array.swapped;
    a.skip_nan = skip_nan;
    a.mask = r->mask ? r->mask + (ptrdiff_t)first * r->mask_stride : NULL;
    a.axis[0].mask_stride = r->mask_stride;
    pc_add_tile(&a, 0, 1, 0, last - first, sum);
}

/* Add the numbers first to last - 1, less NaN if there may be any. */
static void add_exactly(const row *r, pc_move_state *s, size_t first, size_t last)
{
    for (; first < last && first < r->carried; first++)
        pc_add_numbers(&s->exact.total, PC_FLOAT64, 1, (const char *)&r->m->carried[first], 1);
    if (first < last)
        add_elements(r, (size_t)((ptrdiff_t)first + r->offset),
                     (size_t)((ptrdiff_t)last + r->offset), s->exact_skip_nan, &s->exact);
}

/* Add one number to the exact sum, or take it out again; not NaN and infinities. */
static void add_or_remove(const row *r, pc_move_state *s, size_t at, int remove)
{
    pc_accumulator *acc = &s->exact.total;
    const pc_type type = r->m->array.type;
    double x[BLOCK];
    int same = 1;
    load(r, (ptrdiff_t)at, 1, x, &same);
    if (x[0] != x[0])
        return;
    acc->count += remove ? UINT64_MAX : 1;
    if (same) {
        if (fabs(x[0]) < (double)INFINITY)
            accumulator_add_or_remove(acc, x[0], remove);
        return;
    }
    uint64_t bits;
    gather_numbers(r, at, 1, (char *)&bits);
    const uint64_t sign = type == PC_INT64 ? sign_of_word(bits) : 0, size = (bits ^ sign) - sign;
    const pc_u128 square = u128_mul64(size, size);
    uint64_t number[4] = {bits, sign, sign, sign}, squared[4] = {square.lo, square.hi, 0, 0};
    if (remove) {
        negate_words(number, 4);
        negate_words(squared, 4);
    }
    accumulator_add(acc, PC_NUMBERS, number, 0);
    if (acc->flags & PC_WITH_SQUARES)
        accumulator_add(acc, PC_SQUARES, squared, 0);
}

/* Go on with the exact sum; whether it now is that of all of its window. */
static int go_on_exactly(const row *r, pc_move_state *s)
{
    const size_t left = s->exact_to - s->exact_end, blocks = (left + BLOCK - 1) / BLOCK,
                 done = blocks < *r->budget ? blocks : *r->budget,
                 to = done < blocks ? s->exact_end + done * BLOCK : s->exact_to;
    add_exactly(r, s, s->exact_end, to);
    s->exact_end = to;
    *r->budget -= done;
    return to == s->exact_to;
}

/* Result k, in whose window no number is infinite, nor NaN unless skip_nan; 0 if this call may not
 * look at all of it. */
static int write_exactly(const row *r, pc_move_state *s, size_t k, int skip_nan, char *out)
{
    const size_t end = r->m->start ? r->m->end[k] : k + 1,
                 start = r->m->start ? r->m->start[k] : window_start(r, end);
    const size_t steps = end - s->exact_end + (start - s->exact_start);
    if (s->exact_end && r->m->window && steps * STEP_COST <= 2 * (end - start)) {
        take_block(r); /* for about as long */
        for (size_t each = s->exact_end; each < end; each++)
            add_or_remove(r, s, each, 0);
        for (size_t each = s->exact_start; each < start; each++)
            add_or_remove(r, s, each, 1);
        s->exact_end = end;
    } else if (r->m->window || !s->exact_end) {
        pc_accumulator_clear(&s->exact.total, r->m->spec.statistic);
        s->exact_end = start;
    }
    s->exact_start = start;
    s->exact_to = end;
    s->exact_skip_nan = skip_nan;
    if (!go_on_exactly(r, s))
        return 0;
    count_rounding_test_failure();
    pc_accumulator_round(&s->exact.total, &r->m->spec, out);
    return 1;
}

/* ---- blocks ------------------------------------------------------------------------- */

/* What a result is: that of a finite sum, or why it is not. */
enum { FINITE, TOO_FEW, PLUS_INF, MINUS_INF, NOT_A_NUMBER };

/* Count what enters and leaves at each result; whether any is not FINITE. */
static int count_block(const row *r, pc_move_state *s, const double *in, const double *out,
                       size_t n, double *count, unsigned char *kind)
{
    const int cumulative = r->m->window == 0;
    int any = 0;
    for (size_t k = 0; k < n; k++) {
        const double x = in[k];
        s->present += x == x;
        s->nan += x != x;
        s->plus += x == (double)INFINITY;
        s->minus += x == -(double)INFINITY;
        if (!cumulative) {
            const double y = out[k];
            s->present -= y == y;
            s->plus -= y == (double)INFINITY;
            s->minus -= y == -(double)INFINITY;
        }
        count[k] = (double)s->present;
        kind[k] = cumulative && s->nan                  ? NOT_A_NUMBER
                  : s->present < r->m->min_count        ? TOO_FEW
                  : s->plus + s->minus == 0             ? FINITE
                  : r->squares || (s->plus && s->minus) ? NOT_A_NUMBER
                  : s->plus                             ? PLUS_INF
                                                        : MINUS_INF;
        any |= kind[k];
    }
    for (size_t k = n; k < BLOCK; k++)
        count[k] = 1.0;
    return any;
}

static int may_restart(const row *r, const pc_move_state *s)
{
    return (s->next - s->restarted) * RESTARTS_PER_WINDOW >= r->window;
}

/* Sum a block in pieces; whether that was possible. Sets *masked to 1 if a number is not finite. If
 * other units might do, sets s->stage to start the sums anew. */
static int sum_block(const row *r, pc_move_state *s, const double *in, const double *out,
                     int *masked, lane_sums *sums)
{
    while (s->usable) {
        const moving_sums before = s->sums;
        const int mode = r->m->window == 0 ? 2 : *masked;
        r->kernels->moving[mode][r->squares][s->pieces - 2](in, out, &s->sums, sums);
        if (s->sums.max <= s->limit && isfinite(s->sums.number.sum[0]))
            return 1;
        if (!*masked && !isfinite(s->sums.number.sum[0])) {
            *masked = 1;
            s->sums = before;
        } else {
            s->usable = 0;
            s->stage = may_restart(r, s) ? NOT_STARTED : STARTED;
        }
    }
    return 0;
}

static void add_error_bound(double to[BLOCK], double error_bound)
{
    for (size_t k = 0; k < BLOCK && error_bound > 0.0; k++)
        to[k] += error_bound;
}

/* Results at `to` of as many of these blocks as are all certain, one after the other: how many.
 * `masked`: NaN are left out, and none is infinite. */
static size_t slide_blocks(const row *r, pc_move_state *s, const double *in, const double *out,
                           size_t blocks, int masked, const lane_spec *spec, double *to)
{
    const int cumulative = r->m->window == 0, pieces = s->pieces;
    const size_t max = cumulative ? s->next + blocks * BLOCK : r->window;
    const moving_pieces *number = &s->sums.number;
    const double size = (double)max, grow = 1 + 0x1p-20, unit = unit_of(number, 0);
    moving_spec window_spec = {.count = spec->count,
                               .per_count = 1.0 / spec->count,
                               .divisor = spec->divisor,
                               .inverse = spec->inverse,
                               .min_count = (double)r->m->min_count,
                               .ddof = spec->ddof / spec->scale,
                               .max_units = UINT64_C(1) << piece_width(r)};
    if (r->squares) {
        window_spec.divisor = spec->count - window_spec.ddof;
        window_spec.inverse = 1.0 / window_spec.divisor;
        window_spec.root = spec->statistic == PC_STD;
        window_spec.error_bound = s->error_bound[1] +
                                  (2.0 * s->limit + size * s->error_bound[0]) * s->error_bound[0] +
                                  0x1p-48 * unit_of(&s->sums.square, 0);
    } else {
        window_spec.error_bound =
            s->error_bound[0] +
            0x1p-51 * (pieces == 2 ? unit : unit_of(number, 1) + 0x1p-50 * s->limit);
        window_spec.exact = pieces == 2 && !may_be_inexact(r, s, 0, max, s->next);
        const double tie = 0x1p54 * unit_of(number, 1);
        window_spec.tie_square =
            max <= MAX_TIES_WINDOW && tie > 0x1p-500 ? tie * tie : (double)INFINITY;
    }
    window_spec.error_bound *= size * grow;
    window_spec.bound = window_spec.error_bound * window_spec.inverse * grow;
    s->sums.count = (double)s->present;
    const int kernel = cumulative ? 0 : r->squares ? PC_VAR : (int)spec->statistic;
    const size_t done =
        r->kernels->slide[masked][kernel][pieces - 2](in, out, &s->sums, &window_spec, to, blocks);
    if (masked && done)
        s->present = (size_t)s->sums.count;
    if (r->squares && done)
        s->inexact[0] = s->inexact[1] = s->next + done * BLOCK; /* maybe */
    else if (number->inexact)
        s->inexact[0] = s->next + (size_t)number->inexact * BLOCK;
    return done;
}

static int has_nan(const double *x, size_t n)
{
    int found = 0;
    for (size_t k = 0; k < n; k++)
        found |= x[k] != x[k];
    return found;
}

/* How many numbers immediately before `first` are `value`, at most `max`. */
static size_t run_before(const row *r, size_t first, double value, size_t max)
{
    double buffer[BLOCK];
    int same = 1;
    size_t run = 0;
    max = max < first ? max : first;
    while (run < max) {
        const size_t n = max - run < BLOCK ? max - run : BLOCK;
        const double *x = load(r, (ptrdiff_t)(first - run - n), n, buffer, &same);
        for (size_t k = n; k-- > 0; run++)
            if (x[k] != value)
                return run;
    }
    return run;
}

/* What enters and leaves on the way to the windows with bounds of up to `max` results from s->at
 * on: one number, or NaN for none, at each step, so that no window between two of them is longer
 * than both. ends[]: of which step the window is that of a result. Returns how many steps, at most
 * a block; *to is where they end. */
static size_t steps_between(const row *r, const pc_move_state *s, size_t max, double *in,
                            double *out, unsigned char *ends, window_position *to, int *same)
{
    const size_t *start = r->m->start, *end = r->m->end, last = s->at.result + max;
    double buffer[2][BLOCK];
    size_t n = 0, count[2] = {end[last - 1] - s->at.end, start[last - 1] - s->at.start};
    for (int k = 0; k < 2; k++)
        count[k] = count[k] < BLOCK ? count[k] : BLOCK;
    const double *enters = load(r, (ptrdiff_t)s->at.end, count[0], buffer[0], same),
                 *leaves = load(r, (ptrdiff_t)s->at.start, count[1], buffer[1], same);
    *to = s->at;
    for (; n < BLOCK && to->result < last; n++) {
        const int enter = to->end < end[to->result], leave = to->start < start[to->result];
        in[n] = enter ? *enters++ : (double)NAN;
        out[n] = leave ? *leaves++ : (double)NAN;
        to->end += (size_t)enter;
        to->start += (size_t)leave;
        ends[n] = to->end == end[to->result] && to->start == start[to->result];
        to->result += ends[n];
    }
    return n;
}

/* At most a block of results that are `value`, which no kernel made: float16 has its own NaN. */
static void write_value(const row *r, double value, size_t count, char *to)
{
    const uint16_t half_nan = 0x7e00;
    double values[BLOCK];
    for (size_t k = 0; k < BLOCK && count > 1; k++)
        values[k] = value;
    const double *from = count > 1 ? values : &value;
    write_lane_results(r->m->spec.type, from, from, count, to, r->out_stride);
    for (size_t k = 0; k < count && r->m->spec.type == PC_FLOAT16 && value != value; k++)
        memcpy(to + (ptrdiff_t)k * r->out_stride, &half_nan, sizeof half_nan);
}

/* Of n steps keep those that end with a result. */
static size_t keep_results(const row *r, const unsigned char *ends, size_t n, unsigned char *kind)
{
    move_scratch *scratch = r->scratch;
    size_t kept = 0;
    for (size_t k = 0; k < n; k++)
        if (ends[k]) {
            scratch->value[kept] = scratch->value[k];
            scratch->residual[kept] = scratch->residual[k];
            scratch->certain[kept] = scratch->certain[k];
            kind[kept++] = kind[k];
        }
    return kept;
}

/* Continue at result k; the exact sum stays. */
static void start_at(const row *r, pc_move_state *s, size_t k)
{
    s->row = 1 + r->index;
    s->next = k;
    if (r->m->start)
        s->at = (window_position){r->m->start[k], r->m->end[k], k};
    s->stage = NOT_STARTED;
    s->usable = s->restart_wanted = 0;
    s->pieces = r->window >= LONG_WINDOW ? 3 : 2;
}

/* Results from s->next on, at most `max`: returns how many. Of windows with bounds: from
 * s->at.result on. Perhaps none: there is more to do before the next. */
static size_t move_blocks(const row *r, pc_move_state *s, size_t max, const lane_spec *spec)
{
    lane_sums *sums = &r->scratch->sums;
    double *entering = r->scratch->in, *leaving = r->scratch->out, *value = r->scratch->value,
           *residual = r->scratch->residual;
    uint64_t *certain = r->scratch->certain;
    unsigned char kind[BLOCK], ends[BLOCK];
    const int cumulative = r->m->window == 0, bounds = r->m->start != NULL;
    const size_t first = s->next;
    size_t n = max < BLOCK ? max : BLOCK;
    int same = 1;
    window_position next_position = s->at;
    const double *in = entering, *out = leaving;
    if (bounds) {
        memset(kind, FINITE, sizeof kind);
        n = steps_between(r, s, max, entering, leaving, ends, &next_position, &same);
    } else {
        in = load(r, (ptrdiff_t)first, n, entering, &same);
        out = cumulative ? in : load(r, (ptrdiff_t)first - (ptrdiff_t)r->window, n, leaving, &same);
    }
    for (size_t k = n; k < BLOCK; k++) /* of what enters and leaves at once nothing is left */
        entering[k] = leaving[k] = cumulative ? 0.0 : in[n - 1];
    if (s->stage == STARTED && same && (!s->usable || s->restart_wanted) && may_restart(r, s))
        s->stage = NOT_STARTED;
    if (s->stage != STARTED && !restart(r, s, in, n))
        return 0;
    if (!same)
        s->usable = 0;
    int masked = cumulative ? s->nan || s->plus || s->minus
                            : bounds || s->present < r->window || s->plus || s->minus,
        any = 0, all = 0;
    const size_t first_result = bounds ? s->at.result : first;
    char *to = r->out + (ptrdiff_t)first_result * r->out_stride;
    if (same && s->usable && !s->restart_wanted && !spec->drop && spec->divisor > 0.0 && !s->plus &&
        !s->minus && !(cumulative && masked)) {
        const int in_place = n == BLOCK && !bounds && r->m->spec.type == PC_FLOAT64 &&
                             r->out_stride == (ptrdiff_t)sizeof(double) &&
                             (uintptr_t)to % sizeof(double) == 0;
        double *results = in_place ? (double *)(void *)to : value;
        size_t blocks = 1;
        if (in_place && !masked && in != entering && out != leaving) {
            size_t adjacent = max, lines;
            line_at(r, first, &adjacent, &lines);
            blocks = adjacent / BLOCK < MAX_BLOCKS ? adjacent / BLOCK : MAX_BLOCKS;
        }
        size_t done = slide_blocks(r, s, in, out, blocks, masked, spec, results);
        if (!done && !masked && !cumulative && has_nan(in, n))
            done = slide_blocks(r, s, in, out, 1, 1, spec, results);
        if (done) {
            s->next += done > 1 ? done * BLOCK : n;
            if (bounds)
                n = keep_results(r, ends, n, kind);
            if (!in_place)
                write_lane_results(r->m->spec.type, value, residual, n, to, r->out_stride);
            s->at = next_position;
            return done > 1 ? done * BLOCK : n;
        }
        s->failed++;
    }
    double error_bound = 0.0;
    const int summed = same && sum_block(r, s, in, out, &masked, sums);
    if (s->stage != STARTED)
        return 0;
    masked |= !summed || cumulative;
    if (masked)
        any = count_block(r, s, in, out, n, sums->count, kind);
    if (summed) {
        lane_spec lanes = *spec;
        lanes.counted = masked;
        const size_t max = cumulative ? first + n : r->window;
        if (s->sums.number.inexact)
            s->inexact[0] = first + n;
        if (s->sums.square.inexact)
            s->inexact[1] = first + n;
        if (may_be_inexact(r, s, 0, max, first))
            error_bound = (double)max * s->error_bound[0];
        add_error_bound(sums->number[2], error_bound);
        if (r->squares) {
            const double grid = error_bound > 0.0 ? 0.0 : unit_of(&s->sums.number, s->pieces - 1);
            if (may_be_inexact(r, s, 1, max, first))
                error_bound = (double)max * s->error_bound[1];
            add_error_bound(sums->square[2], error_bound);
            for (size_t k = 0; k < BLOCK; k++)
                sums->grid[k] = grid;
        }
        all = r->kernels->lane_results(&lanes, sums, BLOCK, value, residual, certain);
    }
    s->next += n;
    s->at = next_position;
    if (bounds)
        n = keep_results(r, ends, n, kind);
    if (summed)
        write_lane_results(r->m->spec.type, value, residual, n, to, r->out_stride);
    size_t uncertain = 0, run = 0, counted = 0; /* equal numbers that end with counted - 1 */
    for (size_t k = 0; k < n && !(all && !any); k++, to += r->out_stride) {
        if (any && kind[k] != FINITE) {
            const double odd[] = {0.0, (double)NAN, (double)INFINITY, -(double)INFINITY,
                                  (double)NAN};
            write_value(r, odd[kind[k]], 1, to);
        } else if (!summed || !certain[k]) {
            if (r->squares && summed && spec->divisor > 0.0 && !bounds) {
                for (; counted <= k; counted++)
                    run = counted && in[counted] == in[counted - 1] ? run + 1
                          : counted ? 1
                                    : 1 + run_before(r, first, in[0], r->window);
                if (run >= r->window) {
                    write_value(r, 0.0, 1, to);
                    continue;
                }
            }
            if (!write_exactly(r, s, first_result + k, masked, to)) {
                start_at(r, s, first_result + k);
                return k;
            }
            uncertain++;
        }
    }
    s->restart_wanted |= !s->usable || (uncertain >= MANY_UNCERTAIN && error_bound > 0.0);
    s->restart_wanted |= s->failed >= MAX_FAILED && s->next - s->restarted >= r->window;
    if (summed && uncertain && error_bound > 0.0 && s->pieces == 2) {
        s->cost += uncertain * (uint64_t)(UNCERTAIN_COST + r->window);
        if (s->cost > 4 * (uint64_t)(s->next - s->restarted + 4 * UNCERTAIN_COST)) {
            s->restart_wanted = 3;
        }
    }
    return n;
}

/* ---- rows --------------------------------------------------------------------------- */

static void set_row(row *r, const pc_moving *m, size_t index)
{
    const pc_array *a = &m->array;
    const pc_axis along = a->axis[a->kept_axes + a->reduced_axes - 1];
    const offsets at = offsets_of(a->axis, a->kept_axes, index);
    r->m = m;
    r->index = index;
    r->data = a->data + at.data;
    r->mask = a->mask ? a->mask + at.mask : NULL;
    r->out = m->out + at.out;
    r->stride = along.stride;
    r->mask_stride = along.mask_stride;
    r->out_stride = along.out_stride;
    r->window = m->window ? m->window : pc_array_reduction_length(a);
    r->carried = 0;
    r->offset = 0;
    r->in_place = a->type == PC_FLOAT64 && !a->swapped && !a->mask &&
                  along.stride == (ptrdiff_t)sizeof(double) &&
                  (uintptr_t)r->data % sizeof(double) == 0;
    r->squares = is_variance(m->spec.statistic);
    r->full = m->window && !m->start && m->min_count == m->window;
    r->kernels = pc_kernels_in_use();
}

static void begin(const row *r, pc_move_state *s, size_t first)
{
    start_at(r, s, first);
    s->exact_start = s->exact_end = s->exact_to = 0;
}

/* Whether it is further to window k, of windows with bounds, than it takes to sum that anew. */
static int is_far(const pc_moving *m, const pc_move_state *s, size_t k)
{
    const size_t steps = m->end[k] - s->at.end + (m->start[k] - s->at.start);
    return steps > 2 * BLOCK && steps > m->end[k] - m->start[k];
}

static size_t next_result(const row *r, const pc_move_state *s)
{
    return r->m->start ? s->at.result : s->next;
}

/* Results from `at` on, or where an earlier call ended behind it, to stop - 1 at least and at most
 * to last - 1; whether they are all there. */
static int move_to(const row *r, pc_move_state *s, size_t at, size_t stop, size_t last,
                   const lane_spec *spec)
{
    const size_t skip = r->m->window && !r->m->start ? r->m->min_count - 1 : 0;
    size_t next = next_result(r, s);
    if (s->row != 1 + r->index || next < at || next > stop)
        begin(r, s, at);
    while ((next = next_result(r, s)) < stop) {
        if (!take_block(r))
            return 0;
        if (r->m->start && is_far(r->m, s, next))
            begin(r, s, next);
        if (next < skip) {
            const size_t n = skip < stop ? skip - next : stop - next;
            write_value(r, (double)NAN, n, r->out + (ptrdiff_t)next * r->out_stride);
            begin(r, s, next + n);
        } else if (s->exact_end == s->exact_to || go_on_exactly(r, s)) {
            move_blocks(r, s, last - next, spec);
        }
    }
    return 1;
}

size_t pc_move(const pc_moving *m, size_t index, size_t rows, size_t first, size_t last,
               size_t budget, pc_move_state *states)
{
    fpenv callers = fpenv_enter();
    const double nan = (double)NAN;
    row r;
    r.scratch = &states->scratch;
    r.budget = &budget;
    set_row(&r, m, index);
    if (m->carried_count) { /* number 0 is the first carried */
        r.carried = m->carried_count;
        r.offset = (ptrdiff_t)first - (ptrdiff_t)r.carried;
        r.out += r.offset * r.out_stride;
        last -= (size_t)r.offset;
        first = r.carried;
        r.window = last;
        begin(&r, states, first);
    }
    const lane_spec spec = lane_spec_of(&m->spec, r.window, 0);
    for (size_t k = 0; k < BLOCK; k++)
        states->scratch.sums.common_magnitude[k] = nan;
    size_t at = first;
    for (size_t stop; at < last; at = stop) {
        int there = 1;
        stop = last - at < BLOCK ? last : at + BLOCK;
        for (size_t k = 0; k < rows && there; k++) {
            if (rows > 1)
                set_row(&r, m, index + k);
            there = move_to(&r, &states[k], at, stop, rows > 1 ? stop : last, &spec);
        }
        if (!there)
            break;
        if (rows == 1)
            stop = next_result(&r, states);
    }
    fpenv_leave(callers);
    return at;
}

void pc_move_add(const pc_moving *m, size_t index, size_t first, size_t last, pc_tile_sum *sum)
{
    row r;
    set_row(&r, m, index);
    add_elements(&r, first, last, 0, sum);
}

size_t pc_move_carry(pc_tile_sum *sum, double *carried)
{
    static const pc_output_spec spec = {.statistic = PC_SUM, .type = PC_FLOAT64, .components = 1};
    fpenv callers = fpenv_enter();
    const uint32_t nonfinite = pc_accumulator_nonfinite(&sum->total);
    pc_accumulator acc;
    double x = 1.0;
    size_t count = 0;
    pc_accumulator_clear(&acc, PC_SUM);
    if (nonfinite) { /* the sum is no number from here on: what is finite does not matter */
        pc_accumulator_round(&sum->total, &spec, (char *)&x);
        carried[count++] = x;
        x = 0.0;
    } else {
        acc = sum->total;
    }
    while (x != 0.0 && count < PC_MAX_CARRIED) {
        pc_accumulator_round(&acc, &spec, (char *)&x);
        if (!isfinite(x))
            break;
        carried[count++] = x;
        accumulator_add_or_remove(&acc, x, 1);
    }
    fpenv_leave(callers);
    return x == 0.0 || nonfinite ? count : PC_MAX_CARRIED + 1;
}

/* ---- prefix sums of integers ---------------------------------------------------------- */

/* So many at a time; if 64 bits are too few for their sums, they are summed again in 128. */
enum { INTEGERS = 256 };

#if defined(__GNUC__) && !defined(__clang__) /* which does so anyway */
#define BY_FOUR _Pragma("GCC unroll 4")
#else
#define BY_FOUR
#endif

/* If two successive sums have a first bit of 0 once `offset` is added, they are less than 2^63
 * apart: then none has wrapped, unless the number itself is 2^63 or more (`large`). */
#define CUMULATE(type, expression, large)                                                          \
    BY_FOUR                                                                                        \
    for (k = 0; k < n; k++, from += sizeof(type), at += step) {                                    \
        type x;                                                                                    \
        memcpy(&x, from, sizeof x);                                                                \
        low += (uint64_t)(expression);                                                             \
        over |= (low + offset) | (large);                                                          \
        memcpy(at, &low, sizeof low);                                                              \
    }                                                                                              \
    break

size_t pc_cumulate(const pc_moving *m, size_t index, size_t first, size_t last, pc_u128 *sum)
{
    const pc_type type = m->array.type;
    const int is_signed = m->spec.type == PC_INT64;
    const uint64_t has_sign = type == PC_UINT64 ? 0 : UINT64_MAX,
                   offset = (uint64_t)is_signed << 62;
    pc_u128 total = *sum;
    row r;
    set_row(&r, m, index);
    const ptrdiff_t step = r.out_stride;
    char *to = r.out + (ptrdiff_t)first * step;
    for (size_t n, k; first < last; first += n, to += (ptrdiff_t)n * step) {
        char raw[INTEGERS * sizeof(uint64_t)], *at = to;
        n = last - first < INTEGERS ? last - first : INTEGERS;
        const char *numbers = contiguous_numbers(&r, first, n, raw), *from = numbers;
        uint64_t low = total.lo, over = low + offset;
        switch (type) {
        case PC_INT8: CUMULATE(int8_t, x, 0);
        case PC_UINT8: CUMULATE(uint8_t, x, 0);
        case PC_INT16: CUMULATE(int16_t, x, 0);
        case PC_UINT16: CUMULATE(uint16_t, x, 0);
        case PC_INT32: CUMULATE(int32_t, x, 0);
        case PC_UINT32: CUMULATE(uint32_t, x, 0);
        case PC_INT64: CUMULATE(int64_t, x, 0);
        case PC_UINT64: CUMULATE(uint64_t, x, x);
        default: CUMULATE(uint8_t, x != 0, 0);
        }
        if (over >> 63 == 0) {
            total = (pc_u128){low, sign_of_word(low)};
            continue;
        }
        uint64_t word[INTEGERS];
        widen_to_words(word, type, numbers, n);
        for (k = 0, at = to; k < n; k++, at += step) {
            u128_add(&total, (pc_u128){word[k], sign_of_word(word[k]) & has_sign});
            if (total.hi != (is_signed ? sign_of_word(total.lo) : 0)) {
                *sum = total;
                return first + k;
            }
            memcpy(at, &total.lo, sizeof total.lo);
        }
    }
    *sum = total;
    return last;
}
