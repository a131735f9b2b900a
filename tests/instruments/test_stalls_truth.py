"""What a watch says against what is so by construction: who held the GIL, where, and how much in all."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cases import slow

from pycrust import _probe

pytestmark = [
    pytest.mark.measures,
    pytest.mark.skipif(bool(_probe.why_not()), reason=f"the GIL cannot be watched: {_probe.why_not()}"),
]


@pytest.fixture
def report(script, tmp_path):
    """Watch a script; gives its lines, from 1 on, what it printed, and the report as a dict and as a text."""

    def report(text, name="program.py"):
        path = script(text, name)
        command = [sys.executable, "-m", "pycrust", "stalls", "--json", "out.json", path]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        written = json.loads((tmp_path / "out.json").read_text())
        return ["", *Path(path).read_text().splitlines()], done.stdout, written, done.stderr

    return report


def covered(written):
    if written["watch"]["coverage"] < 0.9:  # the report says so itself
        pytest.skip("the machine is so busy that much cannot be seen")


def own_lines(written):
    """Those of the program itself, library lines by their caller."""
    return {(line["caller"] or line)["line"] for line in written["lines"]}


# ---- several holders, one wait ------------------------------------------------------------


FOUR_WORKERS = """
    import ctypes, json, threading, time, pycrust
    libc = ctypes.PyDLL(None)
    ran, stood, ended = [], [], []

    def heart():
        before = time.perf_counter()
        while not ended:
            time.sleep(0.001)
            now = time.perf_counter()
            stood.append(now - before if now - before >= 0.03 else 0.0)
            before = now

    def hold():
        {hold}

    def work():
        start = time.thread_time()
        for _ in range(8):
            hold()
            time.sleep(0.02)
        ran.append(time.thread_time() - start)
        time.sleep(0.3)  # until its name has been learnt

    threads = [threading.Thread(target=work, name=f"worker {{k}}") for k in range(4)]
    heartbeat = threading.Thread(target=heart)
    heartbeat.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended.append(True)
    heartbeat.join()
    print(json.dumps([sum(ran), sum(stood)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("hold", ["libc.usleep(100_000)", "pycrust.sum_of_squares(10**9)"], ids=["asleep", "running"])
def test_four_workers_that_hold_in_turn(report, hold):
    """
    Each holds eight times, several within one wait, and its line is told. What they ran for, or slept, is known from the
    workers themselves, and for how long the program stood still from its heart.
    """
    lines, printed, written, text = report(FOUR_WORKERS.format(hold=hold))
    covered(written)
    ran, stood = json.loads(printed)
    guilty = next(number for number, line in enumerate(lines) if line.strip() == hold)
    assert own_lines(written) <= {guilty}, text
    truth = ran if "sum" in hold else 32 * 0.1
    told = sum(line["total"] for line in written["lines"])
    assert told >= 0.8 * truth * written["watch"]["coverage"], text
    missing = sum(stall["missing"] for stall in written["stalls"])
    assert told + missing >= 0.8 * stood * written["watch"]["coverage"], text
    (line,) = written["lines"]
    assert len({name for name in line["threads"] if name.startswith("worker")}) >= 3
    waited = written["waited"]
    assert waited["held"] <= waited["in_all"] and waited["rest"] >= 0.0
    assert f"{waited['rest']:.2f} s not attributed" in text


def test_sleepers_within_one_wait_have_their_lines(report, until):
    """Three hold it in turn while the main thread waits: each line is told, with all of its stack, and no other."""
    program = """
        import ctypes, threading
        libc = ctypes.PyDLL(None)

        def first():
            libc.usleep(150_000)

        def second():
            sorted([1, 2], key=lambda number: libc.usleep(80_000))

        def third():
            [libc.usleep(150_000) for _ in range(1)]

        go = threading.Barrier(4)
        def work(function):
            go.wait()
            function()
            go.wait()

        for function in first, second, third:
            threading.Thread(target=work, args=(function,), name=function.__name__).start()
        go.wait()
        go.wait()
    """
    own = {"first": [6, 17], "second": [9, 9, 17], "third": [12, 12, 17]}
    own["third"] = own["third"] if sys.version_info < (3, 12) else [12, 17]  # without a frame of its own

    def look():
        _, _, written, text = report(program)
        held = [stall for stall in written["stalls"] if stall["label"] == "held" and stall["stack"]]
        for stall in held:
            lines = [place["line"] for place in stall["stack"] if place["file"].endswith("program.py")]
            assert lines == own.get(stall["thread"], lines) and lines in own.values(), text
        assert own_lines(written) <= {6, 9, 12}, text
        return {stall["thread"] for stall in held if stall["waited"] > 0.3}, text

    until(lambda found: len(found[0]) >= 2, look)


# ---- a heart that stands still --------------------------------------------------------------


# For how long it stood still, without the time for which it had no core itself; and for how long who held the GIL ran.
HEART = """
    import ctypes, gc, json, threading, time
    from concurrent.futures import ThreadPoolExecutor
    from pycrust import sum_of_squares
    sleep, now, stood, ran, ended = time.sleep, time.perf_counter, [], [], []

    def delay():
        with open("/proc/thread-self/schedstat") as file:
            return float(file.read().split()[1]) / 1e9

    def heart():
        before, had_none = now(), delay()
        while not ended:
            sleep(0.001)
            after, has_none = now(), delay()
            stood.append(after - before - (has_none - had_none) if after - before >= 0.03 else 0.0)
            before, had_none = now(), has_none

    beats = threading.Thread(target=heart, daemon=True)
    beats.start()
"""

GUILTY = """
    def guilty():
        start = time.thread_time()
        sum_of_squares(2 * 10**9)
        ran.append(time.thread_time() - start)
"""

GUILTY_PROGRAMS = {
    "a pool": (
        GUILTY
        + """
    with ThreadPoolExecutor(2) as pool:
        for _ in range(6):
            pool.submit(guilty)
""",
        r"ThreadPoolExecu(tor-0_[01])?",
    ),
    "a thread made by C": (
        GUILTY
        + """
    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    def run(_):
        for _ in range(4):
            guilty()
            sleep(0.02)

    libc, thread = ctypes.CDLL(None), ctypes.c_ulong()
    assert libc.pthread_create(ctypes.byref(thread), None, run, None) == 0
    assert libc.pthread_join(thread, None) == 0
""",
        r"thread \d+",
    ),
    "collections": (
        """
    gc.disable()
    keep = [[number] for number in range(1_500_000)]
    def guilty():
        start = time.thread_time()
        gc.collect()
        ran.append(time.thread_time() - start)
    for _ in range(5):
        guilty()
""",
        "MainThread",
    ),
    "greenlets": (
        GUILTY
        + """
    from gevent import monkey; monkey.patch_all()
    import gevent
    gevent.joinall([gevent.spawn(guilty) for _ in range(4)])
""",
        "MainThread",
    ),
}


@pytest.mark.parametrize(
    ("program", "thread"),
    [
        pytest.param(*values, id=name, marks=() if name == "a thread made by C" else pytest.mark.slow)
        for name, values in GUILTY_PROGRAMS.items()
    ],
)
def test_what_a_heart_stood_still_for_is_told(report, until, program, thread):
    if "gevent" in program:
        pytest.importorskip("gevent")
    end = "\n    ended.append(True)\n    beats.join()\n    print(json.dumps([sum(stood), sum(ran)]))\n"

    def look():
        lines, printed, written, text = report(HEART + program + end)
        guilty = 2 + next(number for number, line in enumerate(lines) if line.startswith("def guilty"))
        told = [stall for stall in written["stalls"] if stall["label"] in ("held", "gc") and stall["stack"]]
        for stall in told:
            own = next(place for place in stall["stack"] if place["file"].endswith("program.py"))
            assert (own["line"], own["function"]) == (guilty, "guilty"), text
            # A thread that has ended may have no name any more.
            assert re.fullmatch(rf"{thread}|thread \d+|one that ended", stall["thread"]), text
        stood, ran = json.loads(printed)
        held, missing = (sum(stall[what] for stall in told) for what in ("seconds", "missing"))
        return min(held / ran, (held + missing) / stood)

    until(lambda part: part >= 0.8, look)


# ---- callers ------------------------------------------------------------------------------


def test_callers_are_told_apart(report, until):
    def look():
        return report(
            """
            import json

            big = list(range(2_000_000))

            def innocent():
                return json.dumps([1])

            def first():
                return json.dumps(big)

            def second():
                return json.dumps(big)

            for _ in range(3):
                innocent()
                first()
                second()
            """
        )

    def functions(found):
        return {line["caller"]["function"] for line in found[2]["lines"] if line["caller"]}

    found = until(lambda found: functions(found) >= {"first", "second"}, look)
    _, _, written, text = found
    assert functions(found) == {"first", "second"}, text
    for line in written["lines"]:
        if line["caller"] and line["caller"]["function"] in ("first", "second"):
            assert line["file"].endswith("json/encoder.py") and line["caller"]["source"] == "return json.dumps(big)"
            assert line["threadable"] == "json:dumps"
    assert "program.py:10 first" in text and "in json/encoder.py" in text


# ---- whose it was ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "callee", "task"),
    [
        slow("asyncio.run(without_a_name())", "", "without_a_name"),
        ("with ThreadPoolExecutor(1) as pool: pool.submit(sum_of_squares, n).result()", "sum_of_squares", ""),
        slow("threading.Thread(target=partial(sum_of_squares, n)).start()", "sum_of_squares", ""),
        slow("asyncio.run(in_a_thread())", "sum_of_squares", ""),
        slow("asyncio.run(on_the_loop())", "", "the task"),
        slow("ThreadPoolExecutor(1).submit(Named(), n).result()", "", ""),  # no code of the program is run for its name
    ],
)
def test_what_a_pool_runs_and_tasks_have_names(report, until, code, callee, task):
    program = f"""
        import asyncio, threading
        from concurrent.futures import ThreadPoolExecutor
        from functools import partial
        from pycrust import sum_of_squares
        n = 2 * 10**9

        class Named:
            def __getattribute__(self, name):
                print("asked for", name)
                return object.__getattribute__(self, name)

            def __call__(self, n):
                sum_of_squares(n)

        async def in_a_thread():
            await asyncio.to_thread(sum_of_squares, n)

        async def without_a_name():
            sum_of_squares(n)

        async def on_the_loop():
            async def work():
                sum_of_squares(n)
            await asyncio.create_task(work(), name="the task")

        for _ in range(3):
            {code}
    """

    def names(found):
        return {((line["callee"] or "").rpartition(":")[2], "".join(line["tasks"])) for line in found[2]["lines"]} - {
            ("", "")
        }

    if callee or task:
        found = until(lambda found: (callee, task) in names(found), lambda: report(program))
        assert names(found) == {(callee, task)}, found[3]
        assert ("sum_of_squares, run by a thread" if callee else f"task {task}") in found[3]
    else:
        assert report(program)[1] == ""


def test_where_a_collection_was_set_off(report, until):
    program = """
        import gc
        keep = [[number] for number in range(1)]
        gc.disable()
        keep = [[number] for number in range(3_000_000)]
        def collect():
            gc.collect()
        collect()
        collect()
    """

    def places(found):
        return {
            (frame["line"], frame["function"])
            for stall in found[2]["stalls"]
            if stall["label"] == "gc"
            for frame in stall["stack"][:1]
        }

    *_, text = found = until(places, lambda: report(program))
    assert places(found) == {(7, "collect")}
    assert "gc.collect()" in text and "set off" in text


@pytest.mark.slow
def test_a_fork_stops_all_threads(report, until):
    """The program times its forks itself."""
    program = """
        import os, time
        ballast = bytearray(b"x") * 1_000_000_000
        def fork():
            start = time.perf_counter()
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            end = time.perf_counter()
            os.waitpid(pid, 0)
            return end - start
        print([fork() for _ in range(4)])
    """

    def forks(found):
        return [stall for stall in found[2]["stalls"] if stall["label"] == "fork"]

    def took(found):
        return json.loads(found[1])

    found = until(lambda found: forks(found) or max(took(found)) < 0.05, lambda: report(program))
    # What is within the hooks is a part of what the program sees.
    assert len(forks(found)) <= sum(seconds >= 0.02 for seconds in took(found))
    assert sum(stall["seconds"] for stall in forks(found)) <= sum(took(found))
    if not forks(found):
        pytest.skip("forks are too fast here to count")
    assert {(frame["line"], frame["function"]) for fork in forks(found) for frame in fork["stack"][:1]} == {(6, "fork")}
    assert "pid = os.fork()" in found[3]


@pytest.mark.slow
def test_greenlets(report, until):
    pytest.importorskip("gevent")
    program = """
        from gevent import monkey; monkey.patch_all()
        import gevent, pycrust
        def handler():
            pycrust.sum_of_squares(2 * 10**9)
        gevent.joinall([gevent.spawn(handler) for _ in range(3)])
    """
    _lines, _, written, text = until(lambda found: found[2]["lines"], lambda: report(program))
    assert own_lines(written) <= {5}, text
    assert {name for line in written["lines"] for name in line["threads"]} == {"MainThread"}


# ---- event loops --------------------------------------------------------------------------------

LOOP = """
    import asyncio, threading, time
    from pycrust import sum_of_squares

    def numbers():
        total = 0
        for k in range(1_500_000):
            total += k
        return total

    def innocent():
        return sum(range(2000))

    async def sleeps():
        time.sleep(0.12)

    async def computes():
        numbers()

    async def holds():
        sum_of_squares(2 * 10**9)

    async def short():
        for _ in range(100):
            innocent()
            await asyncio.sleep(0)

    async def main():
        await asyncio.sleep(0.15)  # by then the watch knows this loop
        for k in range(2):
            for bad in sleeps, computes, holds:
                await asyncio.create_task(bad(), name=f"bad {k}")
                await asyncio.gather(*(short() for _ in range(4)), asyncio.sleep(0.02))

    asyncio.run(main())
"""


@pytest.mark.slow
def test_a_loop_that_is_blocked_without_the_gil(report, until):
    """By a sleep, and by Python code; what holds the GIL is no loop's, and short callbacks are nobody's."""

    def look():
        _, _, written, text = report(LOOP)
        blocked = {line["function"]: line for line in written["loops"]}
        assert {*blocked} <= {"sleeps", "numbers", "computes"}, text
        assert all({*line["tasks"]} <= {"bad 0", "bad 1"} for line in blocked.values()), text
        return blocked, text

    blocked, text = until(lambda found: {"sleeps", "numbers"} <= {*found[0]}, look)
    assert blocked["sleeps"]["threads"] == ["MainThread"] and blocked["sleeps"]["source"] == "time.sleep(0.12)"
    assert "Lines that blocked an event loop while other threads could run" in text


# ---- a server under load -------------------------------------------------------------------


@pytest.mark.slow
def test_a_service_and_the_handler_that_freezes_it(script, tmp_path, until):
    """uvicorn on loopback, clients in threads: two of its handlers hold the GIL for 200 ms, as its heart knows."""
    pytest.importorskip("uvicorn")
    script(
        HEART
        + """
    import asyncio, atexit, zlib
    from pycrust import threadable_sum_of_squares

    DATA = bytes(100_000)

    @atexit.register
    def tell():
        ended.append(True)
        beats.join()
        with open("stood.json", "w") as file:
            json.dump(sum(stood), file)

    async def page():
        await asyncio.sleep(0.001)
        return str(zlib.crc32(DATA))

    async def report():
        total = sum_of_squares(3 * 10**9)
        return str(total)

    async def export():
        return str(sum_of_squares(3 * 10**9))

    async def right():
        return str(await asyncio.to_thread(threadable_sum_of_squares, 3 * 10**9))

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        body = await {"/": page, "/report": report, "/export": export, "/right": right}[scope["path"]]()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body.encode()})
""",
        "service.py",
    )

    text = (tmp_path / "service.py").read_text().splitlines()
    expected = {
        (number, name)
        for name, line in (("report", "    total = sum_of"), ("export", "    return str(sum_of"))
        for number in [next(k for k, each in enumerate(text, 1) if each.startswith(line))]
    }

    def serve():
        """The lines of the service, all the report, and how much of what the heart knows is in it."""
        command = [sys.executable, "-m", "pycrust", "stalls", "--json", "out.json"]
        server = subprocess.Popen(
            [*command, "-m", "uvicorn", "service:app", "--port", "0", "--lifespan", "off", "--no-access-log"],
            cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            port = next(int(found[1]) for line in server.stderr if (found := re.search(r"127\.0\.0\.1:(\d+)", line)))
            load(port, [*["/"] * 100, "/report", "/right", "/report", "/export"])
            os.killpg(server.pid, signal.SIGINT)
            _, report = server.communicate(timeout=60)
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)
        written = json.loads((tmp_path / "out.json").read_text())
        told = [stall for stall in written["stalls"] if stall["label"] in ("held", "gc") and stall["stack"]]
        part = sum(stall["seconds"] + stall["missing"] for stall in told) / json.loads(
            (tmp_path / "stood.json").read_text()
        )
        mine = [line for line in written["lines"] if line["file"].endswith("service.py")]
        assert {(line["line"], line["function"]) for line in mine} <= expected, report
        return mine, report, part

    lines, report, _ = until(lambda found: len(found[0]) == 2 and found[2] >= 0.8, serve)
    assert all(f"service.py:{number} {name}" in report for number, name in expected), report
    for line in lines:
        assert 1 <= line["count"] <= 8 and line["threadable"] == "pycrust:sum_of_squares"


def load(port, paths, clients=4):
    """Ask for all the paths, in several threads at once."""
    import http.client

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for path in paths:
            connection.request("GET", path)
            answer = connection.getresponse()
            answers.append((answer.status, answer.read()))
        connection.close()

    answers = []
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers] == [200] * len(paths) * clients
