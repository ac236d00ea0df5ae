"""The demo draws, trains, judges and writes a page that needs no other file."""

import dataclasses

import pytest
import tiny_detectors

from hrnet_tf.convert.demo import convert_demo
from hrnet_tf.training.detection.demo import demo
from hrnet_tf.training.recipe import load_recipe


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    changes = {"epochs": 1, "warmup_steps": 0, "evaluate_every": 1, "score_threshold": 0.0}
    recipe = dataclasses.replace(load_recipe("synthetic_detection"), **changes)
    with pytest.MonkeyPatch.context() as patch:
        tiny_detectors.shrink(patch.setattr)
        return demo(tmp_path_factory.mktemp("demo"), recipe, scenes=8, held_out=4)


def test_the_demo_ends_with_a_page(page):
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") == 2 and "AP50" in text and "person" in text
    assert "AP of masks" in text
    assert (page.parent / "model" / "model.keras").is_file()


@pytest.mark.slow
def test_the_demo_ends_with_a_table_of_files(page):
    """Of the size of training, since the network takes any; none is trained for integers."""
    heads, *rows = convert_demo(page.parent, threads=1)
    assert heads.split()[:7] == ["file", "numbers", "MB", "AP", "ΔAP", "AP", "mask"]
    names = ["model.keras"]
    names += [f"model_96x128_{each}.tflite" for each in ("float32", "float16", "int8")]
    assert [row.split()[0] for row in rows] == names
    accuracies = [float(row.split()[3]) for row in rows]
    assert accuracies == pytest.approx([accuracies[0]] * 4, abs=0.05)
