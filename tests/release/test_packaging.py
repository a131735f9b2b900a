"""What a release uploads: the sdist complete, and the same bytes whenever it is built; the wheel without sources."""

import email
import hashlib
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytest.importorskip("Cython")
pytest.importorskip("setuptools", minversion="77")

pytestmark = [pytest.mark.slow, pytest.mark.thread_unsafe(reason="builds in another process")]


def test_sdist_is_complete_and_reproducible(tracked, sdist, make_sdist, tmp_path):
    with tarfile.open(sdist) as tar:
        packed = {name.partition("/")[2] for name in tar.getnames()}
    # Only what serves the repository and its services alone is left out.
    assert {name for name in tracked if name not in packed and not name.startswith(".")} == set()
    generated = ("PKG-INFO", "setup.cfg", "pycrust.egg-info/")
    files = {name for name in packed if not (sdist.parent / "tree" / name).is_dir()}
    assert {name for name in files - set(tracked) if not name.startswith(generated)} == set()

    again = make_sdist(tmp_path / "again")
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(sdist.read_bytes()).digest()


def test_wheel_holds_what_is_imported_and_what_other_packages_compile_with(tracked, wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {
            name for name in archive.namelist() if not name.endswith((".so", ".pyd")) and ".dist-info/" not in name
        }
    wanted = re.compile(
        r"pycrust/.*(\.py|\.pyi|\.typed)|pycrust/include/.*\.h|pycrust/(capi|types)\.pxd|pytest_pycrust\.py"
    )
    assert packed == {name for name in tracked if wanted.fullmatch(name)}
    assert {
        "pycrust/capi.pxd",
        "pycrust/types.pxd",
        "pycrust/include/pycrust_capi.h",
        "pycrust/include/pycrust_types.h",
    } <= packed


def test_what_a_package_index_shows_is_the_readme_without_what_it_cannot_reach(sdist):
    """No picture and no link to a file beside the README; else every line of it."""
    with tarfile.open(sdist) as tar:
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
