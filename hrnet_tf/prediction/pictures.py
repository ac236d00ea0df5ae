"""Pictures in, annotated pictures and results out: what `hrnet-tf predict` does."""

import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

from hrnet_tf.files import prepare_folder, whole, write_json
from hrnet_tf.media.images import picture_bytes, read_image
from hrnet_tf.tasks.card import Card
from hrnet_tf.tasks.classification.predictor import ImageClassifier
from hrnet_tf.tasks.detection.box_files import BoxFile, coco_id
from hrnet_tf.tasks.detection.people import Detector
from hrnet_tf.tasks.pose.draw import pose_picture
from hrnet_tf.tasks.pose.inside import LOOKS
from hrnet_tf.tasks.pose.predictor import BoxSource, PosePredictor
from hrnet_tf.tasks.pose.results import coco_result
from hrnet_tf.tasks.pose.tables import WRITERS
from hrnet_tf.tasks.segmentation.draw import draw_classes, label_picture
from hrnet_tf.tasks.segmentation.predictor import SegmentationPredictor
from hrnet_tf.tasks.streaming import Timings, ahead

FORMATS = {
    ".jpg": {"format": "JPEG", "quality": 92, "subsampling": 0},
    ".png": {"format": "PNG"},
}


@dataclass(frozen=True)
class Task:
    """What becomes of the results of one task.

    Attributes:
        suffixes: of the pictures to write, keys of `FORMATS`.
        counted: what the records are, for the summary; None if one belongs to each picture.
        draw: `(image, result, card)` to the pictures, one for each suffix.
        records: `(name, image id, result, card)` to the entries of `results.json`; `name` is that
            of the written pictures, without suffix.
    """

    suffixes: tuple[str, ...]
    counted: str | None
    draw: Callable[[np.ndarray, object, Card], Sequence[Image.Image]]
    records: Callable[[str, int, object, Card], list[dict]]


def _draw_poses(image, poses, card):
    return [pose_picture(image, poses, card.keypoints)]


def _pose_records(name, image_id, poses, card):
    return [coco_result(image_id, pose) for pose in poses]


def _draw_classes(image, labels, card):
    drawn = draw_classes(image, labels, card.classes, card.palette)
    return [Image.fromarray(drawn), label_picture(labels, card.palette)]


def _class_shares(name, image_id, labels, card):
    """The classes of a picture, largest first, with their shares of its pixels."""
    counts = np.bincount(labels.ravel(), minlength=len(card.classes))
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    classes = [
        {"index": int(i), "name": card.classes[i], "share": round(counts[i] / labels.size, 6)}
        for i in order
    ]
    return [{"labels": f"{name}.png", "classes": classes}]


def _predictions(name, image_id, predictions, card):
    rounded = (each._replace(probability=round(each.probability, 6)) for each in predictions)
    return [{"predictions": [each._asdict() for each in rounded]}]


TASKS = {
    "pose": Task((".jpg",), "persons", _draw_poses, _pose_records),
    "segmentation": Task((".jpg", ".png"), None, _draw_classes, _class_shares),
    "classification": Task((), None, lambda *_: [], _predictions),
}


def detected(detector: Detector, timings: Timings) -> BoxSource:
    """Boxes of a detector as `predict_files` asks for them; notes the stage "detect"."""

    def boxes_for(key, image):
        start = time.perf_counter()
        [found] = detector([image])
        timings.add("detect", time.perf_counter() - start)
        return found

    return boxes_for


def predict_files(
    predictor: PosePredictor | SegmentationPredictor | ImageClassifier,
    paths: Iterable[Path],
    boxes_for: BoxSource | None,
    output: "PredictionFolder",
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Predicts pictures, reading ahead and writing behind in a thread each.

    A picture that cannot be read or has no boxes is noted in `output.failures`; the rest goes on.
    Memory does not grow with their number; of huge pictures fewer are under way.

    Args:
        predictor: of the task of `output`; its `timings` also get the stages read, draw and write.
        paths: the pictures, those that `output` was made for.
        boxes_for: where the boxes of persons come from; None for whole images.
        output: takes the results.
        advance: called once per picture done.
    """
    timings, card = predictor.timings, predictor.card

    def read(path):
        start = time.perf_counter()
        try:
            return path, read_image(path), timings.add("read", time.perf_counter() - start)
        except (OSError, ValueError) as error:
            return path, None, error

    def items():
        for path, image, error in ahead(read, paths, weigh=picture_bytes):
            try:
                if error:
                    raise error
                boxes = boxes_for(path, image) if boxes_for else ()
            except (OSError, ValueError) as reason:
                output.failures.append(str(reason))
                advance()
            else:
                yield (path, image, *boxes)

    def write(result):
        path, image, found = result
        start = time.perf_counter()
        pictures = output.draw(path, image, found, card)
        drawn = time.perf_counter()
        output.add(path, pictures, found, card)
        timings.add("draw", drawn - start)
        timings.add("write", time.perf_counter() - drawn)

    found = predictor.stream(items())
    with closing(ahead(write, found, weigh=lambda result: result[1].nbytes)) as results:
        for _ in results:
            advance()


class PredictionFolder:
    """The files of one prediction run: pictures, `results.json`, `timings.json`.

    Args:
        folder: for the files; made if it is not there.
        paths: the pictures to come.
        boxes: where their image ids come from, if anywhere.
        overwrite: replace earlier results.
        task: what becomes of the results.
        looks: keys of `inside.LOOKS`, folders with a picture per person; the poses need `inside`.
        tables: keys of `tables.WRITERS`, forms of `results.json`.

    Attributes:
        failures: a sentence for each picture that has no result.
        done: pictures written.
        records: entries of `results.json`, as JSON text.
        seconds: of whole phases, by name; "run" is what the network's share is taken of.

    Raises:
        OSError, ValueError: the folder cannot be used; see `prepare_folder`.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        paths: Sequence[Path],
        boxes: BoxFile | None = None,
        overwrite: bool = False,
        task: Task = TASKS["pose"],
        looks: Sequence[str] = (),
        tables: Sequence[str] = (),
    ):
        self.task, self.looks, self.tables = task, looks, tables
        self.names = dict(zip(paths, _names(paths), strict=True))
        targets = [name + suffix for name in self.names.values() for suffix in task.suffixes]
        targets += ["results.json", "timings.json", *looks, *(f"results.{t}" for t in tables)]
        self.folder = prepare_folder(folder, targets, paths, overwrite)
        for look in looks:
            prepare_folder(self.folder / look, ())
        self.ids = _image_ids(paths, boxes)
        counts = Counter(path.name for path in paths)
        self.labels = {p: p.name if counts[p.name] == 1 else p.as_posix() for p in paths}
        self.records, self.failures, self.seconds = [], [], {}
        self.done = 0

    def draw(self, path: Path, image: np.ndarray, result: object, card: Card) -> dict:
        """The pictures of one input, by the names of their files."""
        name = self.names[path]
        drawn = self.task.draw(image, result, card)
        pictures = {name + s: each for s, each in zip(self.task.suffixes, drawn, strict=True)}
        for look in self.looks:
            for number, pose in enumerate(result, 1):
                pictures[f"{look}/{name}-{number}.jpg"] = LOOKS[look](pose, card)
        return pictures

    def add(self, path: Path, pictures: dict, result: object, card: Card) -> None:
        """Writes the pictures of one input and keeps its records."""
        name = self.names[path]
        try:
            contents = {each: _encoded(picture, each) for each, picture in pictures.items()}
        except OSError as error:
            reason = f"cannot be drawn as JPEG ({error}); make it smaller."
            self.failures.append(f"{path}: {reason}")
            return
        for each, content in contents.items():
            with whole(self.folder / each) as part:
                part.write_bytes(content)
        # As text they take half the memory of as many small lists.
        label = {"file_name": self.labels[path]}
        records = self.task.records(name, self.ids[path], result, card)
        self.records += [json.dumps(label | record) for record in records]
        self.done += 1

    def finish(self, timings: Timings, card: Card) -> dict:
        """Writes the two json files and the tables; returns the content of `timings.json`."""
        with whole(self.folder / "results.json") as part:
            part.write_text("[{}]\n".format(",\n".join(self.records)), encoding="utf-8")
        for table in self.tables:
            records = [json.loads(text) for text in self.records]
            WRITERS[table](self.folder / f"results.{table}", records, card.keypoints.names)
        run = self.seconds["run"]
        network = timings.total("network") / run
        summary = {
            "pictures": self.done,
            **({self.task.counted: len(self.records)} if self.task.counted else {}),
            "failed": len(self.failures),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "network_share": round(network, 3),
            "stages": timings.summary(),
        }
        write_json(self.folder / "timings.json", summary, indent=1)
        return summary


def _encoded(picture, name):
    content = io.BytesIO()
    picture.save(content, **FORMATS[Path(name).suffix])
    return content.getvalue()


def _names(paths):
    """A name without suffix for each path, no two equal even where case does not count."""
    taken = set()
    for path in paths:
        name, copy = path.stem, 1
        while name.casefold() in taken:
            copy += 1
            name = f"{path.stem}-{copy}"
        taken.add(name.casefold())
        yield name


def _image_ids(paths, boxes):
    """COCO's ids where boxes or names tell them, else the smallest free numbers."""
    ids = {path: (boxes.image_id if boxes else coco_id)(path) for path in paths}
    taken = set(ids.values())
    free = (number for number in count(1) if number not in taken)
    return {path: next(free) if found is None else found for path, found in ids.items()}
