"""`hrnet-tf predict`: flags and files around prediction."""

import sys
import time
from contextlib import contextmanager

from absl import flags

from hrnet_tf.cli.command import Command, UsageError, model_flags, pose_predictor, required, task_of

USAGE = """\
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
LOOKS = {"crop": "crops", "heatmaps": "heatmaps"}  # flag -> folder, of hrnet_tf.tasks.pose.inside
TABLES = ("csv", "npz")
VIDEO_FLAGS = ("detect_every", "smooth", "show")


def _flags():
    values = model_flags(POSE_MODEL)
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
    from hrnet_tf.tasks.segmentation.predictor import SegmentationPredictor

    scales = [float(scale) for scale in values.scales or [1]]
    return SegmentationPredictor(
        values.model, weights=values.weights, scales=scales, flip=values.flip
    )


def _classifier(values):
    from hrnet_tf.tasks.classification.predictor import ImageClassifier

    return ImageClassifier(values.model, weights=values.weights)


# By task: what predicts, and the flags that it alone or not every task understands.
PREDICTORS = {
    "pose": (
        lambda values: pose_predictor(values, inside=values.crop or values.heatmaps),
        {"boxes", "score_threshold", *DETECTOR_FLAGS, *LOOKS, *TABLES, *VIDEO_FLAGS}
        | {"codec", "blur_kernel", "batch_size", "flip"},
    ),
    "segmentation": (_segmentation_predictor, {"scales", "flip"}),
    "classification": (_classifier, set()),
}


def _predict(values, inputs):
    required(values, "model", "output")
    if not inputs:
        raise UsageError("`INPUT` is missing: name pictures, folders, patterns or a video.")
    if values.boxes:
        _refuse(values, DETECTOR_FLAGS, "goes with a detector, not with --boxes.")
    task = task_of(values)
    of_others = set().union(*(names for _, names in PREDICTORS.values())) - PREDICTORS[task][1]
    _refuse(values, of_others, f"has no meaning for {values.model}, a {task} network.")
    from hrnet_tf.media.find import is_video

    if any(map(is_video, inputs)):
        return _predict_video(values, inputs, task)
    _refuse(values, VIDEO_FLAGS, "is for videos.")
    return _predict_pictures(values, inputs, task)


def _predict_pictures(values, inputs, task):
    from hrnet_tf.media.find import find_images
    from hrnet_tf.prediction.pictures import TASKS, PredictionFolder, detected, predict_files
    from hrnet_tf.tasks.detection.box_files import read_boxes

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
        from hrnet_tf.tasks.pose.follow import predict_video
    except ImportError as error:
        raise OSError(f"{inputs[0]} needs PyAV: pip install av.") from error
    from hrnet_tf.tasks.pose.track import OneEuro, Tracking

    smoothing = OneEuro() if values.smooth else None
    settings = Tracking(detect_every=values.detect_every, smoothing=smoothing)
    predictor = pose_predictor(values)
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
        f"{summary['frames']} frames, {summary['persons']} persons, "
        f"{summary['frames_per_second']} frames per second. Results: {values.output}"
    )
    return 1 if summary["problems"] else 0


def _refuse(values, names, reason):
    for name in sorted(names):
        if values[name].present:
            raise UsageError(f"`--{name}` {reason}")


def _detector(values, card):
    """What finds the people; None where each picture is taken for one. Prints what nobody said."""
    from hrnet_tf.tasks.detection import people as detect

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


PREDICT = Command("find keypoints or classes in pictures", USAGE, _flags, _predict)
