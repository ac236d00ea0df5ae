"""From records to batches: the order of the data, augmentation, crops, targets."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from hrnet_tf.cards.codecs import DARK, MSRA, UDP
from hrnet_tf.labels.keypoint_sets import COCO
from hrnet_tf.tasks.pose import geometry
from hrnet_tf.training import train
from hrnet_tf.training.data import crops
from hrnet_tf.training.data.colors import recolor
from hrnet_tf.training.data.order import order
from hrnet_tf.training.data.synthetic.scenes import write_dataset
from hrnet_tf.training.pose import augment, task
from hrnet_tf.training.pose.batches import batches
from hrnet_tf.training.pose.people import images
from hrnet_tf.training.pose.readers import FORMATS
from hrnet_tf.training.pose.readers.coco import ImageFile, Record
from hrnet_tf.training.pose.readers.pictures import readable
from hrnet_tf.training.pose.recipe import PoseRecipe

import tiny_training

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
    return PoseRecipe(
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
    recipe = tiny_training.bare_recipe("w18", (64, 64), codec=codec, batch_size=1, **PLAIN)
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
    recipe = tiny_training.bare_recipe("w18", (128, 96), codec=DARK(1.0, 1), batch_size=32)
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


# Augmentation


def drawn(recipe, keypoints=None, box=(20, 10, 100, 200), count=20000):
    """Many draws for one person, as arrays; the plain region of the box is that of the recipe."""
    box = np.array(box, np.float32)
    center, scale = (tf.tile(v, (count, 1)) for v in geometry.center_scale(box[None], 0.75))
    keypoints = np.zeros((17, 3)) if keypoints is None else keypoints
    keypoints = tf.tile(tf.constant(keypoints, tf.float32)[None], (count, 1, 1))
    views = augment.draw(center, scale, keypoints, tf.constant(5, tf.int64), recipe)
    return {name: np.array(values) for name, values in views.items()}


def test_augmentation_has_the_distributions_of_the_original():
    views = drawn(tiny_training.bare_recipe("w18", (256, 192)))
    zoom, angle, mirrored = views["scale"][:, 0] / 187.5, views["angle"], views["mirrored"]
    assert zoom.min() == pytest.approx(0.65) and zoom.max() == pytest.approx(1.35)
    assert (zoom == zoom.max()).mean() == pytest.approx(0.159, abs=0.01)  # clipped beyond one sigma
    turned = angle[angle != 0]
    assert len(turned) / len(angle) == pytest.approx(0.6, abs=0.02)
    assert np.abs(angle).max() == 90 and np.median(np.abs(turned)) == pytest.approx(30.4, abs=1)
    assert mirrored.mean() == pytest.approx(0.5, abs=0.02)
    assert abs(np.corrcoef((zoom, angle, mirrored))[np.triu_indices(3, 1)]).max() < 0.03


def halves(keypoints, upper_body):
    """Centre and width of the upper and of the lower half: the original's rules, step by step."""
    found = []
    for wanted in (True, False):
        points = [
            keypoints[joint, :2]
            for joint in range(17)
            if keypoints[joint, 2] > 0 and (joint in upper_body) == wanted
        ]
        if len(points) > 2:
            width, height = np.ptp(points, axis=0)
            found.append((*np.mean(points, axis=0), max(width, 0.75 * height) * 1.5))
        else:
            found.append(None)
    return found


@pytest.mark.parametrize(
    ("hidden", "upper_share"),
    [
        ((), 0.6915),  # a normal variable below 0.5
        ((0, 3, 5, 12), 0.6915),
        ((12, 13, 14, 15), 1.0),  # two lower joints are too few
        ((0, 1, 2, 3, 4, 5, 6, 7), 0.6915),  # 9 joints are enough,
        ((0, 1, 2, 3, 4, 5, 6, 7, 11), None),  # 8 are not
        ((0, 1, 2, 3, 4, 5, 6, 7, 8), None),
    ],
)
def test_half_bodies_are_those_of_the_original(hidden, upper_share):
    """Who gets one, how often, which half, and where its crop lies."""
    keypoints = np.column_stack((RNG.uniform(20, 180, (17, 2)), np.ones(17)))
    keypoints[list(hidden)] = (-1000, 5000, 0)  # these say nothing
    recipe = tiny_training.bare_recipe("w18", (256, 192), **PLAIN | {"half_body_probability": 0.3})
    views = drawn(recipe, keypoints)
    regions = np.column_stack((views["center"], views["scale"]))
    shares = {}
    for name, half in zip(("upper", "lower"), halves(keypoints, range(11)), strict=True):
        if half:
            region = (*half, half[2] / 0.75)
            shares[name] = np.isclose(regions, region, rtol=1e-5).all(axis=1).mean()
    whole = np.isclose(regions, (70, 110, 187.5, 250)).all(axis=1).mean()
    assert whole + sum(shares.values()) == pytest.approx(1)
    assert whole == pytest.approx(0.7 if upper_share else 1, abs=0.012)
    if upper_share:
        assert shares["upper"] / (1 - whole) == pytest.approx(upper_share, abs=0.02)


def test_a_half_of_two_joints_is_never_shown():
    keypoints = np.column_stack((RNG.uniform(20, 180, (17, 2)), np.arange(17) % 2))
    keypoints[:2, 2] = 1
    two_above = dataclasses.replace(COCO, upper_body=(0, 1))
    changes = PLAIN | {"half_body_probability": 1.0, "keypoints": two_above}
    views = drawn(tiny_training.bare_recipe("w18", (256, 192), **changes))
    assert (views["center"] == (70, 110)).all()  # nobody has joints
    views = drawn(tiny_training.bare_recipe("w18", (256, 192), **changes), keypoints)
    _, lower = halves(keypoints, two_above.upper_body)
    np.testing.assert_allclose(views["center"] - lower[:2], 0, atol=1e-3)


def test_a_uniform_spread_is_uniform():
    changes = {"spread": "uniform", "rotation_factor": 180.0, "rotation_probability": 1.0}
    views = drawn(tiny_training.bare_recipe("w18", (256, 192), scale_factor=0.25, **changes))
    zoom, angle = views["scale"][:, 0] / 187.5, views["angle"]
    for values, low, high in ((zoom, 0.75, 1.25), (angle, -180, 180)):
        ranks = (np.sort(values) - low) / (high - low)
        assert np.abs(ranks - np.linspace(0, 1, len(ranks))).max() < 0.012  # Kolmogorov-Smirnov
    assert abs(np.corrcoef(zoom, angle)[0, 1]) < 0.03


def test_colors_change_by_up_to_the_jitter_independently():
    color = drawn(tiny_training.bare_recipe("w18", (256, 192), color_jitter=0.4))["color"]
    ranks = (np.sort(color, axis=0) - 0.6) / 0.8
    assert np.abs(ranks - np.linspace(0, 1, len(ranks))[:, None]).max() < 0.012
    assert np.abs(np.corrcoef(color.T)[np.triu_indices(3, 1)]).max() < 0.03


@pytest.mark.parametrize(
    ("color", "enhance"),
    [
        ((0.7, 1, 1), ImageEnhance.Brightness),
        ((1.4, 1, 1), ImageEnhance.Brightness),
        ((1, 0.5, 1), ImageEnhance.Contrast),
        ((1, 1.6, 1), ImageEnhance.Contrast),
        ((1, 1, 0.3), ImageEnhance.Color),
        ((1, 1, 1.7), ImageEnhance.Color),
        ((1, 1, 1), ImageEnhance.Color),
    ],
)
def test_colors_change_as_in_pillow(color, enhance):
    """Which rounds to whole grey levels on the way."""
    pixels = RNG.integers(0, 256, (2, 32, 24, 3)).astype(np.uint8)
    found = np.array(recolor(tf.constant(pixels, tf.float32), tf.constant([color] * 2, tf.float32)))
    factor = next((each for each in color if each != 1), 1.0)
    for image, changed in zip(pixels, found, strict=True):
        wanted = np.asarray(enhance(Image.fromarray(image)).enhance(factor), np.float32)
        assert np.abs(changed - wanted).max() < 2 and np.abs(changed - wanted).mean() < 0.6


def test_holes_are_ellipses_of_aid():
    """Anywhere in the crop, both radii 0.2 to 0.4 of its width (Huang et al. 2020)."""
    recipe = tiny_training.bare_recipe("w18", (256, 192), cutout_probability=0.4)
    holes = drawn(recipe)["hole"]
    cut = holes[holes[:, 2] > 0]
    assert len(cut) / len(holes) == pytest.approx(0.4, abs=0.012)
    assert not holes[holes[:, 2] == 0, 3].any()
    for values, low, high in zip(cut.T, (0, 0, 0.2, 0.15), (1, 1, 0.4, 0.3), strict=True):
        ranks = (np.sort(values) - low) / (high - low)
        assert np.abs(ranks - np.linspace(0, 1, len(ranks))).max() < 0.02
    pictures = np.array(augment.cut_out(tf.ones((60, 256, 192, 3)), tf.constant(holes[:60])))
    y, x = np.mgrid[:256, :192]
    for picture, (u, v, across, down) in zip(pictures, holes, strict=False):
        inside = np.zeros((256, 192), bool)
        if across:
            inside = np.hypot((x / 192 - u) / across, (y / 256 - v) / down) < 1
        assert ((picture == 0).all(axis=2) != inside).mean() < 1e-4  # rounding


# Pixels


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """People in JPEGs of each kind, some of them at the rim, with colours that change quickly."""
    folder, people = tmp_path_factory.mktemp("photos"), []
    kinds = ({"subsampling": n} for n in (0, 1, 2))
    for number, kind in enumerate((*kinds, {"subsampling": 2, "progressive": True}, {})):
        height, width = 203 - 7 * number, 270 + 5 * number
        path = folder / f"{number}.jpg"
        pixels = RNG.integers(0, 256, (height, width, 3)).astype(np.uint8)
        Image.fromarray(pixels).convert("RGB" if kind else "L").save(path, quality=80, **kind)
        boxes = (100, 60, 40, 60), (-10, -20, 60, 90), (width - 40, height - 50, 80, 90)
        for x, y, w, h in boxes:
            keypoints = np.column_stack((RNG.uniform((x, y), (x + w, y + h), (17, 2)), np.ones(17)))
            file = ImageFile(number, path, (height, width))
            people.append(Record(len(people), file, np.array((x, y, w, h)), keypoints, 1.0, False))
    return people


@pytest.mark.parametrize("codec", [MSRA(), UDP()])
def test_a_decoded_window_shows_what_the_whole_image_shows(photos, codec):
    """To the bit, although libjpeg smooths colours across the rim of a window."""

    def whole(row, window):
        content = tf.io.read_file(row["path"])
        pixels = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
        return pixels, tf.zeros(2, tf.int32)

    recipe = tiny_training.bare_recipe("w18", (64, 64), codec=codec, batch_size=15)
    people = images(photos)
    sources = (people, dataclasses.replace(people, load=whole))
    data = (batches(source, recipe, augment=True).take(8) for source in sources)
    for (window, *_), (full, *_) in zip(*data, strict=True):
        np.testing.assert_array_equal(window, full)
    person = photos[6]  # colours at half the size
    place = np.array((80, 80, 99, 99), np.int32)
    part, _ = crops.read_image(str(person.image.path), person.image.size, place)
    assert max(part.shape) < 60


def test_a_file_that_rots_during_a_run_counts_for_nothing(photos, tmp_path, capfd):
    """Damaged, gone, empty or of another size: an empty crop of weight 0, and a line names it."""
    people = []
    for number, record in enumerate([*photos[::3][:4], photos[0]]):
        file = dataclasses.replace(record.image, path=tmp_path / f"{number}.jpg")
        file.path.write_bytes(record.image.path.read_bytes())
        people.append(dataclasses.replace(record, id=number, image=file))
    recipe = tiny_training.bare_recipe("w18", (64, 64), batch_size=5)
    wanted = list(batches(people, recipe, augment=True).take(3))
    people[0].image.path.write_bytes(people[0].image.path.read_bytes()[:1500])
    people[1].image.path.unlink()
    people[2].image.path.write_bytes(b"")
    Image.new("RGB", people[3].image.size).save(people[3].image.path, format="png")
    found = list(batches(people, recipe, augment=True).take(3))
    for step, (batch, sound) in enumerate(zip(found, wanted, strict=True)):
        rotten = order(5, recipe.batch_size, recipe.seed, step) < 4
        levels = np.array(recipe.card.normalize(np.zeros((64, 64, 3))))
        pixels, _, weights = (np.array(part) for part in batch)
        np.testing.assert_array_equal(pixels[rotten], np.tile(levels, (4, 1, 1, 1)))
        assert not weights[rotten].any()
        for part, same in zip(batch, sound, strict=True):
            np.testing.assert_array_equal(part[~rotten], same[~rotten])
    lines = [line for line in capfd.readouterr().err.splitlines() if "cannot be read" in line]
    for number in range(4):
        named = [line for line in lines if f"{number}.jpg: annotation {number}" in line]
        assert len(named) >= 3  # once a step, and steps ahead


def test_training_goes_on_without_a_damaged_file(tmp_path, monkeypatch, capfd):
    """Its header is good, so nobody noticed before."""
    monkeypatch.setattr(task, "pose", tiny_training.network)
    recipe = tiny_training.write_recipe(tmp_path, epochs=1, val_annotations="")
    victim = min(Path(recipe.train_images).iterdir())
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    train.train(recipe, tmp_path / "run")
    assert f"{victim}: annotation" in capfd.readouterr().err
    assert (tmp_path / "run" / "model.keras").exists()


def test_unreadable_images_are_named_and_left_out(tmp_path):
    Image.new("RGB", (60, 40)).save(tmp_path / "good.png")
    Image.new("RGB", (40, 60)).save(tmp_path / "turned.png")
    Image.new("RGB", (60, 40)).save(tmp_path / "moving.gif")
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    names = sorted(path.name for path in tmp_path.iterdir())
    people = [
        Record(i, ImageFile(i // 2, tmp_path / names[i // 2], (40, 60)), None, None, 1.0, False)
        for i in range(2 * len(names))
    ]
    problems = []
    assert {r.image.path.name for r in readable(people, problems.append)} == {
        "good.png",
        "moving.gif",
    }
    assert [re.search(r"(\w+\.\w+) is left out", p)[1] for p in problems] == [
        "empty.png", "text.jpg", "turned.png",
    ]  # fmt: skip


def test_pictures_that_only_pillow_reads_are_cropped_like_plain_ones(tmp_path, drawings):
    """Turned by EXIF, of 16 bits, transparent: evaluation and prediction see the same pixels."""
    noise = Image.effect_noise((60, 40), 50)
    noise.convert("RGB").save(tmp_path / "plain.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = noise.convert("RGB").transpose(Image.Transpose.ROTATE_90)
    lying.save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(np.asarray(noise).astype(np.uint16) * 16).save(tmp_path / "deep.png")
    noise.convert("RGBA").save(tmp_path / "clear.png")
    points = np.column_stack([np.linspace(10, 50, 17), np.full(17, 20), np.full(17, 2)])
    box = np.array([5.0, 5, 50, 30])
    people = [
        Record(i, ImageFile(i, tmp_path / f"{name}.png", (40, 60)), box, points, 9.0, False)
        for i, name in enumerate(["plain", "turned", "deep", "clear"])
    ]
    people = readable(people, pytest.fail)
    crops, _, weights = next(iter(batches(people, drawings, augment=False)))
    assert (np.array(weights) > 0).all()
    for crop in np.array(crops)[1:]:
        np.testing.assert_allclose(crop, crops[0], atol=1e-5)
