"""Typical use of pycrust.bench, as `mypy --strict` must see it. Never run."""

import time
from typing import Any, assert_type

import numpy as np

import pycrust
from pycrust.bench import Comparison, GilTable, Threadable, assert_releases_gil, compare, gil_table, threadable

table = gil_table(1000, (1, 2), rounds=3)
assert_type(table, GilTable)
assert_type(table.to_dict(), dict[str, Any])
table.save_json("table.json")
table.save_plot("table.png")

verdict = threadable(time.sleep, 0.01, threads=())
assert_type(verdict, Threadable)
text: str = verdict.verdict
threadable(np.sort, factory=lambda: (np.arange(10)[::-1],), threads=[1, 2])
threadable(np.sort, np.arange(10), kind="stable")
threadable("numpy:sort")  # type: ignore[arg-type]
assert_releases_gil(sorted, range(10))

comparison = compare(table.to_dict(), table.to_dict())
assert_type(comparison, Comparison)
assert_type(comparison.worse, bool)
assert_type([change.ratio for change in comparison.slower], list[float])
compare("old.json", "new.json")  # type: ignore[arg-type]

assert_type(pycrust.bench.gil_table(1000), GilTable)
pycrust.bench.nothing()  # type: ignore[attr-defined]
pycrust.nothing()  # type: ignore[attr-defined]
