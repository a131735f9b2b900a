"""A stall: what the watch logs of a wait for the GIL, and what that means."""

import ast
import importlib.util
import json
import linecache
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

HELD, CONTENTION, GC, FORK, LOOP, NO_CORE, UNKNOWN = LABELS = (
    "held", "contention", "gc", "fork", "loop", "no core", "unknown",
)  # fmt: skip

MEANING = {
    HELD: "one thread kept the GIL although it was asked to hand it over",
    CONTENTION: "several threads took turns: each held it for short spells",
    GC: "a garbage collection ran",
    FORK: "the process was forked, which stops all its threads",
    LOOP: "a callback kept an event loop of asyncio busy or asleep, while other threads could run",
    NO_CORE: "the threads had no core to run on, or the process was suspended",
    UNKNOWN: "nothing of the above was seen",
}

OVER = 0.020  # seconds


class Seen(NamedTuple):
    """
    What the watch logs of a wait for the GIL; times in seconds.

    All but the first five is of the spell in it for which a holder ignored the request for longest, if any was seen. Of
    other spells in it that count there are records of their own.

    Attributes
    ----------
    switches : int
        Of the GIL, meanwhile.
    begin, seconds : float
    late, delay : float
        For how long the watcher was kept from looking, and the waiting thread had no core.
    offset : float
        From the begin of the wait to that of the spell.
    before, watched : float
        For how long the holder had the GIL, before the first look at it and since.
    cpu, asleep, ignored : float
        For how long it ran, slept, and ran or slept although it had been asked for the GIL.
    looks, collecting : int
        Looks at it, and of them while the garbage collector was at work.
    ident : int
        As `threading` has it.
    thread : str
        Its name; empty for a thread that has ended, of which none is known.
    tracebacks : str
        What it wrote itself, by faulthandler, or was read of it while it slept.
    file, line, function : str, int, str
        Where it handed the GIL over, if that was the end of a call; else line 0.
    end_line, end_column : int
        Where this call ends in the file, as in `ast`; 0, -1 if that is not known.
    task : str
        The task of asyncio that ran there.
    callee : str
        What a pool or a thread called there: ``MODULE:FUNCTION``.
    """

    switches: int
    begin: float
    seconds: float
    late: float
    delay: float
    offset: float = 0.0
    before: float = 0.0
    watched: float = 0.0
    cpu: float = 0.0
    asleep: float = 0.0
    ignored: float = 0.0
    looks: int = 0
    collecting: int = 0
    ident: int = 0
    thread: str = ""
    tracebacks: str = ""
    file: str = ""
    line: int = 0
    function: str = ""
    end_line: int = 0
    end_column: int = -1
    task: str = ""
    callee: str = ""


class Place(NamedTuple):
    """A line of the program."""

    file: str
    line: int
    function: str

    @property
    def source(self) -> str:
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        return f"{short(self.file)}:{self.line}"


@dataclass(frozen=True)
class Stall:
    """
    A time for which a thread that asked for the GIL did not get it.

    Attributes
    ----------
    begin : float
        Seconds since the watch began.
    seconds : float
        How long; for *held* and *gc* how long the holder kept it, as far as it ran or slept meanwhile; for *loop* how long
        the loop had no turn, without the time for which the GIL was held.
    label : str
        ``'held'``, ``'contention'``, ``'gc'``, ``'fork'``, ``'loop'``, ``'no core'`` or ``'unknown'``.
    thread : str
        The holder, if it was *held*: its name in `threading`, or ``'MainThread'``, or the name that the system has for
        it, or ``'thread 1234'``; ``'one that ended'`` if none was known in time.
    stack : tuple of Place
        Where the holder was, innermost first, if that is known: for *gc* where the collection was set off.
    seen : str
        ``'during'`` the stall, by the holder itself, or from outside if it slept: a signal would have woken it; or just
        ``'after'`` it: it slept, and could not be read.
    call_ends : tuple of int
        Line and column, as in `ast`, at which the call ends that held it; empty if that is not known.
    waited : float
        How long the wait was in all: it may have had several holders, each with a stall of its own.
    task : str
        The name of the asyncio task that held it, if there was one and it is known.
    callee : str
        What a pool or a thread called on the innermost line, as ``MODULE:FUNCTION``, if that line is theirs.
    collecting : float
        The part of a *held* for which the garbage collector ran within the call.
    missing : float
        For how long the holder had no core meanwhile; `seconds` is without that.
    """

    begin: float
    seconds: float
    label: str
    thread: str = ""
    stack: tuple[Place, ...] = ()
    seen: str = ""
    call_ends: tuple[int, int] | tuple[()] = ()
    waited: float = 0.0
    task: str = ""
    callee: str = ""
    collecting: float = 0.0
    missing: float = 0.0

    @property
    def place(self) -> Place | None:
        return self.stack[0] if self.stack else None

    @property
    def caller(self) -> Place | None:
        """The innermost line outside of the standard library and of installed packages."""
        return next(filter(is_own, self.stack), None)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "begin": self.begin,
            "seconds": self.seconds,
            "label": self.label,
            "thread": self.thread or None,
            "task": self.task or None,
            "callee": self.callee or None,
            "seen": self.seen or None,
            "collecting": self.collecting,
            "missing": self.missing,
            "waited": self.waited,
            "stack": [place._asdict() for place in self.stack],
        }

    @classmethod
    def of(cls, seen: Seen, over: float, start: float = 0.0) -> "Stall":
        """Label what was seen."""
        # A holder that neither ran nor slept had no core, or was suspended.
        missing = max(0.0, seen.watched - seen.cpu - seen.asleep)
        kept = seen.before + seen.watched - missing
        # Python code gives the GIL away as soon as it sees the request: who goes on for so long holds it.
        if seen.looks and seen.ignored >= over / 4 and kept >= over:
            collects = seen.collecting / seen.looks
            stack, when = stack_of(seen)
            same = bool(stack) and stack[0][:2] == (seen.file, seen.line)
            return cls(
                seen.begin + seen.offset - start,
                kept,
                GC if collects > 0.5 else HELD,
                thread=seen.thread or "one that ended",
                stack=stack,
                seen=when,
                call_ends=(seen.end_line, seen.end_column) if same and seen.end_line else (),
                waited=seen.seconds,
                task=seen.task,
                callee=seen.callee if same else "",
                collecting=collects * kept,
                missing=missing,
            )
        waited_for_cores = seen.delay + missing
        if max(seen.late, waited_for_cores) >= seen.seconds / 2 or seen.seconds - waited_for_cores < over:
            label = NO_CORE
        else:
            label = CONTENTION if seen.switches > 1 else UNKNOWN
        return cls(seen.begin - start, seen.seconds, label, waited=seen.seconds)


def stack_of(seen: Seen) -> tuple[tuple[Place, ...], str]:
    """The stack on whose line two looks agree, and when that was seen."""
    stacks = stacks_in(seen.tracebacks)
    counts = Counter(stack[0][:2] for stack in stacks if stack)
    after = Place(seen.file, seen.line, seen.function) if seen.line else None
    if counts:
        line, count = counts.most_common(1)[0]
        if count >= 2 or (after is not None and after[:2] == line):
            return next(stack for stack in stacks if stack and stack[0][:2] == line), "during"
    elif after is not None and seen.asleep > seen.cpu:
        return (after,), "after"
    return (), ""


def most_seen(stacks: Sequence[tuple[Place, ...]]) -> tuple[Place, ...]:
    """A stack with the line of the user's own in which most have been; Python code moves on within the functions it calls."""
    owns = [next((place for place in stack if is_own(place)), stack[0]) for stack in stacks if stack]
    if not owns:
        return ()
    line = Counter(place[:2] for place in owns).most_common(1)[0][0]
    return next(stack for stack, place in zip(filter(None, stacks), owns, strict=True) if place[:2] == line)


def is_own(place: Place) -> bool:
    """Outside of the standard library and of installed packages."""
    return not LIBRARY.search(place.file) and not place.file.startswith("<")


def stacks_in(tracebacks: str) -> list[tuple[Place, ...]]:
    """Those that faulthandler wrote; the import system and the like have no file to look at."""
    return [
        tuple(
            Place(unescaped(file), int(line), name)
            for file, line, name in FRAME.findall(text)
            if not file.startswith("<frozen ")
        )
        for text in tracebacks.split("Stack (most recent call first):\n")
    ]


FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)
ESCAPE = re.compile(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}")


def unescaped(path: str) -> str:
    """A path as faulthandler writes it, in ASCII, as it is."""
    plain = ESCAPE.sub(lambda found: chr(int(found[0][2:], 16)), path)
    return plain if plain != path and Path(plain).exists() else path


def short(path: str) -> str:
    """A path as short as tells it from others: from the current folder, or its last two parts."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return "/".join(Path(path).parts[-2:])


LIBRARY = re.compile(r"[/\\](site-packages|dist-packages|lib[/\\]python3\.\d+)[/\\]")


def called_function(place: Place, ends: tuple[int, int] | tuple[()] = ()) -> str | None:
    """
    What a line calls, as far as the imports of its file tell; nothing is imported for it.

    Of several calls, the one that ends there; if that is not known, none.
    """
    try:
        tree = ast.parse("".join(linecache.getlines(place.file)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: it is nested too deeply
        return None
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and node.lineno <= place.line <= (node.end_lineno or 0)
        and ends in ((), (node.end_lineno, node.end_col_offset))
    ]
    if len(calls) != 1:
        return None
    names: dict[str, tuple[str, list[str]]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    (alias.name if alias.asname else alias.name.partition(".")[0]), [],
                )  # fmt: skip
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = (node.module, [alias.name])
    path: list[str] = []
    function: ast.expr = calls[0].func
    while isinstance(function, ast.Attribute):
        path.insert(0, function.attr)
        function = function.value
    if isinstance(function, ast.Name) and function.id in names:
        module, first = names[function.id]
        if [*first, *path] and is_importable(module):
            return f"{module}:{'.'.join([*first, *path])}"
    return None


def is_importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


class Figures(NamedTuple):
    """How the watch went, as it logs that itself; in seconds."""

    beats: int
    waits: int
    looks: int
    signal_lost: int
    waited: float
    longest_wait: float
    unseen: float
    longest_late: float
    seconds: float
    over: float
    started: float

    @property
    def coverage(self) -> float:
        """The share of the time for which the watch could look."""
        return max(0.0, 1.0 - self.unseen / self.seconds) if self.seconds else 0.0


@dataclass(frozen=True)
class Record:
    """
    What the log of one process says, so far.

    Attributes
    ----------
    stalls : list of Stall
        Those that have ended.
    watch, idle : Figures or None
        How the watch went, known when it has ended; and how while nothing ran.
    waited, delayed : float
        How long the waits were in all that count, in seconds; and of those with a holder, for how long nobody had the GIL
        because the thread that waited had no core.
    refused : str
        Why there is no watch in a process into which one was to be brought.
    left : bool
        Whether all of one that was brought in has been taken away again.
    uvloop : bool
        Whether the process had uvloop, whose loops are not looked at.
    """

    over: float = OVER
    stalls: list[Stall] = field(default_factory=list)
    watch: Figures | None = None
    idle: Figures | None = None
    waited: float = 0.0
    delayed: float = 0.0
    start: float = 0.0
    started: bool = True
    lasting: tuple[Seen, ...] = ()  # holds of this wait, each as it was last told while it lasted
    others: tuple[Seen, ...] = ()  # holds within the wait that has not ended
    refused: str = ""
    left: bool = False
    uvloop: bool = False

    def after(self, what: str, values: list[Any]) -> "Record":
        """With one record more; the list of stalls grows."""
        if what in ("idle", "begin"):
            figures = Figures(*values)
            idle = figures if what == "idle" else None
            return replace(self, idle=idle, start=figures.started + figures.seconds)
        if what == "end":
            figures = Figures(*values)
            return replace(self, watch=figures, start=figures.started)
        if what == "not started":
            return replace(self, started=False)
        if what == "uvloop":
            return replace(self, uvloop=True)
        if what == "left":
            return replace(self, left=True)
        if what == "refused":
            return replace(self, refused=values[0])
        if what == "names":
            names = dict(zip(values[::2], values[1::2], strict=True))
            named = (seen._replace(thread=names.get(seen.ident, seen.thread)) for seen in self.others)
            return replace(self, others=tuple(named))
        if what == "fork":
            _, begin, seconds, thread, stack = values
            self.stalls.append(
                Stall(begin - self.start, seconds, FORK, thread, stacks_in(stack)[-1], "during", waited=seconds)
            )
            return self
        if what == "loop":
            return self.after_loop(*values[1:])
        seen = Seen(*values)
        if what in ("also", "lasting"):
            lasting = tuple(each for each in self.lasting if not is_same_spell(each, seen))
            if what == "also":
                return replace(self, lasting=lasting, others=(*self.others, seen))
            return replace(self, lasting=(*lasting, seen))
        last = Stall.of(seen, self.over, self.start)
        stalls = [replace(stall, waited=seen.seconds) for stall in self.told(self.others)]
        if last.label in (HELD, GC) or not stalls:
            stalls.append(last)
        rest = seen.seconds - sum(stall.seconds + stall.missing for stall in stalls)
        delay = max(0.0, min(seen.delay, rest)) if stalls[-1].label in (HELD, GC) else 0.0
        self.stalls.extend(sorted(stalls, key=attrgetter("begin")))
        return replace(self, lasting=(), others=(), waited=self.waited + seen.seconds, delayed=self.delayed + delay)

    def after_loop(self, begin: float, seconds: float, missing: float, thread: str, task: str, stacks: str) -> "Record":
        """An event loop had no turn for so long; a hold of the GIL meanwhile has a stall of its own."""
        begin -= self.start
        held = sum(
            max(
                0.0,
                min(begin + seconds + missing, stall.begin + stall.seconds + stall.missing) - max(begin, stall.begin),
            )
            for stall in self.stalls
            if stall.label in (HELD, GC, FORK)
        )
        if seconds - held >= self.over:
            stack = most_seen(stacks_in(stacks))
            seen = "during" if stack else ""
            self.stalls.append(Stall(begin, seconds - held, LOOP, thread, stack, seen, task=task, missing=missing))
        return self

    def told(self, others: Iterable[Seen]) -> list[Stall]:
        stalls = [Stall.of(seen, self.over, self.start) for seen in others]
        return [stall for stall in stalls if stall.label in (HELD, GC)]

    def all(self) -> list[Stall]:
        """Also those that have not ended, or ended with the process."""
        return [*self.stalls, *self.told((*self.others, *self.lasting))]


def is_same_spell(one: Seen, other: Seen) -> bool:
    return one.ident == other.ident and abs(one.begin + one.offset - other.begin - other.offset) < 1e-6


class Log:
    """
    The log of a watch, read as it grows.

    Parameters
    ----------
    source : callable
        Gives its bytes from a number of them on.
    over : float
        The shortest wait that counts.
    """

    def __init__(self, source: Callable[[int], bytes], over: float) -> None:
        self.source = source
        self.over = over
        self.state: tuple[int, dict[int, Record]] = (0, {})  # changed as a whole: several threads may read

    def read(self) -> dict[int, Record]:
        """Of each process that was watched, by its number; the first is that of the program."""
        size, records = self.state
        log = self.source(size)
        end = log.rfind(b"\n") + 1  # the process may have been killed in the midst of a record
        if end:
            records = {pid: replace(record, stalls=[*record.stalls]) for pid, record in records.items()}
            for line in log[:end].splitlines():
                entry = json.loads(line.decode("utf-8", "surrogateescape"))
                pid = entry.pop("pid")
                ((what, values),) = entry.items()
                records[pid] = records.get(pid, Record(self.over)).after(what, values)
            self.state = size + end, records
        return records

    @property
    def size(self) -> int:
        """Bytes read."""
        return self.state[0]
