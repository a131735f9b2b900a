"""What the pages of the reference list is what there is: the keys of the JSON, and a C program that runs."""

import dataclasses
import re
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pycrust.bench import Stalls, break_even, compare, compare_peers, gil_table, threadable
from pycrust.bench.stall import HELD, Figures, Place, Record, Stall
from pycrust.bench.timing import Control

DOCS = Path(__file__).parents[2] / "docs"
TIMING = {"median", "spread", "rounds"}

pytestmark = pytest.mark.thread_unsafe(reason="measures, and compiles")


def keys(value, path=""):
    """The paths of a JSON value as the page writes them: a.b, list[].c, and "timing" for its three keys."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return set().union(*(keys(each, path + "[]") for each in value))
    if not isinstance(value, dict) or not value:
        return {path}
    found = {f"{path} timing"} if value.keys() >= TIMING else set()
    rest = value.keys() - TIMING if found else value.keys()
    return found.union(*(keys(value[key], f"{path}.{key}".lstrip(".")) for key in rest))


def documented():
    """{heading: keys in the first column of the table below it}."""
    sections = re.split(r"^## ", (DOCS / "reference" / "json.md").read_text(encoding="utf-8"), flags=re.M)[1:]
    return {
        section.partition("\n")[0]: {
            key + (" timing" if cell.endswith("timing") else "")
            for cell in re.findall(r"^\| (`.*?) \|", section, re.M)
            for key in re.findall(r"`(.*?)`", cell)
        }
        for section in sections
    }


def results():
    table = dataclasses.replace(gil_table(1000, (1,), rounds=2, seconds=0.01), control=Control(1, 1.0, 1.0))
    yield table
    yield break_even((10, 100), 2, rounds=1, seconds=0.01)
    yield compare_peers((10,), ("int64",), rounds=1, seconds=0.01)
    yield dataclasses.replace(threadable(time.sleep, 0.002, threads=(1,), rounds=1), control=Control(1, 1.0, 1.0))
    yield compare(table.to_dict(), table.to_dict())
    # Made by hand: not every system can be watched.
    figures = Figures(**dict.fromkeys(Figures._fields, 1))
    stack = (Place("/lib/python3.11/json/encoder.py", 1, "encode"), Place("app.py", 7, "handler"))
    stall = Stall(0.5, 0.1, HELD, "MainThread", stack, "during")
    record = Record(stalls=[stall], watch=figures, idle=figures)
    yield Stalls(record=record, tests=[(0.0, "test_app.py::test_it")])


@pytest.mark.slow
def test_every_key_of_the_json_is_documented():
    machine = set()
    expected = {}
    for result in results():
        written = result.to_dict()
        assert list(written)[:3] == ["schema", "schema_version", "created"]
        for part in [written, *(written[side] for side in ("old", "new") if side in written)]:
            machine |= part.pop("machine", {}).keys()
        expected[written["schema"]] = keys(written) - {"schema", "schema_version", "created"}
    assert documented() == expected | {"machine": machine}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_the_c_example(tmp_path):
    page = (DOCS / "reference" / "c.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"^```console\n(.*?)^```$", page, re.M | re.S)
    compile_it, run_it, printed = re.fullmatch(r"\$ (cc .*)\n\$ (\S+)\n(.*)", commands, re.S).groups()
    program = tmp_path / "example"
    subprocess.run(compile_it.replace("-o example", f"-o {program}"), shell=True, cwd=DOCS.parent, check=True)
    assert run_it == "./example"
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == printed


def test_results_are_recorded(tmp_path, monkeypatch, capfd):
    """One entry for each command, its last result; the output is passed on, and so is the exit status."""
    record = runpy.run_path(str(DOCS.parent / "tests" / "tools" / "record"))
    monkeypatch.setitem(record["main"].__globals__, "RESULTS", tmp_path / "results.txt")
    say = [
        sys.executable,
        "-c",
        "import sys; print('first'); print('last', end=chr(10) * 2); sys.exit(int(sys.argv[1]))",
    ]
    assert record["main"]([*say, "3"]) == 3
    assert record["main"]([*say, "0"]) == record["main"]([*say, "0"]) == 0
    assert capfd.readouterr().out.count("first\nlast\n") == 3
    entries = (tmp_path / "results.txt").read_text(encoding="utf-8").strip().split("\n\n")
    assert [entry.splitlines()[0][-1] for entry in entries] == ["0", "3"]
    assert ": pass, " in entries[0] and ": exit status 3, " in entries[1]
    assert all(entry.endswith("\n  last") for entry in entries)
