r"""Lists and draws the layers of a network that lose most when it becomes int8.

    python convert/layer_report.py --model=runs/mine/model.keras \
        --calibration=train.json --images=photos                 # model_int8_layers.svg and .json
    python convert/layer_report.py --model=runs/mine/model.keras --precision=int8_min_max --worst=60

Each layer has two numbers in decibels, 20 for an error of a tenth of its signal, 40 for a
hundredth: its own, with the rest of the network exact, and the total, with all rounding before it.
"""

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

try:
    from absl import flags

    from hrnet_tf import fields
    from hrnet_tf.convert.options import Options, beside
    from hrnet_tf.convert.script import DEFAULT_MODEL, check_output, script
    from hrnet_tf.files import whole, write_json
    from hrnet_tf.media.chart import COLOURS, INK, dot, line, ring, svg, text
    from hrnet_tf.names import check_choice
    from hrnet_tf.quiet import import_keras, quiet
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed. Run `pip install -e .` in the checkout first.")

if TYPE_CHECKING:
    import keras

    from hrnet_tf.convert.integers.layer_losses import Loss

WIDTH, LEFT, RIGHT, TOP, ROW = 760, 330, 30, 62, 17  # of the picture; a row is a layer
OWN, TOTAL, GRID, LINK = COLOURS[0], COLOURS[2], "#e3e5ea", "#c9cdd6"


def layer_lines(losses: Sequence["Loss"], worst: int) -> list[str]:
    """The worst layers as text, one line each, in decibels of signal to noise."""
    shown = losses[:worst]
    width = max((len(each.name) for each in shown), default=0)
    lines = [f"{'':<{width}}     own   total"]
    lines += [
        f"{each.name:<{width}} {each.own:7.1f} {each.total:7.1f}  {each.kind}" for each in shown
    ]
    more = losses[worst:]
    return lines + ([f"and {len(more)} more, own above {more[0].own:.1f}"] if more else [])


def layer_picture(losses: Sequence["Loss"], title: str, worst: int) -> str:
    """An SVG with a row for each of the worst layers: a dot for its own loss, a ring for the total.

    Args:
        losses: of `layer_losses.losses`, the worst first; at least one.
        title: what was measured.
        worst: number of layers to draw.
    """
    shown = losses[:worst]
    values = [each for loss in shown for each in (loss.own, loss.total)]
    low, high = 10 * (min(values) // 10), 10 * (max(values) // 10 + 1)
    height = TOP + ROW * len(shown) + 12

    def x(decibels):
        return f"{LEFT + (decibels - low) * (WIDTH - LEFT - RIGHT) / (high - low):.1f}"

    parts = [text(8, 18, title, INK)]
    parts += [dot(14, 36, OWN, 4), text(24, 40, "rounded alone")]
    parts += [ring(130, 36, TOTAL), text(140, 40, "with all before it")]
    for tick in range(int(low), int(high) + 1, 10):
        parts.append(line(x(tick), TOP - 8, x(tick), height - 8, GRID))
        parts.append(text(x(tick), TOP - 14, f"{tick} dB", end="middle"))
    for number, each in enumerate(shown):
        y = TOP + ROW * number + 6
        parts.append(text(LEFT - 10, y, each.name, end="end", drop=4))
        parts.append(line(x(each.own), y, x(each.total), y, LINK))
        parts += [dot(x(each.own), y, OWN, 4), ring(x(each.total), y, TOTAL)]
    return svg(WIDTH, height, "".join(parts))


def layer_report(
    model: "str | os.PathLike | keras.Model" = DEFAULT_MODEL,
    output: str | os.PathLike | None = None,
    weights: str | os.PathLike | None = "published",
    options: Options | None = None,
    worst: int = 40,
    overwrite: bool = False,
    report: Callable[[str], None] = print,
) -> list["Loss"]:
    """Measures what each layer loses, and writes a picture and a `.json` file of it.

    Args:
        model: a preset, a `.keras` or `.h5` file, the folder of a training run, or a Keras model.
        output: the `.svg` file; beside the network's file, or here, if None.
        weights: for a preset, as in `from_preset`.
        options: its precision, of 8 bits, and what to measure on; int8 if None.
        worst: number of layers to draw and list.
        overwrite: replace existing files.
        report: called with each line.

    Returns:
        The loss of each layer, the worst by its own first.

    Raises:
        OSError, ValueError: an argument or file cannot be used; nothing is written then.
    """
    options = options or Options("int8")
    with quiet():
        import_keras()
        from hrnet_tf.convert.calibration import calibration
        from hrnet_tf.convert.integers.layer_losses import losses
        from hrnet_tf.convert.integers.precisions import PRECISIONS
        from hrnet_tf.convert.source import open_source

    known = [name for name, each in PRECISIONS.items() if each.activations == 8]
    check_choice("precision", options.precision, known)
    path = beside(model)
    default = path.with_name(f"{path.name}_{options.precision}_layers.svg")
    output = check_output(output or default, ".svg", model, overwrite)
    source = open_source(model, weights, options.size, integers=True)
    place = (options.calibration, options.images, source.card, source.inputs)
    measured = calibration(*place, options.count, options.seed)
    found = losses(source.graph, options.precision, measured.examples)
    title = f"{path.name}, {options.precision}, {measured.words}"
    with whole(output) as part:
        part.write_text(layer_picture(found, title, worst), encoding="utf-8")
    write_json(output.with_suffix(".json"), [dataclasses.asdict(each) for each in found], indent=1)
    for line in layer_lines(found, worst):
        report(line)
    report(f"Wrote {output} and {output.stem}.json.")
    return found


def define_flags(values: flags.FlagValues) -> None:
    """The flags of the command."""
    word, number = flags.DEFINE_string, flags.DEFINE_integer
    word("model", DEFAULT_MODEL, "a preset or a .keras file", flag_values=values)
    word("weights", "published", "checkpoint for the preset", flag_values=values)
    word("precision", "int8", "recipe of to_tflite.py, of 8 bits", flag_values=values)
    place = "COCO file or folder of pictures to measure on (default: drawn people)"
    word("calibration", None, place, flag_values=values)
    word("images", None, "folder of that file's pictures (default: beside it)", flag_values=values)
    number("count", 200, "crops to measure on", 1, flag_values=values)
    number("seed", 0, "seed that chooses the crops", flag_values=values)
    word("size", None, "HEIGHTxWIDTH of the images (default: the network's)", flag_values=values)
    number("worst", 40, "how many layers to draw", 1, flag_values=values)
    word("output", None, "the .svg file (default: named after the model)", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace existing files", flag_values=values)


def run(values: flags.FlagValues, words: list[str]) -> int:
    """The command behind its flags."""
    if words:
        raise flags.Error(f"everything is given by flags. Received: {words[0]!r}.")
    options = fields.read(values, Options)
    place = values.model, values.output, values.weights
    layer_report(*place, options, values.worst, values.overwrite)
    return 0


if __name__ == "__main__":
    script(define_flags, run)
