"""The comparison with peers and the break-even: what they measure and what they call right."""

import importlib.util
import json
import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from matplotlib.figure import Figure

import pycrust
from pycrust import reference
from pycrust.bench import break_even, compare_peers, peers
from pycrust.bench.breakeven import BreakEven
from pycrust.bench.cases import GROUPS, OF_PAIRS, PAIRS, SHORT_AXES, WITHOUT_NAN, Case, reverse, short
from pycrust.bench.cli import main, up_to
from pycrust.bench.compare import UNSURE, compare, timings
from pycrust.bench.machine import Machine
from pycrust.bench.peers import (
    OPERATIONS,
    block_of,
    error_in_words,
    error_of,
    error_of_many,
    exact_of_pairs,
    exact_results,
)
from pycrust.bench.timing import Timing

pytestmark = pytest.mark.thread_unsafe(reason="measures, and draws with matplotlib")

# ---- the oracle -------------------------------------------------------------


@pytest.mark.parametrize("dtype", peers.DTYPES)
@pytest.mark.parametrize("size", [1, 10, 1008, 1009, 1010, 5000])
def test_the_exact_answer_is_that_of_the_array(dtype, size):
    block = block_of(dtype)
    x = np.resize(block, size)
    values = [Fraction(value) for value in x.tolist()]
    total = sum(values)
    squares = sum(value**2 for value in values)
    variance = sum((value - total / size) ** 2 for value in values) / size
    exact = {"sumsq": squares, "norm": squares, "sum": total, "mean": total / size, "var": variance, "std": variance}
    assert exact_results(block, size) == exact


def test_integers_cover_their_range():
    assert np.abs(block_of("int16").astype(int)).max() > 32_000
    assert block_of("int16").min() < 0


def test_errors():
    assert error_of(30, "sumsq", Fraction(30)) == 0
    assert error_of(np.int16(30), "sumsq", Fraction(30)) == 0
    assert error_of(-5, "sumsq", Fraction(30)) == pytest.approx(35 / 30, abs=0)
    third = Fraction(1, 3)
    assert error_of(1 / 3, "sumsq", third) == 0
    assert error_of(math.nextafter(1 / 3, 1), "sumsq", third) > 0
    assert error_of(math.sqrt(2), "norm", Fraction(2)) == error_of(math.sqrt(2), "std", Fraction(2)) == 0
    assert error_of(0.0, "var", Fraction()) == 0
    assert error_of(1e-30, "var", Fraction()) == math.inf
    assert error_of(math.inf, "sumsq", Fraction(2)) == math.inf
    assert error_of(math.nan, "norm", Fraction(2)) == math.inf


def test_errors_in_words():
    assert [error_in_words(error) for error in (0, 2e-16, math.inf, 0.5)] == ["right", "off by 2e-16", "wrong", "wrong"]


def test_short():
    assert [short(size) for size in (10, 1000, 10**6, 10**12, 31_623)] == ["10", "1000", "10⁶", "10¹²", "31623"]


# ---- arrays reduced along an axis -------------------------------------------


@pytest.mark.parametrize("case", [*SHORT_AXES, *WITHOUT_NAN, *GROUPS], ids=str)
@pytest.mark.parametrize("largest", [1, 2500])
def test_the_exact_answers_are_those_of_the_array(case, largest):
    case = case.within(largest)
    block = case.block()
    x = case.array(block)
    assert x.shape == case.shape and x.size <= max(largest, case.depth) and x.flags.c_contiguous
    assert x.dtype == case.dtype and (largest == 1 or (case.nan > 0) == bool(np.isnan(x).any()))
    exacts = [exact_results(column, case.depth) for column in block.T]
    for k, row in enumerate(np.moveaxis(x, case.axis, -1).reshape(-1, case.depth)):
        ratios = [value.as_integer_ratio() for value in row.tolist() if value == value]
        unit = max(below for _, below in ratios)  # a power of two, as all are
        values = [above * (unit // below) for above, below in ratios]
        total, count = sum(values), len(values)
        exact = exacts[k % len(exacts)]
        assert (exact["sum"], exact["mean"]) == (Fraction(total, unit), Fraction(total, unit * count))
        assert exact["std"] == Fraction(sum((count * x - total) ** 2 for x in values), unit**2 * count**3)


@pytest.mark.parametrize("case", PAIRS, ids=str)
@pytest.mark.parametrize("largest", [10, 2500])
def test_the_exact_answers_are_those_of_the_pair(case, largest):
    case = case.within(largest)
    block = case.block()
    x = case.array(block)
    y = reverse(x)
    for operation in case.operations:
        if operation == "vecdot":
            right = reference.vecdot(x, y)
        elif operation == "average":
            right = reference.average(x, weights=np.abs(y))
        else:
            right = getattr(reference, operation)(x, y)
            right = right if operation == "dot" else right[0, 1]
        exact = np.array([float(each) for each in exact_of_pairs(case, block, operation)])
        assert np.array_equal(np.resize(exact, np.shape(right)), right)


def test_arrays_keep_the_axis_that_is_reduced():
    frames, pixels = Case("f", (10, 1000), 0, "int16", ()), Case("p", (50, 50, 3), 2, "uint8", ())
    assert [frames.within(size).shape for size in (1, 99, 10**6)] == [(10, 1), (10, 9), (10, 1000)]
    assert [pixels.within(size).shape for size in (1, 75, 10**6)] == [(1, 1, 3), (5, 5, 3), (50, 50, 3)]
    assert frames.within(10**6).in_words() == "f, 10 × 1000, axis=0"


def test_the_largest_error_of_many_answers():
    exacts = [{"mean": Fraction(1, 3), "std": Fraction(2)}, {"mean": Fraction(0), "std": Fraction(1)}]
    for dtype in np.float64, np.float32:
        right = np.array([1, 0, 1], dtype) / dtype(3)
        assert error_of_many(exacts, "mean", right) == error_of_many(exacts, "nanmean", right) == 0
        assert error_of_many(exacts, "std", np.sqrt(np.array([2, 1], dtype))) == 0
        for wrong in np.nextafter(right[2], dtype(1)), dtype(2):
            answers = np.array([right[0], 0, wrong], dtype)
            assert error_of_many(exacts, "mean", answers) == pytest.approx(abs(float(wrong) / float(right[0]) - 1))
        for wrong in 1e-30, math.nan, math.inf:
            assert error_of_many(exacts, "mean", np.array([right[0], wrong, right[2]], dtype)) == math.inf
    assert error_of_many([{"sum": Fraction(3)}, {"sum": Fraction(4)}], "sum", np.array([[3, 4], [3, 4]])) == 0
    assert error_of_many([{"sum": Fraction(3)}, {"sum": Fraction(4)}], "sum", np.array([3, 5])) == 0.25


# ---- peers ------------------------------------------------------------------

TITLES = "Short axes", "Without NaN", "Groups", "In batches", "Moving windows", "Two arrays"


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peers, "LONGEST", math.inf)  # on a busy machine any call may take long, once
        return compare_peers([10, 2000], ["float64", "int16"], rounds=1)


def test_every_peer_is_measured(result):
    assert result.groups() == [(operation, dtype) for operation in OPERATIONS for dtype in ("float64", "int16")]
    sumsq = result.of("sumsq", "float64")
    assert {"pycrust.sumsq(x)", "np.dot(x, x)", "np.sum(x**2)", "np.einsum('i,i', x, x)", "math.fsum(x * x)"} <= set(
        sumsq
    )
    assert ("math.sumprod of lists" in sumsq) == hasattr(math, "sumprod")
    assert {"pycrust.norm(x)", "np.linalg.norm(x)"} <= set(result.of("norm", "int16"))
    for operation in "sum", "mean", "var", "std":
        assert {f"pycrust.{operation}(x)", f"np.{operation}(x)"} < set(result.of(operation, "float64"))
    of_lists = {"statistics.mean of a list", "statistics.pvariance of a list", "statistics.pstdev of a list"}
    assert of_lists <= {entry.peer for entry in result.entries}
    for entry in result.entries:
        assert entry.timing.median > 0
    assert all(list(entries) == [10, 2000] for entries in sumsq.values())


def test_what_needed_the_exact_way_is_counted(result, monkeypatch):
    """A sum halfway between two doubles; ordinary data need no exact way."""
    assert not any(entry.uncertain for entry in result.entries)
    assert f"0 of {2 * len(OPERATIONS)} here" in str(result)

    def tie(dtype):
        block = np.zeros(peers.BLOCK, dtype)
        block[:3] = 2.0**27, 1, 1
        return block

    monkeypatch.setattr(peers, "block_of", tie)
    of_tie = compare_peers([peers.BLOCK], ["float64"], ["sumsq"], rounds=1)
    assert {entry.peer for entry in of_tie.entries if entry.uncertain} == {"pycrust.sumsq(x)"}
    assert "1 of 1 here" in str(of_tie)


def test_short_axes_are_measured(result):
    measured = {(entry.data.split(",")[0], entry.dtype, entry.peer) for entry in result.along_axes}
    assert measured >= {
        (case.name, case.dtype, f"{module}.{'linalg.' * (module == 'np' and operation == 'norm')}{operation}")
        for case in SHORT_AXES
        for operation in case.operations
        for module in ("pycrust", "np")
    }
    assert all(entry.error == 0 for entry in result.along_axes if entry.peer.startswith("pycrust."))
    assert max(entry.error for entry in result.along_axes) > 0
    leave_nan_out = {entry.operation for entry in result.along_axes if entry.operation.startswith("nan")}
    assert leave_nan_out == {name for name in ("nanmean", "nanstd") if hasattr(pycrust, name)}


def test_groups_are_measured(result):
    measured = {
        (entry.data.split(",")[0], entry.peer) for entry in result.along_axes if entry.operation.startswith("group_")
    }
    names = {f"pycrust.{operation}" for operation in ("group_sum", "group_mean", "group_var")} | {"np.bincount"}
    assert measured >= {(case.name, name) for case in GROUPS for name in names}
    assert {case for case, peer in measured if peer == "np.add.reduceat"} == {"labels in order"}
    off = [entry for entry in result.along_axes if entry.operation.startswith("group_") and entry.error > 1e-9]
    assert not off, "some function does not take the labels as meant"


def test_batches_are_measured(result):
    measured = {entry.peer: entry.error for entry in result.along_axes if entry.operation == "Accumulator"}
    assert measured["pycrust.Accumulator(shape=…)"] == 0
    assert max(measured.values()) < 1e-9


def test_pairs_are_measured(result):
    measured = {(entry.operation, entry.peer) for entry in result.along_axes if entry.operation in OF_PAIRS}
    modules = ["pycrust", "np"] if hasattr(np, "vecdot") else ["pycrust"]
    assert measured >= {(name, f"{module}.{name}") for name in OF_PAIRS for module in modules}
    assert ("corrcoef", "statistics.correlation") in measured
    if importlib.util.find_spec("bitrep"):
        assert measured >= {("dot", "bitrep.dot"), ("corrcoef", "bitrep.CovF64: correlation")}
    assert any(entry.error == math.inf or entry.error > 0.01 for entry in result.along_axes if entry.peer == "np.dot")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_of_short_axes_fits(result, width):
    table = next(table for table in result.tables() if table.title.startswith("Short axes"))
    lines = table.plain(width).splitlines()
    assert max(map(len, lines)) <= width
    heads = [number for number, line in enumerate(lines) if line.split() == ["ns", "time", "answer"]]
    assert len(heads) == 1, "columns side by side"
    assert len(lines) < 2 * len(table.rows)


def test_what_leaves_nan_out_is_measured_once_pycrust_can(monkeypatch):
    monkeypatch.setattr(pycrust, "nanmean", np.nanmean, raising=False)
    monkeypatch.delattr(pycrust, "nanstd", raising=False)
    measured = compare_peers([1000], ["float64"], ["mean", "std"], rounds=1).along_axes
    measured = [entry for entry in measured if entry.operation.startswith("nan")]
    assert {entry.operation for entry in measured} == {"nanmean"}
    assert {"pycrust.nanmean", "np.nanmean"} <= {entry.peer for entry in measured}
    assert {entry.data for entry in measured} == {"10 % NaN, 1000", "no NaN, 1000", "10 % NaN, 12 × 83, axis=0"}
    assert all(entry.error < 1e-12 for entry in measured)


def test_ours_is_right_and_the_wrapping_sum_is_not(result):
    for operation, dtype in result.groups():
        assert all(entry.error == 0 for entry in result.of(operation, dtype)[f"pycrust.{operation}(x)"].values())
    assert result.of("sumsq", "int16")["np.sum(x**2)"][2000].error > 0.01


def test_statistics_is_right(result):
    for operation, name in ("mean", "mean"), ("var", "pvariance"), ("std", "pstdev"):
        for dtype in "float64", "int16":
            entries = result.of(operation, dtype)[f"statistics.{name} of a list"]
            assert all(entry.error == 0 for entry in entries.values())


def test_a_wrong_answer_is_seen(monkeypatch):
    monkeypatch.setattr(pycrust, "sumsq", lambda x: float(np.dot(x, x)) * (1 + 2**-50))
    wrong = compare_peers([1000], ["float64"], ["sumsq"], rounds=1)
    assert wrong.of("sumsq", "float64")["pycrust.sumsq(x)"][1000].error > 0


def test_tables_and_json(result):
    text = repr(result)
    for title in (*(f"{operation} of {dtype}" for operation, dtype in result.groups()), *TITLES):
        assert text.count(f"{title}: nanoseconds per element") == 1
    assert "GB/s" in text and "wrong" in text and "right" in text
    written = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert written["schema"] == "pycrust.bench.peers"
    assert written["read_bandwidth"] > 0
    assert {entry["right"] for entry in written["entries"]} == {True, False}
    assert sum(bool(entry["data"]) for entry in written["entries"]) == len(result.along_axes)
    assert len(timings(written, "new.json")) == len(written["entries"]), "each has a name of its own in a comparison"


def test_plot(result):
    axes = result.plot(Figure())
    assert [each.get_title(loc="left") for each in axes] == ["float64", "int16"]


def test_what_memory_cannot_hold_is_left_out_and_said(monkeypatch):
    monkeypatch.setattr(peers, "memory", lambda: 4 * 2 * 8 * 100)
    small = compare_peers([100, 101], ["float64"], ["sumsq"], rounds=1)
    assert {entry.size for entry in small.entries} == {100}
    assert "float64: no memory for n = 101" in small.skipped


def test_what_takes_too_long_is_left_out(monkeypatch):
    monkeypatch.setattr(peers, "LONGEST", 0.0)
    quick = compare_peers([10, 20], ["float64"], ["sumsq"], rounds=1)
    assert {entry.size for entry in quick.entries} == {10}


def test_without_optional_peers(monkeypatch):
    optional = "bitrep", "bottleneck", "numba", "pandas", "scipy", "scipy.linalg", "threadpoolctl", "xsum"
    for name in optional:
        monkeypatch.setitem(sys.modules, name, None)
    names = {peer.name for peer in peers.installed_peers()}
    assert "np.dot(x, x)" in names and not any(module in name for name in names for module in optional)
    assert {peer.operation for peer in peers.installed_peers() if not peer.name.startswith("pycrust.")} == set(
        OPERATIONS
    )
    with peers.one_blas_thread():
        pass


# ---- break-even -------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "k", "complaint"), [([], 2, "sizes"), ([0, 1], 2, "sizes"), ([1], 1, "k"), ([1], 0, "k")]
)
def test_break_even_refuses(sizes, k, complaint):
    with pytest.raises(ValueError, match=f"^{complaint} must be"):
        break_even(sizes, k)


def test_break_even_measures_every_cell():
    result = break_even([10, 100], k=2, rounds=1)
    labels = [("range", "held"), ("range", "released"), ("data", "sumsq")]
    assert set(result.times) == {(*label, n, threads) for label in labels for n in (10, 100) for threads in (1, 2)}
    assert len(result.plot(Figure())) == 2
    assert repr(result).count("gain\n") == 2
    written = json.loads(json.dumps(result.to_dict()))
    assert (written["schema"], written["threads"], len(written["entries"])) == ("pycrust.bench.break_even", 2, 12)


def made_up(gains):
    """A sweep in which one thread takes 8 s a call, and two that release the GIL gain as told."""
    times = {}
    for size, gain in gains.items():
        for label in ("range", "held"), ("range", "released"), ("data", "sumsq"):
            times[(*label, size, 1)] = Timing((8.0,))
            times[(*label, size, 2)] = Timing((8.0 / gain,))
    return BreakEven(2, tuple(gains), times, Machine.this())


@pytest.mark.parametrize(
    ("gains", "first"),
    [
        ({10: 0.5, 100: 1.5, 1000: 2.0}, 100),
        ({10: 2.0, 100: 0.5, 1000: 2.0}, 1000),
        ({10: 2.0, 100: 2.0, 1000: 0.5}, None),
        ({10: 1.5, 100: 2.0}, 10),
        ({10: 1.05, 100: 2.0}, 100),
    ],
)
def test_it_pays_from_where_it_always_does(gains, first):
    result = made_up(gains)
    assert result.pays_from("range") == result.pays_from("data") == first
    assert ("never faster" in " ".join(result.in_words())) == (first is None)


# ---- the command ------------------------------------------------------------


def test_one_number_has_no_covariance():
    assert {entry.size for entry in compare_peers([1], ["float64"], ["var"], rounds=1, seconds=0.0).entries} == {1}


def test_sizes_up_to():
    assert up_to(1000, (10, 100, 1000, 10_000)) == [10, 100, 1000]
    assert up_to(500, (10, 100, 1000)) == [10, 100, 500]
    assert up_to(10**5, (10, 100, 1000)) == [10, 100, 1000, 10_000, 100_000]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "schema"), [("--peers", "pycrust.bench.peers"), ("--break-even", "pycrust.bench.break_even")]
)
def test_command(option, schema, tmp_path, capsys):
    out, png = tmp_path / "out.json", tmp_path / "out.png"
    assert main(["bench", option, "--quick", "-n", "100", "--json", str(out), "--plot", str(png)]) == 0
    report = json.loads(out.read_text())
    assert report["schema"] == schema
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "n" in capsys.readouterr().out
    comparison = compare(report, report)  # every figure has the rounds that it takes
    assert comparison.changes and UNSURE not in {change.verdict for change in comparison.changes}
    assert "Too few rounds" not in str(comparison)


def test_command_of_some_functions(tmp_path, capsys):
    out = tmp_path / "out.json"
    assert main(["bench", "--quick", "-n", "10", "--json", str(out), "--peers", "var", "sum"]) == 0
    assert {entry["operation"] for entry in json.loads(out.read_text())["entries"]} == {
        "var",
        "sum",
        "group_var",
        "group_sum",
        "Accumulator",
        "cov",
        "corrcoef",
    }
    printed = capsys.readouterr().out
    assert printed.index("var of float64") < printed.index("sum of float64")


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--peers", "median"], "invalid choice: 'median'"),
        (["--peers", "-k", "2"], "-k cannot be used with --peers"),
        (["--break-even", "-k", "1", "2"], "takes one -k"),
        (["--break-even", "--peers"], "not allowed with"),
    ],
)
def test_options_that_do_not_go_together(args, complaint, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["bench", *args])
    assert stop.value.code == 2
    assert complaint in capsys.readouterr().err
