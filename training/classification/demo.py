"""`hrnet-tf demo --task=classification`: drawn shapes, a tiny HRNet that learns them, and a page.

The folder receives `index.html`, which needs no other file, the pictures in it, the trained network
in `model/` and the drawings.
"""

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from hrnet_tf.tasks.classification.predictor import ImageClassifier
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.classification.samples import labelled
from hrnet_tf.training.data.synthetic.shapes import SHAPES, draw_shape, write_shapes
from hrnet_tf.training.demo import run, write_index
from hrnet_tf.training.evaluate import Evaluation
from hrnet_tf.training.recipe import load_recipe
from hrnet_tf.training.report.matrix import confusion_picture
from hrnet_tf.training.report.page import figure

PAGE = "synthetic_classification"
SEED = 2019
SHOWN_SEED = 2023
ROWS = 3  # of new drawings on the page, each with every shape

INTRODUCTION = """Classification asks what a whole picture shows. HRNet computes it at four
resolutions side by side, which exchange what they know again and again; at the end the finer ones
are added to the coarser ones, and the mean over the picture decides. The network below is HRNetV2-C
at its smallest; all it knows it learned on this computer from the drawings beside this file."""

NEXT_STEPS = """# The same network on any drawing, its numbers on all of them
hrnet-tf predict {recipe.val_images}/star --model={model} --output=predicted
hrnet-tf evaluate --model={model} --images={recipe.val_images} --per_class
# Five times as long at school
hrnet-tf train synthetic_classification --workdir=runs/longer --epochs=40 \\
    --train_images={recipe.train_images} --val_images={recipe.val_images}"""


def demo(
    folder: str | Path,
    recipe: ClassificationRecipe | None = None,
    drawings: int = 1000,
    held_out: int = 210,
    overwrite: bool = False,
) -> Path:
    """Runs the demo with a recipe, by default that of `PAGE`; returns the path of the page.

    Raises:
        FileExistsError: `folder` is not empty and `overwrite` is False.
    """

    def draw(folder):
        learn = write_shapes(folder / "train", drawings, seed=SEED)
        judge = write_shapes(folder / "held_out", held_out, seed=SEED + 1)
        return dataclasses.replace(
            recipe or load_recipe(PAGE),
            classes=tuple(SHAPES),
            train_images=str(learn),
            val_images=str(judge),
        )

    drawn = f"{drawings} shapes to learn from and {held_out} to be judged by"
    return run(folder, overwrite, drawn, draw, write_page, {"top1": "top-1"})


def write_page(
    folder: Path, recipe: ClassificationRecipe, evaluation: Evaluation, minutes: float
) -> Path:
    """Draws the pictures, saves each, and writes a page that contains them."""
    model_path = folder / "model" / "model.keras"
    drawn = _new_drawings(ImageClassifier(model_path))
    Image.fromarray(drawn).save(folder / "drawn.png")
    matrix = confusion_picture(shares(evaluation), recipe.classes)
    (folder / "confusion.svg").write_text(matrix, encoding="utf-8")
    numbers = "".join(
        f"<tr><td>{name}</td><td>{value:.3f}</td></tr>"
        for name, value in evaluation.numbers.items()
    )
    body = f"""<p>{INTRODUCTION}</p>
{figure(drawn, "Shapes it has never seen, and what it takes them for.")}
<h2>How well does it do?</h2>
<p>{evaluation.images} held-out drawings, after {minutes:.1f} minutes of training.</p>
<table>{numbers}</table>
<h2>What is taken for what?</h2>
<figure style="max-width: 26rem">{matrix}<figcaption>In percent of the true class.</figcaption>
</figure>"""
    commands = NEXT_STEPS.format(model=model_path, recipe=recipe)
    return write_index(folder, "HRNet learned to name shapes", body, commands)


def shares(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """The table of confusion as shares of each true class."""
    table = evaluation.tables["confusion"]
    return {
        name: {other: number / max(sum(row.values()), 1) for other, number in row.items()}
        for name, row in table.items()
    }


def _new_drawings(classifier: ImageClassifier) -> np.ndarray:
    """Rows of new drawings, each above its class and the prediction."""
    rng = np.random.default_rng(SHOWN_SEED)
    rows = []
    for _ in range(ROWS):
        drawn = [(name, draw_shape(rng, name)) for name in SHAPES]
        rows.append([labelled(image, name, classifier(image)[0]) for name, image in drawn])
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])
