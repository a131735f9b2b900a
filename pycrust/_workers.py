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
    """Yield task(*piece) for each piece, in order; few are under way at a time."""
    if workers == 1 or len(pieces) < 2:
        for piece in pieces:
            yield task(*piece)
        return
    pool = ThreadPoolExecutor(min(workers, len(pieces)), thread_name_prefix="pycrust")
    alone = False
    waiting: deque[tuple[tuple[Any, ...], Future[Any]]] = deque()
    try:
        for piece in pieces:
            if not alone:
                try:
                    waiting.append((piece, pool.submit(task, *piece)))
                except RuntimeError:  # no (further) thread to be had
                    alone = True
            while waiting and (alone or len(waiting) > 2 * workers):
                yield _result(task, alone, *waiting.popleft())
            if alone:
                yield task(*piece)
        while waiting:
            yield _result(task, alone, *waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _result(task: Callable[..., Any], alone: bool, piece: tuple[Any, ...], future: Future[Any]) -> Any:
    """What a thread made of a piece; where none may have taken it up, do it here."""
    return task(*piece) if alone and future.cancel() else future.result()
