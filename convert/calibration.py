"""Examples for measuring ranges: the arrays that a network is given in prediction.

The predictor of the network's task makes them; a recorder takes the place of the network.
"""

import glob
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet_tf import fields
from hrnet_tf.cards import WHOLE_PICTURES
from hrnet_tf.cards.card import Card
from hrnet_tf.convert.examples import count as number_of
from hrnet_tf.convert.examples import part
from hrnet_tf.convert.source import Source
from hrnet_tf.media.find import find_images
from hrnet_tf.media.images import read_image
from hrnet_tf.runtime.network import Divided, Shapes
from hrnet_tf.tasks import task_named
from hrnet_tf.tasks.detection.box_files import read_boxes
from hrnet_tf.training.data.sources import Report, to_stderr
from hrnet_tf.training.data.synthetic.scenes import draw_scene

MOST_PIXELS = 2**25  # of all images together: 400 MB
SCENE = (360, 480)  # of drawings, height and width
OPEN = 8  # stands for open sizes of outputs: a map of one pixel cannot be decoded

# What a predictor's `stream` takes, (id, image) or (id, image, boxes), made when it is its turn.
Item = Callable[[], tuple]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Examples for a network.

    Attributes:
        examples: (N, ...) float32 for each input by name, as the network takes them.
        ids: where each example comes from.
        words: what they are, for people.
    """

    examples: dict[str, np.ndarray]
    ids: tuple[str, ...]
    words: str


def calibration(
    source: str | os.PathLike | None,
    images: str | os.PathLike | None,
    card: Card | None,
    inputs: Shapes,
    count: int = 200,
    seed: int = 0,
    report: Report = to_stderr,
) -> Calibration:
    """Makes examples for a network from randomly chosen pictures.

    Args:
        source: a COCO json with boxes (annotations or detections); a folder of pictures, or of
            folders of them, which are used whole; or None for drawn people.
        images: folder of the json's pictures; if None, it is looked for beside the json, where
            COCO and our own sets have it.
        card: the network's card; the predictor of its task makes the examples. If None, pictures
            are cut as for classification.
        inputs: shapes of the network's inputs without the batch, by name.
        count: number of examples. There are fewer if the pictures run out, or if all images
            together would have more than 2**25 pixels.
        seed: decides which pictures are chosen.
        report: called with a sentence for each picture or box that is left out.

    Raises:
        OSError: there is no such file or folder.
        ValueError: the file is of another kind, no picture can be used, or the network has inputs
            that its card does not describe.
    """
    task = task_named(card.task if card else WHOLE_PICTURES)
    card = card or task.card()
    wanted = card.inputs()
    axes, own = ({name: len(x) for name, x in each.items()} for each in (wanted, inputs))
    if own != axes:
        raise ValueError(
            f"`inputs` must be those that the network's card describes, {wanted}. Received: "
            f"{inputs}. Convert it in a float precision without verifying it (--noverify), or give "
            "arrays of your own for all inputs to hrnet_tf.convert.formats.emit.tflite."
        )
    items, name = _chosen(source, images, task.wants_boxes, count, seed)
    most = _fitting(count, inputs["image"])
    recorder = _Recorder(card, inputs)
    found, ids = _recorded(items, task, card, recorder, most, report)
    if not ids:
        raise _nothing(name)
    examples = {each: np.stack([example[each] for example in found]) for each in inputs}
    return Calibration(examples, tuple(ids), f"{len(ids)} crops of {name}, seed {seed}")


def calibrations(
    source: str | os.PathLike | None,
    images: str | os.PathLike | None,
    sources: Mapping[str, Source],
    count: int = 200,
    seed: int = 0,
    report: Report = to_stderr,
) -> dict[str, Calibration]:
    """Makes examples for each part of a network.

    The predictor runs the whole network on whole pictures, and what each part is given is noted. Of
    regions, which are many in each picture, some are chosen by chance.

    Args:
        source: as of `calibration`.
        images: as of `calibration`.
        sources: of `source.open_sources`, "image" first. A network in one part gets the examples of
            `calibration`.
        count: number of pictures.
        seed: as of `calibration`.
        report: as of `calibration`.

    Raises:
        OSError, ValueError: as `calibration`.

    Returns:
        The examples of each part. A part that the pictures never reached, as that of masks if no
        object was found, gets noise and no `ids`: ranges cannot be measured on it.
    """
    first = sources["image"]
    if len(sources) == 1:
        place = (source, images, first.card, first.inputs, count, seed, report)
        return {"image": calibration(*place)}
    card, task = first.card, task_named(first.card.task)
    items, name = _chosen(source, images, task.wants_boxes, count, seed)
    most = _fitting(count, first.inputs["image"])
    parts = {each: _Listener(part, most, seed) for each, part in sources.items()}
    network = Divided(parts, card.inputs(), card.outputs())
    predictor, ids = task.predictor(network, card, task.options()), []
    for key, *_ in predictor.stream(_readable(items, report)):
        ids.append(str(key))
        if len(ids) >= most:
            break
    if not ids:
        raise _nothing(name)
    words = f"{len(ids)} pictures of {name}, seed {seed}"
    return {
        each: Calibration(part.examples(), tuple(ids), words)
        if part.seen
        else Calibration(_noise(part.inputs), (), "noise")
        for each, part in parts.items()
    }


def _chosen(source, images, by_box, count, seed):
    """The items of a source in random order, and its name."""
    if count < 1:
        raise ValueError(f"`count` must be positive. Received: count={count}.")
    if source is None:
        items, name = _drawn(by_box, count, seed), "drawings"
    elif Path(source).is_dir():
        items, name = _pictures(_inside(Path(source))), str(source)
    else:
        items, name = _listed(Path(source), images, by_box), str(source)
    order = np.random.default_rng(seed).permutation(len(items))
    return (items[i] for i in order), name


def _fitting(count, shape):
    """The number of images of this shape, at most `count`, that fit into memory."""
    height, width, _ = shape
    return min(count, max(1, MOST_PIXELS // (height * width)))


def _nothing(name):
    return ValueError(
        f"{name}: nothing to calibrate on. Give a folder of pictures, or a COCO file with boxes of "
        "people and the folder of its pictures."
    )


class _Listener:
    """A part of a network as a `Network` that keeps some of what it is given."""

    def __init__(self, source, pictures, seed):
        self.inputs, self.outputs = source.inputs, {}
        self.seen = []
        self._source, self._rng = source, np.random.default_rng(seed)
        numbers = sum(map(np.prod, self.inputs.values()))
        self._most = max(1, int(3 * MOST_PIXELS // numbers) // pictures)  # of each picture

    def __call__(self, arrays):
        count = number_of(arrays)
        rows = self._rng.permutation(count)[: self._most]
        self.seen.append({name: np.float32(each[rows]) for name, each in arrays.items()})
        return self._source(arrays)

    def examples(self):
        """All that was kept."""
        return {name: np.concatenate([each[name] for each in self.seen]) for name in self.inputs}


class _Recorder:
    """A `Network` that keeps what it is given and answers zeros."""

    def __init__(self, card, inputs):
        self.inputs = inputs
        self.outputs = {
            name: tuple(n or OPEN for n in shape) for name, shape in card.outputs().items()
        }
        self.seen = []

    def __call__(self, arrays):
        count = number_of(arrays)
        for number in range(count):
            each = part(arrays, number, number + 1)
            self.seen.append({name: np.array(x[0], np.float32) for name, x in each.items()})
        return {name: np.zeros((count, *x), np.float32) for name, x in self.outputs.items()}


def _noise(inputs):
    rng = np.random.default_rng(0)
    return {name: np.float32(rng.normal(size=(8, *shape))) for name, shape in inputs.items()}


def _recorded(items, task, card, recorder, most, report):
    """Examples and their ids, until there are enough."""
    # What was seen belongs to one key: predictors that gather images take one at a time.
    alone = "batch_size" in fields.names(task.options)
    options = task.options(**({"batch_size": 1} if alone else {}))
    predictor = task.predictor(recorder, card, options)
    examples, ids = [], []
    for key, _, found in predictor.stream(_readable(items, report)):
        if task.wants_boxes and not len(found):
            continue  # without a usable box; what was seen belongs to the next
        for number, example in enumerate(recorder.seen):
            image = example["image"]
            if (image == image[:1, :1]).all():
                report(f"{key}: left out: all of it has the same colour.")
            else:
                examples.append(example)
                ids.append(f"{key}#{number}" if len(recorder.seen) > 1 else str(key))
        recorder.seen.clear()
        if len(ids) >= most:
            break
    return examples[:most], ids[:most]


def _readable(items, report):
    for item in items:
        try:
            found = item()
        except (OSError, ValueError) as error:
            report(str(error))
        else:
            yield found


def _inside(folder) -> list[Path]:
    """The pictures in a folder, or in its folders if these hold all of them."""
    found = find_images([folder])
    return found if found != [folder] else find_images([f"{glob.escape(str(folder))}/**/*"])


def _pictures(paths) -> list[Item]:
    return [lambda path=path: (path.name, read_image(path)) for path in paths]


def _listed(path, images, by_box) -> list[Item]:
    """Every box of a json with its picture, or the whole pictures."""
    people = read_boxes(path)
    folder = Path(images) if images else _folder(path, people)
    names = people.ids.items() if people.ids else _named(folder, people)

    if not by_box:
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


def _drawn(by_box, count, seed) -> list[Item]:
    """Drawn people, one after the other, or whole scenes."""

    def draw(number):
        scene = draw_scene(np.random.default_rng((seed, number)), SCENE)
        boxes = [person.box for person in scene.people[:1]]
        return f"drawing {number}", scene.image, *([np.array(boxes)] if by_box else [])

    return [lambda number=number: draw(number) for number in range(count)]
