"""
Measure what threads gain, and whether a function lets them run.

The functions return results that show themselves as a table (in a terminal and
in Jupyter), draw themselves with ``.plot()`` and become JSON with ``.to_dict()``.
"""

from pycrust.bench.breakeven import BreakEven, break_even
from pycrust.bench.compare import Comparison, compare
from pycrust.bench.gil import GilTable, gil_table
from pycrust.bench.peers import Peers, compare_peers
from pycrust.bench.stalls import Stalls, stalls
from pycrust.bench.verdict import Threadable, assert_releases_gil, threadable

__all__ = [
    "BreakEven",
    "Comparison",
    "GilTable",
    "Peers",
    "Stalls",
    "Threadable",
    "assert_releases_gil",
    "break_even",
    "compare",
    "compare_peers",
    "gil_table",
    "stalls",
    "threadable",
]
