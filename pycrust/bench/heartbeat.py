"""A Python thread that beats: when it misses beats, something kept other threads from running."""

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import NamedTuple, Self

from pycrust.bench.machine import gil_enabled
from pycrust.bench.timing import Call, Clock, race

BEAT = 0.0005  # seconds of sleep between two beats


class Gap(NamedTuple):
    """
    A time without a beat, in seconds.

    For `delay` of it the heart could have run but had no core, because other work kept
    them busy. What it would have found is not known, so that part counts for nothing.
    """

    begin: float
    end: float
    delay: float = 0.0

    @property
    def length(self) -> float:
        return max(0.0, self.end - self.begin - self.delay)

    def late(self, pace: float) -> float:
        return max(0.0, self.length - pace)


@dataclass(frozen=True)
class Pulse:
    """
    The beats around one run of something.

    Attributes
    ----------
    start, end : float
        The run, in seconds of the clock.
    beats : tuple of float
        When the heart beat, from before the start until after the end.
    delays : tuple of float
        Before each beat, the seconds for which the heart waited for a core.
    """

    start: float
    end: float
    beats: tuple[float, ...]
    delays: tuple[float, ...]

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def gaps(self) -> list[Gap]:
        """The times without a beat, cut to the run and told from its start."""
        return [
            Gap(max(before, self.start) - self.start, min(after, self.end) - self.start, delay)
            for (before, after), delay in zip(pairwise(self.beats), self.delays[1:], strict=True)
            if after > self.start and before < self.end
        ]

    def pace(self) -> float:
        """The length that nine gaps of ten do not exceed."""
        lengths = sorted(gap.length for gap in self.gaps())
        return lengths[int(0.9 * (len(lengths) - 1))]

    def longest_stall(self, pace: float) -> float:
        """The longest that the heart was late, where `pace` is what it takes at ease."""
        return max(gap.late(pace) for gap in self.gaps())

    def stalled(self, pace: float) -> float:
        """The share of the time, as far as it is known, for which the heart was late."""
        late = sum(gap.late(pace) for gap in self.gaps())
        at_ease = sum(min(gap.length, pace) for gap in self.gaps())
        return late / (late + at_ease) if late else 0.0


class Heartbeat:
    """
    A thread that beats while the ``with`` block runs, and keeps the times.

    With a GIL, a beat needs the GIL: it is late by as long as another thread keeps
    it. Without one (a free-threaded interpreter) nobody keeps a thread from
    running, but whoever wants the world to stop, as a garbage collection does,
    waits for every attached thread: there each beat stops the world for an
    instant, and is late by as long as a thread stays attached without a break.
    """

    def __init__(self, *, clock: Clock = time.perf_counter) -> None:
        self.beats: list[float] = []
        self.delays: list[float] = []
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pycrust-heartbeat", daemon=True)

    def _run(self) -> None:
        clock, sleep, stopped = self._clock, time.sleep, self._stop.is_set
        pause: Callable[[], object] = int if gil_enabled() else sys._current_frames
        with RunDelay() as run_delay:
            before = run_delay()
            last = False
            while not last:
                last = stopped()
                pause()
                self.beats.append(clock())
                delay = run_delay()
                self.delays.append(delay - before)
                before = delay
                sleep(BEAT)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self.beats:
            time.sleep(BEAT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()


class RunDelay:
    """For how long the calling thread has been ready to run without a core to run on; 0 where Linux doesn't say."""

    _file = -1

    def __enter__(self) -> Callable[[], float]:
        try:
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            return float
        return self._read

    def _read(self) -> float:
        return int(os.pread(self._file, 100, 0).split()[1]) * 1e-9

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            os.close(self._file)


def pulse_during(call: Call) -> Pulse:
    """The heart's beats while a thread makes the call."""
    with Heartbeat() as heart:
        # The thread comes to rest first: its start, too, keeps the heart waiting.
        laps = race([[lambda: time.sleep(10 * BEAT), call]])
    start, end = laps.ends[0]
    return Pulse(start, end, tuple(heart.beats), tuple(heart.delays))
