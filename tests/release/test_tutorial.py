"""The tutorial, to the letter: its files are written, its commands run, and what stands at the end is its project."""

import os
import re
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
PROJECT = TUTORIAL / "tally"
PAGES = sorted(TUTORIAL.glob("[0-9]-*.md"))

# The reader's environments see the packages of this one: nothing is fetched, and pycrust is there already.
HERE = """
import site, sys
own = len(sys.path)
for folder in {folders!r}:
    site.addsitedir(folder)
sys.path[:] = sys.path[own:] + sys.path[:own]
"""
ALREADY_THERE = ("git clone https://github.com/pycrust/pycrust", "pip install './pycrust[bench]'")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.thread_unsafe(reason="builds, and measures"),
    pytest.mark.skipif(sys.platform == "win32" or not shutil.which("cc"), reason="the commands are a Unix shell's"),
]

pytest.importorskip("Cython")
pytest.importorskip("mypy")
pytest.importorskip("setuptools", minversion="77")


def blocks(page):
    """(file name, text) of each file that a page shows, and (None, commands) of what it types, in order."""
    for language, text in re.findall(r"^```(\S+.*?)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S):
        if caption := re.match(r":caption: `(\S+)`\n\n", text):
            yield caption[1], text[caption.end() :]
        elif language == "console":
            yield None, re.findall(r"^\$ ((?:.*\\\n)*.*\n)((?:(?!\$ ).*\n)*)", text, re.M)


class Reader:
    """Somebody who follows the pages, one after the other, in an empty folder."""

    def __init__(self, folder):
        self.folder, self.step = folder, 0
        (folder / "site").mkdir()
        seen = HERE.format(folders=[*site.getsitepackages(), *([site.getusersitepackages()] * site.ENABLE_USER_SITE)])
        (folder / "site" / "sitecustomize.py").write_text(seen)
        self.environment = os.environ | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(folder / "site"),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # "no isolation: 0" is how pip's environment says that there is none
        }

    def follow(self, number):
        """Do what the pages say, up to this step; what the commands of this step print."""
        while self.step < number:
            self.step += 1
            self.do(PAGES[self.step - 1])

    def do(self, page):
        script, expected = ["set -e"], []
        if page != PAGES[0]:
            script += ["cd tally", ". .venv/bin/activate"]
        for name, content in blocks(page):
            if name:
                source = self.folder / f"block-{len(script)}"
                source.write_text(content, encoding="utf-8")
                script.append(f"cp {source} {name}")  # into a folder that the pages have made
                continue
            for command, output in content:
                script += [f"echo '@{len(expected)}'", command if command.strip() not in ALREADY_THERE else ":"]
                expected.append(output.splitlines())
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        printed = re.split(r"^@\d+$", done.stdout, flags=re.M)[1:]
        for lines, text in zip(expected, printed, strict=True):
            assert [line for line in lines if line not in text.splitlines()] == [], text


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return Reader(tmp_path_factory.mktemp("tutorial"))


def test_there_are_eight_steps():
    assert [int(page.name[0]) for page in PAGES] == list(range(1, 9))
    assert all(any(name is None for name, _ in blocks(page)) for page in PAGES)  # each runs something


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_step(reader, page):
    reader.follow(PAGES.index(page) + 1)


def test_the_project_is_what_the_pages_build(reader):
    reader.follow(len(PAGES))
    made = reader.folder / "tally"
    shown = {name for page in PAGES for name, _ in blocks(page) if name and not name.startswith("trap/")}
    built = ("build", "dist", "*.so", "*.egg-info", "__pycache__", ".*_cache", ".venv", "_tally.c")
    stands = {
        str(path.relative_to(PROJECT))
        for path in PROJECT.rglob("*")
        if path.is_file() and not any(part.match(pattern) for part in [path, *path.parents] for pattern in built)
    }
    assert stands == shown | {"src/tally/py.typed"}
    assert [name for name in stands if (PROJECT / name).read_bytes() != (made / name).read_bytes()] == []
    assert (made / "table.png").read_bytes().startswith(b"\x89PNG")
