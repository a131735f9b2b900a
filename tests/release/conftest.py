"""What a release uploads, built once from a copy of the checkout: the source distribution, and a wheel of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from building import build, install

try:
    import fcntl
except ImportError:  # Windows, where all tests run in one process
    fcntl = None

ROOT = Path(__file__).parents[2]

# What may be in the environment of a build, and must spoil nothing: test_build.
FLAGS = "-Ofast -ffast-math -funsafe-math-optimizations -ffinite-math-only -march=native"


def pytest_collection_modifyitems(items):
    for item in items:
        if "wheel" in getattr(item, "fixturenames", ()):  # which the first of them builds
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def tracked():
    """The names of all files of the checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listing.stdout.split("\0") if (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def make_sdist(tracked):
    """Call it with a folder for the sdist of a copy of the checkout there, made anew."""

    def make(folder):
        for name in tracked:
            copy = folder / "tree" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy)  # with another time of change
        return build("sdist", folder / "tree", folder, SOURCE_DATE_EPOCH="1700000000")

    return make


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Call it for what `make` makes in a folder of that name: once for all processes of this run."""

    def made_once(name, make):
        base = tmp_path_factory.getbasetemp()
        folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
        folder.mkdir(exist_ok=True)
        with open(folder / "made", "a+") as made:
            if fcntl:
                fcntl.flock(made, fcntl.LOCK_EX)  # until it is closed
            made.seek(0)
            path = made.read()
            if not path:
                path = str(make(folder))
                made.write(path)
        return Path(path)

    return made_once


@pytest.fixture(scope="session")
def sdist(make_sdist, made_once):
    return made_once("sdist", make_sdist)


@pytest.fixture(scope="session")
def wheel(sdist, made_once):
    """Built with flags that ours must override; the build in place, which all other tests use, is without them."""

    def make(folder):
        shutil.unpack_archive(sdist, folder, **({"filter": "data"} if sys.version_info >= (3, 12) else {}))
        (tree,) = folder.glob("pycrust-*")
        flags = {} if sys.platform == "win32" else {"CFLAGS": FLAGS, "LDFLAGS": FLAGS}
        return build("wheel", tree, folder, **flags)

    return made_once("wheel", make)


@pytest.fixture(scope="session")
def installed(wheel, made_once):
    """A folder for PYTHONPATH with the pycrust of the wheel."""
    return made_once("installed", lambda folder: install(wheel, folder))
