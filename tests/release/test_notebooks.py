"""Every notebook runs from its first cell to its last, with a small n."""

from pathlib import Path

import nbformat
import pytest
from cases import long
from nbclient import NotebookClient

from pycrust.bench.machine import free_threaded_build

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
SHOWS = {
    "exact_sums_of_squares": {"image/png"},
    "release_the_gil_yourself": {"text/html", "image/png"},
    "threads_and_the_gil": {"text/html", "image/png"},
}

LONG = {"release_the_gil_yourself"}  # it does and measures what the tutorial does, which test_tutorial follows

pytestmark = [pytest.mark.slow, pytest.mark.thread_unsafe(reason="runs kernels in other processes")]


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def kinds(notebook):
    return {kind for output in outputs(notebook) for kind in output.get("data", {})}


@pytest.mark.parametrize(
    "path", [long(path) if path.stem in LONG else path for path in NOTEBOOKS], ids=lambda path: path.stem
)
# The client's own asyncio and zmq code warns on some platforms; what a cell warns of is looked at below.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_runs(path, monkeypatch, tmp_path):
    monkeypatch.setenv("PYCRUST_NOTEBOOK_N", "100000")
    monkeypatch.delenv("PYTHON_GIL", raising=False)  # as a reader's Python is
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    complaints = [output.text for output in outputs(notebook) if output.get("name") == "stderr"]
    if free_threaded_build() and "%%cython" in path.read_text():  # the text says why
        (complaint,) = complaints
        assert "The global interpreter lock (GIL) has been enabled to load module '_cython_magic" in complaint
    else:
        assert not complaints
    assert SHOWS[path.stem] <= kinds(notebook)


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} == set(SHOWS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_committed_with_its_outputs(path):
    """A reader on GitHub sees the results: every code cell was run, in order, and none failed."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [
        output for output in outputs(notebook) if output.output_type == "error" or output.get("name") == "stderr"
    ]
    assert SHOWS[path.stem] <= kinds(notebook)
