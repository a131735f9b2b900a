"""Verdicts on functions whose behaviour is known, and the heartbeat on pulses made by hand."""

import dataclasses
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest

import pycrust
from pycrust.bench import assert_releases_gil, threadable
from pycrust.bench.heartbeat import Pulse, pulse_during
from pycrust.bench.machine import Machine, gil_enabled
from pycrust.bench.verdict import Threadable, name_of

needs_gil = pytest.mark.skipif(not gil_enabled(), reason="there is no GIL to hold")

pytestmark = pytest.mark.thread_unsafe(reason="measures, and draws with matplotlib")


def loop(count):
    for _ in range(count):
        pass


def half(count):
    pycrust.sum_of_squares(count)
    pycrust.threadable_sum_of_squares(count)


def random_bytes(size):
    return np.random.default_rng(1).integers(0, 50, size, dtype=np.uint8).tobytes()


@functools.cache
def inputs():
    rng = np.random.default_rng(1)
    return {
        "64 MB": bytes(64 * 2**20),
        "compressible": random_bytes(2_000_000),
        "matrix": rng.random((500, 500)),
        "vector": rng.random(1_000_000),
        "list": list(rng.random(300_000)),
        "text": "ab" * 2_000_000,
        "records": [{"number": k, "text": str(k)} for k in range(30_000)],
    }


# ---- the heartbeat ----------------------------------------------------------


def pulse(start, end, *beats, delays=None):
    return Pulse(start, end, beats, tuple(delays or [0.0] * len(beats)))


def test_a_pulse_counts_what_is_late():
    """Beats 1 s apart, but none between 3 and 8: the run from 1.5 to 9.5 waits for 5 - 1 of 8 seconds."""
    some = pulse(1.5, 9.5, 0.0, 1.0, 2.0, 3.0, 8.0, 9.0, 10.0)
    assert [gap[:2] for gap in some.gaps()] == [(0.0, 0.5), (0.5, 1.5), (1.5, 6.5), (6.5, 7.5), (7.5, 8.0)]
    assert some.longest_stall(1.0) == 4.0
    assert some.stalled(1.0) == 0.5


def test_waiting_for_a_core_is_not_waiting_for_the_gil():
    """A gap of 5 s, 4 of them without a core, is no stall; one of 6 s with 2 of them is one of 3 s."""
    some = pulse(0.0, 12.0, 0.0, 1.0, 6.0, 12.0, delays=[0.0, 0.0, 4.0, 2.0])
    assert some.longest_stall(1.0) == 3.0
    assert some.stalled(1.0) == 3.0 / (3.0 + 3.0)


def test_the_pace_of_a_pulse_passes_over_stalls():
    beats = [float(k) for k in range(20)]
    assert pulse(0.0, 119.0, *beats, 119.0).pace() == 1.0


def test_a_run_without_a_beat_is_one_stall():
    some = pulse(2.0, 5.0, 1.9, 5.2)
    assert [gap[:2] for gap in some.gaps()] == [(0.0, 3.0)]
    assert some.stalled(0.0) == 1.0
    assert some.longest_stall(0.5) == 2.5


def test_the_heart_beats_before_and_after_the_run():
    measured = pulse_during(lambda: time.sleep(0.02))
    assert measured.beats[0] < measured.start < measured.end <= measured.beats[-1]
    assert len(measured.beats) == len(measured.delays) > 3
    assert not any(thread.name == "pycrust-heartbeat" for thread in threading.enumerate())


# ---- verdicts ---------------------------------------------------------------


def verdict(func, *args):
    return threadable(func, *args, threads=())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("func", "arguments"),
    [
        (time.sleep, lambda of: (0.02,)),
        (hashlib.sha256, lambda of: (of["64 MB"],)),
        (zlib.compress, lambda of: (of["compressible"],)),
        (np.dot, lambda of: (of["matrix"], of["matrix"])),
        (np.sort, lambda of: (of["vector"],)),
        (pycrust.threadable_sum_of_squares, lambda of: (10**9,)),
        (pycrust.threadable_sum_of_squares, lambda of: (10**8,)),
    ],
    ids=["sleep", "sha256", "compress", "dot", "sort", "threadable n=1e9", "threadable n=1e8"],
)
def test_releases(func, arguments):
    result = verdict(func, *arguments(inputs()))
    assert result.verdict == "releases", result
    assert not result.in_turns


@pytest.mark.slow
@needs_gil
@pytest.mark.parametrize(
    ("func", "arguments"),
    [
        (sorted, lambda of: (of["list"],)),
        (re.compile("a*c").search, lambda of: (of["text"],)),
        (json.dumps, lambda of: (of["records"],)),
        (pycrust.sum_of_squares, lambda of: (10**9,)),
        (pycrust.sum_of_squares, lambda of: (10**8,)),
    ],
    ids=["sorted", "re", "dumps", "sum_of_squares n=1e9", "sum_of_squares n=1e8"],
)
def test_holds(func, arguments):
    result = verdict(func, *arguments(inputs()))
    assert result.verdict == "holds", result
    assert not result.in_turns


@pytest.mark.slow
@needs_gil
def test_python_code_holds_the_gil_in_turns():
    result = verdict(loop, 10_000_000)
    assert (result.verdict, result.in_turns) == ("holds", True), result
    assert "in turns" in str(result)


@pytest.mark.slow
@needs_gil
def test_partly():
    result = verdict(half, 10**9)
    assert result.verdict == "partly", result


@pytest.mark.slow
@needs_gil
@pytest.mark.parametrize(
    ("func", "args"),
    [(hashlib.sha256, (bytes(1024),)), (len, ("",)), (pycrust.sum_of_squares, (10**5,))],
    ids=["sha256", "len", "sum_of_squares"],
)
def test_too_short(func, args):
    result = verdict(func, *args)
    assert result.verdict == "too short", result
    assert "times the work" in result.in_words()


@pytest.mark.skipif(gil_enabled(), reason="the words of a free-threaded run")
def test_attached_and_detached():
    assert "attached" in verdict(pycrust.sum_of_squares, 10**9).headline()
    assert verdict(pycrust.threadable_sum_of_squares, 10**9).headline() == "detaches"


# ---- the result -------------------------------------------------------------


def test_scaling_figures():
    result = threadable(time.sleep, 0.002, threads=(2, 1), rounds=2, seconds=1.0)
    assert list(result.row) == list(result.threads) == [1, 2]
    for k in 1, 2:
        assert result.speedup(k) == result.row[k].median / result.threads[k].median
    assert result._repr_html_().count("<table>") == 2
    assert repr(result).startswith("sleep") or repr(result).startswith("time.sleep")
    written = json.loads(json.dumps(result.to_dict()))
    assert written == result.to_dict()
    assert (written["schema"], written["verdict"]) == ("pycrust.bench.threadable", "releases")
    assert [row["k"] for row in written["scaling"]] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [(), (1, 2)])
def test_plot(threads):
    from matplotlib.figure import Figure

    result = threadable(time.sleep, 0.002, threads=threads, rounds=1)
    axes = result.plot(Figure())
    assert len(axes) == (2 if threads else 1)
    assert "ms" in axes[0].get_xlabel()


def test_each_call_has_its_own_input():
    """An iterator that each call reads to its end: a second reader of the same would find nothing."""
    seen = []

    def use(first, own):
        seen.append(sum(own))
        time.sleep(0.002)

    result = threadable(use, "first", factory=lambda: (iter([1, 2, 4]),), threads=(1, 3), rounds=1)
    assert result.calls > 1
    assert set(seen) == {7}


def test_inputs_are_made_for_one_run_at_a_time():
    made = []
    threadable(time.sleep, factory=lambda: made.append(1) or (0.02,), threads=(), rounds=1)
    assert len(made) <= 1 + 4 + 10  # to calibrate; the calls of the run


def test_few_calls_with_costly_inputs_are_too_short_to_tell():
    """What makes the inputs takes longer than is borne for many of them: a call of no time is no verdict."""
    result = threadable(len, factory=lambda: (time.sleep(0.5) or "",), threads=(), rounds=1)
    assert (result.calls, result.verdict) == (1, "too short")
    assert "so that it takes 5.00 ms" in result.in_words()


def made_up(stalled, seconds=0.1, calls=1, cores=2):
    """A verdict on a function during whose only run the heart was late for this share of the time."""
    beat = 0.001
    idle = pulse(0.0, 1.0, *(k * beat for k in range(1001)))
    late = seconds * stalled
    beats = [0.0, *(late + k * beat for k in range(round((seconds - late) / beat) + 2))]
    machine = dataclasses.replace(Machine.this(), cores=cores, gil_enabled=True)
    return Threadable("f", seconds / calls, calls, [pulse(0.0, seconds, *beats)], [idle], {}, {}, machine)


def test_no_gain_above_the_cores_is_promised():
    assert made_up(0.2).verdict == "partly"
    assert "gain ×2.00 at most" in made_up(0.2).in_words()
    assert "gain ×5.26 at most" in made_up(0.2, cores=8).in_words()


def test_words_for_a_function_that_nobody_waited_for():
    result = verdict(time.sleep, 0.002)
    result.stalled = 0.0
    assert "waited 0% of the time" in result.in_words()


def test_errors_of_the_function_come_through():
    with pytest.raises(ZeroDivisionError):
        threadable(lambda: 1 / 0)
    with pytest.raises(ValueError, match="threads"):
        threadable(time.sleep, 0.01, threads=(0,))


def test_names():
    assert name_of(sorted) == "sorted"
    assert name_of(json.dumps) == "json.dumps"
    assert name_of(functools.partial(functools.partial(json.dumps), indent=1)) == "json.dumps"
    assert name_of(hashlib.sha256) == "openssl_sha256"
    assert name_of(pycrust.sum_of_squares) == "pycrust.sum_of_squares"
    assert name_of(np.add) == "numpy.add"


# ---- assert_releases_gil ----------------------------------------------------


def test_assert_releases_gil_passes():
    assert_releases_gil(pycrust.threadable_sum_of_squares, 10**9)


@needs_gil
def test_assert_releases_gil_fails_on_a_function_that_holds_it():
    with pytest.raises(AssertionError, match="holds the GIL"):
        assert_releases_gil(pycrust.sum_of_squares, 10**9)


@needs_gil
def test_assert_releases_gil_fails_on_what_it_cannot_tell():
    with pytest.raises(AssertionError, match="too short to tell"):
        assert_releases_gil(len, "")


# ---- the command ------------------------------------------------------------


def run(*args, **options):
    return subprocess.run(
        [sys.executable, "-m", "pycrust", "threadable", *args],
        capture_output=True, encoding="utf-8", timeout=120, env={**os.environ, "PYTHONUTF8": "1"}, **options,
    )  # fmt: skip


@pytest.mark.slow
def test_command_end_to_end(tmp_path):
    (tmp_path / "mine.py").write_text("import time\nclass Job:\n    def run(seconds): time.sleep(seconds)\n")
    done = run(
        "mine:Job.run", "--setup", "s = 0.01", "--args", "s / 2", "--threads", "1", "2", "--expect", "releases",
        "--json", "out.json", "--plot", "out.png", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mine.Job.run ")
    assert json.loads((tmp_path / "out.json").read_text())["function"] == "mine.Job.run"
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_arguments_are_fresh_for_each_call():
    """Each call reads its own stream: of one that was read before, `load` would make an error."""
    done = run(
        "json:load", "--setup", "import io; text = '[' + '1,' * 10_000 + '1]'", "--args", "io.StringIO(text)",
        "--threads", "1", "2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("json.load ")


def test_keyword_arguments_and_a_target_at_the_end(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import time\ndef f(*args, **kwargs):\n"
        "    assert (args, kwargs) == ((1, 2), {'a': 3, 'b': 4}), (args, kwargs)\n    time.sleep(0.01)\n"
    )
    done = run("--threads", "1", "--args", "1", "*[2]", "a=3", "**{'b': 4}", "mine:f", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mine.f releases")


def test_json_to_standard_output(tmp_path):
    """Nothing else is there, whatever the function prints; and no file is made of that name."""
    (tmp_path / "mine.py").write_text("import time\ndef f(): print('I am here'); time.sleep(0.01)\n")
    done = run("mine:f", "--setup", "print(1)", "--threads", "1", "--json", "-", "--plot", "p.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["function"] == "mine.f"
    assert "\nmine.f " in done.stderr and "plot:    p.png" in done.stderr
    assert {path.name for path in tmp_path.glob("*.*")} == {"mine.py", "p.png"}


@pytest.mark.slow
@needs_gil
@pytest.mark.parametrize(("expected", "status"), [("holds", 0), ("releases", 1)])
def test_expect(expected, status):
    done = run("pycrust:sum_of_squares", "--args", "10**9", "--threads", "1", "--expect", expected)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("expected that it releases the GIL, but it holds the GIL" in done.stderr) == bool(status)


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["zlib"], "not of the form MODULE:FUNCTION"),
        (["no_such_module:f"], "cannot import no_such_module"),
        (["zlib:no_such_function"], "no attribute 'no_such_function'"),
        (["zlib:ZLIB_VERSION"], "not callable"),
        (["zlib:compress", "--args", "1"], "zlib:compress(1) fails with TypeError"),
        (["zlib:compress", "--args", "nothing"], "fails with NameError"),
        (["zlib:compress", "--args", "1 +"], "fails with SyntaxError"),
        (["zlib:compress", "--args", "level=1", "b''"], "positional argument follows keyword"),
        (["sys:exit", "--args", "3"], "sys:exit(3) ends the program with SystemExit(3)"),
        (["mine:second"], "mine:second() ends the program with SystemExit('bye')"),
        (["zlib:compress", "--setup", "exit()"], "ends the program"),
        (["leaves:f"], "cannot import leaves: SystemExit: 1"),
        (["broken:f"], "cannot import broken: SyntaxError"),
        ([], "MODULE:FUNCTION is missing"),
        (["--args", "1"], "MODULE:FUNCTION is missing"),
    ],
)
def test_bad_targets_get_a_sentence(args, complaint, tmp_path):
    (tmp_path / "leaves.py").write_text("raise SystemExit(1)")
    (tmp_path / "broken.py").write_text("1 +")
    (tmp_path / "mine.py").write_text(
        "def second(calls=[]):\n    calls.append(1)\n    if calls[1:]: raise SystemExit('bye')"
    )
    done = run(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert complaint in done.stderr and "Traceback" not in done.stderr
