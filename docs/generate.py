"""Write the model table and the model cards from the presets: `python docs/generate.py`."""

import sys
from pathlib import Path

import hrnet_tf
from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.labels.classes import CLASS_SETS
from hrnet_tf.labels.keypoint_sets import KEYPOINT_SETS
from hrnet_tf.networks.specs import SPECS, HRNetSpec
from hrnet_tf.presets import PRESETS
from hrnet_tf.presets.sizes import ARCHITECTURES, SIZES

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))
from architecture import draw  # noqa: E402

TABLE = """\
# Networks and published weights

Written by `docs/generate.py`; `hrnet-tf models` prints the same. Parameters are the trainable ones.
Multiply-adds are those of convolutions and dense layers for one image, in units of 2^30, which the
papers print as GFLOPs. Detectors are counted for 800x1344 and a single region; each further region
costs .013 in a box head and .5 in a mask head.

## Architectures

With a pose head for 17 keypoints at 256x192, and with the classification head for 1000 classes at
224x224.

| architecture | channels of the streams | pose, M parameters | G multiply-adds | \
classification, M parameters | G multiply-adds |
|---|---|---:|---:|---:|---:|
{architectures}

## Presets

Each name leads to its model card; the numbers of the licences to the list below.

| preset | input | output | M parameters | G multiply-adds | published result | licence |
|---|---|---|---:|---:|---|---:|
{presets}

## Licences

Of the file, then of each data set the weights were trained on; "unknown" is stated nowhere.

{licences}
"""

CARD = """\
# {name}

| | |
|---|---|
| network | `{call}` |
| cost | {parameters:.2f} M parameters, {multiply_adds:.2f} x 2^30 multiply-adds |
| output | {output} |
| trained on | {trained_on} |
| published result | {result} |
| licence | {licence} |
| made by | {source} |
| file | {file} |

```python
model = hrnet_tf.from_preset(
    "{name}",
    weights="{example}",
)
```

{convert}

{preprocessing}

![{caption}](../{picture})

C = {width}; ×N: N {blocks} in each stream; lines between streams: exchange units.
"""

ORDERS = """\
# What the channels mean

Written by `docs/generate.py`. Channels count from 0 in the order given.
"""


# Heads of drawings by builder and its argument `head`; others are named as that argument.
HEADS = {
    ("pose", None): "heat maps",
    ("pose", "v2"): "landmarks",
    ("classification", None): "classes",
}


def picture(preset) -> tuple[Path, str]:
    """The drawing of a preset's architecture: its path under docs/, and the SVG.

    Architectures that differ in width alone share one.
    """
    arch, head = preset.kwargs["arch"], preset.kwargs.get("head")
    head = HEADS.get((preset.builder.__name__, head), head)
    spec = SPECS[arch]
    plain = isinstance(spec, HRNetSpec) and spec == HRNetSpec(spec.width)
    name = f"{'hrnet' if plain else arch}_{head.replace(' ', '_')}.svg"
    return Path("images") / "architectures" / name, draw(spec, head)


def _blocks(spec):
    if isinstance(spec, HRNetSpec):
        return "basic blocks"
    return "blocks of conditional channel weighting" if spec.weighting else "shuffle units"


def _pose_rule(card):
    aligned = ", with pixel centres aligned" if card.codec.aligned else ""
    return (
        f"A crop shows {card.padding} times a box at the aspect ratio of the input{aligned}. "
        f"Heat maps are read by `{card.codec}`."
    )


def _segmentation_rule(card):
    return (
        "Larger images are seen through windows of the input's size, or whole by a network built "
        f"for their size. Logits are upsampled bilinearly, align_corners={card.align_corners}."
    )


def _classification_rule(card):
    return (
        f"The image is resized ({card.interpolation}) so that a central crop of the input's size "
        f"shows {card.crop_fraction} of its shorter side."
    )


def _detection_rule(card):
    order = "The network's first channel is blue. " if card.channels == "bgr" else ""
    return (
        f"{order}The image is scaled to fit into {card.sides[0]}x{card.sides[1]} or "
        f"{card.sides[1]}x{card.sides[0]}; its height and width are padded with 0 on the right and "
        f'below to multiples of {card.multiple}. Boxes have the geometry "{card.geometry}".'
    )


RULES = {
    DetectionCard: _detection_rule,
    PoseCard: _pose_rule,
    SegmentationCard: _segmentation_rule,
    ClassificationCard: _classification_rule,
}


def _numbers(values):
    return "({})".format(", ".join(f"{value:.6g}" for value in values))


def _preprocessing(preset):
    card, section = preset.card, preset.card.label_set
    return (
        f"Images are RGB, scaled to 0..1, minus mean {_numbers(card.mean)}, divided by std "
        f"{_numbers(card.std)}. "
        f"{RULES[type(card)](card)}\n\nOrder of the channels: "
        f"[{section}](what_the_channels_mean.md#{section.replace(' ', '-')})."
    )


def _file(preset):
    if not preset.url:
        return "without a stable address"
    digest = f"begins with {preset.sha256}" if preset.sha256 else "is unknown"
    return f"<{preset.url}>; its SHA-256 {digest}"


def _convert(preset, example):
    return (
        f"Converted to Keras: `python convert/import_checkpoint.py --model={preset.name} "
        f"--weights={example} --output={preset.name}.keras`."
    )


def card_page(preset) -> str:
    """The model card of a preset."""
    parameters, multiply_adds = SIZES[preset.name]
    arguments = ", ".join(f"{name}={value!r}" for name, value in preset.kwargs.items())
    example = preset.url.rsplit("/", 1)[-1] or "checkpoint.pth"
    facts = ("name", "trained_on", "result", "licence", "source")
    return CARD.format(
        **{name: getattr(preset, name) for name in facts},
        call=f"hrnet_tf.{preset.builder.__name__}({arguments})",
        parameters=parameters / 1e6,
        multiply_adds=multiply_adds / 2**30,
        output=preset.output,
        file=_file(preset),
        example=example,
        convert=_convert(preset, example),
        preprocessing=_preprocessing(preset),
        caption=f"Architecture of {preset.name}",
        picture=picture(preset)[0].as_posix(),
        width=SPECS[preset.kwargs["arch"]].width,
        blocks=_blocks(SPECS[preset.kwargs["arch"]]),
    )


def orders() -> str:
    """Keypoints and classes of every set, in order."""
    sections = [(f"{each.name} keypoints", each) for each in KEYPOINT_SETS.values()]
    sections += [(f"{each.name} classes", each) for each in CLASS_SETS.values()]
    parts = [ORDERS]
    for title, each in sections:
        names = ", ".join(each.names) if len(each.names) < 1000 else "See `hrnet_tf/class_lists/`"
        parts.append(f"\n## {title}\n\n{len(each.names)}. {each.source}.\n\n{names}.\n")
    return "".join(parts)


def table() -> str:
    """Every architecture and preset with its costs, result and licence."""
    licences = list(dict.fromkeys(preset.licence for preset in PRESETS.values()))
    architectures = [
        f"| {name} | {', '.join(map(str, hrnet_tf.SPECS[name].channels))} | {_cells(*costs)} |"
        for name, costs in ARCHITECTURES.items()
    ]
    presets = [
        f"| [{name}](models/{name}.md) | {preset.size} | {preset.output} | "
        f"{_cells(SIZES[name])} | {preset.result} | {licences.index(preset.licence) + 1} |"
        for name, preset in PRESETS.items()
    ]
    return TABLE.format(
        architectures="\n".join(architectures),
        presets="\n".join(presets),
        licences="\n".join(f"{number}. {text}" for number, text in enumerate(licences, 1)),
    )


def _cells(*costs):
    return " | ".join(
        f"{each[0] / 1e6:.2f} | {each[1] / 2**30:.2f}" if each else " | " for each in costs
    )


def pages() -> dict[Path, str]:
    """Every page: its path under docs/ -> its text."""
    cards = {Path("models") / f"{name}.md": card_page(each) for name, each in PRESETS.items()}
    return {
        Path("models.md"): table(),
        Path("models/what_the_channels_mean.md"): orders(),
        **cards,
        **dict(picture(preset) for preset in PRESETS.values()),
    }


def written() -> list[Path]:
    """The pages that lie in docs/, without models.md; paths under docs/."""
    found = [*DOCS.glob("models/*.md"), *DOCS.glob("images/architectures/*.svg")]
    return [path.relative_to(DOCS) for path in found]


def main() -> None:
    """Write all pages; those of presets that are no more go."""
    texts = pages()
    for folder in {path.parent for path in texts}:
        (DOCS / folder).mkdir(exist_ok=True)
    for path in written():
        if path not in texts:
            (DOCS / path).unlink()
    for path, text in texts.items():
        (DOCS / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
