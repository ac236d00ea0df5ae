"""Folders, lists and TARs of pictures; what is wrong with them is named, and the rest goes on."""

import tarfile

import numpy as np
import pytest
from PIL import Image

from hrnet_tf.labels.classes import IMAGENET
from hrnet_tf.media.images import read_image
from hrnet_tf.training.classification.batches import batches
from hrnet_tf.training.classification.check import examine
from hrnet_tf.training.classification.evaluator import ClassificationEvaluator
from hrnet_tf.training.classification.options import ClassificationScoring
from hrnet_tf.training.classification.pictures import held_out
from hrnet_tf.training.classification.readers import class_names, read
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.classification.records import read_pictures, write_records
from hrnet_tf.training.classification.source import settle, training_pictures

CLASSES = ("bird", "cat", "dog")


def paint(path, seed=0, mode="RGB", size=(50, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def photos(tmp_path):
    for label, name in enumerate(CLASSES):
        for number in range(4):
            suffix = "png" if number == 3 else "jpg"
            paint(tmp_path / "photos" / name / f"{number}.{suffix}", 10 * label + number)
    return tmp_path / "photos"


def recipe(images, **changes):
    values = {"arch": "w18", "input_size": (32, 32), "batch_size": 4, "classes": CLASSES}
    return ClassificationRecipe(**values | {"train_images": str(images)} | changes)


def everything(source, recipe, augment=False):
    data = batches(source, recipe, augment)
    found = [tuple(np.array(part) for part in batch) for batch in data.take(4)]
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def test_folders_are_classes(photos):
    (photos / ".hidden").mkdir()
    (photos / "cat" / ".DS_Store").write_bytes(b"x")
    paint(photos / "cat" / "more" / "deep.jpg")
    assert class_names(photos) == CLASSES
    found = read(photos, "", CLASSES, pytest.fail)
    assert np.bincount(found.rows["label"]).tolist() == [4, 5, 4]
    assert "cat/more/deep.jpg" in found.rows["name"]


def test_each_bad_picture_and_class_is_named_and_the_rest_goes_on(photos, capfd):
    (photos / "cat" / "notes.txt").write_text("cats")
    (photos / "cat" / "empty.jpg").touch()
    whole = (photos / "cat" / "1.jpg").read_bytes()
    (photos / "cat" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "nothing").mkdir()
    paint(photos / "bat" / "only.jpg")
    paint(photos / "dog" / "grey.png", mode="L")
    paint(photos / "dog" / "palette.png", mode="P")
    lines = []
    classes = ("bat", *CLASSES, "fox")
    found = read(photos, "", classes, lines.append)
    said = "\n".join(lines)
    for part in (
        "notes.txt: left out: it is no picture",
        "empty.jpg: left out: it is empty",
        "nothing: left out: none of the 5 classes has this name",
    ):
        assert part in said
    assert len(lines) == 3 and len(found) == 4 + 5 + 6 + 1
    problems = "\n".join(examine(found, None, classes, lines).problems)
    assert "cut.jpg: damaged" in problems and "fox: has no picture" in problems
    _, _, weights = everything(found, recipe(photos, classes=classes))
    assert "cat/cut.jpg" in capfd.readouterr().err
    assert sorted(weights) == [0.0] + [1.0] * 15


def test_a_class_with_one_picture_is_named_before_training(photos):
    paint(photos / "bat" / "only.jpg")
    lines = []
    found = training_pictures(recipe(photos, classes=("bat", *CLASSES)), lines.append)
    assert len(found) == 13
    assert lines == ["bat: only one picture, too few to learn a class from."]


def test_folders_of_a_split_are_no_classes(photos):
    (photos.parent / "set").mkdir()
    photos.rename(photos.parent / "set" / "train")
    with pytest.raises(ValueError, match=r"holds train\. Name .*train instead"):
        class_names(photos.parent / "set")
    with pytest.raises(ValueError, match="a TAR needs a list"):
        class_names("val.tar")
    with pytest.raises(ValueError, match="two or more classes"):
        class_names(photos.parent / "set" / "train" / "cat")


@pytest.mark.parametrize(
    ("lines", "classes"),
    [
        (["b.jpg 1", "a.jpg 0", "c.jpg 2"], CLASSES),
        (["a.jpg,bird", "b.jpg,cat", "c.jpg,dog"], CLASSES),
        (["bird", "cat", "dog"], CLASSES),
        (["n01440764", "n01443537", "n01484850"], IMAGENET.names),
        (
            ["ImageId,PredictionString", "a,n01440764 1 2 3 4", "b,n01443537 1", "c,n01484850"],
            IMAGENET.names,
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_lists_of_every_kind_name_the_classes_of_files_and_of_a_tar(
    tmp_path, lines, classes, packed
):
    suffix = "JPEG" if "PredictionString" in lines[0] else "jpg"
    for number, name in enumerate("abc"):
        paint(tmp_path / "all" / f"{name}.{suffix}", number)
    images, listing = tmp_path / "all", tmp_path / "val.txt"
    listing.write_text("\n".join(lines))
    if packed:
        images = tmp_path / "val.tar"
        with tarfile.open(images, "w") as archive:
            archive.add(tmp_path / "all", "ILSVRC")
    found = read(images, str(listing), classes, pytest.fail)
    labels = dict(zip((n[0] for n in found.rows["name"]), found.rows["label"], strict=True))
    assert labels == {"a": 0, "b": 1, "c": 2}
    order = np.argsort(found.rows["label"])
    crops = everything(found[order], recipe(images, classes=classes))[0]
    plain = read(tmp_path / "all", str(listing), classes, pytest.fail)[order]
    np.testing.assert_array_equal(crops, everything(plain, recipe(images, classes=classes))[0])
    judge = ClassificationEvaluator(
        recipe(images, classes=classes).card, ClassificationScoring(str(listing), str(images))
    )
    assert len(judge.wanted) == 3 and bool(judge.wanted[0].part[0]) == packed
    for wanted, name in zip(judge.wanted, judge.pictures.rows["name"], strict=True):
        pixels = read_image(wanted.path, part=wanted.part)
        whole = read_image(tmp_path / "all" / f"{name[0]}.{suffix}")
        np.testing.assert_array_equal(pixels, whole)


def test_a_list_that_would_mean_other_classes_is_refused(photos, tmp_path):
    """The development kit counts classes from 1 in an order of its own."""
    listing = tmp_path / "ILSVRC2012_validation_ground_truth.txt"
    listing.write_text("490\n361\n171\n822\n297\n482\n13\n704\n599\n164\n649\n11\n")
    with pytest.raises(ValueError, match="Give a list of synsets"):
        read(photos, str(listing), IMAGENET.names)
    listing.write_text("a.jpg cat\nb.jpg mouse")
    lines = []
    paint(tmp_path / "all" / "b.jpg")
    with pytest.raises(ValueError, match="no picture"):
        read(tmp_path / "all", str(listing), CLASSES, lines.append)
    assert "line 1: left out: a.jpg is not in" in lines[0] and "'mouse'" in lines[1]


def test_what_is_held_out_is_always_the_same(photos):
    found = read(photos, "", CLASSES)
    chosen = held_out(found, 0.25)
    assert np.bincount(found.rows["label"][chosen]).tolist() == [1, 1, 1]
    names = set(found.rows["name"][chosen])
    paint(photos / "cat" / "new.jpg")
    again = read(photos, "", CLASSES)
    more = set(again.rows["name"][held_out(again, 0.25)])
    assert len(names & more) >= 2 and len(more) == 3
    split = recipe(photos, held_out=0.25)
    trained = set(training_pictures(split).rows["name"])
    assert not trained & more and len(trained | more) == len(again)


def test_batches_of_training_depend_on_seed_and_step_alone(photos):
    values, found = recipe(photos), read(photos, "", CLASSES)
    whole = [tuple(map(np.array, each)) for each in batches(found, values, True).take(5)]
    later = [tuple(map(np.array, each)) for each in batches(found, values, True, 3).take(2)]
    halves = [
        next(iter(batches(found, values, True, 3, parts=2, first_part=part))) for part in (0, 1)
    ]
    halves = [np.concatenate(parts) for parts in zip(*halves, strict=True)]
    for one, other in zip(whole[3], later[0], strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(whole[3], halves, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(whole[0][0], whole[3][0])


def test_records_give_the_batches_of_the_files(photos, tmp_path):
    values = recipe(photos)
    count, paths = write_records(values, str(tmp_path / "records"), 2)
    assert count == 12 and len(paths) == 2
    pattern = str(tmp_path / "records" / "*.tfrecord")
    settled = settle(recipe("", classes=(), train_records=pattern))
    assert settled.classes == CLASSES
    files = next(iter(batches(read(photos, "", CLASSES), values, True)))
    records = next(iter(batches(read_pictures(pattern, CLASSES), values, True)))
    for one, other in zip(files, records, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="without 'cat'"):
        read_pictures(pattern, ("bird", "dog"))
    turned = read_pictures(pattern, ("dog", "cat", "bird"))
    assert np.array_equal(turned.rows["label"], 2 - read_pictures(pattern, CLASSES).rows["label"])


def test_classes_come_from_the_folders_or_must_be_named(photos):
    assert settle(recipe(photos, classes=())).classes == CLASSES
    with pytest.raises(ValueError, match="`classes` must be named"):
        settle(recipe(photos, classes=(), train_annotations="train.txt"))
