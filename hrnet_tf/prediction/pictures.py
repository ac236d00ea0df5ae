"""Predicts picture files and writes annotated pictures and results, for `hrnet-tf predict`."""

import contextlib
import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

import numpy as np

from hrnet_tf.cards.card import Card
from hrnet_tf.files import distinct, prepare_folder, short, whole, write_json
from hrnet_tf.media.find import coco_id
from hrnet_tf.media.images import picture_bytes, read_image
from hrnet_tf.tasks.streaming import Timings, ahead
from hrnet_tf.tasks.task import BoxSource, ImageIds, Item, Predictor, Task

JOURNAL = "unfinished.jsonl"
FORMATS = {
    ".jpg": {"format": "JPEG", "quality": 92, "subsampling": 0},
    ".png": {"format": "PNG"},
}


def predict_files(
    predictor: Predictor,
    paths: Iterable[Path],
    boxes_for: BoxSource | None,
    output: "PredictionFolder",
    advance: Callable[[], None] = lambda: None,
    read_picture: Callable[[Path], np.ndarray] | None = None,
) -> None:
    """Predicts pictures; one thread reads the next pictures, another writes finished ones.

    A picture that cannot be read or has no boxes gets a sentence in `output.failures`, and the
    other pictures are processed. Memory does not grow with the number of pictures; of huge ones
    fewer are in memory at a time.

    Args:
        predictor: a predictor of the task of `output`; its `timings` also get the stages read,
            draw and write.
        paths: the pictures that `output` was made for.
        boxes_for: finds the boxes of a picture; None for whole images.
        output: draws and writes the results.
        advance: called once per finished picture.
        read_picture: gives the pixels (H, W, 3) that the boxes are of; `read_image` if None.
    """
    timings, card = predictor.timings, predictor.card

    def read(path):
        start = time.perf_counter()
        try:
            return (
                path,
                (read_picture or read_image)(path),
                timings.add("read", time.perf_counter() - start),
            )
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
                yield Item(path, image, *boxes)

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
        folder: folder for the files; it is created if it does not exist.
        paths: the pictures that will be predicted.
        task: draws the results and turns them into records.
        boxes: knows the image ids of pictures; None if they have no given ids.
        overwrite: replace earlier results.
        files: further files to write: keys of the task's `tables` and `views`. For views, the
            predictor needs the task's `view_options`.
        drawing: settings of the task's `draw`.
        settings: all that results depend on. If a run with the same settings was killed in this
            folder, its results are kept, and `remaining` has only the other pictures.

    Attributes:
        remaining: the pictures that are not done yet.
        failures: a sentence for each picture that has no result.
        done: number of pictures written.
        records: entries of `results.json`, as JSON text.
        seconds: duration of whole phases, by name; the caller sets "run", of which the network's
            share is computed.

    Raises:
        OSError, ValueError: the folder cannot be used; see `prepare_folder`.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        paths: Sequence[Path],
        task: Task,
        boxes: ImageIds | None = None,
        overwrite: bool = False,
        files: Sequence[str] = (),
        drawing: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
    ):
        self.task, self.drawing = task, drawing or {}
        self.tables = {name: write for name, write in task.tables.items() if name in files}
        self.views = dict(view for name, view in task.views.items() if name in files)
        self.names = dict(zip(paths, distinct(short(path.stem) for path in paths), strict=True))
        targets = [name + suffix for name in self.names.values() for suffix in task.suffixes]
        targets += ["results.json", "timings.json", *self.views]
        targets += [f"results.{table}" for table in self.tables]
        self.journal = _Journal(Path(folder) / JOURNAL, settings, overwrite)
        overwrite = overwrite or bool(self.journal.earlier)
        self.folder = prepare_folder(folder, targets, paths, overwrite)
        for view in self.views:
            prepare_folder(self.folder / view, ())
        self.ids = _image_ids(paths, boxes)
        counts = Counter(path.name for path in paths)
        self.labels = {p: p.name if counts[p.name] == 1 else p.as_posix() for p in paths}
        self.failures, self.seconds = [], {}
        earlier = {path: self.journal.earlier.get(str(path)) for path in paths}
        self.remaining = [path for path in paths if earlier[path] is None]
        self.records = [text for texts in earlier.values() for text in texts or ()]
        self.done = len(paths) - len(self.remaining)

    def draw(self, path: Path, image: np.ndarray, result: object, card: Card) -> dict:
        """Draws the pictures of one input; returns them by the names of their files."""
        name = self.names[path]
        drawn = self.task.draw(image, result, card, **self.drawing)
        pictures = {name + s: each for s, each in zip(self.task.suffixes, drawn, strict=True)}
        for view, show in self.views.items():
            for number, each in enumerate(result, 1):
                pictures[f"{view}/{name}-{number}.jpg"] = show(each, card)
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
        # JSON text takes half the memory of the records' small lists.
        label = {"file_name": self.labels[path]}
        records = self.task.records(name, self.ids[path], result, card)
        records = [json.dumps(label | record) for record in records]
        self.journal.add(path, records)
        self.records += records
        self.done += 1

    def finish(self, timings: Timings, card: Card) -> dict:
        """Writes both JSON files and the tables; returns the content of `timings.json`."""
        with whole(self.folder / "results.json") as part:
            part.write_text("[{}]\n".format(",\n".join(self.records)), encoding="utf-8")
        for table, write in self.tables.items():
            records = [json.loads(text) for text in self.records]
            write(self.folder / f"results.{table}", records, card.labels())
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
        self.journal.close(finished=self.done + len(self.failures) >= len(self.names))
        return summary


class _Journal:
    """Which pictures of a run are done, with their records; it outlives a run that is killed.

    Attributes:
        earlier: path -> JSON texts of the records, of an earlier run with the same settings.
    """

    def __init__(self, path, settings, overwrite):
        self.path, self.settings, self.file, self.earlier = path, settings, None, {}
        if settings is None or overwrite or not path.is_file():
            return
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            first, *lines = path.read_text(encoding="utf-8").splitlines()
            if first == json.dumps(settings):
                # A killed run may have left half a line at the end.
                for line in lines:
                    done = json.loads(line)
                    self.earlier[done["path"]] = done["records"]

    def add(self, path, records):
        if self.settings is None:
            return
        if self.file is None:
            kept = [{"path": p, "records": r} for p, r in self.earlier.items()]
            text = "\n".join(map(json.dumps, [self.settings, *kept])) + "\n"
            with whole(self.path) as part:
                part.write_text(text, encoding="utf-8")
            self.file = open(self.path, "ab", buffering=0)  # noqa: SIM115
        line = json.dumps({"path": str(path), "records": records}) + "\n"
        with contextlib.suppress(OSError):  # a full disk: the picture will be done again
            self.file.write(line.encode())

    def close(self, finished):
        if self.file:
            self.file.close()
        if finished:
            self.path.unlink(missing_ok=True)


def _encoded(picture, name):
    content = io.BytesIO()
    picture.save(content, **FORMATS[Path(name).suffix])
    return content.getvalue()


def _image_ids(paths, boxes):
    """The image id of each path: from `boxes` or a COCO file name, or the smallest free number."""
    ids = {path: (boxes.image_id if boxes else coco_id)(path) for path in paths}
    taken = set(ids.values())
    free = (number for number in count(1) if number not in taken)
    return {path: next(free) if found is None else found for path, found in ids.items()}
