"""The bench: its clockwork with a clock of our own, the command end to end. No test asserts a speed."""

import contextlib
import dataclasses
import io
import json
import math
import os
import re
import signal
import string
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cases import all_pairs
from hypothesis import given
from hypothesis import strategies as st

import pycrust
from pycrust._cpu_count import cgroup_quota, usable_cores
from pycrust.bench import GilTable, gil_table
from pycrust.bench.cli import duration, main, make_parser, whole_number
from pycrust.bench.gil import COLUMNS, FUNCTIONS, PYTHON_N
from pycrust.bench.machine import Machine
from pycrust.bench.report import Cell, Table, printable, progress_bar, seconds_in_words, three_digits
from pycrust.bench.timing import (
    Control,
    Task,
    Timing,
    calibrate,
    race,
    repeated,
    row_task,
    rows_of,
    take_turns,
    threads_task,
)

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.thread_unsafe(reason="measures, and draws with matplotlib")


class Clock:
    """A clock that stands still until a call moves it."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def call(self, seconds):
        def call():
            self.now += seconds

        return call


@pytest.fixture
def figure():
    return pytest.importorskip("matplotlib.figure").Figure()


# ---- timing -----------------------------------------------------------------


def test_median_and_spread():
    timing = Timing((1.0, 2.0, 9.0))
    assert (timing.median, timing.spread) == (2.0, 1.0)
    assert Timing((3.0,)).spread is None
    assert timing.to_dict() == {"median": 2.0, "spread": 1.0, "rounds": [1.0, 2.0, 9.0]}


def test_calibrate_asks_for_enough_calls():
    clock = Clock()
    assert calibrate(repeated(clock.call(0.125)), at_least=1.0, clock=clock) == (8, 0.125)
    assert calibrate(repeated(clock.call(5.0)), at_least=1.0, clock=clock) == (1, 5.0)
    assert calibrate(repeated(clock.call(0.125)), at_least=1.0, most=3, clock=clock) == (3, 0.125)


def test_calibrate_counts_what_is_prepared():
    """A call of 1/8 s takes 2 s to prepare: one does, since two would take more than twice the second asked for."""
    clock = Clock()
    prepared = []

    def prepare(times):
        prepared.append(times)
        clock.call(2.0 * times)()
        return repeated(clock.call(0.125))(times)

    assert calibrate(prepare, at_least=1.0, clock=clock) == (1, 0.125)
    assert prepared == [1]


def test_calibrate_makes_one_call_of_a_slow_function():
    clock = Clock()
    calls = []
    calibrate(repeated(lambda: calls.append(clock.call(7.0)())), at_least=1.0, clock=clock)
    assert len(calls) == 1


def test_repeated():
    calls = []
    five = repeated(lambda: calls.append(1))(5)
    assert calls == []
    five()
    assert len(calls) == 5


def test_calls_in_a_row_are_laps_of_one_runner():
    clock = Clock()
    laps = race([[clock.call(1.0), clock.call(2.0), clock.call(4.0)]], clock=clock)
    assert laps.each() == [1.0, 2.0, 4.0]
    assert laps.wall == 7.0
    assert laps._replace(cpu=10.5).cores == 1.5


def test_a_race_counts_the_processor_time_of_all_threads():
    sleeping, working = race([[lambda: time.sleep(0.05)]]), race([[lambda: pycrust.sum_of_squares(10**9)]])
    assert 0 <= sleeping.cpu < working.cpu


def test_runners_start_when_all_are_there():
    """Every runner's first call sees every thread alive, and the clock starts but once."""
    seen = []
    starts = []

    def clock():
        starts.append(threading.current_thread().name)
        return float(len(starts))

    def call():
        seen.append(sum(thread.name.startswith("pycrust-runner") for thread in threading.enumerate()))
        inside.wait()

    inside = threading.Barrier(3, timeout=30)
    laps = race([[call]] * 3, clock=clock)
    assert seen == [3, 3, 3]
    assert laps.start == 1.0
    assert sorted(sum(laps.ends, [])) == [2.0, 3.0, 4.0]


def test_a_failing_call_ends_the_race_with_its_error():
    calls = []
    with pytest.raises(ZeroDivisionError):
        race([[lambda: 1 / 0, lambda: calls.append(1)]])
    assert calls == []


def test_after_a_failure_no_runner_begins_another_call():
    calls = []

    def outlive_the_first():
        first = next(thread for thread in threading.enumerate() if thread.name == "pycrust-runner-0")
        running.set()
        first.join(timeout=30)

    def fail():
        running.wait(timeout=30)
        raise ZeroDivisionError

    running = threading.Event()
    with pytest.raises(ZeroDivisionError):
        race([[fail], [outlive_the_first, lambda: calls.append(1)]])
    assert calls == []


def test_take_turns_goes_round_and_keeps_to_the_budget():
    order = []
    tasks = [
        Task("quick", lambda: order.append("quick") or len(order), 1.0),
        Task("slow", lambda: order.append("slow") or len(order), 50.0),
    ]
    told = []
    results = take_turns(tasks, rounds=3, seconds=10.0, progress=lambda *args: told.append(args))
    assert order == ["quick", "slow", "quick", "quick"]
    assert results == {"quick": [1, 3, 4], "slow": [2]}
    assert told[0] == ("", 0.0, 53.0)
    assert told[-1] == ("", 53.0, 53.0)


def test_what_takes_less_than_a_second_has_three_rounds():
    """So that two quick measurements can be compared; more if they are afforded, fewer if fewer are asked for."""
    short, long, quick = Task("short", float, 0.9), Task("long", float, 1.5), Task("quick", float, 0.0625)
    results = take_turns([short, long, quick], rounds=9, seconds=0.25)
    assert {key: len(each) for key, each in results.items()} == {"short": 3, "long": 1, "quick": 4}
    assert len(take_turns([short], rounds=2, seconds=0.3)["short"]) == 2


def test_rows_are_cut_into_groups_of_k():
    row = [1.0, 3.0, 5.0, 7.0]
    assert rows_of([row], 1).rounds == (1.0, 3.0, 5.0, 7.0)
    assert rows_of([row, row], 2).rounds == (2.0, 6.0, 2.0, 6.0)
    assert rows_of([row], 3).rounds == (3.0,)
    assert rows_of([row], 4).rounds == (4.0,)


def test_tasks_count_calls():
    calls = []
    row = row_task("row", repeated(lambda: calls.append("row")), 5, 0.0, 3).run()
    assert len(row) == 3 and calls == ["row"] * 15
    threads_task("threads", repeated(lambda: calls.append(threading.current_thread().name)), 4, 0.0, 2).run()
    assert calls.count("pycrust-runner-0") == calls.count("pycrust-runner-1") == 4


def test_all_is_prepared_before_the_clock_starts():
    """The time of a call leaves out what was done to prepare it, in a row and in threads."""
    events = []

    def prepare(times):
        events.append("prepare")
        return lambda: events.append("call")

    row_task("row", prepare, 1, 0.0, 2).run()
    assert events == ["prepare", "prepare", "call", "call"]
    events.clear()
    threads_task("threads", prepare, 1, 0.0, 3).run()
    assert events == ["prepare"] * 3 + ["call"] * 3


# ---- the machine ------------------------------------------------------------


def cgroup(root, line, files):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(line)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize(
    ("line", "files", "quota"),
    [
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"sys/fs/cgroup/a/cpu.max": "200000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, 2.0),
        ("0::/not/there\n", {"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
        (
            "5:memory:/\n4:cpu,cpuacct:/x\n",
            {"sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "300000\n", "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n"},
            3.0,
        ),
        (
            "4:cpu:/\n",
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
            None,
        ),
        ("4:cpuset:/\n", {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "1000\n"}, None),
    ],
)
def test_cgroup_quota(tmp_path, line, files, quota):
    assert cgroup_quota(cgroup(tmp_path, line, files)) == quota


def test_a_cgroup_may_have_any_name(tmp_path):
    """Bytes that are no text, and what would end a line of str."""
    name = os.fsdecode(b"\xff\x85\xe2\x80\xa8x")
    root = cgroup(tmp_path, "", {f"sys/fs/cgroup/{name}/cpu.max": "150000 100000\n"})
    (root / "proc/self/cgroup").write_bytes(b"0::/" + os.fsencode(name) + b"\n")
    assert cgroup_quota(root) == 1.5


def test_no_cgroup_no_quota(tmp_path):
    assert cgroup_quota(tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no CPU affinity")
def test_usable_cores_follow_the_affinity():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert 1 <= usable_cores() <= len(allowed)


# ---- figures and tables -----------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3.912, "3.91 s"), (123.4, "123 s"), (0.99999, "1.00 s"), (0.0027649, "2.76 ms"),
        (27.14e-6, "27.1 µs"), (57e-9, "57.0 ns"), (1.2e-10, "0.12 ns"),
    ],
)  # fmt: skip
def test_seconds_in_words(seconds, words):
    assert seconds_in_words(seconds) == words


def test_three_digits_at_the_edges():
    assert [three_digits(x) for x in (9.994, 9.996, 99.94, 99.96)] == ["9.99", "10.0", "99.9", "100"]


def test_plain_table():
    table = Table(
        title="Title",
        header=["on a machine"],
        columns=["k", "a\nlong head", "b"],
        rows=[["1", Cell("10 ms", "±1%"), Cell("9 s")], ["20", "1 ms", "8"]],
        notes=["a note"],
        warnings=["look out"],
    )
    assert table.plain() == "\n".join(
        [
            "Title",
            "on a machine",
            "",
            "k           a    b",
            "    long head",
            "--  ---------  ---",
            "1       10 ms  9 s",
            "          ±1%",
            "",
            "20       1 ms    8",
            "",
            "a note",
            "warning: look out",
        ]
    )


WORDS = st.text(string.ascii_letters + string.digits + " ×±-", max_size=30).map(str.strip)


@st.composite
def any_table(draw):
    columns = draw(st.lists(WORDS.map(lambda words: words.replace(" ", "\n", 1)), min_size=2, max_size=7))
    cells = st.builds(Cell, WORDS, st.sampled_from(["", "small", "quite small"]), st.booleans())
    rows = draw(st.lists(st.tuples(*[cells] * len(columns)), min_size=1, max_size=4))
    lines = st.lists(WORDS, max_size=2)
    return Table(
        draw(WORDS), columns, rows, draw(lines), draw(lines), draw(lines), left=draw(st.sampled_from([(0,), (0, 1)]))
    )


def squeezed(text):
    return "".join(text.split())


@given(any_table(), st.integers(20, 150))
def test_a_table_fits_and_nothing_is_cut(table, width):
    """No line is wider than the terminal, and every word of every cell, head, note and warning is there, whole."""
    plain = table.plain(width)
    assert all(len(line) <= width for line in plain.splitlines())
    cells = [cell for row in table.rows for cell in row]
    used = [k for k in range(len(table.columns)) if k == 0 or any(row[k].main or row[k].small for row in table.rows)]
    heads = sum((table.columns[k].split("\n") for k in used), [])
    texts = [*(cell.main for cell in cells), *(cell.small for cell in cells), table.title, *heads]
    for text in [*texts, *table.header, *table.notes, *table.warnings]:
        assert squeezed(text) in squeezed(plain)


def test_a_narrow_table_of_nothing():
    assert Table("title", ["a" * 30, "b" * 30], []).plain(20) == "title\n"
    assert squeezed(Table("title", ["only"], [["x" * 50]]).plain(20)) == f"titleonly:{'x' * 50}"


def test_where_columns_do_not_fit_another_layout_does():
    """Columns; with the labels above the rest; a block for each row, in pairs and one below another."""
    table = Table(
        title="Title",
        columns=["n", "one", "a long\nhead", "three"],
        rows=[["a long label", "1 ms", Cell("22 ms", "±1%"), "3"], ["other", "4 ms", Cell("5 ms", "±2%"), ""]],
        notes=["a note that is longer than it is"],
    )
    assert table.plain(40) == table.plain() == "\n".join(
        [
            "Title",
            "",
            "n              one  a long  three",
            "                      head",
            "------------  ----  ------  -----",
            "a long label  1 ms   22 ms      3",
            "                       ±1%",
            "",
            "other         4 ms    5 ms",
            "                       ±2%",
            "",
            "a note that is longer than it is",
        ]
    )  # fmt: skip
    assert table.plain(22) == "\n".join(
        [
            "Title",
            "",
            "n",
            "   one  a long  three",
            "          head",
            "  ----  ------  -----",
            "a long label",
            "  1 ms   22 ms      3",
            "           ±1%",
            "",
            "other",
            "  4 ms    5 ms",
            "           ±2%",
            "",
            "a note that is longer",
            "than it is",
        ]
    )
    wide = Table(title="T", columns=["", *"abcdef"], rows=[["x", *["1234567"] * 6], ["y", *["1"] * 6]])
    assert wide.plain(40).split("\n\n")[1:] == [
        "x\n  a  1234567    b  1234567    c  1234567\n  d  1234567    e  1234567    f  1234567",
        "y\n  a        1    b        1    c        1\n  d        1    e        1    f        1",
    ]
    assert wide.plain(20).split("\n\n")[2] == "y\n" + "\n".join(f"  {each}        1" for each in "abcdef")


def test_html_table_is_escaped():
    table = Table(title="a < b", columns=["<k>"], rows=[[Cell("1 & 2", "<small>", good=True)]])
    text = table.html()
    assert "a &lt; b" in text and "&lt;k&gt;" in text
    assert "<b>1 &amp; 2</b><br><small>&lt;small&gt;</small>" in text


HOSTILE = "\x1b]0;title\x07\x1b[31m[red]\x9b2J\r\x08\x7f\u202e\u2028\ud800"


def test_what_a_terminal_would_obey_is_shown_as_an_escape():
    """Wherever it stands in a table, in text and in colours; what people write stays as it is."""
    table = Table(
        title=HOSTILE, columns=[HOSTILE, "b"], rows=[[Cell(HOSTILE, HOSTILE), "1\n2"]], header=[HOSTILE], notes=[HOSTILE],
        warnings=[HOSTILE],
    )  # fmt: skip
    shown = r"\x1b]0;title\x07\x1b[31m[red]\x9b2J\r\x08\x7f\u202e\u2028\ud800"
    for width in (math.inf, 200, 70):
        text = table.plain(width)
        assert text.count(shown) == 7
        assert all(each.isprintable() or each == "\n" for each in text)
    assert r"1\n2" in text
    assert printable("1² + 2², ×3, 10\u202f000 → «ok» ½ 漢字") == "1² + 2², ×3, 10\u202f000 → «ok» ½ 漢字"


# ---- the GIL table ----------------------------------------------------------


def test_gil_table_measures_every_cell():
    result = gil_table(3000, k=[2, 1, 3], rounds=2, seconds=1.0)
    columns = ["python", "threaded_python", "c", "threaded_c", "threaded_c_nogil"]
    assert result.k == (1, 2, 3)
    assert set(result.times) == {(column, k) for column in columns for k in (1, 2, 3)}
    assert all(seconds > 0 for timing in result.times.values() for seconds in timing.rounds)
    assert repr(result) == "\n\n".join(table.plain() for table in result.tables())
    assert result._repr_html_().count("<tr>") == 4
    assert json.loads(json.dumps(result.to_dict())) == result.to_dict()


def test_gil_table_without_python():
    result = gil_table(3000, k=[1], rounds=1, python=False)
    assert [column.key for column in result.columns] == ["c", "threaded_c", "threaded_c_nogil"]
    assert "Python" not in "".join(result.in_words())


@pytest.mark.parametrize("python", [True, False])
@pytest.mark.parametrize(
    ("free_threaded", "holds", "releases"),
    [(False, "C that holds the GIL", "C that releases it"), (True, "C attached", "C detached")],
)
def test_the_sentence_names_the_columns(python, free_threaded, holds, releases):
    """Two threads gain ×1 in Python, ×3 where the GIL is held, ×5 where it is released."""
    machine = dataclasses.replace(Machine.this(), free_threaded_build=free_threaded, cores=2)
    seconds = {"python": 1.0, "threaded_python": 1.0, "c": 15.0, "threaded_c": 5.0, "threaded_c_nogil": 3.0}
    times = {(key, 2): Timing((each,)) for key, each in seconds.items() if python or "python" not in key}
    (sentence,) = GilTable(1000, (2,), times, {}, machine).in_words()
    assert sentence == f"Here 2 threads give {'×1.00 for Python, ' * python}×3.00 for {holds}, ×5.00 for {releases}."


def skeleton(text):
    """What a printed table consists of, whatever was measured, and wherever."""
    title, _, _, *lines = text.strip().splitlines()  # without the two lines about the machine
    words = "\n".join(line for line in [title, *lines] if not line.startswith("warning: "))
    words = re.sub(r"n = [\d ]+\d|±\d+%", "", words)  # a cell that was measured once has no ±
    words = re.sub(r"[\d.]+ ([mµn]?s)\b", "time", words)
    return re.sub(r"-{2,}", "-", re.sub(r"×[\d.]+", "×", words)).split()


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_what_the_pages_say_it_prints_it_prints(page):
    """But for the figures, the text is what this version prints."""
    if not (ROOT / page).exists():
        pytest.skip("the tests stand alone")
    text = (ROOT / page).read_text(encoding="utf-8")
    (shown,) = re.findall(r"```text\n(1² \+ .*?)```", text, re.DOTALL)
    times = {(column.key, k): Timing((0.5, 0.5)) for column in COLUMNS for k in (1, 2, 4)}
    machine = dataclasses.replace(Machine.this(), free_threaded_build=False, cores=2)
    n = int(re.search(r"for n = ([\d ]+)", shown)[1].replace(" ", ""))
    full = "`pycrust bench --full` on two cores" in text
    printed = str(GilTable(n, (1, 2, 4), times, {}, machine, python_n=n if full else min(n, PYTHON_N)))
    assert skeleton(shown) == skeleton(printed)


def disturbed(cores=1.0, nogil=2.0, python=1.0, k=(1, 2, 4), usable=2, control=True):
    """A table of two threads that gain so much, while calls in a row had so many cores."""
    machine = dataclasses.replace(Machine.this(), free_threaded_build=False, gil_enabled=True, cores=usable, load=0.0)
    gains = {"threaded_python": python, "threaded_c": 1.0, "threaded_c_nogil": nogil}
    times = {(column.key, each): Timing((1.0 / gains.get(column.key, 1.0),) * 3) for column in COLUMNS for each in k}
    calls = dict.fromkeys(FUNCTIONS, 1)
    return GilTable(10**8, k, times, calls, machine, control=Control(2, nogil, cores) if control else None)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"nogil": 1.01, "python": 1.24}, "2 threads of plain C, which needs no GIL, gain only ×1.01"),
        ({"cores": 0.6}, "calls in a row had 0.60 of a core"),
        ({"python": 1.24}, "2 threads of Python seem to gain ×1.24, which the GIL rules out"),
    ],
)
def test_on_a_busy_machine_no_speedup_counts(changes, complaint, figure):
    """The table says so in words, praises no cell, and draws no conclusion; nor does the picture."""
    result = disturbed(**changes)
    (table,) = result.tables()
    assert complaint in table.warnings[0] and "mean nothing" in table.warnings[0]
    cells = [cell for row in table.rows for cell in row[1:]]
    assert not any(cell.good for cell in cells)
    assert [cell.small[-1] for cell in cells if "×" in cell.small] == ["?"] * 9
    assert not any("Here 2 threads give" in note for note in table.notes)
    assert complaint in result.to_dict()["warnings"][0]
    _, right = result.plot(figure)
    assert "Not to be trusted" in right.get_title(loc="left")
    assert all(line.get_alpha() == 0.3 for line in right.lines[:3])
    assert squeezed(complaint) in squeezed(right.figure.get_supxlabel())


def test_on_a_quiet_machine_speedups_count(figure):
    result = disturbed()
    (table,) = result.tables()
    assert not any("mean nothing" in warning for warning in table.warnings)
    assert [cell.good for cell in table.rows[1][1:]] == [False, False, False, False, True]
    assert "?" not in "".join(cell.small for row in table.rows for cell in row[1:])
    assert "Not to be trusted" not in result.plot(figure)[1].get_title(loc="left")


def test_no_gain_on_one_core_is_praised():
    (table,) = disturbed(python=1.24, usable=1, control=False).tables()
    assert not any(cell.good for row in table.rows for cell in row[1:])


def test_the_table_measures_whether_the_machine_is_quiet():
    result = gil_table(1000, k=[1, 2], rounds=1)
    if usable_cores() < 2:
        assert result.control is None
    else:
        assert result.control.k == 2 and result.control.cores > 0
        assert result.control.speedup == result.speedup("threaded_c_nogil", 2)


def test_python_is_timed_at_a_smaller_n_and_scaled(monkeypatch):
    """Its times are those of the smaller n times the ratio, and the table says so; with full=True it computes n itself."""
    called = set()
    monkeypatch.setitem(FUNCTIONS, "python", lambda n: called.add(n) or sum(range(200)))
    monkeypatch.setattr("pycrust.bench.gil.PYTHON_N", 1000)
    scaled, full = (gil_table(50_000, k=[1], rounds=1, full=full) for full in (False, True))
    assert (scaled.python_n, full.python_n) == (1000, 50_000)
    assert called == {1000, 50_000}
    words = "Python was timed at n = 1 000 and scaled up by 50"
    assert words in str(scaled) and words not in str(full)
    assert scaled.to_dict()["python_n"] == 1000
    monkeypatch.setattr("pycrust.bench.gil.take_turns", lambda tasks, **kwargs: {
        task.key: [1.0 if isinstance(task.key, tuple) else [1.0]] for task in tasks
    })  # fmt: skip
    times = gil_table(50_000, k=[1]).times
    assert {key: timing.median for (key, _), timing in times.items()} == {
        "python": 50.0, "threaded_python": 50.0, "c": 1.0, "threaded_c": 1.0, "threaded_c_nogil": 1.0
    }  # fmt: skip


@pytest.mark.parametrize(("options", "full"), [([], False), (["--full"], True)])
def test_the_command_times_python_whole_only_if_asked(options, full, monkeypatch):
    asked = []
    monkeypatch.setattr("pycrust.bench.cli.gil_table", lambda *args, **kwargs: asked.append(kwargs) or disturbed())
    assert main(["bench", *options]) == 0
    assert asked[0]["full"] == full and asked[0]["seconds"] == (2.0 if full else 1.0)


def test_warns_of_more_threads_than_cores():
    many = usable_cores() + 1
    result = gil_table(1000, k=[1, many], rounds=1)
    assert any(warning.startswith(f"k = {many} is more than") for warning in result.warnings())
    assert not any(warning.startswith("k =") for warning in gil_table(1000, k=[1], rounds=1).warnings())


@pytest.mark.parametrize(("n", "k"), [(0, [1]), (10, []), (10, [0, 1])])
def test_gil_table_refuses(n, k):
    with pytest.raises(ValueError):
        gil_table(n, k)


def test_plot_is_drawn_into_the_figure_given(figure):
    result = gil_table(1000, k=[1, 2], rounds=1)
    axes = result.plot(figure)
    assert axes == figure.axes and len(axes) == 2
    assert all(each.get_xlabel() and each.get_ylabel() and each.get_title(loc="left") for each in axes)
    assert len(axes[0].lines) == 5


# ---- progress ---------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_silent_in_a_pipe():
    pipe = io.StringIO()
    with progress_bar(pipe) as progress:
        progress("a", 1.0, 10.0)
    assert pipe.getvalue() == ""


def test_progress_without_rich(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    terminal = Terminal()
    with progress_bar(terminal) as progress:
        progress("threaded C", 1.0, 4.0)
    assert terminal.getvalue().startswith("\r 25%  about   3 s left  threaded C")
    assert terminal.getvalue().endswith("\r")


def test_progress_without_rich_keeps_to_its_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    with progress_bar(terminal) as progress:
        progress("a function with a very long name", 1.0, 4.0)
    assert {len(line) for line in terminal.getvalue().split("\r")} == {0, 39}


# ---- the command ------------------------------------------------------------


def run(*args, env=None, **options):
    return subprocess.run(
        [sys.executable, "-m", "pycrust", *args],
        capture_output=True, encoding="utf-8", timeout=120,
        env={**os.environ, "PYTHONUTF8": "1", **(env or {})}, **options,
    )  # fmt: skip


def test_bench_end_to_end(tmp_path):
    done = run("bench", "--quick", "-n", "2e4", "-k", "1", "2", "--json", "out.json", "--plot", "out.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "n = 20 000" in done.stdout and "usable core" in done.stdout and pycrust.simd() in done.stdout
    assert done.stderr == ""

    written = json.loads((tmp_path / "out.json").read_text())
    assert (written["schema"], written["schema_version"]) == ("pycrust.bench.gil_table", 1)
    assert written["n"] == 20_000
    assert written["machine"]["cores"] == usable_cores()
    assert len(written["cells"]) == 10
    for cell in written["cells"]:
        assert cell["rounds"] and min(cell["rounds"]) <= cell["median"] <= max(cell["rounds"])

    import matplotlib.image

    height, width, channels = matplotlib.image.imread(tmp_path / "out.png").shape
    assert width > height > 300 and channels == 4


def uncoloured(text):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def in_terminal(width, script, *args):
    """The exit status, and what a script writes in a terminal of this width, as lines without colours."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, width))
    env = {**os.environ, "PYTHONUTF8": "1", "TERM": "xterm", "NO_COLOR": "1"}
    env.pop("COLUMNS", None)
    command = [sys.executable, "-c", script, *args]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, close_fds=True)
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # Linux ends with EIO
        while chunk := os.read(ours, 4096):
            output += chunk
    os.close(ours)
    text = uncoloured(output.decode())
    return process.wait(timeout=60), [
        line.rpartition("\r")[2].rstrip() for line in text.replace("\r\n", "\n").split("\n")
    ]


MAIN = "import sys; from pycrust.bench.cli import main; sys.exit(main(sys.argv[1:]))"


def test_without_rich_a_plain_table():
    """In a terminal, where rich would have drawn: the plain table, and no traceback."""
    status, lines = in_terminal(
        120, "import sys; sys.modules['rich'] = None; " + MAIN, "bench", "--quick", "-n", "2e4", "-k", "1"
    )
    text = "\n".join(lines)
    assert status == 0, text
    assert "-  ------" in text and "threaded C" in text
    assert "Traceback" not in text


@all_pairs(width=[40, 60, 80, 120], rich=[True, False])
def test_no_table_is_cut_in_a_terminal(width, rich, tmp_path):
    """`compare` of long names, with and without rich: whole at every width, and no line wraps in the middle."""
    name = "threaded C without the GIL, and more"
    cell = {"title": name, "k": 4, "median": 1.0, "spread": 0.01, "rounds": [1.0, 1.0, 1.0]}
    machine = {"pycrust": "0.1", "python": "CPython", "cpu": "a processor with a name of some length"}
    report = {"schema": "pycrust.bench.gil_table", "schema_version": 1, "created": "2026-01-01T00:00", "n": 3}
    path = tmp_path / "report.json"
    path.write_text(json.dumps({**report, "machine": machine, "warnings": [], "cells": [cell]}))
    script = MAIN if rich else "import sys; sys.modules['rich'] = None; " + MAIN
    status, lines = in_terminal(width, script, "compare", str(path), str(path))
    text = squeezed("".join(lines))
    assert status == 0, lines
    assert max(map(len, lines)) <= width
    for words in (
        name,
        "1.00 s",
        "±10%",
        "new / old",
        "same",
        "a processor with a name of some length",
        "believe a single one",
    ):
        assert squeezed(words) in text, (words, lines)


def test_piped_a_table_has_its_full_width():
    done = run("bench", "-n", "2000", "-k", "1", "--quick", env={"COLUMNS": "40", "FORCE_COLOR": "1"})
    assert done.returncode == 0, done.stderr
    lines = [uncoloured(line) for line in done.stdout.splitlines()]
    assert any(len(line) > 55 and line.startswith("1 ") for line in lines), lines


def test_import_brings_neither_rich_nor_matplotlib():
    code = (
        "import sys, pycrust, pycrust.bench.cli\n"
        "print([name for name in ('rich', 'matplotlib', 'IPython') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["bench", "-n", "0"], "at least 1"),
        (["bench", "-n", "1.5"], "not a whole number"),
        (["bench", "-n", "many"], "not a whole number"),
        (["bench", "-n", "10**"], "not a whole number"),
        (["bench", "-n", "9**9**9"], "not a whole number"),
        (["bench", "-n", "10**99999999"], "not a whole number"),
        (["bench", "-n", "0**1"], "at least 1"),
        (["bench", "-n", "1e13"], "7991780883560"),
        (["bench", "-k", "0"], "at least 1"),
        (["bench", "-k", "1e12"], "at most 10000 threads"),
        (["threadable", "time:sleep", "--threads", "10001"], "at most 10000 threads"),
        (["bench", "--break-even", "-k", "1"], "-k 1: --break-even compares"),
        (["stalls", "--abort-over", "-1", "x.py"], "not a time in seconds"),
        (["stalls", "--dump-over", "nan", "x.py"], "not a time in seconds"),
        (["stalls", "--for", "5hms", "x.py"], "'5hms' is not a time"),
        (["bench", "--plot", "out.txt"], "must end in .png"),
        (["bench", "--json", "not/there.json"], "no folder"),
        (["bench", "--full", "--quick"], "not allowed with"),
        (["bench", "--full", "--peers"], "cannot be used with --peers"),
        (["bench", "--full", "--break-even"], "cannot be used with --break-even"),
        (["bench", "--json", "."], "is a folder"),
        (["nothing"], "invalid choice"),
        ([], "COMMAND"),
    ],
)
def test_bad_arguments_are_refused_at_once(args, complaint, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(args)
    assert stop.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_file_that_may_not_be_written_is_refused_at_once(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--json", str(tmp_path / "out.json")])
    assert stop.value.code == 2
    assert "no permission to write" in capsys.readouterr().err


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("command", ["", "bench", "threadable", "stalls", "compare"])
def test_help_fits_every_terminal(command, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    lines = uncoloured(capsys.readouterr().out).splitlines()
    assert stop.value.code == 0 and max(map(len, lines)) < width
    assert not [line for line in lines if re.search(r"-\w+-$", line)]  # an option, broken at its hyphen
    if command == "stalls":
        usage = " ".join(" ".join(lines).partition(" Run a program")[0].split())
        assert usage.endswith(
            "(SCRIPT | COMMAND | -m MODULE | -c CODE) ... pycrust stalls --pid PID [--for TIME] [--over MS] ..."
        )
        assert re.search(r"usage: pycrust stalls \[-h\].*\[--over MS\]", usage) and "[--json FILE]" in usage
        assert max(map(len, lines[:8])) > width - 25  # it is filled
        assert "(default 5; with --pid: 0, which is never)" in " ".join(" ".join(lines).split())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk here")
def test_a_file_that_cannot_be_written_loses_nothing_else(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("pycrust.bench.cli.gil_table", lambda *args, **kwargs: disturbed())
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--json", "/dev/full", "--plot", str(tmp_path / "out.png")])
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert str(disturbed()) in printed.out and "plot:" in printed.out and (tmp_path / "out.png").exists()
    assert printed.err == "pycrust: /dev/full could not be written: No space left on device\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize(
    ("command", "status", "out", "err"),
    [
        ("bench --help", 0, "?", ""),  # in ASCII there is no ²
        ("compare {0} {0} >&-", 0, "", ""),
        ("bench --break-even --quick -n 10 -k 2 2>&-", 0, "gain", ""),
        ("compare {0} {0} > /dev/full", 2, "", "pycrust: the table could not be written: No space left on device"),
    ],
)
def test_standard_streams_of_every_kind(command, status, out, err, tmp_path):
    if "/dev/full" in command and not Path("/dev/full").exists():
        pytest.skip("there is no full disk here")
    disturbed().save_json(tmp_path / "out.json")
    command = f"exec {sys.executable} -m pycrust {command.format(tmp_path / 'out.json')}"
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=env)
    assert done.returncode == status, done.stderr
    assert out in done.stdout and err in done.stderr and "Traceback" not in done.stderr
    assert bool(done.stderr) == bool(err)


def test_plot_without_matplotlib_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--plot", "out.png"])
    assert stop.value.code == 2
    assert "plots need matplotlib: pip install matplotlib" in capsys.readouterr().err


def test_a_result_without_matplotlib_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (lambda: disturbed().plot(), lambda: disturbed().save_plot(tmp_path / "out.png")):
        with pytest.raises(ModuleNotFoundError, match=r"plots need matplotlib: pip install matplotlib.*extra 'bench'"):
            draw()


@pytest.mark.parametrize(
    ("text", "number"), [("12", 12), ("1e8", 10**8), ("1_000", 1000), ("2.5e3", 2500), ("10**6", 10**6)]
)
def test_whole_number(text, number):
    assert whole_number(text) == number


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("30s", 30), ("500ms", 0.5), ("1.5m", 90), ("2h", 7200), ("1e3s", 1000)]
)
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("option", ["--abort-over", "--dump-over"])
@pytest.mark.parametrize("zero", ["0", "0.0"])
def test_zero_is_never(option, zero):
    options = vars(make_parser().parse_args(["stalls", option, zero, "x.py"]))
    assert options[option[2:].replace("-", "_")] == 0.0


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"pycrust {pycrust.__version__}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_the_command():
    code = (
        "from pycrust.bench.cli import main; print('here', flush=True); raise SystemExit(main(['bench', '-n', '1e10']))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "here\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert complaint.strip() == "pycrust: interrupted"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
def test_a_reader_may_leave():
    code = "from pycrust.bench.cli import main; raise SystemExit(main(['threadable', 'time:sleep', '--args', '0.001']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == ""
    process.stderr.close()
