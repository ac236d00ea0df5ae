"""The demo draws, trains, judges and writes a page that needs no other file."""

import dataclasses

import pytest
import tiny_detectors

from hrnet_tf.convert.demo import convert_demo
from hrnet_tf.training.detection.demo import demo
from hrnet_tf.training.recipe import load_recipe


def test_the_demo_ends_with_a_page_and_a_table_of_files(tmp_path, monkeypatch, capsys):
    tiny_detectors.shrink(monkeypatch.setattr)
    changes = {"epochs": 1, "warmup_steps": 0, "evaluate_every": 1, "score_threshold": 0.0}
    recipe = dataclasses.replace(load_recipe("synthetic_detection"), **changes)
    path = demo(tmp_path / "demo", recipe, scenes=8, held_out=4)
    text = path.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") == 2 and "AP50" in text and "person" in text
    assert "AP of boxes 0." in capsys.readouterr().out
    heads, *rows = convert_demo(tmp_path / "demo", threads=1)
    assert "AP" in heads
    names = ["model.keras", *(f"model_{each}.tflite" for each in ("float32", "float16", "int8"))]
    assert [row.split()[0] for row in rows] == names
    accuracies = [float(row.split()[3]) for row in rows]
    assert accuracies == pytest.approx([accuracies[0]] * 4, abs=0.05)
