"""What the pictures show, and that nothing in them covers anything else."""

import dataclasses
import functools
import time

import pytest
from cases import slow

from pycrust.bench import break_even, compare, compare_peers, gil_table, threadable
from pycrust.bench.waits import Ask, Waits

pytest.importorskip("matplotlib")

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

pytestmark = pytest.mark.thread_unsafe(reason="measures, and draws with matplotlib")

LONG = "a.package.with_a_long_name.of_modules.AClassThatHasOneToo.and_the_method_of_that_class_which_is_measured"


@functools.cache
def result(kind):
    if kind == "gil_table":
        return gil_table(1000, (1, 2, 4), rounds=1)
    if kind == "peers":
        return compare_peers([10, 100], ["float64"], rounds=1, seconds=0.001)
    if kind == "break_even":
        return break_even([10, 100, 1000], k=2, rounds=1)
    if kind == "comparison":
        return comparison(a=(1.0, 0.5), b=(2.0, 0.1), c=(0.25, 0.1))
    return threadable(
        time.sleep, 0.002, threads=(1, 2), rounds=1, name={"verdict": "sleep", "long verdict": LONG}[kind]
    )


def comparison(**changes):
    """Old times of 1 s, and new ones; with the noise given, as a share of the old."""

    def report(times):
        entries = [
            {"function": name, "size": 1, "dtype": "x", "median": each, "spread": noise / 10, "rounds": [each] * 3}
            for name, (each, noise) in times.items()
        ]
        machine = {"pycrust": "0.1", "python": "CPython", "cpu": "a processor"}
        head = {"schema": "pycrust.bench.peers", "schema_version": 1, "created": "2026-01-01T00:00", "warnings": []}
        return {**head, "machine": machine, "entries": entries}

    return compare(report({name: (1.0, noise) for name, (_, noise) in changes.items()}), report(changes))


def drawn(result):
    figure = Figure(figsize=result.size, layout="constrained")
    FigureCanvasAgg(figure)
    result.draw(figure)
    figure.draw_without_rendering()
    return figure


KINDS = ["gil_table", "peers", "verdict", *map(slow, ["break_even", "comparison", "long verdict"])]


@pytest.mark.parametrize("kind", KINDS)
def test_the_legend_stands_beside_the_axes_and_covers_nothing(kind):
    figure = drawn(result(kind))
    (legend,) = figure.legends
    extent = legend.get_window_extent()
    assert [axes.get_legend() for axes in figure.axes] == [None] * len(figure.axes)
    assert not any(extent.overlaps(axes.get_tightbbox()) for axes in figure.axes)
    title = figure.get_suptitle() and figure._suptitle.get_window_extent()
    assert not (title and title.overlaps(extent))
    assert figure.bbox.x1 >= extent.x1 and figure.bbox.y0 <= extent.y0
    assert len({text.get_text() for text in legend.get_texts()}) == len(legend.get_texts()) > 0


def test_verdicts_align_whatever_the_name():
    short = result("verdict")
    short, long = drawn(short), drawn(dataclasses.replace(short, name=LONG))
    for one, other in zip(short.axes, long.axes):
        assert one.get_position().intervalx == pytest.approx(other.get_position().intervalx)
    assert long.get_suptitle().replace("\n", "").startswith(LONG)


def test_moments_and_waits_are_told_apart():
    """It got the GIL each millisecond, but waited for it from 9 to 15, and had no core from 17 to 22."""
    asks = [Ask(k / 1000, k / 1000, 0.0) for k in range(9)]
    asks += [Ask(0.009, 0.015, 1.0), Ask(0.016, 0.016, 0.0), Ask(0.017, 0.017, 0.0), Ask(0.022, 0.022, 0.0, 0.0045)]
    asks += [Ask(k / 1000, k / 1000, 0.0) for k in range(23, 41)]
    idle = [Ask(k / 1000, k / 1000, 0.0) for k in range(41)]
    changed = {"runs": [Waits(0.0, 0.04, tuple(asks))], "idle": [Waits(0.0, 0.04, tuple(idle))]}
    figure = drawn(dataclasses.replace(result("verdict"), **changed))
    spans = {}
    for bars in figure.axes[0].collections:
        for path in bars.get_paths():
            spans.setdefault(bars.get_label(), []).append([round(x) for x in path.get_extents().intervalx])
    assert spans["it had to wait"] == [[9, 15]]
    assert spans["it had no core"] == [[17, 22]]
    idle_and_run = [*range(1, 41)], [*range(1, 9), 16, 17, *range(22, 41)]
    assert [x for x, _ in spans["it got the GIL"]] == sum(idle_and_run, [])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"it got the GIL", "it had to wait", "it had no core"} <= set(labels)


@pytest.mark.parametrize(
    ("changes", "ticks"),
    [
        ({"a": (1.0, 0.0)}, ["0.8", "0.9", "1", "1.1", "1.2"]),
        ({"a": (2.5, 0.0), "b": (0.8, 0.0)}, ["1/2", "1", "2"]),
        ({"a": (3.0, 5.0)}, ["1/4", "1/2", "1", "2", "4"]),
        ({"a": (1e-6, 0.0), "b": (1.0, 0.0)}, ["1/16384", "1/128", "1", "128", "16384"]),
    ],
)
def test_ratios_stand_on_a_logarithmic_axis(changes, ticks):
    """Twice as slow is as far from 1 as twice as fast; no point and no noise lies outside."""
    (axes,) = drawn(comparison(**changes)).axes
    assert axes.get_xscale() == "log"
    low, high = axes.get_xlim()
    assert low == pytest.approx(1 / high)
    shown = [tick.label1.get_text() for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert shown == ticks
    assert all(low < each[0] < high for each in changes.values())
    assert all(low * 0.999 <= bar.get_x() and bar.get_x() + bar.get_width() <= high for bar in axes.patches)
