"""The machine and the interpreter of a measurement."""

import os
import platform
import re
import sys
import sysconfig
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pycrust
from pycrust._cpu_count import affinity, cgroup_quota, usable_cores


def gil_enabled() -> bool:
    """Whether the GIL is enabled in this interpreter at the moment."""
    return getattr(sys, "_is_gil_enabled", lambda: True)()


def free_threaded_build() -> bool:
    """Whether this interpreter was built to run without a GIL."""
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


@dataclass(frozen=True)
class Machine:
    """Where a measurement was made."""

    python: str
    free_threaded_build: bool
    gil_enabled: bool
    cores: int
    affinity: int
    quota: float | None
    load: float | None
    cpu: str
    system: str
    simd: str
    pycrust: str
    numpy: str

    @classmethod
    def this(cls) -> "Machine":
        return cls(
            python=f"{platform.python_implementation()} {platform.python_version()}",
            free_threaded_build=free_threaded_build(),
            gil_enabled=gil_enabled(),
            cores=usable_cores(),
            affinity=affinity(),
            quota=cgroup_quota(),
            load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            cpu=cpu_name(),
            system=f"{platform.system()} {platform.machine()}",
            simd=pycrust.simd(),
            pycrust=pycrust.__version__,
            numpy=np.__version__,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def gil(self) -> str:
        if self.free_threaded_build:
            return "free-threaded build, GIL " + ("turned on again" if self.gil_enabled else "off")
        return "GIL on"

    @property
    def cores_in_words(self) -> str:
        words = f"{self.cores} usable core{'s' * (self.cores != 1)}"
        if self.quota is not None:
            words += f" ({self.affinity} by affinity, cgroup quota {self.quota:g})"
        elif self.affinity != (os.cpu_count() or 1):
            words += f" ({os.cpu_count()} in the machine)"
        return words

    def lines(self) -> list[str]:
        """Two lines for the head of a table."""
        return [
            f"{self.python}, {self.gil} · {self.cores_in_words} · SIMD {self.simd}",
            f"{self.cpu}, {self.system} · pycrust {self.pycrust}, NumPy {self.numpy}",
        ]

    def warnings(self) -> list[str]:
        """What makes measurements on this machine doubtful."""
        warnings = []
        if self.load is not None and self.load > self.cores / 2:
            warnings.append(f"other processes are running (load average {self.load:.1f} at the start): expect noise")
        if self.free_threaded_build and self.gil_enabled:
            warnings.append("an imported module turned the GIL on again: this is not a free-threaded run")
        return warnings


def cpu_name() -> str:
    """The CPU's name as the system gives it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or "unknown CPU"
