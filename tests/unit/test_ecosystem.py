"""pandas and xarray: what their users expect, or a clear error; and the examples of the guide."""

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
import pytest

import pycrust

RNG = np.random.default_rng(7)


# ---- pandas -----------------------------------------------------------------


@pytest.fixture
def frame():
    pd = pytest.importorskip("pandas")
    volts = RNG.normal(size=60) * 10.0 ** RNG.integers(-100, 100, size=60)
    return pd.DataFrame({"channel": list("lrm") * 20, "volts": volts, "counts": np.arange(60, dtype=np.int16)})


def test_series(frame):
    assert pycrust.rms(frame["volts"]) == pycrust.rms(frame["volts"].to_numpy())
    assert pycrust.sumsq(frame["counts"]) == sum(k * k for k in range(60))
    total = pycrust.Accumulator()
    total.update(frame["volts"])
    assert total.norm() == pycrust.norm(frame["volts"])


def test_frame_along_an_axis(frame):
    numbers = frame[["volts", "counts"]].astype(float)
    assert pycrust.norm(numbers, axis=0).tolist() == [pycrust.norm(numbers[name]) for name in numbers]


def test_agg_and_groupby(frame):
    by_channel = frame.groupby("channel")["volts"].agg(pycrust.norm)
    assert list(by_channel.index) == ["l", "m", "r"]
    for channel, value in by_channel.items():
        assert value == pycrust.norm(frame.loc[frame["channel"] == channel, "volts"])
    assert frame[["volts", "counts"]].agg(pycrust.rms)["counts"] == pycrust.rms(frame["counts"])
    rolled = frame["volts"].rolling(7).apply(pycrust.rms, raw=True)
    assert rolled.iloc[30] == pycrust.rms(frame["volts"].iloc[24:31])


MOMENTS = [pycrust.sum, pycrust.mean, pycrust.var, pycrust.std]


@pytest.mark.parametrize("function", MOMENTS)
def test_moments_by_agg_and_groupby(frame, function):
    """Ours, and not those that pandas has under these names."""
    for column in ("volts", "counts"):
        by_channel = frame.groupby("channel")[column].agg(function)
        assert len(by_channel) == 3
        for channel, value in by_channel.items():
            assert value == function(frame.loc[frame["channel"] == channel, column])
        assert frame[[column]].agg(function)[column] == function(frame[column])
        rolled = frame[column].rolling(7).apply(function, raw=True)
        assert rolled.iloc[30] == function(frame[column].iloc[24:31].astype(float))
    constant = frame.assign(volts=0.1).groupby("channel")["volts"].agg(pycrust.std)
    assert constant.tolist() == [0.0, 0.0, 0.0]


def test_columns_without_numbers_are_refused(frame):
    pd = pytest.importorskip("pandas")
    for column in (frame["channel"], frame, pd.Series(pd.to_datetime(["2026-01-01"]))):
        with pytest.raises(TypeError, match="cannot sum"):
            pycrust.sumsq(column)


# ---- xarray -----------------------------------------------------------------


@pytest.fixture
def field():
    xr = pytest.importorskip("xarray")
    data = RNG.normal(size=(12, 5)) * 10.0 ** RNG.integers(-100, 100, size=(12, 5))
    return xr.DataArray(data, dims=("time", "station"), coords={"station": list("ABCDE")})


def test_reduce_keeps_names(field):
    result = field.reduce(pycrust.norm, dim="time")
    assert result.dims == ("station",)
    assert result.sel(station="C").item() == pycrust.norm(field.sel(station="C"))
    assert field.reduce(pycrust.sumsq).item() == pycrust.sumsq(field.values)


@pytest.mark.parametrize("function", MOMENTS)
def test_moments_by_reduce(field, function):
    pytest.importorskip("dask.array")
    import pycrust.dask

    lazy = getattr(pycrust.dask, function.__name__)
    chunked = field.chunk({"time": 5, "station": 2})
    for options in ({}, {"ddof": 1}) if function in (pycrust.var, pycrust.std) else ({},):
        result = field.reduce(function, dim="time", **options)
        assert result.dims == ("station",)
        assert result.values.tobytes() == function(field.values, axis=0, **options).tobytes()
        assert chunked.reduce(lazy, dim="time", **options).identical(result.chunk({"station": 2}))
        assert field.reduce(function, **options).item() == function(field.values, **options)


def test_reduce_lazily(field):
    pytest.importorskip("dask.array")
    import pycrust.dask

    chunked = field.chunk({"time": 5, "station": 2})
    result = chunked.reduce(pycrust.dask.rms, dim="time")
    assert result.chunks is not None
    assert result.identical(result.compute())
    assert result.values.tobytes() == pycrust.rms(field.values, axis=0).tobytes()
    assert pycrust.dask.sumsq(chunked).compute() == pycrust.sumsq(field.values)


def test_dataset(field):
    dataset = field.to_dataset(name="volts")
    assert (
        dataset.reduce(pycrust.rms, dim="station")["volts"].values.tobytes()
        == pycrust.rms(field.values, axis=1).tobytes()
    )


# ---- the examples of the guide ----------------------------------------------


def part(name, shape, dtype, start, stop):
    memory = SharedMemory(name=name)
    try:
        accumulator = pycrust.Accumulator()
        accumulator.update(np.ndarray(shape, dtype, buffer=memory.buf)[start:stop])
        return accumulator
    finally:
        memory.close()


@pytest.mark.slow
@pytest.mark.thread_unsafe(reason="starts processes")
@pytest.mark.parametrize("method", [method for method in get_all_start_methods() if method != "fork"])
def test_processes_that_share_memory(method):
    x = RNG.normal(size=50_000) * 10.0 ** RNG.integers(-100, 100, size=50_000)
    memory = SharedMemory(create=True, size=x.nbytes)
    try:
        np.ndarray(x.shape, x.dtype, buffer=memory.buf)[:] = x
        edges = [0, 1, 17_000, 33_333, 50_000]
        with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
            jobs = [pool.submit(part, memory.name, x.shape, x.dtype, *ends) for ends in pairwise(edges)]
            total = sum((job.result() for job in jobs), start=pycrust.Accumulator())
    finally:
        memory.close()
        memory.unlink()
    assert total.count == len(x)
    assert total.sumsq() == pycrust.sumsq(x)


@pytest.mark.thread_unsafe(reason="starts processes")
@pytest.mark.skipif(not (Path(__file__).parents[2] / "docs").is_dir(), reason="the documentation is not here")
def test_the_shared_memory_example_runs(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "guide" / "clusters.md").read_text(encoding="utf-8")
    example = text.partition("```python\n")[2].partition("```")[0]
    script = tmp_path / "example.py"
    script.write_text(example.replace("10_000_000", "10_000"))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "True\n"
