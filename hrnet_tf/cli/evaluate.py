"""`hrnet-tf evaluate`: flags and files around `training.evaluate`."""

import sys

from absl import flags

from hrnet_tf.cli.command import (
    Command,
    UsageError,
    model_flags,
    open_predictor,
    option_flags,
    required,
    task_name,
)
from hrnet_tf.files import prepare_folder, write_json
from hrnet_tf.tasks import task_named

USAGE = """\
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
  hrnet-tf evaluate --model=my_model_int8.tflite --annotations=person_keypoints_val2017.json \\
      --images=val2017 --record

COCO-format files give COCO's ten numbers, or PCK, AUC and EPE where the keypoints have no sigmas
(hands, most keypoints of one's own); mpii gives PCKh; landmarks gives NME and failure rates. All
are fractions, EPE is in pixels. --per_keypoint shows what becomes of each keypoint: with sigmas,
whether it is good, jitters, lies on its mirror partner or is missed (Ronchi and Perona 2017).

Protocol "original" is that of Sun et al. CVPR 2019, with its box clean-up and OKS-NMS;
"annotated" takes the annotated boxes as they are, without NMS. For the face codec, "original"
reports whole pixels, as the original face tools do.

--record writes the numbers, and how they were measured, into the card of a converted file.
"""


def _flags():
    values = model_flags()
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
    option_flags(values)
    switch("per_keypoint", False, "print a table of the keypoints, too", flag_values=values)
    switch("record", False, "note the numbers in a converted file's card", flag_values=values)
    text("output", None, "folder for results.json and evaluation.json", flag_values=values)
    switch("overwrite", False, "replace earlier results there", flag_values=values)
    return values


def _evaluate(values, inputs):
    required(values, "model", "annotations", "images")
    if inputs:
        raise UsageError(f"`evaluate` takes flags only. Received: {inputs[0]!r}.")
    task = task_name(values.model)
    from hrnet_tf.tasks.card_files import card_path, conversion_card, record_accuracy

    if task != "pose":
        raise UsageError(f"`evaluate` is for pose networks; {values.model} is for {task}.")
    if values.output:
        names = ["results.json", "evaluation.json"]
        folder = prepare_folder(values.output, names, overwrite=values.overwrite)
    if values.flip is None:  # the original face tools have no flip test
        values.flip = values.data_format != "landmarks"
    predictor = open_predictor(values, task_named(task))
    if values.record:
        conversion_card(values.model)  # says what is wrong before anything is measured
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
        summary |= {"numbers": dict(found.numbers), **found.tables}
        write_json(folder / "results.json", found.results)
        write_json(folder / "evaluation.json", summary, indent=1)
    if values.record:
        record_accuracy(values.model, _accuracy(values, found))
        print(f"Noted in {card_path(values.model)}.")
    return 1 if found.problems else 0


def _accuracy(values, found):
    """The numbers and all that they depend on."""
    return {
        "numbers": dict(found.numbers),
        **found.conditions,
        "flip": values.flip,
        "pictures": found.images,
        **found.counted,
        "left_out": len(found.problems),
    }


def _print_evaluation(values, predictor, found):
    width = max(map(len, found.numbers))
    for name, number in found.numbers.items():
        print(f"{name:<{width}} {number:8.4f}")
    if values.per_keypoint:
        _print_table(found.tables["per_keypoint"])
    persons = found.counted["persons"]
    print(
        f"{found.images} pictures, {persons} persons, {len(found.problems)} left out; "
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


EVALUATE = Command("measure AP on COCO", USAGE, _flags, _evaluate)
