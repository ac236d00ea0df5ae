"""`hrnet-tf predict`: the command line of `prediction.pictures` and of videos."""

import os
import re
import sys
import time
from contextlib import contextmanager

from absl import flags

from hrnet_tf import fields
from hrnet_tf.cards import NAMES
from hrnet_tf.cli.command import (
    Command,
    UsageError,
    model_flags,
    open_predictor,
    refuse_others,
    required,
    task_name,
)
from hrnet_tf.fields import refuse
from hrnet_tf.files import distinct, short
from hrnet_tf.tasks import options_of
from hrnet_tf.tasks.detection.options import Choice, PeopleOptions

USAGE = """\
  hrnet-tf predict INPUT...

INPUT is a picture, a folder (its files, not its subfolders), a pattern such as 'in/**/*.jpg', a
video or animated picture, the address of a stream such as rtsp://…, or the number of a camera: 0.
Several videos, and videos beside pictures, get a folder each.
A pose network finds the keypoints of the people that a detector finds; without a detector, each
picture should show one person who fills it. A detection network finds objects with their boxes and,
if it can, masks; a segmentation network the class of each pixel, a classification network that of
the picture.

  hrnet-tf predict party.jpg
  hrnet-tf predict party.jpg --model=tinypose_256x192    (small and fast; 2.6 MB to fetch)
  hrnet-tf predict dance.mp4
  hrnet-tf predict photos --detector=ssd_mobilenet.tflite --csv --crop --output=out
  hrnet-tf predict val2017 --model=hrnet_w32_coco_256x192 --weights=pose_hrnet_w32_256x192.pth \\
      --boxes=person_detections.json --flip --output=out
  hrnet-tf predict street.jpg --model=mask_rcnn_hrnet_w18_coco --classes=person,car --csv
  hrnet-tf predict street.png --model=my_segmentation.keras --scales=0.75,1,1.25 --output=out

The output folder receives results.json (for poses and objects: COCO results), timings.json and, but
for classification, one .jpg per picture; for segmentation also a .png per picture whose pixels are
the class indices. Pictures show objects from --draw_threshold on, results.json has those from
--score_threshold on. Weights of presets are fetched once.
"""

DEFAULT_MODEL = "hrnet_w32_udp_coco_256x192"  # the best W32 preset for COCO's 17 joints
BOXES = (PeopleOptions, Choice)


def _flags():
    values = model_flags(DEFAULT_MODEL)
    for kind in (*BOXES, *(kind for name in NAMES for kind in kinds_of(name))):
        fields.define(values, kind)
    flags.DEFINE_string("output", "predicted", "folder for the results", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace earlier results there", flag_values=values)
    return values


def kinds_of(name, *parts):
    """The dataclasses whose fields are flags of a task: those of `parts` that it has."""
    module = options_of(name)
    parts = parts or ("OPTIONS", "FILES", "VIDEO", "DRAWING")
    return [getattr(module, part) for part in parts if hasattr(module, part)]


def _part(name, part):
    """The flags of one dataclass of a task; empty if the task has no such part."""
    return {each for kind in kinds_of(name, part) for each in fields.names(kind)}


def flags_of(name):
    """The flags that apply to a task."""
    wants_boxes = getattr(options_of(name), "WANTS_BOXES", False)
    kinds = [*kinds_of(name), *(BOXES if wants_boxes else ())]
    return {each for kind in kinds for each in fields.names(kind)}


def _predict(values, inputs):
    required(values, "model", "output")
    if not inputs:
        raise UsageError("`INPUT` is missing: name pictures, folders, patterns or a video.")
    for name in NAMES:  # wrong values are refused here, before Keras is imported
        fields.read(values, options_of(name).OPTIONS)
    if values.boxes:
        detecting = {each for kind in BOXES for each in fields.names(kind)}
        detecting -= {"boxes", "score_threshold"}
        refuse(values, detecting, "goes with a detector, not with --boxes.")
    task = task_name(values.model)
    refuse_others(values, task, values.model, {name: flags_of(name) for name in NAMES})
    pictures, videos = _inputs(values, inputs, task)
    if not videos:
        refuse(values, _part(task, "VIDEO"), "is for videos.")
    elif not pictures:
        refuse(values, {"boxes", *_part(task, "FILES")}, "is for pictures.")
    codes = [_predict_pictures(values, pictures, task)] if pictures else []
    return max([*codes, _predict_videos(values, videos, task, bool(pictures))])


def _inputs(values, inputs, task):
    """The pictures and the videos to predict.

    Animated pictures alone are videos, if nothing that is only for pictures is asked for.
    """
    from hrnet_tf.media.find import find_inputs, is_animation

    pictures, videos = find_inputs(inputs)
    able = _part(task, "VIDEO")
    if videos and not able:
        tasks = " or ".join(each for each in NAMES if _part(each, "VIDEO"))
        raise UsageError(f"{videos[0]} is a video, and its network must be for {tasks}.")
    asked = any(values[each].present for each in {"boxes", *_part(task, "FILES")})
    if able and not asked and all(map(is_animation, pictures)) and _plays_videos():
        return [], [*videos, *map(str, pictures)]
    return pictures, videos


def _plays_videos():
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


def drawing_values(values, name):
    """The values of a task's drawing flags."""
    return {each: values[each].value for each in sorted(_part(name, "DRAWING"))}


def _predict_pictures(values, paths, name):
    from hrnet_tf.prediction.pictures import PredictionFolder, predict_files
    from hrnet_tf.tasks import task_named
    from hrnet_tf.tasks.detection.box_files import read_boxes
    from hrnet_tf.tasks.detection.people import detected

    task = task_named(name)
    least = fields.read(values, Choice).score_threshold
    boxes = read_boxes(values.boxes, least) if values.boxes else None
    files = [each for each in (*task.tables, *task.views) if values[each].value]
    drawing, settings = drawing_values(values, name), _settings(values)
    given = values.overwrite, files, drawing, settings
    output = PredictionFolder(values.output, paths, task, boxes, *given)
    if output.done:
        print(f"Going on: {output.done} of {len(paths)} pictures are done already.")
    start = time.perf_counter()
    views = set(files) & set(task.views)
    predictor = open_or_explain(values, task, **(task.view_options if views else {}))
    detector = None if boxes or not task.wants_boxes else people_detector(values, predictor.card)
    source = detected(detector, predictor.timings) if detector else boxes
    read = boxes.read_image if boxes else None
    output.seconds["load"] = time.perf_counter() - start
    start = time.perf_counter()
    try:
        with _progress(len(output.remaining)) as advance:
            predict_files(predictor, output.remaining, source, output, advance, read)
    finally:
        output.seconds["run"] = time.perf_counter() - start
        _print_summary(output, output.finish(predictor.timings, predictor.card))
    if output.done and not output.records:
        print(
            boxes.nothing() if boxes else f"No {task.counted} were found in these pictures.",
            file=sys.stderr,
        )
        return 1 if boxes or output.failures else 0
    return 1 if output.failures else 0


def _predict_videos(values, videos, name, further):
    """Predicts videos; several, or further ones beside pictures, get a folder each."""
    from hrnet_tf.tasks import task_named

    task, codes = task_named(name), [0]
    predictor = open_or_explain(values, task) if videos else None
    given = (
        {"detector": people_detector(values, predictor.card)} if videos and task.wants_boxes else {}
    )
    given |= drawing_values(values, name)
    if len(videos) == 1 and not further:
        return _predict_video(values, task, predictor, videos[0], values.output, given)
    names = [short(re.sub(r"[^\w.-]+", "_", os.path.basename(video))) for video in videos]
    for video, folder in zip(videos, distinct(names), strict=True):
        folder = os.path.join(values.output, folder)
        try:
            codes.append(_predict_video(values, task, predictor, video, folder, given))
        except (OSError, ValueError) as error:
            print(error, file=sys.stderr)
            codes.append(1)
    return max(codes)


def _predict_video(values, task, predictor, video, folder, given):
    predictor.timings.reset()
    summary = task.follow(
        predictor,
        video,
        folder,
        fields.read(values, options_of(task.card.task).VIDEO),
        overwrite=values.overwrite,
        progress=lambda total: _progress(total, "frames"),
        **given,
    )
    _print_stages(summary["stages"], "frame")
    for line in summary["problems"]:
        print(line, file=sys.stderr)
    print(
        f"{summary['frames']} frames, {summary[task.counted]} {task.counted}, "
        f"{summary['frames_per_second']} frames per second. Results: {folder}"
    )
    return 1 if summary["problems"] else 0


def _settings(values):
    """All flags that results depend on, and the state of the model's file."""
    found = {name: values[name].value for name in values if name not in ("output", "overwrite")}
    if os.path.isfile(values.model):
        state = os.stat(values.model)
        found["state"] = [state.st_size, state.st_mtime_ns]
    return found


def open_or_explain(values, task, **options):
    """The predictor; without a connection, the error says what works without one."""
    try:
        return open_predictor(values, task, **options)
    except ConnectionError as error:
        raise OSError(
            f"{error} Without a connection, --model takes a .keras, .tflite or .onnx file with its "
            "card. `hrnet-tf demo` trains a small one on drawn people in minutes: then add "
            "--model=demo/model/model.keras --detector=none."
        ) from error


def people_detector(values, card):
    """The detector; None if each picture is one person's box. Prints a choice not made by flags."""
    from hrnet_tf.tasks.detection import people

    choice = fields.read(values, Choice)
    if values.detector:
        found = people.detector(values.detector, choice, values.person_class)
    else:
        found = people.whole_image
        words = f"none, as {card.label_set.removesuffix(' keypoints')} is not of people."
        if people.of_people(card.labels()):
            found, words = people.default_detector(choice)
        print(f"Detector: {words} --detector and --boxes are other ways.")
    if found is not people.whole_image:
        return found
    without = {each for kind in BOXES for each in fields.names(kind)} - {"boxes", "detector"}
    refuse(values, without, "goes with a detector, and there is none.")
    return None


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
    """Shows a progress bar if stderr is a terminal; yields a function that advances it by one."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(word, total=total)
        yield lambda: progress.advance(task)


PREDICT = Command("find keypoints, objects or classes in pictures", USAGE, _flags, _predict)
