"""The same functions in plain Python numbers: slow, obviously right, the oracle of the tests."""

from operator import index


def sum_of_squares(n, /, *, method="loop"):
    """Sum the squares 1² + 2² + … + n²."""
    n = max(index(n), 0)
    if method == "formula":
        return n * (n + 1) * (2 * n + 1) // 6
    return sum(i * i for i in range(1, n + 1))


def sum_of_squares_batch(ns, /, *, method="loop"):
    """Sum the squares for every n of nested lists: nested lists of ints."""
    if isinstance(ns, list):
        return [sum_of_squares_batch(n, method=method) for n in ns]
    return sum_of_squares(ns, method=method)
