"""Writes what Python computes for the Kotlin tests: crops, decoded maps, boxes, people followed.

    python android_demo/ci/vectors.py

The files land in `core/src/golden/resources/vectors` and are committed; tests/test_android.py
checks that they are what Python computes today.
"""

import base64
import dataclasses
import json
from pathlib import Path

import numpy as np
from keras import ops

from hrnet_tf.cards.codecs import DARK, MSRA, UDP, Face, UDPCombined
from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoint_sets import COCO
from hrnet_tf.runtime.converted import dequantize, quantize
from hrnet_tf.tasks.detection.predictor import DetectionPredictor
from hrnet_tf.tasks.pose import geometry
from hrnet_tf.tasks.pose.predictor import Pose
from hrnet_tf.tasks.pose.track import Tracker, Tracking

FOLDER = Path(__file__).parents[1] / "core/src/golden/resources/vectors"
TURNS = (0, 90, 180, 270)
SIZE = (32, 24)  # of the crops: height, width
UNIT = 2.0**-14  # of the heat maps in the file
INPUT = {"dtype": np.int8, "quantization": (0.0187, -3)}
DETECTORS = (  # of one class and floats, of several and integers
    DetectionCard(
        head="fcos_lite", classes=("person",), category_ids=(1,), sides=(96, 64), most=8, nms=0.4
    ),
    DetectionCard(classes=("cat", "person", "owl"), category_ids=(3, 1, 2), sides=(90, 90)),
)
DETECTOR_SIZE = (64, 96)
LEAST = 0.3  # score of a box
CODECS = (
    MSRA(),
    Face(),
    DARK(),
    DARK(blur_kernel=3),
    UDP(),
    UDPCombined(radius_factor=0.1, blur_kernel=3),
)
BOXES = {
    "inside": (11.3, 6.2, 19.5, 24.1),
    "wide": (4.0, 14.0, 30.0, 9.0),
    "partly outside": (-9.7, 21.4, 33.2, 40.6),
    "larger than the frame": (-20.0, -31.0, 100.0, 120.0),
    "outside": (90.0, 90.0, 10.0, 12.0),
    "empty": (20.0, 20.0, 0.0, 0.0),
}


def packed(values: np.ndarray) -> str:
    """Numbers in little-endian order as base64."""
    values = np.ascontiguousarray(values)
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()


def card_json(
    card: PoseCard, input_tensor: dict | None = None, size: tuple[int, int] = SIZE
) -> dict:
    """A card as `convert/` writes it beside a `.tflite` file."""
    dtype, (scale, zero) = (np.float32, (1.0, 0))
    if input_tensor:
        dtype, (scale, zero) = input_tensor["dtype"], input_tensor["quantization"]
    maps = (1, size[0] // 4, size[1] // 4, card.outputs()["heatmaps"][-1])
    tensors = {
        "input": {
            "shape": (1, *size, 3),
            "dtype": np.dtype(dtype).name,
            "scale": scale,
            "zero_point": zero,
        },
        "output": {"shape": maps, "dtype": "float32", "scale": 1.0, "zero_point": 0},
    }
    return json.loads(card.to_json()) | tensors


def picture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Soft colours with some hard edges, (height, width, 3) uint8."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / a + y / b + c) for a, b, c in rng.uniform(3, 9, (3, 3))]
    image = 128 + 90 * np.stack(waves, -1)
    image[(x // 9 + y // 7) % 3 == 0] *= 0.6
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def crops() -> dict:
    """Frames as a camera gives them, boxes upright; crops and inputs, float and int8."""
    rng = np.random.default_rng(6)
    frame = picture(rng, 42, 50)
    cases = []
    cards = {False: PoseCard(), True: PoseCard(codec=UDP(), padding=1.1)}
    sides = [(turn, mirrored) for turn in TURNS for mirrored in (False, True)]
    for index, (turn, mirrored) in enumerate(sides):
        upright = np.rot90(frame, -turn // 90)
        upright = upright[:, ::-1] if mirrored else upright
        for name in BOXES if turn in (0, 90) else list(BOXES)[index % 2 : 3]:
            card = cards[aligned := (index + len(name)) % 2 == 1]
            regions = geometry.center_scale([BOXES[name]], SIZE[1] / SIZE[0], card.padding)
            matrix = geometry.affine(*regions, SIZE, aligned=aligned)
            crop = ops.convert_to_numpy(geometry.crop(upright, matrix, SIZE))[0]
            inputs = ops.convert_to_numpy(card.normalize(crop))
            corners = np.array([[[0, 0], [SIZE[1] - 1, SIZE[0] - 1]]], "float32")
            case = {"name": name, "box": BOXES[name], "rotation": turn, "mirrored": mirrored}
            case["aligned"] = aligned
            back = ops.convert_to_numpy(geometry.transform(corners, geometry.invert(matrix)))
            case["corners"] = back.ravel().tolist()
            case["crop"] = packed(crop.astype(np.uint8))
            if len(cases) % 5 == 0:
                case["floats"] = packed(inputs)
                case["bytes"] = packed(quantize(inputs, INPUT))
            cases.append(case)
    cards = [[card_json(cards[k], tensor) for tensor in (None, INPUT)] for k in (False, True)]
    return {
        "width": frame.shape[1],
        "height": frame.shape[0],
        "rgb": packed(frame),
        "cards": cards,
        "cases": cases,
    }


def decoded() -> dict:
    """Heat maps of every codec: peaks everywhere, ties, empty and negative maps, noise."""
    rng = np.random.default_rng(7)
    height, width = 24, 18
    peaks = np.concatenate(
        [
            rng.uniform(4, [width * 4 - 8, height * 4 - 8], (6, 2)),
            [[0, 0], [width * 4 - 1, height * 4 - 1], [5, 40], [30.5, 3], [-3, 20]],
        ]
    ).astype("float32")
    count = len(peaks) + 3
    cases = []
    for codec in CODECS:
        maps, _ = codec.encode(peaks[None], np.ones((1, len(peaks))), (height * 4, width * 4))
        maps = ops.convert_to_numpy(maps)
        step = codec.channels(1)
        maps = 0.9 * maps + rng.uniform(0, 0.02, maps.shape).astype("float32")
        extra = np.zeros((*maps.shape[:3], 3 * step), "float32")
        extra[..., step : 2 * step] = -0.1
        extra[0, 10, 7, 2 * step :] = extra[0, 12, 9, 2 * step :] = 0.5  # the first one counts
        maps = np.concatenate([maps, extra], -1).astype("float32")
        # Sixteen bits are enough for the file; both sides read the same numbers.
        bits = np.round(maps / UNIT).astype(np.int16)
        maps = bits.astype("float32") * np.float32(UNIT)
        points, scores = map(ops.convert_to_numpy, codec.decode(maps))
        cases.append(
            {
                "codec": {"name": codec.name, **dataclasses.asdict(codec)},
                "maps": packed(bits),
                "points": points.ravel().tolist(),
                "scores": scores.ravel().tolist(),
            }
        )
    return {"height": height, "width": width, "count": count, "unit": UNIT, "cases": cases}


class Answers:
    """A `Network` that keeps what it is given and answers maps."""

    def __init__(self, maps):
        self.inputs, self.outputs = {"image": (*DETECTOR_SIZE, 3)}, None
        self.maps, self.seen = maps, None

    def __call__(self, arrays):
        self.seen = arrays["image"][0]
        return self.maps


def detector_maps(rng: np.random.Generator, card: DetectionCard, integers: bool) -> tuple:
    """Maps of a detector: the numbers of the file, facts of the tensors, and what they stand for.

    Integers of 8 bits make ties.
    """
    packs, facts, floats = {}, [], {}
    for name, (*_, channels) in card.outputs().items():
        kind, level = name.split("_P")
        shape = tuple(-(-side // 2 ** int(level)) for side in DETECTOR_SIZE)
        mean = {"class_logits": -0.5, "log_distances": 1.5 + 0.3 * int(level), "centerness": 1.0}
        values = rng.normal(mean[kind], 1.0, (1, *shape, channels))
        if kind == "log_distances":
            values[0, 0, 0] = -9, 30, 2, 2  # at once inside and far outside
        scale, zero = (0.061, -7) if integers else (UNIT * 16, 0)
        tensor = {"dtype": np.int8 if integers else np.int16, "quantization": (scale, zero)}
        numbers = quantize(values, tensor)
        packs[name] = packed(numbers)
        floats[name] = dequantize(numbers, tensor)
        if not integers:
            scale, zero = 1.0, 0
        dtype = "int8" if integers else "float32"
        fact = {"name": name, "shape": (1, *shape, channels), "dtype": dtype}
        facts.append(fact | {"scale": scale, "zero_point": zero})
    return packs, facts, floats


def detected() -> dict:
    """Frames fitted into the input of a detector, and the people that its maps mean."""
    rng = np.random.default_rng(9)
    frame, cases, cards = picture(rng, 74, 130), [], []
    for index, card in enumerate(DETECTORS):
        integers = index == 1
        scale, zero = INPUT["quantization"] if integers else (1.0, 0)
        image = {"name": "image", "shape": (1, *DETECTOR_SIZE, 3), "scale": scale}
        image |= {"dtype": "int8" if integers else "float32", "zero_point": zero}
        for turn in TURNS:
            mirrored = turn in (90, 180)
            upright = np.rot90(frame, -turn // 90)
            upright = upright[:, ::-1] if mirrored else upright
            maps, facts, floats = detector_maps(rng, card, integers)
            network = Answers(floats)
            predictor = DetectionPredictor(network, card, None, LEAST, ("person",))
            found = predictor(np.ascontiguousarray(upright))
            case = {"card": index, "rotation": turn, "mirrored": mirrored, "maps": maps}
            case |= {"boxes": found.boxes.ravel().tolist(), "scores": found.scores.tolist()}
            given = np.float32(network.seen)
            if integers or turn == 90:
                case["input"] = packed(quantize(given, INPUT) if integers else given)
            cases.append(case)
        output, *others = sorted(facts, key=lambda each: each["name"])
        tensors = {"input": image, "output": output, "other_outputs": others}
        cards.append(json.loads(card.to_json()) | tensors)
    facts = {"width": frame.shape[1], "height": frame.shape[0], "rgb": packed(frame)}
    return facts | {"unit": UNIT * 16, "least": LEAST, "cards": cards, "cases": cases}


def followed() -> dict:
    """A person who walks, waves, is lost, comes back elsewhere and leaves, frame by frame."""
    rng = np.random.default_rng(8)
    size = (240, 320)
    tracker = Tracker(COCO.sigmas, Tracking(forget=Tracking().coast))
    body = rng.uniform(0, 1, (17, 2)) * [50, 120]
    frames, time = [], 0.0
    for index in range(150):
        time += float(rng.choice([1 / 30, 1 / 15, 0.05]))
        boxes, whole = tracker.boxes(time, size), False
        if len(boxes) == 0:
            boxes, whole = tracker.boxes(time, size, [(0, 0, size[1], size[0])]), True
        points = body + np.array([20 + 60 * time, 60 + 10 * np.sin(time)])
        points[9] += 25 * np.array([np.sin(9 * time), np.cos(9 * time)])
        points[:, 0] -= 110 * (index >= 75)  # somewhere else when found again
        points += rng.normal(0, 1.2, points.shape)
        scores = rng.uniform(0.15, 0.95, 17)
        scores[rng.uniform(size=17) < 0.15] = 0.1
        if 40 <= index < 48 or 58 <= index < 75 or index >= 135:
            scores *= 0.2
        points, scores = (np.round(v, 3).astype("float32") for v in (points, scores))
        poses = tracker.update([Pose(points, scores, boxes[0], 1.0)], time, whole)
        frames.append(
            {
                "time": time,
                "box": boxes[0].tolist(),
                "points": [round(float(v), 3) for v in points.ravel()],
                "scores": [round(float(v), 3) for v in scores],
                "smooth": poses[0].keypoints.ravel().tolist() if poses else None,
            }
        )
    return {"size": size, "sigmas": COCO.sigmas, "frames": frames}


def write(folder: Path = FOLDER) -> None:
    """The files of vectors."""
    folder.mkdir(parents=True, exist_ok=True)
    for function in (crops, decoded, detected, followed):
        name, content = function.__name__, function()
        text = json.dumps(content, separators=(",", ":"))
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
    print(f"Wrote {FOLDER}.")
