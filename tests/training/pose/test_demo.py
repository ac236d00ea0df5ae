"""The demo: its page, and the work of others that it must not touch."""

import re

from hrnet_tf import cli
from hrnet_tf.training.pose import demo, task

import tiny_training


def test_the_demo_makes_one_page_that_needs_no_other_file(monkeypatch, tmp_path):
    monkeypatch.setattr(task, "pose", tiny_training.network)
    recipe = tiny_training.write_recipe(tmp_path)
    page = demo.demo(tmp_path / "demo", recipe, scenes=4, held_out=3)
    html = page.read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', html)
    assert len(sources) == 3 and all(source.startswith("data:image/") for source in sources)
    names = html.replace("http://www.w3.org/2000/svg", "")  # a name, nothing is fetched
    assert "://" not in names and "@import" not in names
    for word in ("heat map", "AP75", "hrnet-tf predict", "polyline"):
        assert word in html
    for name in ("scene.png", "held_out.png", "heatmaps.png", "model/model.keras"):
        assert (tmp_path / "demo" / name).stat().st_size > 1000


def test_the_demo_keeps_what_it_finds(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert cli.main(["demo", f"--output={tmp_path}"]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
