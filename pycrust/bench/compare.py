"""Two files that ``--json`` wrote, from before and after: what got slower, beyond the noise."""

import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycrust.bench import plots
from pycrust.bench.report import Cell, Result, Table, now, printable, seconds_in_words
from pycrust.bench.timing import LEAST_ROUNDS
from pycrust.bench.verdict import HOLDS, PARTLY, RELEASES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST = 0.10  # a change by less than this share of the time does not count, however quiet the machine was,
SPREADS = 5  # nor does one by less than this many times the sum of the two spreads

LARGEST = 1 << 24  # bytes of a file: a hundred times what a benchmark writes

SLOWER, FASTER, SAME, UNSURE = "slower", "faster", "same", "too few rounds"


@dataclass(frozen=True)
class Change:
    """
    A timing before and after.

    Attributes
    ----------
    what : str
        What was timed.
    old, new : float
        The medians, in seconds.
    noise : float or None
        How far apart, in seconds, the two medians may be by chance: five times the sum of
        the two spreads, and at least 10 % of the old median. None if either has
        fewer than three rounds, too few to estimate noise.
    apart : bool
        Whether every round of the one took longer than every round of the other.
    """

    what: str
    old: float
    new: float
    noise: float | None
    apart: bool

    @property
    def ratio(self) -> float:
        return self.new / self.old

    @property
    def verdict(self) -> str:
        if self.noise is None:
            return UNSURE
        if abs(self.new - self.old) <= self.noise or not self.apart:
            return SAME
        return SLOWER if self.new > self.old else FASTER

    def to_dict(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "old": self.old,
            "new": self.new,
            "ratio": self.ratio,
            "noise": self.noise,
            "apart": self.apart,
            "verdict": self.verdict,
        }


@dataclass(repr=False)
class Comparison(Result):
    """
    What changed between two results of one command, see `compare`.

    Attributes
    ----------
    changes : list of Change
        What is in both files, the largest slowdown first.
    gone, added : list of str
        What is only in the old, or only in the new file.
    wrong : list of str
        What gave the right result in the old file, and does not in the new one.
    verdicts : list of str
        The old and the new verdict of `threadable`, if they differ.
    held : bool
        Whether the function released the GIL in the old file, and holds it in the new one, if only for part of its time.
    doubts : list of str
        Why the two may not be comparable.
    """

    changes: list[Change]
    gone: list[str]
    added: list[str]
    wrong: list[str]
    verdicts: list[str]
    held: bool
    doubts: list[str]
    old: dict[str, Any]
    new: dict[str, Any]

    schema = "pycrust.bench.comparison"

    @property
    def slower(self) -> list[Change]:
        return [change for change in self.changes if change.verdict == SLOWER]

    @property
    def worse(self) -> bool:
        """Whether anything got slower beyond the noise, or wrong, or no longer releases the GIL."""
        return bool(self.slower or self.wrong or self.held)

    def headline(self) -> str:
        counts = dict.fromkeys((SLOWER, FASTER, SAME, UNSURE), 0)
        for change in self.changes:
            counts[change.verdict] += 1
        words = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count or verdict == SLOWER)
        return f"{len(self.changes)} figure{'s' * (len(self.changes) != 1)}: {words}"

    def tables(self) -> list[Table]:
        rows: list[list[Cell | str]] = [
            [
                change.what,
                seconds_in_words(change.old),
                seconds_in_words(change.new),
                "" if change.noise is None else f"±{change.noise / change.old:.0%}",
                f"{change.ratio:.2f}",
                Cell(change.verdict, good=change.verdict == FASTER),
            ]
            for change in self.changes
        ]
        notes = [
            f"A change counts if the rounds of the two do not overlap, and the medians differ by more than {LEAST:.0%} and\n"
            f"{SPREADS} spreads. Measure again before you believe a single one."
        ]
        if any(change.verdict == UNSURE for change in self.changes):
            notes.append(
                f"Too few rounds: it takes {LEAST_ROUNDS} on each side to tell a change from noise. With --quick, or a smaller\n"
                "-n, there is time for them."
            )
        notes += [f"Only in the old file: {what}" for what in self.gone]
        notes += [f"Only in the new file: {what}" for what in self.added]
        return [
            Table(
                title=self.headline(),
                columns=["", "old", "new", "noise", "new / old", "verdict"],
                rows=[*rows],
                header=[f"old: {_origin(self.old)}", f"new: {_origin(self.new)}"],
                notes=notes,
                warnings=[*(f"wrong now, right before: {what}" for what in self.wrong), *self.verdicts, *self.doubts],
                left=(0, 5),
            )
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": self.schema,
            "schema_version": self.schema_version,
            "created": now(),
            "of": self.new["schema"],
            "old": {"created": self.old["created"], "machine": self.old["machine"]},
            "new": {"created": self.new["created"], "machine": self.new["machine"]},
            "worse": self.worse,
            "changes": [change.to_dict() for change in self.changes],
            "gone": self.gone,
            "added": self.added,
            "wrong": self.wrong,
            "verdicts": self.verdicts,
            "held": self.held,
            "doubts": self.doubts,
        }

    @property
    def size(self) -> tuple[float, float]:  # type: ignore[override]
        return 11, 1.9 + 0.3 * len(self.changes)

    def draw(self, figure: "Figure") -> None:
        """The ratios, and in grey the range that may be chance."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        axes = figure.subplots()
        colours = {SLOWER: plots.VERMILION, FASTER: plots.GREEN, SAME: plots.GREY, UNSURE: "white"}
        chances = [(change.noise or 0.0) / change.old for change in self.changes]
        reach = 1.1 * max(
            1.2, *(1 + chance for chance in chances), *(max(each.ratio, 1 / each.ratio) for each in self.changes)
        )
        for y, (change, chance) in enumerate(zip(self.changes, chances, strict=True)):
            least = max(1 - chance, 1 / reach)
            axes.barh(y, 1 + chance - least, left=least, height=0.7, color="#dddddd")
            axes.plot(change.ratio, y, "o", color=colours[change.verdict], markersize=7, markeredgecolor=plots.GREY)
        axes.axvline(1, color=plots.BLACK, linewidth=1)
        axes.set_yticks(range(len(self.changes)), [plots.words(change.what) for change in self.changes])
        axes.set_ylim(len(self.changes) - 0.4, -0.6)
        axes.set_xlabel("new time / old time")
        plots.ratio_axis(axes.xaxis, reach)
        plots.plain(axes)
        plots.legend(
            figure,
            *(
                Line2D([], [], color=colour, marker="o", linestyle="", markeredgecolor=plots.GREY, label=verdict)
                for verdict, colour in colours.items()
                if any(change.verdict == verdict for change in self.changes)
            ),
            Patch(color="#dddddd", label="may be chance"),
        )
        plots.title(figure, self.headline())
        plots.caption(figure, f"old: {_origin(self.old)}\nnew: {_origin(self.new)}")


def _origin(report: dict[str, Any]) -> str:
    machine = report["machine"]
    when = report["created"][:16].replace("T", " ")
    return f"{when} · pycrust {machine['pycrust']} · {machine['python']} · {machine['cpu']}"


def compare(old: dict[str, Any], new: dict[str, Any]) -> Comparison:
    """
    Compare two results of the same command.

    Parameters
    ----------
    old, new : dict
        From ``result.to_dict()``, or read from a file that ``--json`` wrote.

    Returns
    -------
    Comparison
        The result is displayed as a table; `Comparison.worse` tells whether anything got slower.

    Raises
    ------
    ValueError
        If the two are not results of the same command with the same n, or one is damaged.

    Examples
    --------
    >>> from pycrust.bench import compare, gil_table
    >>> before = gil_table(1000, (1,), rounds=3, seconds=0.01).to_dict()
    >>> compare(before, before).worse
    False
    """
    before, after = timings(old, "the old result"), timings(new, "the new result")
    for key in ("schema", "n", "function"):
        if old.get(key) != new.get(key):
            raise ValueError(
                f"these cannot be compared: {key} is {old.get(key)!r} in the old, {new.get(key)!r} in the new"
            )
    changes = [_change(what, before[what], after[what]) for what in before if what in after]
    if not changes:
        raise ValueError("these cannot be compared: they have no figure in common")
    changes.sort(key=lambda change: change.ratio, reverse=True)
    was, now_is = old.get("verdict"), new.get("verdict")
    return Comparison(
        changes,
        gone=[what for what in before if what not in after],
        added=[what for what in after if what not in before],
        wrong=[what for what in before if before[what].get("right") and after.get(what, {}).get("right") is False],
        verdicts=[f"the verdict was {was!r}, and is {now_is!r} now"] * (was != now_is),
        held=was == RELEASES and now_is in (HOLDS, PARTLY),
        doubts=_doubts(old, new, changes),
        old=old,
        new=new,
    )


def _change(what: str, old: dict[str, Any], new: dict[str, Any]) -> Change:
    noise = None
    if min(len(old["rounds"]), len(new["rounds"])) >= LEAST_ROUNDS:
        noise = max(SPREADS * (old["spread"] + new["spread"]), LEAST * old["median"])
    apart = max(old["rounds"]) < min(new["rounds"]) or max(new["rounds"]) < min(old["rounds"])
    return Change(what, old["median"], new["median"], noise, apart)


def _doubts(old: dict[str, Any], new: dict[str, Any], changes: list[Change]) -> list[str]:
    doubts = [
        f"{key} differs: {old['machine'].get(key)} before, {new['machine'].get(key)} now"
        for key in ("cpu", "system", "cores", "python", "gil_enabled", "simd", "numpy")
        if old["machine"].get(key) != new["machine"].get(key)
    ]
    if old.get("python_n") != new.get("python_n"):
        doubts.append("Python was timed at another n, and scaled, in one of the two: --full times it at n itself")
    doubts += [f"old: {warning}" for warning in old.get("warnings", [])]
    doubts += [f"new: {warning}" for warning in new.get("warnings", [])]
    if len(changes) >= 4:
        all_moved = statistics.median(math.log(change.ratio) for change in changes)
        if abs(all_moved) > LEAST:
            doubts.append(
                f"half of all figures moved by a factor of {math.exp(all_moved):.2f} or more: "
                "that may be the machine rather than the code"
            )
    return doubts


# ---- the timings in each kind of file, by what was timed --------------------

Timings = Iterator[tuple[str, dict[str, Any]]]


def _gil_table(report: dict[str, Any]) -> Timings:
    for cell in report["cells"]:
        yield f"{cell['title']}, k = {cell['k']}", cell


def _peers(report: dict[str, Any]) -> Timings:
    for entry in report["entries"]:
        yield f"{entry['function']}, {entry.get('data') or entry['size']} {entry['dtype']}", entry


def _break_even(report: dict[str, Any]) -> Timings:
    for entry in report["entries"]:
        yield f"{entry['family']}: {entry['function']}, n = {entry['n']}, threads = {entry['threads']}", entry


def _threadable(report: dict[str, Any]) -> Timings:
    for row in report["scaling"]:
        yield f"{row['k']} calls in a row", row["in_a_row"]
        yield f"{row['k']} calls in threads", row["in_threads"]


TIMINGS = {
    "pycrust.bench.gil_table": _gil_table,
    "pycrust.bench.peers": _peers,
    "pycrust.bench.break_even": _break_even,
    "pycrust.bench.threadable": _threadable,
}


def timings(report: object, name: str) -> dict[str, dict[str, Any]]:
    """What was timed in a report, with its figures; ValueError unless all is as ``--json`` wrote it."""
    if not isinstance(report, dict):
        raise ValueError(f"{name} is not a result of pycrust bench")
    schema, version = report.get("schema"), report.get("schema_version")
    if not (isinstance(schema, str) and schema in TIMINGS):
        raise ValueError(f"{name} is not a result that can be compared: its schema is {schema!r}")
    if version != 1:
        raise ValueError(f"{name}: version {version} of {schema} is not known to this pycrust")
    try:
        found = dict(TIMINGS[schema](report))
        unsound = [what for what, timing in found.items() if not _sound(timing)]
        _origin(report)
        said = [report.get(key) for key in ("n", "function", "verdict")]
        if not all(isinstance(each, str | int | float | None) for each in (*said, *report["machine"].values())):
            raise TypeError
        if not (isinstance(report["warnings"], list) and all(isinstance(each, str) for each in report["warnings"])):
            raise TypeError
    except KeyError as error:
        raise ValueError(f"{name} is damaged: {error} is missing") from None
    except (AttributeError, OverflowError, RecursionError, TypeError):
        raise ValueError(f"{name} is damaged: something in it is not of the kind that it should be") from None
    if unsound:
        raise ValueError(f"{name} is damaged: the figures of {printable(unsound[0])} cannot be")
    return found


def _sound(timing: dict[str, Any]) -> bool:
    """Whether these can be the figures of a measurement."""
    median, spread, rounds = timing["median"], timing["spread"], timing["rounds"]
    return (
        len(rounds) > 0
        and all(isinstance(seconds, int | float) and 1e-15 < seconds < 1e15 for seconds in rounds)
        and min(rounds) <= median <= max(rounds)
        and (len(rounds) < LEAST_ROUNDS if spread is None else 0 <= spread < 1e15)
    )


def read_report(path: Path) -> dict[str, Any]:
    """A file that ``--json`` wrote; ValueError for any other."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    if len(text) > LARGEST:
        raise ValueError(f"{path} has more than {LARGEST >> 20} MiB: no result of pycrust bench is as long")
    try:
        report: dict[str, Any] = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON, or not all of it: {error}") from None
    timings(report, str(path))
    return report
