"""Images that ranges are measured on: exactly what a network sees in prediction and evaluation.

The predictors themselves cut them: a recorder takes the place of the network.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet_tf.media.find import find_images
from hrnet_tf.media.images import read_image
from hrnet_tf.tasks.card import Card
from hrnet_tf.tasks.classification.card import ClassificationCard
from hrnet_tf.tasks.classification.predictor import ImageClassifier
from hrnet_tf.tasks.detection.box_files import read_boxes
from hrnet_tf.tasks.pose.card import PoseCard
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.tasks.segmentation.card import SegmentationCard
from hrnet_tf.tasks.segmentation.predictor import SegmentationPredictor
from hrnet_tf.training.data.sources import Report, to_stderr
from hrnet_tf.training.data.synthetic.scenes import draw_scene

MOST_PIXELS = 2**25  # of all crops together: 400 MB
SCENE = (360, 480)  # of drawings, height and width

# What a predictor's `stream` takes, (id, image) or (id, image, boxes), made when it is its turn.
Item = Callable[[], tuple]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Images for a network.

    Attributes:
        crops: (N, H, W, 3) float32, as the network takes them.
        ids: where each comes from.
        words: what they are, for people.
    """

    crops: np.ndarray
    ids: tuple[str, ...]
    words: str


def calibration(
    source: str | os.PathLike | None,
    images: str | os.PathLike | None,
    card: Card | None,
    input_size: tuple[int, int],
    count: int = 200,
    seed: int = 0,
    report: Report = to_stderr,
) -> Calibration:
    """Cuts crops for a network, chosen by chance.

    Args:
        source: a COCO json with boxes (annotations or detections), a folder of pictures, which
            are taken whole, or None for drawn people.
        images: folder of the json's pictures; found beside it, as COCO and our own sets lie, if
            None.
        card: of the network: the predictor of its task cuts the crops. None for a network without
            a task: they are cut as for classification.
        input_size: (height, width) of the network.
        count: of crops; fewer if there are not so many, or they have more than 2**25 pixels.
        seed: another one chooses others.
        report: is told what is left out, a sentence each.

    Raises:
        OSError: no such file or folder.
        ValueError: a file of another kind, or nothing that can be used.
    """
    if count < 1:
        raise ValueError(f"`count` must be positive. Received: count={count}.")
    card = card or ClassificationCard()
    rng = np.random.default_rng(seed)
    if source is None:
        items, name = _drawn(isinstance(card, PoseCard), count, seed), "drawings"
    elif Path(source).is_dir():
        items, name = _pictures(find_images([source])), str(source)
    else:
        items, name = _listed(Path(source), images, isinstance(card, PoseCard)), str(source)
    order = rng.permutation(len(items))
    most = min(count, max(1, MOST_PIXELS // (input_size[0] * input_size[1])))
    crops, ids = _cut((items[i] for i in order), card, tuple(input_size), most, report)
    if not crops:
        raise ValueError(
            f"{name}: nothing to calibrate on. Give a folder of pictures, or a COCO file with boxes"
            " of people and the folder of its pictures."
        )
    words = f"{len(crops)} crops of {name}, seed {seed}"
    return Calibration(np.stack(crops), tuple(ids), words)


class _Recorder:
    """Takes the place of a network: keeps its inputs and answers nothing."""

    def __init__(self, card, size):
        self.seen = []
        self.input_shape = (None, *size, 3)
        # A map of one pixel cannot be decoded.
        self.output_shape = (None, *((8, 8) if card.rank == 4 else ()), card.channels)

    def __call__(self, images):
        self.seen.extend(np.array(images, np.float32))
        return np.zeros((len(images), *self.output_shape[1:]), np.float32)


def _cut(items, card, size, most, report):
    """Crops and their ids, until there are enough."""
    recorder = _Recorder(card, size)
    if isinstance(card, PoseCard):
        predictor = PosePredictor(recorder, card, batch_size=1)
    elif isinstance(card, SegmentationCard):
        predictor = SegmentationPredictor(recorder, card)
    else:
        predictor = ImageClassifier(recorder, card)
    crops, ids = [], []
    for key, _, found in predictor.stream(_readable(items, report)):
        if not len(found):
            continue  # without a usable box; what was seen belongs to the next
        for number, crop in enumerate(recorder.seen):
            if (crop == crop[:1, :1]).all():
                report(f"{key}: left out: all of it has the same colour.")
            else:
                crops.append(crop)
                ids.append(f"{key}#{number}" if len(recorder.seen) > 1 else str(key))
        recorder.seen.clear()
        if len(crops) >= most:
            break
    return crops[:most], ids[:most]


def _readable(items, report):
    for item in items:
        try:
            found = item()
        except (OSError, ValueError) as error:
            report(str(error))
        else:
            yield found


def _pictures(paths) -> list[Item]:
    return [lambda path=path: (path.name, read_image(path)) for path in paths]


def _listed(path, images, persons) -> list[Item]:
    """Every person of a json, or its whole pictures."""
    people = read_boxes(path)
    folder = Path(images) if images else _folder(path, people)
    names = people.ids.items() if people.ids else _named(folder, people)

    if not persons:
        return _pictures(folder / name for name, _ in _once(names))

    def read(name, box, number):
        picture = read_image(folder / name, apply_exif=False)
        return f"{name}:{number}", picture, np.array([box[:4]])

    return [
        lambda name=name, box=box, number=number: read(name, box, number)
        for name, image_id in _once(names)
        for number, box in enumerate(people.boxes.get(image_id, ()))
    ]


def _named(folder, people):
    """Pictures of a folder that a list of detections, which has no names, may mean."""
    return [(path.name, people.image_id(path)) for path in find_images([folder])]


def _once(names) -> Iterator[tuple[str, int]]:
    """Each image by its longest name: box files know images by short names too."""
    longest = {}
    for name, image_id in names:
        longest[image_id] = max(longest.get(image_id, ""), name, key=len)
    return ((name, image_id) for image_id, name in longest.items())


def _folder(path, people):
    """Where the pictures of a json usually are."""
    places = [path.parent, path.parent / "images", path.parent.parent / path.stem.split("_")[-1]]
    places += [path.parent.parent / "images"]
    for place in places:
        if any((place / name).is_file() for name in people.ids):
            return place
    raise ValueError(
        f"{path}: its pictures are in none of {', '.join(map(str, places))}. Name their folder."
    )


def _drawn(persons, count, seed) -> list[Item]:
    """Drawn people, one after the other, or whole scenes."""

    def draw(number):
        scene = draw_scene(np.random.default_rng((seed, number)), SCENE)
        boxes = [person.box for person in scene.people[:1]]
        return f"drawing {number}", scene.image, *([np.array(boxes)] if persons else [])

    return [lambda number=number: draw(number) for number in range(count)]
