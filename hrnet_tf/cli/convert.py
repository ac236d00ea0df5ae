"""`hrnet-tf convert`: the script convert/to_tflite.py as a command."""

from absl import flags

from hrnet_tf.cli.command import Command
from hrnet_tf.convert import to_tflite

USAGE = to_tflite.__doc__.partition("\n\n")[2].replace(
    "python convert/to_tflite.py", "hrnet-tf convert"
)


def _flags():
    values = flags.FlagValues()
    to_tflite.define_flags(values)
    return values


CONVERT = Command("make a .tflite file for phones", USAGE, _flags, to_tflite.run)
