"""`to_savedmodel`: whole pipelines that TensorFlow alone runs, and that equal the predictor."""

import io
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from keras import layers
from PIL import Image

import hrnet_tf
from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.codecs import UDPCombined
from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.cards.files import card_from_json, save_model
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.convert import to_savedmodel as command
from hrnet_tf.convert.formats import saved_model
from hrnet_tf.convert.to_savedmodel import Options, to_savedmodel
from hrnet_tf.tasks import pipeline_of
from hrnet_tf.tasks.detection.options import DetectionOptions

CLASSES = ("cat", "dog", "owl")
BOXES = np.float32([[30, 20, 60, 120], [0, 0, 20, 20], [100, 10, 90, 90]])
SIZE = (64, 96)
SEGMENTS = {"classes": CLASSES, "palette": tuple((i, i, i) for i in range(3))}
OBJECTS = {"head": "fcos", "classes": CLASSES, "category_ids": (1, 2, 3), "sides": SIZE[::-1]}


def picture(height=150, width=200, seed=0):
    """Coarse noise, so that its crops and maps have peaks."""
    small = np.random.default_rng(seed).integers(0, 256, (15, 20, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height)))


def encoded(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


def trunk(size, strides=4, channels=8):
    """The input and the features of a network of three layers."""
    image = keras.Input((*size, 3), name="image")
    x = layers.Conv2D(channels, 5, 2, "same", activation="relu", name="stem")(image)
    return image, layers.Conv2D(channels, 3, strides // 2, "same", activation="relu")(x)


def built(inputs, outputs, name):
    model, rng = keras.Model(inputs, outputs, name=name), np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


def pose_network(size=SIZE, channels=17):
    image, x = trunk(size)
    return built(image, layers.Conv2D(channels, 3, padding="same")(x), "points")


def segmentation_network(size=SIZE, channels=3):
    image, x = trunk(size)
    return built(image, layers.Conv2D(channels, 1)(x), "segments")


def classification_network(activation=None):
    image, x = trunk((56, 48))
    dense = layers.Dense(3, activation=activation)
    return built(image, dense(layers.GlobalAveragePooling2D()(x)), "classes")


def fcos_network(size=SIZE):
    image, x = trunk(size, channels=4)
    kinds, outputs = {"class_logits": 3, "log_distances": 4, "centerness": 1}, {}
    for level in range(3, 8):
        x = layers.Conv2D(8, 3, 2, "same", activation="relu")(x)
        for kind, count in kinds.items():
            outputs[f"{kind}_P{level}"] = layers.Conv2D(count, 1)(x)
    return built(image, outputs, "objects")


CASES = {
    "udp_combined": (
        lambda: pose_network(channels=51),
        PoseCard(codec=UDPCombined()),
        {"flip": True},
    ),
    "logits": (classification_network, ClassificationCard(classes=CLASSES), {"top": 2}),
    "sigmoid": (
        lambda: classification_network("sigmoid"),
        ClassificationCard(classes=CLASSES, interpolation="bicubic", crop_fraction=1.0,
                           scores="sigmoid"),
        {},
    ),
    "windows": (segmentation_network, SegmentationCard(**SEGMENTS), {"flip": True}),
    "any size": (
        lambda: segmentation_network((None, None)),
        SegmentationCard(**SEGMENTS, resize="long", base_size=100),
        {"scales": (0.5, 1.25)},
    ),
    "both sides": (
        lambda: segmentation_network((None, None), 1),
        SegmentationCard(classes=CLASSES[:2], palette=SEGMENTS["palette"][:2], resize="both",
                         base_size=90, one_channel=True),
        {},
    ),
    "bordered": (
        segmentation_network,
        SegmentationCard(**SEGMENTS, resize="short_long", base_size=100, align_corners=True),
        {"scales": (1.0, 1.5)},
    ),
    "fcos": (fcos_network, DetectionCard(**OBJECTS, channels="bgr"), {}),
    "fcos of any size": (
        lambda: fcos_network((None, None)),
        DetectionCard(**OBJECTS, geometry="inclusive"),
        {"classes": ("owl", "cat"), "score_threshold": 0.2, "most": 20},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_graph_computes_what_the_predictor_computes(tmp_path, case):
    """On a drawing, to float noise; the encoded picture gives the same as its pixels."""
    build, card, options = CASES[case]
    model, lines = build(), []
    folder = to_savedmodel(model, tmp_path / "x", card=card, report=lines.append, **options)
    assert "differ by" in lines[-2]
    loaded = tf.saved_model.load(str(folder))
    image = picture()
    boxes = {"boxes": tf.constant(BOXES)} if card.task == "pose" else {}
    many = card.task == "classification"
    found = loaded.signatures["serving_default"](
        image_bytes=tf.constant([encoded(image)] if many else encoded(image)), **boxes
    )
    same = loaded.signatures["pixels"](image=tf.constant(image[None] if many else image), **boxes)
    for name, each in found.items():
        np.testing.assert_array_equal(each, same[name])
    assert tf.size(next(iter(found.values())))
    written = json.loads(tf.io.read_file(loaded.card.asset_path).numpy())
    assert card_from_json(json.dumps(written)) == card
    assert written["conversion"]["source"] == model.name


@pytest.fixture(scope="module")
def poses(tmp_path_factory):
    """The folder of a pose network, and its `.keras` file."""
    place = tmp_path_factory.mktemp("poses")
    save_model(pose_network(), PoseCard(), place / "x.keras")
    return to_savedmodel(place / "x.keras", report=lambda line: None), place / "x.keras"


ALONE = """
import json, sys
import tensorflow as tf
folder, path, boxes = sys.argv[1:]
call = tf.saved_model.load(folder).signatures["serving_default"]
found = call(image_bytes=tf.io.read_file(path), boxes=tf.constant(json.loads(boxes)))
assert not [name for name in sys.modules if name.startswith("hrnet_tf")]
print(json.dumps({name: x.numpy().tolist() for name, x in found.items()}))
"""


def test_a_process_with_tensorflow_alone_runs_it(poses, tmp_path):
    folder, model = poses
    Image.fromarray(picture()).save(tmp_path / "x.jpg", quality=95)
    command = [sys.executable, "-c", ALONE, folder, tmp_path / "x.jpg", json.dumps(BOXES.tolist())]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    wanted = hrnet_tf.predictor(model)(hrnet_tf.read_image(tmp_path / "x.jpg"), BOXES)
    np.testing.assert_allclose(found["keypoints"], [each.keypoints for each in wanted], atol=1e-3)
    np.testing.assert_allclose(found["scores"], [each.score for each in wanted], atol=1e-5)


def test_boxes_without_a_person_and_no_boxes(poses):
    """Boxes that the predictor leaves out are left out; none gives empty results."""
    call = tf.saved_model.load(str(poses[0])).signatures["pixels"]
    image = tf.constant(picture())
    bad = np.float32([[np.nan, 0, 5, 5], [300, 0, 5, 5], [0, 0, 0, 5], [-9, -9, 5, 5]])
    wanted = call(image=image, boxes=tf.constant(BOXES))
    found = call(image=image, boxes=tf.constant(np.concatenate([bad, BOXES])))
    for name, each in wanted.items():
        np.testing.assert_array_equal(found[name], each)
    none = call(image=image, boxes=tf.zeros((0, 4)))
    assert {name: each.shape for name, each in none.items()} == {
        "boxes": (0, 4),
        "keypoints": (0, 17, 2),
        "keypoint_scores": (0, 17),
        "scores": (0,),
    }


def test_whole_pictures_of_different_sizes_are_a_batch(poses):
    loaded, predictor = tf.saved_model.load(str(poses[0])), hrnet_tf.predictor(poses[1])
    pictures = [picture(), picture(90, 40, 1)]
    found = loaded.signatures["whole"](image_bytes=tf.constant([*map(encoded, pictures)]))
    for i, image in enumerate(pictures):
        (pose,) = predictor(image)
        np.testing.assert_allclose(found["keypoints"][i], pose.keypoints, atol=1e-3)
    pixels = loaded.signatures["whole_pixels"](image=tf.constant(pictures[0][None]))
    np.testing.assert_allclose(pixels["keypoints"][0], found["keypoints"][0], atol=1e-3)


def test_a_picture_that_cannot_be_decoded_is_an_error_of_tensorflow(poses):
    call = tf.saved_model.load(str(poses[0])).signatures["serving_default"]
    for content in (b"", b"no picture", encoded(picture())[:500]):
        with pytest.raises(tf.errors.InvalidArgumentError):
            call(image_bytes=tf.constant(content), boxes=tf.constant(BOXES))


def test_numbers_that_are_not_finite_are_an_error(poses):
    loaded = tf.saved_model.load(str(poses[0]))
    for variable in loaded.captured:
        variable.assign(tf.fill(variable.shape, np.inf))
    with pytest.raises(tf.errors.InvalidArgumentError, match="heat maps"):
        loaded.signatures["pixels"](image=tf.constant(picture()), boxes=tf.constant(BOXES))


def test_a_pipeline_that_differs_from_the_predictor_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "_distance", lambda *_: (True, "9 px"))
    with pytest.raises(ValueError, match="other boxes than the predictor"):
        to_savedmodel(pose_network(), tmp_path / "x", card=PoseCard())
    assert not [*tmp_path.iterdir()]


def test_what_cannot_be_written_is_refused_in_a_sentence(poses, tmp_path):
    folder, model = poses
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    regions = DetectionCard(**{**OBJECTS, "head": "faster_rcnn"})
    card = PoseCard()
    for match, given in {
        "is there already": (model, folder),
        "no SavedModel": (model, tmp_path / "other"),
        "`card` must say": (pose_network(), tmp_path / "x"),
        "must be the network's own": (model, tmp_path / "x", "published", Options((32, 32))),
    }.items():
        with pytest.raises(ValueError, match=match):
            to_savedmodel(*given)
    with pytest.raises(ValueError, match=r"`options` of pose are codec.*Received: top"):
        to_savedmodel(model, tmp_path / "x", top=3)
    with pytest.raises(ValueError, match="The network must return heat maps"):
        to_savedmodel(pose_network(channels=5), tmp_path / "x", card=card)
    with pytest.raises(ValueError, match="no pipeline in one graph"):
        pipeline_of("detection").pipeline(None, regions, DetectionOptions(), None)
    assert [*tmp_path.iterdir()] == [tmp_path / "other"]


def test_the_command_replaces_its_folder_only_when_asked(poses, capsys):
    folder, model = poses
    values = flags.FlagValues()
    command.define_flags(values)
    values(["x", f"--model={model}", "--overwrite", "--flip", "--noverify"])
    assert command.run(values, []) == 0
    written = json.loads((folder / "assets" / "card.json").read_text())
    assert written["conversion"]["options"]["flip"] is True
    assert f"Wrote {folder}" in capsys.readouterr().out
    assert {each.name for each in folder.parent.iterdir()} == {"x.keras", "x.json", folder.name}
