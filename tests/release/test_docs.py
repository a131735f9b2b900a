"""What the pages list is what there is: the keys of the JSON, a C program that runs, recipes."""

import ast
import dataclasses
import os
import re
import runpy
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import pycrust
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
    quick = tmp_path / "cc"  # without optimization, which would take most of the time
    quick.write_text(f'#!/bin/sh\nexec {shutil.which("cc")} "$@" -O0\n')
    quick.chmod(0o755)
    environment = os.environ | {"PATH": os.pathsep.join([str(tmp_path), os.environ["PATH"]])}
    compile_it = compile_it.replace("-o example", f"-o {program}")
    subprocess.run(compile_it, shell=True, cwd=DOCS.parent, check=True, env=environment)
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


def test_recipes_for_windows():
    """The lines of the guide for pandas and xarray: of small integers, whose means these give exactly, too."""
    pd, xr = pytest.importorskip("pandas"), pytest.importorskip("xarray")
    pytest.importorskip("dask.array")
    rng = np.random.default_rng(0)
    times = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 60 * 86400, 100)), unit="s")
    s = pd.Series(rng.integers(0, 100, 100).astype(float), times, name="numbers")
    df = pd.DataFrame({"one": s, "two": s[::-1].to_numpy()})
    a = xr.DataArray(df.to_numpy(), dims=("time", "column"))
    w, m = 5, 2
    names = {"pycrust": pycrust, "np": np, "pd": pd, "xr": xr, "s": s, "df": df, "a": a, "w": w, "m": m}
    made = []
    for block in re.findall(r"```python\n(.*?)```", (DOCS / "guide" / "windows.md").read_text(), re.S):
        for statement in ast.parse(block).body:
            if isinstance(statement, ast.Expr):
                made.append(eval(ast.unparse(statement), names))
            else:
                exec(ast.unparse(statement), names)
    mean, std, frame, offset, array = made
    rolling = s.rolling(w, min_periods=m)
    pd.testing.assert_series_equal(mean, rolling.mean(), check_exact=True)
    pd.testing.assert_series_equal(offset, s.rolling("7D").mean(), check_exact=True)
    pd.testing.assert_frame_equal(frame, df.rolling(w, min_periods=m).mean(), check_exact=True)
    right = pd.Series(pycrust.reference.move_std(s.to_numpy(), w, m, ddof=1), s.index, name=s.name)
    pd.testing.assert_series_equal(std, right, check_exact=True)
    assert (std.isna() == rolling.std().isna()).all()
    xr.testing.assert_identical(array, a.rolling(time=w).mean())
    lazy = xr.apply_ufunc(
        partial(pycrust.dask.move_mean, window=w),
        a.chunk(time=7),
        dask="allowed",
        input_core_dims=[["time"]],
        output_core_dims=[["time"]],
    )
    xr.testing.assert_identical(lazy.transpose(*a.dims).compute(), array)
