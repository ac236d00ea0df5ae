"""Runs that are killed, interrupted or out of disk end as if they had not been."""

import csv
import dataclasses
import errno
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import several_devices

from hrnet_tf.training import train
from hrnet_tf.training.loop import resume
from hrnet_tf.training.loop.workdir import GOING_ON
from hrnet_tf.training.pose import task
from hrnet_tf.training.pose.batches import batches
from hrnet_tf.training.pose.source import training_people

import tiny_training

EVERYTHING = {"ema": 0.8, "accumulation": 2, "clip_norm": 0.1, "precision": "mixed_float16"}


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    return tiny_training.write_recipe(tmp_path_factory.mktemp("drawings"), evaluate_every=1)


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    monkeypatch.setattr(task, "pose", tiny_training.network)


def same_end(first: Path, second: Path) -> None:
    """Two runs ended with the same bits, and tell the same story."""
    one, other = (resume.newest(run / "checkpoints", pytest.fail) for run in (first, second))
    assert one.position == other.position and one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], err_msg=name)
    assert (first / "history.csv").read_bytes() == (second / "history.csv").read_bytes()
    weights = [
        keras.models.load_model(run / "model.keras").get_weights() for run in (first, second)
    ]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_that_is_killed_again_and_again_ends_as_if_it_had_not_been(drawings, tmp_path):
    recipe = dataclasses.replace(drawings, epochs=5, **EVERYTHING)
    path = tmp_path / "recipe.json"
    path.write_text(recipe.to_json())
    command = [sys.executable, tiny_training.__file__, str(path)]
    quiet = subprocess.Popen([*command, tmp_path / "quiet"], stdout=subprocess.DEVNULL)
    chance = random.Random(0)
    starts = []
    for kill in (True, True, True, False):
        left = chance.randint(1, 4)  # steps of this process; the next one may be half done
        with subprocess.Popen(
            [*command, tmp_path / "killed"], stdout=subprocess.PIPE, text=True
        ) as run:
            for line in run.stdout:
                starts += [line] if line.startswith("Going on") else []
                left -= line.startswith("saved")
                if kill and not left:
                    run.kill()
        assert run.returncode == (-signal.SIGKILL if kill else 0)
    assert len(starts) == 3 and quiet.wait() == 0
    same_end(tmp_path / "quiet", tmp_path / "killed")
    with open(tmp_path / "killed" / "history.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3", "4", "5"]


@pytest.mark.slow
def test_a_run_that_lost_a_worker_goes_on_with_all_and_ends_as_if_it_had_not(drawings, tmp_path):
    """Two processes on this machine; the second is killed in the middle."""
    recipe = dataclasses.replace(drawings, epochs=6, sync_norm=True, **EVERYTHING)
    path = tmp_path / "recipe.json"
    path.write_text(recipe.to_json())
    command = [sys.executable, tiny_training.__file__, str(path)]
    several_devices.end([*command, tmp_path / "quiet"], tmp_path / "quiet_output")
    output = tmp_path / "killed_output"
    chief, other = several_devices.start([*command, tmp_path / "killed"], output)
    saved, deadline = Path(f"{output}0"), time.monotonic() + 240
    while saved.read_text().count("saved") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    other.kill()
    assert chief.wait(120) == 1 and other.wait() == -signal.SIGKILL
    assert "start all workers again to resume" in saved.read_text()
    several_devices.end([*command, tmp_path / "killed"], output)
    assert "Going on from" in saved.read_text()
    same_end(tmp_path / "quiet", tmp_path / "killed")


@pytest.mark.parametrize("changes", [{}, EVERYTHING], ids=["plain", "everything"])
def test_ctrl_c_ends_the_step_and_the_same_command_goes_on(
    changes, drawings, interrupt, tmp_path, capsys
):
    recipe = dataclasses.replace(drawings, **changes)
    train.train(recipe, tmp_path / "quiet")
    interrupt(2)
    with pytest.raises(KeyboardInterrupt, match="after step 2; the same command goes on"):
        train.train(recipe, tmp_path / "run")
    assert not (tmp_path / "run" / "model.keras").exists()
    capsys.readouterr()
    train.train(recipe, tmp_path / "run")
    assert "0 epochs and 2 steps are done" in capsys.readouterr().out
    same_end(tmp_path / "quiet", tmp_path / "run")


@pytest.mark.parametrize("milestones", [(1, 3), ()], ids=["milestones", "cosine"])
def test_a_finished_run_goes_on_when_its_epochs_are_raised(drawings, tmp_path, capsys, milestones):
    """By milestones it ends as if it had had all epochs from the start, to the bit."""
    values = EVERYTHING | {"milestones": milestones}
    short, long = (dataclasses.replace(drawings, epochs=n, **values) for n in (2, 4))
    train.train(short, tmp_path / "on")
    first = (tmp_path / "on" / "model.keras").read_bytes()
    capsys.readouterr()
    train.train(long, tmp_path / "on")
    said = capsys.readouterr().out
    assert "2 epochs and 0 steps are done." in said
    assert (tmp_path / "on" / "model.keras").read_bytes() != first
    assert json.loads((tmp_path / "on" / "recipe.json").read_text())["epochs"] == 4
    with open(tmp_path / "on" / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    if milestones:
        assert "The learning rate is 0.0001 and drops after epoch 3." in said
        train.train(long, tmp_path / "whole")
        same_end(tmp_path / "on", tmp_path / "whole")
    else:
        assert "falls over 4 epochs in place of 2: from here on it is 0.0005, which was 0." in said
        assert [float(row["learning_rate"]) for row in rows][1:] == pytest.approx(
            [0, 0.00014645, 0], abs=1e-6
        )
    with pytest.raises(FileExistsError, match="finished run of this recipe: raise --epochs"):
        train.train(long, tmp_path / "on")
    with pytest.raises(FileExistsError, match=r"another recipe \(epochs 4 there, 2 here\)"):
        train.train(short, tmp_path / "on")


def test_a_damaged_checkpoint_falls_back_to_the_one_before(drawings, interrupt, tmp_path, capsys):
    train.train(drawings, tmp_path / "quiet")
    steps = resume.newest(tmp_path / "quiet" / "checkpoints", pytest.fail).position.steps
    interrupt(steps + 1)
    with pytest.raises(KeyboardInterrupt):
        train.train(drawings, tmp_path / "run")
    checkpoints = tmp_path / "run" / "checkpoints"
    before, newest = sorted(checkpoints.glob("step_*.npz"))
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    capsys.readouterr()
    train.train(drawings, tmp_path / "run")
    out, err = capsys.readouterr()
    assert f"{newest} is damaged" in err and err.count("\n") == 1
    assert f"Going on from {before}" in out
    same_end(tmp_path / "quiet", tmp_path / "run")


def test_a_damaged_byte_is_noticed(tmp_path):
    path = tmp_path / "step_000000001.npz"
    arrays = {"model/0/kernel": np.zeros(1000, np.float32)}
    resume.write(tmp_path, arrays, resume.Position(steps=3, step=1), {})
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    lines = []
    assert resume.newest(tmp_path, lines.append) is None
    assert len(lines) == 1 and "is damaged" in lines[0]


def test_two_checkpoints_are_kept_and_the_weights_that_they_call_the_best(tmp_path):
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    position = resume.Position(steps=2)
    for step, best in ((2, 2), (3, 2), (4, 4), (5, 4), (6, 6)):
        position.step = step
        if best == step:
            position.best_step = best
            resume.write_best(tmp_path, network, step)
        resume.write(tmp_path, {}, position, {})
    kept = ["best_000000004.npz", "best_000000006.npz", "step_000000005.npz", "step_000000006.npz"]
    assert sorted(path.name for path in tmp_path.iterdir()) == kept


def test_runs_of_something_else_are_refused_and_stay_as_they_were(drawings, interrupt, tmp_path):
    interrupt(1)
    with pytest.raises(KeyboardInterrupt):
        train.train(drawings, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for changes, message in (
        ({"epochs": 1}, r"another recipe \(epochs 2 there, 1 here\)"),
        ({"learning_rate": 0.5}, r"learning_rate 0.001 there, 0.5 here"),
    ):
        with pytest.raises(FileExistsError, match=message):
            train.train(dataclasses.replace(drawings, **changes), tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_a_checkpoint_of_other_people_or_another_network_is_refused(
    drawings, interrupt, tmp_path, monkeypatch
):
    recipe = tiny_training.write_recipe(tmp_path)
    interrupt(1)
    with pytest.raises(KeyboardInterrupt):
        train.train(recipe, tmp_path / "run")

    def wider(*arguments, **names):
        return tiny_training.network(arguments[0], arguments[1], 9, **names)

    monkeypatch.setattr(task, "pose", wider)
    with pytest.raises(
        ValueError, match=r"another network .*final_layer/kernel is .*17\), here .*9"
    ):
        train.train(recipe, tmp_path / "run")
    path = Path(recipe.train_annotations)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"annotations": content["annotations"][1:]}))
    with pytest.raises(ValueError, match=r"another run \(people \d+ there, \d+ here\)"):
        train.train(recipe, tmp_path / "run")


def test_a_run_of_an_earlier_version_goes_on(drawings, interrupt, tmp_path, capsys):
    """Its recipe.json and checkpoints name no task, and lack fields that came later."""
    train.train(drawings, tmp_path / "quiet", deterministic=True)
    interrupt(1)
    with pytest.raises(KeyboardInterrupt):
        train.train(drawings, tmp_path / "run", deterministic=True)

    def earlier(values):
        return {name: each for name, each in values.items() if name not in ("task", "patience")}

    file = tmp_path / "run" / "recipe.json"
    file.write_text(json.dumps(earlier(json.loads(file.read_text()))))
    checkpoints = tmp_path / "run" / "checkpoints"
    found = resume.newest(checkpoints, pytest.fail)
    resume.write(checkpoints, found.arrays, found.position, earlier(found.run))
    capsys.readouterr()
    train.train(drawings, tmp_path / "run", deterministic=True)
    assert "Going on" in capsys.readouterr().out
    same_end(tmp_path / "quiet", tmp_path / "run")


def test_a_full_disk_costs_checkpoints_not_the_run(drawings, tmp_path, monkeypatch, capsys):
    train.train(drawings, tmp_path / "quiet")
    save, full = np.savez, []

    def savez(file, *args, **arrays):
        if "step_" in Path(file).name and len(full) < 2:
            full.append(file)
            Path(file).write_bytes(b"half a")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(file, *args, **arrays)

    monkeypatch.setattr(np, "savez", savez)
    capsys.readouterr()
    train.train(drawings, tmp_path / "run", save_seconds=0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("No space left on device" in line and "Training goes on" in line for line in lines)
    same_end(tmp_path / "quiet", tmp_path / "run")


def test_nan_stops_within_a_step_and_keeps_the_batch(drawings, tmp_path):
    recipe = dataclasses.replace(drawings, learning_rate=1e30, epochs=9)
    with pytest.raises(
        FloatingPointError, match=r"(nan|inf).* after step 2, in epoch 1.*bad_batch"
    ):
        train.train(recipe, tmp_path, save_seconds=0)
    with np.load(tmp_path / "bad_batch.npz") as bad:
        assert bad["step"] == 1
        wanted = next(iter(batches(training_people(recipe), recipe, True, first_step=1)))
        np.testing.assert_array_equal(bad["inputs"], wanted[0])
    good = resume.newest(tmp_path / "checkpoints", pytest.fail)
    assert good.position.step == 1
    assert all(np.isfinite(array).all() for array in good.arrays.values())


def test_a_run_that_gets_no_better_ends_early_and_for_good(drawings, tmp_path, capsys):
    recipe = dataclasses.replace(drawings, learning_rate=1e-30, epochs=9, patience=2)
    path = train.train(recipe, tmp_path / "run")
    with open(tmp_path / "run" / "history.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3
    path.unlink()  # killed while it was written
    capsys.readouterr()
    train.train(recipe, tmp_path / "run")
    assert "Going on" in capsys.readouterr().out and path.exists()


def test_a_run_that_ended_early_goes_on_with_more_epochs(drawings, tmp_path, capsys):
    """Its evaluations count anew; if it is killed meanwhile, its command goes on again."""
    recipe = dataclasses.replace(drawings, learning_rate=1e-30, epochs=9, patience=2)
    path = train.train(recipe, tmp_path / "run")
    longer = dataclasses.replace(recipe, epochs=10)
    train.train(longer, tmp_path / "run")
    with open(tmp_path / "run" / "history.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 5
    assert path.exists() and not (tmp_path / "run" / GOING_ON).exists()
    (tmp_path / "run" / GOING_ON).touch()  # killed before the new result was written
    train.train(longer, tmp_path / "run")
    for each in (tmp_path / "run" / "checkpoints").iterdir():
        each.unlink()
    with pytest.raises(FileExistsError, match=r"no checkpoints to go on from: .*--weights="):
        train.train(dataclasses.replace(recipe, epochs=11), tmp_path / "run")


def test_an_interrupted_run_goes_on_with_more_epochs(drawings, interrupt, tmp_path, capsys):
    interrupt(2)
    with pytest.raises(KeyboardInterrupt):
        train.train(drawings, tmp_path / "run")
    train.train(dataclasses.replace(drawings, epochs=3), tmp_path / "run")
    said = capsys.readouterr().out
    assert "0 epochs and 2 steps are done" in said and "over 3 epochs in place of 2" in said
    assert "epoch 3/3" in said


def test_a_best_file_that_is_gone_is_named(drawings, tmp_path):
    path = train.train(drawings, tmp_path / "run")
    path.unlink()
    for best in (tmp_path / "run" / "checkpoints").glob("best_*"):
        best.unlink()
    with pytest.raises(ValueError, match=r"best_\d+.npz: the best weights .* cannot be read"):
        train.train(drawings, tmp_path / "run")


def test_the_folder_of_another_run_is_emptied_only_when_asked(drawings, tmp_path):
    run = tmp_path / "run"
    train.train(drawings, run)
    (run / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="finished run"):
        train.train(drawings, run)
    shorter = dataclasses.replace(drawings, epochs=1)
    train.train(shorter, run, overwrite=True)
    assert (run / "thesis.txt").exists()
    assert len((run / "history.csv").read_text().splitlines()) == 2
