"""`hrnet-tf demo --task=segmentation`: drawn scenes, a tiny HRNet that learns them, and a page.

The folder receives `index.html`, which needs no other file, the pictures in it, the trained network
in `model/` and the drawings.
"""

import html
from pathlib import Path

import numpy as np
from PIL import Image

from hrnet_tf.media.images import read_image
from hrnet_tf.tasks.segmentation.draw import draw_classes
from hrnet_tf.tasks.segmentation.predictor import SegmentationPredictor
from hrnet_tf.training.data.synthetic.scenes import draw_scene
from hrnet_tf.training.demo import of_scenes, run, write_index
from hrnet_tf.training.evaluate import Evaluation
from hrnet_tf.training.recipe import load_recipe
from hrnet_tf.training.report.matrix import confusion_picture
from hrnet_tf.training.report.page import figure
from hrnet_tf.training.segmentation.masks import read_mask
from hrnet_tf.training.segmentation.panels import side_by_side
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe
from hrnet_tf.training.segmentation.source import annotated

PAGE = "synthetic_segmentation"
SCENE_SEED = 2023
SHOWN = 4  # held-out drawings on the page

INTRODUCTION = """Segmentation asks of every pixel what it shows. HRNet keeps a stream at high
resolution from the first stage to the last, so it need not guess the outlines back, and runs
coarser streams beside it that see more of the scene. The network below is HRNetV2 at its smallest;
all it knows it learned on this computer from the drawings beside this file."""

NEXT_STEPS = """# The same network on any drawing, its numbers on all of them
hrnet-tf predict {recipe.val_images} --model={model} --output=predicted
hrnet-tf evaluate --model={model} --annotations={recipe.val_annotations} \\
    --images={recipe.val_images} --per_class
# Five times as long at school
hrnet-tf train synthetic_segmentation --workdir=runs/longer --epochs=25 \\
    --train_images={recipe.train_images} --train_annotations={recipe.train_annotations} \\
    --val_images={recipe.val_images} --val_annotations={recipe.val_annotations}"""


def demo(
    folder: str | Path,
    recipe: SegmentationRecipe | None = None,
    scenes: int = 800,
    held_out: int = 80,
    overwrite: bool = False,
) -> Path:
    """Runs the demo with a recipe, by default that of `PAGE`; returns the path of the page.

    Raises:
        FileExistsError: `folder` is not empty and `overwrite` is False.
    """

    def draw(folder):
        counts = scenes, held_out
        return of_scenes(recipe or load_recipe(PAGE), folder, counts, "masks")

    drawn = f"{scenes} scenes to learn from and {held_out} to be judged by"
    return run(folder, overwrite, drawn, draw, write_page, {"mIoU": "mIoU"})


def write_page(
    folder: Path, recipe: SegmentationRecipe, evaluation: Evaluation, minutes: float
) -> Path:
    """Draws the pictures, saves each, and writes a page that contains them."""
    model_path = folder / "model" / "model.keras"
    predictor = SegmentationPredictor(model_path, scales=recipe.test_scales, flip=recipe.flip_test)
    pictures = {"scene": _new_scene(predictor), "held_out": _comparison(predictor, recipe)}
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.png")
    matrix = confusion_picture(evaluation.tables["confusion"], recipe.classes.names)
    (folder / "confusion.svg").write_text(matrix, encoding="utf-8")
    body = f"""<p>{INTRODUCTION}</p>
{figure(pictures["scene"], "A scene it has never seen, and what it finds in it.")}
<h2>How well does it do?</h2>
<p>{evaluation.images} held-out drawings, after {minutes:.1f} minutes of training.</p>
{_table(evaluation)}
{figure(pictures["held_out"], "Held-out drawings: the truth, the network, and where they differ.")}
<h2>What is taken for what?</h2>
<figure style="max-width: 26rem">{matrix}<figcaption>In percent of the true class.</figcaption>
</figure>"""
    commands = NEXT_STEPS.format(model=model_path, recipe=recipe)
    return write_index(folder, "HRNet learned what every pixel shows", body, commands)


def _table(evaluation: Evaluation) -> str:
    """HTML of the numbers and of those of each class."""
    numbers = "".join(
        f"<tr><td>{name}</td><td>{value:.3f}</td></tr>"
        for name, value in evaluation.numbers.items()
    )
    classes = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{row['IoU']:.3f}</td></tr>"
        for name, row in evaluation.tables["per_class"].items()
    )
    return f"<table>{numbers}</table><table><tr><th>class</th><th>IoU</th></tr>{classes}</table>"


def _new_scene(predictor: SegmentationPredictor) -> np.ndarray:
    """A drawing above its classes, with a legend."""
    scene = draw_scene(np.random.default_rng(SCENE_SEED), (360, 560), people=4)
    classes = predictor(scene.image)
    drawn = draw_classes(scene.image, classes, predictor.card.classes, predictor.card.palette)
    return np.concatenate([scene.image, drawn])


def _comparison(predictor: SegmentationPredictor, recipe: SegmentationRecipe) -> np.ndarray:
    """Held-out drawings in rows: picture, truth, prediction, difference."""
    found = annotated(recipe, "val", lambda line: None)
    rows = []
    for record in found.records[:SHOWN]:
        image = read_image(record.image.path)
        truth = read_mask(record.mask, found.meaning)
        rows.append(side_by_side(image, truth, predictor(image), recipe.classes.palette))
    return np.concatenate(rows)
