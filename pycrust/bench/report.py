"""Output: tables in a terminal, in plain text and in Jupyter, progress, JSON."""

import html
import json
import math
import os
import shutil
import sys
import textwrap
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pycrust.bench.machine import Machine

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# ---- numbers in words -------------------------------------------------------


def seconds_in_words(seconds: float) -> str:
    """Three digits and a unit: 3.91 s, 2.76 ms, 27.1 µs, 57.0 ns."""
    for unit, size in ("s", 1), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9):
        if seconds >= 0.9995 * size or unit == "ns":
            return f"{three_digits(seconds / size)} {unit}"
    raise AssertionError


def three_digits(number: float) -> str:
    places = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{places}f}"


def count_in_words(count: int) -> str:
    """100000000 as 100 000 000."""
    return f"{count:,}".replace(",", " ")


def printable(text: str, keep: str = "") -> str:
    """Text with control characters replaced by escapes, such as \\x1b; those in `keep` stay."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or unicodedata.category(each) == "Zs" or each in keep else ascii(each)[1:-1]
        for each in text
    )


# ---- tables -----------------------------------------------------------------

Line = list[tuple[str, str]]  # pieces of text, each with the style that rich is to give it
Row = list[Line]  # the lines of each cell


@dataclass(frozen=True)
class Cell:
    """A value, and in smaller print what belongs to it."""

    main: str
    small: str = ""
    good: bool = False


def speedup_cell(speedup: float, k: int, doubtful: bool = False) -> Cell:
    """A speed-up over k calls in a row: good if k threads gain; with a question mark, and never good, if it means nothing."""
    return Cell(f"×{speedup:.2f}" + "?" * doubtful, good=speedup > 1.2 and k > 1 and not doubtful)


@dataclass
class Table:
    """
    Rows of cells, with lines above and below: as text, in colours if rich is installed, or as HTML.

    Attributes
    ----------
    title : str
    columns : sequence of str
        The heads; ``\\n`` breaks a line.
    rows : list of sequences of Cell or str
        The first column is a label, the others are values.
    header, notes, warnings : list of str
        Lines above the table, below it, and below it marked as warnings.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    header: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left: Sequence[int] = (0,)

    def _cells(self) -> list[list[Cell]]:
        cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows]
        return [[Cell(printable(cell.main), printable(cell.small, "\n"), cell.good) for cell in row] for row in cells]

    def plain(self, width: float = math.inf) -> str:
        """The table as text."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self.lines(width))

    def lines(self, width: float = math.inf) -> Iterator[Line]:
        """
        The table as lines of styled pieces of text, none longer than the width.

        The columns are side by side if they fit; else the labels, the first column, are
        above the rest; else each row is a block of its values, each with the head of its column.
        """
        yield from _folded(self.title, width, "bold")
        for line in self.header:
            yield from _folded(line, width, "dim")
        yield []
        heads = [[(printable(line), "") for line in column.split("\n")] for column in self.columns]
        rows = [
            [
                [(cell.main, "bold green" if cell.good else ""), *[(text, "dim") for text in cell.small.splitlines()]]
                for cell in row
            ]
            for row in self._cells()
        ]
        widths = [max(len(text) for row in [heads, *rows] for text, _ in row[k]) for k in range(len(heads))]
        if sum(widths) + 2 * len(widths[1:]) <= width:
            yield from self._columns(heads, rows, widths, 0, width)
        elif len(widths) > 1 and sum(widths[1:]) + 2 * len(widths[1:]) <= width:
            yield from self._columns(heads, rows, widths, 1, width)
        else:
            yield from self._blocks(heads, rows, width)
        if self.notes or self.warnings:
            yield []
        for note in self.notes:
            yield from _folded(note, width)
        for warning in self.warnings:
            yield from _folded(f"warning: {warning}", width, "yellow")

    def _columns(self, heads: Row, rows: list[Row], widths: list[int], first: int, width: float) -> Iterator[Line]:
        """The columns from the first given on, side by side; what is before them stands above."""
        sparse = any(len(cell) > 1 for row in rows for cell in row)

        def line(row: Row, number: int) -> Line:
            pieces: Line = []
            for k in range(first, len(widths)):
                text, style = row[k][number] if number < len(row[k]) else ("", "")
                room = " " * (widths[k] - len(text))
                pieces += [("  ", "")] * (k > 0)
                pieces += [(text, style), (room, "")] if k in self.left else [(room, ""), (text, style)]
            return pieces

        for row in [heads, *rows]:
            if sparse and row is not heads and row is not rows[0]:
                yield []
            for label in row[:first]:
                for text, style in label:
                    yield from _folded(text, width, style)
            yield from (line(row, number) for number in range(max(map(len, row[first:]))))
            if row is heads:
                yield line([[("-" * each, "")] for each in widths], 0)

    def _blocks(self, heads: Row, rows: list[Row], width: float) -> Iterator[Line]:
        """A block for each row: its label, then its figures, as many beside one another as fit."""
        label, *names = [" ".join(text for text, _ in head).strip() for head in heads]
        values = [["  ".join(text for text, _ in cell) for cell in row] for row in rows]
        longest_name = max(map(len, names), default=0)
        longest = max((len(value) for row in values for value in row[1:]), default=0)
        pair = longest_name + 2 + longest
        across = int(min(width + 2, 1000) // (pair + 4))
        for row, texts in zip(rows, values, strict=True):
            if row is not rows[0]:
                yield []
            yield from _folded(f"{label}: {texts[0]}" if label else texts[0], width, row[0][0][1])
            pairs = [
                (name, text, cell[0][1]) for name, text, cell in zip(names, texts[1:], row[1:], strict=True) if text
            ]
            if not across:
                for name, text, style in pairs:
                    yield from _folded(f"  {name}: {text}", width, style, "    ")
            for start in range(0, len(pairs), across) if across else ():
                pieces: Line = []
                for name, text, style in pairs[start : start + across]:
                    pieces += [
                        ("    " if pieces else "  ", ""),
                        (f"{name:<{longest_name}}  ", ""),
                        (f"{text:>{longest}}", style),
                    ]
                yield pieces

    def html(self) -> str:
        def escaped(text: str) -> str:
            return html.escape(text).replace("\n", "<br>")

        def cell(cell: Cell, k: int) -> str:
            main = f"<b>{escaped(cell.main)}</b>" if cell.good else escaped(cell.main)
            small = f"<br><small>{escaped(cell.small).replace(chr(10), '<br>')}</small>" if cell.small else ""
            return f'<td style="text-align: {"left" if k in self.left else "right"}">{main}{small}</td>'

        heads = "".join(f"<th>{escaped(column)}</th>" for column in self.columns)
        rows = "".join("<tr>" + "".join(cell(each, k) for k, each in enumerate(row)) + "</tr>" for row in self._cells())
        above = "<br>".join([f"<b>{escaped(self.title)}</b>", *map(escaped, self.header)])
        below = "<br>".join([*map(escaped, self.notes), *(f"⚠ {escaped(w)}" for w in self.warnings)])
        return f"<p>{above}</p><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" + (
            f"<p>{below}</p>" if below else ""
        )

    def print(self, file: TextIO | None = None) -> None:
        """Print the table; in a terminal it fits its width, and has colours if rich is installed."""
        file = file or sys.stdout
        width = _width_of(file)
        if width < math.inf:  # in a pipe rich would end the program when its reader leaves
            try:
                from rich.console import Console
                from rich.text import Text
            except ImportError:
                pass
            else:
                console = Console(file=file, highlight=False, soft_wrap=True)
                for line in self.lines(width):
                    console.print(Text.assemble(*line))
                return
        print(self.plain(width), file=file)


def _width_of(file: TextIO) -> float:
    """The width of the terminal that a file is; infinite for a file or a pipe."""
    if not file.isatty():
        return math.inf
    try:
        own = os.get_terminal_size(file.fileno())
    except (OSError, ValueError):
        own = os.terminal_size((80, 24))
    return max(20, shutil.get_terminal_size(own).columns or 80)


def _folded(text: str, width: float, style: str = "", hanging: str = "") -> Iterator[Line]:
    """Text as lines that fit the width: where there is one, ``\\n`` is as good a place for a break as any other."""
    text = printable(text, "\n")
    lines = text.split("\n") if width == math.inf else textwrap.wrap(text, int(width), subsequent_indent=hanging)
    return ([(line, style)] for line in lines)


class Result:
    """
    The result of a benchmark: displayed as a table, with a plot, and as JSON.

    Subclasses define the tables (`tables`), the plot (`draw`) and the JSON (`figures`).
    """

    schema: str
    schema_version: int = 1
    size: tuple[float, float] = (12.5, 4.8)
    machine: Machine
    created: str

    def tables(self) -> list[Table]:
        raise NotImplementedError

    def figures(self) -> dict[str, Any]:
        raise NotImplementedError

    def draw(self, figure: "Figure") -> None:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The result as a dict for JSON, in the format that `schema` and `schema_version` name."""
        return {
            "schema": self.schema,
            "schema_version": self.schema_version,
            "created": self.created,
            "machine": self.machine.to_dict(),
            **self.figures(),
        }

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=1)

    def save_json(self, path: str | Path) -> None:
        """Write `to_dict` to a file."""
        Path(path).write_text(self.to_json() + "\n", encoding="utf-8")

    def plot(self, figure: "Figure | None" = None) -> "list[Axes]":
        """
        Plot the result.

        Parameters
        ----------
        figure : matplotlib Figure or SubFigure, optional
            Where to draw; by default a new pyplot figure, which Jupyter displays.

        Returns
        -------
        list of Axes

        Raises
        ------
        ModuleNotFoundError
            If matplotlib is not installed; the extra ``bench`` includes it.
        """
        require_matplotlib()
        if figure is None:
            import matplotlib.pyplot as plt

            figure = plt.figure(figsize=self.size, layout="constrained")
        self.draw(figure)
        return list(figure.axes)

    def save_plot(self, path: str | Path) -> None:
        """Plot the result to a file; its suffix determines the format (.png, .svg, .pdf)."""
        require_matplotlib()
        from matplotlib.figure import Figure

        figure = Figure(figsize=self.size, layout="constrained")
        self.draw(figure)
        figure.savefig(path, dpi=160)

    def __str__(self) -> str:
        return "\n\n".join(table.plain() for table in self.tables())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables())


def require_matplotlib() -> None:
    """Raise an ImportError that says what to install, if matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ModuleNotFoundError(
            "plots need matplotlib: pip install matplotlib (pycrust's extra 'bench' includes it)", name="matplotlib"
        ) from None


def now() -> str:
    """The current time in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


# ---- progress ---------------------------------------------------------------

Progress = Callable[[str, float, float], None]


def no_progress(label: str, done: float, total: float) -> None:
    """Show nothing."""


@contextmanager
def progress_bar(file: TextIO | None = None) -> Iterator[Progress]:
    """
    Show the progress of `take_turns` on stderr.

    With rich it is a bar; without, one line that is overwritten; in a file or a pipe, nothing.
    """
    file = file or sys.stderr
    if not file.isatty():
        yield no_progress
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress
    except ImportError:
        yield from _plain_progress(file)
        return
    with RichProgress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[left]}"),
        console=Console(file=file),
        transient=True,
        expand=True,
    ) as bar:
        task = bar.add_task("warming up", total=None, left="")

        def show(label: str, done: float, total: float) -> None:
            bar.update(task, description=label, completed=done, total=total, left=_left(total - done))

        yield show


def _left(seconds: float) -> str:
    return f"about {seconds:3.0f} s left"


def _plain_progress(file: TextIO) -> Iterator[Progress]:
    shown = 0
    width = int(min(_width_of(file), 1000)) - 1  # a longer line could not be written over
    next_time = 0.0

    def show(label: str, done: float, total: float) -> None:
        nonlocal shown, next_time
        if time.monotonic() < next_time:
            return
        next_time = time.monotonic() + 0.1
        line = (f"{done / total:4.0%}  {_left(total - done)}  {label}" if total else label)[:width]
        print(f"\r{line:<{shown}}", end="", file=file, flush=True)
        shown = len(line)

    try:
        yield show
    finally:
        print(f"\r{'':<{shown}}\r", end="", file=file, flush=True)
