"""The source distribution: complete, and the same bytes whenever it is built."""

import email
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"

pytest.importorskip("Cython")
pytest.importorskip("setuptools", minversion="77")

pytestmark = [pytest.mark.slow, pytest.mark.thread_unsafe(reason="builds in another process")]


def tracked():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listing.stdout.split("\0") if (ROOT / name).is_file()]


def sdist(folder, names):
    """Build the sdist from a copy of the named files, made anew."""
    for name in names:
        copy = folder / "tree" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)  # with another time of change
    env = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
    command = [sys.executable, "-c", BUILD, str(folder)]
    done = subprocess.run(command, cwd=folder / "tree", env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = folder.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The names of all files of the checkout, the folder in which an sdist was built, and the sdist."""
    names, folder = tracked(), tmp_path_factory.mktemp("once")
    return names, folder, sdist(folder, names)


def test_sdist_is_complete_and_reproducible(built, tmp_path):
    names, folder, archive = built
    with tarfile.open(archive) as tar:
        packed = {name.partition("/")[2] for name in tar.getnames()}
    # Only what serves the repository and its services alone is left out.
    assert {name for name in names if name not in packed and not name.startswith(".")} == set()
    generated = ("PKG-INFO", "setup.cfg", "pycrust.egg-info/")
    files = {name for name in packed if not (folder / "tree" / name).is_dir()}
    assert {name for name in files - set(names) if not name.startswith(generated)} == set()

    again = sdist(tmp_path / "again", names)
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(archive.read_bytes()).digest()


def test_what_a_package_index_shows_is_the_readme_without_what_it_cannot_reach(built):
    """No picture and no link to a file beside the README; else every line of it."""
    _, _, archive = built
    with tarfile.open(archive) as tar:
        (name,) = (name for name in tar.getnames() if name.count("/") == 1 and name.endswith("/PKG-INFO"))
        metadata = email.message_from_bytes(tar.extractfile(name).read())
    assert metadata["Description-Content-Type"] == "text/markdown"
    shown = metadata.get_payload(decode=True).decode().strip()
    readme = (ROOT / "README.md").read_text(encoding="utf-8").strip()
    assert re.findall(r"\]\((?!https?:)", shown) == []
    removed, added = (
        set(one.splitlines()) - set(other.splitlines()) for one, other in [(readme, shown), (shown, readme)]
    )
    plain = {re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line) for line in removed if not line.startswith("![")}
    assert removed and added == plain
