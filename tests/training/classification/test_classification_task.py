"""From folders of drawn shapes to a network that is trained, resumed, evaluated and converted."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from tiny_classification import network

from hrnet_tf import cli
from hrnet_tf.cards.files import read_card, write_card
from hrnet_tf.convert.to_tflite import Options, to_tflite
from hrnet_tf.networks.pose import pose
from hrnet_tf.tasks.opened import predictor
from hrnet_tf.training import train
from hrnet_tf.training.classification import task
from hrnet_tf.training.classification.evaluator import ClassificationEvaluator
from hrnet_tf.training.classification.metrics import Confusion
from hrnet_tf.training.classification.options import ClassificationScoring
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.data.synthetic.shapes import SHAPES, write_shapes
from hrnet_tf.training.evaluate import evaluate, judge
from hrnet_tf.training.loop import resume
from hrnet_tf.training.report.inspect import write_samples
from hrnet_tf.training.start import load_weights

from tiny_networks import HRNET

NAMES = tuple(SHAPES)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("shapes") / "set", 28, seed=0, size=(48, 48))


@pytest.fixture
def small_network(monkeypatch):
    monkeypatch.setattr(task, "classification", network)


def recipe(shapes, **changes):
    values = {"arch": "w18", "input_size": (32, 32), "train_images": str(shapes), "held_out": 0.25}
    values |= {"epochs": 2, "batch_size": 4, "milestones": (), "learning_rate": 0.02}
    return ClassificationRecipe(**values | changes)


@pytest.mark.usefixtures("small_network")
def test_a_run_ends_with_a_network_that_names_the_folders(shapes, tmp_path, capsys):
    """Then `evaluate` and `predict` need nothing but the file; int8 is judged alike."""
    values = recipe(shapes, epochs=6, held_out=0.0, val_images=str(shapes))
    path = train.train(values, tmp_path / "run")
    card = read_card(path)
    assert card.classes == NAMES and card.outputs() == {"logits": (7,)}
    saved = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert saved["classes"] == list(NAMES) and saved["task"] == "classification"
    words = [f"--model={path}", f"--images={shapes}"]
    out = tmp_path / "out"
    assert cli.main(["evaluate", *words, "--per_class", "--confusion", f"--output={out}"]) == 0
    said = capsys.readouterr().out
    assert "top1" in said and "recall" in said and "28 pictures" in said
    numbers = json.loads((out / "evaluation.json").read_text())["numbers"]
    assert set(numbers) == {"top1", "top5", "mean_class"} and numbers["top5"] >= numbers["top1"]
    results = json.loads((out / "results.json").read_text())
    right = np.mean([each["class"] == each["predicted"] for each in results])
    assert right == pytest.approx(numbers["top1"])
    small = to_tflite(path, options=Options(precision="int8", calibration=str(shapes)))
    assert cli.main(["evaluate", f"--model={small}", f"--images={shapes}", "--record"]) == 0
    noted = json.loads(small.with_suffix(".json").read_text())["conversion"]["accuracy"]
    assert noted["numbers"]["top1"] == pytest.approx(numbers["top1"], abs=0.11)
    assert cli.main(["compare", str(path), str(small), f"--images={shapes}"]) == 0
    assert "top1" in capsys.readouterr().out


@pytest.mark.usefixtures("small_network")
def test_a_run_that_is_interrupted_ends_with_the_same_bits(shapes, tmp_path, interrupt):
    everything = {"ema": 0.8, "accumulation": 2, "clip_norm": 0.5, "precision": "mixed_bfloat16"}
    values = recipe(shapes, epochs=3, color_jitter=0.2, **everything)
    train.train(values, tmp_path / "quiet", deterministic=True)
    interrupt(8)
    with pytest.raises(KeyboardInterrupt):
        train.train(values, tmp_path / "cut", deterministic=True)
    train.train(values, tmp_path / "cut", deterministic=True)
    runs = tmp_path / "quiet", tmp_path / "cut"
    one, other = (resume.newest(run / "checkpoints", pytest.fail) for run in runs)
    assert one.position == other.position
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], err_msg=name)
    histories = [(run / "history.csv").read_bytes() for run in runs]
    assert histories[0] == histories[1]


@pytest.mark.usefixtures("small_network")
def test_a_run_with_more_epochs_ends_as_if_it_had_had_them(shapes, tmp_path):
    short, long = (
        recipe(shapes, epochs=each, milestones=(1,), evaluate_every=1) for each in (1, 2)
    )
    train.train(short, tmp_path / "on", deterministic=True)
    for run in (tmp_path / "on", tmp_path / "whole"):
        train.train(long, run, deterministic=True)
    ends = [
        resume.newest(run / "checkpoints", pytest.fail).arrays
        for run in (tmp_path / "on", tmp_path / "whole")
    ]
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name], err_msg=name)


@pytest.mark.usefixtures("small_network")
def test_training_for_int8_imitates_the_network(shapes, tmp_path):
    path = train.train(recipe(shapes), tmp_path / "run")
    options = Options(precision="int8", qat=True, qat_epochs=1, calibration=str(shapes))
    file = to_tflite(path, options=options)
    assert (file.with_name(f"{file.stem}_training") / "model.keras").is_file()
    found = evaluate(predictor(file), "", shapes)
    assert found.images == 28


@pytest.mark.usefixtures("small_network")
def test_a_diverging_run_keeps_the_batch(shapes, tmp_path):
    with pytest.raises(FloatingPointError, match="Its batch is in"):
        train.train(recipe(shapes, learning_rate=1e30, evaluate_every=0), tmp_path / "run")
    with np.load(tmp_path / "run" / "bad_batch.npz") as bad:
        assert bad["inputs"].shape == (4, 32, 32, 3) and bad["targets"].shape == (4,)


def test_the_page_of_inspect_shows_crops_and_classes(shapes, tmp_path):
    page = write_samples(recipe(shapes), tmp_path / "look", count=3).read_text()
    assert page.count("<figure>") == 3 and "star (star/" in page
    assert json.loads((tmp_path / "look" / "recipe.json").read_text())["classes"] == list(NAMES)


def test_random_weights_are_those_of_the_original():
    keras.utils.set_random_seed(0)
    values = dataclasses.replace(recipe("unread"), arch=HRNET, classes=NAMES)
    model = task.network(values)
    kernel = model.get_layer("stage4.0.branches.0.0.conv1").kernel
    np.testing.assert_allclose(np.std(kernel), np.sqrt(2 / (9 * kernel.shape[-1])), rtol=0.1)
    bound = 1 / np.sqrt(2048)
    classifier = model.get_layer("classifier").kernel
    assert 0.95 * bound < np.abs(classifier).max() <= bound


def test_a_trained_trunk_starts_another_task(tmp_path):
    model = task.network(dataclasses.replace(recipe("unread"), arch=HRNET, classes=NAMES))
    model.save(tmp_path / "model.keras")
    write_card(tmp_path / "model.keras", recipe("unread", classes=NAMES).card)
    other = pose(HRNET, (64, 64, 3))
    report = load_weights(other, str(tmp_path / "model.keras"))
    trunk = [layer.name for layer in other.layers if layer.weights and "final" not in layer.name]
    for name in trunk:
        ours, theirs = (each.get_layer(name).get_weights() for each in (other, model))
        for one, two in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, two, err_msg=name)
    assert report.loaded


class Oracle:
    """A predictor that answers from a list, and cannot read one picture."""

    def __init__(self, card, answers):
        self.card, self.answers = card, answers

    def stream(self, items):
        for key, image, *_ in items:
            yield key, image, self.answers[key]


def test_pictures_without_a_prediction_count_as_missed(shapes, tmp_path):
    folder = write_shapes(tmp_path / "set", 7, seed=1, size=(48, 48))
    (path,) = (folder / "moon").iterdir()
    path.write_bytes(path.read_bytes()[:300])
    card = recipe(folder, classes=NAMES).card
    evaluator = ClassificationEvaluator(card, ClassificationScoring("", str(folder)), pytest.fail)
    best = [task_prediction(number) for number in range(7)]
    found = judge(Oracle(card, best), evaluator)
    assert found.numbers["top1"] == pytest.approx(6 / 7)
    row = found.tables["confusion"]["moon"]
    assert {name: number for name, number in row.items() if number} == {"(none)": 1}
    assert found.images == 6
    assert "damaged" in found.problems[0] and path.name in found.problems[0]


def task_prediction(number):
    from hrnet_tf.tasks.classification.predictor import Prediction

    return [Prediction(number, NAMES[number], 1.0)]


def test_counts_do_not_grow_with_pictures():
    confusion = Confusion(3)
    for _ in range(1000):
        confusion.add(0, [1, 0])
        confusion.add(2, [2, 0])
    assert confusion.counts.size == 12
    numbers = confusion.numbers(2)
    assert numbers == {"top1": 0.5, "top2": 1.0, "mean_class": 0.5}
    table = confusion.per_class(("a", "b", "c"))
    assert table["a"] == {"images": 1000, "recall": 0.0, "F1": 0.0}
    assert table["b"] == {"images": 0, "precision": 0.0, "F1": 0.0}
    assert table["c"]["F1"] == 1.0
