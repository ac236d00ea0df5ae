"""Pictures in, annotated pictures and COCO results out: what `hrnet-tf predict` does."""

import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

from hrnet_tf.draw import draw_poses
from hrnet_tf.files import prepare_folder, whole, write_json
from hrnet_tf.images import BoxFile, coco_id, read_image
from hrnet_tf.predict import BoxSource, Pose, PosePredictor, Timings, ahead, coco_result


def predict_files(
    predictor: PosePredictor,
    paths: Iterable[Path],
    boxes_for: BoxSource,
    output: "PredictionFolder",
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Predicts pictures, reading ahead and writing behind in a thread each.

    A picture that cannot be read or has no boxes is noted in `output.failures`; the rest goes on.

    Args:
        predictor: the network; its `timings` also receive the stages read, draw and write.
        paths: the pictures, those that `output` was made for.
        boxes_for: where the boxes come from.
        output: takes the results.
        advance: called once per picture done.
    """
    timings, keypoints = predictor.timings, predictor.card.keypoints

    def read(path):
        start = time.perf_counter()
        try:
            return path, read_image(path), timings.add("read", time.perf_counter() - start)
        except (OSError, ValueError) as error:
            return path, None, error

    def items():
        for path, image, error in ahead(read, paths):
            try:
                if error:
                    raise error
                boxes = boxes_for(path, image)
            except (OSError, ValueError) as reason:
                output.failures.append(str(reason))
                advance()
            else:
                yield (path, image, *(boxes or (None,)))

    def write(result):
        path, image, poses = result
        start = time.perf_counter()
        picture = draw_poses(image, poses, keypoints)
        drawn = time.perf_counter()
        output.add(path, picture, poses)
        timings.add("draw", drawn - start)
        timings.add("write", time.perf_counter() - drawn)

    with closing(ahead(write, predictor.stream(items()))) as results:
        for _ in results:
            advance()


class PredictionFolder:
    """The files of one prediction run: a `.jpg` per picture, `results.json`, `timings.json`.

    Attributes:
        failures: a sentence for each picture that has no result.
        done: pictures written.
        records: COCO results, one JSON text per person.
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
    ):
        self.pictures = dict(zip(paths, _names(paths), strict=True))
        targets = [*self.pictures.values(), "results.json", "timings.json"]
        self.folder = prepare_folder(folder, targets, paths, overwrite)
        self.ids = _image_ids(paths, boxes)
        counts = Counter(path.name for path in paths)
        self.labels = {p: p.name if counts[p.name] == 1 else p.as_posix() for p in paths}
        self.records, self.failures, self.seconds = [], [], {}
        self.done = 0

    def add(self, path: Path, picture: np.ndarray, poses: Sequence[Pose]) -> None:
        """Writes one picture and keeps the records of its persons."""
        jpeg = io.BytesIO()
        try:
            Image.fromarray(picture).save(jpeg, "JPEG", quality=92, subsampling=0)
        except OSError as error:
            reason = f"cannot be drawn as JPEG ({error}); make it smaller."
            self.failures.append(f"{path}: {reason}")
            return
        with whole(self.folder / self.pictures[path]) as part:
            part.write_bytes(jpeg.getvalue())
        # As text they take half the memory of as many small lists.
        name = {"file_name": self.labels[path]}
        records = [name | coco_result(self.ids[path], pose) for pose in poses]
        self.records += map(json.dumps, records)
        self.done += 1

    def finish(self, timings: Timings) -> dict:
        """Writes the two json files; returns the content of `timings.json`."""
        with whole(self.folder / "results.json") as part:
            part.write_text("[{}]\n".format(",\n".join(self.records)), encoding="utf-8")
        run = self.seconds["run"]
        network = timings.total("network") / run
        summary = {
            "pictures": self.done,
            "persons": len(self.records),
            "failed": len(self.failures),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "network_share": round(network, 3),
            "stages": timings.summary(),
        }
        write_json(self.folder / "timings.json", summary, indent=1)
        return summary


def _names(paths):
    """A .jpg name for each path, no two equal even where case does not count."""
    taken = set()
    for path in paths:
        name, copy = path.stem, 1
        while name.casefold() in taken:
            copy += 1
            name = f"{path.stem}-{copy}"
        taken.add(name.casefold())
        yield f"{name}.jpg"


def _image_ids(paths, boxes):
    """COCO's ids where boxes or names tell them, else the smallest free numbers."""
    ids = {path: (boxes.image_id if boxes else coco_id)(path) for path in paths}
    taken = set(ids.values())
    free = (number for number in count(1) if number not in taken)
    return {path: next(free) if found is None else found for path, found in ids.items()}
