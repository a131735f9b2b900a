"""From which size on does releasing the GIL pay off?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

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

SIZES = tuple(round(10 ** (k / 2)) for k in range(2, 15))  # 10, 32, 100, … 10⁷

FASTER = 1.1  # from which ratio on threads count as faster: less is noise


def _data(size: int) -> np.ndarray[Any, Any]:
    return np.ones(size)


# By family: a title, and by label the function and what makes its argument for a size.
FAMILIES: dict[str, tuple[str, dict[str, tuple[Callable[[Any], object], Callable[[int], Any]]]]] = {
    "range": (
        "1² + 2² + … + n²",
        {"held": (pycrust.sum_of_squares, int), "released": (pycrust.threadable_sum_of_squares, int)},
    ),
    "data": ("sumsq of n float64, which releases the GIL from some n on", {"sumsq": (pycrust.sumsq, _data)}),
}


@dataclass(repr=False)
class BreakEven(Result):
    """
    The times of `break_even`.

    Attributes
    ----------
    k : int
        The number of threads.
    sizes : tuple of int
    times : dict
        ``times[family, label, size, threads]`` is the `Timing` of a call, in seconds; threads
        is 1 or k. Families and labels: range with held and released, data with sumsq.
    """

    schema = "pycrust.bench.break_even"

    k: int
    sizes: tuple[int, ...]
    times: dict[tuple[str, str, int, int], Timing]
    machine: Machine
    created: str = field(default_factory=now)

    def gain(self, family: str, size: int, label: str | None = None) -> float:
        """How many times as fast k threads are as one thread (which holds the GIL if there is a choice)."""
        labels = list(FAMILIES[family][1])
        alone = self.times[family, labels[0], size, 1].median
        return alone / self.times[family, label or labels[-1], size, self.k].median

    def pays_from(self, family: str) -> int | None:
        """The smallest size from which on k threads are faster by a tenth, at every larger size, too; or None."""
        first = None
        for size in reversed(self.sizes):
            if self.gain(family, size) < FASTER:
                break
            first = size
        return first

    def cost(self) -> float:
        """Seconds that releasing the GIL and acquiring it again adds to a call in one thread."""
        smallest = self.sizes[0]
        held, released = (self.times["range", label, smallest, 1].median for label in ("held", "released"))
        return released - held

    def tables(self) -> list[Table]:
        tables: list[Table] = []
        for family, (title, calls) in FAMILIES.items():
            columns = [(label, threads) for label in calls for threads in (1, self.k)]
            rows: list[list[Cell | str]] = [
                [
                    count_in_words(size),
                    *(seconds_in_words(self.times[family, label, size, threads].median) for label, threads in columns),
                    Cell(f"×{self.gain(family, size):.2f}", good=self.gain(family, size) > 1.2),
                ]
                for size in self.sizes
            ]
            tables.append(
                Table(
                    title=f"{title}: time per call",
                    header=self.machine.lines() if not tables else [],
                    columns=[
                        "n",
                        *(f"{label},\n{threads} thread{'s' * (threads > 1)}" for label, threads in columns),
                        "gain",
                    ],
                    rows=rows,
                )
            )
        tables[-1].notes = self.in_words()
        tables[-1].warnings = self.machine.warnings()
        return tables

    def in_words(self) -> list[str]:
        lines = [
            f"In one thread, releasing the GIL and acquiring it again costs {seconds_in_words(max(0.0, self.cost()))} per call."
        ]
        for family, (title, _) in FAMILIES.items():
            first = self.pays_from(family)
            lines.append(
                f"{title.partition(',')[0]}: {self.k} threads "
                + (f"are faster from n = {count_in_words(first)} on." if first else "are never faster here.")
            )
        return [*lines, "gain: how many times as fast the last column of times is as the first."]

    def figures(self) -> dict[str, Any]:
        return {
            "unit": "seconds per call",
            "threads": self.k,
            "cost_of_releasing": self.cost(),
            "pays_from": {family: self.pays_from(family) for family in FAMILIES},
            "warnings": self.machine.warnings(),
            "entries": [
                {"family": family, "function": label, "n": size, "threads": threads, **timing.to_dict()}
                for (family, label, size, threads), timing in self.times.items()
            ],
        }

    def draw(self, figure: "Figure") -> None:
        """One panel per family: how many times as fast as one thread with the GIL held, over n."""
        styles = {
            "held": (plots.VERMILION, "s", "--"),
            "released": (plots.BLUE, "D", "-"),
            "sumsq": (plots.BLUE, "D", "-"),
        }
        panels = figure.subplots(1, len(FAMILIES), sharey=True)
        for axes, (family, (title, calls)) in zip(panels, FAMILIES.items(), strict=True):
            for label in calls:
                colour, marker, line = styles[label]
                gains = [self.gain(family, size, label) for size in self.sizes]
                axes.plot(
                    self.sizes, gains, color=colour, linestyle=line, marker=marker, linewidth=2, markersize=6,
                    label=f"{label}, {self.k} threads",
                )  # fmt: skip
            axes.axhline(1, color=plots.GREY, linewidth=1)
            first = self.pays_from(family)
            if first:
                axes.axvline(first, color=plots.GREY, linestyle=":", linewidth=1.5)
                axes.annotate(
                    f" threads pay off from \n n = {count_in_words(first)} ", (first, 0.02),
                    xycoords=("data", "axes fraction"), fontsize=10, color=plots.GREY, va="bottom",
                    ha="left" if first**2 < self.sizes[0] * self.sizes[-1] else "right",
                )  # fmt: skip
            axes.set_xscale("log")
            axes.set_xlabel("n")
            axes.set_title(title.partition(",")[0], loc="left")
            plots.plain(axes)
        panels[0].set_ylim(0, max(2.0, panels[0].dataLim.y1, panels[1].dataLim.y1) * 1.12)
        panels[0].set_ylabel("times as fast as one thread")
        plots.legend(figure)
        plots.caption(
            figure,
            f"{self.machine.python}, {self.machine.gil} · {self.machine.cores_in_words} · SIMD {self.machine.simd}",
        )


def break_even(
    sizes: Sequence[int] = SIZES,
    k: int | None = None,
    *,
    rounds: int = 5,
    seconds: float = 0.5,
    progress: Progress = no_progress,
) -> BreakEven:
    """
    Find the size from which on releasing the GIL pays off.

    Short calls are repeated in one thread and in k threads, holding the GIL and
    releasing it. Releasing it costs some tens of nanoseconds if no other thread wants it, and
    some microseconds if one does: so it pays off only for calls that take longer.

    Parameters
    ----------
    sizes : sequence of int, optional
        The n to try: for `sum_of_squares`, and as the length of the array for `sumsq`.
    k : int, optional
        The number of threads: by default the usable cores, at least 2.
    rounds, seconds : optional
        As for `gil_table`.
    progress : callable, optional
        Called with the label of the next measurement, the expected seconds so far, and those in total.

    Returns
    -------
    BreakEven
        The result is displayed as tables; `plot` draws it, `to_dict` is for JSON.

    Raises
    ------
    ValueError
        If there are no sizes, one is less than 1, or k is less than 2.
    """
    machine = Machine.this()
    k = max(2, machine.cores) if k is None else k
    sizes = tuple(sorted(set(sizes)))
    if not sizes or sizes[0] < 1:
        raise ValueError(f"sizes must be numbers from 1 up, not {list(sizes)}")
    if k < 2:
        raise ValueError(f"k must be 2 or more, not {k}: so many threads are compared with one")
    tasks = []
    for family, (_, calls) in FAMILIES.items():
        for size in sizes:
            for label, (func, argument) in calls.items():
                call = repeated(partial(func, argument(size)))
                times, each = calibrate(call)
                key, name = (family, label, size), f"{label}, n = {count_in_words(size)}"
                tasks.append(row_task((*key, 1), call, times, each, 1, f"{name}, 1 thread"))
                tasks.append(threads_task((*key, k), call, times, each, k, f"{name}, {k} threads"))
    measured = take_turns(tasks, rounds=rounds, seconds=seconds, progress=progress)
    times_of = {
        key: rows_of(results, 1) if key[-1] == 1 else Timing(tuple(results)) for key, results in measured.items()
    }
    return BreakEven(k, sizes, times_of, machine)
