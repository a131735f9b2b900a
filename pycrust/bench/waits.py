"""A thread that asks for the GIL at random moments: how often it finds that held, and how long it waits."""

import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import NamedTuple, Self

from pycrust import _probe
from pycrust.bench.machine import gil_enabled
from pycrust.bench.timing import Call, in_a_thread

NAP = 0.0003  # seconds from one moment to the next, on average
REST = 0.005  # seconds in which a thread that was just started comes to rest
NOTICEABLE = 5e-6  # seconds: a GIL that is free takes less


class Ask(NamedTuple):
    """
    A moment at which the thread asked; times in seconds.

    Attributes
    ----------
    asked, got : float
        When it did, and when it had the GIL.
    held : float
        Whether somebody had the GIL at that moment: 1 or 0, or -1 where that cannot be read; NaN if nobody had it
        only because the thread that runs the function had had no core since it last gave the GIL away.
    nap_delay, wait_delay : float
        For how long it was ready to run and had no core, before it asked and while it waited; 0 where Linux
        does not tell.
    """

    asked: float
    got: float
    held: float = -1.0
    nap_delay: float = 0.0
    wait_delay: float = 0.0

    @property
    def wait(self) -> float:
        return max(0.0, self.got - self.asked - self.wait_delay)

    def found_held(self, noticeable: float) -> bool:
        return self.wait > noticeable if self.held < 0 else self.held > 0


class Span(NamedTuple):
    """A nap, or a wait, as far as it lies in a run; told from the run's start."""

    begin: float
    end: float
    delay: float

    @property
    def length(self) -> float:
        """Without the time for which there was no core."""
        return max(0.0, self.end - self.begin - self.delay)


@dataclass(frozen=True)
class Waits:
    """
    What the thread found around one run of something.

    Attributes
    ----------
    start, end : float
        The run, in seconds of the clock.
    asks : tuple of Ask
        From before the start until after the end; the first is the beginning, when it did not ask.
    """

    start: float
    end: float
    asks: tuple[Ask, ...]

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def during(self) -> list[Ask]:
        """The moments in the run."""
        return [ask for ask in self.asks[1:] if self.start <= ask.asked < self.end and not math.isnan(ask.held)]

    @property
    def tells(self) -> bool:
        """Whether the thread asked, or waited, at all: on a very busy machine it may have had no core."""
        return bool(self.during()) or self.longest_stall() > 0

    def spans(self) -> list[tuple[Ask, Span, Span]]:
        """Each moment with the nap before it and the wait after it, as far as they lie in the run."""
        return [
            (ask, self._span(before.got, ask.asked, ask.nap_delay), self._span(ask.asked, ask.got, ask.wait_delay))
            for before, ask in pairwise(self.asks)
            if ask.got > self.start and before.got < self.end
        ]

    def _span(self, begin: float, end: float, delay: float) -> Span:
        begin, end = (min(max(time, self.start), self.end) - self.start for time in (begin, end))
        return Span(begin, end, delay if end > begin else 0.0)

    def usual(self) -> float:
        """What nineteen waits of twenty do not exceed."""
        waits = sorted(ask.wait for ask in self.during()) or [0.0]
        return waits[int(0.95 * (len(waits) - 1))]

    def stalled(self, noticeable: float) -> float:
        """
        The share of the time for which a thread that asked for the GIL would have had to wait.

        It certainly had to during a wait, but for what of it was spent without a core. A nap ends at a random moment:
        for as much of all naps as the share of moments that found the GIL held. Shorter waits than what is
        noticeable are none.
        """
        moments = self.during()
        found = sum(ask.found_held(noticeable) for ask in moments) / len(moments) if moments else 0.0
        waited = napped = 0.0
        for ask, nap, wait in self.spans():
            napped += 0.0 if math.isnan(ask.held) else nap.end - nap.begin
            if ask.wait > noticeable:
                waited += wait.length
        return (waited + found * napped) / (waited + napped) if waited + napped > 0 else 0.0

    def longest_stall(self) -> float:
        """The longest wait."""
        return max((wait.length for _, _, wait in self.spans()), default=0.0)

    def no_core(self) -> float:
        """The share of the time for which the thread could have run and had no core."""
        return sum(nap.delay + wait.delay for _, nap, wait in self.spans()) / self.seconds


class Asking:
    """
    A thread that asks while the ``with`` block runs, and keeps what it found.

    Without a GIL (a free-threaded interpreter) nobody keeps a thread from running, but whoever wants the world to
    stop, as a garbage collection does, waits for every attached thread. There it stops the world for an instant each
    time, and waits for as long as a thread stays attached without a break.
    """

    def __init__(self) -> None:
        self.asks: tuple[Ask, ...] = ()
        self.worker: list[int] = []
        self._begun, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="pycrust-asks", daemon=True)

    def _run(self) -> None:
        meet: Callable[[], object] | None = None if gil_enabled() else sys._current_frames
        self._begun.set()
        self.asks = tuple(map(Ask._make, _probe.ask(self._stop.is_set, NAP, self.worker, meet)))

    def __enter__(self) -> Self:
        self._thread.start()
        self._begun.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()


def waits_during(call: Call) -> Waits:
    """What a thread finds that asks for the GIL while another makes the call."""

    def watched() -> Waits:
        with Asking() as asking:
            asking.worker.append(threading.get_native_id())
            time.sleep(REST)
            start = time.perf_counter()
            call()
            end = time.perf_counter()
        return Waits(start, end, asking.asks)

    return in_a_thread(watched)
