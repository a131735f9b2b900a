"""Threads: run the pieces of one job on several.

Why any split is safe: a piece reads its own part of the input and gives exact
sums, which are integers; adding them up gives the same bits in any order. The
pool lives for one call, so that no thread of ours is there when a process forks.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from operator import index
from typing import Any, SupportsIndex

from pycrust._cores import usable_cores


def count_workers(workers: SupportsIndex) -> int:
    """How many threads ``workers=`` asks for; negative numbers count from all usable cores."""
    count = index(workers)
    if count < 0:
        cores = usable_cores()
        if count < -cores:
            raise ValueError(f"workers = {count}: this process may use {cores} cores; pass 1 to {cores}, or -1 for all")
        count += cores + 1
    if count == 0:
        raise ValueError("workers = 0: pass 1 for none beside the caller's thread, k for k threads, -1 for all cores")
    return count


def run_all(task: Callable[..., Any], pieces: Sequence[tuple[Any, ...]], workers: int) -> Iterator[Any]:
    """Yield task(*piece) for each piece, in any order; the caller's thread is one of the workers."""
    if workers == 1 or len(pieces) < 2:
        for piece in pieces:
            yield task(*piece)
        return
    helpers = min(workers, len(pieces)) - 1
    waiting: deque[tuple[tuple[Any, ...], Future[Any]]] = deque()
    pool = ThreadPoolExecutor(helpers, thread_name_prefix="pycrust")
    try:
        for piece in pieces:
            if len(waiting) < 2 * helpers:
                try:
                    waiting.append((piece, pool.submit(task, *piece)))
                    continue
                except RuntimeError:  # no (further) thread to be had
                    helpers = 0
            yield task(*piece)
            while waiting and waiting[0][1].done():
                yield waiting.popleft()[1].result()
        while waiting:  # what no thread has taken up yet, this one does
            piece, future = waiting.popleft()
            yield task(*piece) if future.cancel() else future.result()
    finally:
        pool.shutdown(cancel_futures=True)
