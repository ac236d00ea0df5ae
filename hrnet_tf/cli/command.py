"""Classes and functions that the commands of `hrnet-tf` share.

Keras is imported inside the commands that need it, so that help texts and errors in flags appear
without delay.
"""

from collections.abc import Callable
from dataclasses import dataclass

from absl import flags

from hrnet_tf import fields
from hrnet_tf.cards import NAMES
from hrnet_tf.fields import refuse
from hrnet_tf.quiet import import_keras
from hrnet_tf.runtime import PRECISIONS
from hrnet_tf.tasks import options_of
from hrnet_tf.training import scored_tasks, scoring_options


class UsageError(Exception):
    """The command line itself is wrong."""


@dataclass(frozen=True)
class Command:
    """A command: its flags, and a function of their values and the remaining arguments."""

    summary: str
    usage: str
    flags: Callable[[], flags.FlagValues]
    run: Callable[[flags.FlagValues, list[str]], int]


def required(values, *names):
    for name in names:
        if not values[name].value:
            raise UsageError(f"`--{name}` is missing.")


def model_flags(model=None):
    values = flags.FlagValues()
    text = flags.DEFINE_string
    text("model", model, "a preset (see `hrnet-tf models`) or a .keras file", flag_values=values)
    text("weights", "published", "checkpoint for the preset", flag_values=values)
    meaning = "of a Keras network's convolutions: bfloat16 is faster on some CPUs, and less exact"
    flags.DEFINE_enum("precision", "float32", PRECISIONS, meaning, flag_values=values)
    return values


def scoring_flags(values):
    """The flags of the evaluators and of the predictors of all tasks that can be evaluated."""
    for kinds in (
        {name: scoring_options(name).SCORING for name in scored_tasks()},
        {name: options_of(name).OPTIONS for name in scored_tasks()},
    ):
        meanings = fields.joint_help(kinds)
        for kind in kinds.values():
            fields.define(values, kind, meanings=meanings)


def refuse_others(values, task, model, known):
    """Refuses the flags that have no meaning for a task; `known` are the flags of each task."""
    others = set().union(*known.values()) - known[task]
    refuse(values, others, f"has no meaning for {model}, a {task} network.")


def read_scoring(values, task, model):
    """The scoring dataclass of a task, such as `PoseScoring`, from the flags.

    Raises:
        UsageError: networks of this task cannot be evaluated, or a flag belongs to another task.
    """
    if task not in scored_tasks():
        able = " or ".join(scored_tasks())
        raise UsageError(f"evaluation is for {able} networks; {model} is for {task}.")
    known = {
        name: {
            *fields.names(scoring_options(name).SCORING),
            *fields.names(options_of(name).OPTIONS),
        }
        for name in scored_tasks()
    }
    refuse_others(values, task, model, known)
    return fields.read(values, scoring_options(task).SCORING)


def require_scored(values, task):
    """Raises a UsageError if a flag is missing that an evaluation of this task needs."""
    required(values, *fields.needed(scoring_options(task).SCORING), "images")


def task_name(model):
    """The task of a network, from its card and without opening it; NAMES[0] without a card."""
    import_keras()
    from hrnet_tf.opening import known_card

    card = known_card(model)
    return card.task if card else NAMES[0]


def open_predictor(values, task, **given):
    """Opens the network of the flags in the task's predictor; `given` are options without flags."""
    from hrnet_tf.opening import open_network

    options = fields.read(values, task.options, **given)
    opened = open_network(values.model, values.weights, precision=values.precision)
    return predictor_of(opened, task, options)


def predictor_of(opened, task, options):
    """The predictor of a task on an opened network."""
    from hrnet_tf.opening import settled

    network, card = settled(opened, None, None, task.card)
    return task.predictor(network, card, options)
