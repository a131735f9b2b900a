"""
Measure what threads gain, and whether a function lets them run.

The functions return results that show themselves as a table (in a terminal and
in Jupyter), draw themselves with ``.plot()`` and become JSON with ``.to_dict()``.
"""

from pycrust.bench.gil import GilTable, gil_table
from pycrust.bench.verdict import Threadable, assert_releases_gil, threadable

__all__ = ["GilTable", "Threadable", "assert_releases_gil", "gil_table", "threadable"]
