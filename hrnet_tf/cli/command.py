"""What the commands of `hrnet-tf` share.

Keras is imported inside the commands that need it, so that help and mistyped flags answer at once.
"""

from collections.abc import Callable
from dataclasses import dataclass

from absl import flags

from hrnet_tf import fields
from hrnet_tf.quiet import import_keras
from hrnet_tf.tasks import NAMES, options_of


class UsageError(Exception):
    """The command line itself is wrong."""


@dataclass(frozen=True)
class Command:
    """One word after `hrnet-tf`: its flags, and what it does with them and the words left over."""

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
    return values


def option_flags(values):
    """The flags of the predictors of all tasks."""
    for name in NAMES:
        fields.define(values, options_of(name).OPTIONS)


def task_name(model):
    """What a network is for, told without opening it; the first task if nothing tells."""
    import_keras()
    from hrnet_tf.opening import known_card

    card = known_card(model)
    return card.task if card else NAMES[0]


def open_predictor(values, task, **given):
    """The predictor of a task that the flags describe; `given` are options without flags."""
    from hrnet_tf.opening import open_network, settled

    options = fields.read(values, task.options, **given)
    network, card = settled(open_network(values.model, values.weights), None, None, task.card)
    return task.predictor(network, card, options)
