"""`hrnet-tf demo --task=detection`: drawn scenes, a tiny HRNet that finds objects, and a page.

The folder receives `index.html`, which needs no other file, the pictures in it, the trained network
in `model/` and the drawings.
"""

import dataclasses
import html
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

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
NAMES = {"AP": "AP of boxes", "AP mask": "AP of masks"}
SHOWN = 4  # held-out drawings on the page

INTRODUCTION = """Detection asks what is in a picture, and where. Mask R-CNN proposes regions that
look like objects, and asks of each: what is it, where exactly are its sides, and which of its
pixels belong to it? The network below is HRNetV2p at its smallest with narrow heads; all it knows
it learned on this computer from the drawings beside this file."""

NEXT_STEPS = """# The same network on any drawing, its numbers on all of them
hrnet-tf predict {recipe.val_images} --model={model} --output=predicted
hrnet-tf evaluate --model={model} --annotations={recipe.val_annotations} \\
    --images={recipe.val_images} --per_class
# Four times as long at school; --head=fcos finds boxes alone
hrnet-tf train synthetic_detection --workdir=runs/longer --epochs={longer} \\
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
    return run(folder, overwrite, drawings, draw, write_page, NAMES)


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
<p>{evaluation.images} held-out drawings, average precision of boxes and masks as COCO defines it,
after {minutes:.1f} minutes of training.</p>
{_table(evaluation)}
{figure(pictures["held_out"], "Held-out drawings. Left: the truth. Right: the network.")}"""
    commands = NEXT_STEPS.format(model=model_path, recipe=recipe, longer=4 * recipe.epochs)
    return write_index(folder, "HRNet learned to find people and things", body, commands)


def _table(evaluation: Evaluation) -> str:
    """HTML of the numbers and of those of each class, of boxes and of masks."""
    numbers = evaluation.numbers
    kinds = {"boxes": "", "masks": " mask"} if "AP mask" in numbers else {"boxes": ""}
    names = [name for name, value in numbers.items() if value >= 0 and "mask" not in name]
    rows = [
        [kind, *(f"{numbers[name + suffix]:.3f}" for name in names)]
        for kind, suffix in kinds.items()
    ]
    classes = [
        [html.escape(name), row["objects"]]
        + [f"{row.get(f'AP{suffix}', 0):.3f}" for suffix in kinds.values()]
        for name, row in evaluation.tables["per_class"].items()
    ]
    heads = ["class", "objects", *(f"AP of {kind}" for kind in kinds)]
    return _rows(["", *names], rows) + _rows(heads, classes)


def _rows(heads, rows) -> str:
    """HTML of a table."""
    lines = [("th", heads), *(("td", row) for row in rows)]
    cells = ("".join(f"<{tag}>{each}</{tag}>" for each in row) for tag, row in lines)
    return f"<table>{''.join(f'<tr>{each}</tr>' for each in cells)}</table>"


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
        if predictor.masks:
            size = [*record.image.size]
            masks = tuple({"size": size, "counts": each.encode()} for each in record.masks)
            truth = dataclasses.replace(truth, masks=masks)
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
    masks = found.masks
    if masks is not None:
        pixels = (_doubled(coco_mask.decode(each)) for each in masks)
        masks = tuple(coco_mask.encode(np.asfortranarray(each)) for each in pixels)
    return dataclasses.replace(found, boxes=2 * found.boxes, masks=masks)
