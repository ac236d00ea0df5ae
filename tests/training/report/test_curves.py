"""Learning curves: what the picture of a run must show."""

import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from hrnet_tf.training.report.curves import curves, write_curves

SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg):
    """Panels by title: line name -> points (x, y)."""
    panels = {}
    for group in ElementTree.fromstring(svg).findall(f"{SVG}g"):
        title, *names = [text.text or "" for text in group.findall(f"{SVG}text")]
        lines = [line.get("points") for line in group.findall(f"{SVG}polyline")]
        points = [[tuple(map(float, p.split(","))) for p in line.split()] for line in lines]
        panels[title] = dict(zip(names, points, strict=False))
    return panels


def test_curves_go_where_the_numbers_go():
    losses, rates = (1e-2, 3e-3, 1e-3), (1e-3, 1e-3, 1e-4)
    history = [
        {"epoch": str(i), "loss": str(v), "val_loss": str(2 * v), "AP": str(1 - v), "EPE": "12",
         "learning_rate": str(rate)}
        for i, (v, rate) in enumerate(zip(losses, rates, strict=True), 1)
    ]  # fmt: skip
    panels = drawn(curves(history))
    assert [title.split(" (")[0] for title in panels] == [
        "loss", "evaluation", "learning rate",
    ]  # fmt: skip
    heat, evaluation, rate = panels.values()
    assert list(heat) == ["training", "held out"]
    for line in (heat["training"], heat["held out"]):
        for (x0, y0), (x1, y1) in pairwise(line):
            assert x1 > x0 and y1 > y0  # y grows downwards in SVG
    assert all(b[1] < a[1] for a, b in zip(heat["training"], heat["held out"], strict=True))
    assert "EPE" not in evaluation and evaluation["AP"][0][1] > evaluation["AP"][2][1]
    heights = [y for _, y in rate[""]]
    assert heights[0] == heights[1] < heights[2]


def test_what_was_not_measured_leaves_a_gap_and_no_panel():
    history = [
        {"epoch": "1", "loss": "0.1", "AP": "", "learning_rate": "0.001"},
        {"epoch": "2", "loss": "0.05", "AP": "0.5", "learning_rate": "0.001"},
        {"epoch": "3", "loss": "nan", "AP": "", "learning_rate": "0"},
    ]
    panels = drawn(curves(history))
    lines = {name: len(line) for panel in panels.values() for name, line in panel.items() if name}
    assert lines["training"] == 2 and lines["AP"] == 1
    assert not drawn(curves([])) and not drawn(curves([{"epoch": "1", "loss": "nan"}]))
    assert "held out" not in curves(history)


def test_curves_are_written_beside_their_history(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss,learning_rate\n1,0.5,0.001\n")
    path = write_curves(tmp_path)
    assert path == tmp_path / "curves.svg" and drawn(path.read_text())
    (tmp_path / "history.csv").unlink()
    with pytest.raises(FileNotFoundError):
        write_curves(tmp_path)
    assert drawn(path.read_text())  # what was there is kept
