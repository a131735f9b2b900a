"""Threads: run the pieces of one job on several.

Why any split is safe: a piece reads its own part of the input and gives exact
sums, which are integers; adding them up gives the same bits in any order. The
pool lives for one call, so that no thread of ours is there when a process forks.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from operator import index
from pathlib import Path


def usable_cores() -> int:
    """Count the cores that this process may use: affinity and cgroup quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _cgroup_quota()
    return cores if quota is None else max(1, min(cores, quota))


def _cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Whole cores that the container's CPU quota allows, rounded up; None without one."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (root / "cpu" / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        return -(-int(quota) // int(period)) if int(quota) > 0 else None
    except ValueError:  # "max"
        return None


def count_workers(workers) -> int:
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


def run(task, pieces, workers):
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
