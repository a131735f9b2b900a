"""
The C API: packages in C, C++ and Cython, compiled with the headers of the wheel, get the bits that Fractions give.

Those of the documentation run with the pycrust of the wheel; the tests' own, guest/guest.pyx, in this process.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from building import build, install

import pycrust
from pycrust.reference import nearest, nearest_root

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "reference" / "guest"
PAGE = ROOT / "docs" / "reference" / "capi.md"
GUIDE = ROOT / "docs" / "guide" / "own-extension.md"
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool")
FLOATS = ("float16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
LINEAR = ("sum", "mean")
STATISTICS = ("sumsq", "norm", "rms", *LINEAR, "var", "std")

pytest.importorskip("Cython")
pytest.importorskip("setuptools", minversion="77")

pytestmark = [pytest.mark.slow, pytest.mark.thread_unsafe(reason="compiles")]
unix = pytest.mark.skipif(sys.platform == "win32", reason="flags of gcc and clang")


def environment(*folders):
    """The pycrust of the wheel first, then what else is there: NumPy, Cython, setuptools."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}


def run(script, *folders):
    return subprocess.run(
        [sys.executable, "-P", "-c", script], env=environment(*folders), capture_output=True, text=True, timeout=120
    )


# ---- the examples of the documentation ---------------------------------------------------


@pytest.mark.parametrize("language, module", [("c", "exactmean"), ("cython", "spread")])
def test_the_examples_of_the_guide(language, module, installed, tmp_path):
    """Built from the three files that the page includes; then its session is run with the pycrust of the wheel."""
    page = GUIDE.read_text(encoding="utf-8")
    included = re.findall(r"```\{literalinclude\} \.\./reference/guest/(\S+)", page)
    shutil.copytree(EXAMPLES / language, tmp_path / "tree")
    assert {f"{language}/{file.name}" for file in (tmp_path / "tree").iterdir()} <= set(included)
    wheel = build("wheel", tmp_path / "tree", tmp_path, **environment(installed))
    folder = install(wheel, tmp_path / "site")

    (session,) = (text for text in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S) if module in text)
    script = f"""
import doctest, pycrust
assert pycrust.__file__.startswith({str(installed)!r}), pycrust.__file__
test = doctest.DocTestParser().get_doctest({session!r}, {{}}, "page", None, 0)
assert test.examples
raise SystemExit(doctest.DocTestRunner().run(test).failed)
"""
    done = run(script, folder, installed)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def compile_c(installed, tmp_path_factory):
    """Call it for a folder with exactmean, compiled with the headers of `include`."""

    def compile(include):
        folder = tmp_path_factory.mktemp("exactmean")
        shutil.copytree(EXAMPLES / "c", folder, dirs_exist_ok=True)
        setup = (folder / "setup.py").read_text().replace("pycrust.get_include()", repr(str(include)))
        (folder / "setup.py").write_text(setup)
        return install(build("wheel", folder, folder / "wheel", **environment(installed)), folder / "site")

    return compile


@pytest.mark.parametrize(
    "pattern, patched, advice",
    [
        (r"#define PYCRUST_ABI 1\b", "#define PYCRUST_ABI 0", "recompile this module with the installed pycrust"),
        (r"#define PYCRUST_ABI 1\b", "#define PYCRUST_ABI 2", "upgrade pycrust"),
        (r"\} pycrust_capi;", "    void (*new_in_the_next_version)(void);\n} pycrust_capi;", "upgrade pycrust"),
    ],
)
def test_an_incompatible_header_is_an_import_error_with_advice(
    pattern, patched, advice, compile_c, installed, tmp_path
):
    shutil.copytree(installed / "pycrust" / "include", tmp_path / "include")
    header = tmp_path / "include" / "pycrust_capi.h"
    text, changes = re.subn(pattern, patched, header.read_text())
    assert changes == 1
    header.write_text(text)
    done = run("import exactmean", compile_c(tmp_path / "include"), installed)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: this module was compiled for version "), done.stderr
    assert last.endswith(f": {advice}")


def test_a_smaller_table_is_compatible(compile_c, installed, tmp_path):
    """What an older pycrust of this ABI had: without the last function."""
    shutil.copytree(installed / "pycrust" / "include", tmp_path / "include")
    header = tmp_path / "include" / "pycrust_capi.h"
    text, changes = re.subn(r"    pc_status \(\*states_result\)[^;]*;\n", "", header.read_text())
    assert changes == 1
    header.write_text(text)
    done = run(
        "import exactmean, array; print(exactmean.mean(array.array('d', [1, 2])))",
        compile_c(tmp_path / "include"),
        installed,
    )
    assert done.stdout == "1.5\n", done.stderr


@unix
@pytest.mark.parametrize("standard", ["c99", "c11", "c++11", "c++17"])
@pytest.mark.parametrize("source", ["example", "example of the page", "header alone", "twice"])
def test_no_compiler_warns(standard, source, installed, tmp_path):
    language, compiler = ("c++", "c++") if "+" in standard else ("c", "cc")
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    text = {
        "example": (EXAMPLES / "c" / "exactmean.c").read_text(),
        "example of the page": "".join(re.findall(r"^```c\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)),
        "header alone": "#include <pycrust_capi.h>\n",
        "twice": '#include <pycrust_capi.h>\n#include "pycrust_capi.h"\n#include <pycrust_types.h>\n',
    }[source]
    (tmp_path / "source").write_text(text)
    include = [f"-isystem{sysconfig.get_path('include')}", f"-I{installed / 'pycrust' / 'include'}"]
    command = [compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Wconversion", "-Werror", *include]
    done = subprocess.run([*command, "-fsyntax-only", str(tmp_path / "source")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux") or not shutil.which("nm"), reason="needs nm, of ELF files")
def test_modules_export_nothing_but_their_init_function(installed):
    modules = sorted(installed.glob("pycrust/*.so"))
    assert len(modules) >= 8
    for module in modules:
        listing = subprocess.run(["nm", "-D", "--defined-only", module], capture_output=True, text=True, check=True)
        names = {line.split()[-1] for line in listing.stdout.splitlines()}
        assert names - {"_init", "_fini", "__bss_start", "_edata", "_end"} == {f"PyInit_{module.name.split('.')[0]}"}


# ---- every function, in this process -----------------------------------------------------


@pytest.fixture(scope="session", params=["c", "c++"])
def guest(request, installed, tmp_path_factory):
    """guest/guest.pyx, as C and as C++."""
    folder = tmp_path_factory.mktemp("guest")
    name = {"c": "guest", "c++": "guest_cpp"}[request.param]
    shutil.copy(ROOT / "tests" / "release" / "guest" / "guest.pyx", folder / f"{name}.pyx")
    (folder / "setup.py").write_text(
        "import pycrust\nfrom Cython.Build import cythonize\nfrom setuptools import Extension, setup\n"
        f"module = Extension({name!r}, ['{name}.pyx'], include_dirs=[pycrust.get_include()], language={request.param!r})\n"
        "setup(name='guest', ext_modules=cythonize([module]))\n"
    )
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    done = subprocess.run(command, cwd=folder, env=environment(installed), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = (path for path in folder.iterdir() if path.suffix in (".so", ".pyd"))
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sums_of(x):
    """The count, the sums of the numbers (of complex ones, of their real and imaginary parts), and that of the squares."""
    sides = [[Fraction(v) for v in side.tolist()] for side in ((x.real, x.imag) if x.dtype.kind == "c" else (x,))]
    return len(x), [sum(side) for side in sides], sum(v * v for side in sides for v in side)


def expected(sums, statistic, ddof, out_type):
    """The bytes of the correctly rounded statistic."""
    count, numbers, squares = sums
    if statistic in LINEAR:
        values = [Fraction(v) / (count if statistic == "mean" else 1) for v in numbers]
    elif statistic in ("var", "std"):
        values = [(squares - sum(v * v for v in numbers) / count) / (count - ddof)]
    else:
        values = [squares / (count if statistic == "rms" else 1)]
    nearest_ = nearest_root if statistic in ("norm", "rms", "std") else nearest
    values = [nearest_(v, out_type) for v in values]
    return np.array([complex(*values) if out_type in COMPLEX else values[0]], out_type).tobytes()


def call(guest, x, statistic, ddof, out_type, skip=0):
    """(status, the bytes written), of contiguous data that begin after some bytes."""
    out = bytearray(b"\xee" * (skip + np.dtype(out_type).itemsize))
    data = bytes(skip) + x.tobytes()
    kind, figure = guest.TYPES[x.dtype.name], guest.STATISTICS[statistic]
    return guest.reduce(kind, data, len(x), figure, ddof, guest.TYPES[out_type], out, skip), bytes(out[skip:])


def sample(dtype, n, seed=0):
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.integers(0, 2, n).astype(bool)
    if dtype in INTEGERS:
        kind = np.iinfo(dtype)
        return rng.integers(kind.min, kind.max, n, dtype=dtype, endpoint=True)
    wide = 2 if dtype == "float16" else 10
    x = rng.normal(1, 1, n) * 2.0 ** rng.integers(-wide, wide, n)
    return (x + 1j * x[::-1] if dtype in COMPLEX else x).astype(dtype)


def result_types(dtype, statistic):
    if dtype in COMPLEX and statistic in LINEAR:
        return COMPLEX
    return FLOATS


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS, *COMPLEX])
def test_reduce(guest, dtype):
    for n, skip in [(1, 0), (7, 1), (5000, 3)]:
        x = sample(dtype, n)
        sums = sums_of(x)
        for statistic in STATISTICS:
            ddof = 1 if n > 1 and statistic in ("var", "std") else 0
            for out_type in result_types(dtype, statistic):
                want = expected(sums, statistic, ddof, out_type)
                assert call(guest, x, statistic, ddof, out_type, skip) == (guest.OK, want)
                if out_type in ("float64", "complex128"):
                    options = {"ddof": ddof} if ddof else {}
                    ours = getattr(pycrust, statistic)(x, **options)
                    assert np.array([ours], out_type).tobytes() == want


@pytest.mark.parametrize("dtype", [*INTEGERS, "float64"])
@pytest.mark.parametrize("out_type", ["int64", "uint64"])
def test_integer_results(guest, dtype, out_type):
    x = sample(dtype, 20) if dtype != "float64" else np.array([2.0**62, 3.0, -(2.0**62), 0.5, 0.5])
    for statistic in ("sum", "sumsq"):
        _, (exact,), squares = sums_of(x)
        exact = squares if statistic == "sumsq" else exact
        kind = np.iinfo(out_type)
        if exact.denominator == 1 and kind.min <= exact <= kind.max:
            want = (guest.OK, np.array([int(exact)], out_type).tobytes())
        else:
            want = (guest.TOO_LARGE, b"\xee" * 8)
        assert call(guest, x, statistic, 0, out_type) == want


def test_the_limits_of_integer_results(guest):
    top = np.array([2**63 - 1, 0], "int64")
    for x, out_type, fits in [
        (top, "int64", True),
        (top + np.array([0, 1]), "int64", False),
        (-top - [1, 0], "int64", True),
        (-top - [1, 1], "int64", False),
        (-top - [1, 1], "uint64", False),
        (np.array([2**64 - 1, 0], "uint64"), "uint64", True),
        (np.array([2**64 - 1, 1], "uint64"), "uint64", False),
        (np.array([0.5]), "int64", False),
        (np.array([np.nan]), "int64", False),
        (np.array([np.inf] * 1000), "uint64", False),
    ]:
        status, written = call(guest, x, "sum", 0, out_type)
        assert status == (guest.OK if fits else guest.TOO_LARGE)
        assert written == (np.array([sum(x.tolist())], out_type).tobytes() if fits else b"\xee" * 8)


def test_too_few_numbers(guest):
    for statistic, n, ddof, status, value in [
        ("sum", 0, 0, guest.OK, 0.0),
        ("norm", 0, 0, guest.OK, 0.0),
        ("mean", 0, 0, guest.EMPTY, np.nan),
        ("rms", 0, 0, guest.EMPTY, np.nan),
        ("var", 0, 0, guest.EMPTY, np.nan),
        ("std", 2, 2, guest.EMPTY, np.inf),
        ("std", 2, 9, guest.EMPTY, np.inf),
        ("mean", 2, 9, guest.OK, 1.5),
    ]:
        got, written = call(guest, np.arange(1.0, n + 1), statistic, ddof, "float64")
        assert got == status
        np.testing.assert_array_equal(np.frombuffer(written), [value])


def test_what_makes_no_sense_is_refused_and_writes_nothing(guest):
    reals, complexes = np.arange(1000.0), np.arange(1000) * 1j
    for x, statistic, out_type in [
        (reals, "var", "complex128"),
        (reals, "norm", "int64"),
        (reals, "mean", "int64"),
        (reals, "sum", "int32"),
        (reals, "sum", "bool"),
        (complexes, "sum", "float64"),
        (complexes, "mean", "float32"),
        (complexes, "sum", "int64"),
    ]:
        status, written = call(guest, x, statistic, 0, out_type)
        assert (status, set(written)) == (guest.INVALID, {0xEE})
    out = bytearray(b"\xee" * 16)
    kind, total = guest.TYPES["float64"], guest.STATISTICS["sum"]
    for wrong in (-1, 14, 2**31 - 1):
        assert guest.reduce(wrong, bytes(8), 1, total, 0, kind, out) == guest.INVALID
        assert guest.reduce(kind, bytes(8), 1, total, 0, wrong, out) == guest.INVALID
        assert guest.reduce(kind, bytes(8), 1, wrong, 0, kind, out) == guest.INVALID
        assert guest.Accumulator().init(wrong) == guest.INVALID
    assert set(out) == {0xEE}


def accumulator(guest, statistic, *pieces):
    acc = guest.Accumulator()
    assert acc.init(guest.STATISTICS[statistic]) == guest.OK
    for x in pieces:
        assert acc.add(guest.TYPES[x.dtype.name], x.tobytes(), len(x)) == guest.OK
    return acc


def result(guest, acc, statistic, ddof=0, out_type="float64"):
    out = bytearray(b"\xee" * np.dtype(out_type).itemsize)
    return acc.result(guest.STATISTICS[statistic], ddof, guest.TYPES[out_type], out), bytes(out)


@pytest.mark.parametrize("dtype", ["int16", "uint64", "float16", "float64", "complex128"])
def test_accumulators(guest, dtype):
    x = sample(dtype, 5000)
    acc = accumulator(guest, "var", x[:3], x[3:3], x[3:2000])
    rest = accumulator(guest, "std", x[2000:])
    copy = acc.copy()
    assert acc.merge(rest) == guest.OK
    assert (acc.count(), copy.count(), rest.count()) == (5000, 2000, 3000)
    all_, first = sums_of(x), sums_of(x[:2000])
    for statistic in STATISTICS:
        ddof = 1 if statistic in ("var", "std") else 0
        for out_type in result_types(dtype, statistic):
            for some, sums in [(acc, all_), (copy, first)]:
                want = expected(sums, statistic, ddof, out_type)
                assert result(guest, some, statistic, ddof, out_type) == (guest.OK, want)


def test_accumulators_of_mixed_types_keep_what_they_were_initialized_for(guest):
    pieces = [np.array([2**63], "uint64"), np.array([0.5]), np.array([True, False]), np.array([-(2**63)], "int64")]
    acc = accumulator(guest, "mean", *pieces)
    assert result(guest, acc, "sum") == (guest.OK, np.array([1.5]).tobytes())
    assert result(guest, acc, "mean") == (guest.OK, np.array([0.3]).tobytes())
    assert result(guest, acc, "sum", 0, "int64")[0] == guest.TOO_LARGE
    for statistic in ("sumsq", "norm", "rms", "var", "std"):
        assert result(guest, acc, statistic)[0] == guest.INVALID
    both, squares = accumulator(guest, "var", *pieces), accumulator(guest, "norm", *pieces)
    assert both.merge(acc) == both.merge(squares) == acc.merge(squares) == guest.INVALID
    assert acc.merge(both) == guest.OK and acc.count() == 10 and both.count() == 5
    assert result(guest, acc, "sum", 0, "int64") == (guest.OK, np.array([3]).tobytes())
    assert acc.add(99, b"", 0) == guest.INVALID


def test_accumulators_with_imaginary_parts_have_no_real_sum(guest):
    for imaginary in (1, np.nan, -np.inf):
        acc = accumulator(guest, "var", np.array([complex(2, imaginary)]))
        assert result(guest, acc, "sum")[0] == result(guest, acc, "mean", 0, "float32")[0] == guest.INVALID
    assert result(guest, accumulator(guest, "sum", np.array([np.nan])), "sum", 0, "int64")[0] == guest.TOO_LARGE


def test_accumulators_count_below_two_to_the_64(guest):
    acc = accumulator(guest, "sum", np.array([1], "int8"))
    for _ in range(63):
        assert acc.merge(acc) == guest.OK
    assert acc.count() == 2**63
    assert result(guest, acc, "sum", 0, "uint64") == (guest.OK, np.array([2**63], "uint64").tobytes())
    assert acc.merge(acc) == guest.TOO_LARGE
    assert acc.add(guest.TYPES["int8"], b"", 2**63) == guest.TOO_LARGE
    assert acc.count() == 2**63


# How many states: the last gets no numbers. Labels come singly and in runs, which are added in two ways.
COUNT = 6


def labels_for(n, dtype="int64"):
    rng = np.random.default_rng(n)
    runs = np.repeat(rng.integers(0, COUNT - 1, n // 100 + 1), 100)[:n]
    return np.where(np.arange(n) < n // 2, rng.integers(0 if dtype[0] == "u" else -1, COUNT - 1, n), runs).astype(dtype)


def add_all(guest, states, x, labels, skip=0):
    """Add all, and enlarge the pool by one accumulator whenever that is asked for; how often that was."""
    kinds = guest.TYPES[x.dtype.name], bytes(skip) + x.tobytes(), guest.TYPES[labels.dtype.name]
    status, done = guest.NO_ROOM, 0
    for grown in range(COUNT + 1):
        status, done = states.add(*kinds, bytes(skip) + labels.tobytes(), len(x), done, skip)
        if status != guest.NO_ROOM:
            break
        assert states.pool() == (grown, grown) and done < len(x)
        states.grow(1)
    assert (status, done) == (guest.OK, len(x))
    return grown


def states_of(guest, statistic, *pieces):
    states = guest.States(guest.state_size(guest.STATISTICS[statistic]), COUNT)
    for x, labels in pieces:
        add_all(guest, states, x, labels)
    return states


def results(guest, states, statistic, ddof=0, out_type="float64", first=0, skip=0):
    """(status, done, the bytes written)."""
    out = bytearray(b"\xee" * (skip + COUNT * np.dtype(out_type).itemsize))
    kind = guest.TYPES[out_type]
    return *states.result(guest.STATISTICS[statistic], ddof, kind, out, COUNT, first, skip), bytes(out[skip:])


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_states(guest, dtype):
    x = sample(dtype, 3000)
    labels = labels_for(3000, INTEGERS[INTEGERS.index(dtype) % 8] if dtype in INTEGERS else "int32")
    states = guest.States(guest.state_size(guest.STATISTICS["var"]), COUNT)
    add_all(guest, states, x, labels, skip=1)
    sums = [sums_of(x[labels == label]) for label in range(COUNT)]
    assert [states.count(label) for label in range(COUNT + 1)] == [*(count for count, _, _ in sums), 0]
    for statistic in STATISTICS:
        for out_type in FLOATS:
            status, done, got = results(guest, states, statistic, 1, out_type, skip=1)
            empty = statistic in ("mean", "rms", "var", "std")
            assert (status, done) == (guest.EMPTY if empty else guest.OK, COUNT)
            assert got[: -np.dtype(out_type).itemsize] == b"".join(
                expected(s, statistic, 1, out_type) for s in sums[:-1]
            )
            np.testing.assert_array_equal(np.frombuffer(got, out_type)[-1], np.nan if empty else 0)
    if dtype not in ("int64", "uint64", "float16", "float32"):  # too large, or rounded
        total = pycrust.group_sum(x[labels >= 0], labels[labels >= 0], num_labels=COUNT)
        assert results(guest, states, "sum", 0, total.dtype.name)[2] == total.tobytes()


def test_states_of_numbers_of_any_size_take_accumulators_from_the_pool(guest):
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], 500) * 2.0 ** rng.integers(-1074, 1000, 500)
    labels = labels_for(500)
    labels[labels == 2] = 1  # which gets no number, as the last
    states = states_of(guest, "sum")
    assert add_all(guest, states, x, labels) == COUNT - 2
    other = states_of(guest, "sum", (x, labels), (x, labels))
    want = [sums_of(np.tile(x[labels == label], 3)) for label in range(COUNT)]
    alone = states_of(guest, "sum")
    for target in (states, alone):  # from the pool of the other to a pool with room, and to one without
        status, done = guest.NO_ROOM, 0
        for room in range(COUNT):
            status, done = target.merge(other, done)
            if status != guest.NO_ROOM:
                break
            target.grow(1)
        assert (status, done, room) == (guest.OK, COUNT, 0 if target is states else COUNT - 2)
    assert alone.merge(states_of(guest, "sum", (x, labels)), 0) == (guest.OK, COUNT)
    for target in (states, alone):
        assert [target.count(label) for label in range(COUNT)] == [count for count, _, _ in want]
        got = results(guest, target, "sum")
        assert got == (guest.OK, COUNT, b"".join(expected(sums, "sum", 0, "float64") for sums in want))


@pytest.mark.parametrize("run", [1, 100])
@pytest.mark.parametrize("kind", ["int8", "uint8", "int64", "uint64"])
def test_states_stop_at_a_label_that_is_too_large(guest, run, kind):
    """All before it has been added, and none after it; whoever leaves it out goes on."""
    labels = np.repeat(np.arange(1000) % COUNT, run)[:1000].astype(kind)
    labels[700 : 700 + run] = np.iinfo(kind).max if run == 1 else COUNT
    if kind[0] == "i":
        labels[690] = -1
    x = sample("int32", 1000)
    kinds = guest.TYPES["int32"], x.tobytes(), guest.TYPES[kind], labels.tobytes()
    states = states_of(guest, "var")
    assert states.add(*kinds, 1000, 0) == (guest.NO_LABEL, 700)
    assert [states.count(label) for label in range(COUNT)] == [np.sum(labels[:700] == label) for label in range(COUNT)]
    assert states.add(*kinds, 1000, 700) == (guest.NO_LABEL, 700)
    assert states.add(*kinds, 1000, 700 + run) == (guest.OK, 1000)
    keep = (labels >= 0) & (labels < COUNT)
    total = pycrust.group_sum(x[keep], labels[keep], num_labels=COUNT)
    assert results(guest, states, "sum", 0, "int64") == (guest.OK, COUNT, total.tobytes())
    none = guest.States(guest.state_size(guest.STATISTICS["sum"]), 0)
    assert none.add(*kinds, 1000, 0) == (guest.NO_LABEL, 0)


def test_integer_results_of_states_stop_at_the_first_that_is_too_large(guest):
    labels = np.arange(COUNT)
    for wrong, out_type in [
        (0.5, "int64"),
        (np.nan, "int64"),
        (np.inf, "uint64"),
        (2.0**63, "int64"),
        (-1.0, "uint64"),
    ]:
        x = np.array([1.0, 2.0, 3.0, wrong, 5.0, wrong])
        states = states_of(guest, "sum", (x, labels))
        status, done, got = results(guest, states, "sum", 0, out_type)
        assert (status, done, got[:24]) == (guest.TOO_LARGE, 3, np.array([1, 2, 3], out_type).tobytes())
        status, done, got = results(guest, states, "sum", 0, out_type, 4)
        assert (status, done, got[:40]) == (guest.TOO_LARGE, 5, b"\xee" * 32 + np.array([5], out_type).tobytes())
        assert results(guest, states, "sum") == (guest.OK, COUNT, x.tobytes())


def test_states_count_below_two_to_the_64(guest):
    states = states_of(guest, "sum", (np.ones(1, "int8"), np.array([1])))
    for _ in range(63):
        assert states.merge(states, 0) == (guest.OK, COUNT)
    assert states.count(1) == 2**63
    assert states.merge(states, 0) == (guest.TOO_LARGE, 1)
    assert results(guest, states, "sum", 0, "uint64")[2] == np.array([0, 2**63, 0, 0, 0, 0], "uint64").tobytes()
    states, power = states_of(guest, "sum"), states_of(guest, "sum", (np.ones(1, "int8"), np.array([1])))
    for _ in range(63):
        states.merge(power, 0)
        power.merge(power, 0)
    states.merge(power, 0)
    for labels, done in ([4, 1], 1), ([1] * 100, 0):
        x, labels = np.ones(len(labels), "int8"), np.array(labels)
        kinds = guest.TYPES["int8"], x.tobytes(), guest.TYPES["int64"], labels.tobytes()
        assert states.add(*kinds, len(x), 0) == (guest.TOO_LARGE, done)
    expected = np.array([0, 2**64 - 1, 0, 0, 1, 0], "uint64")
    assert [states.count(label) for label in range(COUNT)] == expected.tolist()
    assert results(guest, states, "sum", 0, "uint64")[2] == expected.tobytes()


def test_what_makes_no_sense_of_states_is_refused(guest):
    sizes = {name: guest.state_size(figure) for name, figure in guest.STATISTICS.items()}
    assert sizes == {name: 40 if name in LINEAR else 72 for name in STATISTICS}
    assert guest.state_size(-1) == guest.state_size(7) == 0
    x, labels = np.ones(COUNT), np.arange(COUNT)
    states = states_of(guest, "sum", (x, labels))
    f8, i8 = guest.TYPES["float64"], guest.TYPES["int64"]

    def add(states, kind=f8, label_kind=i8, done=0):
        return states.add(kind, x.tobytes(), label_kind, labels.tobytes(), COUNT, done)

    for kind in (-1, 14, guest.TYPES["complex64"], guest.TYPES["complex128"]):
        assert add(states, kind) == (guest.INVALID, 0)
    for kind in (-1, 14, f8, guest.TYPES["bool"], guest.TYPES["complex64"]):
        assert add(states, f8, kind) == (guest.INVALID, 0)
    assert add(states, done=COUNT + 1) == (guest.INVALID, COUNT + 1)
    assert add(states, done=COUNT) == (guest.OK, COUNT)
    for statistic in ("sumsq", "norm", "rms", "var", "std"):
        assert results(guest, states, statistic)[:2] == (guest.INVALID, 0)
    assert results(guest, states, "mean", 0, "int64")[0] == guest.INVALID
    assert results(guest, states, "sum", 0, "complex128")[0] == guest.INVALID
    assert results(guest, states, "sum", first=COUNT + 1)[0] == guest.INVALID
    sum_, out = guest.STATISTICS["sum"], bytearray(64)
    assert states.result(sum_, 0, f8, out, COUNT + 1, 0) == (guest.INVALID, 0)
    assert states.merge(states_of(guest, "var"), 0) == states.merge(guest.States(40, 3), 0) == (guest.INVALID, 0)
    assert states.merge(states, COUNT + 1) == (guest.INVALID, COUNT + 1)
    assert results(guest, states, "sum") == (guest.OK, COUNT, x.tobytes())
    for wrong in [(0, 0, 0), (48, 0, 0), (96, 0, 0), (40, 1, 0), (40, 0, 2**32)]:
        spoilt = states_of(guest, "sum")
        spoilt.claim(wrong[0], COUNT, *wrong[1:])
        assert add(spoilt) == spoilt.merge(states, 0) == states.merge(spoilt, 0) == (guest.INVALID, 0)
        assert results(guest, spoilt, "sum")[0] == guest.INVALID and spoilt.count(0) == 0
    states.claim(40, 3, 0, 0)
    assert (states.count(2), states.count(3)) == (1, 0)


def test_sum_of_squares(guest):
    last = 7991780883560
    for n in (0, 1, 10, 2**32, 10**12, last):
        assert guest.sum_of_squares(n) == (guest.OK, pycrust.sum_of_squares(n, method="formula"))
    assert guest.sum_of_squares(last + 1) == guest.sum_of_squares(2**64 - 1) == (guest.TOO_LARGE, None)


def test_simd(guest):
    assert guest.simd() == pycrust.simd()


def test_threads_share_data_and_accumulators_that_none_changes(guest):
    x = sample("float64", 20_000)
    sums = sums_of(x)
    want = {statistic: expected(sums, statistic, 0, "float64") for statistic in STATISTICS}
    total = accumulator(guest, "var", x)

    def work(k):
        statistic = STATISTICS[k % len(STATISTICS)]
        own = accumulator(guest, "var")
        own.merge(total)
        got = {call(guest, x, statistic, 0, "float64"), result(guest, total, statistic), result(guest, own, statistic)}
        return got == {(guest.OK, want[statistic])}

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(100)))


# ---- the documentation -------------------------------------------------------------------


def test_the_cython_declarations_and_the_page_have_every_function_and_constant():
    include = ROOT / "pycrust" / "include"
    header, types = ((include / name).read_text() for name in ("pycrust_capi.h", "pycrust_types.h"))
    pxd, types_pxd = ((ROOT / "pycrust" / name).read_text() for name in ("capi.pxd", "types.pxd"))
    page = PAGE.read_text(encoding="utf-8")
    functions = {
        f"{result}pycrust_{name}({'' if arguments == 'void' else arguments})"
        for result, name, arguments in re.findall(
            r"^    ([\w ]+[ *])\(\*(\w+)\)\(([^)]*)\);", re.sub(r"\s*\n {20,}", " ", header), re.M
        )
    }
    assert len(functions) == 14
    declared = re.findall(r"^    (.*?\)) noexcept", re.sub(r"\s*\n {20,}", " ", pxd), re.M)
    assert set(declared) == functions
    assert {name.replace("(void)", "()") for name in re.findall(r"`([\w ]+ \*?pycrust_\w+\(.*?\))`", page)} == functions
    constants = set(re.findall(r"\bPC_[A-Z0-9_]+\b", re.sub(r"/\*.*?\*/", "", types, flags=re.S)))
    assert constants == set(re.findall(r"^        (PC_\w+)$", types_pxd, re.M))
