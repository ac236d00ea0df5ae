r"""Lists and draws the layers of a network that lose most when it becomes int8.

    python convert/layer_report.py --model=runs/mine/model.keras \
        --calibration=train.json --images=photos                 # model_int8_layers.svg and .json
    python convert/layer_report.py --model=runs/mine/model.keras --precision=int8_min_max --worst=60

Each layer has two numbers in decibels, 20 for an error of a tenth of its signal, 40 for a
hundredth: its own, with the rest of the network exact, and the total, with all rounding before it.
"""

import dataclasses
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

try:
    from absl import flags

    from hrnet_tf import fields
    from hrnet_tf.convert.script import DEFAULT_MODEL, check_output, script
    from hrnet_tf.files import whole, write_json
    from hrnet_tf.quiet import import_keras, quiet
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed. Run `pip install -e .` in the checkout first.")

if TYPE_CHECKING:
    from hrnet_tf.convert.integers.layer_losses import Loss

WIDTH, LEFT, RIGHT, TOP, ROW = 760, 330, 30, 62, 17  # of the picture; a row is a layer
STYLE = "text { font: 12px system-ui, sans-serif; fill: #5b606b; }"
OWN, TOTAL = "#e4572e", "#3b6fb6"


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

    parts = [
        f'<text x="8" y="18" style="fill:#23262d">{escape(title)}</text>'
        f'<circle cx="14" cy="36" r="4" fill="{OWN}"/><text x="24" y="40">rounded alone</text>'
        f'<circle cx="130" cy="36" r="4" fill="none" stroke="{TOTAL}" stroke-width="2"/>'
        '<text x="140" y="40">with all before it</text>'
    ]
    for tick in range(int(low), int(high) + 1, 10):
        parts.append(
            f'<line x1="{x(tick)}" x2="{x(tick)}" y1="{TOP - 8}" y2="{height - 8}" '
            f'stroke="#e3e5ea"/><text x="{x(tick)}" y="{TOP - 14}" text-anchor="middle">'
            f"{tick} dB</text>"
        )
    for number, each in enumerate(shown):
        y = TOP + ROW * number + 6
        parts.append(
            f'<text x="{LEFT - 10}" y="{y}" dy="4" text-anchor="end">{escape(each.name)}</text>'
            f'<line x1="{x(each.own)}" x2="{x(each.total)}" y1="{y}" y2="{y}" stroke="#c9cdd6"/>'
            f'<circle cx="{x(each.own)}" cy="{y}" r="4" fill="{OWN}"/>'
            f'<circle cx="{x(each.total)}" cy="{y}" r="4" fill="none" stroke="{TOTAL}" '
            'stroke-width="2"/>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#ffffff"/>'
        f"{''.join(parts)}</svg>\n"
    )


def define_flags(values: flags.FlagValues) -> None:
    """The flags of the command."""
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("model", DEFAULT_MODEL, "a preset or a .keras file", flag_values=values)
    text("weights", "published", "checkpoint for the preset", flag_values=values)
    text("precision", "int8", "recipe of to_tflite.py, of 8 bits", flag_values=values)
    place = "COCO file or folder of pictures to measure on (default: drawn people)"
    text("calibration", None, place, flag_values=values)
    text("images", None, "folder of that file's pictures (default: beside it)", flag_values=values)
    number("count", 200, "crops to measure on", 1, flag_values=values)
    number("seed", 0, "which crops", flag_values=values)
    text("size", None, "HEIGHTxWIDTH of the images (default: the network's)", flag_values=values)
    number("worst", 40, "how many layers to draw", 1, flag_values=values)
    text("output", None, "the .svg file (default: named after the model)", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace existing files", flag_values=values)


def run(values: flags.FlagValues, words: list[str]) -> int:
    """The command behind its flags."""
    if words:
        raise flags.Error(f"everything is given by flags. Received: {words[0]!r}.")
    path = Path(values.model)
    stem = path.name.removesuffix(".keras")
    output = values.output or path.with_name(f"{stem}_{values.precision}_layers.svg")
    output = check_output(output, ".svg", path, values.overwrite)
    with quiet():
        import_keras()
        from hrnet_tf.convert.calibration import calibration
        from hrnet_tf.convert.integers.layer_losses import losses
        from hrnet_tf.convert.integers.precisions import PRECISIONS
        from hrnet_tf.convert.source import open_source

    known = [name for name, each in PRECISIONS.items() if each.activations == 8]
    if values.precision not in known:
        raise flags.Error(f"`--precision` must be one of {', '.join(known)}.")
    source = open_source(values.model, values.weights, fields.parse_size(values.size))
    place = (values.calibration, values.images, source.card, source.inputs)
    measured = calibration(*place, values.count, values.seed)
    found = losses(source.graph, values.precision, measured.examples)
    title = f"{stem}, {values.precision}, {measured.words}"
    with whole(output) as part:
        part.write_text(layer_picture(found, title, values.worst), encoding="utf-8")
    write_json(output.with_suffix(".json"), [dataclasses.asdict(each) for each in found], indent=1)
    print("\n".join(layer_lines(found, values.worst)))
    print(f"Wrote {output} and {output.stem}.json.")
    return 0


if __name__ == "__main__":
    script(define_flags, run)
