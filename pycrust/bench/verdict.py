"""Does a function release the GIL, and what do k threads of it gain?"""

import inspect
import math
import operator
import statistics
import sys
import time
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
    three_digits,
)
from pycrust.bench.timing import (
    Control,
    Laps,
    Prepare,
    Task,
    Timing,
    calibrate,
    in_a_thread,
    repeated,
    row_task,
    rows_of,
    take_turns,
    threads_task,
)
from pycrust.bench.waits import NOTICEABLE, Waits, waits_during

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOLDS, RELEASES, PARTLY, DISAGREE, TOO_SHORT = "holds", "releases", "partly", "signs disagree", "too short"

RELEASES_UP_TO = 0.15  # of the time other threads had to wait
HOLDS_FROM = 0.8  # from here on two threads gain at most a quarter
NEAR = 0.05  # so near to one of the two the next measurement may say otherwise
SHORTEST = 1e-5  # seconds: for shorter calls the Python loop around them takes too large a share
WINDOW = 0.1  # seconds: shorter calls are repeated for this long
LEAST_WINDOW = 0.005  # seconds: too few random requests fall into less
MAX_INPUTS = 100_000  # created ahead for one run: they are in memory together
PLAIN_N = 20_000_000  # of the plain C that shows what threads can gain on this machine


@dataclass(repr=False)
class Threadable(Result):
    """
    The verdict of `threadable`, with its measurements.

    Attributes
    ----------
    name : str
        Name of the function.
    verdict : str
        ``'holds'``, ``'releases'``, ``'partly'``, ``'signs disagree'`` or ``'too short'``.
    by_share : str
        The verdict by the share of the time alone, whatever the speed-up.
    in_turns : bool
        Whether a call that holds the GIL releases it now and then, as Python code
        does, rather than holding it from beginning to end.
    seconds : float
        Duration of one call.
    stalled : float
        The share of the time for which another Python thread had to wait.
    near : float or None
        The limit to which the share is so near (5 % of the time) that the next measurement may say otherwise.
    interval : tuple of float
        The smallest and the largest share of the rounds.
    longest_stall : float
        The longest wait, in seconds.
    idle_stalled, idle_longest_stall : float
        The same while nothing ran: the noise floor.
    at_most : float
        The largest speed-up that this share and the number of cores allow.
    row, threads : dict
        For each k the `Timing` of k calls in a row, and in k threads, per call.
    row_cores : float
        How many cores the calls in a row kept busy.
    threads_cores : dict
        For each k how many cores the calls in k threads kept busy.
    control : Control or None
        The speed-up of plain C, measured in turn; None if no k from 2 to the number of cores was tried.
    """

    schema = "pycrust.bench.threadable"

    name: str
    seconds: float
    calls: int
    runs: list[Waits]
    idle: list[Waits]
    machine: Machine
    row: dict[int, Timing] = field(default_factory=dict)
    threads: dict[int, Timing] = field(default_factory=dict)
    row_cores: float = 0.0
    threads_cores: dict[int, float] = field(default_factory=dict)
    control: Control | None = None
    notes: list[str] = field(default_factory=list)
    created: str = field(default_factory=now)
    switch_interval: float = field(default_factory=sys.getswitchinterval)

    def __post_init__(self) -> None:
        self.noticeable = max(NOTICEABLE, 2 * min(run.usual() for run in self.idle))
        self.run, self.idle_run = self._typical(self.runs), self._typical(self.idle)
        self.stalled = self.run.stalled(self.noticeable)
        self.longest_stall = self.run.longest_stall()
        self.idle_stalled = self.idle_run.stalled(self.noticeable)
        self.idle_longest_stall = self.idle_run.longest_stall()

    def _typical(self, runs: list[Waits]) -> Waits:
        """The run whose share is the median, of those that say something."""
        telling = sorted((run for run in runs if run.tells), key=lambda run: run.stalled(self.noticeable))
        return telling[(len(telling) - 1) // 2] if telling else runs[0]

    @property
    def by_share(self) -> str:
        if self.seconds * self.calls < LEAST_WINDOW or not self.run.tells:
            return TOO_SHORT
        if self.stalled <= RELEASES_UP_TO:
            return RELEASES
        if self.seconds < SHORTEST:
            return TOO_SHORT
        return HOLDS if self.stalled >= HOLDS_FROM else PARTLY

    @property
    def verdict(self) -> str:
        too_little, too_much = self._against_the_share()
        return DISAGREE if too_little or too_much else self.by_share

    @property
    def near(self) -> float | None:
        if self.by_share == TOO_SHORT:
            return None
        return next((limit for limit in (RELEASES_UP_TO, HOLDS_FROM) if abs(self.stalled - limit) <= NEAR), None)

    @property
    def interval(self) -> tuple[float, float]:
        shares = [run.stalled(self.noticeable) for run in self.runs if run.tells] or [self.stalled]
        return min(shares), max(shares)

    def meets(self, expected: str, margin: float = 0.0) -> bool:
        """Whether this is the verdict, or the share misses its limit by a margin at most."""
        if self.verdict in (DISAGREE, TOO_SHORT):
            return False
        within = (
            self.stalled <= RELEASES_UP_TO + margin if expected == RELEASES else self.stalled >= HOLDS_FROM - margin
        )
        return self.verdict == expected or within

    def _against_the_share(self) -> tuple[bool, bool]:
        """Whether threads gain far less than the share of the time allows, and whether they gain far more."""
        if self.control is None or not self.control.tells or self.by_share == TOO_SHORT:
            return False, False
        if not self.machine.gil_enabled:  # who stays attached keeps nobody from running
            return False, False
        gain = self.speedup(self.control.k)
        possible = min(self.at_most, self.control.speedup)
        return possible >= 1.5 and gain < 1 + (possible - 1) / 4, gain * self.stalled > 1.3

    @property
    def at_most(self) -> float:
        return min(1 / max(self.stalled, 1e-9), self.machine.cores)

    @property
    def in_turns(self) -> bool:
        longest = max((wait.end - wait.begin for _, _, wait in self.run.spans()), default=0.0)
        return (
            self.verdict == HOLDS
            and self.seconds >= 4 * self.switch_interval  # in a shorter call nobody is asked to hand it over
            and longest < self.seconds / 2
        )

    def speedup(self, k: int) -> float:
        """How many times as fast k threads are as k calls in a row."""
        return self.row[k].median / self.threads[k].median

    @property
    def speedups_doubtful(self) -> bool:
        """Whether other processes used the cores, so that speed-ups mean nothing."""
        return self.control is not None and not self.control.tells

    def efficiency(self, k: int) -> float:
        """The speed-up as a share of what the usable cores allow."""
        return self.speedup(k) / min(k, self.machine.cores)

    def headline(self) -> str:
        """The verdict in a few words."""
        if self.verdict == TOO_SHORT:
            return "is too short to tell"
        if self.verdict == DISAGREE:
            return "gives two signs that disagree"
        if not self.machine.gil_enabled:
            return {HOLDS: "stays attached", RELEASES: "detaches", PARTLY: "stays attached for part of its time"}[
                self.verdict
            ]
        if self.in_turns:
            return "holds the GIL, in turns"
        return {HOLDS: "holds the GIL", RELEASES: "releases the GIL", PARTLY: "releases the GIL for part of its time"}[
            self.verdict
        ]

    def details(self) -> list[str]:
        """What the verdict means for the caller."""
        if self.seconds * self.calls >= LEAST_WINDOW and not self.run.tells:
            return ["The machine is so busy that the asking thread had no core: measure again when it is quiet."]
        if self.verdict == TOO_SHORT:
            enough = max(SHORTEST, LEAST_WINDOW / self.calls)
            return [
                f"A call takes {seconds_in_words(self.seconds)}. Give it {math.ceil(enough / self.seconds)} times the "
                f"work or more, so that it takes {seconds_in_words(enough)}."
            ]
        waited = f"{self.stalled:.0%} of the time, {seconds_in_words(self.longest_stall)} at most"
        if not self.machine.gil_enabled:
            return [
                f"A pause of all threads, as a garbage collection needs, waited {waited}.",
                *(["There is no GIL: other threads run on while it is attached."] if self.verdict != RELEASES else []),
            ]
        details = [f"Other Python threads waited {waited}."]
        if self.near is not None:
            low, high = self.interval
            details.append(
                f"That is near the limit of {self.near:.0%}: {low:.0%} to {high:.0%} in {len(self.runs)} rounds."
            )
        if self.verdict == DISAGREE:
            details += self._disagreement()
        elif self.verdict == PARTLY:
            gained = ""
            if self.control is not None and self.control.tells:
                gained = f"; {self.control.k} gained ×{self.speedup(self.control.k):.2f} here"
            details.append(f"Threads of it gain ×{three_digits(self.at_most)} at most{gained}.")
        elif self.verdict == HOLDS:
            if self.in_turns:
                details.append(
                    "It runs Python code, or holds the GIL for a short while at a time: other threads get their turn, but "
                    "only one runs at a time."
                )
            details.append("Threads of it gain next to nothing.")
        return details

    def _disagreement(self) -> list[str]:
        """What each sign says, and what may be the reason."""
        assert self.control is not None
        k, plain = self.control.k, self.control.speedup
        gain, busy = self.speedup(k), self.threads_cores[k]
        too_little, _ = self._against_the_share()
        if not too_little:
            return [
                f"By that, threads of it gain ×{three_digits(self.at_most)} at most; but {k} threads of it gained "
                f"×{gain:.2f}.",
                "The reason may be: its calls differ (a cache, a first call that prepares the others), or other "
                "processes used the cores for some of the time.",
            ]
        if self.row_cores >= 1.5:
            reason = (
                f"a call keeps {self.row_cores:.1f} cores busy by itself: it has threads of its own (a BLAS, for one, "
                "has as many as OMP_NUM_THREADS says)"
            )
        elif busy < 0.75 * k:
            reason = (
                f"{k} threads of it kept only {busy:.1f} cores busy: they wait for one another, for the GIL many "
                "times for a short while, for another lock, or for a file or device"
            )
        else:
            reason = (
                f"{k} threads of it kept {busy:.1f} cores busy and got no more done: they share another resource, such as "
                "memory bandwidth, or pages that the operating system has to provide"
            )
        return [
            f"By that, {k} threads of it could gain ×{three_digits(min(self.at_most, plain))}, as far as {k} threads of "
            f"plain C gain ×{plain:.2f} here; but they gained ×{gain:.2f}.",
            f"The reason may be: {reason}.",
        ]

    def in_words(self) -> str:
        """The verdict in sentences."""
        return " ".join([f"{self.name} {self.headline()}.", *self.details()])

    def tables(self) -> list[Table]:
        waits = Table(
            title=f"{self.name} {self.headline()}",
            header=self.machine.lines(),
            columns=["another Python thread", "asked", "had to wait", "longest wait", "a call"],
            rows=[
                ["while it runs", *self._cells(self.run), seconds_in_words(self.seconds)],
                ["while nothing runs", *self._cells(self.idle_run), "—"],
            ],
            notes=[*self.details(), *self.notes],
        )
        if not self.row:
            waits.warnings = self.warnings()
            return [waits]
        scaling = Table(
            title="k calls: time of all, divided by k",
            columns=["k", "in a row", "in k threads", "speed-up", "efficiency"],
            rows=[
                [
                    str(k),
                    *(
                        Cell(
                            seconds_in_words(timing.median)
                            + (f" ±{timing.spread / timing.median:.0%}" if timing.spread is not None else "")
                        )
                        for timing in (self.row[k], self.threads[k])
                    ),
                    speedup_cell(self.speedup(k), k, self.speedups_doubtful),
                    f"{self.efficiency(k):.0%}",
                ]
                for k in self.row
            ],
            notes=[
                "Efficiency: the speed-up as a share of k, or of the usable cores if they are fewer.",
                *(
                    [f"{self.control.k} threads of plain C, which needs no GIL, gain ×{self.control.speedup:.2f} here."]
                    if self.control
                    else []
                ),
            ],
            warnings=self.warnings(),
        )
        return [waits, scaling]

    def _cells(self, run: Waits) -> list[Cell | str]:
        times = len(run.during())
        return [
            f"{count_in_words(times)} time{'s' * (times != 1)}",
            f"{run.stalled(self.noticeable):.1%} of the time",
            seconds_in_words(run.longest_stall()),
        ]

    def warnings(self) -> list[str]:
        warnings = self.machine.warnings()
        if self.idle_stalled > RELEASES_UP_TO:
            warnings.append(
                "the machine is so busy that threads have to wait even while nothing runs: do not trust this verdict"
            )
        if self.control and self.speedups_doubtful:
            warnings.append(f"{self.control.in_words()}: the verdict rests on the waits alone")
        return warnings

    def figures(self) -> dict[str, Any]:
        return {
            "function": self.name,
            "verdict": self.verdict,
            "by_share": self.by_share,
            "in_turns": self.in_turns,
            "in_words": self.in_words(),
            "unit": "seconds",
            "seconds_per_call": self.seconds,
            "calls_per_round": self.calls,
            "stalled": self.stalled,
            "stalled_interval": list(self.interval),
            "near_limit": self.near,
            "longest_stall": self.longest_stall,
            "idle_stalled": self.idle_stalled,
            "idle_longest_stall": self.idle_longest_stall,
            "gain_at_most": self.at_most,
            "noticeable": self.noticeable,
            "rounds": [
                {
                    "asked": len(run.during()),
                    "stalled": run.stalled(self.noticeable),
                    "longest_stall": run.longest_stall(),
                    "no_core": run.no_core(),
                }
                for run in self.runs
            ],
            "switch_interval": self.switch_interval,
            "notes": self.notes,
            "warnings": self.warnings(),
            "cores_in_a_row": self.row_cores,
            "control": self.control and {**self.control._asdict(), "tells": self.control.tells},
            "scaling": [
                {
                    "k": k,
                    "in_a_row": self.row[k].to_dict(),
                    "in_threads": self.threads[k].to_dict(),
                    "speedup": self.speedup(k),
                    "efficiency": self.efficiency(k),
                    "cores_in_threads": self.threads_cores[k],
                }
                for k in self.row
            ],
        }

    def draw(self, figure: "Figure") -> None:
        """On the left when another thread asked and waited, and below that how it should be; on the right what threads gain."""
        if self.row:
            left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
        else:
            left, right = figure.subplots(), None
        rows = [("while\nnothing runs", self.idle_run), ("while\nit runs", self.run)]
        length = min(self.run.seconds, self.idle_run.seconds)
        for height, (_, run) in enumerate(rows):
            spans = [span for span in run.spans() if span[1].begin < length]
            waited = [ask.found_held(self.noticeable) for ask, _, _ in spans]
            moments = [wait.begin for _, _, wait in spans]
            left.vlines(
                [1e3 * at for at, held in zip(moments, waited, strict=True) if not held], height - 0.3, height + 0.3,
                color=plots.BLUE, linewidth=0.8, label="it got the GIL",
            )  # fmt: skip
            left.broken_barh(
                [
                    (1e3 * wait.begin, max(1e3 * (wait.end - wait.begin), length))  # as wide as a line, at least
                    for (_, _, wait), held in zip(spans, waited, strict=True)
                    if held
                ],
                (height - 0.3, 0.6), color=plots.VERMILION, linewidth=0, label="it had to wait",
            )  # fmt: skip
            left.broken_barh(
                [
                    (1e3 * span.begin, 1e3 * (span.end - span.begin))
                    for _, *pair in spans
                    for span in pair
                    if span.delay > max(0.5 * (span.end - span.begin), 0.002 * length)
                ],
                (height - 0.3, 0.6), color=plots.GREY, alpha=0.35, linewidth=0, label="it had no core",
            )  # fmt: skip
        left.set_yticks(range(len(rows)), [label for label, _ in rows])
        left.set_ylim(-0.6, len(rows) - 0.4)
        left.set_xlim(0, 1e3 * length)
        left.set_xlabel("time / ms")
        left.set_title("Another Python thread asks for the GIL", loc="left")
        plots.plain(left)
        left.grid(False)
        if right is not None:
            k = list(self.row)
            right.plot(
                k, [self.speedup(each) for each in k],
                color=plots.BLUE, marker="D", linewidth=2, markersize=7, label="k threads of it",
            )  # fmt: skip
            plots.threads_axes(right, k, self.machine.cores, self.speedups_doubtful)
        plots.legend(figure)
        plots.caption(
            figure,
            f"{self.machine.python}, {self.machine.gil} · {self.machine.cores_in_words} · a call takes "
            f"{seconds_in_words(self.seconds)}",
            self.warnings(),
        )
        plots.title(figure, f"{self.name} {self.headline()}")


def threadable(
    func: Callable[..., object],
    *args: Any,
    threads: Sequence[int] | None = None,
    factory: Callable[[], tuple[Any, ...]] | None = None,
    rounds: int | None = None,
    seconds: float | None = None,
    name: str | None = None,
    progress: Progress | None = None,
    **kwargs: Any,
) -> Threadable:
    """
    Tell whether a function releases the GIL, and how much faster k threads of it are than k calls in a row.

    Two independent measurements check each other. *Waits*: a thread asks
    for the GIL at random moments while the function runs in another thread, and again
    while nothing runs. This works even on one core, and on a busy machine. And the *speed-up* of k
    calls in k threads over k calls in a row, beside that of plain C.

    Parameters
    ----------
    func : callable
        It is called many times, in threads other than the main thread.
    *args, **kwargs
        Its arguments. The keywords named below are options of `threadable` itself; if `func` has a parameter of the
        same name, bind it with ``functools.partial(func, name=value)``.
    threads : sequence of int, optional
        The numbers of threads to try, by default 1, 2 and 4; ``()`` for the waits alone.
    factory : callable, optional
        Called without arguments, before the clock starts, once for each call. It returns a tuple of arguments
        that follow `args`, so that each call has its own input, which it may consume or
        change. The inputs of one run are in memory together.
    rounds : int, optional
        Rounds of each measurement, at most: by default 5.
    seconds : float, optional
        A measurement is repeated only while its rounds take about this long together: by default 2 seconds.
    name : str, optional
        The function's name in the report.
    progress : callable, optional
        Called with what is measured next and the seconds done and in all.

    Returns
    -------
    Threadable
        `verdict` is ``'holds'``, ``'releases'``, ``'partly'``, ``'signs disagree'`` or ``'too short'``. The
        result is displayed as a table; `plot` draws it, `to_dict` is for JSON.

    Raises
    ------
    TypeError
        If a keyword is both an option of `threadable` and a parameter of `func`, or if `func` is an ``async def`` or a
        generator function: a call of one runs nothing yet.
    Exception
        Whatever the function raises.

    See Also
    --------
    assert_releases_gil : For a test.

    Notes
    -----
    The verdict is based on the share of the time for which another thread had to wait: up to 15 %
    is *releases*, from 80 % on *holds*; the median round counts. The share is estimated by (sum of the waits + p ×
    sum of the sleeps between them) / sum of both, where p is the share of requests that found the GIL held. Where the state
    of the lock can be read (CPython 3.11 to 3.14 on Linux), p needs no threshold, so that holds of a microsecond
    count; elsewhere a wait counts if it is longer than 5 µs and longer than twice those while nothing runs. The part of a wait
    for which the thread had no core is excluded, as far as Linux reports it; so are requests that found the GIL free because
    the function's thread, which had been made to release it, had no core to take it back.

    *signs disagree*: the smallest number of threads tried (from 2 up to the cores) gains next to nothing, though the share
    allows a speed-up of 1.5 or more; or it gains 30 % more than the share allows. The report has both measurements, and a likely
    reason. The speed-up counts only if plain C gains in threads, and has a core of its own.

    A call of less than 10 µs that seems to hold the GIL is too short to tell: the loop that repeats it is Python code.

    Python code holds the GIL, but the interpreter asks it to release it every
    ``sys.getswitchinterval()`` (5 ms): such a function holds the GIL *in turns*.

    On a free-threaded interpreter each request pauses all threads for an instant; ``'holds'`` then means that the
    function stays attached, so that a garbage collection waits for it, and ``'releases'`` that it detaches.

    Examples
    --------
    >>> import time
    >>> from pycrust.bench import threadable
    >>> threadable(time.sleep, 0.01, threads=()).verdict
    'releases'
    >>> import zlib
    >>> threadable(zlib.compress, bytes(10**7), level=1, threads=()).verdict
    'releases'
    """
    refuse_unfinished(func)
    refuse_ambiguous(
        func, threads=threads, factory=factory, rounds=rounds, seconds=seconds, name=name, progress=progress
    )  # fmt: skip
    counts = sorted(set((1, 2, 4) if threads is None else threads))
    if counts and counts[0] < 1:
        raise ValueError(f"threads must be numbers from 1 up, not {counts}")
    name = name or name_of(func)
    machine = Machine.this()
    if factory is None:
        prepare, most = repeated(partial(func, *args, **kwargs)), 10**9
    else:
        prepare, most = with_inputs(partial(func, *args, **kwargs), factory), MAX_INPUTS
    calibrated = partial(in_a_thread, partial(calibrate, prepare, at_least=WINDOW, most=most))
    times, each = calibrated()
    if each < WINDOW:  # if the machine was busy at that moment, it takes more calls
        times, each = max((times, each), calibrated())
    window = times * each
    idle = min(max(window, WINDOW), 10 * WINDOW)
    tasks = [
        Task("idle", lambda: waits_during(partial(time.sleep, idle)), idle, "asking for the GIL while nothing runs"),
        Task("waits", lambda: waits_during(prepare(times)), window, f"asking for the GIL during {name}"),
    ]
    laps: dict[object, list[Laps]] = {key: [] for key in ("row", "plain row", *counts)}
    if counts:
        label = f"{name}, in a row"
        tasks.append(row_task("row", prepare, times, each, counts[-1], label, laps["row"].append))
    for k in counts:
        tasks.append(threads_task(k, prepare, times, each, k, f"{name}, {k} threads", laps[k].append))
    checked = next((k for k in counts if 2 <= k <= machine.cores), 0)
    if checked and machine.gil_enabled:
        plain = repeated(partial(pycrust.threadable_sum_of_squares, PLAIN_N))
        plain_times, plain_each = calibrate(plain, at_least=WINDOW / 2)
        label, seen = "plain C, in a row", laps["plain row"].append
        tasks.append(row_task("plain row", plain, plain_times, plain_each, checked, label, seen))
        tasks.append(threads_task("plain", plain, plain_times, plain_each, checked, f"plain C, {checked} threads"))
    measured = take_turns(
        tasks,
        rounds=5 if rounds is None else rounds,
        seconds=2.0 if seconds is None else seconds,
        progress=progress or no_progress,
    )

    def cores(key: object) -> float:
        return statistics.median(each.cores for each in laps[key])

    runs = measured["waits"]
    result = Threadable(
        name=name,
        seconds=Timing(tuple(run.seconds / times for run in runs)).median,
        calls=times,
        runs=runs,
        idle=measured["idle"],
        machine=machine,
    )
    if counts:
        result.row = {k: rows_of(measured["row"], k) for k in counts}
        result.threads = {k: Timing(tuple(measured[k])) for k in counts}
        result.row_cores, result.threads_cores = cores("row"), {k: cores(k) for k in counts}
    if "plain" in measured:
        speedup = rows_of(measured["plain row"], checked).median / statistics.median(measured["plain"])
        result.control = Control(checked, speedup, cores("plain row"))
    return result


def refuse_unfinished(func: Callable[..., object]) -> None:
    """Raise a TypeError if a call of a function would only make a coroutine or a generator."""
    while isinstance(func, partial):
        func = func.func
    candidates = [func] if inspect.isroutine(func) or inspect.isclass(func) else [type(func).__call__]
    makes, runs = "", ""
    if any(map(inspect.iscoroutinefunction, candidates)):
        makes, runs = "a coroutine", "asyncio:run"
    elif any(map(inspect.isasyncgenfunction, candidates)):
        raise TypeError(
            f"a call of {name_of(func)} only makes an asynchronous generator: pass a function that exhausts it"
        )
    elif any(map(inspect.isgeneratorfunction, candidates)):
        makes, runs = "a generator", "builtins:list"
    if makes:
        module, name = getattr(func, "__module__", ""), getattr(func, "__qualname__", type(func).__name__)
        there = runs.replace(":", ".").removeprefix("builtins.")
        raise TypeError(
            f"a call of {name_of(func)} only makes {makes}; pass what runs it: threadable(lambda: {there}({name}(…))), or "
            f"pycrust threadable {runs} --setup 'import {module}' --args '{module}.{name}(…)'"
        )


def refuse_ambiguous(func: Callable[..., object], **options: object) -> None:
    """Raise a TypeError if a function, too, takes an argument named like an option that was given: that is not None."""
    bound = func.keywords if isinstance(func, partial) else {}
    try:
        parameters = inspect.signature(func).parameters
    except (TypeError, ValueError):  # a builtin that does not tell
        return
    for option, value in options.items():
        parameter = parameters.get(option)
        if value is None or option in bound or parameter is None:
            continue
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(
                f"{option!r} is an option of threadable and a parameter of {name_of(func)}: bind the latter with "
                f"functools.partial(func, {option}=...)"
            )


def with_inputs(func: Callable[..., object], factory: Callable[[], tuple[Any, ...]]) -> Prepare:
    """Calls of which each has arguments of its own; they live until all the calls are done."""

    def prepare(times: int) -> Callable[[], None]:
        inputs = [factory() for _ in range(times)]

        def calls() -> None:
            for each in inputs:
                func(*each)

        return calls

    return prepare


def assert_releases_gil(
    func: Callable[..., object], *args: Any, rounds: int | None = None, seconds: float | None = None, **kwargs: Any
) -> None:
    """
    Fail unless a function releases the GIL, for a test of an extension module.

    Parameters
    ----------
    func, *args, **kwargs
        The call, which should take 10 µs or more.
    rounds, seconds : optional
        As for `threadable`.

    Raises
    ------
    AssertionError
        If the function holds the GIL for more than 15 % of its time, or its calls are
        too short to tell. The message has the measurements.

    Examples
    --------
    >>> import zlib
    >>> from pycrust.bench import assert_releases_gil
    >>> assert_releases_gil(zlib.crc32, bytes(10**7))
    """
    __tracebackhide__ = True  # pytest shows the test's own line
    refuse_unfinished(func)
    refuse_ambiguous(func, rounds=rounds, seconds=seconds)
    call = partial(operator.call, func, *args, **kwargs)
    result = threadable(call, threads=(), rounds=rounds, seconds=seconds, name=name_of(func))
    if result.verdict != RELEASES:
        raise AssertionError(result.in_words())


def name_of(func: Callable[..., object]) -> str:
    """The name of a function as its caller would write it, as far as it can be known."""
    while isinstance(func, partial):
        func = func.func
    name = getattr(func, "__qualname__", None) or repr(func)
    module = getattr(func, "__module__", None) or ""
    packages = [package for package in module.split(".") if not package.startswith("_") and package != "builtins"]
    return ".".join([*packages, name])
