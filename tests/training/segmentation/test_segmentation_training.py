"""Whole runs: what they leave, how they resume, several devices, and what reads their files."""

import csv
import dataclasses
import json

import keras
import numpy as np
import own_masks
import pytest
from PIL import Image

from hrnet_tf import cli
from hrnet_tf.cards.files import read_card
from hrnet_tf.training import train
from hrnet_tf.training.loop import resume
from hrnet_tf.training.loop.schedules import learning_rate
from hrnet_tf.training.segmentation import task

EVERYTHING = {
    "head": "ocr",
    "loss": "ohem",
    "optimizer": "sgd",
    "weight_decay": 1e-4,
    "power": 0.9,
    "head_rate": 10.0,
    "ema": 0.8,
    "accumulation": 2,
    "clip_norm": 0.5,
    "precision": "mixed_float16",
}


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    monkeypatch.setattr(task, "segmentation", own_masks.tiny)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    data = own_masks.write(tmp_path_factory.mktemp("own"), 6)
    return own_masks.recipe(data, epochs=6, learning_rate=0.05)


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "segmentation", own_masks.tiny)
        return train.train(recipe, folder / "run")


def test_a_run_leaves_a_network_that_commands_read(recipe, finished, tmp_path, capsys):
    assert read_card(finished) == recipe.card
    with open(finished.with_name("history.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    best = max(float(row["mIoU"]) for row in rows)
    data = [f"--annotations={recipe.val_annotations}", f"--images={recipe.val_images}"]
    evaluate = ["evaluate", f"--model={finished}", *data, "--per_class", "--confusion"]
    assert cli.main([*evaluate, f"--output={tmp_path / 'out'}"]) == 0
    shown = capsys.readouterr().out
    assert "leaf" in shown and "6 pictures" in shown
    numbers = json.loads((tmp_path / "out" / "evaluation.json").read_text())["numbers"]
    assert numbers["mIoU"] == pytest.approx(best)
    assert (
        cli.main(["predict", recipe.val_images, f"--model={finished}", f"--output={tmp_path}/o"])
        == 0
    )
    labels = np.array(Image.open(tmp_path / "o" / "0.png"))
    assert labels.shape == (40, 56) and labels.max() < 3


def test_inspect_draws_crops_and_names_what_is_left_out(recipe, tmp_path, capsys):
    data = own_masks.write(tmp_path / "data", 4)
    (tmp_path / "data" / "masks" / "1.png").write_bytes(b"cut")
    path = tmp_path / "recipe.json"
    path.write_text(own_masks.recipe(data).to_json())
    assert cli.main(["inspect", str(path), f"--output={tmp_path}/look", "--count=4"]) == 0
    page = (tmp_path / "look" / "index.html").read_text()
    assert page.count("<img") == 4 and "Left out: 1" in page and "leaf" in page
    assert "1.png is left out" in capsys.readouterr().err


@pytest.mark.parametrize("changes", [{}, EVERYTHING], ids=["plain", "everything"])
def test_an_interrupted_run_ends_as_if_it_had_not_been(recipe, changes, interrupt, tmp_path):
    """To the bit: weights, optimizer, averages, history; in the middle of an epoch."""
    recipe = dataclasses.replace(recipe, epochs=3, **changes)
    train.train(recipe, tmp_path / "quiet", distribute="none", deterministic=True)
    interrupt(3)
    with pytest.raises(KeyboardInterrupt, match="Stopped after step 3"):
        train.train(recipe, tmp_path / "broken", distribute="none", deterministic=True)
    train.train(recipe, tmp_path / "broken", distribute="none", deterministic=True)
    runs = [tmp_path / "quiet", tmp_path / "broken"]
    one, other = (resume.newest(run / "checkpoints", pytest.fail) for run in runs)
    assert one.position == other.position and one.position.step == 6
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], err_msg=name)
    assert (runs[0] / "history.csv").read_bytes() == (runs[1] / "history.csv").read_bytes()


def test_more_epochs_follow_the_power_of_a_run_that_long(recipe, tmp_path, capsys):
    short, long = (dataclasses.replace(recipe, power=0.9, epochs=epochs) for epochs in (1, 3))
    path = train.train(short, tmp_path / "run")
    train.train(long, tmp_path / "run")
    first, last = (float(learning_rate(each, 2)(2)) for each in (short, long))
    assert f"from here on it is {last:.3g}, which was {first:.3g}." in capsys.readouterr().out
    with open(path.with_name("history.csv"), newline="") as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    expected = [
        float(learning_rate(each, 2)(step)) for each, step in ((short, 2), (long, 4), (long, 6))
    ]
    assert rates == pytest.approx(expected)


def test_the_published_network_may_have_another_size(recipe, tmp_path):
    path = train.train(dataclasses.replace(recipe, epochs=1, test_size=(64, 96)), tmp_path / "run")
    assert keras.models.load_model(path).input_shape == (None, 64, 96, 3)


def test_records_are_trained_on_by_command(recipe, finished, tmp_path, capsys):
    from hrnet_tf.training.data.tfrecord.__main__ import main

    path = tmp_path / "recipe.json"
    path.write_text(recipe.to_json())
    assert main(["", str(path), f"--output={tmp_path}/records", "--shards=2"]) == 0
    assert "6 pictures in 2 shards" in capsys.readouterr().out
    records = dataclasses.replace(recipe, train_records=f"{tmp_path}/records/*.tfrecord")
    ours = train.train(records, tmp_path / "run")
    assert ours.with_name("history.csv").read_bytes() == (
        finished.with_name("history.csv").read_bytes()
    )


@pytest.mark.parametrize("head", ["concat", "ocr"])
def test_files_of_integers_are_trained_for_compared_and_recorded(recipe, head, tmp_path, capsys):
    """By calibration pictures, distance and metric of the task; OCR's files have the logits."""
    values = {"head": head, "input_size": (64, 64), "resize": "both", "base_size": 64, "epochs": 3}
    path = train.train(dataclasses.replace(recipe, **values), tmp_path / "run")
    convert = ["convert", f"--model={path}", "--int8", f"--calibration={recipe.train_images}"]
    assert cli.main([*convert, "--count=6", "--noverify"]) == 0
    assert cli.main([*convert, "--count=6", "--noverify", "--qat", "--qat_epochs=1"]) == 0
    int8, qat = (path.with_name(f"model{kind}_int8.tflite") for kind in ("", "_qat"))
    data = [f"--annotations={recipe.val_annotations}", f"--images={recipe.val_images}"]
    capsys.readouterr()
    assert cli.main(["compare", str(path), str(int8), str(qat), *data]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "mIoU" in lines[0] and len(lines) == 4
    assert cli.main(["evaluate", f"--model={int8}", *data, "--record"]) == 0
    accuracy = json.loads(int8.with_suffix(".json").read_text())["conversion"]["accuracy"]
    assert accuracy["numbers"]["mIoU"] > 0.2 and accuracy["scales"] == [1.0]
