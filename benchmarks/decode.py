"""What decoding heatmaps costs: `python benchmarks/decode.py`.

Prints the milliseconds of a plain NumPy loop over persons and joints (quarter offset, as in the
original), of our codecs called eagerly on what a network returns, and of the same codecs as the
last layers of a compiled model. Ratios are to the loop of the same round, then the median is taken.
"""

import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from hrnet_tf.cards.codecs import DARK, MSRA, UDP

SHAPE = (128, 64, 48, 17)
ROUNDS = 15


def draw_maps():
    """Gaussian peaks over noise, (B, H, W, K) float32."""
    rng = np.random.default_rng(0)
    batch, height, width, joints = SHAPE
    keypoints = rng.uniform(0, (4 * width, 4 * height), (batch, joints, 2))
    maps, _ = DARK().encode(keypoints, np.ones((batch, joints)), (4 * height, 4 * width))
    noise = rng.normal(0, 0.02, SHAPE).astype("float32")
    return rng.uniform(0.2, 1, (batch, 1, 1, joints)).astype("float32") * maps + noise


def loop(heatmaps):
    """Quarter-offset decoding, one joint at a time."""
    batch, height, width, joints = heatmaps.shape
    keypoints = np.zeros((batch, joints, 2), np.float32)
    scores = np.zeros((batch, joints), np.float32)
    for n in range(batch):
        for k in range(joints):
            heatmap = heatmaps[n, :, :, k]
            y, x = divmod(int(heatmap.argmax()), width)
            scores[n, k] = heatmap[y, x]
            if scores[n, k] <= 0:
                continue
            keypoints[n, k] = x, y
            if 1 < x < width - 1 and 1 < y < height - 1:
                dx = heatmap[y, x + 1] - heatmap[y, x - 1]
                dy = heatmap[y + 1, x] - heatmap[y - 1, x]
                keypoints[n, k] += 0.25 * np.sign((dx, dy))
    return 4 * keypoints, scores


def compiled(codec, maps):
    """`codec.decode` as a compiled function of heatmaps, warm."""
    inputs = keras.Input(SHAPE[1:])
    model = keras.Model(inputs, codec.decode(inputs))
    model.predict_on_batch(maps)
    return model.predict_on_batch


def milliseconds(function, maps):
    start = time.perf_counter()
    function(maps)[0].shape  # noqa: B018 (the result is there: eager operations have run)
    return 1e3 * (time.perf_counter() - start)


def main():
    maps = keras.ops.convert_to_tensor(draw_maps())
    array = keras.ops.convert_to_numpy(maps)
    ours = {"MSRA": MSRA(), "DARK": DARK(), "UDP": UDP()}
    runs = {f"{name} eager": codec.decode for name, codec in ours.items()}
    runs |= {f"{name} in a model": compiled(codec, maps) for name, codec in ours.items()}
    np.testing.assert_allclose(runs["MSRA eager"](maps)[0], loop(array)[0])

    times = {name: [] for name in ("loop", *runs)}
    for _ in range(ROUNDS + 1):
        times["loop"].append(milliseconds(loop, array))
        for name, run in runs.items():
            times[name].append(milliseconds(run, maps))
    base = times["loop"][1:]
    for name, values in times.items():
        values = values[1:]
        ratio = statistics.median(b / v for b, v in zip(base, values, strict=True))
        print(f"{name:16s} {statistics.median(values):7.2f} ms   {ratio:5.2f} x the loop's speed")


if __name__ == "__main__":
    main()
