"""What does releasing the GIL gain? One workload, k calls in a row and in k threads."""

import statistics
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
    speedup_cell,
)
from pycrust.bench.timing import (
    Control,
    Laps,
    Timing,
    calibrate,
    ignore,
    repeated,
    row_task,
    rows_of,
    take_turns,
    threads_task,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

N = 100_000_000
PYTHON_N = 2_000_000  # the loop in Python is timed up to here: it takes as long for each number after that
K = (1, 2, 4)


def python_sum_of_squares(n: int) -> int:
    """1² + 2² + … + n² as a loop in Python, for comparison with the C functions."""
    total = 0
    for i in range(1, n + 1):
        total += i * i
    return total


@dataclass(frozen=True)
class Column:
    """
    A function, and whether its k calls run in a row or in k threads.

    The second head, and the second name of what is called, are for a free-threaded
    build, where threads that hold "the GIL" still run in parallel.
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
    python_n : int
        The n at which Python was timed; if it is less than `n`, its times are scaled up by n / python_n.
    control : Control or None
        The speed-up of threads that release the GIL, and how many cores the calls in a row had; None if no k from 2 to
        the number of cores was tried.
    """

    schema = "pycrust.bench.gil_table"

    n: int
    k: tuple[int, ...]
    times: dict[tuple[str, int], Timing]
    calls: dict[str, int]
    machine: Machine
    python_n: int = 0
    control: Control | None = None
    created: str = field(default_factory=now)

    def __post_init__(self) -> None:
        self.python_n = self.python_n or self.n

    @property
    def columns(self) -> list[Column]:
        return [column for column in COLUMNS if (column.key, self.k[0]) in self.times]

    def speedup(self, column: str, k: int) -> float:
        """How many times as fast k threads are as the same function's calls in a row."""
        in_a_row = {"threaded_python": "python"}.get(column, "c")
        return self.times[in_a_row, k].median / self.times[column, k].median

    def doubt(self) -> str | None:
        """Why the speed-ups mean nothing, if other processes used the cores; else None."""
        if self.control is None:
            return None
        if not self.control.tells:
            return self.control.in_words()
        for column in self.columns:
            gain = self.speedup(column.key, self.control.k) if column.threads else 1
            if self.machine.gil_enabled and column.function != "c_nogil" and gain > 1.2:
                return (
                    f"{self.control.k} threads of {column.in_words(self.machine)} seem to gain ×{gain:.2f}, which the GIL "
                    "rules out: other processes used the cores for some of the time. The speed-ups here mean nothing"
                )
        return None

    def tables(self) -> list[Table]:
        rows = []
        doubtful = self.doubt() is not None
        for k in self.k:
            cells: list[Cell | str] = [str(k)]
            for column in self.columns:
                timing = self.times[column.key, k]
                small = [f"±{timing.spread / timing.median:.0%}"] if timing.spread is not None else []
                good = False
                if column.threads:
                    gain = speedup_cell(self.speedup(column.key, k), k, doubtful)
                    small.append(gain.main)
                    good = gain.good and self.control is not None
                cells.append(Cell(seconds_in_words(timing.median), "  ".join(small), good))
            rows.append(cells)
        table = Table(
            title=f"1² + 2² + … + n² for n = {count_in_words(self.n)}: time per call",
            header=self.machine.lines(),
            columns=["k", *(column.title(self.machine) for column in self.columns)],
            rows=rows,
            notes=[
                "Time of k calls, divided by k: median of the rounds ± median deviation.",
                *self.scaled(),
                "× is how many times as fast k threads are as k calls in a row.",
                *self.in_words(),
            ],
            warnings=self.warnings(),
        )
        return [table]

    def scaled(self) -> list[str]:
        """That the times of Python were measured at a smaller n, in a sentence."""
        if self.python_n == self.n or not any(column.function == "python" for column in self.columns):
            return []
        return [
            f"Python was timed at n = {count_in_words(self.python_n)} and scaled up by {self.n / self.python_n:g}: "
            "--full times it at n itself."
        ]

    def in_words(self) -> list[str]:
        """What the table shows, in a sentence."""
        k = max((k for k in self.k if k <= self.machine.cores), default=1)
        if k == 1:
            return []
        if self.doubt():
            return ["?: this speed-up means nothing, see the warning. Measure again when the machine is quiet."]
        speedups = [
            f"×{self.speedup(column.key, k):.2f} for {column.in_words(self.machine)}"
            for column in self.columns
            if column.threads
        ]
        return [f"Here {k} threads give {', '.join(speedups)}."]

    def warnings(self) -> list[str]:
        cores = self.machine.cores
        above = [k for k in self.k if k > cores]
        doubt = self.doubt()
        warnings = [*([doubt] if doubt else []), *self.machine.warnings()]
        if above:
            warnings.append(
                f"k = {', '.join(map(str, above))} is more than the {self.machine.cores_in_words}: "
                f"expect no more than ×{cores}"
            )
        return warnings

    def figures(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "python_n": self.python_n,
            "control": self.control and {**self.control._asdict(), "tells": self.control.tells},
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
        plots.threads_axes(right, k, self.machine.cores, self.doubt() is not None)
        plots.legend(figure)
        plots.caption(
            figure,
            f"1² + … + n², n = {count_in_words(self.n)} · {self.machine.python}, {self.machine.gil} · "
            f"{self.machine.cores_in_words} · SIMD {self.machine.simd}"
            + "".join(f"\n{line}" for line in self.scaled()),
            self.warnings(),
        )


def gil_table(
    n: int = N,
    k: Sequence[int] = K,
    *,
    rounds: int = 7,
    seconds: float = 2.0,
    python: bool = True,
    full: bool = False,
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
        together, but three times if one takes less than a second.
    python : bool, optional
        Whether to measure the pure Python function, which takes most of the time.
    full : bool, optional
        Whether to time pure Python at `n` itself. By default it is timed at n = 2 000 000 if `n` is larger,
        and its times are scaled up; the table says so.
    progress : callable, optional
        Called with the label of the next measurement, the expected seconds so far, and those in total.

    Returns
    -------
    GilTable
        The result is displayed as a table; `plot` draws it, `to_dict` is for JSON.

    Notes
    -----
    The threads of a measurement exist and wait at a barrier before its clock
    starts. The k calls in a row run in a thread, too, so that the columns
    differ only in the number of threads. All measurements are repeated in turn.

    If two threads of C that releases the GIL gain less than ×1.5, or the calls in a row had less than 0.8 of a core, or threads that
    hold the GIL seem to gain, other processes used the cores: then the speed-ups mean nothing, and the table says so.

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
    python_n = n if full else min(n, PYTHON_N)
    calls, tasks, in_a_row = {}, [], list[Laps]()
    for column in columns:
        size = python_n if column.function == "python" else n
        call = repeated(partial(FUNCTIONS[column.function], size))
        label = column.title(machine).replace("\n", " ")
        if column.function not in calls:
            probe = min(size, 1_000_000)
            _, each = calibrate(repeated(partial(FUNCTIONS[column.function], probe)))
            each *= size / probe
            calls[column.function] = (max(1, round(0.04 / each)), each)
        times, each = calls[column.function]
        if column.threads:
            tasks += [
                threads_task((column.key, count), call, times, each, count, f"{label}, k = {count}") for count in k
            ]
        else:
            seen = in_a_row.append if column.function == "c" else ignore
            tasks.append(row_task(column.key, call, times, each, k[-1], label, seen))
    measured = take_turns(tasks, rounds=rounds, seconds=seconds, progress=progress)

    def timing(column: Column, count: int) -> Timing:
        key = column.key
        found = Timing(tuple(measured[key, count])) if column.threads else rows_of(measured[key], count)
        if column.function != "python" or python_n == n:
            return found
        return Timing(tuple(seconds * n / python_n for seconds in found.rounds))

    result = GilTable(
        n=n,
        k=k,
        times={(column.key, count): timing(column, count) for column in columns for count in k},
        calls={function: times for function, (times, _) in calls.items()},
        machine=machine,
        python_n=python_n,
    )
    checked = next((count for count in k if 2 <= count <= machine.cores), 0)
    if checked:
        cores = statistics.median(laps.cores for laps in in_a_row)
        result.control = Control(checked, result.speedup("threaded_c_nogil", checked), cores)
    return result
