"""Training by tensorflow-model-optimization: the same data and loss, another library's network."""

import json
import sys

import numpy as np
import pytest

import hrnet_tf
from hrnet_tf import cli
from hrnet_tf.cards.files import save_model
from hrnet_tf.convert.options import Options, default_output
from hrnet_tf.convert.source import open_source
from hrnet_tf.convert.to_tflite import to_tflite
from hrnet_tf.networks.pose import pose
from hrnet_tf.runtime.converted import open_converted

import tiny_training
from tiny_networks import HRNET, SHAPE, lively


@pytest.fixture
def installed():
    reason = 'needs `pip install -e ".[tfmot]"`'
    pytest.importorskip("tensorflow_model_optimization", reason=reason)


def write_network(folder):
    """A tiny HRNet with its card and recipe, in `folder`."""
    recipe = tiny_training.write_recipe(folder, **tiny_training.PLAIN, batch_size=5)
    path = folder / "model.keras"
    save_model(lively(pose(HRNET, SHAPE)), recipe.card, path)
    (folder / "recipe.json").write_text(recipe.to_json())
    return path


def test_a_tiny_network_becomes_a_file_of_integers_that_predicts(tmp_path, installed, capsys):
    """One step at a rate of 0: the file must answer nearly as the network does."""
    path, said = write_network(tmp_path), []
    options = Options("int8", qat=True, qat_by="tfmot", qat_epochs=1, qat_rate=1e-9, count=8)
    file = to_tflite(path, options=options, report=said.append)
    assert file == tmp_path / "model_qat_tfmot_int8.tflite"
    assert any(line.startswith("Epoch 1 of 1: loss ") for line in said)
    card = json.loads(file.with_suffix(".json").read_text())
    assert card["input"]["dtype"] == card["output"]["dtype"] == "int8"
    assert card["conversion"]["training"]["by"] == "tensorflow-model-optimization"
    crops = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype("float32")
    (wanted,) = open_source(path)({"image": crops}).values()
    (found,) = open_converted(file)({"image": crops}).values()
    assert np.square(found - wanted).mean() < 0.05 * np.square(wanted).mean()
    image = tmp_path / "set" / "images" / "000000000000.jpg"
    assert hrnet_tf.predictor(file)(str(image)) is not None


def test_without_the_library_one_sentence_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorflow_model_optimization", None)
    words = ["convert", f"--model={write_network(tmp_path)}", "--qat", "--qat_by=tfmot"]
    assert cli.main(words) == 1
    assert 'not installed: `pip install -e ".[tfmot]"`.' in capsys.readouterr().err
    assert not [*tmp_path.glob("*.tflite")]


def test_what_does_not_go_together_is_refused(tmp_path, capsys):
    assert cli.main(["convert", "--int8", "--qat_by=tfmot"]) == 2
    assert "`--qat_by` goes with --qat" in capsys.readouterr().err
    words = ["convert", "--qat", "--qat_by=tfmot", "--precision=int8_float_head"]
    assert cli.main([*words, f"--model={write_network(tmp_path)}"]) == 1
    assert "Choose int8." in capsys.readouterr().err
    ours, theirs = (Options("int8", qat=True, qat_by=each) for each in ("ours", "tfmot"))
    assert default_output("a.keras", ours) != default_output("a.keras", theirs)
