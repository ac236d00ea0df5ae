"""The data of detectors: reader, views and batches, against mmdetection's numbers and by hand."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from pycocotools import mask as coco_mask

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.cards.files import card_from_json
from hrnet_tf.media.images import read_image
from hrnet_tf.tasks.detection.pipeline import prepare as pipeline_of
from hrnet_tf.tasks.detection.prepare import prepare
from hrnet_tf.training.data.crops import crop
from hrnet_tf.training.data.synthetic.scenes import write_dataset
from hrnet_tf.training.detection import augment
from hrnet_tf.training.detection.batches import batches, fcos_points
from hrnet_tf.training.detection.pictures import from_records
from hrnet_tf.training.detection.readers import read
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.records import write_records
from hrnet_tf.training.detection.runs import decoded
from hrnet_tf.training.detection.source import read_of, settle, training_pictures

from places import FIXTURES


def pipeline():
    return np.load(FIXTURES / "det_pipeline" / "data.npz")


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """A recipe over eight drawings."""
    folder = tmp_path_factory.mktemp("detection") / "set"
    write_dataset(folder, 8, seed=0, size=(120, 160))
    data = {"annotations": str(folder / "instances.json"), "images": str(folder / "images")}
    values = {f"{use}_{kind}": value for use in ("train", "val") for kind, value in data.items()}
    return DetectionRecipe(
        arch="w18",
        input_size=(96, 128),
        classes=("person", "thing"),
        category_ids=(1, 2),
        sides=(128, 96),
        batch_size=4,
        **values,
    )


def first(recipe, augment=True, step=0, **share):
    source = training_pictures(recipe)
    batch = next(iter(batches(source, recipe, augment, step, **share)))
    return tf.nest.map_structure(np.array, batch)


def test_a_predictor_pads_as_training_does(drawings):
    """The statistics of FCOS's GroupNormalization count the padding.

    Padded less, a network that knew 20 photos by heart (AP .937) had AP .539 on them.
    """
    recipe = dataclasses.replace(drawings, input_size=(160, 192), sides=(128, 128))
    wanted, *_ = first(recipe, augment=False)
    for record, pixels in zip(read_of(recipe, "train"), wanted, strict=False):
        found = prepare(read_image(record.image.path), recipe.card)
        assert found.size == (96, 128) and found.pixels.shape == (160, 192, 3)
        np.testing.assert_allclose(found.pixels, pixels, atol=0.02)
        assert not found.pixels[96:].any() and not found.pixels[:, 128:].any()
    content = tf.io.read_file(str(record.image.path))
    found, *_ = pipeline_of(tf.io.decode_jpeg(content), recipe.card, None)
    assert found.shape == (160, 192, 3)
    fields = json.loads(recipe.card.to_json())
    assert (fields.pop("padded"), fields.pop("proposals")) == ([160, 192], 1000)
    earlier = card_from_json(json.dumps(fields))
    assert (earlier.padded, earlier.proposals) == ((0, 0), 1000)
    for padded in ((96, 100), (-32, 64)):
        with pytest.raises(ValueError, match=r"`padded` must be .* multiples of `multiple`"):
            dataclasses.replace(recipe.card, padded=padded)


@pytest.mark.parametrize("shape", [(7, 5), (40, 33), (1, 1), (300, 200)])
def test_masks_are_decoded_in_the_graph(shape):
    rng = np.random.default_rng(0)
    blocks = rng.random((-(-shape[0] // 9), -(-shape[1] // 9))) < 0.5
    mask = np.kron(blocks, np.ones((9, 9)))[: shape[0], : shape[1]].astype(np.uint8)
    for pixels in (mask, 1 - mask, np.zeros_like(mask), np.ones_like(mask)):
        counts = coco_mask.encode(np.asfortranarray(pixels))["counts"]
        found, first = tf.function(decoded)(tf.constant(counts), tf.constant(shape))
        columns = np.pad(found, ((first, shape[1] - first - len(found)), (0, 0)))
        np.testing.assert_array_equal(columns.T, pixels)
        assert len(found) <= 1 or (found[0].numpy().any() and found[-1].numpy().any())
    assert decoded(tf.constant(""), tf.constant(shape))[0].shape == (0, shape[0])


def test_sizes_after_scaling():
    data = pipeline()
    size = data["ori_hw"].astype(np.int32)
    count = len(size)
    found = augment.scaled_sizes(size, tf.fill((count,), 800.0), tf.ones(count), 1333)
    np.testing.assert_array_equal(found, data["new_hw"])


@pytest.mark.parametrize("case, sides, mirrored", [("a", (140, 90), True), ("b", (60, 50), False)])
def test_views(case, sides, mirrored):
    """Boxes, masks and pixels are those of mmdetection; pixels within a grey level."""
    data = pipeline()
    size = tf.constant(data["image_bgr"].shape[:2])
    scaled = augment.scaled_sizes(size[None], tf.constant([float(sides[1])]), tf.ones(1), sides[0])
    row = {"size": size, "scaled": scaled[0], "corner": tf.zeros(2, tf.int32)}
    row["mirrored"] = tf.constant(mirrored)
    expected = data[f"{case}_resized_bgr"]
    assert tuple(scaled[0].numpy()) == expected.shape[:2]
    boxes = augment.moved(tf.constant(data["boxes"][:2]), row, scaled[0])
    np.testing.assert_allclose(boxes, data[f"{case}_boxes"], atol=1e-3)
    view = (96, 144)
    levels = crop(data["image_bgr"], tf.zeros(2, tf.int32), augment.inverse(row), view, True)
    pixels = np.stack([levels.numpy() >> shift & 255 for shift in (0, 8, 16)], axis=-1)
    height, width = expected.shape[:2]
    difference = np.abs(pixels[:height, :width].astype(int) - expected.astype(int))
    assert difference.max() <= 1
    masks = np.unpackbits(data["masks"], axis=-1)[..., : size[1]]
    wanted = np.unpackbits(data[f"{case}_masks"], axis=-1)[..., :width]
    for mask, target in zip(masks, wanted, strict=False):
        seen = np.flatnonzero(mask.any(axis=0))
        part = mask[:, seen[0] : seen[-1] + 1].T
        found = augment.resampled(
            tf.constant(part), tf.constant(seen[0], tf.int32), row, view
        ).numpy()
        np.testing.assert_array_equal(found[:height, :width], target)
        assert not found[height:].any() and not found[:, width:].any()


def test_the_reader_uses_what_mmdetection_uses(tmp_path):
    data = pipeline()
    path = FIXTURES / "det_pipeline" / "annotations.json"
    content = json.loads(path.read_text())
    for image in content["images"]:
        pixels = np.zeros((image["height"], image["width"], 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / image["file_name"], "JPEG")
    names = tuple(each["name"] for each in content["categories"])
    ids = tuple(each["id"] for each in content["categories"])
    lines = []
    order = np.argsort(ids)
    card = DetectionCard(
        classes=tuple(names[i] for i in order), category_ids=tuple(ids[i] for i in order)
    )
    found = read(str(path), str(tmp_path), card, lines.append)
    numbers = {image["file_name"]: image["id"] for image in content["images"]}
    ours = {numbers[record.image.path.name]: record for record in found}
    assert sorted(ours) == sorted(data["kept_images"].tolist())
    for number, record in ours.items():
        rows = data["instances"][data["instances"][:, 0] == number]
        rows = rows[rows[:, 6] == 0]
        assert record.crowds == (data["instances"][data["instances"][:, 0] == number, 6] > 0).sum()
        np.testing.assert_array_equal(record.classes, rows[:, 5])


def test_batches_have_static_shapes_and_true_boxes(drawings):
    image, targets, weights = first(drawings)
    count = targets["objects"].shape[1]
    points, _ = fcos_points(drawings.input_size)
    assert image.shape == (4, 96, 128, 3) and weights.tolist() == [1] * 4
    assert targets["point_classes"].shape == (4, len(points)) and count < 9
    for row in range(4):
        positive = targets["point_classes"][row] < 2
        assert positive.any()
        where, sides = points[positive], targets["distances"][row][positive]
        boxes = np.concatenate([where - sides[:, :2], where + sides[:, 2:]], axis=1)
        near = np.abs(boxes[:, None] - targets["objects"][row]).max(axis=2).min(axis=1)
        assert near.max() < 1e-3


def test_batches_depend_on_seed_and_step_alone(drawings):
    whole = first(drawings, step=3)
    parts = [first(drawings, step=3, parts=2, first_part=i) for i in (0, 1)]
    joined = tf.nest.map_structure(lambda *x: np.concatenate(x), *parts)
    tf.nest.map_structure(np.testing.assert_array_equal, whole, joined)


def test_masks_of_batches_lie_in_their_boxes(drawings):
    recipe = dataclasses.replace(drawings, head="mask_rcnn")
    inputs, targets, _ = first(recipe)
    np.testing.assert_array_equal(inputs["boxes"], targets["objects"])
    masks = np.unpackbits(targets["masks"], axis=-1)
    checked = 0
    for row, column in zip(*np.nonzero(targets["masked"]), strict=True):
        y, x = np.nonzero(masks[row, column])
        box = targets["objects"][row, column]
        if len(y) > 30:
            found = [x.min(), y.min(), x.max() + 1, y.max() + 1]
            assert np.abs(found - box).max() < 2
            checked += 1
    assert checked > 3


def bad_file(folder, change):
    """Annotations of one image with a good object, changed."""
    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(folder / "a.png")
    good = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [5, 5, 20, 20], "iscrowd": 0}
    image = {"id": 1, "file_name": "a.png", "width": 80, "height": 60}
    content = {"images": [image], "annotations": [good], "categories": [{"id": 7, "name": "cup"}]}
    change(content, good)
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return str(path)


BAD = {
    "zero": ({"bbox": [5, 5, 0, 10]}, "below a pixel"),
    "negative": ({"bbox": [5, 5, -3, 10]}, "its `bbox` is empty"),
    "outside": ({"bbox": [90, 5, 10, 10]}, "outside the image"),
    "two points": ({"segmentation": [[1, 1, 5, 5]]}, "three points or more"),
    "other size": (
        {"segmentation": {"size": [10, 10], "counts": [100]}},
        "its `segmentation` is of [10, 10], its image of",
    ),
    "unknown": ({"category_id": 3}, "no category has the id 3"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_objects_are_named_and_the_others_used(tmp_path, name):
    change, words = BAD[name]
    path = bad_file(
        tmp_path, lambda content, good: content["annotations"].append({**good, "id": 2, **change})
    )
    lines = []
    card = DetectionCard(classes=("cup",), category_ids=(7,))
    (record,) = read(path, str(tmp_path), card, lines.append)
    assert len(record.classes) == 1 and record.classes[0] == 0
    assert any(words in line for line in lines), lines


def test_masks_without_boxes_get_those_of_their_masks(tmp_path):
    def change(content, good):
        entry = {**good, "id": 2, "segmentation": [[10, 10, 30, 10, 30, 40, 10, 40]]}
        del entry["bbox"]
        content["annotations"].append(entry)

    path = bad_file(tmp_path, change)
    card = DetectionCard(classes=("cup",), category_ids=(7,))
    (record,) = read(path, str(tmp_path), card, lambda line: None)
    np.testing.assert_allclose(record.boxes[1], [10, 10, 30, 40])
    assert record.masks[0] == "" and record.masks[1]


def test_images_without_objects_are_left_out(tmp_path):
    """Crowds and ignored objects alone are none; all is said, in one line."""

    def change(content, good):
        for number, fields in enumerate(({"iscrowd": 1}, {"ignore": 1}, None), 2):
            name = f"{number}.png"
            Image.new("RGB", (80, 60)).save(tmp_path / name)
            content["images"].append({"id": number, "file_name": name, "width": 80, "height": 60})
            if fields:
                entry = {**good, "id": number, "image_id": number, **fields}
                content["annotations"].append(entry)

    lines, card = [], DetectionCard(classes=("cup",), category_ids=(7,))
    (record,) = read(bad_file(tmp_path, change), str(tmp_path), card, lines.append)
    assert record.image.path.name == "a.png" and len(lines) == 1
    assert "3 images without objects are left out: 2.png, 3.png, 4.png." in lines[0]


def test_ids_of_classes_need_not_be_contiguous(tmp_path):
    """Nor in order: a class is its place among the recipe's, wherever it stands in a file."""
    ids = {"cup": 7, "cat": 90, "oar": 0}

    def change(content, good):
        content["categories"] = [{"id": i, "name": name} for name, i in ids.items()]
        content["annotations"] = [
            {**good, "id": i, "category_id": kind, "bbox": [3, 3, 20 + i, 20]}
            for i, kind in enumerate((90, 0, 7, 90))
        ]

    recipe = settle(one_image(bad_file(tmp_path, change), flip_probability=0.0))
    assert dict(zip(recipe.classes, recipe.category_ids, strict=True)) == ids
    _, targets, _ = first(recipe, augment=False)
    found = [recipe.classes[kind] for kind in targets["classes"][0]]
    wide = np.argsort(targets["objects"][0][:, 2])
    assert [found[i] for i in wide] == ["cat", "oar", "cup", "cat"]


def test_masks_are_needed_to_find_masks(tmp_path):
    recipe = settle(one_image(bad_file(tmp_path, lambda content, good: None)))
    assert len(training_pictures(recipe)) == 1
    with pytest.raises(ValueError, match="`head` must be one without masks"):
        training_pictures(dataclasses.replace(recipe, head="mask_rcnn"))


def one_image(path, **changes):
    """A recipe over `bad_file`'s image."""
    return DetectionRecipe(
        arch="w18",
        input_size=(64, 96),
        train_annotations=path,
        train_images=str(Path(path).parent),
        classes=(),
        category_ids=(),
        sides=(80, 60),
        batch_size=1,
        **changes,
    )


def test_an_image_with_500_objects(tmp_path):
    def change(content, good):
        content["annotations"] += [{**good, "id": i, "bbox": [i % 60, 3, 9, 9]} for i in range(499)]

    path = bad_file(tmp_path, change)
    recipe = settle(one_image(path))
    assert recipe.classes == ("cup",) and recipe.category_ids == (7,)
    _, targets, _ = first(recipe)
    assert targets["objects"].shape == (1, 500, 4)


def test_an_image_that_cannot_be_read_does_not_count(drawings, capfd):
    records = read(drawings.train_annotations, drawings.train_images, drawings.card)
    source = from_records(records)
    source.rows["path"][:] = "nowhere.jpg"
    _, targets, weights = next(iter(batches(source, drawings, True)))
    assert not weights.numpy().any() and not targets["objects"].numpy().any()
    assert "Left out of a batch" in capfd.readouterr().err


@pytest.mark.parametrize("head", ["fcos", "mask_rcnn"])
def test_records_have_the_batches_of_the_files(drawings, head, tmp_path):
    """To the bit; and other classes are refused, as their numbers would mean others."""
    recipe = dataclasses.replace(drawings, head=head)
    count, paths = write_records(recipe, str(tmp_path), 2)
    assert count == len(training_pictures(recipe)) and len(paths) == 2
    before = [Path(path).read_bytes() for path in paths]
    assert write_records(recipe, str(tmp_path), 2, overwrite=True)[0] == count
    assert [Path(path).read_bytes() for path in paths] == before
    recorded = dataclasses.replace(recipe, train_records=f"{tmp_path}/*.tfrecord")
    wanted, found = first(recipe, step=1), first(recorded, step=1)
    tf.nest.map_structure(np.testing.assert_array_equal, found, wanted)
    with pytest.raises(ValueError, match="must have the 2 `classes` of the recipe, in their order"):
        training_pictures(dataclasses.replace(recorded, classes=("thing", "person")))
