"""What the commands of `hrnet-tf` share.

Keras is imported inside the commands that need it, so that help and mistyped flags answer at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from absl import flags

from hrnet_tf.quiet import import_keras

CODECS = ("msra", "dark", "udp", "udp_combined", "face")  # of hrnet_tf.card, which imports Keras


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
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("model", model, "a preset (see `hrnet-tf models`) or a .keras file", flag_values=values)
    text("weights", "published", "checkpoint for the preset", flag_values=values)
    flags.DEFINE_enum("codec", None, CODECS, "decoder, instead of the model's", flag_values=values)
    number("blur_kernel", None, "kernel of the dark and udp codecs", 1, flag_values=values)
    number("batch_size", 16, "crops per call of the network", 1, flag_values=values)
    return values


def task_of(values):
    """What the network is for, told without opening it; pose if nothing tells."""
    import_keras()
    from hrnet_tf.opening import known_card

    card = known_card(values.model)
    return card.task if card else "pose"


def pose_predictor(values, inside=False):
    import_keras()
    from hrnet_tf.opening import load_network
    from hrnet_tf.tasks.pose.card import PoseCard
    from hrnet_tf.tasks.pose.predictor import PosePredictor

    model, card = load_network(values.model, values.weights)
    if values.codec or values.blur_kernel:
        card = with_codec(card or PoseCard(), values.codec, values.blur_kernel)
    return PosePredictor(model, card, flip=values.flip, batch_size=values.batch_size, inside=inside)


def with_codec(card, name, blur_kernel):
    from hrnet_tf.tasks.pose.card import CODECS as KINDS

    codec = KINDS[name]() if name and name != card.codec.name else card.codec
    if blur_kernel:
        if not hasattr(codec, "blur_kernel"):
            raise ValueError(
                f"`--blur_kernel` needs a codec that blurs. Received: codec {codec.name}. "
                "Add --codec=dark."
            )
        codec = replace(codec, blur_kernel=blur_kernel)
    return replace(card, codec=codec)
