"""What `import pycrust` brings, and what it leaves until it is used."""

import inspect
import os
import shutil
from pathlib import Path

import pytest

import pycrust

BLOCKED = "import sys; sys.modules['dask'] = None; sys.modules['dask.array'] = None\n"


def test_bench_and_dask_are_imported_when_they_are_used(python):
    done = python(
        "import sys, pycrust\n"
        "for name in 'bench', 'dask':\n"
        "    print(f'pycrust.{name}' in sys.modules, name in sys.modules, name in dir(pycrust), end=' ')\n"
        "    print(getattr(pycrust, name) is sys.modules[f'pycrust.{name}'])\n"
    )
    assert done.stdout == "False False True True\n" * 2, done.stderr


def test_a_star_brings_the_functions_alone(python):
    done = python("import sys; from pycrust import *; print('pycrust.bench' in sys.modules, sumsq([3]))")
    assert done.stdout == "False 9\n", done.stderr


def test_without_dask_it_says_so(python):
    """As an ImportError where it is imported, as an AttributeError where it is an attribute: hasattr and dir serve."""
    done = python(
        BLOCKED + "import inspect, pycrust\n"
        "print(hasattr(pycrust, 'dask'), 'dask' in dict(inspect.getmembers(pycrust)))\n"
        "for text in 'pycrust.dask', 'import pycrust.dask', 'from pycrust import dask':\n"
        "    try: exec(text)\n"
        "    except Exception as error: print(type(error).__name__, 'needs dask: pip install' in str(error))\n"
    )
    assert done.stdout == "False False\nAttributeError True\nImportError True\nImportError True\n", done.stderr


def test_other_names_are_missing():
    assert {"bench", "dask", *pycrust.__all__} <= set(dir(pycrust))
    assert dict(inspect.getmembers(pycrust))["bench"] is pycrust.bench
    with pytest.raises(AttributeError, match="module 'pycrust' has no attribute 'sumsquare'"):
        pycrust.sumsquare  # noqa: B018


def test_a_source_folder_without_the_compiled_modules_says_what_to_do(python, tmp_path):
    """As in a checkout into which nothing was built, while the package is installed elsewhere."""
    shutil.copytree(
        Path(pycrust.__file__).parent,
        tmp_path / "pycrust",
        ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"),
    )
    # An editable install finds its modules by a finder of its own.
    plain = "import sys; sys.meta_path[:] = [each for each in sys.meta_path if '_frozen_importlib' in str(each)]\n"
    done = python(plain + "import pycrust", cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    complaint = done.stderr.splitlines()[-1]
    assert complaint.startswith("ImportError: pycrust._accumulator is not built") and "pip install -e ." in complaint
    assert str(tmp_path) in complaint
