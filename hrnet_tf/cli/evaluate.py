"""`hrnet-tf evaluate`: the command line of `training.evaluate`."""

import sys

from absl import flags

from hrnet_tf import fields
from hrnet_tf.cli.command import (
    Command,
    UsageError,
    model_flags,
    open_predictor,
    read_scoring,
    refuse_others,
    require_scored,
    required,
    scoring_flags,
    task_name,
)
from hrnet_tf.fields import refuse
from hrnet_tf.files import prepare_folder, write_json
from hrnet_tf.quiet import import_keras
from hrnet_tf.tasks import options_of, task_named
from hrnet_tf.training import scored_tasks, scoring_options

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
  hrnet-tf evaluate --model=hrnet_w18_imagenet_224x224 --images=ILSVRC2012_img_val.tar \\
      --annotations=val.txt --per_class
  hrnet-tf evaluate --model=my_classifier.keras --images=photos --held_out=0.2 --confusion
  hrnet-tf evaluate --model=hrnet_w48_fcn_cityscapes_512x1024 --labels=cityscapes \\
      --annotations=gtFine/val --images=leftImg8bit/val --per_class
  hrnet-tf evaluate --model=my_segmenter.keras --annotations=masks --images=photos --confusion
  hrnet-tf evaluate --model=my_model_int8.tflite --annotations=person_keypoints_val2017.json \\
      --images=val2017 --record
  hrnet-tf evaluate --model=mask_rcnn_hrnet_w18_coco --annotations=instances_val2017.json \\
      --images=val2017 --per_class
  hrnet-tf evaluate --results=results.json --annotations=instances_val2017.json

COCO-format files give COCO's ten numbers, or PCK, AUC and EPE where the keypoints have no sigmas
(hands, most keypoints of one's own); mpii gives PCKh; landmarks gives NME and failure rates. All
are fractions, EPE is in pixels. --per_keypoint shows what becomes of each keypoint: with sigmas,
whether it is good, jitters, lies on its mirror partner or is missed (Ronchi and Perona 2017).

Protocol "original" is that of Sun et al. CVPR 2019, with its box clean-up and OKS-NMS;
"annotated" takes the annotated boxes as they are, without NMS. For the face codec, "original"
reports whole pixels, as the original face tools do.

Detectors get COCO's twelve numbers of boxes and, if they find masks, of masks. --results scores
objects that anybody found, without a network.

Classes of whole pictures give top-1 and top-5 accuracy and the mean recall of the classes: the
pictures lie in a folder for each class, or a list names the class of each file in a folder or TAR.

Classes of pixels give mean IoU, pixel and mean accuracy over all pixels of all pictures. --scales
and --flip add up the results at several sizes and of the mirrored picture, as the original does.

--record writes the numbers, and how they were measured, into the card of a converted file.
"""


def _flags():
    values = model_flags()
    scoring_flags(values)
    switch = flags.DEFINE_bool
    tables = {}
    for name in scored_tasks():
        tables |= scoring_options(name).TABLES
    for table, meaning in tables.items():
        switch(table, False, meaning, flag_values=values)
    switch("record", False, "note the numbers in a converted file's card", flag_values=values)
    text = "folder for results.json and evaluation.json"
    flags.DEFINE_string("output", None, text, flag_values=values)
    switch("overwrite", False, "replace earlier results there", flag_values=values)
    return values


def _evaluate(values, inputs):
    if inputs:
        raise UsageError(f"`evaluate` takes flags only. Received: {inputs[0]!r}.")
    if not values.output:
        refuse(values, {"overwrite"}, "goes with --output.")
    measure = _of_results(values) if values["results"].value else _of_network(values)
    if values.output:
        names = ["results.json", "evaluation.json"]
        folder = prepare_folder(values.output, names, overwrite=values.overwrite)
    found, told = measure()
    for line in (*found.notes, *found.problems):
        print(line, file=sys.stderr)
    if found.doubt:
        raise ValueError(found.doubt)
    _print_evaluation(values, found)
    if values.output:
        summary = {name: values[name].value for name in values} | told
        summary |= {"numbers": dict(found.numbers), **found.tables}
        write_json(folder / "results.json", found.results)
        write_json(folder / "evaluation.json", summary, indent=1)
    if values.record:
        from hrnet_tf.cards.files import record_accuracy
        from hrnet_tf.cards.paths import card_path

        record_accuracy(values.model, _accuracy(found))
        print(f"Noted in {card_path(values.model)}.")
    return 1 if found.problems else 0


def _of_network(values):
    """Checks the flags of the evaluation of a network; returns a function that evaluates it."""
    required(values, "model")
    task = task_name(values.model)
    scoring = read_scoring(values, task, values.model)
    tables = {name: set(scoring_options(name).TABLES) for name in scored_tasks()}
    refuse_others(values, task, values.model, tables)
    require_scored(values, task)

    def measure():
        from hrnet_tf.cards.files import conversion_card
        from hrnet_tf.training.evaluate import evaluate_on

        predictor = open_predictor(values, task_named(task), **scoring.options())
        if values.record:
            conversion_card(values.model)  # raises before the evaluation if there is no such card
        return evaluate_on(predictor, scoring), scoring.options()

    return measure


def _of_results(values):
    """The same for a results file, of the task that scores such files."""
    required(values, "annotations")
    refuse(
        values,
        {"model", "weights", "precision", "images", "record"},
        "goes with a network, not --results.",
    )
    [task] = (
        name for name in scored_tasks() if "results" in fields.names(scoring_options(name).SCORING)
    )
    scoring = read_scoring(values, task, values["results"].value)
    options = {*fields.names(options_of(task).OPTIONS)} - {*fields.names(type(scoring))}
    refuse(values, options, "goes with a network, not --results.")
    import_keras()

    def measure():
        from hrnet_tf.training.evaluate import score_results

        return score_results(task, scoring), {}

    return measure


def _accuracy(found):
    """The numbers with the conditions they depend on, for the card of a converted file."""
    return {
        "numbers": dict(found.numbers),
        **found.conditions,
        "pictures": found.images,
        **found.counted,
        "left_out": len(found.problems),
    }


def _print_evaluation(values, found):
    width = max(map(len, found.numbers))
    for name, number in found.numbers.items():
        print(f"{name:<{width}} {number:8.4f}")
    for table, rows in found.tables.items():
        if values[table].value:
            _print_table(rows)
    left_out = sum("left out" in line for line in found.problems)
    counts = {"pictures": found.images, **found.counted, "left out": left_out}
    if doubtful := len(found.problems) - left_out:
        counts["doubtful"] = doubtful
    counts = ", ".join(f"{number} {what}" for what, number in counts.items())
    print(f"{counts}; {found.words}.")


def _print_table(rows):
    """Prints a line per label; a label without annotations has only its count."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    width = max(map(len, rows))
    print("\n" + " ".join([" " * width, *(f"{column:>9}" for column in columns)]))
    for name, row in rows.items():
        cells = (row.get(column, "") for column in columns)
        cells = (f"{cell:9.4f}" if isinstance(cell, float) else f"{cell:>9}" for cell in cells)
        print(f"{name:<{width}} {' '.join(cells)}")
    print()


EVALUATE = Command("measure a network on annotated pictures", USAGE, _flags, _evaluate)
