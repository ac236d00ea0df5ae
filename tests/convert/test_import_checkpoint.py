"""Scripts of convert/, run by path as users do."""

import subprocess
import sys

import keras
import numpy as np

from hrnet_tf.cards.files import read_card
from hrnet_tf.presets import PRESETS, from_preset

from places import ROOT

SCRIPT = ROOT / "convert" / "import_checkpoint.py"


def run(*arguments):
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_import_checkpoint_gives_a_model_and_its_card(tmp_path):
    """The saved network has the checkpoint's weights, and is not replaced without being asked."""
    model = from_preset("tinypose_128x96", weights=None)
    arrays, output = {}, tmp_path / "tiny.keras"
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            leaves = ("weight", "bias", "running_mean", "running_var")
        else:
            leaves = ("weight", "bias")
        for leaf, value in zip(leaves, layer.get_weights(), strict=False):
            order = {1: (0,), 4: (3, 2, 0, 1)}[value.ndim]
            if isinstance(layer, keras.layers.DepthwiseConv2D):
                order = (2, 3, 0, 1)
            arrays[f"backbone.{layer.name}.{leaf}"] = value.transpose(order)
    np.savez(tmp_path / "w.npz", **arrays)
    flags = (f"--weights={tmp_path / 'w.npz'}", f"--output={output}", "--model=tinypose_128x96")
    done = run(*flags)
    assert done.returncode == 0, done.stderr
    for ours, wanted in zip(
        keras.models.load_model(output).get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, wanted)
    assert read_card(output) == PRESETS["tinypose_128x96"].card

    again = run(*flags)
    assert again.returncode == 1 and "--overwrite" in again.stderr.splitlines()[-1]


def test_scripts_ask_for_the_package_in_one_sentence(tmp_path):
    """`python -S` finds no installed package, as a fresh clone does."""
    command = [sys.executable, "-S", str(SCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "pip install -e ." in done.stderr and "Traceback" not in done.stderr
