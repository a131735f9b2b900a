"""How the results look as pictures: one style, one function per result."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pycrust.bench.gil import GilTable

# Okabe and Ito's colours, which people with any colour vision can tell apart.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY = "#777777"


def plain(axes: "Axes") -> None:
    """A light plot: a faint grid behind, no box around."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=11)
    axes.xaxis.label.set_size(12)
    axes.yaxis.label.set_size(12)
    axes.title.set_size(13)


def caption(figure: "Figure", text: str) -> None:
    figure.supxlabel(text, x=0.01, ha="left", fontsize=9, color=GREY)


def seconds_axis(axis) -> None:
    """Ticks on a logarithmic axis of seconds in words: 10 ms, 1 µs."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(base=10, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda seconds, _: round_seconds(seconds)))
    axis.set_minor_formatter(NullFormatter())


def round_seconds(seconds: float) -> str:
    for unit, size in ("s", 1), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9):
        if seconds >= 0.999 * size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds / 1e-9:g} ns"


def gil_table(result: "GilTable", figure: "Figure") -> None:
    """Left the time per call, right what threads gain."""
    from pycrust.bench.report import count_in_words

    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    styles = {
        "python": (GREY, "o", "-"),
        "threaded_python": (ORANGE, "s", "--"),
        "c": (BLACK, "o", "-"),
        "threaded_c": (VERMILION, "s", "--"),
        "threaded_c_nogil": (BLUE, "D", "-"),
    }
    k = list(result.k)
    for column in result.columns:
        colour, marker, line = styles[column.key]
        label = column.title(result.machine).replace("\n", " ")
        left.plot(
            k, [result.times[column.key, each].median for each in k],
            color=colour, marker=marker, linestyle=line, linewidth=2, markersize=7, label=label,
        )  # fmt: skip
        if column.threads:
            right.plot(
                k, [result.speedup(column.key, each) for each in k],
                color=colour, marker=marker, linestyle=line, linewidth=2, markersize=7, label=label,
            )  # fmt: skip
    most = [min(each, result.machine.cores) for each in k]
    right.plot(k, most, color=GREY, linestyle=":", linewidth=1.5, label="as many as cores", zorder=1)
    left.set_yscale("log")
    seconds_axis(left.yaxis)
    left.set_ylabel("time per call")
    left.set_title("k calls: time of all, divided by k", loc="left")
    right.set_ylim(0, max([2.0, *most]) * 1.12)
    right.set_ylabel("times as fast as in a row")
    right.set_title("What k threads gain", loc="left")
    right.yaxis.get_major_locator().set_params(integer=True)
    left.legend(frameon=False, fontsize=10)
    right.legend(frameon=False, fontsize=10, loc="lower right")
    for axes in left, right:
        axes.set_xscale("log", base=2)
        axes.set_xticks(k, [str(each) for each in k], minor=False)
        axes.minorticks_off()
        axes.set_xlabel("k (calls, or threads)")
        plain(axes)
    caption(
        figure,
        f"1² + … + n², n = {count_in_words(result.n)} · {result.machine.python}, {result.machine.gil} · "
        f"{result.machine.cores_in_words} · SIMD {result.machine.simd}",
    )
