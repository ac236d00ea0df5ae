r"""Makes a SavedModel of a network's whole pipeline, for TensorFlow Serving or TensorFlow alone.

    python convert/to_savedmodel.py --model=PRESET_OR_FILE.keras [--output=FOLDER]

    # Poses, averaged with the mirrored crop
    python convert/to_savedmodel.py --model=runs/mine/model.keras --flip
    # The ten most probable classes of pictures
    python convert/to_savedmodel.py --model=hrnet_w18_imagenet --top=10 --output=classifier/1

The graph takes an encoded picture, or its pixels as uint8, and for poses boxes of people. It
decodes, crops, normalizes, runs the network and decodes its maps, as `hrnet-tf predict` does. A
process with TensorFlow alone loads it by tf.saved_model.load(FOLDER) and calls one of its
`signatures`. The network's card is assets/card.json in the folder. Options of prediction are fixed
when the folder is made.
"""

import dataclasses
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

try:
    from absl import flags

    from hrnet_tf import fields
    from hrnet_tf.cards import NAMES
    from hrnet_tf.convert.options import beside
    from hrnet_tf.convert.script import DEFAULT_MODEL, script
    from hrnet_tf.quiet import import_keras, quiet
    from hrnet_tf.tasks import options_of
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed. Run `pip install -e .` in the checkout first.")

if TYPE_CHECKING:
    import keras

    from hrnet_tf.cards.card import Card

UNUSED = ("batch_size", "inside", "masks")  # options of prediction that a graph does not have


@dataclasses.dataclass(frozen=True)
class Options:
    """How a network becomes a SavedModel.

    Attributes:
        size: HEIGHTxWIDTH of the network's images (default: the network's).
        verify: compare the folder with the predictor on a drawing.
    """

    size: tuple[int, int] | None = None
    verify: bool = True


def to_savedmodel(
    model: "str | os.PathLike | keras.Model" = DEFAULT_MODEL,
    output: str | os.PathLike | None = None,
    weights: str | os.PathLike | None = "published",
    options: Options | None = None,
    overwrite: bool = False,
    report: Callable[[str], None] = print,
    card: "Card | None" = None,
    **prediction: object,
) -> Path:
    """Writes the whole pipeline of a network; the folder appears when it is complete.

    Args:
        model: a preset, a `.keras` or `.h5` file, the folder of a training run, or a Keras model.
        output: the folder; beside the `.keras` file, or here for a preset, if None.
        weights: for a preset, as in `from_preset`.
        options: defaults if None.
        overwrite: replace an earlier SavedModel.
        report: called with each line of progress.
        card: how to feed the network and read its outputs, in place of the card beside its file.
        prediction: fields of the task's options, as of `hrnet_tf.predictor`, such as `flip=True`.

    Returns:
        `output` as a path.

    Raises:
        OSError, ValueError: an argument or file cannot be used; nothing is written then.
    """
    options = options or Options()
    output = Path(output) if output else default_output(model, options)
    _check_output(output, overwrite)
    with quiet():
        import_keras()
        from hrnet_tf.convert.formats import saved_model
        from hrnet_tf.convert.source import name_of

    report(f"Opening {name_of(model)}")
    source = saved_model.open_pipeline(model, weights, options.size, card, prediction)
    report(f"Tracing the pipeline of {source.card.task}: {', '.join(source.pipeline.signatures)}")
    with quiet():
        lines = saved_model.write(source, output, overwrite, options.verify)
    for line in lines:
        report(line)
    size = sum(each.stat().st_size for each in output.rglob("*") if each.is_file())
    report(f"Wrote {output}, {size / 1e6:.2f} MB, with its card in assets.")
    return output


def default_output(model: object, options: Options) -> Path:
    """`model.keras` -> `model_savedmodel` beside it; the folder of a preset is made here."""
    path = beside(model)
    size = f"_{options.size[0]}x{options.size[1]}" if options.size else ""
    return path.with_name(f"{path.name}{size}_savedmodel")


def _check_output(output, overwrite):
    """Refuses to replace a file, a folder of something else, or an earlier result unasked."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / "saved_model.pb").is_file():
        raise ValueError(f"{output}: is there and no SavedModel; choose another --output.")
    if not overwrite:
        raise ValueError(
            f"{output}: is there already; choose another --output, or add --overwrite."
        )


def define_flags(values: flags.FlagValues) -> None:
    """The flags of the command: those of `Options` and of prediction, and what says which files."""
    text = functools.partial(flags.DEFINE_string, flag_values=values)
    text("model", DEFAULT_MODEL, "a preset, a .keras or .h5 file, or a run's folder")
    text("weights", "published", "checkpoint for the preset")
    text("output", None, "the folder to make (default: named after the model)")
    fields.define(values, Options)
    kinds = {name: options_of(name).OPTIONS for name in NAMES}
    meanings = fields.joint_help(kinds)
    for kind in kinds.values():
        fields.define(values, kind, UNUSED, meanings)
    flags.DEFINE_bool("overwrite", False, "replace an earlier SavedModel", flag_values=values)


def run(values: flags.FlagValues, words: list[str]) -> int:
    """The command behind its flags."""
    if words:
        raise flags.Error(f"everything is given by flags. Received: {words[0]!r}.")
    prediction = {}
    for name in NAMES:
        kind = options_of(name).OPTIONS
        found = fields.read(
            values, kind, **{each: None for each in UNUSED if each in fields.names(kind)}
        )
        given = (each for each in fields.names(kind) if each in values and values[each].present)
        prediction |= {each: getattr(found, each) for each in given}
    report = functools.partial(print, flush=True)
    options = fields.read(values, Options)
    to_savedmodel(
        values.model, values.output, values.weights, options, values.overwrite, report, **prediction
    )
    return 0


if __name__ == "__main__":
    script(define_flags, run)
