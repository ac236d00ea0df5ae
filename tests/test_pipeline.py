"""From records to batches: the order of the data, augmentation, crops, targets."""

import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_tf import geometry
from hrnet_tf.codecs import DARK, MSRA, UDP
from hrnet_tf.training.data.annotations import FORMATS
from hrnet_tf.training.data.augment import draw
from hrnet_tf.training.data.coco import ImageFile, Record
from hrnet_tf.training.data.pipeline import batches, readable
from hrnet_tf.training.data.synthetic import write_dataset
from hrnet_tf.training.recipe import Recipe

RNG = np.random.default_rng(0)
PLAIN = {
    "half_body_probability": 0.0,
    "scale_factor": 0.0,
    "rotation_probability": 0.0,
    "flip_probability": 0.0,
}


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """A recipe over five drawings."""
    path = write_dataset(tmp_path_factory.mktemp("drawings") / "set", 5, seed=0)
    return Recipe(
        arch="w18",
        input_size=(64, 64),
        train_annotations=str(path),
        train_images=str(path.parent / "images"),
        codec=DARK(1.0, 3),
        batch_size=4,
    )


@pytest.fixture(scope="module")
def records(drawings):
    return FORMATS["coco"](drawings.train_annotations, drawings.train_images)


def test_plain_crops_and_targets_equal_prediction_and_codec(drawings, records):
    """The decoder in the graph agrees with Pillow's; all else is what prediction uses."""
    batch = next(iter(batches(records, drawings, augment=False)))
    crops, heatmaps, weights = (np.array(part) for part in batch)
    for row, record in enumerate(records[:4]):
        matrices = geometry.affine(*geometry.center_scale(record.box[None], 1.0), (64, 64))
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
        sources.append(Record(1, file, np.array((x, 10, 50, 60)), keypoints, 900.0, False))
    recipe = Recipe("w18", (64, 64), "", "", codec=codec, batch_size=1, **PLAIN)
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


def take(data, count):
    """The heat maps of the first batches, (count * B, H, W, K)."""
    return np.concatenate([np.array(maps) for _, maps, _ in data.take(count)])


def test_any_step_is_a_function_of_the_seed(drawings, records):
    """What a resumed run sees, and what the devices of one that is cut into parts see."""
    maps = take(batches(records, drawings, augment=True), 6).reshape(6, 4, 16, 16, 17)
    later = take(batches(records, drawings, augment=True, first_step=4), 2)
    np.testing.assert_array_equal(later, maps[4:].reshape(later.shape))
    second = take(batches(records, drawings, True, 3, parts=4, first_part=1, local_parts=2), 4)
    np.testing.assert_array_equal(second, maps[3:5, 1:3].reshape(second.shape))
    other = dataclasses.replace(drawings, seed=1)
    assert not np.allclose(
        take(batches(records, other, augment=True), 6), maps.reshape(24, 16, 16, 17)
    )


def test_augmentation_has_the_distributions_of_the_original():
    recipe = Recipe("w18", (256, 192), "", "")
    count = 20000
    center, scale, nobody = tf.zeros((count, 2)), tf.ones((count, 2)), tf.zeros((count, 17, 3))
    drawn = draw(center, scale, nobody, tf.constant(5, "int64"), recipe)
    zoom, angle, mirrored = drawn["scale"][:, 0], drawn["angle"], drawn["mirrored"]
    zoom, angle, mirrored = (np.array(v) for v in (zoom, angle, mirrored))
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
    assert {r.image.path.name for r in readable(people, problems.append, decode=True)} == {
        "good.png"
    }
    assert [re.search(r"(\w+\.\w+) is left out", p)[1] for p in problems] == [
        "half.jpg", "moving.gif", "text.jpg", "turned.png",
    ]  # fmt: skip
