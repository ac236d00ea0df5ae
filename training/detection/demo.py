"""`hrnet-tf demo --task=detection`: drawn scenes, a tiny HRNet that finds objects, and a page.

The folder receives `index.html`, which needs no other file, the pictures in it, the trained network
in `model/` and the drawings.
"""

import dataclasses
import html
from pathlib import Path

import numpy as np
from PIL import Image

import hrnet_tf
from hrnet_tf.media.images import read_image
from hrnet_tf.tasks.detection.detections import Detections
from hrnet_tf.training.data.synthetic.scenes import draw_scene
from hrnet_tf.training.demo import of_scenes, run, write_index
from hrnet_tf.training.detection.panels import drawn, objects_of
from hrnet_tf.training.detection.readers import read
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.evaluate import Evaluation
from hrnet_tf.training.recipe import load_recipe
from hrnet_tf.training.report.page import figure

PAGE = "synthetic_detection"
SCENE_SEED = 2023
SIZE = (192, 256)  # of the drawings, height and width
SHOWN = 4  # held-out drawings on the page

INTRODUCTION = """Detection asks what is in a picture, and where. FCOS lets every cell of HRNet's
feature pyramid answer: which object am I in, how far is it to its four sides, and am I near its
middle? The network below is HRNetV2p at its smallest with that head; all it knows it learned on
this computer from the drawings beside this file."""

NEXT_STEPS = """# The same network on any drawing, its numbers on all of them
hrnet-tf predict {recipe.val_images} --model={model} --output=predicted
hrnet-tf evaluate --model={model} --annotations={recipe.val_annotations} \\
    --images={recipe.val_images} --per_class
# Five times as long at school; --head=mask_rcnn learns masks, too, and takes longer
hrnet-tf train synthetic_detection --workdir=runs/longer --epochs=25 \\
    --train_images={recipe.train_images} --train_annotations={recipe.train_annotations} \\
    --val_images={recipe.val_images} --val_annotations={recipe.val_annotations}"""


def demo(
    folder: str | Path,
    recipe: DetectionRecipe | None = None,
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
        return of_scenes(recipe or load_recipe(PAGE), folder, counts, "instances.json", size=SIZE)

    drawings = f"{scenes} scenes to learn from and {held_out} to be judged by"
    return run(folder, overwrite, drawings, draw, write_page, ("AP", "AP of boxes"))


def write_page(
    folder: Path, recipe: DetectionRecipe, evaluation: Evaluation, minutes: float
) -> Path:
    """Draws the pictures, saves each, and writes a page that contains them."""
    model_path = folder / "model" / "model.keras"
    predictor = hrnet_tf.predictor(model_path)
    pictures = {"scene": _new_scene(predictor), "held_out": _comparison(predictor, recipe)}
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.png")
    body = f"""<p>{INTRODUCTION}</p>
{figure(pictures["scene"], "A scene it has never seen, and what it finds in it.")}
<h2>How well does it do?</h2>
<p>{evaluation.images} held-out drawings, average precision of boxes as COCO defines it, after
{minutes:.1f} minutes of training.</p>
{_table(evaluation)}
{figure(pictures["held_out"], "Held-out drawings. Left: the truth. Right: the network.")}"""
    commands = NEXT_STEPS.format(model=model_path, recipe=recipe)
    return write_index(folder, "HRNet learned to find people and things", body, commands)


def _table(evaluation: Evaluation) -> str:
    """HTML of the numbers and of those of each class."""
    numbers = {name: value for name, value in evaluation.numbers.items() if value >= 0}
    head = "".join(f"<th>{name}</th>" for name in numbers)
    row = "".join(f"<td>{value:.3f}</td>" for value in numbers.values())
    classes = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{row['objects']}</td>"
        f"<td>{row.get('AP', 0):.3f}</td></tr>"
        for name, row in evaluation.tables["per_class"].items()
    )
    head = f"<table><tr>{head}</tr><tr>{row}</tr></table>"
    return f"{head}<table><tr><th>class</th><th>objects</th><th>AP</th></tr>{classes}</table>"


def _new_scene(predictor) -> np.ndarray:
    """A drawing above what is found in it."""
    scene = draw_scene(np.random.default_rng(SCENE_SEED), SIZE, people=3)
    found = drawn(_doubled(scene.image), _larger(predictor(scene.image)), predictor.card)
    return np.concatenate([_doubled(scene.image), found])


def _comparison(predictor, recipe: DetectionRecipe) -> np.ndarray:
    """Held-out drawings in rows: truth, prediction."""
    records = read(recipe.val_annotations, recipe.val_images, recipe.card, lambda line: None)
    rows = []
    for record in records[:SHOWN]:
        image = read_image(record.image.path)
        truth = objects_of({"objects": record.boxes, "classes": record.classes})
        panels = [
            drawn(_doubled(image), _larger(found), predictor.card)
            for found in (truth, predictor(image))
        ]
        rows.append(np.concatenate(panels, axis=1))
    return np.concatenate(rows)


def _doubled(image: np.ndarray) -> np.ndarray:
    return image.repeat(2, axis=0).repeat(2, axis=1)


def _larger(found: Detections) -> Detections:
    """Objects of an image in the image at twice its size."""
    return dataclasses.replace(found, boxes=2 * found.boxes, masks=None)
