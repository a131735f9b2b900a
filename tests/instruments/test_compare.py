"""Two bench results compared: what got slower beyond the noise, and no false alarm."""

import copy
import json
import math
import re
import time

import pytest

from pycrust.bench import break_even, compare_peers, gil_table, threadable
from pycrust.bench.cli import main
from pycrust.bench.compare import FASTER, SAME, SLOWER, UNSURE, compare, read_report
from pycrust.bench.machine import free_threaded_build

MACHINE = {
    "cpu": "a",
    "system": "b",
    "cores": 2,
    "python": "c",
    "gil_enabled": True,
    "simd": "d",
    "numpy": "e",
    "pycrust": "1",
}


def timing(median, spread=0.01, rounds=5):
    return {"median": median, "spread": spread, "rounds": [median] * rounds}


def peers(**timings):
    """A result of --peers with these entries."""
    entries = [
        {"operation": "sumsq", "dtype": "float64", "size": 10, "function": name, "right": True, **each}
        for name, each in timings.items()
    ]
    report = {"schema": "pycrust.bench.peers", "schema_version": 1, "created": "2026-11-23T09:00:00+00:00"}
    return {**report, "machine": MACHINE, "warnings": [], "entries": entries}


def verdicts(comparison):
    return {change.what.partition(",")[0]: change.verdict for change in comparison.changes}


def test_a_change_counts_beyond_the_noise_alone():
    old = peers(a=timing(1.0), b=timing(1.0), c=timing(1.0), d=timing(1.0), e=timing(1.0, spread=0.2))
    new = peers(a=timing(1.2), b=timing(0.8), c=timing(1.09), d=timing(1.14, 0.02), e=timing(1.2))
    comparison = compare(old, new)
    # c: below 10 %; d: 14 % but within 5 × (0.01 + 0.02); e: within five times its spread.
    assert verdicts(comparison) == {"a": SLOWER, "b": FASTER, "c": SAME, "d": SAME, "e": SAME}
    assert comparison.worse
    assert [change.what[0] for change in comparison.changes] == ["a", "e", "d", "c", "b"]
    assert not compare(new, old).changes[0].what.startswith("a")
    assert not compare(old, old).worse


def test_rounds_that_overlap_are_no_change():
    old, new = peers(a=timing(1.0)), peers(a=timing(1.5))
    assert compare(old, new).worse
    new["entries"][0]["rounds"][0] = 1.0  # one round was as fast as before
    assert not compare(old, new).worse


def test_two_rounds_say_nothing_about_noise():
    comparison = compare(peers(a=timing(1.0)), peers(a=timing(9.0, rounds=2)))
    assert verdicts(comparison) == {"a": UNSURE}
    assert not comparison.worse


def test_an_answer_that_became_wrong_is_worse():
    old, new = peers(a=timing(1.0)), peers(a=timing(1.0))
    new["entries"][0]["right"] = False
    assert compare(old, new).wrong == ["a, 10 float64"]
    assert compare(old, new).worse
    assert not compare(new, old).worse


def verdict(text):
    row = {"k": 1, "in_a_row": timing(1.0), "in_threads": timing(1.0)}
    report = {"schema": "pycrust.bench.threadable", "schema_version": 1, "created": "2026-11-23T09:00:00+00:00"}
    return {**report, "machine": MACHINE, "warnings": [], "function": "f", "verdict": text, "scaling": [row]}


@pytest.mark.parametrize(
    ("old", "new", "worse"),
    [
        ("releases", "holds", True),
        ("releases", "partly", True),
        ("releases", "signs disagree", False),  # something else may be in the threads' way
        ("releases", "too short", False),
        ("holds", "releases", False),
        ("releases", "releases", False),
    ],
)
def test_another_verdict_is_told(old, new, worse):
    comparison = compare(verdict(old), verdict(new))
    assert comparison.worse == comparison.held == comparison.to_dict()["held"] == worse
    told = [f"the verdict was {old!r}, and is {new!r} now"] if old != new else []
    assert comparison.verdicts == comparison.to_dict()["verdicts"] == told
    assert ("the verdict was" in str(comparison)) == (old != new)


def test_what_only_one_has():
    comparison = compare(peers(a=timing(1.0), b=timing(1.0)), peers(a=timing(1.0), c=timing(1.0)))
    assert (comparison.gone, comparison.added) == (["b, 10 float64"], ["c, 10 float64"])
    assert "Only in the old file: b" in str(comparison)


def test_doubts():
    old = peers(**{name: timing(1.0) for name in "abcd"})
    new = peers(**{name: timing(1.5) for name in "abcd"})
    new["machine"] = {**MACHINE, "cpu": "another"}
    doubts = "\n".join(compare(old, new).doubts)
    assert "cpu differs: a before, another now" in doubts
    assert "by a factor of 1.50" in doubts
    assert compare(old, old).doubts == []


def test_nothing_in_common_is_refused():
    with pytest.raises(ValueError, match="no figure in common"):
        compare(peers(a=timing(1.0)), peers(b=timing(1.0)))


def places(value, path=()):
    """The path to every value inside, dictionaries and lists included."""
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def changed(report, path, value=None, gone=False):
    """A copy with something else at this place, or nothing."""
    if not path:
        return value
    report = copy.deepcopy(report)
    *way, last = path
    inner = report
    for key in way:
        inner = inner[key]
    if gone:
        del inner[last]
    else:
        inner[last] = value
    return report


@pytest.fixture(scope="module")
def reports():
    """One result of each kind that can be compared."""
    return [
        gil_table(1000, (1,), rounds=3, seconds=0.001, python=False).to_dict(),
        compare_peers([10], ["int16"], ["norm"], rounds=3, seconds=0.001).to_dict(),
        break_even([10], k=2, rounds=3, seconds=0.001).to_dict(),
        threadable(time.sleep, 0.001, threads=(1,), rounds=3, seconds=0.01).to_dict(),
    ]


@pytest.mark.slow
@pytest.mark.thread_unsafe(reason="measures")
def test_whatever_is_damaged_it_is_compared_or_refused(reports):
    """Something gone, or of another kind, anywhere: a result that shows itself, or a ValueError; nothing else."""
    complaints = []
    for report in reports:
        others = [None, True, -1, 0, 10**400, 1e-300, math.nan, math.inf, "x", [], ["x"], {}, {"x": 1}]
        for path in places(report):
            damaged = [changed(report, path, value) for value in others]
            damaged += [changed(report, path, gone=True)] if path else []
            for each in damaged:
                for pair in (report, each), (each, report), (each, each):
                    try:
                        comparison = compare(*pair)
                    except ValueError as error:
                        complaints.append(str(error))
                    else:
                        assert str(comparison) and json.dumps(comparison.to_dict())
    assert len(complaints) > 1000
    assert [each for each in complaints if "result" not in each and "cannot be compared" not in each] == []


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ((), [], "the new result is not a result of pycrust bench"),
        (("schema",), ["x"], "its schema is ['x']"),
        (("machine",), None, "not of the kind"),
        (("machine", "cpu"), KeyError, "'cpu' is missing"),
        (("created",), KeyError, "'created' is missing"),
        (("entries",), KeyError, "'entries' is missing"),
        (("entries", 0, "median"), KeyError, "'median' is missing"),
        (("entries", 0, "median"), 9.0, "the figures of a, 10 float64 cannot be"),
        (("entries", 0, "rounds"), [], "cannot be"),
        (("entries", 0, "rounds"), [1.0, 1.0, -1.0], "cannot be"),
        (("entries", 0, "rounds"), [1.0, 1.0, math.nan], "cannot be"),
        (("entries", 0, "spread"), None, "cannot be"),
        (("entries", 0, "spread"), -1.0, "cannot be"),
    ],
)
def test_what_is_damaged_is_named(path, value, complaint):
    report = peers(a=timing(1.0))
    damaged = changed(report, path, gone=True) if value is KeyError else changed(report, path, value)
    with pytest.raises(ValueError, match=re.escape(complaint)):
        compare(report, damaged)
    with pytest.raises(ValueError, match=re.escape(complaint.replace("the new", "the old"))):
        compare(damaged, report)


@pytest.mark.parametrize(
    "change", [{"schema": "x"}, {"schema": "pycrust.bench.gil_table"}, {"schema_version": 2}, {"n": 3}]
)
def test_what_cannot_be_compared_is_refused(change):
    old = peers(a=timing(1.0))
    with pytest.raises(ValueError, match=r"schema|version|n is None|'cells' is missing"):
        compare(old, {**old, **change})


@pytest.mark.slow
@pytest.mark.thread_unsafe(reason="measures, and draws with matplotlib")
def test_real_results(tmp_path):
    table = gil_table(1000, (1, 2), rounds=4, seconds=0.5).to_dict()
    for cell in table["cells"]:
        cell["spread"] = 0.01 * cell["median"]  # whatever else runs here
        cell["rounds"] = [cell["median"]] * 4
    slow = copy.deepcopy(table)
    for cell in slow["cells"]:
        if cell["column"] == "c" and cell["k"] == 1:
            cell["median"] *= 100
            cell["rounds"] = [cell["median"]] * 4
    comparison = compare(table, slow)
    column = "C, attached" if free_threaded_build() else "C"
    assert [change.what for change in comparison.slower] == [f"{column}, k = 1"]
    assert len(comparison.changes) == len(table["cells"])
    comparison.save_json(tmp_path / "c.json")
    assert json.loads((tmp_path / "c.json").read_text())["worse"] is True
    pytest.importorskip("matplotlib")
    comparison.save_plot(tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert "slower" in comparison._repr_html_()

    verdict = threadable(sorted, range(1000), threads=(1, 2), rounds=3, seconds=0.05).to_dict()
    assert len(compare(verdict, verdict).changes) == 4
    with pytest.raises(ValueError, match="schema is"):
        compare(table, verdict)


def test_command(tmp_path, capsys):
    old, new, out = tmp_path / "old.json", tmp_path / "new.json", tmp_path / "out.json"
    old.write_text(json.dumps(peers(a=timing(1.0))))
    new.write_text(json.dumps(peers(a=timing(2.0))))
    assert main(["compare", str(old), str(old)]) == 0
    assert "1 figure: 0 slower, 1 same" in capsys.readouterr().out
    assert main(["compare", str(old), str(new), "--json", str(out)]) == 1
    assert "2.00  slower" in capsys.readouterr().out
    assert json.loads(out.read_text())["changes"][0]["ratio"] == 2.0


WHOLE = json.dumps(peers(a=timing(1.0)), indent=1)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "not JSON",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        "1" * 5000,
        WHOLE[:-20],
        WHOLE.replace("1.0", "-1.0"),
        b"\xff",
    ],
)
def test_command_with_a_bad_file(tmp_path, capsys, text):
    """Another status than 1, which says slower; the file's name, and no traceback."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(WHOLE)
    if text is not None:
        bad.write_bytes(text if isinstance(text, bytes) else text.encode())
    for pair in (good, bad), (bad, good):
        with pytest.raises(SystemExit) as stop:
            main(["compare", *map(str, pair)])
        assert stop.value.code == 2
        complaint = capsys.readouterr().err
        assert complaint.startswith("pycrust: ") and complaint.count("\n") == 1 and "bad.json" in complaint


HOSTILE = "\x1b]0;title\x07\x1b[31m[red]a\x9b2J\r\u202e$\\frac$\ud800"


def hostile_files():
    """Whole reports with something in a string or a name that a terminal obeys, or matplotlib takes for a formula."""
    yield peers(**{HOSTILE: timing(1.0)})
    yield peers(**{HOSTILE: timing(1.0, spread=-1)})
    report = peers(a=timing(1.0))
    for path in (
        ("created",),
        ("warnings", 0),
        *(("machine", key) for key in MACHINE),
        ("n",),
        ("function",),
        ("verdict",),
    ):
        changed = copy.deepcopy(report)
        changed["warnings"] = [""]
        *way, last = path
        (changed[way[0]] if way else changed)[last] = HOSTILE
        yield changed


@pytest.mark.thread_unsafe(reason="draws with matplotlib")
def test_strings_of_a_file_do_nothing_to_a_terminal(tmp_path, capsys):
    good, bad, json_file = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "out.json"
    good.write_text(WHOLE)
    statuses = []
    for report in hostile_files():
        bad.write_text(json.dumps(report))
        for pair in (good, bad), (bad, bad):
            try:
                statuses.append(main(["compare", *map(str, pair), "--json", str(json_file)]))
            except SystemExit as stop:
                statuses.append(stop.code)
            out, err = capsys.readouterr()
            assert all(each.isprintable() or each == "\n" for each in out + err), (report, out + err)
            assert out.count("\n") < 20 and err.count("\n") < 2
    assert set(statuses) == {0, 2}


@pytest.mark.thread_unsafe(reason="draws with matplotlib")
def test_strings_of_a_file_are_drawn_as_they_are(tmp_path):
    pytest.importorskip("matplotlib")
    report = peers(**{HOSTILE.replace("\u202e", ""): timing(1.0), "a": timing(2.0)})
    report["machine"] = {**MACHINE, "cpu": HOSTILE}
    compare(report, report).save_plot(tmp_path / "plot.svg")


@pytest.mark.parametrize("path", [("n",), ("function",), ("verdict",), ("machine", "cpu"), ("warnings",), ("created",)])
def test_what_is_nested_is_refused(path):
    """Before anything shows it, writes it or compares it, which deep enough would end in a RecursionError."""
    deep = []
    for _ in range(100_000):
        deep = [deep]
    report = changed(peers(a=timing(1.0)), path, deep)
    for pair in (report, report), (peers(a=timing(1.0)), report):
        with pytest.raises(ValueError, match="damaged: something in it is not of the kind"):
            compare(*pair)


def test_a_file_of_any_length_is_refused_unread(tmp_path):
    path = tmp_path / "long.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match="more than 16 MiB"):
        read_report(path)


def test_a_file_cut_short_is_refused(tmp_path):
    path = tmp_path / "cut.json"
    for cut in range(len(WHOLE) - 1):
        path.write_text(WHOLE[:cut])
        with pytest.raises(ValueError, match="not all of it"):
            read_report(path)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "bom.json"
    path.write_text(WHOLE, encoding="utf-8-sig")
    assert read_report(path) == json.loads(WHOLE)


@pytest.mark.slow
@pytest.mark.thread_unsafe(reason="measures")
def test_quick_measurements_can_be_compared(tmp_path, capsys):
    """Every figure has the rounds that it takes. (The same of the peers and the break-even: test_peers.)"""
    path = tmp_path / "report.json"
    assert main(["bench", "--quick", "-n", "20000", "--json", str(path)]) == 0
    comparison = compare(read_report(path), read_report(path))
    assert comparison.changes
    assert UNSURE not in verdicts(comparison).values()
    assert "Too few rounds" not in str(comparison)


def test_too_few_rounds_come_with_a_way_out():
    text = str(compare(peers(a=timing(1.0)), peers(a=timing(9.0, rounds=2))))
    assert "it takes 3 on each side" in text and "--quick" in text
