"""How the results look as pictures: one style, one function per result."""

from typing import TYPE_CHECKING

from pycrust.bench.report import count_in_words, seconds_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from pycrust.bench.breakeven import BreakEven
    from pycrust.bench.gil import GilTable
    from pycrust.bench.peers import Peers
    from pycrust.bench.verdict import Threadable

# Okabe and Ito's colours, which people with any colour vision can tell apart.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY, BROWN = "#777777", "#7A4A1E"


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


def gil_table(result: "GilTable", figure: "Figure") -> None:
    """Left the time per call, right what threads gain."""
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
    left.set_yscale("log")
    seconds_axis(left.yaxis)
    left.set_ylabel("time per call")
    left.set_title("k calls: time of all, divided by k", loc="left")
    left.legend(frameon=False, fontsize=10)
    k_axis(left, k)
    plain(left)
    threads_axes(right, k, result.machine.cores)
    caption(
        figure,
        f"1² + … + n², n = {count_in_words(result.n)} · {result.machine.python}, {result.machine.gil} · "
        f"{result.machine.cores_in_words} · SIMD {result.machine.simd}",
    )


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


def threadable(result: "Threadable", figure: "Figure") -> None:
    """Above the heart's beats, below them as they should be; on the right what threads gain."""
    if result.row:
        left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    else:
        left, right = figure.subplots(), None
    rows = [("while\nnothing runs", result.idle_pulse), (f"while\n{result.name}\nruns", result.pulse)]
    length = min(result.pulse.seconds, result.idle_pulse.seconds)
    for height, (_, pulse) in enumerate(rows):
        gaps = [gap for gap in pulse.gaps() if gap.begin < length]
        late = [gap for gap in gaps if gap.late(result.pace) > result.pace]
        left.vlines(
            [1e3 * gap.begin for gap in gaps if gap.begin > 0], height - 0.3, height + 0.3, color=BLUE, linewidth=0.8
        )
        left.broken_barh(
            [(1e3 * gap.begin, 1e3 * (gap.end - gap.begin)) for gap in late],
            (height - 0.3, 0.6), color=VERMILION, alpha=0.35,
        )  # fmt: skip
    left.set_yticks(range(len(rows)), [label for label, _ in rows])
    left.set_ylim(-0.6, len(rows) - 0.4)
    left.set_xlim(0, 1e3 * length)
    left.set_xlabel("time / ms")
    left.set_title("Beats of another Python thread; shaded: it had to wait", loc="left")
    plain(left)
    left.grid(False)
    if right is not None:
        k = list(result.row)
        right.plot(
            k,
            [result.speedup(each) for each in k],
            color=BLUE,
            marker="D",
            linewidth=2,
            markersize=7,
            label=result.name,
        )
        threads_axes(right, k, result.machine.cores)
    caption(
        figure,
        f"{result.machine.python}, {result.machine.gil} · {result.machine.cores_in_words} · a call takes "
        f"{seconds_in_words(result.seconds)}",
    )
    figure.suptitle(f"{result.name} {result.headline()}", x=0.01, ha="left", fontsize=14)


def peers(result: "Peers", figure: "Figure") -> None:
    """One panel per dtype: time per element over the size; an empty marker is a wrong answer."""
    from matplotlib.lines import Line2D

    groups = result.groups()
    operation = groups[0][0]
    dtypes = [dtype for each, dtype in groups if each == operation]
    columns = min(2, len(dtypes))
    panels = figure.subplots(-(-len(dtypes) // columns), columns, squeeze=False, sharex=True).flat
    names = list(dict.fromkeys(entry.peer for entry in result.entries if entry.operation == operation))
    others = [VERMILION, SKY, ORANGE, GREEN, PURPLE, BLACK, GREY, BROWN]
    styles = {
        name: (BLUE, "D", 3.0) if name.startswith("pycrust") else (colour, marker, 1.5)
        for name, colour, marker in zip(names, [BLUE, *others], "Dosv^P*Xh", strict=False)
    }
    for axes, dtype in zip(panels, dtypes, strict=False):
        for name, entries in result.of(operation, dtype).items():
            colour, marker, width = styles[name]
            sizes = list(entries)
            axes.plot(
                sizes, [1e9 * entries[size].per_element for size in sizes],
                color=colour, linewidth=width, zorder=3 if width > 2 else 2,
            )  # fmt: skip
            for wrong in False, True:
                chosen = [size for size in sizes if (entries[size].error > 0.01) == wrong]
                axes.plot(
                    chosen, [1e9 * entries[size].per_element for size in chosen],
                    color=colour, marker=marker, linestyle="", markersize=7, zorder=4,
                    markerfacecolor="white" if wrong else colour,
                )  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_title(dtype, loc="left")
        axes.set_xlabel("number of elements")
        axes.set_ylabel("ns per element")
        axes.label_outer()
        plain(axes)
    handles = [
        Line2D(
            [], [], color=styles[name][0], marker=styles[name][1], linewidth=styles[name][2], markersize=7, label=name
        )
        for name in names
    ]
    handles.append(
        Line2D(
            [], [], color=GREY, marker="o", linestyle="", markersize=7, markerfacecolor="white", label="wrong answer"
        )
    )
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=11)
    title = {"sumsq": "Sum of squares: time per element", "norm": "Euclidean norm: time per element"}[operation]
    figure.suptitle(title, x=0.01, ha="left", fontsize=14)
    caption(figure, f"{result.machine.cpu} · {result.machine.python} · SIMD {result.machine.simd} · one thread each")


def break_even(result: "BreakEven", figure: "Figure") -> None:
    """One panel per family: how many times as fast as one thread with the GIL held, over n."""
    from pycrust.bench.breakeven import FAMILIES

    styles = {"held": (VERMILION, "s", "--"), "released": (BLUE, "D", "-"), "sumsq": (BLUE, "D", "-")}
    panels = figure.subplots(1, len(FAMILIES), sharey=True)
    for axes, (family, (title, calls)) in zip(panels, FAMILIES.items(), strict=True):
        for label in calls:
            colour, marker, line = styles[label]
            gains = [result.gain(family, size, label) for size in result.sizes]
            axes.plot(
                result.sizes, gains, color=colour, linestyle=line, marker=marker, linewidth=2, markersize=6,
                label=f"{label}, {result.k} threads",
            )  # fmt: skip
        axes.axhline(1, color=GREY, linewidth=1)
        first = result.pays_from(family)
        if first:
            axes.axvline(first, color=GREY, linestyle=":", linewidth=1.5)
            axes.annotate(
                f" threads pay from\n n = {count_in_words(first)}", (first, 0.02),
                xycoords=("data", "axes fraction"), fontsize=10, color=GREY, va="bottom",
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlabel("n")
        axes.set_title(title.partition(",")[0], loc="left")
        axes.legend(frameon=False, fontsize=10, loc="upper left")
        plain(axes)
    panels[0].set_ylim(0, max(2.0, panels[0].dataLim.y1, panels[1].dataLim.y1) * 1.12)
    panels[0].set_ylabel("times as fast as one thread")
    caption(
        figure,
        f"{result.machine.python}, {result.machine.gil} · {result.machine.cores_in_words} · SIMD {result.machine.simd}",
    )
