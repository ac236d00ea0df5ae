"""`hrnet-tf train`, `inspect` and `demo`: the commands of `hrnet_tf.training`."""

import importlib
import importlib.util
import os

from absl import flags

from hrnet_tf.cards import NAMES
from hrnet_tf.cli.command import Command, UsageError, required
from hrnet_tf.quiet import import_keras
from hrnet_tf.training.recipes import TASKS

TRAIN_USAGE = """\
  hrnet-tf train RECIPE --workdir=DIR [--FIELD=VALUE...]

RECIPE is a page of values in hrnet_tf/training/recipes, or the recipe.json of an earlier run; a
wrong name lists close ones, no name all. Each value can be replaced by its flag.

  hrnet-tf train coco_w32_256x192 --workdir=runs/w32
  hrnet-tf train coco_w32_256x192 --workdir=runs/w32 --batch_size=64 --precision=mixed_bfloat16
  hrnet-tf train own_keypoints --workdir=runs/mine --keypoints=keypoints.json \\
      --train_annotations=train.json --train_images=photos \\
      --val_annotations=val.json --val_images=photos
  hrnet-tf train runs/mine/recipe.json --workdir=runs/longer --epochs=100

A run that was cut short goes on when its command is repeated, and a finished one when --epochs is
raised. DIR receives the best network, model.keras with its card model.json, the values recipe.json,
history.csv and curves.svg, and what `tensorboard --logdir=DIR` shows. With another batch the
learning rate changes in proportion.
"""


def _train_flags():
    import_keras(use=False)
    from hrnet_tf.training.command import command_flags

    return command_flags()


def _train(values, words):
    # Several workers must find each other before TensorFlow computes anything.
    alone = values.distribute in ("auto", "none", "mirrored") and not os.environ.get("TF_CONFIG")
    import_keras(use=alone)
    from hrnet_tf.training.command import run

    return run(values, words)


TRAIN = Command("train a network by a recipe", TRAIN_USAGE, _train_flags, _train)


INSPECT_USAGE = """\
  hrnet-tf inspect RECIPE --output=DIR [--FIELD=VALUE...]

Shows on one page, DIR/index.html, what `hrnet-tf train` would train on: crops before and after
augmentation, targets, how often each keypoint or class is labelled, and every record that is left
out or looks wrong. DIR/recipe.json keeps recipe and values for `train`.

  hrnet-tf inspect own_keypoints --output=look --keypoints=keypoints.json \\
      --train_annotations=train.json --train_images=photos
  hrnet-tf train look/recipe.json --workdir=runs/mine
"""


def _inspect_flags():
    import_keras()
    from hrnet_tf.training.overrides import define_flags

    values = flags.FlagValues()
    flags.DEFINE_string("output", None, "folder for the page", flag_values=values)
    flags.DEFINE_integer("count", 12, "number of crops", lower_bound=1, flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace an earlier page there", flag_values=values)
    define_flags(values)
    return values


def _inspect(values, words):
    from hrnet_tf.training.overrides import resolve
    from hrnet_tf.training.report.inspect import write_samples

    recipe = resolve(values, words)
    required(values, "output")
    print(write_samples(recipe, values.output, values.count, values.overwrite))
    return 0


INSPECT = Command("see what a network will be trained on", INSPECT_USAGE, _inspect_flags, _inspect)


DEMO_USAGE = """\
  hrnet-tf demo --output=DIR [--task=TASK]

Draws people, trains a tiny HRNet on them for about three minutes on two CPU cores, evaluates it on
drawings it has never seen, and shows everything on one page: DIR/index.html. Then it makes files
for phones of it, in DIR/model, and prints what becomes of accuracy, size and time.
"""


def _demo_flags():
    values = flags.FlagValues()
    flags.DEFINE_string("output", "demo", "folder for page and pictures", flag_values=values)
    flags.DEFINE_enum("task", NAMES[0], _demos(), "what it learns", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace an earlier demo there", flag_values=values)
    return values


def _demos():
    """The tasks that have a demo."""
    rooms = {name: f"hrnet_tf.training.{name}" for name in TASKS}
    return [name for name, room in rooms.items() if importlib.util.find_spec(f"{room}.demo")]


def _demo(values, inputs):
    if inputs:
        raise UsageError(f"`demo` takes flags only. Received: {inputs[0]!r}.")
    import_keras()
    demo = importlib.import_module(f"hrnet_tf.training.{values.task}.demo").demo
    demo(values.output, overwrite=values.overwrite)
    print("For phones:", flush=True)
    from hrnet_tf.convert.demo import convert_demo

    print(*convert_demo(values.output), sep="\n")
    return 0


DEMO = Command("train a tiny HRNet and see it work", DEMO_USAGE, _demo_flags, _demo)
