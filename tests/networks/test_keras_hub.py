"""KerasHub's detectors and segmenters take `hrnet_tf.backbone` as their image encoder."""

import keras
import numpy as np
import pytest

import hrnet_tf
from hrnet_tf.networks.specs import HRNetSpec

from model_contract import call, random_weights

keras_hub = pytest.importorskip(
    "keras_hub", reason="needs KerasHub: pip install keras-hub (0.32.0 is tested)"
)

SHAPE = (64, 64, 3)
LEVELS = {"P2": (16, 16, 256), "P3": (8, 8, 256), "P4": (4, 4, 256), "P5": (2, 2, 256)}
IMAGES = np.random.default_rng(0).standard_normal((1, *SHAPE)).astype("float32")


@pytest.fixture
def encoder():
    return hrnet_tf.backbone(HRNetSpec(8, 1, 8, (1, 1, 1), 1), SHAPE)


def retinanet(encoder):
    """From level 2 on, so that every weight of the trunk has a gradient."""
    backbone = keras_hub.models.RetinaNetBackbone(
        image_encoder=encoder, min_level=2, max_level=5, use_p5=False, image_shape=SHAPE
    )
    return keras_hub.models.RetinaNetObjectDetector(
        backbone=backbone,
        num_classes=3,
        bounding_box_format="xyxy",
        pre_logits_num_conv_layers=1,
    )


def test_detector_reads_the_maps_of_the_backbone(encoder):
    """Each level of the detector is its neck on our map of that stride, whatever our weights."""
    backbone = retinanet(encoder).backbone
    expected = keras.Model(encoder.input, backbone.feature_pyramid(encoder.output))
    seen = []
    for seed in (0, 1):
        random_weights(encoder, seed)
        seen.append(call(backbone, IMAGES))
        assert_equal(seen[-1], call(expected, IMAGES))
    assert {level: x.shape[1:] for level, x in seen[0].items()} == LEVELS
    for level, x in seen[0].items():
        assert np.abs(x - seen[1][level]).max() > 0.1 * x.std()


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="eager training on JAX is slow")
def test_detector_trains_every_weight_of_the_trunk(encoder):
    """One step with KerasHub's own losses; its warning of a missing gradient is an error here."""
    detector = retinanet(encoder)
    detector.compile(optimizer=keras.optimizers.SGD(1e-3), run_eagerly=True)
    before = [w.numpy() for w in encoder.trainable_variables]
    boxes = np.float32([[[5, 5, 30, 30], [10, 20, 55, 50]]])
    truth = {"boxes": boxes, "labels": np.float32([[0, 2]])}
    history = detector.fit(IMAGES, truth, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"][0])
    for old, new in zip(before, encoder.trainable_variables, strict=True):
        assert np.abs(old - new.numpy()).max() > 0, new.path


def test_segmenter_reads_the_maps_of_the_backbone(encoder):
    """DeepLabV3+ reads P5 and P2 and answers at the size of the image."""
    backbone = keras_hub.models.DeepLabV3Backbone(
        image_encoder=encoder,
        spatial_pyramid_pooling_key="P5",
        low_level_feature_key="P2",
        upsampling_size=8,
        dilation_rates=[1, 2],
        image_shape=SHAPE,
    )
    segmenter = keras_hub.models.DeepLabV3ImageSegmenter(backbone=backbone, num_classes=3)
    seen = []
    for seed in (0, 1):
        random_weights(encoder, seed)
        seen.append(call(segmenter, IMAGES))
    assert seen[0].shape == (1, 64, 64, 3)
    assert np.abs(seen[0] - seen[1]).max() > 0.1 * seen[0].std()


def test_a_saved_backbone_needs_its_pyramid_outputs_again(encoder, tmp_path):
    """What `.keras` loses is the attribute; its maps are the model's output, and weights fit."""
    encoder.save(tmp_path / "backbone.keras")
    reloaded = keras.models.load_model(tmp_path / "backbone.keras")
    assert not hasattr(reloaded, "pyramid_outputs")
    reloaded.pyramid_outputs = reloaded.output
    neck, again = retinanet(encoder).backbone, retinanet(reloaded).backbone
    random_weights(neck)
    neck.save_weights(tmp_path / "neck.weights.h5")
    again.load_weights(tmp_path / "neck.weights.h5")
    assert_equal(call(again, IMAGES), call(neck, IMAGES))


def test_a_saved_detector_needs_an_encoder_class(encoder, tmp_path):
    """KerasHub rebuilds the encoder from its config, then asks it for `pyramid_outputs`."""

    class Encoder(keras.Model):
        pyramid_outputs = property(lambda self: self.output)

    detector, path = retinanet(encoder), tmp_path / "detector.keras"
    random_weights(detector)
    detector.save(path)
    with pytest.raises(AttributeError, match="no attribute 'pyramid_outputs'"):
        keras.models.load_model(path, compile=False)
    reloaded = keras.models.load_model(path, {"Functional": Encoder}, compile=False)
    assert_equal(call(reloaded, IMAGES), call(detector, IMAGES))


def assert_equal(ours, expected):
    assert ours.keys() == expected.keys()
    for name, want in expected.items():
        np.testing.assert_allclose(ours[name], want, atol=1e-4 * want.std(), err_msg=name)
