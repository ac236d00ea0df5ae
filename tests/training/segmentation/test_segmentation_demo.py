"""The demo draws, trains, judges and writes a page that needs no other file."""

import dataclasses

import own_masks

from hrnet_tf.training.recipe import load_recipe
from hrnet_tf.training.segmentation import task
from hrnet_tf.training.segmentation.demo import demo


def test_the_demo_ends_with_a_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(task, "segmentation", own_masks.tiny)
    changes = {"epochs": 1, "warmup_steps": 0, "evaluate_every": 1}
    recipe = dataclasses.replace(load_recipe("synthetic_segmentation"), **changes)
    path = demo(tmp_path / "demo", recipe, scenes=18, held_out=5)
    text = path.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") == 2 and "predicted →" in text and "person" in text
    assert "mIoU 0." in capsys.readouterr().out
    assert (path.parent / "model" / "model.keras").is_file()
