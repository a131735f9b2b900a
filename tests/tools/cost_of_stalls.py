"""
What `stalls` costs: a script, for a quiet machine.

Each work is done with the watch and without, in turns; it prints medians of the ratios, of the time that passes and of the
processor time of all threads, those of the watch included, which other work on the machine disturbs less. Switches are measured once more
while no core sleeps: to wake one takes longer than the switch itself, and the watch, too, wakes one each millisecond.
"""

import os
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, nullcontext

from pycrust.bench import stalls


def python_loop():
    total = 0
    for i in range(4_000_000):
        total += i * i % 7
    return total


def objects():
    for _ in range(100):
        [[i] for i in range(10_000)]


def calls():
    def f(x):
        return x

    for i in range(4_000_000):
        f(i)


def switches():
    """Two threads that hand each other a lock: every step is a switch of the GIL."""
    here, there = threading.Lock(), threading.Lock()
    there.acquire()

    def run(mine, other):
        for _ in range(20_000):
            mine.acquire()
            other.release()

    threads = [threading.Thread(target=run, args=pair) for pair in ((here, there), (there, here))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def two_loops():
    """Two threads of Python code, which take turns."""
    threads = [threading.Thread(target=python_loop) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def cores_awake():
    """On each core a process spins that runs when nothing else does."""
    spin = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
    spinning = [subprocess.Popen([sys.executable, "-c", spin]) for _ in os.sched_getaffinity(0)]
    try:
        time.sleep(0.2)  # till they do
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def seconds(work, watched):
    """What passes on the clock, and of processor time."""
    with stalls() if watched else nullcontext():
        start = time.perf_counter(), time.process_time()
        work()
        return time.perf_counter() - start[0], time.process_time() - start[1]


def compare(name, work, rounds):
    seconds(work, False)
    ratios, control = [], []
    for round_ in range(rounds):
        first, second, third = [seconds(work, watched) for watched in ORDERS[round_ % 2]]
        watched, plain, again = (second, first, third) if round_ % 2 else (first, second, third)
        ratios.append([watched[kind] / plain[kind] - 1 for kind in range(2)])
        control.append([again[kind] / plain[kind] - 1 for kind in range(2)])
    for kind, what in enumerate(("time", "processor time")):
        with_it, without = (statistics.median(each[kind] for each in every) for every in (ratios, control))
        print(
            f"{name:21} {with_it:+7.2%} {what} with the watch, {without:+7.2%} for the same without it once more",
            flush=True,
        )


ORDERS = ((True, False, False), (False, True, False))


def main(rounds):
    for work in python_loop, calls, objects, two_loops, switches:
        compare(work.__name__, work, rounds)
    with cores_awake():
        compare("switches, cores awake", switches, rounds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
