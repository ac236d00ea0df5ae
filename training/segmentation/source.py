"""The pictures on which a run is trained and evaluated."""

from hrnet_tf.training.data.sources import Report, to_stderr
from hrnet_tf.training.evaluate import Evaluator
from hrnet_tf.training.segmentation.evaluator import evaluator
from hrnet_tf.training.segmentation.masks import meaning
from hrnet_tf.training.segmentation.options import SegmentationScoring
from hrnet_tf.training.segmentation.pictures import Pictures, from_records
from hrnet_tf.training.segmentation.readers import Annotated, read
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe
from hrnet_tf.training.segmentation.records import read_pictures


def training_pictures(recipe: SegmentationRecipe) -> Pictures:
    """The pictures to train on: a source for `batches`.

    Raises:
        OSError: there is no such file or folder.
        ValueError: no picture can be used, or TFRecords lack shards.
    """
    if recipe.train_records:
        return read_pictures(recipe.train_records, recipe)
    found = annotated(recipe, "train")
    return from_records(found.records, found.meaning)


def annotated(recipe: SegmentationRecipe, use: str, report: Report = to_stderr) -> Annotated:
    """The annotated pictures of "train" or "val"."""
    return read(recipe.data(use), recipe.card, report)


def held_out(recipe: SegmentationRecipe) -> tuple[Pictures, Evaluator]:
    """The pictures for the validation loss, and the evaluator of the run; reads them once."""
    found = annotated(recipe, "val")
    judge = evaluator(recipe.card, scored(recipe), annotated=found)
    return from_records(found.records, found.meaning), judge


def scored(recipe: SegmentationRecipe) -> SegmentationScoring:
    """The data and settings of a run's evaluations."""
    return recipe.data("val")


def check(recipe: SegmentationRecipe) -> None:
    """Raises ValueError if the classes do not fit the masks."""
    data = recipe.data("train")
    if data.labels != "coco_instances":
        meaning(
            data.labels,
            data.encoding,
            recipe.classes.palette,
            data.ignore_label,
            data.ignore_color,
        )
