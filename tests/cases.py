"""Which cases of a parametrized test run by default, which with --full, which with --full --full."""

from itertools import combinations

import pytest


def slow(*values):
    """A value whose cases run with --full alone."""
    return pytest.param(*values, marks=pytest.mark.slow)


def long(value):
    """A value whose cases run with --full --full alone."""
    return pytest.param(value, marks=[pytest.mark.slow, pytest.mark.long])


def all_pairs(**values):
    """
    Parametrize with all pairs in place of the product: any two values of two parameters meet in at least one case.

    By default each value is in one case; with --full come the others. They are the same each time: first the diagonal,
    then greedily what has most of the pairs that are missing.
    """
    lists = [list(each) for each in values.values()]
    parameters = range(len(lists))

    def pairs(case):
        return combinations(sorted(case.items()), 2)

    cases = [{i: k % len(lists[i]) for i in parameters} for k in range(max(map(len, lists)))]
    quick = len(cases)
    missing = dict.fromkeys(
        ((i, a), (j, b))
        for i, j in combinations(parameters, 2)
        for a in range(len(lists[i]))
        for b in range(len(lists[j]))
    )
    for case in cases:
        for pair in pairs(case):
            missing.pop(pair, None)
    while missing:
        case = dict(next(iter(missing)))
        for i in parameters:
            if i not in case:
                case[i] = max(
                    range(len(lists[i])), key=lambda k: sum(pair in missing for pair in pairs({**case, i: k}))
                )
        for pair in pairs(case):
            missing.pop(pair, None)
        cases.append(case)
    return pytest.mark.parametrize(
        list(values),
        [
            pytest.param(*(lists[i][case[i]] for i in parameters), marks=[pytest.mark.slow] if k >= quick else [])
            for k, case in enumerate(cases)
        ],
    )
