"""`hrnet-tf compare`: flags and files around `convert.compare`."""

import dataclasses
import os
import sys
from functools import partial
from pathlib import Path

from absl import flags

from hrnet_tf.cli.command import Command, UsageError
from hrnet_tf.files import prepare_folder, write_json
from hrnet_tf.quiet import import_keras

USAGE = """\
  hrnet-tf compare model.keras model_float16.tflite model_int8.tflite model.onnx

  hrnet-tf compare model.keras model_int8.tflite \\
      --annotations=person_keypoints_val2017.json --images=val2017 --protocol=annotated

One line each: in what numbers it computes, its size, AP and the difference to the first, and the
time of one image. Without --annotations there is no AP. Presets, .keras, .tflite and .onnx files
may stand side by side.
"""


def _flags():
    values = flags.FlagValues()
    text, choice = flags.DEFINE_string, flags.DEFINE_enum
    text("weights", "published", "checkpoint for presets", flag_values=values)
    flags.DEFINE_integer("threads", 2, "that a network may use", 1, flag_values=values)
    text("annotations", None, "annotated keypoints", flag_values=values)
    text("images", None, "folder of the annotated pictures", flag_values=values)
    formats = ("coco", "mpii", "landmarks")  # of training.data.annotations, which imports Keras
    choice("data_format", "coco", formats, "what the annotations are", flag_values=values)
    protocols = ("original", "annotated")
    choice("protocol", "original", protocols, "how to score", flag_values=values)
    average = "average with the mirrored picture (default: but for landmarks)"
    flags.DEFINE_bool("flip", None, average, flag_values=values)
    text("output", None, "a .json file for the same table", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace that file", flag_values=values)
    return values


def _compare(values, models):
    if not models:
        raise UsageError("name presets or files to compare.")
    if bool(values.annotations) != bool(values.images):
        raise UsageError("`--annotations` and `--images` go together.")
    if values.output:
        output = Path(values.output)
        prepare_folder(output.parent, [output.name], models, values.overwrite)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(values.threads))
    import_keras()
    from hrnet_tf.convert.reports.compare import compare, table
    from hrnet_tf.training.evaluate import evaluate

    measure, problems = None, {}
    if values.annotations:
        score = partial(
            evaluate,
            annotations=values.annotations,
            images_dir=values.images,
            protocol=values.protocol,
            data_format=values.data_format,
        )

        def measure(predictor):
            found = score(predictor)
            problems.update(dict.fromkeys(found.problems))
            return found

    flip = values.data_format != "landmarks" if values.flip is None else values.flip
    name, rows = compare(models, values.weights, values.threads, measure, flip)
    for problem in problems:
        print(problem, file=sys.stderr)
    print("\n".join(table(name, rows, values.threads)))
    if values.output:
        summary = {each: values[each].value for each in values} | {"number": name}
        write_json(output, summary | {"rows": list(map(dataclasses.asdict, rows))}, indent=1)
    return 1 if problems else 0


COMPARE = Command("one table of networks and converted files", USAGE, _flags, _compare)
