"""`hrnet-tf compare`: the command line of `convert.compare`."""

import dataclasses
import os
import sys
from pathlib import Path

from absl import flags

from hrnet_tf import fields
from hrnet_tf.cli.command import (
    Command,
    UsageError,
    predictor_of,
    read_scoring,
    require_scored,
    scoring_flags,
    task_name,
)
from hrnet_tf.fields import refuse
from hrnet_tf.files import prepare_folder, write_json
from hrnet_tf.quiet import import_keras
from hrnet_tf.tasks import options_of, task_named
from hrnet_tf.training import scored_tasks, scoring_options

USAGE = """\
  hrnet-tf compare model.keras model_float16.tflite model_int8.tflite model.onnx

  hrnet-tf compare model.keras model_int8.tflite \\
      --annotations=person_keypoints_val2017.json --images=val2017 --protocol=annotated

Each network gets a line: its precision, its size, its AP, the difference from the first network,
and its time for one image. AP needs --annotations. Presets, .keras, .tflite and .onnx files can be
compared with each other.
"""


def _flags():
    values = flags.FlagValues()
    text = flags.DEFINE_string
    text("weights", "published", "checkpoint for presets", flag_values=values)
    flags.DEFINE_integer(
        "threads", 2, "number of threads that a network may use", 1, flag_values=values
    )
    scoring_flags(values)
    text("output", None, "a .json file for the same table", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace an existing file", flag_values=values)
    return values


def _compare(values, models):
    if not models:
        raise UsageError("name presets or files to compare.")
    if values.output:
        output = Path(values.output)
        prepare_folder(output.parent, [output.name], models, values.overwrite)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(values.threads))
    import_keras()
    from hrnet_tf.convert.reports.compare import compare, table
    from hrnet_tf.training.evaluate import evaluate_on

    measure, problems = None, {}
    refuse(values, {"results"}, "is of `hrnet-tf evaluate`.")
    if not values.output:
        refuse(values, {"overwrite"}, "goes with --output.")
    if not (values.annotations or values.images):
        names = (scoring_options(name).SCORING for name in scored_tasks())
        names = (*names, *(options_of(name).OPTIONS for name in scored_tasks()))
        every = {each for kind in names for each in fields.names(kind)}
        refuse(values, every, "is for AP, which needs --annotations and --images.")
    else:
        task = task_name(models[0])
        require_scored(values, task)
        scoring = read_scoring(values, task, models[0])
        options = fields.read(values, options_of(task).OPTIONS, **scoring.options())

        def measure(opened):
            found = evaluate_on(predictor_of(opened, task_named(task), options), scoring)
            problems.update(dict.fromkeys(found.problems))
            return found

    name, rows = compare(models, values.weights, values.threads, measure)
    for problem in problems:
        print(problem, file=sys.stderr)
    print("\n".join(table(name, rows, values.threads)))
    if values.output:
        summary = {each: values[each].value for each in values} | {"number": name}
        write_json(output, summary | {"rows": list(map(dataclasses.asdict, rows))}, indent=1)
    return 1 if problems else 0


COMPARE = Command("one table of networks and converted files", USAGE, _flags, _compare)
