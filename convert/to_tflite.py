r"""Makes a `.tflite` file of a network, for phones and small computers.

    python convert/to_tflite.py --model=PRESET_OR_FILE.keras [--int8] [--output=FILE.tflite]

    # 16-bit weights: half the size, the same accuracy
    python convert/to_tflite.py --model=runs/mine/model.keras --float16
    # 8-bit integers, their ranges measured on people in photos of your own
    python convert/to_tflite.py --model=runs/mine/model.keras --int8 \
        --calibration=train.json --images=photos
    # The same, after training for it with the data of the recipe that the network was trained by
    python convert/to_tflite.py --model=runs/mine/model.keras --qat
    # The same, trained by tensorflow-model-optimization
    python convert/to_tflite.py --model=runs/mine/model.keras --qat --qat_by=tfmot
    # A checkpoint, another image size
    python convert/to_tflite.py --model=hrnet_w32_coco_256x192 --weights=pose_hrnet_w32.pth \
        --size=192x144 --output=small.tflite
    # Into the Android app
    python convert/to_tflite.py --model=runs/mine/model.keras --int8 --android

A detector with regions becomes several files, FILE.tflite, FILE_boxes_1.tflite and so on; its
predictor selects regions between them.

The card FILE.json is written beside FILE.tflite. It says how to feed the network and read its
outputs, holds scales and zero points, and names the network that the file was made from.
`hrnet-tf predict` and `evaluate` take the file as --model.
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
    from hrnet_tf.convert.integers.precisions import PRECISIONS
    from hrnet_tf.convert.options import Options, beside, check, default_output, types
    from hrnet_tf.convert.script import DEFAULT_MODEL, check_output, part_paths, script
    from hrnet_tf.files import whole
    from hrnet_tf.quiet import import_keras, quiet
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed. Run `pip install -e .` in the checkout first.")

if TYPE_CHECKING:
    import keras

    from hrnet_tf.cards.card import Card

SHORTHANDS = ("float32", "float16", "dynamic", "int8", "int16x8")  # flags of their own
ASSETS = Path(__file__).parents[1] / "android_demo" / "app" / "src" / "main" / "assets"
REGIONS = 64  # per call of a part that takes regions of an image
VERIFIED = 16  # examples on which a file is compared with its source


def to_tflite(
    model: "str | os.PathLike | keras.Model" = DEFAULT_MODEL,
    output: str | os.PathLike | None = None,
    weights: str | os.PathLike | None = "published",
    options: Options | None = None,
    overwrite: bool = False,
    report: Callable[[str], None] = print,
    card: "Card | None" = None,
) -> Path:
    """Converts a network; the file and its card are written when both are complete.

    Args:
        model: a preset, a `.keras` or `.h5` file, the folder of a training run, or a Keras model.
        output: the `.tflite` file; beside the `.keras` file, or here for a preset, if None.
        weights: for a preset, as in `from_preset`.
        options: float32 if None.
        overwrite: replace existing files.
        report: called with each line of progress.
        card: how to feed the network and read its outputs, in place of the card beside its file.

    Returns:
        `output` as a path.

    Raises:
        OSError, ValueError: an argument or file cannot be used; nothing is written then.
    """
    options = options or Options()
    precision = check(options)
    output = check_output(output or default_output(model, options), ".tflite", model, overwrite)
    with quiet():
        import_keras()
        from hrnet_tf.convert.source import name_of, open_sources

    report(f"Opening {name_of(model)}")

    if options.by_tfmot:
        from hrnet_tf.convert.integers.tfmot import check_installed

        check_installed()
    recipe = _recipe(model, options) if options.qat else None
    sources = open_sources(model, weights, options.size, card, precision.integers)
    source = _whole(model, sources) if options.qat else None
    paths = part_paths(output, sources, model, overwrite)
    found = _calibrations(sources, options, precision, report)
    if options.qat and not options.by_tfmot:
        workdir = output.with_name(f"{output.stem}_training")
        report(f"Training for {options.precision} in {workdir}")
        examples = found["image"].examples
        sources = {"image": _trained(source, recipe, options, examples, workdir, overwrite)}
        precision = PRECISIONS["int8_min_max"]  # the rest is in the weights already
    for name, source in reversed(sources.items()):  # the card that names all parts comes last
        others = {each: path.name for each, path in paths.items() if each != name == "image"}
        batch = options.batch if name == "image" else max(options.batch, REGIONS)
        own = dataclasses.replace(options, batch=batch)
        _write(source, paths[name], own, precision, found.get(name), others, report, recipe)
    return output


def _whole(model, sources):
    """The source of a network in one part; raises ValueError for others."""
    if len(sources) > 1:
        raise ValueError(
            f"{model}: `qat` and `decode` are for networks in one file, not in the parts "
            f"{', '.join(sources)}. Leave them out."
        )
    return sources["image"]


def _write(source, output, options, precision, found, others, report, recipe):
    """Writes the file of a network or part, and its card, which names the `others`.

    Training by tensorflow-model-optimization, whose network is no Keras 3 model, happens here.
    """
    with quiet():
        from hrnet_tf.cards.files import write_card
        from hrnet_tf.cards.paths import card_path
        from hrnet_tf.convert.examples import part as part_of
        from hrnet_tf.convert.formats.emit import tflite
        from hrnet_tf.convert.formats.origin import origin, tensor_facts
        from hrnet_tf.convert.graph.faster import repeat_pixels
        from hrnet_tf.convert.source import with_decoded
        from hrnet_tf.convert.verify import reported

    if options.decode:
        source = with_decoded(source)
    if options.cpu:
        repeat_pixels(source.graph)
    report(f"{'Training for' if options.by_tfmot else 'Converting to'} {options.precision}")
    try:
        content = _content(source, options, precision, found, recipe, report)
    except ValueError as error:
        raise ValueError(f"{source.name}: {error}") from error
    with whole(output) as part:
        part.write_bytes(content)
        verification = None
        if options.verify:
            examples = part_of(found.examples, 0, VERIFIED)
            verification = reported(
                part, output.name, source, examples, report, lambda graph: tflite(graph, "float32")
            )
        calibration = found if precision.calibrated else None
        known = verification and dataclasses.asdict(verification)
        facts = origin(content, source, options.precision, calibration, known, _training(options))
        facts |= {"parts": others} if others else {}
        read = [*source.card.outputs()] if source.card else []
        first = read if len(read) == 1 else []  # what the app and others read
        write_card(output, source.card, tensor_facts(content, first) | facts)
    report(f"Wrote {output}, {len(content) / 1e6:.2f} MB, and its card {card_path(output).name}.")
    for name in source.left_out:
        report(f"Left out: {name}, which is for training.")
    for name, kind in source.graph.fallbacks.items():
        report(f"{name}: a {kind}, computed as Keras computes it; the rest is rewritten for speed.")
    if verification and verification.loss:
        report(verification.loss)


def _training(options):
    """How the network was trained for integers, for the card; None if it was not."""
    if not options.qat:
        return None
    by = {"by": "tensorflow-model-optimization"} if options.by_tfmot else {}
    return {"epochs": options.qat_epochs, "learning_rate": options.qat_rate} | by


def _calibrations(sources, options, precision, report):
    """Examples for each part, to measure ranges on and to compare file and network on.

    Empty if none are needed.
    """
    if not precision.calibrated and not options.verify:
        return {}
    from hrnet_tf.convert.calibration import calibrations

    count = options.count if precision.calibrated else VERIFIED
    found = calibrations(options.calibration, options.images, sources, count, options.seed, report)
    if precision.calibrated:
        unseen = [name for name, each in found.items() if not each.ids]
        if unseen:
            raise ValueError(
                f"{options.calibration or 'drawings'}: the network finds nothing there for its part"
                f" {unseen[0]}, whose ranges are to be measured. Give pictures of what it finds: "
                "--calibration=FILE."
            )
        better = "" if options.calibration else "; real pictures are better: --calibration=FILE"
        report(f"Ranges come from {found['image'].words}{better}")
    return found


def _content(source, options, precision, found, recipe, report):
    """The content of the file, with metadata if the network has a card.

    If tensorflow-model-optimization is to train, it does so here, by a `recipe`.
    """
    from hrnet_tf.convert.formats.emit import tflite
    from hrnet_tf.convert.formats.metadata import with_metadata

    examples = found.examples if precision.calibrated else None
    kinds = types(options, precision)
    if options.by_tfmot:
        from hrnet_tf.convert.integers.aware import qat_recipe
        from hrnet_tf.convert.integers.tfmot import tfmot_file, trained_by_tfmot

        recipe = qat_recipe(recipe, source, options.qat_epochs, options.qat_rate)
        network = trained_by_tfmot(source, examples, recipe, report)
        content = tfmot_file(source.graph, network, *kinds, options.batch)
    else:
        content = tflite(source.graph, precision, examples, *kinds, options.batch)
    return with_metadata(content, source.card, source.graph.name) if source.card else content


def _recipe(model, options):
    """The recipe whose data and values the training takes."""
    from hrnet_tf.training.recipe import load_recipe

    path = beside(model).with_name("recipe.json")
    if options.recipe is None and not path.is_file():
        raise FileNotFoundError(
            f"{path}: no recipe lies beside the network. Name one by --recipe=NAME_OR_FILE; "
            "`hrnet-tf inspect` writes one for data of your own."
        )
    return load_recipe(str(options.recipe or path))


def _trained(source, recipe, options, examples, workdir, overwrite):
    """The source with a graph that was trained to be rounded; its model stays what it was."""
    from hrnet_tf.convert.integers.aware import fine_tune, qat_recipe
    from hrnet_tf.convert.source import open_source

    recipe = qat_recipe(recipe, source, options.qat_epochs, options.qat_rate)
    path = fine_tune(source, examples, recipe, workdir, options.precision, overwrite)
    return dataclasses.replace(source, graph=open_source(path, integers=True).graph)


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
    text("output", None, "the .tflite file (default: named after the model)", flag_values=values)
    for name in SHORTHANDS:
        flags.DEFINE_bool(name, False, PRECISIONS[name].description, flag_values=values)
    recipes = "; ".join(
        f"{name}: {each.description}" for name, each in PRECISIONS.items() if name not in SHORTHANDS
    )
    text("precision", None, f"one of these, or {recipes} (default: float32)", flag_values=values)
    fields.define(values, Options)
    flags.DEFINE_bool("android", False, "write into the Android app", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace existing files", flag_values=values)


def run(values: flags.FlagValues, words: list[str]) -> int:
    """The command behind its flags; `hrnet-tf convert` is the same."""
    if words:
        raise flags.Error(f"everything is given by flags. Received: {words[0]!r}.")
    chosen = [name for name in SHORTHANDS if values[name].value]
    chosen += [values.precision] if values.precision else []
    if len(chosen) > 1:
        raise flags.Error(f"one precision at a time. Received: {', '.join(chosen)}.")
    chosen = (*chosen, "int8" if values.qat else "float32")[0]
    options, output = fields.read(values, Options, precision=chosen), values.output
    if chosen in PRECISIONS and not PRECISIONS[chosen].calibrated:
        fields.refuse(values, {"count"}, f"is for integers: {chosen} has no ranges to measure.")
        if not options.verify:
            unused = {"calibration", "images", "seed"}
            fields.refuse(values, unused, "is of no use: nothing is measured or compared.")
    if values.android:
        if output and Path(output).name != output:
            raise flags.Error(
                "`--android` writes into the app's folder; --output names the file there. "
                f"Received: --output={output}."
            )
        output = ASSETS / Path(output or default_output(values.model, options)).name
        if not ASSETS.parents[3].is_dir():
            raise FileNotFoundError(f"{ASSETS.parents[3]}: there is no Android app here.")
        _check_for_app(values.model)
    report = functools.partial(print, flush=True)
    to_tflite(values.model, output, values.weights, options, values.overwrite, report)
    return 0


def _check_for_app(model):
    """Raises ValueError for a network that becomes several files, which the app does not run."""
    with quiet():
        from hrnet_tf.opening import known_card

    card = known_card(model)
    if card is not None and len(card.inputs()) > 1:
        raise ValueError(
            "`--android` takes networks whose only input is the image. Received: "
            f"--model={model}, which also takes {', '.join([*card.inputs()][1:])}. A detector for "
            "the app has the head fcos_lite or fcos."
        )


if __name__ == "__main__":
    script(define_flags, run)
