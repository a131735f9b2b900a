"""The page of verdicts on packages, and the script that makes it."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "tools/verdicts_of_packages.py"
if not SCRIPT.exists():
    pytest.skip("it is not in a wheel", allow_module_level=True)
spec = importlib.util.spec_from_file_location("verdicts_of_packages", SCRIPT)
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)

PAGE = SCRIPT.parents[2] / script.PAGE
RESULT = {"stalled": 0.5, "gain": 1.3, "verdict": "partly", "by_share": "partly", "near": False, "died": ""}


def test_sixty_functions_of_thirty_packages():
    assert len({(case.package, case.call, case.what) for case in script.CASES}) == len(script.CASES) >= 60
    assert len(script.names()) >= 30
    for case in script.CASES:
        compile(case.setup, "setup", "exec")
        compile(case.call, "call", "eval")
        for word, link in case.claims:
            assert word in ("holds", "releases") and re.fullmatch(r"https://\S+[^/\s]/?", link)


def test_what_it_installs_is_what_it_measures():
    header = SCRIPT.read_text().partition("# /// script")[2].partition("# ///")[0]
    dependencies = re.findall(r'"([^"]+)"', header.partition("[tool.uv")[0].partition("dependencies")[2])
    assert sorted(dependencies) == sorted([*script.names(), "pycrust"])
    done = subprocess.run([sys.executable, str(SCRIPT), "--requirements"], capture_output=True, text=True)
    assert done.stdout.split() == script.names()


def test_the_page_has_every_call_and_claim():
    page = PAGE.read_text()
    for case in script.CASES:
        row = next(
            line for line in page.splitlines() if line.startswith("|") and f"`{case.call}`, {case.what} |" in line
        )
        assert all(f"[{word}]({link})" in row for word, link in case.claims)
        assert re.search(r"\| \d+% \| (×\d+\.\d\d|—|SIG[A-Z]+) \| [a-z, ]+ \|$", row), row


@pytest.mark.parametrize(
    ("changed", "cells"),
    [
        ({}, ("50%", "×1.30", "partly")),
        ({"gain": None}, ("50%", "—", "partly")),
        ({"gain": None, "died": "SIGSEGV", "near": True}, ("50%", "SIGSEGV", "partly, near the limit")),
    ],
)
def test_a_row(changed, cells):
    case = script.Case("", "f(x)", "what", "", (("holds", "https://x.org/1"), ("releases", "https://x.org/2")))
    row = script.row(case, {**RESULT, **changed})
    assert row[:2] == ("standard library", "`f(x)`, what") and row[3:] == cells
    assert row[2] == "[holds](https://x.org/1), [releases](https://x.org/2)"


@pytest.mark.parametrize(
    ("share", "claims", "count"),
    [
        ("holds", "holds", 0),
        ("releases", "holds", 1),
        ("partly", "releases", 1),
        ("too short", "holds", 0),
        ("holds", "", 0),
    ],
)
def test_where_claim_and_measurement_differ(share, claims, count):
    case = script.Case("", "f(x)", "what", "", tuple((word, "https://x.org") for word in claims.split()))
    assert script.differences([(case, {**RESULT, "by_share": share})]).count("\n- ") == count


def test_a_call_that_dies_in_threads_is_measured_without(monkeypatch):
    commands = []

    def run(command, **kwargs):
        commands.append(command[-2:])
        status, out = (-11, "") if command[-1] == "2" else (0, '\n{"stalled": 0.5}')
        return subprocess.CompletedProcess(command, status, out, "")

    monkeypatch.setattr(subprocess, "run", run)
    assert script.measured(3) == {"stalled": 0.5, "died": "SIGSEGV"}
    assert commands == [["1", "2"], ["3", "1"]]


def test_a_call_that_fails_says_so(monkeypatch):
    done = subprocess.CompletedProcess([], 1, "", "Traceback\nImportError: no numba\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: done)
    assert script.measured(3) == "ImportError: no numba"


@pytest.mark.slow
@pytest.mark.measures
def test_the_command():
    done = subprocess.run([sys.executable, str(SCRIPT), "re.findall", "hashlib"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| standard library |")]
    assert [row.rpartition(" | ")[2] for row in rows] == ["holds |", "releases |"]
