"""pycrust: sums you can thread, and trust."""

from typing import TYPE_CHECKING

try:
    from pycrust._accumulator import Accumulator
    from pycrust._core import simd
    from pycrust._groups import group_count, group_mean, group_std, group_sum, group_sumsq, group_var
    from pycrust._moving import cumsum, move_mean, move_std, move_sum, move_var
    from pycrust._pairs import PairAccumulator, average, corrcoef, cov, dot, mse, sse, vecdot
    from pycrust._range import (
        sum_of_squares,
        sum_of_squares_batch,
        threadable_sum_of_squares,
    )
    from pycrust._reductions import mean, nanmean, nanstd, nansum, nanvar, norm, rms, std, sum, sumsq, var
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("pycrust."):
        raise
    raise ImportError(
        f"{error.name} is not built for this Python in {__path__[0]}. In a checkout, `pip install -e .` builds it "
        "there; a pycrust that is installed elsewhere is found from any other folder."
    ) from None

__version__ = "0.1.0"


def get_include() -> str:
    """
    Return the folder of the C headers, for extension modules that call pycrust.

    Returns
    -------
    str
        Add it to the include directories; it holds ``pycrust_capi.h``. Cython modules ``cimport pycrust.capi``.

    Examples
    --------
    >>> import os, pycrust
    >>> "pycrust_capi.h" in os.listdir(pycrust.get_include())
    True
    """
    from pathlib import Path

    return str(Path(__file__).with_name("include"))


__all__ = [
    "Accumulator",
    "PairAccumulator",
    "average",
    "corrcoef",
    "cov",
    "cumsum",
    "dot",
    "get_include",
    "group_count",
    "group_mean",
    "group_std",
    "group_sum",
    "group_sumsq",
    "group_var",
    "mean",
    "move_mean",
    "move_std",
    "move_sum",
    "move_var",
    "mse",
    "nanmean",
    "nanstd",
    "nansum",
    "nanvar",
    "norm",
    "rms",
    "simd",
    "sse",
    "std",
    "sum",
    "sum_of_squares",
    "sum_of_squares_batch",
    "sumsq",
    "threadable_sum_of_squares",
    "var",
    "vecdot",
]

# Imported on first use: they need more than NumPy.
if TYPE_CHECKING:
    from pycrust import bench as bench
    from pycrust import dask as dask
else:
    _LATER = ("bench", "dask")

    def __getattr__(name):
        if name not in _LATER:
            raise AttributeError(f"module 'pycrust' has no attribute {name!r}")
        from importlib import import_module

        try:
            return import_module(f"pycrust.{name}")
        except ImportError as error:  # so that hasattr and dir work where dask is missing
            raise AttributeError(str(error)) from error

    def __dir__():
        return sorted({*globals(), *_LATER})
