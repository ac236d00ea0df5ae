"""From records to a saved model: targets, loss, recipe, `train`, the demo's page."""

import csv
import dataclasses
import json
import re
import xml.etree.ElementTree as ElementTree

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_tf import cli, geometry
from hrnet_tf.card import read_card
from hrnet_tf.codecs import DARK, MSRA, UDP, UDPCombined
from hrnet_tf.training import demo, train
from hrnet_tf.training.data import pipeline
from hrnet_tf.training.data.coco import ImageFile, Record, read_coco, trainable
from hrnet_tf.training.data.pipeline import batches, readable
from hrnet_tf.training.data.synthetic import write_dataset
from hrnet_tf.training.losses import JointMSE
from hrnet_tf.training.recipe import Recipe, load_recipe, override

RNG = np.random.default_rng(0)
PLAIN = {
    "scale_factor": 0.0,
    "rotation_probability": 0.0,
    "flip_probability": 0.0,
}


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """A recipe over five drawings, for training and validation alike."""
    path = write_dataset(tmp_path_factory.mktemp("drawings") / "set", 5, seed=0)
    return Recipe(
        arch="w18",
        input_size=(64, 64),
        train_annotations=str(path),
        train_images=str(path.parent / "images"),
        val_annotations=str(path),
        val_images=str(path.parent / "images"),
        codec=DARK(1.0, 3),
        milestones=(),
        epochs=2,
        batch_size=4,
        protocol="annotated",
    )


@pytest.fixture(scope="module")
def records(drawings):
    return trainable(read_coco(drawings.train_annotations, drawings.train_images))


@pytest.fixture
def small_network(monkeypatch):
    """Two layers for an HRNet, whose graph takes ten seconds to trace."""

    def build(arch, input_shape, num_keypoints):
        image = keras.Input(input_shape)
        x = keras.layers.Conv2D(8, 8, strides=4, padding="same", activation="relu")(image)
        return keras.Model(image, keras.layers.Conv2D(num_keypoints, 1)(x))

    monkeypatch.setattr(train, "pose", build)


# Loss


def test_the_loss_is_the_original_formula():
    truth, maps = RNG.random((2, 3, 4, 5, 6), np.float32)
    weights = RNG.choice((0, 0.5, 1), (3, 6)).astype(np.float32)
    per_joint = [
        0.5 * np.mean((weights[:, k, None, None] * (maps - truth)[..., k]) ** 2) for k in range(6)
    ]
    squared = weights[:, None, None, :] ** 2
    np.testing.assert_allclose(JointMSE()(truth, maps, squared), np.mean(per_joint), rtol=1e-6)

    model = keras.Sequential([keras.Input((4, 5, 6)), keras.layers.Identity()])
    model.compile(loss=JointMSE())
    fitted = model.evaluate(tf.data.Dataset.from_tensors((maps, truth, squared)), verbose=0)
    np.testing.assert_allclose(fitted, np.mean(per_joint), rtol=1e-6)


def test_the_loss_stays_float32_and_reloads_by_name():
    loss = keras.losses.deserialize(keras.losses.serialize(JointMSE()))
    assert isinstance(loss, JointMSE)
    tiny = np.full((1, 2, 2, 1), 3e-4, np.float16)  # its square is 0 in float16
    value = loss(np.zeros_like(tiny), tiny)
    assert keras.backend.standardize_dtype(value.dtype) == "float32" and value > 0


# Batches


def test_plain_crops_and_targets_equal_prediction_and_codec(drawings, records):
    """The decoder in the graph agrees with Pillow's; all else is what prediction uses."""
    batch = next(iter(batches(records, drawings, augment=False)))
    crops, heatmaps, weights = (np.array(part) for part in batch)
    for row, record in enumerate(records[:4]):
        x, y, w, h = record.box
        box = np.array([[x, y, w - 1, h - 1]])  # what the original's clean-up leaves inside images
        matrices = geometry.affine(*geometry.center_scale(box, 1.0), (64, 64))
        image = np.asarray(Image.open(record.image.path))
        crop = drawings.card.normalize(geometry.crop(image, matrices, (64, 64)))
        np.testing.assert_allclose(crops[row], crop[0], atol=1e-5)
        visible = record.keypoints[None, :, 2] > 0
        points = geometry.transform(record.keypoints[None, :, :2], matrices)
        maps, wanted = drawings.codec.encode(points, visible, (64, 64))
        np.testing.assert_allclose(heatmaps[row], maps[0], atol=1e-4)
        assert weights[row].tolist() == [[np.array(wanted)[0].tolist()]]


@pytest.mark.parametrize("codec", [MSRA(), UDP()])
def test_a_mirrored_crop_is_the_crop_of_a_mirrored_image(tmp_path, codec):
    pixels = np.kron(RNG.integers(0, 256, (10, 13, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    points = np.column_stack((RNG.uniform(30, 60, (17, 2)), np.full(17, 2)))
    mirrored = points * (-1, 1, 1) + (103, 0, 0)
    sources = []
    for name, image, keypoints, x in (
        ("a.png", pixels, points, 20),
        ("b.png", pixels[:, ::-1], mirrored[list(COCO_FLIP)], 103 - 20 - 50),
    ):
        Image.fromarray(image).save(tmp_path / name)
        file = ImageFile(1, tmp_path / name, (80, 104))
        sources.append(Record(1, file, np.array((x, 10, 51, 61)), keypoints, 900.0, False))
    recipe = Recipe("w18", (64, 64), "", "", codec=codec, **PLAIN)
    flipping = dataclasses.replace(recipe, flip_probability=1.0)
    crops, heatmaps, _ = next(iter(batches(sources[:1], flipping, augment=True)))
    wanted, maps, _ = next(iter(batches(sources[1:], recipe, augment=False)))
    levels = np.abs(np.array(crops - wanted)) * 255 * 0.225
    assert levels.max() < 1.5 and (levels > 0.5).mean() < 0.01  # ties of rounding
    np.testing.assert_allclose(heatmaps, maps, atol=2e-4)


COCO_FLIP = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


def test_augmented_targets_stay_on_their_joints(tmp_path):
    """Joints are dots of different brightness; whatever is drawn, targets peak on their dots."""
    grid = np.stack(np.meshgrid((70, 90, 110), (80, 100, 120)), -1).reshape(-1, 2)
    keypoints = np.zeros((17, 3))
    dots = {0: 250, 1: 200, 2: 200, 5: 150, 6: 150, 9: 100, 10: 100}  # pairs look alike
    pixels = np.zeros((200, 180, 3), np.uint8)
    for (joint, level), (x, y) in zip(dots.items(), grid, strict=False):
        keypoints[joint] = (x, y, 2)
        pixels[y - 3 : y + 4, x - 3 : x + 4] = level
    Image.fromarray(pixels).save(tmp_path / "dots.png")
    file = ImageFile(1, tmp_path / "dots.png", (200, 180))
    record = Record(1, file, np.array((50, 60, 80, 80)), keypoints, 900.0, False)
    recipe = Recipe("w18", (128, 96), "", "", codec=DARK(1.0, 1), batch_size=32)
    data = batches([record] * 32, recipe, augment=True)
    crops, heatmaps, weights = next(iter(data))
    levels = np.array(crops)[..., 0] * 255 * 0.229 + 255 * 0.485
    points, _ = recipe.codec.decode(heatmaps)
    shown = np.array(weights)[:, 0, 0] > 0
    assert shown.sum() > 150
    for row, joint in zip(*np.nonzero(shown), strict=True):
        x, y = np.rint(points[row, joint]).astype(int)
        if 8 < x < 88 and 8 < y < 120:
            assert levels[row, y, x] == pytest.approx(dots[joint], abs=1)


def test_passes_differ_and_the_seed_repeats_them(drawings, records):
    def passes(seed):
        data = batches(records, dataclasses.replace(drawings, seed=seed), augment=True)
        return [np.concatenate([np.array(maps) for _, maps, _ in data]) for _ in range(2)]

    first, second = passes(1)
    again = passes(1)
    assert np.array_equal(first, again[0]) and np.array_equal(second, again[1])
    assert not np.allclose(first, second)
    assert not np.allclose(first, passes(2)[0])
    assert len(batches(records, drawings, augment=True)) == -(-len(records) // 4)


def test_augmentation_has_the_distributions_of_the_original():
    recipe = Recipe("w18", (256, 192), "", "")
    zoom, angle, mirrored = (
        np.array(v) for v in pipeline._draw(tf.constant(5, "int64"), 20000, recipe)
    )
    assert zoom.min() == pytest.approx(0.65) and zoom.max() == pytest.approx(1.35)
    assert (zoom == zoom.max()).mean() == pytest.approx(0.159, abs=0.01)  # clipped beyond one sigma
    turned = angle[angle != 0]
    assert len(turned) / len(angle) == pytest.approx(0.6, abs=0.02)
    assert np.abs(angle).max() == 90 and np.median(np.abs(turned)) == pytest.approx(30.4, abs=1)
    assert mirrored.mean() == pytest.approx(0.5, abs=0.02)
    assert abs(np.corrcoef((zoom, angle, mirrored))[np.triu_indices(3, 1)]).max() < 0.03


def test_unreadable_images_are_named_and_left_out(tmp_path):
    Image.new("RGB", (60, 40)).save(tmp_path / "good.png")
    Image.new("RGB", (40, 60)).save(tmp_path / "turned.png")
    Image.new("RGB", (60, 40)).save(tmp_path / "moving.gif")
    Image.fromarray(RNG.integers(0, 255, (40, 60, 3), np.uint8)).save(tmp_path / "half.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "half.jpg").read_bytes()[:900])
    (tmp_path / "text.jpg").write_text("no picture")
    names = sorted(path.name for path in tmp_path.iterdir())
    people = [
        Record(i, ImageFile(i // 2, tmp_path / names[i // 2], (40, 60)), None, None, 1.0, False)
        for i in range(2 * len(names))
    ]
    problems = []
    assert {r.image.path.name for r in readable(people, problems.append)} == {"good.png"}
    assert [re.search(r"(\w+\.\w+) is left out", p)[1] for p in problems] == [
        "half.jpg", "moving.gif", "text.jpg", "turned.png",
    ]  # fmt: skip


# Recipes


def test_overrides_are_read_by_the_type_of_their_field(drawings):
    changes = {
        "epochs": "3", "learning_rate": "2e-4", "input_size": "128,96", "milestones": "(5,)",
        "codec": "udp", "flip_test": "false", "arch": "w32", "keypoints": "mpii",
    }  # fmt: skip
    changed = override(drawings, changes)
    assert (changed.epochs, changed.learning_rate) == (3, 2e-4)
    assert (changed.input_size, changed.milestones) == ((128, 96), (5,))
    assert (changed.codec, changed.flip_test, changed.arch) == (UDP(), False, "w32")
    assert changed.keypoints.name == "mpii" and changed.seed == drawings.seed
    saved = json.loads(changed.to_json())
    assert saved["codec"] == {"name": "udp", "sigma": 2.0, "blur_kernel": 11}
    assert set(saved) == {field.name for field in dataclasses.fields(Recipe)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epocs": "3"}, "no field 'epocs'. Did you mean epochs"),
        ({"epochs": "many"}, "`epochs` must be int. Received: epochs='many'"),
        ({"epochs": "0"}, "`epochs` must be positive. Received: epochs=0"),
        ({"codec": "simcc"}, "must be one of msra, dark"),
        ({"input_size": "128"}, "a height and a width"),
        ({"input_size": "a,b"}, "whole numbers with commas"),
        ({"flip_probability": "2"}, "lie between 0 and 1"),
        ({"flip_test": "maybe"}, "one of true, false"),
        ({"protocol": "mine"}, "must be one of"),
        ({"milestones": "5,3"}, "rising order"),
        ({"milestones": "5", "warmup_steps": "9"}, "`warmup_steps` must be 0"),
    ],
)
def test_a_wrong_override_says_what_would_be_right(drawings, changes, message):
    with pytest.raises(ValueError, match=message):
        override(drawings, changes)


def test_every_page_is_a_recipe_and_a_typo_finds_it():
    assert isinstance(load_recipe("synthetic_pose"), Recipe)
    with pytest.raises(ValueError, match="Did you mean synthetic_pose"):
        load_recipe("synthetic_poes")


def test_learning_rates_drop_at_milestones_or_follow_a_cosine():
    steps = train.learning_rate(Recipe("w32", (256, 192), "", ""), persons=1280)
    rates = [float(steps(epoch * 10 + 5)) for epoch in (0, 169, 170, 199, 200)]
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 1e-4, 1e-4, 1e-5], rtol=1e-5)
    recipe = Recipe("w32", (256, 192), "", "", milestones=(), warmup_steps=20, epochs=10)
    cosine = train.learning_rate(recipe, persons=1280)
    rates = [float(cosine(step)) for step in (0, 10, 20, 60, 100)]
    np.testing.assert_allclose(rates, [0, 5e-4, 1e-3, 5e-4, 0], atol=1e-8)


# Training


def test_training_leaves_a_model_that_needs_nothing_else(drawings, small_network, tmp_path):
    path = train.train(drawings, tmp_path / "run")
    assert {file.name for file in path.parent.iterdir()} == {
        "model.keras", "model.json", "recipe.json", "history.csv",
    }  # fmt: skip
    model = keras.models.load_model(path)
    assert not model.compiled and not isinstance(model.output, list)
    assert model.output_shape == (None, 16, 16, 17)
    assert read_card(path) == drawings.card
    history = path.with_name("history.csv").read_text().splitlines()
    losses = [float(row["loss"]) for row in csv.DictReader(history)]
    assert len(losses) == 2 and losses[1] < losses[0]

    with pytest.raises(FileExistsError, match="--overwrite"):
        train.train(drawings, tmp_path / "run")
    before = model.get_weights()
    train.train(drawings, tmp_path / "run", overwrite=True)
    after = keras.models.load_model(path).get_weights()
    for old, new in zip(before, after, strict=True):  # the seed repeats the whole run
        np.testing.assert_allclose(old, new, atol=1e-4)


def test_impossible_runs_are_refused_before_they_start(drawings, tmp_path):
    with pytest.raises(ValueError, match=r"one map per keypoint.*udp_combined"):
        train.train(dataclasses.replace(drawings, codec=UDPCombined()), tmp_path / "run")
    with pytest.raises(ValueError, match="17 keypoints per person, the recipe's set has 16"):
        train.train(override(drawings, {"keypoints": "mpii"}), tmp_path / "run")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Usage: RECIPE"),
        (["synthetic_pose", "--workdir=x", "--epoch=3"], "Did you mean: epochs"),
        (["synthetic_pose", "--workdir=x", "--train_images=nowhere"], "must be a file"),
    ],
)
def test_the_command_says_in_a_line_what_is_wrong(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train.main(["train", *words]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(tmp_path.rglob("*.*"))


# Demo


def test_the_demo_makes_one_page_that_needs_no_other_file(drawings, small_network, tmp_path):
    page = demo.demo(tmp_path, drawings, scenes=4, held_out=3)
    html = page.read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', html)
    assert len(sources) == 3 and all(source.startswith("data:image/") for source in sources)
    assert "http" not in html and "@import" not in html
    for word in ("heat map", "AP75", "hrnet-tf predict", "polyline"):
        assert word in html
    for name in ("scene.png", "held_out.png", "heatmaps.png", "model/model.keras"):
        assert (tmp_path / name).stat().st_size > 1000


def test_the_demo_keeps_what_it_finds(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert cli.main(["demo", f"--output={tmp_path}"]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_learning_curve_falls_as_the_losses_do():
    history = [{"loss": str(v), "val_loss": str(2 * v)} for v in (1e-2, 3e-3, 1e-3)]
    curves = ElementTree.fromstring(demo.learning_curve(history)).findall("polyline")
    points = [[tuple(map(float, p.split(","))) for p in c.get("points").split()] for c in curves]
    assert len(points) == 2 and all(len(curve) == 3 for curve in points)
    for (x0, y0), (x1, y1) in zip(points[0], points[0][1:], strict=False):
        assert x1 > x0 and y1 > y0  # y grows downwards in SVG
    assert all(held[1] < learned[1] for learned, held in zip(*points, strict=True))
