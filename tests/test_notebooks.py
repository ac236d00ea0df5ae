"""The notebooks run from their first cell to their last, without a connection."""

import ast
import json
import os
import re

import pytest

from places import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One for all notebooks, which share a network that they train on drawings."""
    return tmp_path_factory.mktemp("notebooks")


def cells(path, kind):
    content = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in content if cell["cell_type"] == kind]


def test_there_are_four():
    assert len(NOTEBOOKS) == 4


def test_results_are_not_stored(path):
    """They would be photos of others, and a change of each run."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None


def test_code_is_python_and_names_what_is_there(path):
    for source in cells(path, "code"):
        ast.parse(source)
        for line in re.findall(r"^ *(from hrnet_tf[.\w]* import [\w, ]+)", source, re.MULTILINE):
            exec(line, {})


def test_links_lead_somewhere(path):
    for text in cells(path, "markdown"):
        for target in re.findall(r"\]\(([^)\s#]+)", text):
            assert (path.parent / target).exists(), target


@pytest.mark.slow
@pytest.mark.xdist_group("notebooks")
@pytest.mark.parametrize("data", ["drawings", pytest.param("photos", marks=pytest.mark.data)])
def test_it_runs(path, data, folder, monkeypatch):
    nbclient, nbformat = (pytest.importorskip(name) for name in ("nbclient", "nbformat"))
    pytest.importorskip("ipykernel")
    if data == "photos" and "HRNET_TF_DATA" not in os.environ:
        pytest.skip("HRNET_TF_DATA names no folder of photos")
    if data == "drawings":
        monkeypatch.delenv("HRNET_TF_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(folder / "keras"))  # no weights from earlier downloads
    book = nbformat.read(path, 4)
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(book, timeout=600, kernel_name="python3", resources=resources)
    client.execute()
    outputs = [out for cell in book.cells for out in cell.get("outputs", ())]
    assert any("image/png" in out.get("data", {}) for out in outputs)
