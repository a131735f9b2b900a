"""What people see: tables in a terminal, in plain text and in Jupyter, progress, JSON."""

import html
import json
import sys
import time
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


# ---- tables -----------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """A figure, and in smaller print what goes with it."""

    main: str
    small: str = ""
    good: bool = False


@dataclass
class Table:
    """
    Rows of cells, with lines above and below: rendered as plain text, by rich, or as HTML.

    Attributes
    ----------
    title : str
    columns : sequence of str
        The heads; ``\\n`` breaks a line.
    rows : list of sequences of Cell or str
        The first column is a label, the others are figures.
    header, notes, warnings : list of str
        Lines above the table, below it, and below it in a warning's voice.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    header: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left: Sequence[int] = (0,)

    def _cells(self) -> list[list[Cell]]:
        return [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows]

    def plain(self) -> str:
        blocks = [[column.split("\n") for column in self.columns]]
        for row in self._cells():
            blocks.append([[cell.main, *([cell.small] if cell.small else [])] for cell in row])
        widths = [max(len(line) for block in blocks for line in block[k]) for k in range(len(self.columns))]
        sparse = any(cell.small for row in self._cells() for cell in row)

        def lines(block: list[list[str]]) -> list[str]:
            return [
                "  ".join(
                    (f"{text:<{width}}" if k in self.left else f"{text:>{width}}")
                    for k, (cell, width) in enumerate(zip(block, widths, strict=True))
                    for text in [cell[line] if line < len(cell) else ""]
                ).rstrip()
                for line in range(max(map(len, block)))
            ]

        text = [self.title, *self.header, ""]
        for number, block in enumerate(blocks):
            text += lines(block)
            if number == 0:
                text.append("  ".join("-" * width for width in widths))
            elif sparse and number < len(blocks) - 1:
                text.append("")
        text += [""] * bool(self.notes or self.warnings)
        text += self.notes
        text += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(text)

    def html(self) -> str:
        def escaped(text: str) -> str:
            return html.escape(text).replace("\n", "<br>")

        def cell(cell: Cell, k: int) -> str:
            main = f"<b>{escaped(cell.main)}</b>" if cell.good else escaped(cell.main)
            small = f"<br><small>{escaped(cell.small)}</small>" if cell.small else ""
            return f'<td style="text-align: {"left" if k in self.left else "right"}">{main}{small}</td>'

        heads = "".join(f"<th>{escaped(column)}</th>" for column in self.columns)
        rows = "".join("<tr>" + "".join(cell(each, k) for k, each in enumerate(row)) + "</tr>" for row in self._cells())
        above = "<br>".join([f"<b>{escaped(self.title)}</b>", *map(escaped, self.header)])
        below = "<br>".join([*map(escaped, self.notes), *(f"⚠ {escaped(w)}" for w in self.warnings)])
        return f"<p>{above}</p><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" + (
            f"<p>{below}</p>" if below else ""
        )

    def print(self, file: TextIO | None = None) -> None:
        """Print the table with rich, if it is installed, or as plain text."""
        file = file or sys.stdout
        try:
            from rich import box
            from rich.console import Console
            from rich.table import Table as RichTable
            from rich.text import Text
        except ImportError:
            print(self.plain(), file=file)
            return
        console = Console(file=file, highlight=False)
        if not console.is_terminal:  # a file or a pipe is not cut to a width
            print(self.plain(), file=file)
            return
        console.print(Text(self.title, style="bold"))
        for line in self.header:
            console.print(Text(line, style="dim"))
        table = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1))
        for k, column in enumerate(self.columns):
            table.add_column(Text(column), justify="left" if k in self.left else "right", no_wrap=True)
        cells = self._cells()
        sparse = any(cell.small for row in cells for cell in row)
        for row in cells:
            texts = []
            for cell in row:
                text = Text(cell.main, style="bold green" if cell.good else "")
                if cell.small:
                    text.append(f"\n{cell.small}", style="dim not bold")
                texts.append(text)
            table.add_row(*texts)
            if sparse and row is not cells[-1]:
                table.add_row()
        console.print()
        console.print(table)
        console.print()
        for note in self.notes:
            console.print(Text(note))
        for warning in self.warnings:
            console.print(Text(f"warning: {warning}", style="yellow"))


class Result:
    """
    What a benchmark gives back: it shows itself as a table, draws itself, and becomes JSON.

    Subclasses say what is in the tables (`tables`), in the plot (`draw`) and in the
    JSON (`figures`).
    """

    schema: str
    schema_version: int = 1
    size: tuple[float, float] = (11, 4.8)
    machine: Machine
    created: str

    def tables(self) -> list[Table]:
        raise NotImplementedError

    def figures(self) -> dict[str, Any]:
        raise NotImplementedError

    def draw(self, figure: "Figure") -> None:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON takes it. Its form is that of `schema` and `schema_version`."""
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
        Draw the result.

        Parameters
        ----------
        figure : matplotlib Figure or SubFigure, optional
            Where to draw; by default a new figure of pyplot, which Jupyter shows.

        Returns
        -------
        list of Axes
        """
        if figure is None:
            import matplotlib.pyplot as plt

            figure = plt.figure(figsize=self.size, layout="constrained")
        self.draw(figure)
        return list(figure.axes)

    def save_plot(self, path: str | Path) -> None:
        """Draw the result to a file; its suffix gives the format (.png, .svg, .pdf)."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=self.size, layout="constrained")
        self.draw(figure)
        figure.savefig(path, dpi=160)

    def __str__(self) -> str:
        return "\n\n".join(table.plain() for table in self.tables())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables())


def now() -> str:
    """This moment, as JSON takes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


# ---- progress ---------------------------------------------------------------

Progress = Callable[[str, float, float], None]


def no_progress(label: str, done: float, total: float) -> None:
    """Say nothing."""


@contextmanager
def progress_bar(file: TextIO | None = None) -> Iterator[Progress]:
    """
    Say on stderr how far a measurement is, for `take_turns`.

    With rich a bar; without it a line that is written over; to a file or a pipe nothing.
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
    next_time = 0.0

    def show(label: str, done: float, total: float) -> None:
        nonlocal shown, next_time
        if time.monotonic() < next_time:
            return
        next_time = time.monotonic() + 0.1
        line = f"{done / total:4.0%}  {_left(total - done)}  {label}" if total else label
        print(f"\r{line:<{shown}}", end="", file=file, flush=True)
        shown = len(line)

    try:
        yield show
    finally:
        print(f"\r{'':<{shown}}\r", end="", file=file, flush=True)
