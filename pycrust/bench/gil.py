"""When does releasing the GIL pay? One workload, k calls in a row and in k threads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pycrust
from pycrust.bench import plots
from pycrust.bench.machine import Machine
from pycrust.bench.report import (
    Cell,
    Progress,
    Result,
    Table,
    count_in_words,
    no_progress,
    now,
    seconds_in_words,
)
from pycrust.bench.timing import Timing, calibrate, repeated, row_task, rows_of, take_turns, threads_task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

N = 100_000_000
K = (1, 2, 4)


def python_sum_of_squares(n: int) -> int:
    """1² + 2² + … + n² as a loop in Python: what the C functions are compared to."""
    total = 0
    for i in range(1, n + 1):
        total += i * i
    return total


@dataclass(frozen=True)
class Column:
    """
    A function, and whether its k calls run in a row or in k threads.

    The second of the heads, and of the words for what is called, is that of a free-threaded
    build, where holding the GIL excludes nobody.
    """

    key: str
    function: str
    threads: bool
    heads: tuple[str, str]
    calls: tuple[str, str]

    def title(self, machine: Machine) -> str:
        return self.heads[machine.free_threaded_build]

    def in_words(self, machine: Machine) -> str:
        return self.calls[machine.free_threaded_build]


FUNCTIONS: dict[str, Callable[[int], int]] = {
    "python": python_sum_of_squares,
    "c": pycrust.sum_of_squares,
    "c_nogil": pycrust.threadable_sum_of_squares,
}

PYTHON, HOLDS, RELEASES = ("Python",) * 2, ("C that holds the GIL", "C attached"), ("C that releases it", "C detached")
COLUMNS = (
    Column("python", "python", False, ("python",) * 2, PYTHON),
    Column("threaded_python", "python", True, ("threaded\npython",) * 2, PYTHON),
    Column("c", "c", False, ("C", "C,\nattached"), HOLDS),
    Column("threaded_c", "c", True, ("threaded\nC", "threaded C,\nattached"), HOLDS),
    Column("threaded_c_nogil", "c_nogil", True, ("threaded C\nwithout the GIL", "threaded C,\ndetached"), RELEASES),
)


@dataclass(repr=False)
class GilTable(Result):
    """
    The times of `gil_table`.

    Attributes
    ----------
    n : int
    k : tuple of int
        Numbers of calls: a row of the table each.
    times : dict
        ``times[column, k]`` is the `Timing` of k calls divided by k, in seconds; the
        columns are ``'python'``, ``'threaded_python'``, ``'c'``, ``'threaded_c'`` and
        ``'threaded_c_nogil'``.
    machine : Machine
    """

    schema = "pycrust.bench.gil_table"

    n: int
    k: tuple[int, ...]
    times: dict[tuple[str, int], Timing]
    calls: dict[str, int]
    machine: Machine
    created: str = field(default_factory=now)

    @property
    def columns(self) -> list[Column]:
        return [column for column in COLUMNS if (column.key, self.k[0]) in self.times]

    def speedup(self, column: str, k: int) -> float:
        """How many times as fast k threads are as the same function's calls in a row."""
        in_a_row = {"threaded_python": "python"}.get(column, "c")
        return self.times[in_a_row, k].median / self.times[column, k].median

    def tables(self) -> list[Table]:
        rows = []
        for k in self.k:
            cells: list[Cell | str] = [str(k)]
            for column in self.columns:
                timing = self.times[column.key, k]
                small = [f"±{timing.spread / timing.median:.0%}"] if timing.spread is not None else []
                speedup = self.speedup(column.key, k) if column.threads else 1
                if column.threads:
                    small.append(f"×{speedup:.2f}")
                cells.append(Cell(seconds_in_words(timing.median), "  ".join(small), good=speedup > 1.2 and k > 1))
            rows.append(cells)
        table = Table(
            title=f"1² + 2² + … + n² for n = {count_in_words(self.n)}: time per call",
            header=self.machine.lines(),
            columns=["k", *(column.title(self.machine) for column in self.columns)],
            rows=rows,
            notes=[
                "Time of k calls, divided by k: median of the rounds ± median deviation.",
                "× is how many times as fast k threads are as k calls in a row.",
                *self.in_words(),
            ],
            warnings=self.warnings(),
        )
        return [table]

    def in_words(self) -> list[str]:
        """What the table shows, in a sentence."""
        k = max((k for k in self.k if k <= self.machine.cores), default=1)
        if k == 1:
            return []
        speedups = [
            f"×{self.speedup(column.key, k):.2f} for {column.in_words(self.machine)}"
            for column in self.columns
            if column.threads
        ]
        return [f"Here {k} threads give {', '.join(speedups)}."]

    def warnings(self) -> list[str]:
        cores = self.machine.cores
        above = [k for k in self.k if k > cores]
        warnings = self.machine.warnings()
        if above:
            warnings.append(
                f"k = {', '.join(map(str, above))} is more than the {self.machine.cores_in_words}: "
                f"expect no more than ×{cores}"
            )
        return warnings

    def figures(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "unit": "seconds per call: k calls divided by k",
            "warnings": self.warnings(),
            "cells": [
                {
                    "column": column.key,
                    "title": column.title(self.machine).replace("\n", " "),
                    "threads": k if column.threads else 1,
                    "k": k,
                    "calls_at_once": self.calls[column.function],
                    **self.times[column.key, k].to_dict(),
                }
                for k in self.k
                for column in self.columns
            ],
        }

    def draw(self, figure: "Figure") -> None:
        """Left the time per call, right what threads gain."""
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        styles = {
            "python": (plots.GREY, "o", "-"),
            "threaded_python": (plots.ORANGE, "s", "--"),
            "c": (plots.BLACK, "o", "-"),
            "threaded_c": (plots.VERMILION, "s", "--"),
            "threaded_c_nogil": (plots.BLUE, "D", "-"),
        }
        k = list(self.k)
        for column in self.columns:
            colour, marker, line = styles[column.key]
            label = column.title(self.machine).replace("\n", " ")
            left.plot(
                k, [self.times[column.key, each].median for each in k],
                color=colour, marker=marker, linestyle=line, linewidth=2, markersize=7, label=label,
            )  # fmt: skip
            if column.threads:
                right.plot(
                    k, [self.speedup(column.key, each) for each in k],
                    color=colour, marker=marker, linestyle=line, linewidth=2, markersize=7, label=label,
                )  # fmt: skip
        left.set_yscale("log")
        plots.seconds_axis(left.yaxis)
        left.set_ylabel("time per call")
        left.set_title("k calls: time of all, divided by k", loc="left")
        plots.k_axis(left, k)
        plots.plain(left)
        plots.threads_axes(right, k, self.machine.cores)
        plots.legend(figure)
        plots.caption(
            figure,
            f"1² + … + n², n = {count_in_words(self.n)} · {self.machine.python}, {self.machine.gil} · "
            f"{self.machine.cores_in_words} · SIMD {self.machine.simd}",
        )


def gil_table(
    n: int = N,
    k: Sequence[int] = K,
    *,
    rounds: int = 7,
    seconds: float = 2.0,
    python: bool = True,
    progress: Progress = no_progress,
) -> GilTable:
    """
    Time k calls of 1² + 2² + … + n² in a row and in k threads, in Python and in C.

    Parameters
    ----------
    n : int, optional
        The last number squared.
    k : sequence of int, optional
        How many calls, or threads.
    rounds : int, optional
        Rounds of each measurement, at most.
    seconds : float, optional
        A measurement is repeated only while its rounds take about this long
        together: a call of pure Python that takes seconds is measured once.
    python : bool, optional
        Whether to measure the pure Python function, which takes nearly all the time.
    progress : callable, optional
        Called with what is measured next and the seconds done and in all.

    Returns
    -------
    GilTable
        Shows itself as a table, `plot` draws it, `to_dict` is for JSON.

    Notes
    -----
    The threads of a measurement exist and wait at a barrier before its clock
    starts. The k calls in a row are made in a thread too, so that the columns
    differ in the number of threads alone. Rounds of all measurements take turns.

    Examples
    --------
    >>> from pycrust.bench import gil_table
    >>> result = gil_table(10_000, k=[1, 2], rounds=2)
    >>> sorted(result.times)[0], result.times['c', 2].median > 0
    (('c', 1), True)
    """
    k = tuple(sorted(set(k)))
    if not k or k[0] < 1:
        raise ValueError(f"k must be numbers of calls from 1 up, not {list(k)}")
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}: there is nothing to time")
    machine = Machine.this()
    columns = [column for column in COLUMNS if python or column.function != "python"]
    probe = min(n, 1_000_000)
    calls, tasks = {}, []
    for column in columns:
        call = repeated(partial(FUNCTIONS[column.function], n))
        label = f"{column.title(machine).replace(chr(10), ' ')}, n = {count_in_words(n)}"
        if column.function not in calls:
            _, each = calibrate(repeated(partial(FUNCTIONS[column.function], probe)))
            each *= n / probe
            calls[column.function] = (max(1, round(0.04 / each)), each)
        times, each = calls[column.function]
        if column.threads:
            tasks += [
                threads_task((column.key, count), call, times, each, count, f"{label}, k = {count}") for count in k
            ]
        else:
            tasks.append(row_task(column.key, call, times, each, k[-1], label))
    measured = take_turns(tasks, rounds=rounds, seconds=seconds, progress=progress)
    return GilTable(
        n=n,
        k=k,
        times={
            (column.key, count): Timing(tuple(measured[column.key, count]))
            if column.threads
            else rows_of(measured[column.key], count)
            for column in columns
            for count in k
        },
        calls={function: times for function, (times, _) in calls.items()},
        machine=machine,
    )
