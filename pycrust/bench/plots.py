"""How the pictures of all results look: colours, axes and a caption. Each result draws itself with them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision can tell apart.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY, BROWN = "#777777", "#7A4A1E"
COLOURS = (BLUE, VERMILION, SKY, ORANGE, GREEN, PURPLE, BLACK, GREY, BROWN)  # in the order of use, for many lines


def plain(axes: "Axes") -> None:
    """A light plot: a faint grid behind, no box around."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=11)
    axes.xaxis.label.set_fontsize(12)
    axes.yaxis.label.set_fontsize(12)
    axes.title.set_fontsize(13)


def caption(figure: "Figure", text: str) -> None:
    figure.supxlabel(text, x=0.01, ha="left", fontsize=9, color=GREY)


def seconds_axis(axis: "Axis") -> None:
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


def k_axis(axes: "Axes", k: list[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(k, [str(each) for each in k])
    axes.minorticks_off()
    axes.set_xlabel("k (calls, or threads)")


def threads_axes(axes: "Axes", k: list[int], cores: int) -> None:
    """Finish a plot of speed-ups over k: beside them what the cores allow."""
    most = [min(each, cores) for each in k]
    axes.plot(k, most, color=GREY, linestyle=":", linewidth=1.5, label="as many as cores", zorder=1)
    axes.set_ylim(0, max(2.0, *most, axes.dataLim.y1) * 1.12)
    axes.locator_params(axis="y", integer=True)
    axes.set_ylabel("times as fast as in a row")
    axes.set_title("What k threads gain", loc="left")
    axes.legend(frameon=False, fontsize=10, loc="lower right")
    k_axis(axes, k)
    plain(axes)
