"""The work of `hrnet-tf train`: makes a recipe from flags and trains it."""

import sys

from absl import flags

from hrnet_tf.training.loop.distribute import STRATEGIES
from hrnet_tf.training.overrides import define_flags, resolve
from hrnet_tf.training.train import train


def command_flags() -> flags.FlagValues:
    """The flags of the command: those of a run, and one for each field of a recipe."""
    values = flags.FlagValues()
    flags.DEFINE_string("workdir", None, "folder of the run", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace earlier results there", flag_values=values)
    flags.DEFINE_enum(
        "distribute",
        "auto",
        STRATEGIES,
        "devices that share the work; auto: all GPUs, and all workers of TF_CONFIG",
        flag_values=values,
    )
    flags.DEFINE_bool("xla", False, "compile the step with XLA", flag_values=values)
    flags.DEFINE_bool(
        "deterministic", False, "the same bits in each run, slower", flag_values=values
    )
    define_flags(values)
    values.set_gnu_getopt(True)
    return values


def run(values: flags.FlagValues, words: list[str]) -> int:
    """Trains the recipe that `words` name, with the given flags; returns the exit code.

    Raises:
        absl.flags.Error: a usage mistake.
        OSError, ValueError: as `train`.
    """
    recipe = resolve(values, words)
    if not values.workdir:
        raise flags.Error("name the folder of the run: --workdir=DIR.")
    options = ("overwrite", "distribute", "xla", "deterministic")
    try:
        path = train(recipe, values.workdir, **{name: values[name].value for name in options})
    except FloatingPointError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        again = "Stopped at once; the same command goes on from the last checkpoint."
        print(stop if stop.args else again, file=sys.stderr)
        return 130
    print(f"The trained model: {path}")
    return 0
