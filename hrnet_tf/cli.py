"""The `hrnet-tf` command: flags and files around `predict` and `evaluate`.

Keras is imported inside the commands that need it, so that help and mistyped flags answer at once.
"""

import difflib
import importlib.metadata
import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace

from absl import flags

from hrnet_tf.files import prepare_folder, write_json

CODECS = ("msra", "dark", "udp", "udp_combined")  # hrnet_tf.card has them, and imports Keras


class UsageError(Exception):
    """The command line itself is wrong."""


@dataclass(frozen=True)
class Command:
    """One word after `hrnet-tf`: its flags, and what it does with them and the words left over."""

    summary: str
    usage: str
    flags: Callable[[], flags.FlagValues]
    run: Callable[[flags.FlagValues, list[str]], int]


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, 1 something failed, 2 usage, 130 ^C."""
    name, *words = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("--help", "-h", "help"):
        return _print_overview()
    if name == "--version":
        print(f"hrnet-tf {importlib.metadata.version('hrnet_tf')}")
        return 0
    try:
        if name not in COMMANDS:
            raise UsageError(f"no command {name!r}." + _did_you_mean(name, COMMANDS))
        command = COMMANDS[name]
        values = command.flags()
        values.set_gnu_getopt(True)  # flags may follow the inputs
        if {"--help", "-h"} & set(words):
            return _print_help(name, command, values)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")  # each picture is reported by us
            return command.run(values, values([name, *words])[1:])
    except (UsageError, flags.Error) as error:
        where = f"hrnet-tf {name}" if name in COMMANDS else "hrnet-tf"
        print(f"{where}: {str(error).replace(' ?', '?')} See `{where} --help`.", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"hrnet-tf {name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"hrnet-tf {name}: interrupted; what was finished is kept.", file=sys.stderr)
        return 130


def _import_keras():
    """Imports Keras and its backend without their chatter."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept = os.dup(2)
    try:
        # Some lines TensorFlow 2.21 logs before it has a level.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import keras

        keras.ops.zeros(())  # the backend looks for its devices, and complains of those it lacks
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _did_you_mean(word, known):
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _print_overview():
    print("hrnet-tf: HRNet for TensorFlow and Keras.\n")
    for name, command in COMMANDS.items():
        print(f"  hrnet-tf {name:<10} {command.summary}")
    print("\n`hrnet-tf COMMAND --help` lists the flags of a command, with examples.")
    return 0


def _print_help(name, command, values):
    print(f"hrnet-tf {name}: {command.summary}\n\n{command.usage}")
    for flag in (values[name] for name in values):
        form = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}=…"
        default = "" if flag.default in (None, False) else f" (default: {flag.default})"
        print(f"  {form:<22} {flag.help}{default}")
    return 0


def _required(values, *names):
    for name in names:
        if not values[name].value:
            raise UsageError(f"`--{name}` is missing.")


def _model_flags():
    values = flags.FlagValues()
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("model", None, "a preset (see `hrnet-tf models`) or a .keras file", flag_values=values)
    text("weights", "published", "checkpoint for the preset", flag_values=values)
    flags.DEFINE_enum("codec", None, CODECS, "decoder, instead of the model's", flag_values=values)
    number("blur_kernel", None, "kernel of the dark and udp codecs", 1, flag_values=values)
    number("batch_size", 16, "crops per call of the network", 1, flag_values=values)
    return values


def _task(values):
    """What the network is for, told without opening it; pose if nothing tells."""
    _import_keras()
    from hrnet_tf.network import known_card

    card = known_card(values.model)
    return card.task if card else "pose"


def _pose_predictor(values):
    _import_keras()
    from hrnet_tf.card import PoseCard
    from hrnet_tf.network import load_network
    from hrnet_tf.predict import PosePredictor

    model, card = load_network(values.model, values.weights)
    if values.codec or values.blur_kernel:
        card = _with_codec(card or PoseCard(), values.codec, values.blur_kernel)
    return PosePredictor(model, card, flip=values.flip, batch_size=values.batch_size)


def _with_codec(card, name, blur_kernel):
    from hrnet_tf.card import CODECS as KINDS

    codec = KINDS[name]() if name and name != card.codec.name else card.codec
    if blur_kernel:
        if not hasattr(codec, "blur_kernel"):
            raise ValueError(
                f"`--blur_kernel` needs a codec that blurs. Received: codec {codec.name}. "
                "Add --codec=dark."
            )
        codec = replace(codec, blur_kernel=blur_kernel)
    return replace(card, codec=codec)


# predict

PREDICT_USAGE = """\
  hrnet-tf predict INPUT... --model=PRESET_OR_FILE --output=DIR

INPUT is a picture, a folder (its files, not its subfolders) or a pattern such as 'in/**/*.jpg'.
A pose network finds keypoints; without --boxes, each picture should show one person who fills it.
A segmentation network finds the class of each pixel, a classification network that of the picture.

  hrnet-tf predict photo.jpg --model=my_model.keras --output=out
  hrnet-tf predict val2017 --model=hrnet_w32_coco_256x192 --weights=pose_hrnet_w32_256x192.pth \\
      --boxes=person_detections.json --flip --output=out
  hrnet-tf predict street.png --model=my_segmentation.keras --scales=0.75,1,1.25 --output=out

DIR receives results.json (for poses: COCO results), timings.json and, but for classification, one
.jpg per picture; for segmentation also a .png per picture whose pixels are the class indices.
"""


def _predict_flags():
    values = _model_flags()
    text = flags.DEFINE_string
    text("boxes", None, "COCO json with annotations or detections", flag_values=values)
    scales = "of the picture, to segment at each and add up: 0.5,1,1.5 (default: 1)"
    flags.DEFINE_list("scales", None, scales, flag_values=values)
    flags.register_validator("scales", _positive, "must be positive numbers.", values)
    flags.DEFINE_float("score_threshold", 0.3, "lowest score of a box", flag_values=values)
    flags.DEFINE_bool("flip", False, "average with the mirrored picture", flag_values=values)
    text("output", None, "folder for the results", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace earlier results there", flag_values=values)
    return values


def _positive(texts):
    try:
        return texts is None or all(0 < float(text) < float("inf") for text in texts or [""])
    except ValueError:
        return False


def _segmentation_predictor(values):
    from hrnet_tf.segment import SegmentationPredictor

    scales = [float(scale) for scale in values.scales or [1]]
    return SegmentationPredictor(
        values.model, weights=values.weights, scales=scales, flip=values.flip
    )


def _classifier(values):
    from hrnet_tf.classify import ImageClassifier

    return ImageClassifier(values.model, weights=values.weights)


# By task: what predicts, and the flags that it alone or not every task understands.
PREDICTORS = {
    "pose": (
        _pose_predictor,
        {"boxes", "score_threshold", "codec", "blur_kernel", "batch_size", "flip"},
    ),
    "segmentation": (_segmentation_predictor, {"scales", "flip"}),
    "classification": (_classifier, set()),
}


def _refuse_flags_of_other_tasks(values, task):
    some = set().union(*(names for _, names in PREDICTORS.values()))
    for name in some - PREDICTORS[task][1]:
        if values[name].present:
            raise UsageError(f"`--{name}` has no meaning for {values.model}, a {task} network.")


def _predict(values, inputs):
    from hrnet_tf.images import find_images, read_boxes

    _required(values, "model", "output")
    if not inputs:
        raise UsageError("`INPUT` is missing: name pictures, folders or patterns.")
    paths = find_images(inputs)
    boxes = read_boxes(values.boxes, values.score_threshold) if values.boxes else None
    start = time.perf_counter()
    task = _task(values)
    _refuse_flags_of_other_tasks(values, task)
    from hrnet_tf.predict_files import TASKS, PredictionFolder, predict_files

    output = PredictionFolder(values.output, paths, boxes, values.overwrite, TASKS[task])
    predictor = PREDICTORS[task][0](values)
    output.seconds["load"] = time.perf_counter() - start
    start = time.perf_counter()
    try:
        with _progress(len(paths)) as advance:
            predict_files(predictor, paths, boxes, output, advance)
    finally:
        output.seconds["run"] = time.perf_counter() - start
        _print_summary(output, output.finish(predictor.timings))
    if boxes and not output.records:
        print(f"{values.boxes}: no box there belongs to these pictures.", file=sys.stderr)
    return 1 if output.failures else 0


def _print_summary(output, summary):
    print("stage     seconds   ms per picture: median, 90 %")
    for stage, row in summary["stages"].items():
        print(f"{stage:<8} {row['total_s']:>8.2f} {row['p50_ms']:>12.1f} {row['p90_ms']:>9.1f}")
    for line in output.failures:
        print(line, file=sys.stderr)
    counted = output.task.counted
    counts = f"{summary['pictures']} pictures, "
    counts += f"{summary[counted]} {counted}, " if counted else ""
    print(
        f"{counts}{summary['failed']} files failed; {summary['seconds']['run']:.1f} s, "
        f"{summary['network_share']:.0%} of it in the network. Results: {output.folder}"
    )


@contextmanager
def _progress(total):
    """A bar on the terminal, none elsewhere; yields the function that moves it one picture on."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("pictures", total=total)
        yield lambda: progress.advance(task)


# evaluate

EVALUATE_USAGE = """\
  hrnet-tf evaluate --model=PRESET_OR_FILE --annotations=FILE.json --images=DIR

  hrnet-tf evaluate --model=my_model.keras --annotations=person_keypoints_val2017.json \\
      --images=val2017 --output=out
  hrnet-tf evaluate --model=hrnet_w32_coco_256x192 --weights=pose_hrnet_w32_256x192.pth \\
      --annotations=person_keypoints_val2017.json --images=val2017 \\
      --detections=COCO_val2017_detections_AP_H_56_person.json

Protocol "original" is that of Sun et al. CVPR 2019, with its box clean-up and OKS-NMS;
"annotated" takes the annotated boxes as they are, without NMS.
"""


def _evaluate_flags():
    values = _model_flags()
    text = flags.DEFINE_string
    text("annotations", None, "COCO keypoint annotations", flag_values=values)
    text("images", None, "folder of the annotated pictures", flag_values=values)
    text("detections", None, "boxes of a detector instead of annotated ones", flag_values=values)
    protocols = ("original", "annotated")
    flags.DEFINE_enum("protocol", "original", protocols, "how to score", flag_values=values)
    flags.DEFINE_bool("flip", True, "average with the mirrored picture", flag_values=values)
    text("output", None, "folder for results.json and the ten numbers", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace earlier results there", flag_values=values)
    return values


def _evaluate(values, inputs):
    _required(values, "model", "annotations", "images")
    if inputs:
        raise UsageError(f"`evaluate` takes flags only. Received: {inputs[0]!r}.")
    task = _task(values)
    if task != "pose":
        raise UsageError(f"`evaluate` is for pose networks; {values.model} is for {task}.")
    if values.output:
        names = ["results.json", "evaluation.json"]
        folder = prepare_folder(values.output, names, overwrite=values.overwrite)
    predictor = _pose_predictor(values)
    from hrnet_tf.training.evaluate import evaluate

    found = evaluate(
        predictor, values.annotations, values.images, values.detections, values.protocol
    )
    for line in found.problems:
        print(line, file=sys.stderr)
    for name, number in found.numbers.items():
        print(f"{name:<5} {number:7.4f}")
    print(
        f"{found.images} pictures, {found.persons} persons, {len(found.problems)} left out; "
        f"protocol {values.protocol}, codec {predictor.card.codec}, "
        f"{'with' if values.flip else 'without'} flip test."
    )
    if values.output:
        summary = {name: values[name].value for name in values} | {"numbers": dict(found.numbers)}
        write_json(folder / "results.json", found.results)
        write_json(folder / "evaluation.json", summary, indent=1)
    return 1 if found.problems else 0


# models

MODELS_USAGE = """\
  hrnet-tf models

A preset is a network with published weights: give its name to `predict --model` and the file to
`--weights`. An architecture is for training: `hrnet_tf.pose("w32")`. G is multiply-adds / 2**30 for
one image, which the papers print as GFLOPs; M is millions of trainable parameters.
"""


def _models(values, inputs):
    if inputs:
        raise UsageError(f"`models` takes no arguments. Received: {inputs[0]!r}.")
    _import_keras()
    from rich.console import Console
    from rich.table import Table

    from hrnet_tf.presets import PRESETS, SIZES
    from hrnet_tf.presets.sizes import ARCHITECTURES
    from hrnet_tf.specs import SPECS

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
        height, width, _ = preset.kwargs["input_shape"]
        facts = (f"{height}x{width}", preset.output, _cost(SIZES[name]), preset.result, note)
        table.add_row(name, *facts)
    console.print(table, "", *(f"({n}) {text}" for n, text in enumerate(licences, 1)), sep="\n")
    return 0


def _cost(counts):
    """Parameters and multiply-adds in a few characters."""
    return f"{counts[0] / 1e6:6.2f} M {counts[1] / 2**30:7.2f} G" if counts else ""


# demo

DEMO_USAGE = """\
  hrnet-tf demo --output=DIR

Draws people, trains a tiny HRNet on them for about two minutes on two CPU cores, evaluates it on
drawings it has never seen, and shows everything on one page: DIR/index.html.
"""


def _demo_flags():
    values = flags.FlagValues()
    flags.DEFINE_string("output", "demo", "folder for page and pictures", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace an earlier demo there", flag_values=values)
    return values


def _demo(values, inputs):
    if inputs:
        raise UsageError(f"`demo` takes flags only. Received: {inputs[0]!r}.")
    _import_keras()
    from hrnet_tf.training.demo import demo

    demo(values.output, overwrite=values.overwrite)
    return 0


COMMANDS = {
    "demo": Command("train a tiny HRNet and see it work", DEMO_USAGE, _demo_flags, _demo),
    "predict": Command(
        "find keypoints or classes in pictures", PREDICT_USAGE, _predict_flags, _predict
    ),
    "evaluate": Command("measure AP on COCO", EVALUATE_USAGE, _evaluate_flags, _evaluate),
    "models": Command("list what there is", MODELS_USAGE, flags.FlagValues, _models),
}
