"""Draws scenes of people with the 17 COCO joints and a class of each pixel, to try training.

People are the dolls of `figures.py`. Left and right can be told only by whether a person shows the
front or the back (face or hair, print or rucksack), so mirrored pictures with exchanged labels are
correct, too. `write_dataset` stores the scenes with COCO annotations, of people's joints and of
all objects with their masks, and with the classes of all pixels.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from hrnet_tf.files import whole_folder
from hrnet_tf.labels.classes import DRAWINGS
from hrnet_tf.labels.keypoint_sets import COCO
from hrnet_tf.training.data.synthetic.figures import (
    SUPERSAMPLE,
    draw_figure,
    draw_thing,
    paint,
    rgb,
)

JPEG_QUALITY = 92

# Owners of pixels besides the people, who are counted from 1; the class of each owner.
THING, GROUND = 128, 254  # things are counted from THING
OWNERS = np.full(256, DRAWINGS.names.index("person"), np.uint8)
OWNERS[THING:GROUND] = DRAWINGS.names.index("thing")
OWNERS[[0, GROUND]] = [DRAWINGS.names.index(n) for n in ("background", "ground")]
OBJECTS = ("person", "thing")  # categories of objects, from 1

SCENERY = (
    "#bfe3f2", "#9cc9dd", "#f7d9a8", "#f2b6a0", "#cfe8c6", "#a8c686", "#6f9a5b", "#d9c7a5",
    "#b08d6a", "#8a8fa8", "#d7d3e8", "#5f7186", "#e8e4da", "#40515e",
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """COCO's annotations of one person.

    `keypoints` (17, 3) are x, y and visibility: 0 outside the image or turned away, 1 hidden by
    something, 2 visible. `box` x, y, w, h and `area` are those of the person's visible pixels.
    """

    keypoints: np.ndarray
    box: tuple[float, float, float, float]
    area: float


@dataclass(frozen=True)
class Scene:
    """A drawing: `image` (H, W, 3) uint8 and the annotations of all people in it.

    `owners` (H, W) uint8 tell which object each pixel belongs to: people from 1, things from
    `THING`, `GROUND`, and 0 for the background.
    """

    image: np.ndarray
    people: tuple[Person, ...]
    owners: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        """(H, W) uint8, places in `labels.classes.DRAWINGS`."""
        return OWNERS[self.owners]


def draw_scene(
    rng: np.random.Generator, size: tuple[int, int] = (240, 320), people: int | None = None
) -> Scene:
    """Draws a scene of `size` (height, width) with `people` persons, or 1 to 3 if None."""
    height, width = size
    people = int(rng.choice((1, 2, 3), p=(0.4, 0.35, 0.25))) if people is None else people
    image = Image.new("RGB", (width * SUPERSAMPLE, height * SUPERSAMPLE))
    owners = Image.new("L", (width, height))
    ground = draw_background(rng, image) // SUPERSAMPLE
    ImageDraw.Draw(owners).rectangle((0, ground, width, height), fill=GROUND)

    columns = (rng.permutation(people) + rng.uniform(0.25, 0.75, people)) / people * width
    grounds = np.sort(rng.uniform(0.86, 0.99, people)) * height
    skeletons, things = [], THING
    for number, (column, ground) in enumerate(zip(columns, grounds, strict=True), start=1):
        tall = rng.uniform(0.5, 0.92) * min(height, 1.3 * width / people**0.5)
        strokes, joints = draw_figure(rng, (column, ground), tall)
        _shadow(image, (column, ground), tall)
        paint(image, owners, strokes, owner=number)
        skeletons.append(joints)
        if rng.random() < 0.4:
            spot = (column + rng.uniform(-0.3, 0.3) * tall, min(ground + 4, height))
            paint(image, owners, draw_thing(rng, spot, tall), owner=things)
            things += 1

    pixels = np.asarray(image.reduce(SUPERSAMPLE))
    mask = np.asarray(owners)
    annotated = (_annotate(mask, number, j) for number, j in enumerate(skeletons, start=1))
    people = tuple(person for person in annotated if person is not None)
    return Scene(pixels, people, mask)


def write_dataset(
    folder: str | Path, num_images: int, seed: int, size: tuple[int, int] = (240, 320)
) -> Path:
    """Writes scenes as JPEG and their `person_keypoints.json`; returns the path of that file.

    Beside it, `instances.json` has boxes and masks of all objects, people and things, and `masks/`
    the classes of each scene's pixels, as palette PNG. The same arguments give the same bytes. The
    folder appears only when it is complete.

    Raises:
        FileExistsError: `folder` is already there and not empty.
    """
    with whole_folder(folder) as part:
        scenes = (draw_scene(np.random.default_rng((seed, i)), size) for i in range(num_images))
        _write_scenes(part, scenes)
    return Path(folder) / "person_keypoints.json"


def _write_scenes(folder: Path, scenes: Iterable[Scene]) -> None:
    for name in ("images", "masks"):
        (folder / name).mkdir()
    images, annotations, objects = [], [], []
    for image_id, scene in enumerate(scenes, start=1):
        name = f"{image_id:06d}.jpg"
        height, width = scene.image.shape[:2]
        Image.fromarray(scene.image).save(folder / "images" / name, quality=JPEG_QUALITY)
        mask = Image.fromarray(scene.classes)
        mask.putpalette([level for color in DRAWINGS.palette for level in color])
        mask.save(folder / "masks" / f"{image_id:06d}.png")
        images.append({"id": image_id, "file_name": name, "width": width, "height": height})
        for person in scene.people:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": 1,
                    "iscrowd": 0,
                    "bbox": list(person.box),
                    "area": person.area,
                    "num_keypoints": int((person.keypoints[:, 2] > 0).sum()),
                    "keypoints": [round(float(v), 2) for v in person.keypoints.ravel()],
                }
            )
        objects += [
            {"id": len(objects) + 1 + i, "image_id": image_id, **each}
            for i, each in enumerate(_objects(scene.owners))
        ]
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(COCO.names),
        "skeleton": [[a + 1, b + 1] for a, b in COCO.skeleton],
    }
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "person_keypoints.json").write_text(json.dumps(content), encoding="utf-8")
    categories = [{"id": i, "name": name} for i, name in enumerate(OBJECTS, start=1)]
    content = {"images": images, "annotations": objects, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(content), encoding="utf-8")


def _objects(owners: np.ndarray) -> list[dict]:
    """Box, mask and category of each object that has visible pixels, in COCO's format."""
    found = []
    for owner in np.unique(owners[(owners > 0) & (owners != GROUND)]).tolist():
        mask = coco_mask.encode(np.asfortranarray(owners == owner, np.uint8))
        kind = DRAWINGS.names[OWNERS[owner]]
        entry = {"category_id": OBJECTS.index(kind) + 1, "iscrowd": 0}
        entry |= {"bbox": coco_mask.toBbox(mask).tolist(), "area": int(coco_mask.area(mask))}
        counts = {"size": list(owners.shape), "counts": mask["counts"].decode("ascii")}
        entry.update(segmentation=counts)
        found.append(entry)
    return found


def _annotate(mask: np.ndarray, number: int, joints: np.ndarray) -> Person | None:
    """Annotates a person by its visible pixels in the map of owners; None if none is visible.

    The third column of `joints` (17, 3) is 0 for joints that are turned away.
    """
    rows, columns = np.nonzero(mask == number)
    if rows.size == 0:
        return None
    height, width = mask.shape
    keypoints = joints.copy()
    x, y = np.rint(keypoints[:, :2]).astype(int).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (keypoints[:, 2] > 0)
    seen = mask[y.clip(0, height - 1), x.clip(0, width - 1)] == number
    keypoints[:, 2] = inside * (1.0 + seen)
    keypoints[~inside] = 0
    box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    return Person(keypoints, tuple(float(v) for v in box), float(rows.size))


def _shadow(image: Image.Image, spot: tuple[float, float], tall: float) -> None:
    x, y, r = spot[0] * SUPERSAMPLE, spot[1] * SUPERSAMPLE, 0.16 * tall * SUPERSAMPLE
    box = (x - r, y - 0.22 * r, x + r, y + 0.22 * r)
    ImageDraw.Draw(image, "RGBA").ellipse(box, fill=(20, 20, 40, 70))


def draw_background(rng: np.random.Generator, image: Image.Image) -> int:
    """Draws a landscape, striped room, town or dots, with a gradient and grain.

    Returns the row at which the ground begins.
    """
    width, height = image.size
    far, near, third = (np.array(rgb(c)) for c in rng.choice(SCENERY, 3, replace=False))
    ramp = np.linspace(0, 0.4, height // 4)[:, None, None]
    grain = rng.normal(0, rng.uniform(1, 5), (height // 4, width // 4, 1))
    pixels = (far + (near - far) * ramp + grain).clip(0, 255).astype(np.uint8)
    image.paste(Image.fromarray(pixels).resize(image.size, Image.Resampling.NEAREST))
    draw = ImageDraw.Draw(image)
    near, third = tuple(near.tolist()), tuple(third.tolist())
    floor, kind = int(height * rng.uniform(0.55, 0.8)), rng.integers(4)
    if kind == 0:
        for _ in range(rng.integers(2, 5)):
            x, r = rng.uniform(0, width), rng.uniform(0.3, 0.6) * width
            draw.ellipse((x - r, floor - 0.4 * r, x + r, floor + r), fill=third)
        x, y, r = rng.uniform(0, width), rng.uniform(0, 0.3) * height, 0.07 * height
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 240, 190))
    elif kind == 1:
        step = int(rng.integers(16, 60))
        for x in range(0, width, 2 * step):
            draw.rectangle((x, 0, x + step, floor), fill=third)
    elif kind == 2:
        x = 0
        while x < width:
            wide, top = rng.integers(30, 110), floor - rng.integers(40, max(41, floor))
            wall = tuple(int(v * rng.uniform(0.7, 1.0)) for v in third)
            draw.rectangle((x, top, x + wide, floor), fill=wall)
            for wx in range(int(x) + 6, int(x + wide) - 8, 16):
                for wy in range(int(top) + 8, floor - 10, 22):
                    draw.rectangle((wx, wy, wx + 7, wy + 10), fill=near)
            x += wide
    else:
        for _ in range(rng.integers(8, 30)):
            x, y, r = rng.uniform(0, width), rng.uniform(0, floor), rng.uniform(4, 40)
            draw.ellipse((x - r, y - r, x + r, y + r), fill=third if rng.random() < 0.6 else near)
    draw.rectangle((0, floor, width, height), fill=near)
    return floor
