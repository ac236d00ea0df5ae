"""Trains the network of a recipe.

    python -m hrnet_tf.training.train synthetic_pose --workdir=runs/tiny --epochs=3

`--field=value` replaces any field of the recipe. The folder receives `model.keras` (uncompiled, so
it opens without this package), its card `model.json`, the values used `recipe.json` and the losses
`history.csv`.
"""

import dataclasses
import math
import sys
from pathlib import Path

import keras
from absl import flags

from hrnet_tf.card import save_model
from hrnet_tf.models import pose
from hrnet_tf.predict import PosePredictor
from hrnet_tf.training.data.coco import Record, read_coco, trainable
from hrnet_tf.training.data.pipeline import batches, readable
from hrnet_tf.training.evaluate import Evaluation, evaluate
from hrnet_tf.training.losses import JointMSE
from hrnet_tf.training.recipe import Recipe, load_recipe, override


def train(recipe: Recipe, workdir: str | Path, overwrite: bool = False) -> Path:
    """Trains, and returns the path of the saved model.

    Raises:
        FileExistsError: `workdir` is not empty and `overwrite` is False.
        ValueError: the recipe or its data cannot be used.
    """
    channels, joints = (
        recipe.codec.channels(len(recipe.keypoints.names)),
        len(recipe.keypoints.names),
    )
    if channels != joints:
        raise ValueError(
            f"`codec` must have one map per keypoint to be trained. Received: "
            f"codec={recipe.codec.name!r} with {channels} maps. Use msra, dark or udp."
        )
    workdir = empty_folder(workdir, overwrite)
    keras.utils.set_random_seed(recipe.seed)
    records = _records(recipe.train_annotations, recipe.train_images, joints)
    validation = None
    if recipe.val_annotations:
        kept = _records(recipe.val_annotations, recipe.val_images, joints)
        validation = batches(kept, recipe, augment=False)

    model = pose(recipe.arch, (*recipe.input_size, 3), joints)
    (workdir / "recipe.json").write_text(recipe.to_json(), encoding="utf-8")
    optimizer = keras.optimizers.Adam(learning_rate(recipe, len(records)), epsilon=1e-8)
    # Compiling with XLA takes longer than it saves in a short run on CPUs.
    model.compile(optimizer, JointMSE(), jit_compile=False)
    model.fit(
        batches(records, recipe, augment=True),
        validation_data=validation,
        epochs=recipe.epochs,
        verbose=1 if sys.stdout.isatty() else 2,
        shuffle=False,  # the data set shuffles
        callbacks=[keras.callbacks.CSVLogger(workdir / "history.csv")],
    )
    path = workdir / "model.keras"
    save_model(model, recipe.card, path)
    return path


def learning_rate(recipe: Recipe, persons: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """The rate at each step: tenfold drops at the milestones, or warm-up and a cosine to zero."""
    steps, rate = math.ceil(persons / recipe.batch_size), recipe.learning_rate
    schedules = keras.optimizers.schedules
    if recipe.milestones:
        rates = [rate * 0.1**drop for drop in range(len(recipe.milestones) + 1)]
        return schedules.PiecewiseConstantDecay([steps * m for m in recipe.milestones], rates)
    decay_steps = max(steps * recipe.epochs - recipe.warmup_steps, 1)
    if not recipe.warmup_steps:
        return schedules.CosineDecay(rate, decay_steps)
    return schedules.CosineDecay(
        0.0, decay_steps, warmup_target=rate, warmup_steps=recipe.warmup_steps
    )


def validate(recipe: Recipe, model_path: Path) -> Evaluation:
    """Judges a saved model on the validation data by the recipe's own protocol."""
    predictor = PosePredictor(model_path, flip=recipe.flip_test, batch_size=32)
    return evaluate(predictor, recipe.val_annotations, recipe.val_images, protocol=recipe.protocol)


def empty_folder(folder: str | Path, overwrite: bool) -> Path:
    """The folder, made if it is new.

    Raises:
        FileExistsError: it is no folder, or not empty and `overwrite` is False.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; name a folder.")
    if folder.exists() and any(folder.iterdir()) and not overwrite:
        raise FileExistsError(
            f"{folder} is not empty: choose another folder, or replace results with --overwrite."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _records(annotations: str, images_dir: str, joints: int) -> list[Record]:
    records = readable(trainable(read_coco(annotations, images_dir)))
    if not records:
        raise ValueError(
            f"{annotations} has nobody to train on: no labelled person in {images_dir}."
        )
    found = len(records[0].keypoints)
    if found != joints:
        raise ValueError(
            f"{annotations} has {found} keypoints per person, the recipe's set has {joints}. "
            "Override `keypoints`."
        )
    return records


def main(argv: list[str] | None = None) -> int:
    """Runs `python -m hrnet_tf.training.train RECIPE --workdir=DIR --field=value`."""
    values = flags.FlagValues()
    fields = [field.name for field in dataclasses.fields(Recipe)]
    for name in fields:
        flags.DEFINE_string(name, None, "replaces that field of the recipe", flag_values=values)
    flags.DEFINE_string("workdir", None, "folder for the results", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace earlier results there", flag_values=values)
    values.set_gnu_getopt(True)
    argv = sys.argv if argv is None else argv
    if "--help" in argv:
        print(__doc__, values.get_help(), sep="\n")
        return 0
    try:
        names = values(argv)[1:]
        if len(names) != 1 or not values.workdir:
            raise ValueError(
                "Usage: RECIPE --workdir=DIR --field=value, with the name of one recipe."
            )
        changes = {name: values[name].value for name in fields if values[name].present}
        recipe = override(load_recipe(names[0]), changes)
        path = train(recipe, values.workdir, values.overwrite)
        print(f"The trained model: {path}")
        if recipe.val_annotations:
            numbers = validate(recipe, path).numbers
            print("  ".join(f"{name} {value:.3f}" for name, value in numbers.items()))
    except (flags.Error, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
