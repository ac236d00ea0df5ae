"""The seam between runs and tasks: `Training`."""

import ast
import subprocess
import sys

import pytest

from hrnet_tf.fields import field_help
from hrnet_tf.training import scored_tasks
from hrnet_tf.training.pose.options import FORMATS, PoseScoring
from hrnet_tf.training.pose.readers import READERS
from hrnet_tf.training.recipe import TASKS, recipe_class
from hrnet_tf.training.task import Scored, scored_named, training_named

from places import ROOT

TASK_FREE = ("train", "evaluate", "task", "recipe", "overrides", "values", "command")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_with_recipes_can_be_trained(task):
    training = training_named(task)
    assert training.recipe is recipe_class(task) and training.recipe.task == task
    names = list(field_help(training.scoring))
    assert names[:2] == ["annotations", "images"]
    assert set(names) == set(training.scoring.__dataclass_fields__)


@pytest.mark.parametrize("task", scored_tasks())
def test_a_task_can_be_evaluated_without_being_trained(task):
    scored = scored_named(task)
    names = list(field_help(scored.scoring))
    assert names[:2] == ["annotations", "images"]
    assert set(names) == set(scored.scoring.__dataclass_fields__)
    assert set(TASKS) <= set(scored_tasks())
    if task not in TASKS:
        assert type(scored) is Scored
        with pytest.raises(ValueError, match="must be one whose networks can be trained"):
            training_named(task)


def test_other_tasks_are_refused():
    with pytest.raises(ValueError, match="Received: task='depth'"):
        training_named("depth")


def test_the_options_know_the_readers():
    assert tuple(READERS) == FORMATS
    for changes, message in (
        ({"data_format": "voc"}, "`data_format` must be one of coco, mpii, landmarks"),
        ({"protocol": "best"}, "`protocol` must be one of original, annotated"),
    ):
        with pytest.raises(ValueError, match=message):
            PoseScoring("a.json", "photos", **changes)


def test_flags_of_evaluate_need_no_keras():
    code = (
        "import sys, hrnet_tf.training.pose.options;"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_outside_its_room_names_a_task():
    """So that a new task is a folder, not an edit of these modules."""
    training = ROOT / "training"
    modules = [training / f"{name}.py" for name in TASK_FREE]
    modules += [
        path for room in ("loop", "report", "data") for path in (training / room).rglob("*")
    ]
    rooms = tuple(f"hrnet_tf.{place}.{task}" for place in ("training", "tasks") for task in TASKS)
    for path in modules:
        if path.suffix != ".py" or "synthetic" in path.parts:  # draws people
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not f"{node.module}.".startswith(tuple(f"{r}." for r in rooms)), path
