"""
What the containers of other packages hold: their plain values, exactly, and which of these are missing.

Only this module knows how each kind of container keeps a mask, nulls, a unit, or columns of several dtypes. No package
is imported: a container is recognized by the package that defines its class, or a base of it.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.ma import MaskedArray


class Words(NamedTuple):
    """What to advise about missing values of one kind; {} stands for the container."""

    kind: str
    present: str  # where= that leaves out what is missing
    filled: str  # where= itself, with False for what is missing
    dropped: str  # the present elements alone


MASKED = Words("masked arrays", "~np.ma.getmaskarray({})", "{}.filled(False)", "{0}.compressed() or {0}.filled(0)")
ASTROPY = Words("masked elements", "~{}.mask", "{}.filled(False)", "{0}.unmasked[~{0}.mask]")
PANDAS = Words("NA of pandas", "~{}.isna()", "{}.fillna(False)", "{}.dropna()")
ARROW = Words("nulls of Arrow", "{}.is_valid()", "{}.fill_null(False)", "{}.drop_null()")
POLARS = Words("nulls of polars", "{}.is_not_null()", "{}.fill_null(False)", "{}.drop_nulls()")


class Missing(NamedTuple):
    """Which elements of a container are missing."""

    at: npt.NDArray[np.bool_]
    words: Words
    container: str  # as an expression in the caller's code
    column: str = ""  # where the columns have to be passed one by one: an expression for the first

    def error(self, argument: str, item: str = "") -> TypeError:
        """
        The error for the argument, with what to do instead; `item` is its expression if it is an item of a list.

        Of what takes no where=, `argument` is "ns", "cumsum" or "cov".
        """
        if self.column:
            return TypeError(
                f"{self.container} has missing values ({self.words.kind}): pass its columns one by one, "
                f"x = {self.column} with where={self.words.present.format('x')}"
            )
        present, filled, dropped = (each.format(self.container) for each in self.words[1:])
        if self.words is MASKED and item and self.at.ndim == 0:
            filled = "False"
        if item and argument == "where":
            instead = f"put {filled} in the place of {item}"
        elif item and argument == "ns" and self.at.ndim == 0:
            instead = f"leave out {item}, or put 0 in its place"
        elif item and argument == "ns":
            instead = f"put {dropped} in the place of {item}"
        elif item and argument not in ("a", "values"):
            instead = f"leave out, of each array, what lies where {item} is missing"
        elif item:
            instead = f"add the items to a pycrust.Accumulator one by one, with update({item}, where={present})"
        elif argument == "where":
            instead = f"pass where={filled}"
        elif argument in ("ns", "cumsum"):
            instead = f"pass {dropped}"
        elif argument == "cov":
            instead = (
                f"leave out, of each array, what lies where {self.container} is missing; for two variables "
                f"pycrust.PairAccumulator(x, y, where={present}) does so"
            )
        else:
            instead = f"pass where={present}"
        if self.words is not MASKED:
            return TypeError(f"{self.container} has missing values ({self.words.kind}): {instead}")
        if argument == "a" and not item:
            instead += " (for dask: da.ma.getdata(a), where=~da.ma.getmaskarray(a))"
        return TypeError(f"masked arrays are not taken, since the mask would be lost: {instead}")


Contents: TypeAlias = tuple[Any, Missing | None]


def contents(a: Any, name: str) -> Contents:
    """
    An ndarray of what `a` holds, and what of it is missing, where the ndarray has any values.

    No array is copied, and nothing lazy is computed. What cannot be converted without loss raises a TypeError, in which
    `name` is the expression for `a`.
    """
    graph = getattr(type(a), "__dask_graph__", None)
    if graph is not None and graph(a) is not None:
        instead = f"pass {name}.compute()"
        if hasattr(type(a), "__array__"):  # arrays, series, frames
            instead += (
                ", or call the function of pycrust.dask if there is one of that name; else add the blocks one by one to "
                "an Accumulator or PairAccumulator"
            )
        raise TypeError(f"{name} is a lazy {type(a).__name__} of dask: {instead}")
    for base in type(a).__mro__:
        read = READERS.get(package(base))
        if read is not None:
            return read(a, name)
    return of_array(a, name)


def package(cls: type) -> str:
    return cls.__module__.partition(".")[0]


def is_array_like(a: Any) -> bool:
    """Whether `contents` knows its kind, or NumPy makes an array of it as a whole rather than item by item."""
    if isinstance(a, (str, bytes)):
        return False
    cls = type(a)
    if any(hasattr(cls, each) for each in ("__array__", "__dask_graph__", "unit", "units")):
        return True
    if any(hasattr(a, each) for each in ("__array_interface__", "__array_struct__")):
        return True
    if hasattr(cls, "__len__") and any(package(base) in READERS for base in cls.__mro__):
        return True
    try:
        memoryview(a).release()
    except (TypeError, ValueError, BufferError):
        return False
    return True


def is_sequence(a: Any) -> bool:
    """Whether NumPy makes an array of it item by item: of lists, tuples, and what else has a length and items."""
    if isinstance(a, (list, tuple)):
        return True
    cls = type(a)
    if not (hasattr(cls, "__len__") and hasattr(cls, "__getitem__")):
        return False
    if isinstance(a, (str, bytes, np.ndarray, Mapping)) or is_array_like(a):
        return False
    try:
        len(a)
    except TypeError:  # of scipy's sparse arrays
        return False
    return True


# ---- one array ----------------------------------------------------------------


def of_array(a: Any, name: str) -> Contents:
    """For a NumPy array, an instance of a subclass, or whatever converts to one."""
    refuse_unit(a, name)
    if not isinstance(a, np.ndarray):
        array = np.asanyarray(a)
        return (array, None) if type(array) is np.ndarray else contents(array, f"np.asanyarray({name})")
    if isinstance(a, MaskedArray):
        at = np.ma.getmaskarray(a)
        # A structured mask, with one bool for each field, is ignored: such dtypes are refused later.
        return np.asarray(a), Missing(at, MASKED, name) if at.dtype == np.bool_ else None
    unmasked = getattr(a, "unmasked", None)  # of astropy; np.asarray would drop the mask
    if unmasked is None:
        return np.asarray(a), None
    return np.asarray(unmasked), Missing(np.broadcast_to(a.mask, a.shape), ASTROPY, name)  # type: ignore[attr-defined]


def refuse_unit(a: Any, name: str) -> None:
    """Refuse quantities of astropy, pint and unyt."""
    for attribute in ("unit", "units"):
        unit = getattr(a, attribute, None) if hasattr(type(a), attribute) else None
        if unit is not None and str(unit) not in ("", "dimensionless"):
            value = next((each for each in ("value", "magnitude", "data") if hasattr(a, each)), "value")
            raise TypeError(f"{name} has the unit {unit}, which the result would not have: pass {name}.{value}")


def of_pandas(a: Any, name: str) -> Contents:
    if hasattr(type(a), "agg") and not hasattr(type(a), "__array__"):  # as made by groupby, resample
        instead = f"use {name}.agg with a function of pycrust for each group"
        if not hasattr(type(a), "apply"):  # nor takes its agg any function: ewm, rolling with a win_type
            instead = "use pycrust.average, with weights, of each window"
        raise TypeError(f"{name} is a {type(a).__name__}: {instead}")
    if hasattr(type(a), "columns"):  # a Series has attributes by its labels
        return of_frame(a, name)
    dtype = getattr(a, "dtype", None)
    if dtype is None or isinstance(dtype, np.dtype) or is_numpys(dtype):  # with NaN, but no NA
        return np.asarray(a), None
    array = getattr(a, "array", a)
    if hasattr(dtype, "units"):
        raise TypeError(f"{name} has the unit {dtype.units}, which the result would not have: pass its numbers alone")
    if hasattr(dtype, "pyarrow_dtype"):
        values, missing = of_arrow(array.__arrow_array__(), f"pyarrow.array({name})")
        if missing is not None and np.array_equal(missing.at, array.isna()):
            missing = missing._replace(words=PANDAS, container=name)
        return values, missing
    at = array.isna()
    if not at.any() or hasattr(dtype, "subtype"):  # sparse, with NaN but no NA
        return np.asarray(array, dtype=getattr(dtype, "numpy_dtype", None)), None
    missing = Missing(at, PANDAS, name)
    if hasattr(dtype, "numpy_dtype"):
        return array.to_numpy(dtype=dtype.numpy_dtype, na_value=0), missing
    if dtype.name == "category":
        categories = np.asarray(array.categories)
        return np.append(categories, np.zeros(1, categories.dtype))[array.codes], missing  # -1: missing
    return np.asarray(array), missing


def is_numpys(dtype: Any) -> bool:
    """Whether it is that of a NumpyExtensionArray."""
    return hasattr(dtype, "numpy_dtype") and bool(dtype.name == dtype.numpy_dtype.name)


def of_arrow(a: Any, name: str) -> Contents:
    if hasattr(type(a), "columns"):
        columns = {f"{name}.column({k})": column for k, column in enumerate(a.columns)}
        return of_columns(a, columns, a.column_names, name, f"{name}.select(['x', 'y'])")
    if not hasattr(a, "null_count"):  # scalars, buffers, tensors
        return np.asarray(a), None
    a, name = decoded(a, name)
    kind = str(a.type)
    if not a.null_count or not kind.startswith(("bool", "int", "uint", "half", "float", "double")):
        return np.asarray(a), None  # what holds no numbers is refused, with nulls or without
    missing = Missing(~np.asarray(a.is_valid()), ARROW, name)
    return np.asarray(a.fill_null(False if kind == "bool" else 0)), missing


def decoded(a: Any, name: str) -> tuple[Any, str]:
    """
    An array without dictionary, runs or extension type, of the null type as floats, and the expression for it.

    Theirs may have nulls among the values that null_count does not count, nor is_valid of a dictionary know of.
    """
    if str(a.type) == "null":
        return a.cast("float64"), name
    if hasattr(a.type, "index_type"):
        return decoded(a.cast(a.type.value_type), f"{name}.cast({name}.type.value_type)")
    if hasattr(a.type, "run_end_type"):
        return decoded(import_module("pyarrow.compute").run_end_decode(a), f"pyarrow.compute.run_end_decode({name})")
    if str(a.type) == "extension<arrow.bool8>":
        return a.cast("bool"), f"{name}.cast('bool')"
    if hasattr(a.type, "storage_type"):
        return decoded(a.cast(a.type.storage_type), f"{name}.cast({name}.type.storage_type)")
    return a, name


def of_polars(a: Any, name: str) -> Contents:
    if hasattr(type(a), "collect"):
        raise TypeError(f"{name} is a lazy {type(a).__name__} of polars: pass {name}.collect()")
    if hasattr(type(a), "columns"):
        columns = {f"{name}[{column.name!r}]": column for column in a.get_columns()}
        return of_columns(a, columns, a.columns, name, f"{name}.select(polars.selectors.numeric())")
    if not hasattr(type(a), "dtype"):  # expressions, what group_by makes
        raise TypeError(
            f"{name} is a {type(a).__name__} of polars, which holds no numbers: pass a Series or a DataFrame, of an "
            f"expression e.g. df.select({name}).to_series()"
        )
    if hasattr(a.dtype, "fields"):  # NumPy would make floats, or objects, of all of them
        field = next(iter(a.struct.fields), "x")
        raise TypeError(f"{name} holds structs: pass one field at a time, e.g. {name}.struct.field({field!r})")
    if hasattr(a.dtype, "shape"):
        return of_polars_arrays(a, name)
    kind = str(a.dtype)
    missing = None
    if a.null_count():
        missing = Missing(np.asarray(a.is_null()), POLARS, name)
        if kind == "Boolean" or a.dtype.is_numeric():
            a = a.fill_null(strategy="zero")
    if kind in ("Int128", "UInt128"):  # which NumPy lacks
        return np.array(a.to_list(), dtype=object), missing
    return np.asarray(a), missing


def of_polars_arrays(a: Any, name: str) -> Contents:
    """A Series of arrays: null_count does not count the nulls within, and NumPy would make floats of all for them."""
    flat = "{}.reshape((-1,))"
    values, missing = of_polars(a.reshape((-1,)), flat.format(name))
    shape = (len(a), *a.dtype.shape)
    if missing is not None:
        kind, *ways = missing.words
        present, filled, dropped = (each.format(flat) for each in ways)
        back = f".reshape({(-1, *a.dtype.shape)})"
        missing = Missing(missing.at.reshape(shape), Words(kind, present + back, filled + back, dropped), name)
    return values.reshape(shape), missing


def of_xarray(a: Any, name: str) -> Contents:
    if not hasattr(type(a), "data"):  # a Dataset has attributes by its variables
        raise TypeError(
            f"{name} is a {type(a).__name__}: pass one of its arrays, or use {name}.reduce with a function of pycrust"
        )
    return contents(a.data, f"{name}.data")


def refuse_other_dims(a: Any, where: Any) -> None:
    """Refuse a DataArray as `where`, which applies by position, unless its dimensions are the last ones of `a`."""
    if not all(package(type(each)) == "xarray" and hasattr(each, "dims") for each in (a, where)):
        return
    has, wanted = tuple(where.dims), tuple(a.dims)
    if has == wanted[len(wanted) - len(has) :]:
        return
    instead = "where.transpose(*a.dims)" if set(has) == set(wanted) else "where.broadcast_like(a)"
    if not set(has) <= set(wanted):
        instead = "one with dimensions of a"
    raise TypeError(f"where has the dimensions {has} and a has {wanted}: where applies by position; pass {instead}")


def of_torch(a: Any, name: str) -> Contents:
    if a.requires_grad:
        raise TypeError(f"{name} requires a gradient, which would be lost: pass {name}.detach()")
    if a.device.type != "cpu":
        raise TypeError(f"{name} is on the device {a.device}: pass {name}.cpu()")
    dtype = str(a.dtype).removeprefix("torch.")
    if dtype.startswith(("bfloat16", "float8")):  # which NumPy lacks; float32 holds their numbers
        a = a.float()
    elif dtype == "complex32":
        a = a.cfloat()
    try:
        return np.asarray(a.resolve_conj().resolve_neg()), None
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"{name}, a tensor of {a.dtype}, cannot be read: {error}") from None


READERS = {"pandas": of_pandas, "polars": of_polars, "pyarrow": of_arrow, "torch": of_torch, "xarray": of_xarray}


# ---- columns ------------------------------------------------------------------


def of_frame(a: Any, name: str) -> Contents:
    dtypes = set(a.dtypes)
    if len(dtypes) == 1 and isinstance(dtypes.pop(), np.dtype):
        return np.asarray(a), None
    columns = {f"{name}.iloc[:, {k}]": a.iloc[:, k] for k in range(a.shape[1])}
    return of_columns(a, columns, list(a.columns), name, f"{name}.select_dtypes('number')")


def of_columns(a: Any, columns: dict[str, Any], labels: list[Any], name: str, numeric: str) -> Contents:
    """
    Columns of any dtypes side by side, as an array that holds each of them exactly.

    `columns` has them by expressions in the caller's code; `numeric` is one for those that hold numbers.
    """
    parts = [contents(column, each) for each, column in columns.items()]
    if not parts:
        return np.empty(a.shape), None
    one_by_one = f"take them one by one, e.g. {next(iter(columns))}"
    dtypes = [values.dtype for values, _ in parts]
    if len(set(dtypes)) > 1:
        for label, dtype in zip(labels, dtypes, strict=True):
            if dtype.kind in "OSTUMm":
                raise TypeError(
                    f"cannot sum the column {label!r} of {name}, of dtype {dtype}: pass the numeric columns, {numeric}"
                )
    shapes = dict.fromkeys(values.shape for values, _ in parts)
    if len(shapes) > 1:
        raise TypeError(
            f"cannot sum columns of different shapes ({', '.join(map(str, shapes))}) together: {one_by_one}"
        )
    array = np.stack([values for values, _ in parts], axis=1)
    if not all(holds(array.dtype, each) for each in set(dtypes)):
        raise TypeError(
            f"cannot sum columns of different dtypes ({', '.join(dict.fromkeys(map(str, dtypes)))}) together: no dtype "
            f"holds them all exactly; {one_by_one}"
        )
    words = next((missing.words for _, missing in parts if missing), None)
    if words is None:
        return array, None
    at = np.stack([missing.at if missing else np.zeros(values.shape, bool) for values, missing in parts], axis=1)
    # Frames of pandas have isna.
    return array, Missing(at, words, name, "" if words is PANDAS else next(iter(columns)))


def holds(common: np.dtype[Any], dtype: np.dtype[Any]) -> bool:
    """Whether the common dtype holds each number of a dtype."""
    if dtype == common:
        return True
    if dtype.kind in "iu" and common.kind in "fc" and 8 * dtype.itemsize > np.finfo(common).nmant + 1:
        return False  # NumPy calls int64 to float64 a safe cast
    return common.kind != "O" and np.can_cast(dtype, common, "safe")
