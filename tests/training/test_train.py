"""From records to a saved model: loss, schedule, `train`."""

import csv
import dataclasses
import hashlib
import json
import threading
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

from hrnet_tf import cli
from hrnet_tf.cards.codecs import UDPCombined
from hrnet_tf.cards.files import read_card
from hrnet_tf.networks.pose import pose
from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.presets import PRESETS
from hrnet_tf.training import train
from hrnet_tf.training.loop import resume
from hrnet_tf.training.loop.schedules import learning_rate
from hrnet_tf.training.overrides import override
from hrnet_tf.training.pose import losses, task
from hrnet_tf.training.pose.batches import batches
from hrnet_tf.training.pose.source import training_people
from hrnet_tf.training.recipe import load_recipe
from hrnet_tf.training.start import load_weights
from hrnet_tf.weights.load import weights_of

import tiny_training
from places import FIXTURES

RNG = np.random.default_rng(0)
TINY = HRNetSpec(width=8, stage1_blocks=1, stage1_planes=8, modules=(1, 1, 1), blocks=1)


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    return tiny_training.write_recipe(tmp_path_factory.mktemp("drawings"))


@pytest.fixture
def small_network(monkeypatch):
    monkeypatch.setattr(task, "pose", tiny_training.network)


def history(path):
    with open(path.with_name("history.csv"), newline="") as file:
        return list(csv.DictReader(file))


# Loss


def test_the_loss_is_the_original_formula():
    truth, maps = RNG.random((2, 3, 4, 5, 6), np.float32)
    weights = RNG.choice((0, 0.5, 1), (3, 6)).astype(np.float32)
    per_joint = [
        0.5 * np.mean((weights[:, k, None, None] * (maps - truth)[..., k]) ** 2) for k in range(6)
    ]
    assert_loss(losses.JointMSE(), truth, maps, weights, np.mean(per_joint))


def test_hard_keypoints_are_those_of_the_original_formula():
    """`JointsOHKMMSELoss`: of each person the largest losses per joint, after the weights."""
    truth, maps = RNG.random((2, 3, 4, 5, 6), np.float32)
    weights = RNG.choice((0, 0.5, 1), (3, 6)).astype(np.float32)
    per_person = []
    for person in range(3):
        difference = weights[person] * (maps - truth)[person]
        joints = 0.5 * np.mean(difference**2, axis=(0, 1))
        per_person.append(np.sum(np.sort(joints)[-2:]) / 2)
    assert_loss(losses.HardKeypointMSE(2), truth, maps, weights, np.mean(per_person))


def test_discs_and_offsets_have_the_loss_of_mmpose():
    """`CombinedTargetMSELoss`: offsets count inside the disc, which has the weight already."""
    truth, maps = RNG.random((2, 3, 4, 5, 6), np.float32)
    truth[..., ::3] = truth[..., ::3] > 0.5
    weights = RNG.choice((0, 0.5, 1), (3, 2)).astype(np.float32)
    total = 0
    for k in range(2):
        disc, x, y = np.moveaxis(truth[..., 3 * k : 3 * k + 3], -1, 0)
        found_disc, found_x, found_y = np.moveaxis(maps[..., 3 * k : 3 * k + 3], -1, 0)
        weight = weights[:, k, None, None]
        disc, found_disc = weight * disc, weight * found_disc
        for found, wanted in (
            (found_disc, disc),
            (disc * found_x, disc * x),
            (disc * found_y, disc * y),
        ):
            total += 0.5 * np.mean((found - wanted) ** 2)
    assert_loss(losses.CombinedMSE(), truth, maps, weights, total / 2)


def assert_loss(loss, truth, maps, weights, expected):
    """By itself and inside plain Keras; the weights go in squared."""
    squared = weights[:, None, None, :] ** 2
    np.testing.assert_allclose(loss(truth, maps, squared), expected, rtol=1e-5)
    model = keras.Sequential([keras.Input(truth.shape[1:]), keras.layers.Identity()])
    model.compile(loss=loss)
    fitted = model.evaluate(tf.data.Dataset.from_tensors((maps, truth, squared)), verbose=0)
    np.testing.assert_allclose(fitted, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "loss", [losses.JointMSE(), losses.HardKeypointMSE(2), losses.CombinedMSE()]
)
def test_losses_stay_float32_and_reload_by_name(loss):
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss) and again.get_config() == loss.get_config()
    tiny = np.full((1, 2, 2, 3), 3e-4, np.float16)  # its square is 0 in float16
    value = again(np.zeros_like(tiny), tiny, np.ones((1, 1, 1, 1), np.float16))
    assert keras.backend.standardize_dtype(value.dtype) == "float32" and value > 0


def test_the_codec_and_the_recipe_choose_the_loss():
    recipe = tiny_training.bare_recipe("w32", (256, 192))
    assert isinstance(losses.loss(recipe), losses.JointMSE)
    assert losses.loss(dataclasses.replace(recipe, hard_keypoints=8)).hardest == 8
    combined = dataclasses.replace(recipe, codec=UDPCombined())
    assert isinstance(losses.loss(combined), losses.CombinedMSE)
    for wrong in (dataclasses.replace(combined, hard_keypoints=8), recipe):
        with pytest.raises(ValueError, match="`hard_keypoints` must be at most the 17 of coco"):
            losses.loss(dataclasses.replace(wrong, hard_keypoints=wrong.hard_keypoints or 18))


# Schedule


def rates(steps, *numbers, **changes):
    schedule = learning_rate(tiny_training.bare_recipe("w32", (256, 192), **changes), steps)
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert [float(again(n)) for n in numbers] == [float(schedule(n)) for n in numbers]
    return [float(schedule(n)) for n in numbers]


def test_the_rate_drops_tenfold_with_the_first_step_after_a_milestone():
    found = rates(10, 0, 1699, 1700, 1999, 2000)
    np.testing.assert_allclose(found, [1e-3, 1e-3, 1e-4, 1e-4, 1e-5], rtol=1e-5)


def test_warm_up_is_linear_and_the_milestones_count_from_the_first_step():
    warm = {"warmup_steps": 500, "warmup_start": 0.001}
    found = rates(10, 0, 250, 499, 500, 1699, 1700, **warm)
    wanted = [1e-6, 0.5005e-3, 0.998002e-3, 1e-3, 1e-3, 1e-4]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_constant_warm_up_ends_with_a_step():
    """FCOS' published schedule: a third of .01 for 500 steps, milestones 16 and 22 of 24 epochs."""
    page = load_recipe("coco_fcos_w18")
    steps = -(-117266 // 16)  # images of COCO train2017 with objects
    drops = [steps * milestone for milestone in (16, 22)]
    schedule = learning_rate(page, steps)
    numbers = (0, 250, 499, 500, drops[0] - 1, drops[0], drops[1] - 1, drops[1], 24 * steps - 1)
    found = [float(schedule(number)) for number in numbers]
    third, rate = np.float32(0.01) * np.float32(1 / 3), np.float32(0.01)
    wanted = [*3 * [third], rate, rate, *2 * [np.float32(1e-3)], *2 * [np.float32(1e-4)]]
    np.testing.assert_array_max_ulp(np.float32(found), np.float32(wanted), 1)


def test_a_constant_warm_up_of_a_cosine():
    warm = {"warmup_steps": 20, "warmup_start": 0.5, "warmup": "constant"}
    found = rates(10, 0, 19, 20, 60, 100, milestones=(), epochs=10, **warm)
    np.testing.assert_allclose(found, [5e-4, 5e-4, 1e-3, 5e-4, 0], atol=1e-8)


def test_a_cosine_ends_at_zero_and_starts_after_the_warm_up():
    found = rates(10, 0, 50, 100, milestones=(), epochs=10)
    np.testing.assert_allclose(found, [1e-3, 5e-4, 0], atol=1e-8)
    warm = {"warmup_steps": 20, "warmup_start": 0.5}
    found = rates(10, 0, 10, 20, 60, 100, milestones=(), epochs=10, **warm)
    np.testing.assert_allclose(found, [5e-4, 7.5e-4, 1e-3, 5e-4, 0], atol=1e-8)


@pytest.mark.parametrize("case", ["poly", "poly_cityscapes", "mmseg_poly"])
def test_a_power_of_the_steps_left_is_that_of_the_originals(case):
    with np.load(FIXTURES / "schedules" / "data.npz") as data:
        data = {
            name.partition("/")[2]: data[name] for name in data.files if name.startswith(f"{case}/")
        }
    if case == "mmseg_poly":
        steps, numbers, wanted, least = 40, range(43), data["lr_used"], 1e-4
    elif case == "poly":
        steps, numbers, wanted, least = 35, range(35), data["lr_used"], 0.0
    else:  # what is set after a step counts for the next one
        steps, numbers, wanted, least = 119548, data["iters"] + 1, data["lr"], 0.0
    found = rates(steps, *numbers, epochs=1, learning_rate=0.01, power=0.9, least_rate=least)
    np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=1e-9)


# Training


def test_training_leaves_a_model_that_needs_nothing_else(drawings, small_network, tmp_path):
    path = train.train(drawings, tmp_path / "run")
    assert {file.name for file in path.parent.iterdir()} == {
        "model.keras", "model.json", "recipe.json", "history.csv", "curves.svg", "checkpoints",
        "tensorboard",
    }  # fmt: skip
    model = keras.models.load_model(path)
    assert not model.compiled and not isinstance(model.output, list)
    assert model.output_shape == (None, 16, 16, 17)
    assert read_card(path) == drawings.card
    assert path.with_name("recipe.json").read_text() == drawings.to_json()
    first, last = history(path)
    assert float(last["loss"]) < float(first["loss"])
    assert first["AP"] == "" and 0 <= float(last["AP"]) <= 1  # evaluate_every is 10

    before = model.get_weights()
    train.train(drawings, tmp_path / "run", overwrite=True)
    after = keras.models.load_model(path).get_weights()
    for old, new in zip(before, after, strict=True):  # the seed repeats the whole run
        np.testing.assert_allclose(old, new, atol=1e-4)


def test_results_during_training_are_those_of_evaluate_on_the_published_file(
    drawings, monkeypatch, tmp_path
):
    """A network that says where joints usually are, so that there is something to measure."""
    _, targets, _ = next(iter(batches(training_people(drawings), drawings, augment=False)))
    usual = np.mean(targets, axis=0)

    def guess(arch, input_shape, num_keypoints, head):
        image = keras.Input(input_shape)
        x = keras.layers.Conv2D(num_keypoints, 4, strides=4, name="final_layer")(image)
        return keras.Model(image, 0.02 * x + usual)

    monkeypatch.setattr(task, "pose", guess)
    recipe = dataclasses.replace(drawings, epochs=3, evaluate_every=1, ema=0.5)
    path = train.train(recipe, tmp_path / "run")
    best = max(history(path), key=lambda row: (float(row["AP"]), int(row["epoch"])))
    numbers = train.validate(recipe, path).numbers
    assert 0.02 < numbers["AP"] < 1
    for name, value in numbers.items():
        assert float(best[name]) == pytest.approx(value, abs=1e-6)


def test_a_run_parses_each_annotation_file_once(drawings, small_network, monkeypatch, tmp_path):
    """However often it evaluates."""
    data = Path(drawings.train_annotations)
    files = {}
    for use in ("train", "val"):  # the text tells them apart
        files[use] = tmp_path / f"{use}.json"
        files[use].write_text(json.dumps(json.loads(data.read_text()) | {"info": use}))
    counts, loads = Counter(), json.loads

    def counted(text, *args, **kwargs):
        counts[text] += 1
        return loads(text, *args, **kwargs)

    monkeypatch.setattr(json, "loads", counted)
    recipe = dataclasses.replace(
        drawings,
        train_annotations=str(files["train"]),
        val_annotations=str(files["val"]),
        epochs=3,
        evaluate_every=1,
    )
    path = train.train(recipe, tmp_path / "run")
    assert all(row["AP"] for row in history(path))
    assert [counts[file.read_text()] for file in files.values()] == [1, 1]


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_follows_float32_and_publishes_float32(
    precision, drawings, small_network, tmp_path
):
    recipe = dataclasses.replace(drawings, epochs=8, evaluate_every=0)
    full = history(train.train(recipe, tmp_path / "full"))
    path = train.train(dataclasses.replace(recipe, precision=precision), tmp_path / "mixed")
    mixed = history(path)
    for one, other in zip(full, mixed, strict=True):
        assert float(one["loss"]) == pytest.approx(float(other["loss"]), rel=0.03)
    assert float(mixed[-1]["loss"]) < 0.7 * float(mixed[0]["loss"])
    assert keras.config.dtype_policy().name == "float32"
    layers = keras.models.load_model(path).layers
    assert {layer.dtype_policy.name for layer in layers} == {"float32"}
    scales = [name for name in checkpoint(path).arrays if "dynamic_scale" in name]
    assert len(scales) == (precision == "mixed_float16")


def checkpoint(path):
    return resume.newest(path.with_name("checkpoints"), pytest.fail)


def test_accumulated_batches_are_one_large_batch(drawings, small_network, tmp_path):
    plain = dataclasses.replace(
        drawings, **tiny_training.PLAIN, frozen_norm=True, evaluate_every=0, milestones=(1,)
    )
    count = len(training_people(plain))
    assert count % 2 == 0  # else the epochs would not be equally long
    large = dataclasses.replace(plain, batch_size=count)
    halves = dataclasses.replace(plain, batch_size=count // 2, accumulation=2)
    weights = [
        keras.models.load_model(train.train(recipe, tmp_path / name)).get_weights()
        for name, recipe in (("large", large), ("halves", halves))
    ]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6)


def test_frozen_normalization_stays_as_it_was(drawings, small_network, tmp_path):
    recipe = dataclasses.replace(drawings, frozen_norm=True, sync_norm=True, evaluate_every=0)
    model = keras.models.load_model(train.train(recipe, tmp_path / "run"))
    norm = model.get_layer("bn1")
    for variable, value in zip(norm.weights, (1, 0, 0, 1), strict=True):
        np.testing.assert_array_equal(variable, np.full(8, value))
    assert norm.trainable and not norm.synchronized


def test_averaged_weights_are_published_and_the_others_kept_to_go_on(
    drawings, small_network, tmp_path
):
    recipe = dataclasses.replace(drawings, ema=0.9, evaluate_every=0)
    path = train.train(recipe, tmp_path / "run")
    arrays = checkpoint(path).arrays
    by_name = {name.split("/", 2)[2]: array for name, array in arrays.items()}
    for variable in keras.models.load_model(path).weights:
        raw = by_name[variable.path]
        average = by_name.get(variable.path.replace("/", "_") + "_average", raw)
        np.testing.assert_array_equal(variable, average)
        assert np.array_equal(average, raw) == ("moving" in variable.path)


def test_hard_keypoints_and_offsets_train(drawings, small_network, tmp_path):
    for name, changes in (
        ("hard", {"hard_keypoints": 8}),
        ("offsets", {"codec": UDPCombined(), "hard_keypoints": 0}),
    ):
        recipe = dataclasses.replace(drawings, **changes, epochs=6, evaluate_every=6)
        path = train.train(recipe, tmp_path / name)
        rows = history(path)
        assert float(rows[-1]["loss"]) < 0.9 * float(rows[0]["loss"])
        assert keras.models.load_model(path).output_shape[-1] == recipe.codec.channels(
            len(recipe.keypoints.names)
        )


def test_tensorboard_gets_curves_and_pictures(drawings, small_network, tmp_path):
    path = train.train(dataclasses.replace(drawings, evaluate_every=2), tmp_path / "run")
    (file,) = path.with_name("tensorboard").iterdir()
    values = {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = event_pb2.Event.FromString(record.numpy())
        for value in event.summary.value:
            values.setdefault(value.tag, {})[event.step] = value
    steps = checkpoint(path).position.steps
    for name in ("loss", "learning_rate", "images_per_second"):
        assert set(values[name]) == {steps, 2 * steps}
    assert set(values["AP"]) == set(values["val_loss"]) == {2 * steps}
    (last,) = [value.tensor for value in values["crop, target, prediction"].values()]
    pictures = last.string_val
    assert pictures[:2] == [b"192", b"64"] and len(pictures) == 2 + 4
    assert tf.io.decode_png(pictures[2]).shape == (64, 192, 3)


# Weights to start from


def test_a_run_starts_from_a_file_with_another_head(drawings, monkeypatch, tmp_path, capsys):
    other = pose(TINY, (64, 64, 3), 5)
    other.save(tmp_path / "five.keras")
    monkeypatch.setattr(task, "pose", lambda arch, *args, **names: pose(TINY, *args, **names))
    recipe = dataclasses.replace(drawings, weights=str(tmp_path / "five.keras"), epochs=1)
    recipe = dataclasses.replace(recipe, evaluate_every=0, learning_rate=1e-30, frozen_norm=True)
    path = train.train(recipe, tmp_path / "run")
    line = next(line for line in capsys.readouterr().out.splitlines() if "five.keras" in line)
    assert "tensors loaded" in line and "1 reinitialized: final_layer" in line
    trained = keras.models.load_model(path)
    for layer in other.layers:
        if layer.weights and layer.name != "final_layer":
            for one, another in zip(
                layer.weights, trained.get_layer(layer.name).weights, strict=True
            ):
                np.testing.assert_allclose(one, another, atol=1e-6)


def test_weights_of_another_network_are_refused(tmp_path):
    wide = dataclasses.replace(TINY, width=16)
    pose(wide, (64, 64, 3), 17).save(tmp_path / "wide.keras")
    with pytest.raises(ValueError, match=r"must fit `model` tensor by tensor.*mismatched"):
        load_weights(pose(TINY, (64, 64, 3), 17), str(tmp_path / "wide.keras"))


def test_a_run_starts_from_a_preset_that_is_fetched(drawings, monkeypatch, tmp_path, capsys):
    """By name: from an address on this machine, into the cache, into the network."""
    published = pose(TINY, (64, 64, 3), 17)
    np.savez(tmp_path / "tiny.npz", **weights_of(published))
    digest = hashlib.sha256((tmp_path / "tiny.npz").read_bytes()).hexdigest()
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(task, "pose", lambda arch, *args, **names: pose(TINY, *args, **names))
    recipe = dataclasses.replace(drawings, weights="tiny", epochs=1, evaluate_every=0)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        tiny = dataclasses.replace(
            PRESETS["hrnet_w32_coco_256x192"],
            name="tiny",
            kwargs={"arch": TINY, "input_shape": (64, 64, 3), "num_keypoints": 17},
            url=f"http://127.0.0.1:{server.server_port}/tiny.npz",
            sha256=digest[:8],
        )
        monkeypatch.setitem(PRESETS, "tiny", tiny)
        recipe = dataclasses.replace(recipe, learning_rate=1e-30, frozen_norm=True)
        path = train.train(recipe, tmp_path / "run")
        server.shutdown()
    assert "Starting from tiny: " in capsys.readouterr().out
    assert len(list((tmp_path / "cache").rglob("tiny.npz"))) == 1
    for one, other in zip(published.weights, keras.models.load_model(path).weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


# What cannot work


def test_impossible_runs_are_refused_before_they_start(drawings, tmp_path):
    for changes, message in (
        ({"keypoints": "mpii"}, "17 keypoints.* 16"),
        ({"hard_keypoints": "18"}, "at most the 17"),
        ({"val_annotations": "nowhere.json"}, "`val_annotations` must be a file or .*nowhere"),
        ({"weights": "nowhere.keras"}, "`weights` must be a file. .*nowhere"),
        ({"weights": "nowhere"}, "nowhere"),
    ):
        recipe = override(drawings, changes)
        with pytest.raises((ValueError, OSError), match=message):
            train.train(recipe, tmp_path / changes.popitem()[0])
    with pytest.raises(ValueError, match=r"`distribute` must be one of auto, .*'gpu'"):
        train.train(drawings, tmp_path / "run", distribute="gpu")
    (tmp_path / "file").write_text("")
    for workdir in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file"):
            train.train(drawings, workdir)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "name one recipe"),
        (["synthetic_pose"], 2, "--workdir=DIR"),
        (["synthetic_pose", "--workdir=x", "--epoch=3"], 2, "Did you mean: epochs"),
        (["synthetic_pose", "--workdir=x", "--distribute=gpu"], 2, "multi_worker"),
        (["synthetic_pose", "--workdir=x", "--train_annotations=nowhere"], 1, "must be a file"),
    ],
)
def test_the_command_says_in_a_line_what_is_wrong(
    words, code, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", *words]) == code
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(tmp_path.rglob("*.*"))


def test_the_command_trains_and_says_where(drawings, small_network, tmp_path, capsys):
    (tmp_path / "own.json").write_text(drawings.to_json())
    words = [str(tmp_path / "own.json"), f"--workdir={tmp_path / 'run'}", "--epochs=1"]
    assert cli.main(["train", *words]) == 0
    out = capsys.readouterr().out
    assert "epoch 1/1  loss" in out and str(tmp_path / "run" / "model.keras") in out
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["epochs"] == 1
