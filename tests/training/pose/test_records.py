"""TFRecords: written whole or not at all, and batches that are those of the image files."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_tf import cli
from hrnet_tf.cards.codecs import UDP
from hrnet_tf.training import train
from hrnet_tf.training.data.tfrecord import __main__ as tfrecord
from hrnet_tf.training.pose import task
from hrnet_tf.training.pose.batches import batches
from hrnet_tf.training.pose.readers import FORMATS
from hrnet_tf.training.pose.records import read_people, write_people

import tiny_training


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return tiny_training.write_recipe(tmp_path_factory.mktemp("drawings"))


@pytest.fixture(scope="module")
def records(recipe):
    return FORMATS["coco"](recipe.train_annotations, recipe.train_images)


@pytest.fixture(scope="module")
def stored(recipe, records, tmp_path_factory):
    """The recipe, from records of its people."""
    folder = tmp_path_factory.mktemp("records")
    write_people(records, recipe, folder, shards=3)
    return dataclasses.replace(recipe, train_records=f"{folder}/*.tfrecord")


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def assert_same_batches(found, wanted, count):
    for one, other in zip(found.take(count), wanted.take(count), strict=True):
        for part, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, same)


# Writing


@pytest.mark.parametrize("kill_at", range(6))
def test_what_a_killed_writer_left_out_is_written(recipe, records, tmp_path, monkeypatch, kill_at):
    """Before or after any of its six renames; a finished shard is not touched again."""
    write_people(records, recipe, tmp_path / "whole", shards=3)
    rename, done = tf.io.gfile.rename, []

    def killed(*args, **kwargs):
        if len(done) == kill_at:
            raise KeyboardInterrupt
        done.append(args)
        rename(*args, **kwargs)

    with monkeypatch.context() as context:
        context.setattr(tf.io.gfile, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            write_people(records, recipe, tmp_path / "parts", shards=3)
    if kill_at < 5:
        with pytest.raises((FileNotFoundError, ValueError), match=r"whole shards|matches none"):
            read_people(f"{tmp_path}/parts/*.tfrecord")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").glob("*.tfrecord")}
    finished = sorted(before)[: kill_at // 2]
    write_people(records, recipe, tmp_path / "parts", shards=3)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert all(path.stat().st_mtime_ns == before[path] for path in finished)


@pytest.mark.parametrize("damage", ["cut short", "no table", "empty table"])
def test_a_damaged_shard_is_written_again(recipe, records, tmp_path, damage):
    first, _ = write_people(records, recipe, tmp_path, shards=2)
    wanted = contents(tmp_path)
    table = Path(first).with_suffix(".npz")
    if damage == "cut short":
        Path(first).write_bytes(Path(first).read_bytes()[:-9])
    elif damage == "no table":
        table.unlink()
    else:
        table.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"2 whole shards, but 1 are missing .*{first} first"):
        read_people(f"{tmp_path}/*.tfrecord")
    write_people(records, recipe, tmp_path, shards=2)
    assert contents(tmp_path) == wanted


@pytest.mark.parametrize("changed", ["shards", "reach", "people", "cut short"])
def test_other_records_are_never_replaced_unasked(recipe, records, tmp_path, changed):
    paths = write_people(records, recipe, tmp_path, shards=2)
    if changed == "cut short":
        Path(paths[1]).write_bytes(b"")
    (tmp_path / "notes.txt").write_text("thesis")
    before = contents(tmp_path)
    shards = 3 if changed == "shards" else 2
    others = records if changed in ("shards", "reach") else records[::-1]
    wider = dataclasses.replace(recipe, scale_factor=0.9) if changed == "reach" else recipe
    with pytest.raises(ValueError, match="--overwrite"):
        write_people(others, wider, tmp_path, shards)
    assert contents(tmp_path) == before
    write_people(others, wider, tmp_path, shards, overwrite=True)
    assert len(read_people(f"{tmp_path}/*.tfrecord")) == len(others)
    assert len(contents(tmp_path)) == 2 * shards + 1
    assert (tmp_path / "notes.txt").read_text() == "thesis"


def test_the_schema_is_the_documented_one(recipe, records, tmp_path):
    """Whoever reads the files with TensorFlow alone finds the pixels and the person."""
    paths = write_people(records, recipe, tmp_path, shards=2)
    kinds = {"window": (4, tf.int64), "size": (2, tf.int64), "box": (4, tf.float32)}
    kinds = {name: tf.io.FixedLenFeature((size,), kind) for name, (size, kind) in kinds.items()}
    text = tf.io.FixedLenFeature((), tf.string)
    schema = {
        "image/pixels": text, "image/window": kinds["window"], "image/size": kinds["size"],
        "image/name": text, "image/id": text, "person/id": text, "person/box": kinds["box"],
        "person/keypoints": tf.io.FixedLenFeature((17, 3), tf.float32),
    }  # fmt: skip
    for record, data in zip(records, tf.data.TFRecordDataset(paths), strict=True):
        found = tf.io.parse_single_example(data, schema)
        found = {name: value.numpy() for name, value in found.items()}
        top, left, bottom, right = found["image/window"]
        pixels = np.frombuffer(found["image/pixels"], np.uint8)
        image = np.asarray(Image.open(record.image.path))
        np.testing.assert_array_equal(
            pixels.reshape(bottom - top, right - left, 3), image[top:bottom, left:right]
        )
        assert tuple(found["image/size"]) == record.image.size
        assert found["image/name"].decode() == record.image.path.name
        assert found["person/id"].decode() == str(record.id)
        np.testing.assert_allclose(found["person/box"], record.box, rtol=1e-6)
        np.testing.assert_allclose(found["person/keypoints"], record.keypoints, rtol=1e-6)


def test_who_cannot_be_decoded_is_named_and_left_out(recipe, records, tmp_path):
    """Ids may be text; a shard may end up empty."""
    bad = dataclasses.replace(records[0].image, path=tmp_path / "bad.jpg")
    bad.path.write_bytes(records[0].image.path.read_bytes()[:2000])
    people = [dataclasses.replace(records[0], id="a", image=bad), *records[1:]]
    lines = []
    folder = tmp_path / "records"
    write_people(people, recipe, folder, len(people), report=lines.append)
    assert len(lines) == 1 and "bad.jpg: annotation a is left out: it cannot be decoded" in lines[0]
    found = read_people(f"{folder}/*.tfrecord")
    assert len(found) == len(records) - 1
    data = batches(found, recipe, augment=False), batches(records[1:], recipe, augment=False)
    assert_same_batches(*data, count=9)


def test_remote_folders_work_as_local_ones(recipe, records):
    """Everything goes through `tf.io.gfile`, which has a file system in memory."""
    write_people(records, recipe, "ram://people", shards=2)
    write_people(records, recipe, "ram://people", shards=2)
    found = read_people("ram://people/*.tfrecord")
    data = batches(found, recipe, augment=True), batches(records, recipe, augment=True)
    assert_same_batches(*data, count=1)


def test_the_command_writes_and_says_what_to_train_on(recipe, tmp_path, capsys):
    (tmp_path / "tiny.json").write_text(recipe.to_json())
    words = ["tfrecord", str(tmp_path / "tiny.json"), f"--output={tmp_path / 'out'}"]
    assert tfrecord.main([*words, "--shards=2"]) == 0
    assert f"people in 2 shards: {tmp_path / 'out'}/*.tfrecord" in capsys.readouterr().out
    for wrong, said in (
        (["--shards=99"], "`shards` must be from 1 to"),
        (["--shards=3"], "replace them with --overwrite"),
        (["--train_images=nowhere"], "`images_dir` must be a folder"),
        (["--output="], "--output=DIR"),
    ):
        assert tfrecord.main([*words, *wrong]) == 1
        line = capsys.readouterr().err
        assert said in line and line.count("\n") == 1


# Reading


@pytest.mark.parametrize(
    "changes",
    [
        {"half_body_probability": 1.0},
        {
            "codec": UDP(),
            "color_jitter": 0.3,
            "cutout_probability": 0.5,
            "batch_size": 6,
            "scale_factor": 0.1,
            "rotation_factor": 10.0,
            "input_size": (32, 32),
        },
    ],
    ids=("as the recipe", "less, otherwise"),
)
def test_batches_are_those_of_the_image_files(recipe, records, stored, changes):
    """The same order, draws and pixels, to the bit, for every recipe that shows no more."""
    changed = dataclasses.replace(recipe, **changes)
    people = read_people(stored.train_records)
    files, stored = batches(records, changed, augment=True), batches(people, changed, augment=True)
    assert_same_batches(stored, files, count=6)
    plain = batches(people, changed, augment=False), batches(records, changed, augment=False)
    assert_same_batches(*plain, count=9)


def test_training_on_records_is_training_on_files(recipe, stored, tmp_path, monkeypatch):
    """The annotations and images of the training data are not needed any more."""
    monkeypatch.setattr(task, "pose", tiny_training.network)
    recipe = dataclasses.replace(recipe, epochs=3, val_annotations="")
    stored = dataclasses.replace(recipe, train_records=stored.train_records)
    stored = dataclasses.replace(stored, train_annotations="lost.json", train_images="lost")
    for name, each in (("files", recipe), ("records", stored)):
        train.train(each, tmp_path / name, deterministic=True)
    histories = [(tmp_path / name / "history.csv").read_text() for name in ("files", "records")]
    losses = [[line.split(",")[1] for line in text.splitlines()] for text in histories]
    assert losses[0][0] == "loss" and losses[0] == losses[1]
    files, records = (
        np.load(max((tmp_path / name / "checkpoints").glob("step_*.npz")))
        for name in ("files", "records")
    )
    weights = [name for name in files.files if name != "about"]
    assert len(weights) > 10
    for name in weights:
        np.testing.assert_array_equal(files[name], records[name])


def rename_one(folder):
    shard = min(folder.glob("*.tfrecord"))
    shard.rename(folder / "strangers.tfrecord")


def add_other_set(folder):
    shard = min(folder.glob("*.tfrecord"))
    (folder / shard.name.replace("of-00002", "of-00004")).write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "flags", "said"),
    [
        (lambda folder: min(folder.glob("*.tfrecord")).unlink(), [], "2 whole shards, but 1 are"),
        (lambda folder: min(folder.glob("*.npz")).write_text("x"), [], "2 whole shards, but 1 are"),
        (lambda folder: max(folder.glob("*.tfrecord")).write_bytes(b""), [], "00001-of-00002"),
        (rename_one, [], "shards of one set"),
        (add_other_set, [], "shards of one set"),
        (None, ["--train_records=*.records"], "must match files, as 'DIR/*.tfrecord'"),
        (None, ["--train_records=nowhere://a/*"], "nowhere://a/*: cannot be read"),
        (None, ["--train_records=*/people-00001*.tfrecord"], "2 whole shards, but 1 are missing"),
        (None, ["--keypoints=mpii"], "17 keypoints per person, the recipe's set has 16"),
        (None, ["--scale_factor=0.9"], "Write them again with this recipe"),
    ],
)
def test_a_mistake_gets_one_sentence(
    recipe, records, tmp_path, monkeypatch, capsys, change, flags, said
):
    monkeypatch.chdir(tmp_path)
    write_people(records, recipe, tmp_path / "people", shards=2)
    if change:
        change(tmp_path / "people")
    Path("tiny.json").write_text(recipe.to_json())
    words = ["train", "tiny.json", "--workdir=run", "--val_annotations="]
    assert cli.main([*words, "--train_records=people/*.tfrecord", *flags]) == 1
    line = capsys.readouterr().err
    assert said in line and line.count("\n") == 1


def test_a_record_that_rots_counts_for_nothing(recipe, records, tmp_path, capfd):
    """Its checksum tells; the run goes on, and one line names the person."""
    shard, *_ = write_people(records, recipe, tmp_path, shards=2)
    people = read_people(f"{tmp_path}/*.tfrecord")
    data = bytearray(Path(shard).read_bytes())
    data[people.rows["offset"][1] + people.rows["length"][1] // 2] ^= 255
    Path(shard).write_bytes(data)
    found = list(batches(people, recipe, augment=False))
    wanted = list(batches(records, recipe, augment=False))
    weights, same = (np.concatenate([w for *_, w in each]) for each in (found, wanted))
    assert not weights[1].any() and same[1].any()
    np.testing.assert_array_equal(np.delete(weights, 1, 0), np.delete(same, 1, 0))
    lines = [line for line in capfd.readouterr().err.splitlines() if "cannot be read" in line]
    assert len(lines) == 1 and people.rows["name"][1] in lines[0]
