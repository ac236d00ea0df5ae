"""Fixtures shared by every test."""

import json
import os
import signal
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

from golden import rule
from places import FIXTURES


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real images; see CONTRIBUTING.md."""
    folder = os.environ.get("HRNET_TF_DATA")
    if not folder:
        pytest.skip("set HRNET_TF_DATA to the folder of real images")
    return Path(folder)


class Golden:
    """One network of the original implementations: rule-made weights, input, expected numbers."""

    def __init__(self, name):
        folder = FIXTURES / name
        self.keys = json.loads((folder / "keys.json").read_text())
        self.meta = json.loads((folder / "meta.json").read_text())
        self.expected = np.load(folder / "expected.npz")

    def weights(self):
        return rule.weights(self.keys, self.meta["gamma_gain"], self.meta.get("key_scale"))

    def image(self):
        """(B, H, W, C)."""
        nchw = rule.model_input(self.meta["input_name"], self.meta["input_shape_nchw"])
        return nchw.transpose(0, 2, 3, 1)

    def error(self, output, name="output"):
        """Largest and rms difference of `output` (B, H, W, C) or (B, C), in standard deviations."""
        facts = self.meta["outputs"][name]
        ours = rule.sample(np.moveaxis(np.asarray(output), -1, 1), facts["stride"])
        error = np.abs(ours - self.expected[name].ravel()) / facts["std"]
        return error.max(), np.sqrt(np.mean(error**2))


@pytest.fixture(scope="session")
def golden():
    return Golden


@pytest.fixture
def interrupt(monkeypatch):
    """Presses Ctrl-C during a step of training, once."""
    from hrnet_tf.training.loop.callbacks import Count

    def at(step):
        count, steps = Count.on_train_batch_end, [step]

        def counted(self, batch, logs=None):
            count(self, batch, logs)
            if self.position.step in steps:
                steps.clear()
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(Count, "on_train_batch_end", counted)

    return at
