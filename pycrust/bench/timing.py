"""Timing, for all commands: threads that start together, tasks measured in turn, medians."""

import math
import statistics
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple, TypeVar

Clock = Callable[[], float]
Call = Callable[[], object]
Prepare = Callable[[int], Call]  # before the clock starts, prepares so many calls; what it returns makes them

LEAST_ROUNDS = 3  # fewer say nothing about noise


@dataclass(frozen=True)
class Timing:
    """
    Seconds per call, one figure for each round.

    Attributes
    ----------
    rounds : tuple of float
        Seconds per call, in the order measured.
    """

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float | None:
        """The median distance of a round from the median, in seconds; None if there was one round."""
        if len(self.rounds) < 2:
            return None
        middle = self.median
        return statistics.median(abs(seconds - middle) for seconds in self.rounds)

    def to_dict(self) -> dict[str, Any]:
        return {"median": self.median, "spread": self.spread, "rounds": list(self.rounds)}


# ---- threads that start together --------------------------------------------


class Laps(NamedTuple):
    """When a race started, when each runner finished each of its calls, and the CPU time of the process meanwhile."""

    start: float
    ends: list[list[float]]
    cpu: float = 0.0

    @property
    def wall(self) -> float:
        """Seconds from the start to the end of the last call."""
        return max(ends[-1] for ends in self.ends) - self.start

    @property
    def cores(self) -> float:
        """How many cores the process kept busy."""
        return self.cpu / self.wall if self.wall > 0 else 0.0

    def each(self) -> list[float]:
        """Seconds of each call of the first runner."""
        ends = self.ends[0]
        return [end - before for before, end in zip([self.start, *ends], ends, strict=False)]


def race(runners: Sequence[Sequence[Call]], *, clock: Clock = time.perf_counter) -> Laps:
    """
    Make each runner's calls, one after another, in a thread of its own.

    All threads exist and wait at a barrier before the clock starts, so their
    creation is not measured. Calls in a row are a race of one runner, so that they
    differ from calls in threads only in the number of threads.

    Raises
    ------
    BaseException
        Whatever a call raised, once every thread has ended.
    """
    started: list[float] = []
    ends: list[list[float]] = [[] for _ in runners]
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(runners), action=lambda: started.extend([time.process_time(), clock()]))

    def run(calls: Sequence[Call], ends: list[float]) -> None:
        try:
            barrier.wait()
            for call in calls:
                if failures:
                    return
                call()
                ends.append(clock())
        except BaseException as failure:
            failures.append(failure)

    threads = [
        threading.Thread(target=run, args=job, name=f"pycrust-runner-{k}", daemon=True)
        for k, job in enumerate(zip(runners, ends, strict=True))
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException as interrupt:  # Ctrl-C: no thread begins another call
        failures.append(interrupt)
        barrier.abort()
        raise
    if failures:
        raise failures[0]
    cpu, start = started
    return Laps(start, ends, time.process_time() - cpu)


Found = TypeVar("Found")


def in_a_thread(call: Callable[[], Found]) -> Found:
    """What a call gives that is made in a thread of its own, which Ctrl-C does not interrupt half-way."""
    found: list[Found] = []
    race([[lambda: found.append(call())]])
    return found[0]


# ---- enough calls, enough rounds --------------------------------------------


def repeated(call: Call) -> Prepare:
    """The same call, over and over."""

    def prepare(times: int) -> Call:
        if times == 1:
            return call

        def calls() -> None:
            for _ in repeat(None, times):
                call()

        return calls

    return prepare


def calibrate(
    prepare: Prepare, *, at_least: float = 0.02, most: int = 10**9, clock: Clock = time.perf_counter
) -> tuple[int, float]:
    """
    Find how many calls take `at_least` seconds.

    This is also the warm-up. The number is limited to `most`, and so that preparing the calls takes
    no more than twice `at_least`.

    Returns
    -------
    times : int
        At least 1.
    seconds : float
        Approximate duration of one call.
    """
    times = 1
    while True:
        before = clock()
        calls = prepare(times)
        start = clock()
        calls()
        end = clock()
        if end - start >= at_least / 4 or start - before >= at_least / 4 or times >= most:
            seconds = max(end - start, 1e-9) / times
            affordable = 2 * at_least / max((start - before) / times, 1e-12)
            return max(1, math.ceil(min(at_least / seconds, affordable, most))), seconds
        times = min(4 * times, most)


@dataclass(frozen=True)
class Task:
    """Something to measure in turn with others; `seconds` is the approximate duration of one run."""

    key: Hashable
    run: Callable[[], Any]
    seconds: float
    label: str = ""


def take_turns(
    tasks: Iterable[Task],
    *,
    rounds: int,
    seconds: float,
    progress: Callable[[str, float, float], None] = lambda label, done, total: None,
) -> dict[Any, list[Any]]:
    """
    Run every task once, then all again, in turn: so drift of the machine affects all alike.

    Parameters
    ----------
    tasks : iterable of Task
    rounds : int
        Runs of each task, at most.
    seconds : float
        A task is run again only while its runs take about this long together, but at least three times
        if a run takes less than a second.
    progress : callable, optional
        Called with the label of the next task, the expected seconds so far, and those in total.

    Returns
    -------
    dict
        For each task's key the results of its runs.
    """
    tasks = list(tasks)
    least = [LEAST_ROUNDS if task.seconds < 1 else 1 for task in tasks]
    afforded = [int(seconds / max(task.seconds, 1e-9)) for task in tasks]
    runs = [max(1, min(rounds, max(pair))) for pair in zip(least, afforded, strict=True)]
    total = sum(task.seconds * count for task, count in zip(tasks, runs, strict=True))
    done = 0.0
    results: dict[Any, list[Any]] = {task.key: [] for task in tasks}
    for turn in range(max(runs, default=0)):
        for task, count in zip(tasks, runs, strict=True):
            if turn < count:
                progress(task.label, done, total)
                results[task.key].append(task.run())
                done += task.seconds
    progress("", total, total)
    return results


class Control(NamedTuple):
    """
    The speed-up of threads of plain C that never need the GIL, measured in turn with everything else.

    It shows whether the machine had cores to spare: if these threads gain nothing, no speed-up means anything.

    Attributes
    ----------
    k : int
        The number of threads.
    speedup : float
        Over as many calls in a row.
    cores : float
        How many cores the calls in a row had: below 1, something else used the core for some of the time.
    """

    k: int
    speedup: float
    cores: float

    @property
    def tells(self) -> bool:
        """Whether the machine was quiet enough for speed-ups to mean something."""
        return self.speedup >= (1 + self.k) / 2 and self.cores >= 0.8

    def in_words(self) -> str:
        """Why speed-ups mean nothing, where they do not."""
        return (
            f"other processes use the cores: {self.k} threads of plain C, which needs no GIL, gain only "
            f"×{self.speedup:.2f}, and calls in a row had {self.cores:.2f} of a core. The speed-ups here mean nothing"
        )


# ---- k calls in a row, and in k threads -------------------------------------

Seen = Callable[[Laps], object]


def ignore(laps: Laps) -> None:
    """Ignore the laps."""


def row_task(
    key: Hashable, prepare: Prepare, times: int, seconds: float, most: int, label: str = "", seen: Seen = ignore
) -> Task:
    """`most` calls in a row; a run returns the seconds of each, and passes its laps to `seen`."""

    def run() -> list[float]:
        laps = race([[prepare(times) for _ in range(most)]])
        seen(laps)
        return [lap / times for lap in laps.each()]

    return Task(key, run, seconds * times * most, label)


def threads_task(
    key: Hashable, prepare: Prepare, times: int, seconds: float, k: int, label: str = "", seen: Seen = ignore
) -> Task:
    """The call in k threads; a run returns the wall time divided by the number of calls, and passes its laps to `seen`."""

    def run() -> float:
        laps = race([[prepare(times)] for _ in range(k)])
        seen(laps)
        return laps.wall / times / k

    return Task(key, run, seconds * times * k, label)


def rows_of(laps: Iterable[Sequence[float]], k: int) -> Timing:
    """The time per call of k calls in a row, from longer rows, each cut into groups of k."""
    return Timing(tuple(sum(row[first : first + k]) / k for row in laps for first in range(0, len(row) - k + 1, k)))
