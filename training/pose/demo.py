"""`make demo`: draws people, trains a tiny HRNet on them, evaluates it, and writes a page.

    hrnet-tf demo --output=demo

The folder receives `index.html`, which needs no other file, the pictures in it, the trained network
in `model/` and the drawings.
"""

import dataclasses
from pathlib import Path

import keras
import numpy as np
from keras import ops
from PIL import Image

from hrnet_tf.media.images import read_image
from hrnet_tf.tasks.pose import geometry
from hrnet_tf.tasks.pose.draw import draw_poses
from hrnet_tf.tasks.pose.heat import overlay
from hrnet_tf.tasks.pose.predictor import Pose, PosePredictor
from hrnet_tf.training.data.synthetic.scenes import draw_scene
from hrnet_tf.training.demo import of_scenes, run, write_index
from hrnet_tf.training.evaluate import Evaluation
from hrnet_tf.training.pose.pictures import enlarge
from hrnet_tf.training.pose.readers.coco import Record
from hrnet_tf.training.pose.recipe import PoseRecipe
from hrnet_tf.training.pose.source import held_out_people
from hrnet_tf.training.recipe import load_recipe
from hrnet_tf.training.report.page import figure

PAGE = "synthetic_pose"
SCENE_SEED = 2023
SHOWN_JOINTS = ("nose", "left_elbow", "right_wrist", "left_knee")

INTRODUCTION = """HRNet finds the joints of a person by answering one question for each: where in
the picture is it? The answer is a heat map, bright where the joint is. Most networks shrink the
picture on the way and must then guess the details back; HRNet keeps a stream at high resolution
from the first stage to the last and runs coarser ones beside it. They exchange what they know
again and again, so that "this is a wrist" and "it is exactly here" stay together. The network
below is the same architecture, only very small, and all it knows it learned on this computer from
the drawings beside this file."""

NEXT_STEPS = """# The network in your browser (Node.js): open a drawing, drag a box around someone
npm ci --prefix web_demo
node web_demo/serve.js {float32}
# The same in the Android app, as 1.65 MB of integers
python convert/to_tflite.py --model={model} --int8 --android
# What else can be loaded
hrnet-tf models
# The same network on any drawing, its numbers on all of them
hrnet-tf predict {recipe.val_images} --boxes={recipe.val_annotations} \\
    --model={model} --output=predicted
hrnet-tf evaluate --images={recipe.val_images} --annotations={recipe.val_annotations} \\
    --model={model} --protocol=annotated
# Five times as long at school
hrnet-tf train synthetic_pose --workdir=runs/longer --epochs=40 \\
    --train_images={recipe.train_images} --train_annotations={recipe.train_annotations} \\
    --val_images={recipe.val_images} --val_annotations={recipe.val_annotations}"""


def demo(
    folder: str | Path,
    recipe: PoseRecipe | None = None,
    scenes: int = 1000,
    held_out: int = 110,
    overwrite: bool = False,
) -> Path:
    """Runs the demo with a recipe, by default that of `PAGE`; returns the path of the page.

    Raises:
        FileExistsError: `folder` is not empty and `overwrite` is False.
    """

    def draw(folder):
        counts = scenes, held_out
        return of_scenes(recipe or load_recipe(PAGE), folder, counts, "person_keypoints.json")

    drawn = f"{scenes} scenes to learn from and {held_out} to be judged by"
    return run(folder, overwrite, drawn, draw, write_page, {"AP": "AP"})


def write_page(folder: Path, recipe: PoseRecipe, evaluation: Evaluation, minutes: float) -> Path:
    """Draws the pictures, saves each, and writes a page that contains them."""
    model_path = folder / "model" / "model.keras"
    predictor = PosePredictor(model_path, flip=recipe.flip_test)
    people = held_out_people(recipe)
    pictures = {
        "scene": _new_scene(predictor),
        "heatmaps": _heat_maps(model_path, recipe, people[0]),
        "held_out": _comparison(predictor, people),
    }
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.png")
    numbers, persons = evaluation.numbers, evaluation.counted["persons"]
    head = "".join(f"<th>{name}</th>" for name in numbers)
    row = "".join(f"<td>{value:.3f}</td>" for value in numbers.values())
    body = f"""<p>{INTRODUCTION}</p>
{figure(pictures["scene"], "A scene it has never seen, and what it finds in it.")}
<h2>How well does it do?</h2>
<p>{persons} people in {evaluation.images} held-out drawings, whose boxes are given; OKS
average precision as COCO defines it, after {minutes:.1f} minutes of training.</p>
<table><tr>{head}</tr><tr>{row}</tr></table>
{figure(pictures["held_out"], "Held-out drawings. Above: the truth. Below: the network.")}
<h2>What does it see?</h2>
{figure(pictures["heatmaps"], "The crop, and the heat maps of " + _listing(SHOWN_JOINTS) + ".")}"""
    float32 = model_path.with_name("model_float32.tflite")  # the next step of `make demo` writes it
    commands = NEXT_STEPS.format(model=model_path, recipe=recipe, float32=float32)
    return write_index(folder, "HRNet learned to see people", body, commands)


def _new_scene(predictor: PosePredictor) -> np.ndarray:
    scene = draw_scene(np.random.default_rng(SCENE_SEED), (360, 560), people=4)
    poses = predictor(scene.image, [person.box for person in scene.people])
    return np.concatenate((enlarge(scene.image), _annotated(scene.image, poses, predictor)))


def _comparison(predictor: PosePredictor, people: list[Record], columns: int = 3) -> np.ndarray:
    """The first drawings with several people: annotations above predictions."""
    scenes = {}
    for person in people:
        scenes.setdefault(person.image, []).append(person)
    chosen = [(i, group) for i, group in scenes.items() if len(group) > 1][:columns]
    pairs = []
    for image, group in chosen or list(scenes.items())[:columns]:
        pixels = read_image(image.path)
        truth = [Pose(p.keypoints[:, :2], p.keypoints[:, 2], p.box, 1.0) for p in group]
        found = predictor(pixels, [person.box for person in group])
        rows = [_annotated(pixels, poses, predictor) for poses in (truth, found)]
        pairs.append(np.concatenate(rows))
    return np.concatenate(pairs, axis=1)


def _heat_maps(model_path: Path, recipe: PoseRecipe, person: Record) -> np.ndarray:
    """The crop of one person, beside the crop under some of its heat maps."""
    height, width = recipe.input_size
    centers, scales = geometry.center_scale(person.box[None], width / height, recipe.padding)
    matrices = geometry.affine(centers, scales, recipe.input_size, aligned=recipe.codec.aligned)
    crops = geometry.crop(read_image(person.image.path), matrices, recipe.input_size)
    model = keras.models.load_model(model_path)
    maps = ops.convert_to_numpy(model(recipe.card.normalize(crops)))[0]
    crop = ops.convert_to_numpy(crops)[0].astype(np.uint8)
    panels = [enlarge(crop)]
    for joint in SHOWN_JOINTS:
        heat = maps[..., recipe.keypoints.names.index(joint)]
        panels.append(enlarge(overlay(crop, heat, recipe.codec.aligned)))
    return np.concatenate(panels, axis=1)


def _annotated(image: np.ndarray, poses: list[Pose], predictor: PosePredictor) -> np.ndarray:
    """The image at twice its size with skeletons."""
    doubled = [
        dataclasses.replace(p, keypoints=2 * p.keypoints, box=2 * np.asarray(p.box)) for p in poses
    ]
    return draw_poses(enlarge(image), doubled, predictor.card.keypoints)


def _listing(names: tuple[str, ...]) -> str:
    words = [name.replace("_", " ") for name in names]
    return ", ".join(words[:-1]) + " and " + words[-1]
