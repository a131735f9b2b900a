"""Build packages and install their wheels, as the tests of releases do."""

import os
import subprocess
import sys
import zipfile

BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, 'build_' + sys.argv[1])(sys.argv[2])"


def build(kind, tree, folder, **environment):
    """Build the ``sdist`` or the ``wheel`` of a tree in a folder; its path. What the build said is in ``build.log``."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", BUILD, kind, str(folder)]
    done = subprocess.run(command, cwd=tree, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "build.log").write_text(done.stdout + done.stderr)
    (archive,) = folder.glob({"sdist": "*.tar.gz", "wheel": "*.whl"}[kind])
    return archive


def install(wheel, folder):
    """As ``pip install --no-deps --target`` does, where there may be no pip."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder
