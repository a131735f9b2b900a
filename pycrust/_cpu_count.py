"""How many cores this process may use: CPU affinity and cgroup quota, not what is in the box."""

import math
import os
from pathlib import Path


def usable_cores() -> int:
    """Cores that threads of this process can keep busy at once; at least 1."""
    quota = cgroup_quota()
    allowed = affinity()
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def affinity() -> int:
    """CPUs that this process may be scheduled on."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13: also knows -X cpu_count
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cgroup_quota(root: Path = Path("/")) -> float | None:
    """The smallest CPU quota of this process's cgroups, in cores; None without one (or without Linux)."""
    try:
        groups = os.fsdecode((root / "proc/self/cgroup").read_bytes())  # a path may be any bytes but a newline
    except OSError:
        return None
    quotas = []
    for group in filter(None, groups.split("\n")):
        _, controllers, path = group.split(":", 2)
        mount, quota_of = ("sys/fs/cgroup", _quota_v2) if not controllers else ("sys/fs/cgroup/cpu", _quota_v1)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # A parent's quota binds its children too. Inside a container the path
        # may be the host's and not be there: then the mount's own top counts.
        inner = Path(path.lstrip("/"))
        for folder in [inner, *inner.parents]:
            quota = quota_of(root / mount / folder)
            if quota is not None:
                quotas.append(quota)
    return min(quotas, default=None)


def _quota_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return None if quota <= 0 else quota / period
