r"""Makes an `.onnx` file of a network, for ONNX Runtime, OpenVINO, TensorRT and others.

    python convert/to_onnx.py --model=PRESET_OR_FILE.keras [--output=FILE.onnx]

    # Images and maps as (batch, channels, height, width), as PyTorch has them
    python convert/to_onnx.py --model=runs/mine/model.keras --nchw
    # A checkpoint, one image at a time, an older reader
    python convert/to_onnx.py --model=hrnet_w32_coco_256x192 --weights=pose_hrnet_w32.pth \
        --batch=1 --opset=13 --output=w32.onnx

The file takes "image" (batch, height, width, 3), any number at a time, and returns "heatmaps",
"logits" or a pyramid's "P2", "P3", …. Beside FILE.onnx appears its card FILE.json. It needs
`pip install tf2onnx onnxruntime`. `hrnet-tf predict` and `evaluate` take the file as --model.
"""

import dataclasses
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

try:
    from absl import flags

    from hrnet_tf import fields
    from hrnet_tf.convert.options import beside
    from hrnet_tf.convert.script import DEFAULT_MODEL, check_output, part_paths, script
    from hrnet_tf.files import whole
    from hrnet_tf.quiet import import_keras, quiet
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed. Run `pip install -e .` in the checkout first.")

if TYPE_CHECKING:
    import keras

    from hrnet_tf.cards.card import Card

OPSETS = range(13, 19)  # what tf2onnx 1.17 writes; before 13 it makes other operations of ours
VERIFIED = 8  # examples on which a file is compared with its source


@dataclasses.dataclass(frozen=True)
class Options:
    """How a network becomes an `.onnx` file.

    Attributes:
        opset: version of ONNX's operations, 13 to 18.
        batch: images per call (default: any number).
        nchw: channels come first, in and out.
        size: HEIGHTxWIDTH of the images (default: the network's).
        calibration: COCO file or folder of pictures to compare on (default: drawn people).
        images: folder of that file's pictures (default: beside it).
        verify: compare the file with the network; needs onnxruntime.
    """

    opset: int = 17
    batch: int | None = None
    nchw: bool = False
    size: tuple[int, int] | None = None
    calibration: str | os.PathLike | None = dataclasses.field(
        default=None, metadata={"only": ("verify", (True,))}
    )
    images: str | os.PathLike | None = dataclasses.field(
        default=None, metadata={"only": ("calibration", None)}
    )
    verify: bool = True

    def __post_init__(self):
        if self.opset not in OPSETS:
            raise ValueError(
                f"`opset` must be from {OPSETS[0]} to {OPSETS[-1]}. Received: opset={self.opset}."
            )
        if self.batch is not None and self.batch < 1:
            raise ValueError(
                f"`batch` must be positive, or None for any. Received: batch={self.batch}."
            )


def to_onnx(
    model: "str | os.PathLike | keras.Model" = DEFAULT_MODEL,
    output: str | os.PathLike | None = None,
    weights: str | os.PathLike | None = "published",
    options: Options | None = None,
    overwrite: bool = False,
    report: Callable[[str], None] = print,
    card: "Card | None" = None,
) -> Path:
    """Converts a network; the file and its card appear when both are complete.

    Args:
        model: a preset, a `.keras` or `.h5` file, the folder of a training run, or a Keras model.
        output: the `.onnx` file; beside the `.keras` file, or here for a preset, if None.
        weights: for a preset, as in `from_preset`.
        options: opset, order of axes and so on.
        overwrite: replace existing files.
        report: called with each line of progress.
        card: how to feed the network and read its outputs, in place of the card beside its file.

    Returns:
        `output` as a path.

    Raises:
        ModuleNotFoundError: tf2onnx is not installed.
        OSError, ValueError: unusable arguments or files; nothing is written then.
    """
    options = options or Options()
    output = check_output(output or default_output(model, options), ".onnx", model, overwrite)
    if not importlib.util.find_spec("tf2onnx"):
        raise ModuleNotFoundError("ONNX files are made by tf2onnx: `pip install tf2onnx`.")
    with quiet():
        import_keras()
        from hrnet_tf.convert.source import name_of, open_sources

    report(f"Opening {name_of(model)}")

    sources = open_sources(model, weights, options.size, card)
    paths = part_paths(output, sources, model, overwrite)
    found = _calibrations(sources, options, report) if options.verify else {}
    report(f"Converting to ONNX, opset {options.opset}")
    for name, source in reversed(sources.items()):  # the card that names all parts comes last
        others = {each: path.name for each, path in paths.items() if each != name == "image"}
        _write(source, paths[name], options, found.get(name), others, report)
    return output


def _write(source, output, options, examples, others, report):
    """Writes the file of a network or part, and its card, which names the `others`."""
    with quiet():
        from hrnet_tf.cards.files import write_card
        from hrnet_tf.cards.paths import card_path
        from hrnet_tf.convert.formats import onnx_file
        from hrnet_tf.convert.formats.origin import origin
        from hrnet_tf.convert.verify import reported

        content = onnx_file.onnx_model(source.graph, options.opset, options.batch, options.nchw)

    def written(graph):
        return onnx_file.onnx_model(graph, options.opset).SerializeToString()

    with whole(output) as part:
        part.write_bytes(content.SerializeToString())
        found = examples and reported(part, output.name, source, examples.examples, report, written)
        known = found and dataclasses.asdict(found)
        facts = origin(part.read_bytes(), source, "float32", None, known)
        facts |= {"parts": others} if others else {}
        write_card(output, source.card, onnx_file.tensor_facts(content) | facts)
    megabytes = output.stat().st_size / 1e6
    report(f"Wrote {output}, {megabytes:.2f} MB, and its card {card_path(output).name}.")
    for name in source.left_out:
        report(f"Left out: {name}, which is for training.")
    for name, kind in source.graph.fallbacks.items():
        report(f"{name}: a {kind}, computed as Keras computes it.")


def default_output(model: object, options: Options) -> Path:
    """`model.keras` -> `model_opset17.onnx` beside it; the file of a preset is made here."""
    path = beside(model)
    size = f"_{options.size[0]}x{options.size[1]}" if options.size else ""
    order = "_nchw" if options.nchw else ""
    return path.with_name(f"{path.name}{size}_opset{options.opset}{order}.onnx")


def _calibrations(sources, options, report):
    """Examples for each part, to compare file and network on."""
    from hrnet_tf.convert.calibration import calibrations

    return calibrations(options.calibration, options.images, sources, VERIFIED, report=report)


def define_flags(values: flags.FlagValues) -> None:
    """The flags of the command: those of `Options`, and what says which files."""
    text = flags.DEFINE_string
    text(
        "model",
        DEFAULT_MODEL,
        "a preset, a .keras or .h5 file, or a run's folder",
        flag_values=values,
    )
    text("weights", "published", "checkpoint for the preset", flag_values=values)
    text("output", None, "the .onnx file (default: named after the model)", flag_values=values)
    fields.define(values, Options)
    flags.DEFINE_bool("overwrite", False, "replace existing files", flag_values=values)


def run(values: flags.FlagValues, words: list[str]) -> int:
    """The command behind its flags."""
    if words:
        raise flags.Error(f"everything is given by flags. Received: {words[0]!r}.")
    options = fields.read(values, Options)
    to_onnx(values.model, values.output, values.weights, options, values.overwrite)
    return 0


if __name__ == "__main__":
    script(define_flags, run)
