"""Detectors of each kind find a planted person where it is."""

import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

import hrnet_tf
from hrnet_tf.labels.keypoint_sets import KEYPOINT_SETS
from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.tasks.detection import people as detect
from hrnet_tf.tasks.detection.options import Choice

BOX = (20, 8, 40, 32)  # x, y, width, height of the white person in a black image


def _image(shape=(64, 128), box=BOX):
    image = np.zeros((*shape, 3), np.uint8)
    x, y, w, h = box
    image[y : y + h, x : x + w] = 255
    return image


def _bright(images):
    """Left, top, right, bottom of what is bright in (B, H, W, 3): (B, 4)."""
    light = ops.cast(ops.max(images, axis=-1) > 0.5, "int32")
    sides = []
    for axis in (1, 2):
        line = ops.max(light, axis=axis)
        first = ops.cast(ops.argmax(line, axis=1), "float32")
        last = line.shape[1] - ops.cast(ops.argmax(ops.flip(line, axis=1), axis=1), "float32")
        sides.append((first, last))
    (left, right), (top, bottom) = sides
    return ops.stack([left, top, right, bottom], axis=-1)


# KerasHub


def _retinanet(num_classes=91, person=1, shape=(64, 64, 3)):
    """A RetinaNet whose heads see one bright thing: a person of logit 2, and of logit 4 a class 5.

    All but the answer of the two heads is KerasHub's.
    """
    models = pytest.importorskip("keras_hub", reason="needs KerasHub").models

    class Planted(models.RetinaNetObjectDetector):
        def call(self, inputs, training=None, mask=None):
            anchors = ops.concatenate(list(self.anchor_generator(inputs).values()), axis=0)
            boxes = ops.repeat(_bright(inputs)[:, None], anchors.shape[0], axis=1)
            deltas = keras.utils.bounding_boxes.encode_box_to_deltas(
                anchors,
                boxes,
                anchor_format=self.anchor_generator.bounding_box_format,
                box_format="xyxy",
                encoding_format="center_xywh",
                image_shape=inputs.shape[1:],
            )
            logits = np.full((1, anchors.shape[0], num_classes), -9.0, "float32")
            logits[0, 7, person], logits[0, 9, 5] = 2.0, 4.0
            logits = logits + 0 * deltas[..., :1]
            return {"bbox_regression": deltas, "cls_logits": logits}

    encoder = hrnet_tf.backbone(HRNetSpec(8, 1, 8, (1, 1, 1), 1), shape)
    neck = models.RetinaNetBackbone(
        image_encoder=encoder, min_level=2, max_level=5, use_p5=False, image_shape=shape
    )
    import keras_hub

    converter = keras_hub.layers.RetinaNetImageConverter(
        image_size=shape[:2], scale=1 / 255, pad_to_aspect_ratio=True, crop_to_aspect_ratio=False
    )
    return Planted(
        backbone=neck,
        num_classes=num_classes,
        pre_logits_num_conv_layers=1,
        preprocessor=models.RetinaNetObjectDetectorPreprocessor(image_converter=converter),
    )


def test_retinanet_finds_the_planted_person():
    """Through letterbox, normalisation, anchors and back, in images of several shapes at once.

    A likelier thing of another class in the same place, which KerasHub's own NMS would keep
    instead, does not hide the person.
    """
    model = _retinanet()
    usual = model.prediction_decoder
    find = detect.keras_hub_detector(model)
    images = [_image(), _image((128, 64), (8, 20, 32, 40)), _image((64, 64), (10, 20, 30, 40))]
    found = find(images)
    for (boxes, scores), box in zip(found, [BOX, (8, 20, 32, 40), (10, 20, 30, 40)], strict=True):
        np.testing.assert_allclose(boxes, [box], atol=1e-3)
        np.testing.assert_allclose(scores, [1 / (1 + np.exp(-2))], rtol=1e-5)
    assert find([]) == []
    assert model.prediction_decoder is usual
    other = detect.keras_hub_detector(model, person=5)
    assert other([_image()])[0][1][0] == pytest.approx(1 / (1 + np.exp(-4)))


@pytest.mark.parametrize(
    ("facts", "person", "said"),
    [
        (dict(num_classes=20), None, r"`person` must be the index .* 20 classes"),
        (dict(num_classes=20), 20, r"from 0 to 19\. Received: person=20"),
        (dict(input_shape=(None, None, None, 3)), None, r"`model` must take images of one size"),
    ],
)
def test_a_model_that_does_not_tell_what_is_needed_is_refused(facts, person, said):
    facts = dict(num_classes=80, input_shape=(None, 64, 64, 3), preprocessor=None) | facts
    with pytest.raises(ValueError, match=said):
        detect.keras_hub_detector(SimpleNamespace(**facts), person=person)


def _dfine(size, box_format):
    keras_hub = pytest.importorskip("keras_hub", reason="needs KerasHub")
    keras.utils.set_random_seed(0)
    trunk = keras_hub.models.HGNetV2Backbone(
        depths=[1] * 4,
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        stem_channels=[3, 8, 8],
        hidden_act="relu",
        use_learnable_affine_block=True,
        stackwise_stage_filters=[[8, 8, 8, 1, 1, 3]] * 2
        + [[8, 8, 16, 1, 1, 3], [16, 8, 16, 1, 1, 3]],
        apply_downsample=[False, True, True, True],
        use_lightweight_conv_block=[False, False, True, True],
        image_shape=(*size, 3),
        out_features=["stage3", "stage4"],
    )
    backbone = keras_hub.models.DFineBackbone(
        backbone=trunk,
        decoder_in_channels=[16, 16],
        encoder_hidden_dim=16,
        num_labels=80,
        num_denoising=0,
        learn_initial_query=False,
        num_queries=6,
        anchor_image_size=size,
        feat_strides=[16, 32],
        num_feature_levels=2,
        hidden_dim=16,
        encoder_in_channels=[16, 16],
        encode_proj_layers=[1],
        num_attention_heads=2,
        encoder_ffn_dim=16,
        num_encoder_layers=1,
        hidden_expansion=0.5,
        depth_multiplier=0.34,
        eval_idx=-1,
        num_decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=16,
        decoder_n_points=[2, 2],
        lqe_hidden_dim=8,
        num_lqe_layers=2,
        out_features=["stage3", "stage4"],
        image_shape=(*size, 3),
    )
    converter = keras_hub.layers.DFineImageConverter(image_size=size, scale=1 / 255)
    preprocessor = keras_hub.models.DFineObjectDetectorPreprocessor(image_converter=converter)
    return keras_hub.models.DFineObjectDetector(
        backbone, 80, bounding_box_format=box_format, preprocessor=preprocessor
    )


def test_dfine_of_a_preset_folder_returns_the_boxes_of_its_network(tmp_path):
    """Published D-FINE presets hold the backbone without the number of classes: they open too."""
    model = _dfine((64, 96), "yxyx")
    model.backbone.save_to_preset(tmp_path)
    model.preprocessor.save_to_preset(tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (128, 48, 3), dtype=np.uint8)
    every = Choice(score_threshold=0, nms=1)
    [(boxes, scores)] = detect.detector(tmp_path, every)([image])

    pixels = detect.fit(image, (64, 96), letterbox=False)[0][None] / 255
    raw = {name: np.asarray(x)[0] for name, x in model(pixels.astype("float32")).items()}
    order = np.argsort(-raw["logits"][:, 0], kind="stable")
    centre, sides = np.split(raw["pred_boxes"][order], 2, axis=-1)
    low, high = np.clip(centre - sides / 2, 0, 1), np.clip(centre + sides / 2, 0, 1)
    expected = np.concatenate([low, high - low], axis=-1) * [48, 128, 48, 128]
    np.testing.assert_allclose(np.sort(boxes, axis=0), np.sort(expected, axis=0), atol=0.02)
    logits = raw["logits"][order, 0]
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing_such", "nothing_such: KerasHub cannot open it: Unknown preset identifier."),
        ("nothing.tflite", "nothing.tflite: no such file"),
        ("boxes.json", "Boxes from a file go into --boxes"),
    ],
)
def test_a_detector_that_cannot_be_opened_gets_one_sentence(name, said):
    if "tflite" not in name and "json" not in name:
        pytest.importorskip("keras_hub", reason="needs KerasHub")
    with pytest.raises((OSError, ValueError), match=said) as caught:
        detect.detector(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "module", "said"),
    [
        ("dfine_nano_coco", "keras_hub", "needs KerasHub: pip install"),
        ("{tmp}/x.tflite", "ai_edge_litert.interpreter", "pip install ai-edge-litert"),
    ],
)
def test_a_missing_library_is_named(tmp_path, monkeypatch, name, module, said):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "x.tflite").write_bytes(b"x")
    with pytest.raises(OSError, match=said):
        detect.detector(name.format(tmp=tmp_path))


def test_without_a_detector_each_picture_is_one_person(monkeypatch):
    """And the words say why, and what was asked for."""
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    find, words = detect.default_detector()
    assert find is detect.detector("none") is detect.whole_image
    assert words.startswith("none, each picture is taken for one person. dfine_nano_coco needs")
    [(boxes, scores), _] = find([_image(), _image((9, 9), (1, 1, 2, 2))])
    assert boxes.tolist() == [[0, 0, 128, 64]]
    assert scores.tolist() == [1]


def test_only_people_are_looked_for_by_default():
    """Faces, hands and animals have networks too, which a box around a person would mislead."""
    people = {name for name, each in KEYPOINT_SETS.items() if detect.of_people(each.names)}
    assert people == {"coco", "coco_wholebody", "coco_aic", "mpii", "crowdpose"}


# TFLite


def _tflite(path, dtype, order=("boxes", "classes", "scores", "count"), size=(48, 64)):
    """A detector that sees the bright thing twice as a person, and once as a likelier class 17."""
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
    middle = {np.uint8: 128, np.int8: 0, np.float32: 0}[dtype]

    def call(image):
        light = tf.cast(tf.cast(image, tf.float32) >= middle, tf.float32)
        left, top, right, bottom = tf.unstack(_bright(light)[0])
        box = tf.stack([top / size[0], left / size[1], bottom / size[0], right / size[1]])
        outputs = {
            "boxes": tf.stack([box, box * 0.999, box, 0 * box])[None],
            "classes": tf.constant([[17.0, 0.0, 0.0, 0.0]]) + 0 * left,
            "scores": tf.constant([[0.95, 0.875, 0.75, 0.9]]) + 0 * left,
            "count": tf.constant([3.0]) + 0 * left,
        }
        return tuple(outputs[name] for name in order)

    signature = [tf.TensorSpec((1, *size, 3), tf.as_dtype(dtype))]
    concrete = tf.function(call, input_signature=signature).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    path.write_bytes(converter.convert())
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32])
@pytest.mark.parametrize(
    "order",
    [("boxes", "classes", "scores", "count"), ("scores", "boxes", "count", "classes")],
    ids=["as TensorFlow 1", "as TensorFlow 2"],
)
def test_tflite_finds_the_planted_person(tmp_path, dtype, order):
    """Of every input type and order of outputs; other classes and rows beyond the count are not."""
    find = detect.detector(_tflite(tmp_path / "x.tflite", dtype, order))
    [(boxes, scores), (others, _)] = find([_image((96, 128)), _image((24, 64), (8, 4, 16, 10))])
    np.testing.assert_allclose(boxes, [np.array(BOX) * 0.999], atol=1e-3)
    np.testing.assert_allclose(scores, [0.875])
    np.testing.assert_allclose(others, [np.array((8, 4, 16, 10)) * 0.999], atol=1e-3)
    both = detect.tflite_detector(tmp_path / "x.tflite", Choice(nms=1.0))
    assert both([_image((96, 128))])[0][1].tolist() == [0.875, 0.75]
    other = detect.tflite_detector(tmp_path / "x.tflite", person=17)
    np.testing.assert_allclose(other([_image((96, 128))])[0][0], [BOX], atol=1e-3)


def test_other_tflite_files_are_refused(tmp_path):
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
    (tmp_path / "x.tflite").write_bytes(b"TFL3 or not")
    with pytest.raises(ValueError, match="not a TFLite file that can be run") as caught:
        detect.detector(tmp_path / "x.tflite")
    assert "\n" not in str(caught.value)
    signature = [tf.TensorSpec((1, 8, 8, 3), tf.float32)]
    function = tf.function(lambda x: x + 1, input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    (tmp_path / "y.tflite").write_bytes(converter.convert())
    with pytest.raises(ValueError, match=r"inputs \[\(1, 8, 8, 3\)\], outputs \[\(1, 8, 8, 3\)\]"):
        detect.detector(tmp_path / "y.tflite")
