"""The demo draws, trains, judges and writes a page that needs no other file."""

import dataclasses

from tiny_classification import network

from hrnet_tf.training.classification import task
from hrnet_tf.training.classification.demo import demo
from hrnet_tf.training.recipe import load_recipe


def test_the_demo_ends_with_a_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(task, "classification", network)
    recipe = dataclasses.replace(load_recipe("synthetic_classification"), epochs=1, warmup_steps=0)
    path = demo(tmp_path / "demo", recipe, drawings=21, held_out=14)
    text = path.read_text(encoding="utf-8")
    assert 'src="data:image/jpeg' in text and "predicted →" in text and "mean_class" in text
    assert "top-1 " in capsys.readouterr().out
    assert (path.parent / "model" / "model.keras").is_file()
