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

CODECS = ("msra", "dark", "udp", "udp_combined", "face")  # of hrnet_tf.card, which imports Keras


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


def _import_keras(use=True):
    """Imports Keras and its backend without their chatter, and uses them once if told."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept = os.dup(2)
    try:
        # Some lines TensorFlow 2.21 logs before it has a level.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import keras

        if use:
            keras.ops.zeros(())  # the backend looks for devices, and complains of those it lacks
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


def _model_flags(model=None):
    values = flags.FlagValues()
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("model", model, "a preset (see `hrnet-tf models`) or a .keras file", flag_values=values)
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


def _pose_predictor(values, inside=False):
    _import_keras()
    from hrnet_tf.card import PoseCard
    from hrnet_tf.network import load_network
    from hrnet_tf.predict import PosePredictor

    model, card = load_network(values.model, values.weights)
    if values.codec or values.blur_kernel:
        card = _with_codec(card or PoseCard(), values.codec, values.blur_kernel)
    return PosePredictor(model, card, flip=values.flip, batch_size=values.batch_size, inside=inside)


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
  hrnet-tf predict INPUT...

INPUT is a picture, a folder (its files, not its subfolders), a pattern such as 'in/**/*.jpg', a
video, or the number of a camera: 0.
A pose network finds the keypoints of the people that a detector finds; without a detector, each
picture should show one person who fills it. A segmentation network finds the class of each pixel,
a classification network that of the picture.

  hrnet-tf predict party.jpg
  hrnet-tf predict dance.mp4
  hrnet-tf predict photos --detector=ssd_mobilenet.tflite --csv --crop --output=out
  hrnet-tf predict val2017 --model=hrnet_w32_coco_256x192 --weights=pose_hrnet_w32_256x192.pth \\
      --boxes=person_detections.json --flip --output=out
  hrnet-tf predict street.png --model=my_segmentation.keras --scales=0.75,1,1.25 --output=out

The output folder receives results.json (for poses: COCO results), timings.json and, but for
classification, one .jpg per picture; for segmentation also a .png per picture whose pixels are the
class indices. Weights of presets are fetched once.
"""

POSE_MODEL = "hrnet_w32_udp_coco_256x192"  # the best of COCO's 17 joints at the cost of W32 256x192
DETECTOR_FLAGS = ("detector", "person_class", "nms", "max_persons", "min_size")
LOOKS = {"crop": "crops", "heatmaps": "heatmaps"}  # flag -> folder, of hrnet_tf.inside
TABLES = ("csv", "npz")
VIDEO_FLAGS = ("detect_every", "smooth", "show")


def _predict_flags():
    values = _model_flags(POSE_MODEL)
    text, switch, number = flags.DEFINE_string, flags.DEFINE_bool, flags.DEFINE_float
    kinds = "none, a .tflite file or a KerasHub preset (default: dfine_nano_coco if it can be had)"
    text("detector", None, kinds, flag_values=values)
    text("boxes", None, "COCO json with annotations or detections instead", flag_values=values)
    number("score_threshold", 0.3, "lowest score of a box", flag_values=values)
    number("nms", 0.6, "IoU above which two boxes are one person", 0, 1, flag_values=values)
    for name, least, text_ in (
        ("max_persons", 1, "the best so many of a picture (default: all)"),
        ("person_class", 0, "the detector's class of people, if it is an unusual one"),
    ):
        flags.DEFINE_integer(name, None, text_, least, flag_values=values)
    number("min_size", 0, "pixels that the longer side of a box must have", 0, flag_values=values)
    scales = "of the picture, to segment at each and add up: 0.5,1,1.5 (default: 1)"
    flags.DEFINE_list("scales", None, scales, flag_values=values)
    flags.register_validator("scales", _positive, "must be positive numbers.", values)
    switch("flip", False, "average with the mirrored picture", flag_values=values)
    text("output", "predicted", "folder for the results", flag_values=values)
    switch("overwrite", False, "replace earlier results there", flag_values=values)
    switch("csv", False, "also results.csv, a line per person", flag_values=values)
    switch("npz", False, "also results.npz, NumPy arrays", flag_values=values)
    switch("crop", False, "also crops/: each person as the network saw it", flag_values=values)
    switch("heatmaps", False, "also heatmaps/: those of each person", flag_values=values)
    every = "video: frames from one detection to the next"
    flags.DEFINE_integer("detect_every", 30, every, 1, flag_values=values)
    switch("smooth", True, "video: keep joints from trembling", flag_values=values)
    window = "video: show it in a window meanwhile (default: cameras, where there is a screen)"
    switch("show", None, window, flag_values=values)
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
        lambda values: _pose_predictor(values, inside=values.crop or values.heatmaps),
        {"boxes", "score_threshold", *DETECTOR_FLAGS, *LOOKS, *TABLES, *VIDEO_FLAGS}
        | {"codec", "blur_kernel", "batch_size", "flip"},
    ),
    "segmentation": (_segmentation_predictor, {"scales", "flip"}),
    "classification": (_classifier, set()),
}


def _predict(values, inputs):
    _required(values, "model", "output")
    if not inputs:
        raise UsageError("`INPUT` is missing: name pictures, folders, patterns or a video.")
    if values.boxes:
        _refuse(values, DETECTOR_FLAGS, "goes with a detector, not with --boxes.")
    task = _task(values)
    of_others = set().union(*(names for _, names in PREDICTORS.values())) - PREDICTORS[task][1]
    _refuse(values, of_others, f"has no meaning for {values.model}, a {task} network.")
    from hrnet_tf.images import is_video

    if any(map(is_video, inputs)):
        return _predict_video(values, inputs, task)
    _refuse(values, VIDEO_FLAGS, "is for videos.")
    return _predict_pictures(values, inputs, task)


def _predict_pictures(values, inputs, task):
    from hrnet_tf.images import find_images, read_boxes
    from hrnet_tf.predict_files import TASKS, PredictionFolder, detected, predict_files

    paths = find_images(inputs)
    boxes = read_boxes(values.boxes, values.score_threshold) if values.boxes else None
    looks = [folder for flag, folder in LOOKS.items() if values[flag].value]
    tables = [table for table in TABLES if values[table].value]
    output = PredictionFolder(
        values.output, paths, boxes, values.overwrite, TASKS[task], looks, tables
    )
    start = time.perf_counter()
    predictor = PREDICTORS[task][0](values)
    detector = None if boxes or task != "pose" else _detector(values, predictor.card)
    source = detected(detector, predictor.timings) if detector else boxes
    output.seconds["load"] = time.perf_counter() - start
    start = time.perf_counter()
    try:
        with _progress(len(paths)) as advance:
            predict_files(predictor, paths, source, output, advance)
    finally:
        output.seconds["run"] = time.perf_counter() - start
        _print_summary(output, output.finish(predictor.timings, predictor.card))
    if output.done and not output.records:
        missing = f"{values.boxes}: no box there belongs to these pictures." if boxes else ""
        print(missing or "No person was found in these pictures.", file=sys.stderr)
    return 1 if output.failures else 0


def _predict_video(values, inputs, task):
    if len(inputs) > 1 or task != "pose":
        raise UsageError("a video or camera stands alone, and its network must be for pose.")
    _refuse(values, {"boxes", *LOOKS, *TABLES}, "is for pictures.")
    try:
        from hrnet_tf.predict_video import predict_video
    except ImportError as error:
        raise OSError(f"{inputs[0]} needs PyAV ({error}): pip install av.") from error
    from hrnet_tf.track import OneEuro, Tracking

    smoothing = OneEuro() if values.smooth else None
    settings = Tracking(detect_every=values.detect_every, smoothing=smoothing)
    predictor = _pose_predictor(values)
    summary = predict_video(
        predictor,
        inputs[0],
        values.output,
        _detector(values, predictor.card),
        settings,
        overwrite=values.overwrite,
        show=values.show,
        progress=lambda total: _progress(total, "frames"),
    )
    _print_stages(summary["stages"], "frame")
    for line in summary["problems"]:
        print(line, file=sys.stderr)
    print(
        f"{summary['frames']} frames, {summary['people']} people, "
        f"{summary['frames_per_second']} frames per second. Results: {values.output}"
    )
    return 1 if summary["problems"] else 0


def _refuse(values, names, reason):
    for name in sorted(names):
        if values[name].present:
            raise UsageError(f"`--{name}` {reason}")


def _detector(values, card):
    """What finds the people; None where each picture is taken for one. Prints what nobody said."""
    from hrnet_tf import detect

    options = detect.Options(
        values.score_threshold, values.nms, values.max_persons, values.min_size
    )
    if values.detector:
        found = detect.detector(values.detector, options, values.person_class)
    else:
        found, words = detect.whole_image, f"none, as {card.keypoints.name} is not of people."
        if detect.of_people(card.keypoints.names):
            found, words = detect.default_detector(options)
        print(f"Detector: {words} --detector and --boxes are other ways.")
    return None if found is detect.whole_image else found


def _print_summary(output, summary):
    _print_stages(summary["stages"], "picture")
    for line in output.failures:
        print(line, file=sys.stderr)
    counted = output.task.counted
    counts = f"{summary['pictures']} pictures, "
    counts += f"{summary[counted]} {counted}, " if counted else ""
    print(
        f"{counts}{summary['failed']} files failed; {summary['seconds']['run']:.1f} s, "
        f"{summary['network_share']:.0%} of it in the network. Results: {output.folder}"
    )


def _print_stages(stages, word):
    print(f"stage     seconds   ms per {word}: median, 90 %")
    for stage, row in stages.items():
        print(f"{stage:<8} {row['total_s']:>8.2f} {row['p50_ms']:>12.1f} {row['p90_ms']:>9.1f}")


@contextmanager
def _progress(total, word="pictures"):
    """A bar on the terminal, none elsewhere; yields the function that moves it one step on."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(word, total=total)
        yield lambda: progress.advance(task)


# evaluate

EVALUATE_USAGE = """\
  hrnet-tf evaluate --model=PRESET_OR_FILE --annotations=FILE --images=DIR

  hrnet-tf evaluate --model=my_model.keras --annotations=person_keypoints_val2017.json \\
      --images=val2017 --per_keypoint --output=out
  hrnet-tf evaluate --model=hrnet_w32_coco_256x192 --weights=pose_hrnet_w32_256x192.pth \\
      --annotations=person_keypoints_val2017.json --images=val2017 \\
      --detections=COCO_val2017_detections_AP_H_56_person.json
  hrnet-tf evaluate --model=my_mpii.keras --data_format=mpii --annotations=annot/valid.json \\
      --ground_truth=annot/gt_valid.mat --images=images
  hrnet-tf evaluate --model=hrnet_w18_wflw_256x256 --weights=HR18-WFLW.pth --codec=face \\
      --data_format=landmarks --annotations=face_landmarks_wflw_test.csv --images=WFLW_images

COCO-format files give COCO's ten numbers, or PCK, AUC and EPE where the keypoints have no sigmas
(hands, most keypoints of one's own); mpii gives PCKh; landmarks gives NME and failure rates. All
are fractions, EPE is in pixels. --per_keypoint shows what becomes of each keypoint: with sigmas,
whether it is good, jitters, lies on its mirror partner or is missed (Ronchi and Perona 2017).

Protocol "original" is that of Sun et al. CVPR 2019, with its box clean-up and OKS-NMS;
"annotated" takes the annotated boxes as they are, without NMS. For the face codec, "original"
reports whole pixels, as the original face tools do.
"""


def _evaluate_flags():
    values = _model_flags()
    text, choice, switch = flags.DEFINE_string, flags.DEFINE_enum, flags.DEFINE_bool
    text("annotations", None, "annotated keypoints", flag_values=values)
    text("images", None, "folder of the annotated pictures", flag_values=values)
    formats = ("coco", "mpii", "landmarks")  # of training.data.annotations, which imports Keras
    choice("data_format", "coco", formats, "what the annotations are", flag_values=values)
    text("ground_truth", None, "MPII: gt_valid.mat, if not beside them", flag_values=values)
    text("detections", None, "boxes of a detector instead of annotated ones", flag_values=values)
    lowest = "lowest score of a detector's box"
    flags.DEFINE_float("score_threshold", 0.0, lowest, flag_values=values)
    protocols = ("original", "annotated")
    choice("protocol", "original", protocols, "how to score", flag_values=values)
    average = "average with the mirrored picture (default: but for landmarks)"
    switch("flip", None, average, flag_values=values)
    switch("per_keypoint", False, "print a table of the keypoints, too", flag_values=values)
    text("output", None, "folder for results.json and evaluation.json", flag_values=values)
    switch("overwrite", False, "replace earlier results there", flag_values=values)
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
    if values.flip is None:  # the original face tools have no flip test
        values.flip = values.data_format != "landmarks"
    predictor = _pose_predictor(values)
    from hrnet_tf.training.evaluate import evaluate

    found = evaluate(
        predictor,
        values.annotations,
        values.images,
        detections=values.detections,
        protocol=values.protocol,
        data_format=values.data_format,
        score_threshold=values.score_threshold,
        ground_truth=values.ground_truth,
    )
    for line in found.problems:
        print(line, file=sys.stderr)
    _print_evaluation(values, predictor, found)
    if values.output:
        summary = {name: values[name].value for name in values}
        summary |= {"numbers": dict(found.numbers), "per_keypoint": dict(found.per_keypoint)}
        write_json(folder / "results.json", found.results)
        write_json(folder / "evaluation.json", summary, indent=1)
    return 1 if found.problems else 0


def _print_evaluation(values, predictor, found):
    width = max(map(len, found.numbers))
    for name, number in found.numbers.items():
        print(f"{name:<{width}} {number:8.4f}")
    if values.per_keypoint:
        _print_table(found.per_keypoint)
    print(
        f"{found.images} pictures, {found.persons} persons, {len(found.problems)} left out; "
        f"protocol {values.protocol}, codec {predictor.card.codec}, "
        f"{'with' if values.flip else 'without'} flip test."
    )


def _print_table(rows):
    """A line per keypoint; a keypoint that is nowhere labelled has only its count."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    width = max(map(len, rows))
    print("\n" + " ".join([" " * width, *(f"{column:>9}" for column in columns)]))
    for name, row in rows.items():
        cells = (row.get(column, "") for column in columns)
        cells = (f"{cell:9.4f}" if isinstance(cell, float) else f"{cell:>9}" for cell in cells)
        print(f"{name:<{width}} {' '.join(cells)}")
    print()


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


# train

TRAIN_USAGE = """\
  hrnet-tf train RECIPE --workdir=DIR [--FIELD=VALUE...]

RECIPE is a page of values in hrnet_tf/training/recipes, or the recipe.json of an earlier run; a
wrong name lists close ones, no name all. Each value can be replaced by its flag.

  hrnet-tf train coco_w32_256x192 --workdir=runs/w32
  hrnet-tf train coco_w32_256x192 --workdir=runs/w32 --batch_size=64 --precision=mixed_bfloat16
  hrnet-tf train own_keypoints --workdir=runs/mine --keypoints=keypoints.json \\
      --train_annotations=train.json --train_images=photos \\
      --val_annotations=val.json --val_images=photos
  hrnet-tf train runs/mine/recipe.json --workdir=runs/longer --epochs=100

A run that was cut short goes on when its command is repeated. DIR receives the best network,
model.keras with its card model.json, the values recipe.json, history.csv and curves.svg, and what
`tensorboard --logdir=DIR` shows. With another batch the learning rate changes in proportion.
"""


def _train_flags():
    _import_keras(use=False)
    from hrnet_tf.training.train import command_flags

    return command_flags()


def _train(values, words):
    # Several workers must find each other before TensorFlow computes anything.
    alone = values.distribute in ("auto", "none", "mirrored") and not os.environ.get("TF_CONFIG")
    _import_keras(use=alone)
    from hrnet_tf.training.train import run

    return run(values, words)


# inspect

INSPECT_USAGE = """\
  hrnet-tf inspect RECIPE --output=DIR [--FIELD=VALUE...]

Shows on one page, DIR/index.html, what `hrnet-tf train` would train on: crops before and after
augmentation, targets, sides, how often each keypoint is labelled, and every record that is left out
or looks wrong. DIR/recipe.json keeps recipe and values for `train`.

  hrnet-tf inspect own_keypoints --output=look --keypoints=keypoints.json \\
      --train_annotations=train.json --train_images=photos
  hrnet-tf train look/recipe.json --workdir=runs/mine
"""


def _inspect_flags():
    _import_keras()
    from hrnet_tf.training.overrides import define_flags

    values = flags.FlagValues()
    flags.DEFINE_string("output", None, "folder for the page", flag_values=values)
    flags.DEFINE_integer("count", 12, "how many crops", lower_bound=1, flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace an earlier page there", flag_values=values)
    define_flags(values)
    return values


def _inspect(values, words):
    from hrnet_tf.training.overrides import resolve
    from hrnet_tf.training.samples import write_samples

    recipe = resolve(values, words)
    _required(values, "output")
    print(write_samples(recipe, values.output, values.count, values.overwrite))
    return 0


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
    "inspect": Command(
        "see what a network will be trained on", INSPECT_USAGE, _inspect_flags, _inspect
    ),
    "train": Command("train a network by a recipe", TRAIN_USAGE, _train_flags, _train),
    "predict": Command(
        "find keypoints or classes in pictures", PREDICT_USAGE, _predict_flags, _predict
    ),
    "evaluate": Command("measure AP on COCO", EVALUATE_USAGE, _evaluate_flags, _evaluate),
    "models": Command("list what there is", MODELS_USAGE, flags.FlagValues, _models),
}
