"""Networks: shapes, names, parameter counts, the model contract on every backend."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from model_contract import (
    call,
    check_mixed_precision,
    check_model,
    check_public_docstring,
    random_weights,
)

import hrnet_tf
from hrnet_tf.specs import HRNetSpec, LiteHRNetSpec

TINY = {
    "hrnet": HRNetSpec(8, 1, 8, (1, 1, 1), 1),
    "lite": LiteHRNetSpec(16, (1, 1, 1), 1),
    "naive": LiteHRNetSpec(8, (1, 1, 1), 1, weighting=False),
}
TENSORFLOW = keras.backend.backend() == "tensorflow"


@pytest.mark.parametrize("spec", TINY.values(), ids=TINY)
def test_pose_keeps_the_contract(spec, tmp_path):
    model = hrnet_tf.pose(spec, (64, 96, 3), num_keypoints=5)
    check_model(model, (16, 24, 5), tmp_path)


def test_backbones_keep_the_contract(tmp_path):
    hrnet = hrnet_tf.backbone(TINY["hrnet"], (64, 64, 3))
    sizes = {"P2": (16, 16, 8), "P3": (8, 8, 16), "P4": (4, 4, 32), "P5": (2, 2, 64)}
    check_model(hrnet, sizes, tmp_path)
    lite = hrnet_tf.backbone(TINY["lite"], (64, 64, 3))
    sizes = {"P2": (16, 16, 16), "P3": (8, 8, 16), "P4": (4, 4, 32), "P5": (2, 2, 64)}
    assert {k: v.shape[1:] for k, v in lite.output.items()} == sizes


@pytest.mark.parametrize("spec", TINY.values(), ids=TINY)
def test_mixed_precision_returns_float32(spec):
    check_mixed_precision(lambda: hrnet_tf.pose(spec, (64, 64, 3)))


def test_dynamic_sizes_equal_static_ones():
    """One HRNet serves every size that is a multiple of 32."""
    static, dynamic = (hrnet_tf.pose(TINY["hrnet"], (s, s, 3)) for s in (64, None))
    random_weights(static)
    dynamic.set_weights(static.get_weights())
    x = np.random.default_rng(0).standard_normal((1, 64, 64, 3)).astype("float32")
    np.testing.assert_allclose(call(dynamic, x), call(static, x), atol=1e-5)


def test_parameters_equal_the_originals():
    """Trainable parameters of the original implementations, counted there."""
    counts = {
        "w32": 28_536_113,
        "w48": 63_595_745,
        "lite18": 1_130_769,
        "lite30": 1_763_717,
        "naive_lite18": 760_365,
        "wider_naive_lite18": 1_318_625,
    }
    for arch, count in counts.items():
        weights = hrnet_tf.pose(arch).trainable_variables
        assert sum(int(np.prod(w.shape)) for w in weights) == count, arch


@pytest.mark.parametrize(
    ("fixture", "arch"),
    [("pose_hrnet_w32_256x192", "w32"), ("mmpose_litehrnet18_256x192", "lite18")],
)
def test_outputs_equal_the_originals(golden, fixture, arch):
    """The original PyTorch networks' heat maps, through the importer."""
    reference = golden(fixture)
    model = hrnet_tf.pose(arch)
    report = hrnet_tf.load_checkpoint(model, reference.weights())
    assert not report.unused and not report.missing
    worst, rms = reference.error(model(reference.image()))
    assert worst <= 3e-4 and rms <= 5e-5


def test_docstrings_state_the_contract():
    check_public_docstring(hrnet_tf.pose)
    check_public_docstring(hrnet_tf.backbone)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(arch="w23"), "Did you mean w32"),
        (dict(arch="w32", input_shape=(250, 192, 3)), r"nearest is \(256, 192, 3\)"),
        (dict(arch="w32", input_shape=(10, 192, 3)), r"nearest is \(32, 192, 3\)"),
        (dict(arch="w32", input_shape=(256, 192)), r"\(height, width, channels\)"),
        (dict(arch="lite18", input_shape=(None, 192, 3)), "fixed height and width"),
        (dict(arch="w32", num_keypoints=0), "positive integer"),
    ],
)
def test_wrong_arguments_say_the_way_out(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        hrnet_tf.pose(**arguments)


CLEAN_PROCESS = """
import sys, keras, numpy as np
for path in sys.argv[1:]:
    model = keras.models.load_model(path + ".keras")
    x, y = np.load(path + ".npz").values()
    np.testing.assert_allclose(model.predict_on_batch(x), y, atol=1e-4, rtol=1e-4)
assert "hrnet_tf" not in sys.modules
"""


@pytest.mark.skipif(not TENSORFLOW, reason="the files are written by the TensorFlow backend")
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_saved_models_open_with_keras_alone(backend, tmp_path):
    """A process that imports only keras, on either backend, computes the same heat maps."""
    paths = []
    for name, spec in TINY.items():
        model = hrnet_tf.pose(spec, (64, 64, 3))
        random_weights(model)
        x = np.random.default_rng(0).standard_normal((1, 64, 64, 3)).astype("float32")
        paths.append(str(tmp_path / name))
        model.save(f"{paths[-1]}.keras")
        np.savez(f"{paths[-1]}.npz", x=x, y=model(x))
    _python(backend, "-c", CLEAN_PROCESS, *paths, cwd=tmp_path)


@pytest.mark.skipif(not TENSORFLOW, reason="already on another backend")
def test_the_contract_holds_on_jax():
    """The contract's tests of this file once more, with Keras on JAX."""
    arguments = ["-m", "pytest", "-p", "no:cacheprovider", str(Path(__file__)), "-k", "contract"]
    _python("jax", *arguments)


def _python(backend, *arguments, **options):
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",  # compile quickly, run slowly
    }
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
