"""Two bench results compared: what got slower beyond the noise, and no false alarm."""

import copy
import json

import pytest

from pycrust.bench import gil_table, threadable
from pycrust.bench.cli import main
from pycrust.bench.compare import FASTER, SAME, SLOWER, UNSURE, compare
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


@pytest.mark.parametrize(
    "change", [{"schema": "x"}, {"schema": "pycrust.bench.gil_table"}, {"schema_version": 2}, {"n": 3}]
)
def test_what_cannot_be_compared_is_refused(change):
    old = peers(a=timing(1.0))
    with pytest.raises(ValueError, match=r"schema|version|n is None"):
        compare(old, {**old, **change})


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
    assert "1 figures: 0 slower, 1 same" in capsys.readouterr().out
    assert main(["compare", str(old), str(new), "--json", str(out)]) == 1
    assert "2.00  slower" in capsys.readouterr().out
    assert json.loads(out.read_text())["changes"][0]["ratio"] == 2.0


@pytest.mark.parametrize("text", [None, "not JSON", "[]", "{}"])
def test_command_with_a_bad_file(tmp_path, capsys, text):
    path = tmp_path / "bad.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SystemExit) as stop:
        main(["compare", str(path), str(path)])
    assert stop.value.code == 2
    assert "pycrust: " in capsys.readouterr().err
