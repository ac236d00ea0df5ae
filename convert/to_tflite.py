r"""Makes a `.tflite` file of a network, for phones and small computers.

    python convert/to_tflite.py --model=PRESET_OR_FILE.keras [--int8] [--output=FILE.tflite]

    # 16-bit weights: half the size, the same accuracy
    python convert/to_tflite.py --model=runs/mine/model.keras --float16
    # 8-bit integers, their ranges measured on people in photos of your own
    python convert/to_tflite.py --model=runs/mine/model.keras --int8 \
        --calibration=train.json --images=photos
    # The same, after training for it with the data of the recipe that the network was trained by
    python convert/to_tflite.py --model=runs/mine/model.keras --qat
    # A checkpoint, another image size
    python convert/to_tflite.py --model=hrnet_w32_coco_256x192 --weights=pose_hrnet_w32.pth \
        --size=192x144 --output=small.tflite
    # Into the Android app
    python convert/to_tflite.py --model=runs/mine/model.keras --int8 --android

Beside FILE.tflite appears its card FILE.json: how to feed the network and read its maps, scales and
zero points, what it was made of. `hrnet-tf predict` and `evaluate` take the file as --model.
"""

import dataclasses
import functools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

try:
    from absl import flags

    from hrnet_tf.convert.precisions import PRECISIONS
    from hrnet_tf.convert.script import script
    from hrnet_tf.files import prepare_folder, whole
    from hrnet_tf.quiet import quiet
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed. Run `pip install -e .` in the checkout first.")

DEFAULT_MODEL = "hrnet_w32_coco_256x192"
SHORTHANDS = ("float32", "float16", "dynamic", "int8", "int16x8")  # flags of their own
TYPES = ("float32", "int8", "uint8")
ASSETS = Path(__file__).parents[1] / "android_demo" / "app" / "src" / "main" / "assets"
VERIFIED = 16  # crops that a file is compared with its source on


@dataclasses.dataclass(frozen=True)
class Options:
    """How a network becomes a file.

    Attributes:
        precision: key of `precisions.PRECISIONS`.
        calibration: where crops come from, to measure ranges on and compare file and network: a
            COCO file, a folder of pictures, or None for drawn people.
        images: folder of the COCO file's pictures; found beside it if None.
        count: how many crops.
        seed: which ones.
        input_type: "float32", "int8" or "uint8"; None for that of the precision.
        output_type: likewise.
        size: (height, width) of the images; None for the network's own.
        batch: images per call.
        decode: a second output "keypoints" (batch, K, 3), x and y in pixels of the image and
            score, for the CPU.
        verify: compare the file with its source.
        cpu: upsample by operations that XNNPACK takes; other accelerators have one of their own.
        qat: train for integers first, in the folder NAME_training beside the file.
        recipe: whose data and values that takes: a name or a file; None for the recipe.json beside
            the network.
        qat_epochs: how often it sees them.
        qat_rate: learning rate.
    """

    precision: str = "float32"
    calibration: str | os.PathLike | None = None
    images: str | os.PathLike | None = None
    count: int = 200
    seed: int = 0
    input_type: str | None = None
    output_type: str | None = None
    size: tuple[int, int] | None = None
    batch: int = 1
    decode: bool = False
    verify: bool = True
    cpu: bool = True
    qat: bool = False
    recipe: str | os.PathLike | None = None
    qat_epochs: int = 5
    qat_rate: float = 1e-5


def to_tflite(
    model: str | os.PathLike = DEFAULT_MODEL,
    output: str | os.PathLike | None = None,
    weights: str | os.PathLike | None = "published",
    options: Options | None = None,
    overwrite: bool = False,
    report: Callable[[str], None] = print,
) -> Path:
    """Converts a network; the file and its card appear when both are complete.

    Args:
        model: a preset or a `.keras` file.
        output: the `.tflite` file; beside the `.keras` file, or here for a preset, if None.
        weights: for a preset, as in `from_preset`.
        options: float32 if None.
        overwrite: replace existing files.
        report: called with each line of what goes on.

    Returns:
        `output` as a path.

    Raises:
        OSError, ValueError: unusable arguments or files; nothing is written then.
    """
    options = options or Options()
    precision = _checked(options)
    output = check_output(output or default_output(model, options), ".tflite", model, overwrite)
    report(f"Opening {model}")
    with quiet():
        start_keras()
        from hrnet_tf.card import write_card
        from hrnet_tf.convert.faster import repeat_pixels
        from hrnet_tf.convert.quantize import tflite
        from hrnet_tf.convert.source import open_source, with_keypoints
        from hrnet_tf.convert.tflite_card import origin, tensor_facts
        from hrnet_tf.convert.verify import reported

    recipe = _recipe(model, options) if options.qat else None
    source = open_source(model, weights, options.size)
    found = _crops(source, options, precision, report)
    if options.qat:
        workdir = output.with_name(f"{output.stem}_training")
        report(f"Training for {options.precision} in {workdir}")
        source = _trained(source, recipe, options, found.crops, workdir, overwrite)
        precision = PRECISIONS["int8_min_max"]  # the rest is in the weights already
    if options.decode:
        source = with_keypoints(source)
    if options.cpu:
        repeat_pixels(source.graph)
    report(f"Converting to {options.precision}")
    crops = found.crops if precision.calibrated else None
    content = tflite(source.graph, precision, crops, *_types(options, precision), options.batch)
    with whole(output) as part:
        part.write_bytes(content)
        verification = None
        if options.verify:
            crops = found.crops[:VERIFIED]
            verification = reported(part, output.name, source.outputs, crops, report)
        calibration = found if precision.calibrated else None
        training = {"epochs": options.qat_epochs, "learning_rate": options.qat_rate}
        training = training if options.qat else None
        facts = origin(content, source, options.precision, calibration, verification, training)
        write_card(output, source.card, tensor_facts(content) | facts)
    report(f"Wrote {output}, {len(content) / 1e6:.2f} MB, and its card {output.stem}.json.")
    return output


def default_output(model: str | os.PathLike, options: Options) -> Path:
    """`model.keras` -> `model_int8.tflite` beside it; the file of a preset is made here."""
    path = Path(model)
    size = f"_{options.size[0]}x{options.size[1]}" if options.size else ""
    name = f"{path.name.removesuffix('.keras')}{size}{'_qat' * options.qat}_{options.precision}"
    return path.with_name(f"{name}.tflite")


def check_output(
    output: str | os.PathLike, suffix: str, model: str | os.PathLike, overwrite: bool
) -> Path:
    """The path of a file that may be written, and its card too, without losing `model`'s.

    Raises:
        OSError, ValueError: it may not.
    """
    output = Path(output)
    if output.suffix != suffix:
        raise ValueError(f"`output` must end in {suffix}. Received: output={str(output)!r}.")
    inputs = (model, Path(model).with_suffix(".json"))
    prepare_folder(output.parent, (output.name, f"{output.stem}.json"), inputs, overwrite)
    return output


def start_keras() -> None:
    """Imports Keras and its backend; inside `quiet`, for both talk."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    keras.ops.zeros(())  # the backend looks for devices, and complains of those it lacks


def _checked(options):
    """The precision; raises ValueError for options that do not go together."""
    if options.precision not in PRECISIONS:
        raise ValueError(
            f"`precision` must be one of {', '.join(PRECISIONS)}. "
            f"Received: precision={options.precision!r}."
        )
    precision = PRECISIONS[options.precision]
    if options.decode and precision.calibrated:
        raise ValueError(
            "`decode` needs a float precision: integers of 8 bits cannot say where a keypoint is. "
            f"Received: precision={options.precision!r}. Choose float16, or decode outside."
        )
    if options.qat and precision.activations != 8:
        raise ValueError(
            "`qat` trains for integers of 8 bits. "
            f"Received: precision={options.precision!r}. Choose int8."
        )
    if options.batch < 1:
        raise ValueError(f"`batch` must be at least 1. Received: batch={options.batch}.")
    if options.calibration and not Path(options.calibration).exists():
        raise FileNotFoundError(f"{options.calibration}: no such file or folder; check its name.")
    return precision


def _types(options, precision):
    """What goes in and comes out: integers if everything between is."""
    integers = precision.activations == 8
    maps = "int8" if integers and not precision.float_head else "float32"
    return options.input_type or ("int8" if integers else "float32"), options.output_type or maps


def _crops(source, options, precision, report):
    """What ranges are measured on and the file is compared with: a `Calibration`, or None."""
    if not precision.calibrated and not options.verify:
        return None
    from hrnet_tf.convert.calibration import calibration

    count = options.count if precision.calibrated else VERIFIED
    place = (options.calibration, options.images, source.card, source.input_size)
    found = calibration(*place, count, options.seed, report)
    if precision.calibrated:
        better = "" if options.calibration else "; real people are better: --calibration=FILE"
        report(f"Ranges come from {found.words}{better}")
    return found


def _recipe(model, options):
    """Whose data and values the training takes."""
    from hrnet_tf.training.recipe import load_recipe

    beside = Path(model).with_name("recipe.json")
    if options.recipe is None and not beside.is_file():
        raise FileNotFoundError(
            f"{beside}: no recipe lies beside the network. Name one by --recipe=NAME_OR_FILE; "
            "`hrnet-tf inspect` writes one for data of your own."
        )
    return load_recipe(str(options.recipe or beside))


def _trained(source, recipe, options, crops, workdir, overwrite):
    """The source with a graph that was trained to be rounded; its model stays what it was."""
    from hrnet_tf.convert.quantize_aware import fine_tune, qat_recipe
    from hrnet_tf.convert.source import open_source

    recipe = qat_recipe(recipe, source, options.qat_epochs, options.qat_rate)
    path = fine_tune(source, crops, recipe, workdir, options.precision, overwrite)
    return dataclasses.replace(source, graph=open_source(path).graph)


def define_flags(values: flags.FlagValues) -> None:
    """The flags of the command."""
    text, number, choice = flags.DEFINE_string, flags.DEFINE_integer, flags.DEFINE_enum

    def switch(name, default, meaning):
        flags.DEFINE_bool(name, default, meaning, flag_values=values)

    text("model", DEFAULT_MODEL, "a preset or a .keras file", flag_values=values)
    text("weights", "published", "checkpoint for the preset", flag_values=values)
    text("output", None, "the .tflite file (default: named after the model)", flag_values=values)
    for name in SHORTHANDS:
        switch(name, False, PRECISIONS[name].description)
    recipes = "; ".join(
        f"{name}: {each.description}" for name, each in PRECISIONS.items() if name not in SHORTHANDS
    )
    text("precision", None, f"one of these, or {recipes} (default: float32)", flag_values=values)
    switch("qat", False, "train for int8 first: most accurate")
    text("recipe", None, "whose data (default: recipe.json beside the model)", flag_values=values)
    number("qat_epochs", 5, "passes over them", 1, flag_values=values)
    flags.DEFINE_float("qat_rate", 1e-5, "learning rate", 0, flag_values=values)
    place = "COCO file or folder of pictures to measure ranges on (default: drawn people)"
    text("calibration", None, place, flag_values=values)
    text("images", None, "folder of that file's pictures (default: beside it)", flag_values=values)
    number("count", 200, "crops to measure ranges on", 1, flag_values=values)
    number("seed", 0, "which crops", flag_values=values)
    for name, what in (("input_type", "image"), ("output_type", "maps")):
        meaning = f"numbers of the {what} (default: those of the precision)"
        choice(name, None, TYPES, meaning, flag_values=values)
    text("size", None, "HEIGHTxWIDTH of the images (default: the network's)", flag_values=values)
    number("batch", 1, "images per call", 1, flag_values=values)
    switch("cpu", True, "upsample as CPUs like it; --nocpu for GPUs and other accelerators")
    switch("decode", False, "a second output: keypoints, for the CPU")
    switch("android", False, "write into the Android app")
    switch("verify", True, "compare the file with the network")
    switch("overwrite", False, "replace existing files")


def run(values: flags.FlagValues, words: list[str]) -> int:
    """The command behind its flags; `hrnet-tf convert` is the same."""
    if words:
        raise flags.Error(f"everything is given by flags. Received: {words[0]!r}.")
    chosen = [name for name in SHORTHANDS if values[name].value]
    chosen += [values.precision] if values.precision else []
    if len(chosen) > 1:
        raise flags.Error(f"one precision at a time. Received: {', '.join(chosen)}.")
    fields = {f.name: values[f.name].value for f in dataclasses.fields(Options)}
    fields |= {
        "precision": (*chosen, "int8" if values.qat else "float32")[0],
        "size": parse_size(values.size),
    }
    options, output = Options(**fields), values.output
    if values.android:
        output = ASSETS / Path(output or default_output(values.model, options)).name
        if not ASSETS.parents[3].is_dir():
            raise FileNotFoundError(f"{ASSETS.parents[3]}: there is no Android app here.")
    report = functools.partial(print, flush=True)
    to_tflite(values.model, output, values.weights, options, values.overwrite, report)
    return 0


def parse_size(text: str | None) -> tuple[int, int] | None:
    """(256, 192) of "256x192".

    Raises:
        absl.flags.Error: another text.
    """
    if text and not re.fullmatch(r"[1-9]\d*x[1-9]\d*", text):
        raise flags.Error(f"`--size` must be HEIGHTxWIDTH, such as 256x192. Received: {text!r}.")
    return tuple(map(int, text.split("x"))) if text else None


if __name__ == "__main__":
    script(define_flags, run)
