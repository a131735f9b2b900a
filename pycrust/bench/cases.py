"""Arrays of the shapes that people reduce along one axis, with NaN, by groups, in batches and in pairs: what `compare_peers` times beside whole arrays."""

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

import pycrust

Array = np.ndarray[Any, Any]
BLOCK = (1009, 101)  # numbers in each column, and columns: the array repeats them


@dataclass(frozen=True)
class Case:
    """
    An array to be reduced along one axis.

    Attributes
    ----------
    name : str
    shape : tuple of int
        At most: `within` makes it smaller, except for the axis that is reduced.
    axis : int
        The first or the last.
    dtype : str
    operations : tuple of str
        Names of functions of pycrust; of those of `nan` those that it has.
    nan : float
        Which part of the numbers is NaN.
    window : int
        Of the functions whose windows move along the axis; of one-dimensional arrays.
    """

    name: str
    shape: tuple[int, ...]
    axis: int
    dtype: str
    operations: tuple[str, ...]
    nan: float = 0.0
    window: int = 0

    @property
    def depth(self) -> int:
        return self.shape[self.axis]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize

    def within(self, largest: int) -> "Case":
        """The same with no more than this many elements, or with one result."""
        others = len(self.shape) - 1
        if not others:
            shape: tuple[int, ...] = (min(self.depth, largest),)
        else:
            side = max(1, math.floor((largest / self.depth) ** (1 / others)))
            shape = tuple(size if k == self.axis else min(size, side) for k, size in enumerate(self.shape))
        return replace(self, shape=shape)

    def block(self) -> Array:
        """Numbers, each column of which is reduced to one result; it repeats along both axes."""
        rng = np.random.default_rng(2024)
        shape = min(BLOCK[0], self.depth), min(BLOCK[1], self.size // self.depth)
        if np.dtype(self.dtype).kind == "f":
            x = rng.standard_normal(shape).astype(self.dtype)
        else:
            limits = np.iinfo(np.dtype(self.dtype))
            x = rng.integers(limits.min, limits.max, shape, dtype=self.dtype, endpoint=True)
        if self.nan:
            x[rng.random(shape) < self.nan] = np.nan
        return x

    def array(self, block: Array) -> Array:
        """The C-contiguous array."""
        columns = block[np.arange(self.depth) % len(block)]
        columns = columns[:, np.arange(self.size // self.depth) % block.shape[1]]
        return np.ascontiguousarray(columns.T if self.axis else columns).reshape(self.shape)

    def in_words(self) -> str:
        sizes = " × ".join(short(size) for size in self.shape)
        return f"{self.name}, {sizes}" + f", axis={self.axis}" * (len(self.shape) > 1)


SHORT_AXES = (
    Case("points", (10**6, 3), 1, "float64", ("norm", "mean", "var")),
    Case("points", (10**6, 3), 1, "float32", ("norm",)),
    Case("pixels", (1000, 1000, 3), 2, "uint8", ("mean", "var")),
    Case("frames", (10, 10**6), 0, "float64", ("mean", "std")),
    Case("coordinates", (3, 10**6), 0, "float64", ("sum",)),
)
WITHOUT_NAN = (
    Case("10 % NaN", (10**6,), 0, "float64", ("nanmean", "nanstd"), nan=0.1),
    Case("no NaN", (10**6,), 0, "float64", ("nanmean", "nanstd")),
    Case("10 % NaN", (12, 10**5), 0, "float64", ("nanmean", "nanstd"), nan=0.1),
)

GROUPS = (
    Case("rows of labelled numbers", (10**5, 10), 0, "float64", ("group_sum", "group_mean", "group_var")),
    Case("rows of labelled numbers", (10**3, 1000), 0, "float64", ("group_sum", "group_mean", "group_var")),
    Case("labels in order", (10**5, 10), 1, "float64", ("group_sum", "group_mean", "group_var")),
)


def by_labels(function: Callable[[Array, Array], Any], axis: int) -> Callable[[Array], Any]:
    """A function of numbers and of the label of each, of all numbers of an array: what is left of it are the labels."""
    labels: dict[tuple[int, ...], Array] = {}

    def call(x: Array) -> Any:
        if x.shape not in labels:
            labels[x.shape] = np.indices(x.shape)[1 - axis].reshape(-1)
        return function(x.reshape(-1), labels[x.shape])

    return call


def functions_of_groups(operation: str, axis: int) -> Iterator[tuple[str, Callable[[Array], Any]]]:
    """The functions that compute it for each label, pycrust's first."""
    yield f"pycrust.{operation}", by_labels(getattr(pycrust, operation), axis)
    method = operation.removeprefix("group_")
    ddof = {"ddof": 0} if method == "var" else {}
    if method == "sum":
        yield "np.bincount", by_labels(lambda x, labels: np.bincount(labels, x), axis)
    if method == "sum" and axis == 1:  # labels in order
        yield "np.add.reduceat", lambda x: np.add.reduceat(x.reshape(-1), np.arange(0, x.size, x.shape[1]))
    try:
        series = import_module("pandas").Series
        yield (
            f"pandas groupby.{method}",
            by_labels(lambda x, labels: getattr(series(x).groupby(labels), method)(**ddof).to_numpy(), axis),
        )
    except ImportError:
        pass
    try:
        polars = import_module("polars")
        column = getattr(polars.col("x"), method)(**ddof)

        def of_polars(x: Array, labels: Array) -> Any:
            return polars.DataFrame({"x": x, "k": labels}).group_by("k").agg(column).sort("k")["x"].to_numpy()

        yield f"polars: group_by, {method}", by_labels(of_polars, axis)
    except ImportError:
        pass
    try:
        aggregate = import_module("numpy_groupies").aggregate
        yield f"numpy_groupies.aggregate: {method}", by_labels(lambda x, labels: aggregate(labels, x, method), axis)
    except ImportError:
        pass
    try:
        of_numbagg = partial(getattr(import_module("numbagg"), f"group_nan{method}"), **ddof)
        yield f"numbagg.group_nan{method}", by_labels(of_numbagg, axis)
    except (ImportError, AttributeError):
        pass


BATCHES = (Case("ten batches of features", (1000, 512), 0, "float64", ("Accumulator",)),)


def functions_of_batches() -> Iterator[tuple[str, Callable[[Array], Any]]]:
    """The functions that take an array batch by batch, and then have the variances, pycrust's first."""

    def by_accumulator(x: Array) -> Any:
        total = pycrust.Accumulator(shape=x.shape[1:])
        for batch in np.array_split(x, 10):
            total.update(batch, axis=0)
        return total.var()

    yield "pycrust.Accumulator(shape=…)", by_accumulator
    try:
        scaler = import_module("sklearn.preprocessing").StandardScaler

        def by_scaler(x: Array) -> Any:
            total = scaler()
            for batch in np.array_split(x, 10):
                total.partial_fit(batch)
            return total.var_

        yield "StandardScaler.partial_fit", by_scaler
    except ImportError:
        pass


WINDOWS = (
    Case("windows of 10", (10**6,), 0, "float64", ("move_mean",), window=10),
    Case("windows of 1000", (10**6,), 0, "float64", ("move_mean", "move_std"), window=1000),
)


def moving_functions(operation: str, window: int) -> Iterator[tuple[str, Callable[[Array], Any]]]:
    """The functions that compute it for each window of an array, pycrust's first."""
    yield f"pycrust.{operation}", partial(getattr(pycrust, operation), window=window)
    name = operation.removeprefix("move_")
    ddof = {"ddof": 0} if name in ("var", "std") else {}
    for module in "bottleneck", "numbagg":
        options = ddof if module == "bottleneck" else {}
        try:
            yield f"{module}.{operation}", partial(getattr(import_module(module), operation), window=window, **options)
        except (ImportError, AttributeError):
            pass
    try:
        series = import_module("pandas").Series
        yield f"pandas: rolling.{name}", lambda x: getattr(series(x).rolling(window), name)(**ddof).to_numpy()
    except ImportError:
        pass
    try:
        column = import_module("polars").Series
        yield f"polars: rolling_{name}", lambda x: getattr(column(x), f"rolling_{name}")(window, **ddof).to_numpy()
    except ImportError:
        pass


# Each array with another: itself in reverse.
PAIRS = (
    Case("two arrays", (10**5,), 0, "float64", ("dot", "average", "cov", "corrcoef")),
    Case("two arrays", (10**5,), 0, "int16", ("dot",)),
    Case("two arrays of rows", (10**5, 3), 1, "float64", ("vecdot",)),
    Case("two arrays of rows", (10**5, 16), 1, "float64", ("vecdot",)),
)
OF_PAIRS = {"dot": "sumsq", "vecdot": "sumsq", "average": "mean", "cov": "var", "corrcoef": "var"}
"""Functions of two arrays, and what they give for an array and itself, or for weights of one."""


def reverse(x: Array) -> Array:
    """The second array of a pair."""
    return np.ascontiguousarray(x[::-1])


def with_reverse(function: Callable[[Any, Any], Any], of_lists: bool = False) -> Callable[[Array], Any]:
    """A function of two arrays, or lists of their numbers, as one of the first; it makes the others when first called."""
    pairs: dict[tuple[int, ...], tuple[Any, Any]] = {}

    def call(x: Array) -> Any:
        if x.shape not in pairs:
            y = reverse(x)
            pairs[x.shape] = (x.tolist(), y.tolist()) if of_lists else (x, y)
        return function(*pairs[x.shape])

    return call


def of_positive_weights(average: Callable[..., Any], x: Array, y: Array) -> Any:
    return average(x, weights=np.abs(y))


def between(matrix: Callable[..., Any], x: Array, y: Array) -> Any:
    """The entry of both in their covariances or correlations."""
    return matrix(x, y)[0, 1]


def functions_of_pairs(operation: str) -> Iterator[tuple[str, Callable[[Array], Any]]]:
    """The functions that compute it for an array and its reverse, pycrust's first."""
    for module in pycrust, np:
        function = getattr(module, operation, None)
        if function is None:  # np.vecdot came with NumPy 2.0
            continue
        if operation == "average":
            call = with_reverse(partial(of_positive_weights, function))
        elif operation in ("cov", "corrcoef"):
            call = with_reverse(partial(between, function))
        else:
            call = with_reverse(function)
        yield f"{'np' if module is np else 'pycrust'}.{operation}", call
    if operation == "corrcoef":
        yield "statistics.correlation", with_reverse(statistics.correlation, of_lists=True)
        try:
            pearsonr = import_module("scipy.stats").pearsonr
            yield "scipy.stats.pearsonr", with_reverse(lambda x, y: pearsonr(x, y).statistic)
        except ImportError:
            pass
    try:
        bitrep = import_module("bitrep")
    except ImportError:
        return
    if operation == "dot":
        yield "bitrep.dot", with_reverse(bitrep.dot)
    elif operation == "corrcoef":

        def correlation(x: list[Any], y: list[Any]) -> Any:
            pairs = bitrep.CovF64()
            for pair in zip(x, y, strict=True):
                pairs.add(*pair)
            return pairs.correlation()

        yield "bitrep.CovF64: correlation", with_reverse(correlation, of_lists=True)


def functions(operation: str, axis: int) -> Iterator[tuple[str, Callable[[Array], Any]]]:
    """The functions that compute it along an axis, pycrust's first; nothing if pycrust has none."""
    if not hasattr(pycrust, operation):
        return
    if operation.startswith("group_"):
        yield from functions_of_groups(operation, axis)
        return
    if operation == "Accumulator":
        yield from functions_of_batches()
        return
    if operation in OF_PAIRS:
        yield from functions_of_pairs(operation)
        return
    yield f"pycrust.{operation}", partial(getattr(pycrust, operation), axis=axis)
    numpy = "linalg.norm" if operation == "norm" else operation
    yield f"np.{numpy}", partial(np.linalg.norm if operation == "norm" else getattr(np, operation), axis=axis)
    name = "nan" + operation.removeprefix("nan")
    for module, options in ("bottleneck", {}), ("numbagg", {"ddof": 0} if name in ("nanvar", "nanstd") else {}):
        try:
            yield f"{module}.{name}", partial(getattr(import_module(module), name), axis=axis, **options)
        except (ImportError, AttributeError):
            pass


def short(size: int) -> str:
    """10, 1000, 10⁶."""
    exponent = round(math.log10(size))
    if size < 10_000 or size != 10**exponent:
        return str(size)
    return "10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
