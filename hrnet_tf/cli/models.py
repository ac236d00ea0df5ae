"""`hrnet-tf models`: lists architectures and presets with their parameters and multiply-adds."""

from absl import flags

from hrnet_tf.cli.command import Command, UsageError
from hrnet_tf.quiet import import_keras

USAGE = """\
  hrnet-tf models

A preset is a network with published weights: give its name to `predict --model` and the file to
`--weights`. An architecture is for training: `hrnet_tf.pose("w32")`. G is multiply-adds / 2**30 for
one image, which the papers print as GFLOPs; M is millions of trainable parameters.
"""


def _models(values, inputs):
    if inputs:
        raise UsageError(f"`models` takes no arguments. Received: {inputs[0]!r}.")
    import_keras()
    from rich.console import Console
    from rich.table import Table

    from hrnet_tf.networks.specs import SPECS
    from hrnet_tf.presets import PRESETS, SIZES
    from hrnet_tf.presets.sizes import ARCHITECTURES

    console = Console()
    console = console if console.is_terminal else Console(width=240)  # unbroken lines for grep
    titles = ("architecture", "channels of the streams", "pose 256x192", "classification 224x224")
    table = Table(*titles, box=None)
    for name, costs in ARCHITECTURES.items():
        table.add_row(name, ", ".join(map(str, SPECS[name].channels)), *map(_cost, costs))
    console.print(table, "")
    titles = ("preset", "input", "output", "cost", "published result", "licence")
    table = Table(*titles, box=None)
    licences = list(dict.fromkeys(preset.licence for preset in PRESETS.values()))
    for name, preset in PRESETS.items():
        note = f"({licences.index(preset.licence) + 1})"
        facts = (preset.size, preset.output, _cost(SIZES[name]), preset.result, note)
        table.add_row(name, *facts)
    console.print(table, "", *(f"({n}) {text}" for n, text in enumerate(licences, 1)), sep="\n")
    return 0


def _cost(counts):
    """Parameters and multiply-adds as short text."""
    return f"{counts[0] / 1e6:6.2f} M {counts[1] / 2**30:7.2f} G" if counts else ""


MODELS = Command("list what there is", USAGE, flags.FlagValues, _models)
