#include "tally.h"

void tally_count(const double *values, size_t size, const double *edges, size_t bins,
                 int64_t *counts)
{
    for (size_t i = 0; i < size; i++) {
        double x = values[i];
        if (!(edges[0] <= x && x <= edges[bins])) /* NaN is neither */
            continue;
        size_t low = 0, high = bins; /* edges[low] <= x, and x < edges[high] or high is the end */
        while (high - low > 1) {
            size_t middle = low + (high - low) / 2;
            if (edges[middle] <= x)
                low = middle;
            else
                high = middle;
        }
        counts[low]++;
    }
}

void tally_rows(const double *values, size_t rows, size_t columns, const double *edges, size_t bins,
                int64_t *counts)
{
    for (size_t row = 0; row < rows; row++)
        tally_count(values + row * columns, columns, edges, bins, counts + row * bins);
}
