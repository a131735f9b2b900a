"""The style of all plots: colours, axes, caption."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pycrust.bench.report import printable

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision can tell apart.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY, BROWN = "#777777", "#7A4A1E"
COLOURS = (BLUE, VERMILION, SKY, ORANGE, GREEN, PURPLE, BLACK, GREY, BROWN)  # in the order of use, for many lines


def words(text: str) -> str:
    """Text to be drawn literally: matplotlib takes what is between two $ for a formula."""
    return printable(text, "\n").replace("$", r"\$")


def plain(axes: "Axes") -> None:
    """A light plot: a faint grid behind, no box around."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=11)
    axes.xaxis.label.set_fontsize(12)
    axes.yaxis.label.set_fontsize(12)
    axes.title.set_fontsize(13)


def legend(figure: "Figure", *more: "Artist") -> None:
    """One legend for all axes, beside them, where it covers nothing."""
    found = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    found.update({str(handle.get_label()): handle for handle in more})
    figure.legend(found.values(), found.keys(), loc="outside right upper", frameon=False, fontsize=11)


def title(figure: "Figure", text: str) -> None:
    """Above all, in lines that end before the legend."""
    figure.suptitle(textwrap.fill(words(text), round(6.5 * figure.get_figwidth())), x=0.01, ha="left", fontsize=14)


def caption(figure: "Figure", text: str, warnings: Sequence[str] = ()) -> None:
    """Below all, what was measured and where; then the warnings."""
    width = round(14 * figure.get_figwidth())
    lines = [words(text), *(textwrap.fill(f"warning: {words(warning)}", width) for warning in warnings)]
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=9, color=GREY)


def seconds_axis(axis: "Axis") -> None:
    """Ticks on a logarithmic axis of seconds in words: 10 ms, 1 µs."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(base=10, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda seconds, _: round_seconds(seconds)))
    axis.set_minor_formatter(NullFormatter())


def ratio_axis(axis: "Axis", reach: float) -> None:
    """A logarithmic axis from 1 / reach to reach, with ticks at round ratios: 0.9, 1, 1.1, or 1/4, 1/2, 1, 2, 4."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    if reach < 2:
        ticks = [tick for tick in (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4, 1.6, 2) if 1 / reach <= tick <= reach]
        words = [f"{tick:g}" for tick in ticks]
    else:
        step = math.ceil(math.log2(reach) / 3)
        powers = range(-3 * step, 3 * step + 1, step)
        ticks = [2.0**power for power in powers if abs(power) <= math.log2(reach)]
        words = [f"{tick:.0f}" if tick >= 1 else f"1/{1 / tick:.0f}" for tick in ticks]
    axis.axes.set(xscale="log", xlim=(1 / reach, reach))
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter(words))
    axis.set_minor_locator(NullLocator())


def round_seconds(seconds: float) -> str:
    for unit, size in ("s", 1), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9):
        if seconds >= 0.999 * size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds / 1e-9:g} ns"


def k_axis(axes: "Axes", k: list[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(k, [str(each) for each in k])
    axes.minorticks_off()
    axes.set_xlabel("k (calls, or threads)")


def threads_axes(axes: "Axes", k: list[int], cores: int, doubtful: bool = False) -> None:
    """Finish a plot of speed-ups over k: add what the cores allow. Speed-ups that mean nothing are faded."""
    if doubtful:
        for line in axes.lines:
            line.set_alpha(0.3)
    most = [min(each, cores) for each in k]
    axes.plot(k, most, color=GREY, linestyle=":", linewidth=1.5, label="limit by the cores", zorder=1)
    axes.set_ylim(0, max(2.0, *most, axes.dataLim.y1) * 1.12)
    axes.locator_params(axis="y", integer=True)
    axes.set_ylabel("times as fast as in a row")
    axes.set_title("What k threads gain", loc="left")
    k_axis(axes, k)
    plain(axes)
    if doubtful:
        axes.set_title("Not to be trusted:\nother processes use the cores", loc="left", color=VERMILION)
