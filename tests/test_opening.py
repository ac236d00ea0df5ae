"""Converted files in the place of networks: `predict` and `evaluate` take them with their cards."""

import io
import json
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from hrnet_tf import cli
from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.codecs import DARK
from hrnet_tf.cards.files import save_model, write_card
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.convert.to_tflite import Options, to_tflite
from hrnet_tf.opening import open_network
from hrnet_tf.tasks.classification.predictor import ImageClassifier
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.tasks.segmentation.predictor import SegmentationPredictor

CARD = PoseCard(codec=DARK(2.0, 3), padding=1.1)
SIZE = (64, 48)
ROWS, COLUMNS = np.mgrid[:90, :120]
SPOT = np.exp(-((ROWS - 40) ** 2 + (COLUMNS - 62) ** 2) / 200)  # what all keypoints lie on
SCENE = np.uint8(255 * SPOT[..., None] * (1, 0.9, 0.8))
BOXES = [[40, 10, 40, 60], [50, 20, 50, 60], [0, 0, 120, 90]]


def brightness(channels=17, size=SIZE):
    """Every map is the brightness of the crop, each weighted a little differently."""
    image = keras.Input((*size, 3))
    x = layers.AveragePooling2D(4)(image)
    maps = layers.Conv2D(channels, 1, name="head")
    model = keras.Model(image, maps(x))
    kernel = np.linspace(0.2, 0.4, 3 * channels).reshape(1, 1, 3, channels)
    maps.set_weights([kernel, np.full(channels, 1.0)])
    return model


def converted(model, card, folder, **options):
    save_model(model, card, folder / "a.keras")
    options = Options(verify=False, **options)
    return to_tflite(folder / "a.keras", options=options, report=lambda line: None)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A pose network by precision."""
    folder = tmp_path_factory.mktemp("pose")
    (folder / "photos").mkdir()
    Image.fromarray(SCENE).save(folder / "photos" / "a.png")
    found = {"keras": folder / "a.keras"}
    for precision in ("float32", "int8"):
        options = {"precision": precision, "calibration": folder / "photos"}
        found[precision] = converted(brightness(), CARD, folder, **options)
    return found


@pytest.mark.parametrize(("precision", "close"), [("float32", 0.02), ("int8", 2)])
def test_a_file_finds_the_keypoints_that_its_source_finds(files, precision, close):
    """In batches and with the mirrored crops; the card beside it tells padding and codec."""
    wanted = PosePredictor(files["keras"], flip=True)(SCENE, BOXES)
    predictor = PosePredictor(files[precision], flip=True, batch_size=2)
    assert predictor.card == CARD and predictor.input_size == SIZE
    for pose, right in zip(predictor(SCENE, BOXES), wanted, strict=True):
        distances = np.linalg.norm(pose.keypoints - right.keypoints, axis=1)
        assert distances.max() < close
        assert np.abs(right.keypoints - [62, 40]).max() < 8
        np.testing.assert_allclose(pose.scores, right.scores, atol=0.3)


def test_the_command_line_predicts_and_evaluates_with_a_file(files, tmp_path, capsys):
    Image.fromarray(SCENE).save(tmp_path / "a.png")
    person = dict(id=1, image_id=1, category_id=1, bbox=BOXES[1], area=900, iscrowd=0)
    annotation = person | dict(keypoints=[62, 40, 2] * 17, num_keypoints=17)
    content = {
        "images": [dict(id=1, file_name="a.png", height=90, width=120)],
        "categories": [dict(id=1, name="person", keypoints=list(CARD.keypoints.names))],
        "annotations": [annotation],
    }
    (tmp_path / "truth.json").write_text(json.dumps(content))
    numbers = {}
    for name, path in files.items():
        words = [f"--annotations={tmp_path / 'truth.json'}", f"--images={tmp_path}"]
        words += [f"--model={path}", f"--output={tmp_path / name}", "--protocol=annotated"]
        assert cli.main(["evaluate", *words]) == 0
        numbers[name] = json.loads((tmp_path / name / "results.json").read_text())
    score = numbers["keras"][0]["score"]
    assert numbers["float32"][0]["score"] == pytest.approx(score, abs=1e-4)
    assert numbers["int8"][0]["score"] == pytest.approx(score, abs=0.3)

    picture, model = str(tmp_path / "a.png"), f"--model={files['int8']}"
    out = tmp_path / "out"
    assert cli.main(["predict", picture, model, "--detector=none", f"--output={out}"]) == 0
    assert len(json.loads((out / "results.json").read_text())) == 1


def test_segmentation_and_classification_take_files_too(tmp_path):
    card = SegmentationCard(("dark", "grey", "light"), ((0, 0, 0), (9, 9, 9), (99, 99, 99)))
    path = converted(brightness(3, (32, 32)), card, tmp_path)
    wanted = SegmentationPredictor(tmp_path / "a.keras").scores(SCENE)
    np.testing.assert_allclose(SegmentationPredictor(path).scores(SCENE), wanted, rtol=1e-4)

    image = keras.Input((32, 32, 3))
    model = keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(image)))
    card = ClassificationCard(("a", "b", "c", "d"))
    path = converted(model, card, tmp_path, size=None, precision="float16")
    wanted, found = (ImageClassifier(each)(SCENE) for each in (tmp_path / "a.keras", path))
    assert [each.name for each in found] == [each.name for each in wanted]


def test_a_card_of_another_network_is_refused_at_once(files, tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(files["float32"].read_bytes())
    write_card(path, SegmentationCard())
    with pytest.raises(ValueError, match="19 classes"):
        SegmentationPredictor(path)
    with pytest.raises(ValueError, match="must be a network for pose"):
        PosePredictor(path)
    write_card(path, None, {"input": {}})
    assert PosePredictor(path).card == PoseCard()  # seventeen channels: COCO's


@pytest.mark.parametrize(
    ("model", "weights", "message"),
    [
        ("a.pth", "published", "must be a preset or a .keras, .h5, .tflite or .onnx file"),
        ("a.tflite", "w.pth", "a .tflite file has its own"),
        ("a.tflite", "published", "no such file"),
    ],
)
def test_what_is_no_network_is_said_in_a_sentence(model, weights, message):
    with pytest.raises((OSError, ValueError), match=message):
        open_network(model, weights)


def test_a_missing_runtime_is_one_sentence_on_the_command_line(files, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    words = [f"--model={files['int8']}", "--annotations=a.json", "--images=b"]
    assert cli.main(["evaluate", *words]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "`pip install ai-edge-litert`" in said[0]


def test_a_file_of_another_task_is_named(files):
    with pytest.raises(ValueError, match=r"a\.keras, whose card says pose\. `hrnet-tf predict`"):
        SegmentationPredictor(files["keras"])


@pytest.mark.parametrize("place", ["asset", "weights"])
def test_a_small_file_does_not_fill_the_memory(tmp_path, place):
    """The zip of a .keras file and the HDF5 file in it may be compressed."""
    brightness().save(tmp_path / "good.keras")
    with zipfile.ZipFile(tmp_path / "good.keras") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    if place == "asset":
        contents["assets/zeros"] = bytes(2**28)
    else:
        weights = io.BytesIO(contents["model.weights.h5"])
        with h5py.File(weights, "a") as file:
            file.create_dataset("zeros", (2**27,), "f4", chunks=(2**20,), compression="gzip")
        contents["model.weights.h5"] = weights.getvalue()
    with zipfile.ZipFile(tmp_path / "bad.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=r"bad\.keras: unfolds to \d+ MiB from"):
        open_network(tmp_path / "bad.keras")
