"""Threads: run the pieces of one job on several.

Why any split is safe: a piece reads its own part of the input and gives exact
sums, which are integers; adding them up gives the same bits in any order. The
pool lives for one call, so that no thread of ours is there when a process forks.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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


def run(task: Callable[..., Any], pieces: Sequence[tuple[Any, ...]], workers: int) -> Iterator[Any]:
    """Yield task(*piece) for each piece, in order."""
    if workers == 1 or len(pieces) < 2:
        for piece in pieces:
            yield task(*piece)
        return
    pool = ThreadPoolExecutor(min(workers, len(pieces)), thread_name_prefix="pycrust")
    try:
        try:
            futures = [pool.submit(task, *piece) for piece in pieces]
        except RuntimeError:  # no thread to be had: this one does it all
            pool.shutdown(cancel_futures=True)
            for piece in pieces:
                yield task(*piece)
            return
        for future in futures:
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
