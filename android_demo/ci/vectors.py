"""Writes what Python computes, for the Kotlin tests: crops, decoded heat maps, people followed.

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
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoint_sets import COCO
from hrnet_tf.runtime.converted import quantize
from hrnet_tf.tasks.pose import geometry
from hrnet_tf.tasks.pose.predictor import Pose
from hrnet_tf.tasks.pose.track import Tracker, Tracking

FOLDER = Path(__file__).parents[1] / "core/src/golden/resources/vectors"
TURNS = (0, 90, 180, 270)
SIZE = (32, 24)  # of the crops: height, width
UNIT = 2.0**-14  # of the heat maps in the file
INPUT = {"dtype": np.int8, "quantization": (0.0187, -3)}
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
    for name, content in (("crops", crops()), ("decoded", decoded()), ("followed", followed())):
        text = json.dumps(content, separators=(",", ":"))
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
    print(f"Wrote {FOLDER}.")
