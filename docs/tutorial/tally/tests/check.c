#include "tally.h"

#include <stdio.h>

int main(void)
{
    const double values[] = {-1, 0, 0.5, 1, 1, 2, 9}, edges[] = {0, 1, 2};
    int64_t counts[2] = {0, 0};
    tally_count(values, 7, edges, 2, counts);
    printf("%d below 1, %d from 1 on\n", (int)counts[0], (int)counts[1]);
    return !(counts[0] == 2 && counts[1] == 3);
}
