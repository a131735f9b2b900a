"""pycrust beside what people use today: time per element, and whether the answer is right."""

import math
import os
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, partial
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import pycrust
from pycrust import reference
from pycrust._core import _rounding_test_failures
from pycrust.bench import plots
from pycrust.bench.cases import (
    BATCHES,
    GROUPS,
    OF_PAIRS,
    PAIRS,
    SHORT_AXES,
    WINDOWS,
    WITHOUT_NAN,
    Case,
    functions,
    moving_functions,
    reverse,
    short,
)
from pycrust.bench.machine import Machine
from pycrust.bench.report import Cell, Progress, Result, Table, no_progress, now, three_digits
from pycrust.bench.timing import Timing, calibrate, repeated, row_task, rows_of, take_turns
from pycrust.reference import nearest, nearest_root

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]

SIZES = tuple(10**k for k in range(1, 9))
DTYPES = ("float64", "float32", "int16", "int64")
# What is computed, in words; of each pycrust has a function.
OPERATIONS = {
    "sumsq": "Sum of squares",
    "norm": "Euclidean norm",
    "sum": "Sum",
    "mean": "Mean",
    "var": "Variance",
    "std": "Standard deviation",
}
LONGEST = 0.5  # seconds: a function whose call is expected to take longer is left out


# ---- who is compared --------------------------------------------------------


@dataclass(frozen=True)
class Peer:
    """A way to compute; `prepare` makes the call for an array, outside the clock."""

    name: str
    operation: str
    prepare: Callable[[Array], Callable[[], Any]]


def installed_peers() -> list[Peer]:
    """The functions that can be compared here."""

    def of_array(name: str, operation: str, func: Callable[[Array], Any]) -> Peer:
        return Peer(name, operation, lambda x: partial(func, x))

    def of_list(name: str, operation: str, func: Callable[[list[Any]], Any]) -> Peer:
        return Peer(name, operation, lambda x: partial(func, x.tolist()))

    peers = [of_array(f"pycrust.{operation}(x)", operation, getattr(pycrust, operation)) for operation in OPERATIONS]
    peers += [
        of_array("np.dot(x, x)", "sumsq", lambda x: np.dot(x, x)),
        of_array("np.sum(x**2)", "sumsq", lambda x: np.sum(x**2)),
        of_array("np.einsum('i,i', x, x)", "sumsq", lambda x: np.einsum("i,i", x, x)),
        of_array("math.fsum(x * x)", "sumsq", lambda x: math.fsum(x * x)),
        of_array("np.linalg.norm(x)", "norm", np.linalg.norm),
        of_array("np.sqrt(np.sum(x**2))", "norm", lambda x: np.sqrt(np.sum(x**2))),
        of_list("math.hypot of a list", "norm", lambda x: math.hypot(*x)),
        *(of_array(f"np.{name}(x)", name, getattr(np, name)) for name in ("sum", "mean", "var", "std")),
        of_list("math.fsum of a list", "sum", math.fsum),
        of_list("statistics.mean of a list", "mean", statistics.mean),
        of_list("statistics.pvariance of a list", "var", statistics.pvariance),
        of_list("statistics.pstdev of a list", "std", statistics.pstdev),
    ]
    if sys.version_info >= (3, 12):
        peers.append(of_list("math.sumprod of lists", "sumsq", lambda x: math.sumprod(x, x)))
    try:
        import bottleneck

        names = {"sumsq": "ss", "sum": "nansum", "mean": "nanmean", "var": "nanvar", "std": "nanstd"}
        for operation, name in names.items():
            peers.append(of_array(f"bottleneck.{name}(x)", operation, getattr(bottleneck, name)))
    except ImportError:
        pass
    try:
        import pandas

        def of_series(method: str, **options: Any) -> Callable[[Array], Callable[[], Any]]:
            return lambda x: partial(getattr(pandas.Series(x), method), **options)

        peers.append(Peer("pandas: Series.sum()", "sum", of_series("sum")))
        peers.append(Peer("pandas: Series.mean()", "mean", of_series("mean")))
        peers.append(Peer("pandas: Series.var(ddof=0)", "var", of_series("var", ddof=0)))
        peers.append(Peer("pandas: Series.std(ddof=0)", "std", of_series("std", ddof=0)))
    except ImportError:
        pass
    try:
        import bitrep

        def bitrep_moments(x: list[Any]) -> Any:
            moments = bitrep.MomentsF64()
            for value in x:
                moments.add(value)
            return moments

        peers.append(of_array("bitrep.dot(x, x)", "sumsq", lambda x: bitrep.dot(x, x)))
        peers.append(of_list("bitrep.MomentsF64: mean", "mean", lambda x: bitrep_moments(x).mean()))
        peers.append(of_list("bitrep.MomentsF64: variance", "var", lambda x: bitrep_moments(x).variance()))
        peers.append(of_list("bitrep.MomentsF64: stddev", "std", lambda x: bitrep_moments(x).stddev()))
    except ImportError:
        pass
    try:
        import xsum

        def xsum_of(x: Array) -> Callable[[], Any]:
            if x.dtype != np.float64:
                raise TypeError("xsum would convert it")

            def call() -> Any:
                total = xsum.xsum_small_accumulator()
                xsum.xsum_add_sqnorm(total, x)
                return xsum.xsum_round(total)

            return call

        peers.append(Peer("xsum_add_sqnorm(x)", "sumsq", xsum_of))
    except ImportError:
        pass
    try:
        import numba

        @numba.njit
        def numba_sumsq(x):  # type: ignore[no-untyped-def]
            total = x[0] * 0
            for value in x:
                total += value * value
            return total

        peers.append(of_array("numba loop", "sumsq", numba_sumsq))
    except ImportError:
        pass
    try:
        from scipy.linalg import norm
        from scipy.linalg.blas import ddot

        def ddot_of(x: Array) -> Callable[[], Any]:
            if x.dtype != np.float64:
                raise TypeError("ddot would convert it")
            return partial(ddot, x, x)

        peers.append(Peer("scipy ddot(x, x)", "sumsq", ddot_of))
        peers.append(of_array("scipy.linalg.norm(x)", "norm", norm))
    except ImportError:
        pass
    return peers


def one_blas_thread() -> AbstractContextManager[object]:
    """Hold BLAS to one thread, if threadpoolctl is there to do so."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    limit: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limit


# ---- data, and the right answer ---------------------------------------------

BLOCK = 1009


def block_of(dtype: str) -> Array:
    """Numbers as one meets them: normally distributed floats, integers over the whole range."""
    rng = np.random.default_rng(2024)
    if np.dtype(dtype).kind == "f":
        return rng.standard_normal(BLOCK).astype(dtype)
    limits = np.iinfo(np.dtype(dtype))
    largest = min(int(limits.max), 2**31 - 1)
    return rng.integers(-largest - 1, largest, BLOCK, dtype=dtype, endpoint=True)


def exact_results(block: Array, size: int) -> dict[str, Fraction]:
    """
    Of the block repeated up to `size` elements, so that any size can be known exactly; of what is a root, its square.

    NaN is left out.
    """
    values = [None if math.isnan(value) else Fraction(value) for value in block.tolist()]
    whole, rest = divmod(size, len(values))

    def total(power: int) -> Fraction:
        powers = [Fraction() if value is None else value**power for value in values]
        return whole * sum(powers, Fraction()) + sum(powers[:rest], Fraction())

    size, numbers, squares = int(total(0)), total(1), total(2)
    variance = (size * squares - numbers**2) / size**2
    results = (squares, squares, numbers, numbers / size, variance, variance)
    return dict(zip(OPERATIONS, results, strict=True))


def error_of(answer: Any, operation: str, exact: Fraction) -> float:
    """0 if the answer is the best that its type can hold: exact for an int, else the nearest float64; or by how much it is off, relatively."""
    answer = answer.item() if isinstance(answer, np.generic) else answer
    if not math.isfinite(answer):
        return math.inf
    if operation in ("norm", "std"):
        best: Fraction | float = nearest_root(exact)
    else:
        best = exact if isinstance(answer, int) else float(exact)
    if answer == best:
        return 0.0
    return float(abs(Fraction(answer) / Fraction(best) - 1)) if best else math.inf


def error_of_one(exact: dict[str, Fraction], operation: str, answer: Any) -> float:
    return error_of(answer, operation, exact[operation])


def error_of_many(exacts: Sequence[dict[str, Fraction]], operation: str, answers: Any) -> float:
    """The largest error of many answers, which repeat; the best ones are the nearest that their type can hold."""
    if operation not in exacts[0]:
        operation = statistic_of(operation)
    exact = [each[operation] for each in exacts]
    answers = np.asarray(answers).ravel()
    if answers.dtype.kind == "f":
        rounded = nearest_root if operation in ("norm", "std") else nearest
        best: Any = [rounded(value, answers.dtype) for value in exact]
    else:
        best = [int(value) for value in exact]
    kind = answers.dtype if answers.dtype.kind == "f" else np.int64  # which the answers may have been too narrow for
    best = np.resize(np.array(best, kind), answers.shape)
    wrong = answers != best
    if not wrong.any():
        return 0.0
    answers, best = answers[wrong].astype(float), best[wrong].astype(float)
    with np.errstate(all="ignore"):
        errors = np.abs(answers / best - 1)
    return math.inf if np.isnan(errors).any() else float(errors.max())


def exact_dot(*factors: Sequence[Any]) -> Fraction:
    """The sum of their products."""
    total = Fraction()
    for each in zip(*factors, strict=True):
        product = Fraction(1)
        for factor in each:
            product *= Fraction(factor)
        total += product
    return total


def exact_of_pairs(case: Case, block: Array, operation: str) -> list[Fraction]:
    """The exact results for an array and its reverse, which repeat; of a correlation, which is a root, the nearest float."""
    x = case.array(block)
    y = reverse(x)
    if operation == "vecdot":
        rows = block.shape[1]
        return [exact_dot(*pair) for pair in zip(x[:rows].tolist(), y[:rows].tolist(), strict=True)]
    if operation == "average":
        y = np.abs(y)
    period, n = len(block), case.size
    v, w = x[:period].tolist(), y[:period].tolist()
    times = [n // period + (k < n % period) for k in range(len(v))]  # how often each pair comes

    def centered(v: list[Any], w: list[Any]) -> Fraction:
        return n * exact_dot(times, v, w) - exact_dot(times, v) * exact_dot(times, w)

    if operation == "dot":
        return [exact_dot(times, v, w)]
    if operation == "average":
        return [exact_dot(times, v, w) / exact_dot(times, w)]
    if operation == "cov":
        return [centered(v, w) / (n * (n - 1))]
    r = nearest_root(centered(v, w) ** 2 / (centered(v, v) * centered(w, w)))
    return [Fraction(r if centered(v, w) >= 0 else -r)]


def error_of_pairs(exact: Callable[[str], list[Fraction]], operation: str, answers: Any) -> float:
    return error_of_many([{operation: each} for each in exact(operation)], operation, answers)


def best_of_windows(case: Case, block: Array, operation: str) -> Array:
    """The right results of the first windows that are whole: as the block repeats, so do they."""
    x = np.resize(block.ravel(), case.window - 1 + min(len(block), case.size))
    best: Array = getattr(reference, operation)(x, case.window)[case.window - 1 :]
    return best


def error_of_windows(best: Callable[[str], Array], window: int, operation: str, answers: Any) -> float:
    """The largest error of the results of all windows that are whole."""
    answers = np.asarray(answers)[window - 1 :]
    with np.errstate(all="ignore"):
        errors = np.abs(answers / np.resize(best(operation), answers.shape) - 1)
    errors[answers == np.resize(best(operation), answers.shape)] = 0.0
    return math.inf if np.isnan(errors).any() else float(errors.max(initial=0.0))


def error_in_words(error: float) -> str:
    if error == 0:
        return "right"
    return "wrong" if error > 0.01 else f"off by {error:.0e}"


# ---- the machine ------------------------------------------------------------


def memory() -> int:
    """Bytes that are free for arrays."""
    try:
        with Path("/proc/meminfo").open() as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
        except (AttributeError, ValueError, OSError):
            return 2**31


def read_bandwidth(size: int = 2**28) -> float:
    """Bytes per second that one thread reads from memory: a search (memchr) for a byte that isn't there."""
    size = min(size, memory() // 8)
    haystack = b"\x02" * size
    task = row_task("read", repeated(partial(haystack.find, b"\x01")), 1, 0.0, 5)
    quickest: float = min(task.run())
    return size / quickest


# ---- the comparison ---------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """
    One function on one array: seconds per call, the relative error of its answer, and whether ours came the exact way.

    `data` says in words what is reduced along an axis; it is empty for a whole array.
    """

    operation: str
    dtype: str
    size: int
    peer: str
    timing: Timing
    error: float
    uncertain: bool = False
    data: str = ""

    @property
    def per_element(self) -> float:
        return self.timing.median / self.size


@dataclass(repr=False)
class Peers(Result):
    """
    The figures of `compare_peers`.

    Attributes
    ----------
    entries : list of Entry
        One for each function, dtype and size.
    along_axes : list of Entry
        The same for the arrays of `pycrust.bench.cases`.
    read_bandwidth : float
        Bytes per second that one thread reads from memory here.
    """

    schema = "pycrust.bench.peers"
    size = (13, 8)

    entries: list[Entry]
    read_bandwidth: float
    machine: Machine
    skipped: list[str]
    along_axes: list[Entry] = field(default_factory=list)
    created: str = field(default_factory=now)

    def groups(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys((entry.operation, entry.dtype) for entry in self.entries))

    def of(self, operation: str, dtype: str) -> dict[str, dict[int, Entry]]:
        """For each function the entries by size."""
        found: dict[str, dict[int, Entry]] = {}
        for entry in self.entries:
            if (entry.operation, entry.dtype) == (operation, dtype):
                found.setdefault(entry.peer, {})[entry.size] = entry
        return found

    def tables(self) -> list[Table]:
        tables: list[Table] = []
        for operation, dtype in self.groups():
            peers = self.of(operation, dtype)
            ours = peers[f"pycrust.{operation}(x)"]
            sizes = list(ours)
            rows: list[list[Cell | str]] = []
            for peer, entries in peers.items():
                last = max(entries)
                at = "" if last == sizes[-1] else f" at {short(last)}"
                speed = np.dtype(dtype).itemsize / entries[last].per_element
                ratio = entries[last].per_element / ours[last].per_element
                worst = max(entry.error for entry in entries.values())
                rows.append(
                    [
                        peer,
                        *(three_digits(1e9 * entries[size].per_element) if size in entries else "—" for size in sizes),
                        three_digits(speed / 1e9) + at,
                        "" if entries is ours else f"×{three_digits(ratio)}{at}",
                        Cell(error_in_words(worst), good=worst == 0),
                    ]
                )
            tables.append(
                Table(
                    title=f"{operation} of {dtype}: nanoseconds per element",
                    header=self.machine.lines() if not tables else [],
                    columns=["", f"n = {short(sizes[0])}", *map(short, sizes[1:]), "GB/s", "time", "answer"],
                    rows=rows,
                )
            )
        by_title: dict[str, list[Entry]] = {}
        for entry in self.along_axes:
            by_title.setdefault(title_and_statistic(entry.operation)[0], []).append(entry)
        tables += [table_of(title, entries_of) for title, entries_of in by_title.items()]
        tables[-1].notes = [
            "GB/s and time (as a multiple of pycrust's): at the largest n. Here one thread reads "
            f"{three_digits(self.read_bandwidth / 1e9)} GB/s from memory.",
            "right: the exact int, or the float64 nearest to the true result, at every n; else the largest relative error.",
            *self.in_two_ways(),
            *self.skipped,
        ]
        tables[-1].warnings = self.machine.warnings()
        return tables

    def in_two_ways(self) -> list[str]:
        """How often a bounded sum of ours could not tell the result."""
        floats = [e for e in self.entries if e.peer.startswith("pycrust.") and np.dtype(e.dtype).kind == "f"]
        uncertain = sum(entry.uncertain for entry in floats)
        return (
            [
                f"pycrust sums floats cheaply, with a proven bound, and exactly if that cannot tell the result: {uncertain} of {len(floats)} here."
            ]
            if floats
            else []
        )

    def figures(self) -> dict[str, Any]:
        return {
            "unit": "seconds per call",
            "read_bandwidth": self.read_bandwidth,
            "skipped": self.skipped,
            "warnings": self.machine.warnings(),
            "entries": [
                {
                    "operation": entry.operation,
                    "dtype": entry.dtype,
                    "size": entry.size,
                    "data": entry.data,
                    "function": entry.peer,
                    "ns_per_element": 1e9 * entry.per_element,
                    "right": entry.error == 0,
                    "relative_error": entry.error if math.isfinite(entry.error) else None,
                    "exact_way": entry.uncertain,
                    **entry.timing.to_dict(),
                }
                for entry in [*self.entries, *self.along_axes]
            ],
        }

    def draw(self, figure: "Figure") -> None:
        """One panel per dtype: time per element over the size; an empty marker is a wrong answer."""
        from matplotlib.lines import Line2D

        groups = self.groups()
        operation = groups[0][0]
        dtypes = [dtype for each, dtype in groups if each == operation]
        columns = min(2, len(dtypes))
        panels = figure.subplots(-(-len(dtypes) // columns), columns, squeeze=False, sharex=True, sharey=True).flat
        names = list(dict.fromkeys(entry.peer for entry in self.entries if entry.operation == operation))
        styles = {
            name: (plots.BLUE, "D", 3.0) if name.startswith("pycrust") else (colour, marker, 1.5)
            for name, colour, marker in zip(names, cycle(plots.COLOURS), cycle("Dosv^P*XhdpH<>"), strict=False)
        }
        for axes, dtype in zip(panels, dtypes, strict=False):
            for name, entries in self.of(operation, dtype).items():
                colour, marker, width = styles[name]
                sizes = list(entries)
                axes.plot(
                    sizes, [1e9 * entries[size].per_element for size in sizes],
                    color=colour, linewidth=width, zorder=3 if width > 2 else 2,
                )  # fmt: skip
                for wrong in False, True:
                    chosen = [size for size in sizes if (entries[size].error > 0.01) == wrong]
                    axes.plot(
                        chosen, [1e9 * entries[size].per_element for size in chosen],
                        color=colour, marker=marker, linestyle="", markersize=7, zorder=4,
                        markerfacecolor="white" if wrong else colour,
                    )  # fmt: skip
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.set_title(dtype, loc="left")
            axes.set_xlabel("number of elements")
            axes.set_ylabel("ns per element")
            axes.label_outer()
            plots.plain(axes)
        plots.legend(
            figure,
            *(
                Line2D([], [], color=colour, marker=marker, linewidth=width, markersize=7, label=name)
                for name, (colour, marker, width) in styles.items()
            ),
            Line2D([], [], color=plots.GREY, marker="o", linestyle="", markerfacecolor="white", label="wrong answer"),
        )
        plots.title(figure, f"{OPERATIONS[operation]}: time per element")
        plots.caption(
            figure, f"{self.machine.cpu} · {self.machine.python} · SIMD {self.machine.simd} · one thread each"
        )


def title_and_statistic(operation: str) -> tuple[str, str]:
    """The title of the table it is in, and which of OPERATIONS it computes, of what the title says."""
    if operation in OF_PAIRS:
        return "Two arrays", OF_PAIRS[operation]
    if operation == "Accumulator":
        return "In batches", "var"
    for prefix, title in ("nan", "Without NaN"), ("move_", "Moving windows"), ("group_", "Groups"):
        if operation.startswith(prefix):
            return title, operation.removeprefix(prefix)
    return "Short axes", operation


def statistic_of(operation: str) -> str:
    return title_and_statistic(operation)[1]


def table_of(title: str, entries: Sequence[Entry]) -> Table:
    """For each array and operation a row per function, the first of which is ours."""
    rows: list[list[Cell | str]] = []
    before: tuple[str, ...] = ()
    for entry in entries:
        group = entry.data, entry.dtype, entry.operation
        if group != before:
            ours = entry
        rows.append(
            [
                "" if group[:2] == before[:2] else f"{entry.data}, {entry.dtype}",
                entry.peer,
                three_digits(1e9 * entry.per_element),
                "" if entry is ours else f"×{three_digits(entry.per_element / ours.per_element)}",
                Cell(error_in_words(entry.error), good=entry.error == 0),
            ]
        )
        before = group
    return Table(f"{title}: nanoseconds per element", ["", "", "ns", "time", "answer"], rows, left=(0, 1))


def compare_peers(
    sizes: Sequence[int] = SIZES,
    dtypes: Sequence[str] = DTYPES,
    operations: Sequence[str] = tuple(OPERATIONS),
    *,
    rounds: int = 5,
    seconds: float = 0.5,
    progress: Progress = no_progress,
) -> Peers:
    """
    Time sums, variances and norms beside NumPy, the standard library, and what is installed of bottleneck, numbagg,
    numpy_groupies, pandas, polars, SciPy, scikit-learn, numba, bitrep, xsum.

    Parameters
    ----------
    sizes : sequence of int, optional
        Numbers of elements of one-dimensional arrays. Sizes that would not fit a quarter of the free memory are left out.
    dtypes : sequence of str, optional
        Of the arrays: any of float64, float32 and the integer dtypes.
    operations : sequence of {'sumsq', 'norm', 'sum', 'mean', 'var', 'std'}, optional
        The functions of pycrust, in the order of the tables; the first is what `plot` draws. All by default. Functions of groups,
        windows and two arrays come with what they compute: `group_sum` and `move_sum` with 'sum', `dot` and `vecdot` with 'sumsq',
        `average` with 'mean', `cov` and `corrcoef` with 'var'.
    rounds, seconds : optional
        As for `gil_table`.
    progress : callable, optional
        Called with what is measured next and the seconds done and in all.

    Returns
    -------
    Peers
        Shows itself as tables, `plot` draws it, `to_dict` is for JSON.

    Notes
    -----
    The arrays repeat a block of 1009 values, so that the right answer is known exactly at
    every size, from Python's fractions. Functions take turns on the same array. One whose call
    would take more than half a second is left out at that size. The same functions are also timed on
    points, pixels and frames, along a short axis, on numbers some of which are NaN, on groups by labels, in batches, on moving
    windows, and those of two arrays on arrays and their reverse: arrays of at most ten million numbers, and of no more than the largest of `sizes`, unless that is one result. Each function has one thread; for
    BLAS, which brings its own, that takes the package threadpoolctl.
    """
    machine = Machine.this()
    sizes = sorted(set(sizes))
    room = memory() // 4
    fits = {dtype: [size for size in sizes if 2 * size * np.dtype(dtype).itemsize <= room] for dtype in dtypes}
    skipped = [
        f"{dtype}: no memory for n = {', '.join(short(size) for size in sizes if size not in fits[dtype])}"
        for dtype in dtypes
        if len(fits[dtype]) < len(sizes)
    ]
    if find_spec("threadpoolctl") is None:
        skipped.append(
            "np.dot, np.linalg.norm and scipy may use several threads: install threadpoolctl to hold them to one."
        )
    skipped += [f"{name} may use several threads." for name in ("numbagg", "polars") if find_spec(name) is not None]
    peers = [peer for peer in installed_peers() if peer.operation in operations]
    groups = [(dtype, size) for dtype in dtypes for size in fits[dtype]]
    cases = [case.within(max(sizes)) for case in (*SHORT_AXES, *WITHOUT_NAN, *GROUPS, *BATCHES, *WINDOWS, *PAIRS)]
    cases = [case for case in cases if case.window <= case.depth and case.size > 1]  # one number has no covariance
    skipped += [f"no memory for {case.in_words()}" for case in cases if 2 * case.nbytes > room]
    of_case = {
        case: [
            Peer(name, operation, lambda x, call=call: partial(call, x))  # type: ignore[misc]
            for operation in case.operations
            if statistic_of(operation) in operations
            for name, call in (
                moving_functions(operation, case.window) if case.window else functions(operation, case.axis)
            )
        ]
        for case in cases
        if 2 * case.nbytes <= room
    }
    costs = {(dtype, size): cost_of(peers, size, rounds) for dtype, size in groups}
    costs_of_cases = {case: cost_of(found, case.size, rounds) for case, found in of_case.items()}
    total, done = sum(costs.values()) + sum(costs_of_cases.values()), 0.0

    def compared(cost: float, label: str, *arguments: Any) -> list[Entry]:
        nonlocal done
        before = done
        done += cost
        progress(label, before, total)

        def inner(label: str, part: float, whole: float) -> None:
            progress(label, before + cost * (part / whole if whole else 1.0), total)

        with one_blas_thread():
            return list(compare(*arguments, label=label, rounds=rounds, seconds=seconds, progress=inner))

    entries: list[Entry] = []
    slow: dict[tuple[str, str], float] = {}
    for (dtype, size), cost in costs.items():
        block = block_of(dtype)
        exact = exact_results(block, size)
        error = partial(error_of_one, exact)
        entries += compared(cost, f"{dtype}, n = {short(size)}", peers, np.resize(block, size), error, slow)
    entries.sort(key=lambda entry: (operations.index(entry.operation), dtypes.index(entry.dtype)))
    along_axes: list[Entry] = []
    for case, cost in costs_of_cases.items():
        if of_case[case]:
            block = case.block()
            if case.window:
                error = partial(error_of_windows, cache(partial(best_of_windows, case, block)), case.window)
            elif case.operations[0] in OF_PAIRS:
                error = partial(error_of_pairs, cache(partial(exact_of_pairs, case, block)))
            else:
                error = partial(error_of_many, [exact_results(column, case.depth) for column in block.T])
            found = compared(cost, f"{case.in_words()}, {case.dtype}", of_case[case], case.array(block), error, {})
            along_axes += [replace(entry, data=case.in_words()) for entry in found]
    return Peers(entries, read_bandwidth(), machine, skipped, along_axes)


def cost_of(peers: Sequence[Peer], size: int, rounds: int) -> float:
    """About how many seconds it takes to compare them."""
    return len(peers) * (0.03 + min(rounds * 4e-9 * size, 3.0))


def compare(
    peers: Sequence[Peer],
    x: Array,
    error: Callable[[str, Any], float],
    per_element: dict[tuple[str, str], float],
    *,
    label: str,
    rounds: int,
    seconds: float,
    progress: Progress,
) -> Iterator[Entry]:
    """
    All the functions on one array.

    `error` tells that of an operation's answer; `per_element` remembers the speed of the functions from size to size.
    """
    dtype, size = x.dtype.name, x.size
    tasks, errors, uncertain = [], {}, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of results that the table calls wrong
        for peer in peers:
            if per_element.get((peer.name, dtype), 0.0) * size > LONGEST:
                continue
            try:
                call = peer.prepare(x)
                before = _rounding_test_failures()
                errors[peer] = error(peer.operation, call())
                uncertain[peer] = _rounding_test_failures() > before
                times, each = calibrate(repeated(call), at_least=0.005)
            except (TypeError, ValueError):  # it does not take this dtype
                continue
            per_element[peer.name, dtype] = each / size
            tasks.append(row_task(peer, repeated(call), times, each, 1, f"{peer.name}, {label}"))
        measured = take_turns(tasks, rounds=rounds, seconds=seconds, progress=progress)
    for peer, laps in measured.items():
        yield Entry(peer.operation, dtype, size, peer.name, rows_of(laps, 1), errors[peer], uncertain[peer])
