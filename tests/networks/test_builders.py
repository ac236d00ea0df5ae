"""Networks: shapes, names, parameter counts, the model contract on every backend."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import hrnet_tf
from hrnet_tf.networks.specs import HRNetSpec, LiteHRNetSpec

from model_contract import (
    call,
    check_mixed_precision,
    check_model,
    check_public_docstring,
    copy_weights,
    random_weights,
)

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


HRNET = TINY["hrnet"]
FAMILY = {
    "landmarks": (
        lambda: hrnet_tf.pose(HRNET, (64, 64, 3), 7, head="v2"),
        (16, 16, 7),
    ),
    "segmentation": (lambda: hrnet_tf.segmentation(HRNET, 4, (64, 96, 3)), (16, 24, 4)),
    "segmentation, corners, odd size": (
        lambda: hrnet_tf.segmentation(HRNET, 4, (77, 61, 3), align_corners=True, full_size=True),
        (77, 61, 4),
    ),
    "OCR": (
        lambda: hrnet_tf.segmentation(HRNET, 4, (64, 64, 3), head="ocr", align_corners=True),
        {"aux": (16, 16, 4), "logits": (16, 16, 4)},
    ),
    "classification": (lambda: hrnet_tf.classification(HRNET, 10, (64, 64, 3)), (10,)),
    "feature pyramid": (
        lambda: hrnet_tf.feature_pyramid(HRNET, (64, 128, 3), channels=12),
        {f"P{i + 2}": (16 >> i, 32 >> i, 12) for i in range(5)},
    ),
    "increased features": (
        lambda: hrnet_tf.backbone(HRNET, (64, 64, 3), features="increased", stem=True),
        {"P1": (32, 32, 64)} | {f"P{i + 2}": (16 >> i, 16 >> i, 128 << i) for i in range(4)},
    ),
}


@pytest.mark.parametrize(("build", "shapes"), FAMILY.values(), ids=FAMILY)
def test_the_family_keeps_the_contract(build, shapes, tmp_path):
    check_model(build(), shapes, tmp_path)


@pytest.mark.parametrize("build", [build for build, _ in FAMILY.values()], ids=FAMILY)
def test_the_family_returns_float32_in_mixed_precision(build):
    check_mixed_precision(build)


@pytest.mark.parametrize("spec", TINY.values(), ids=TINY)
def test_mixed_precision_returns_float32(spec):
    check_mixed_precision(lambda: hrnet_tf.pose(spec, (64, 64, 3)))


@pytest.mark.parametrize("head", ["concat", "ocr"])
def test_segmentation_takes_any_size_that_is_a_multiple_of_32(head):
    """One network with dynamic sizes gives the logits of networks of fixed size."""
    dynamic = hrnet_tf.segmentation(HRNET, 4, (None, None, 3), head=head, full_size=True)
    random_weights(dynamic)
    for size in ((64, 96), (32, 64)):
        static = hrnet_tf.segmentation(HRNET, 4, (*size, 3), head=head, full_size=True)
        copy_weights(dynamic, static)
        x = np.random.default_rng(0).standard_normal((1, *size, 3)).astype("float32")
        wanted = keras.tree.flatten(call(static, x))
        for ours, other in zip(keras.tree.flatten(call(dynamic, x)), wanted, strict=True):
            np.testing.assert_allclose(ours, other, atol=1e-3)


def test_fewer_exchange_units_keep_streams_and_outputs():
    """Table 6 of Sun et al. CVPR 2019: 8 exchange units, 3 across stages, 1 final."""
    spec = HRNetSpec(8, 1, 8, (1, 4, 3), 1)
    counts = {}
    for exchange in ("within", "across", "final"):
        model = hrnet_tf.pose(replace(spec, exchange=exchange), (64, 64, 3))
        assert model.output_shape == (None, 16, 16, 17)
        units = {n.split(".fuse_layers")[0] for n in _names(model) if ".fuse_layers" in n}
        counts[exchange] = len(units)
    assert counts == {"within": 8, "across": 3, "final": 1}


def _names(model):
    return [layer.name for layer in model.layers]


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


def test_docstrings_state_the_contract():
    for name in ("pose", "segmentation", "classification", "backbone", "feature_pyramid"):
        check_public_docstring(getattr(hrnet_tf, name))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(arch="w23"), "Did you mean w32"),
        (dict(arch="w32", input_shape=(250, 192, 3)), r"nearest is \(256, 192, 3\)"),
        (dict(arch="w32", input_shape=(10, 192, 3)), r"nearest is \(32, 192, 3\)"),
        (dict(arch="w32", input_shape=(256, 192)), r"\(height, width, channels\)"),
        (dict(arch="lite18", input_shape=(None, 192, 3)), "fixed height and width"),
        (dict(arch="w32", num_keypoints=0), "positive integer"),
        (dict(arch="w18", head="v3"), "`head` must be one of v1, v2"),
        (dict(arch="lite18", head="v2"), "its own way"),
    ],
)
def test_wrong_arguments_say_the_way_out(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        hrnet_tf.pose(**arguments)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: hrnet_tf.segmentation("lite18", 19), "w18_small_v1 is the smallest"),
        (lambda: hrnet_tf.segmentation("w18", 0), "Cityscapes has 19"),
        (lambda: hrnet_tf.segmentation("w18", 19, (None, None, 3), align_corners=True), "fixed"),
        (lambda: hrnet_tf.segmentation("w18", 19, (20, 64, 3)), "at least 32"),
        (lambda: hrnet_tf.feature_pyramid("w18", (96, 128, 3)), "multiples of 64"),
        (lambda: hrnet_tf.feature_pyramid("w18", pooling="mean"), "average, max"),
        (lambda: hrnet_tf.classification("w18", input_shape=(225, 224, 3)), "nearest is"),
        (lambda: hrnet_tf.backbone("lite18", stem=True), "no stem map"),
    ],
)
def test_the_family_says_the_way_out(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()


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
