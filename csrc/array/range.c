/* 1^2 + 2^2 + ... + n^2, exact in 128 bits: term by term, or by the formula. */
#include "../kernels/kernels.h"

void pc_walk_to(pc_walk *walk, uint64_t n)
{
    pc_squares_in_use()->squares_of_range(walk->i + 1, n - walk->i, &walk->sum);
    walk->i = n;
}

size_t pc_walk_stops(pc_walk *walk, const uint64_t *stops, size_t count, uint64_t budget,
                     uint64_t *lo, uint64_t *hi)
{
    void (*squares)(uint64_t, uint64_t, pc_u128 *) = pc_squares_in_use()->squares_of_range;
    pc_walk here = *walk;
    size_t k;
    for (k = 0; k < count; k++) {
        uint64_t gap = stops[k] - here.i, take = gap < budget ? gap : budget;
        squares(here.i + 1, take, &here.sum);
        here.i += take;
        budget -= take;
        if (take < gap)
            break;
        lo[k] = here.sum.lo;
        if (hi)
            hi[k] = here.sum.hi;
    }
    *walk = here;
    return k;
}

void pc_walk_each(pc_walk *walk, size_t count, uint64_t *lo, uint64_t *hi)
{
    uint64_t i = walk->i;
    pc_u128 sum = walk->sum;
    for (size_t k = 0; k < count; k++) {
        i++;
        u128_add(&sum, u128_mul64(i, i));
        lo[k] = sum.lo;
        if (hi)
            hi[k] = sum.hi;
    }
    walk->i = i;
    walk->sum = sum;
}

void pc_walk_even(pc_walk *walk, size_t count, uint64_t *even)
{
    uint64_t i = walk->i;
    pc_u128 sum = walk->sum;
    for (size_t k = 0; k < count; k++, i += 2) {
        even[k] = sum.lo;
        u128_add(&sum, u128_mul64(i + 1, i + 1));
        u128_add(&sum, u128_mul64(i + 2, i + 2));
    }
    walk->i = i;
    walk->sum = sum;
}

void pc_sums_from_even(const uint64_t *even, uint64_t last, const int64_t *n, size_t count,
                       uint64_t *sum)
{
    for (size_t k = 0; k < count; k++) {
        int64_t wanted = n[k];
        uint64_t i = wanted < 0 ? 0 : (uint64_t)wanted > last ? last : (uint64_t)wanted;
        sum[k] =
            even[i / 2] + i * (i & (0 - i % 2)); /* branchless: odd and even n are equally likely */
    }
}

/* Division by 6 without a division: n(n+1) is even, and modulo 2^128 a multiple of 3 divided by 3
 * is its product with the inverse of 3. The product n(n+1)(2n+1) / 2 may exceed 2^128, but the
 * quotient is below 2^127, so that it is correct. */
static const pc_u128 inverse_of_3 = {UINT64_C(0xaaaaaaaaaaaaaaab), UINT64_C(0xaaaaaaaaaaaaaaaa)};

void pc_closed_form(uint64_t n, pc_u128 *sum)
{
    pc_u128 half = n % 2 ? u128_mul64(n, (n + 1) / 2) : u128_mul64(n / 2, n + 1);
    pc_u128 odd = {2 * n + 1, 0};
    *sum = u128_mul(u128_mul(half, odd), inverse_of_3);
}

void pc_closed_form_many(const int64_t *n, size_t count, uint64_t *lo, uint64_t *hi)
{
    for (size_t k = 0; k < count; k++) {
        uint64_t last = n[k] < 0 ? 0 : (uint64_t)n[k];
        if (hi) {
            pc_u128 sum;
            pc_closed_form(last, &sum);
            lo[k] = sum.lo;
            hi[k] = sum.hi;
        } else { /* the same, modulo 2^64 */
            uint64_t even = last + last % 2, odd = last + 1 - last % 2;
            lo[k] = even / 2 * odd * (2 * last + 1) * inverse_of_3.lo;
        }
    }
}

void pc_round_many(const uint64_t *lo, const uint64_t *hi, size_t count, double *out)
{
    for (size_t k = 0; k < count; k++) {
        pc_u128 x = {lo[k], hi[k]};
        out[k] = pc_u128_round(&x);
    }
}
