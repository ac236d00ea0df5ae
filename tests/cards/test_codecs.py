"""Codecs against the originals, round trips in pixels, and the four places where they run."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import FIXTURES
from keras import ops

from hrnet_tf.cards.codecs import DARK, MSRA, UDP, Face, UDPCombined, merge_flipped
from hrnet_tf.cards.codecs.face import whole_pixels
from hrnet_tf.tasks.pose import geometry

INPUT = (256, 192)
CODECS = [MSRA(), DARK(), UDP(), UDPCombined(), Face()]
each_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


def as_array(tensor):
    return ops.convert_to_numpy(tensor)


def load(name):
    return np.load(FIXTURES / name / "data.npz")


def channels_last(maps):
    return np.moveaxis(maps.astype("float32"), -3, -1)


def channels_first(maps):
    return np.moveaxis(as_array(maps), -1, -3)


@pytest.fixture(scope="module")
def original():
    return load("heatmap_decode")


@pytest.fixture(scope="module")
def mmpose():
    return load("dark_udp_decode")


@pytest.fixture(scope="module")
def flip_pairs():
    meta = json.loads((FIXTURES / "heatmap_decode" / "meta.json").read_text())
    return meta["config"]["flip_pairs"]


def to_image(keypoints, original):
    matrices = geometry.affine(original["center"], 200 * original["scale"], INPUT)
    return as_array(geometry.transform(keypoints, geometry.invert(matrices)))


def test_quarter_offset_equals_get_final_preds(original):
    """In image pixels; holds empty maps and peaks on every kind of border."""
    keypoints, scores = MSRA().decode(channels_last(original["heatmaps"]))
    expected = original["final_preds"]
    np.testing.assert_allclose(to_image(keypoints, original), expected, atol=1e-3)
    np.testing.assert_array_equal(as_array(scores), original["maxvals"][..., 0])


@pytest.fixture(scope="module")
def faces():
    """The codec's keypoints of the fixture, in image pixels, and the fixture."""
    data = load("face_decode")
    keypoints, _ = Face().decode(channels_last(data["heatmaps"]))
    scales = 200 * np.stack([data["scale"], data["scale"]], axis=-1)
    matrices = geometry.affine(data["center"], scales, (128, 128))
    return as_array(geometry.transform(keypoints, geometry.invert(matrices))), data


def test_face_equals_decode_preds(faces):
    """To the pixel, but where the position before the cut is one: there the last bit decides."""
    points, data = faces
    difference = np.abs(whole_pixels(points) - data["preds"])
    tied = np.abs(points - np.round(points)) < 1e-4
    assert difference[~tied].max() == 0
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 0.01


def test_face_refines_all_but_the_border():
    """Between two pixels of the map, half a pixel further than MSRA, which leaves out two rows."""
    for peak, edge in ((30, False), (1, False), (62, False), (0, True), (63, True)):
        maps = np.zeros((1, 64, 64, 1), "float32")
        maps[0, 30, peak] = 1
        maps[0, 30, max(peak - 1, 0)] = maps[0, 30, peak] * (1 if peak == 0 else 0.5)
        (((x, y),),), _ = (as_array(each) for each in Face().decode(maps))
        assert (x, y) == (4 * (peak + (0.5 if edge else 0.25)), 4 * 30.5)


@pytest.mark.parametrize(("codec", "rounding"), [(Face, 0), (MSRA, 0.5)])
@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0])
def test_patches_lie_where_the_originals_draw_them(codec, rounding, sigma):
    """Their arithmetic, corner by corner; sigma 1.5 has patches of even size (COFW, WFLW).

    `generate_target` of both repositories, for joints anywhere in and around the crop.
    """
    positions = np.arange(-30, 290, 0.7)
    joints = np.stack([positions, positions[::-1]], axis=-1).astype("float32")
    maps = as_array(codec(sigma).encode(joints[None], np.ones((1, len(joints))), (256, 256))[0])
    for k, joint in enumerate(joints):
        axes = []
        for cell in (int(c / 4 + rounding) for c in joint):
            first, last = int(cell - 3 * sigma), int(cell + 3 * sigma + 1) - 1
            place = np.arange(64)
            bump = np.exp(-((place - first - int(6 * sigma + 1) // 2) ** 2) / (2 * sigma**2))
            axes.append(bump * (first <= place) * (place <= last))
        np.testing.assert_allclose(maps[0, :, :, k], np.outer(axes[1], axes[0]), atol=1e-6)


@pytest.mark.parametrize(("codec", "expected"), [(MSRA(), "shift"), (UDP(), "no_shift")])
def test_flip_merge_equals_flip_back(original, flip_pairs, codec, expected):
    maps, flipped = (channels_last(original[k]) for k in ("heatmaps", "heatmaps_flipped_net"))
    merged = channels_first(merge_flipped(maps, flipped, flip_pairs, codec))
    np.testing.assert_allclose(merged.ravel()[::7], original[f"flip_merged_{expected}"], atol=1e-6)


def test_flip_test_decodes_to_the_original_keypoints(original, flip_pairs):
    maps, flipped = (channels_last(original[k]) for k in ("heatmaps", "heatmaps_flipped_net"))
    keypoints, scores = MSRA().decode(merge_flipped(maps, flipped, flip_pairs, MSRA()))
    expected = original["flip_final_preds"]
    np.testing.assert_allclose(to_image(keypoints, original), expected, atol=1e-3)
    np.testing.assert_allclose(as_array(scores), original["flip_maxvals"][..., 0], atol=1e-6)


@pytest.mark.parametrize("kernel", [11, 17])
def test_dark_equals_mmpose(mmpose, kernel):
    keypoints, scores = DARK(blur_kernel=kernel).decode(channels_last(mmpose["heatmaps"]))
    np.testing.assert_allclose(as_array(keypoints), mmpose[f"kpts_dark_k{kernel}"], atol=1e-2)
    np.testing.assert_array_equal(as_array(scores), mmpose[f"scores_dark_k{kernel}"])


@pytest.mark.parametrize("name", ["udp_k11", "udp_k17", "udp_combined"])
def test_udp_equals_mmpose_in_the_image(mmpose, name):
    """The whole chain: our aligned inverse affine against mmpose's own way back to the image."""
    if name == "udp_combined":
        codec, maps = UDPCombined(), mmpose["combined_heatmaps"][None]
    else:
        codec, maps = UDP(blur_kernel=int(name[-2:])), mmpose["heatmaps"]
    keypoints, scores = codec.decode(channels_last(maps))
    np.testing.assert_allclose(as_array(scores), mmpose[f"scores_{name}"], atol=1e-6)

    # A box about as large as the crop, so that 1e-2 means the same in both.
    centers, scales = np.full((len(maps), 2), [310, 245]), np.full((len(maps), 2), [180, 240])
    matrices = geometry.affine(centers, scales, INPUT, aligned=True)
    ours = as_array(geometry.transform(keypoints, geometry.invert(matrices)))
    theirs = mmpose[f"kpts_{name}"] / [192, 256] * scales[:, None]
    theirs = theirs + centers[:, None] - 0.5 * scales[:, None]
    np.testing.assert_allclose(ours, theirs, atol=1e-2)


@pytest.mark.parametrize(("sigma", "size"), [(2, (256, 192)), (3, (384, 288))])
def test_targets_equal_generate_target(sigma, size):
    """Also outside the map, and for the joint whose patch ends just before it but keeps weight.

    Joint 9 of the first sample is that one.
    """
    data = load("targets")
    joints, visible = data[f"s{sigma}_joints"], data[f"s{sigma}_vis"]
    maps, weights = MSRA(sigma).encode(joints, visible, size)
    np.testing.assert_allclose(channels_first(maps), data[f"s{sigma}_target"], atol=1e-6)
    np.testing.assert_array_equal(as_array(weights), data[f"s{sigma}_weight"][..., 0])
    assert as_array(weights)[0, 9] == 1
    assert not as_array(maps)[0, :, :, 9].any()


@pytest.mark.parametrize(
    ("sigma", "size", "codec"),
    [(s, size, c(s)) for s, size in [(2, INPUT), (3, (384, 288))] for c in (MSRA, DARK, UDP)]
    + [(2, INPUT, UDPCombined())],
    ids=lambda value: getattr(value, "name", None),
)
def test_targets_equal_mmpose(sigma, size, codec):
    """Offsets of the combined target reach 18: there the last bit of float32 is 2e-6."""
    data = load("targets")
    joints, visible = data[f"s{sigma}_joints"][:1], data[f"s{sigma}_vis"][:1]
    maps, weights = codec.encode(joints, visible, size)
    expected = data[f"s{sigma}_mm_{codec.name}"]
    np.testing.assert_allclose(channels_first(maps)[0], expected, atol=1e-6, rtol=3e-7)
    np.testing.assert_array_equal(as_array(weights), data[f"s{sigma}_mm_{codec.name}_weight"])


def dark_by_hand(heatmap, taps):
    """DARK of one map as published: blur it whole, rescale, logarithm, one Newton step."""
    height, width = heatmap.shape
    blurred = heatmap.astype("float64")
    for axis in (0, 1):
        blurred = np.apply_along_axis(np.convolve, axis, blurred, taps, mode="same")
    log = np.log(np.maximum(blurred * heatmap.max() / blurred.max(), 1e-10))
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    if not (1 < x < width - 2 and 1 < y < height - 2):
        return 4 * np.array([x, y])
    dx, dy = (log[y, x + 1] - log[y, x - 1]) / 2, (log[y + 1, x] - log[y - 1, x]) / 2
    dxx = (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]) / 4
    dyy = (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]) / 4
    dxy = (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]) / 4
    return 4 * (np.array([x, y]) - np.linalg.solve([[dxx, dxy], [dxy, dyy]], [dx, dy]))


@pytest.mark.parametrize(
    ("kernel", "taps"),
    [
        (3, np.array([1, 2, 1]) / 4),  # OpenCV's fixed kernels, not the Gaussian of its formula
        (7, np.array([1, 3.5, 7, 9, 7, 3.5, 1]) / 32),
        (11, np.exp(-(np.arange(-5, 6) ** 2) / 8) / np.exp(-(np.arange(-5, 6) ** 2) / 8).sum()),
    ],
)
def test_dark_blurs_as_opencv_does_on_maps_with_two_people(kernel, taps):
    """The patch around the peak stands in for the whole map, next to a second, broader peak too."""
    rng = np.random.default_rng(1)
    points = rng.uniform(20, 170, (2, 4, 17, 2))
    peaks, _ = DARK().encode(points[0], np.ones((4, 17)), INPUT)
    others, _ = DARK(sigma=4.0).encode(points[1], np.ones((4, 17)), INPUT)
    maps = 0.5 * as_array(peaks) + 0.4 * as_array(others) + rng.uniform(0, 0.02, peaks.shape)
    expected = [[dark_by_hand(m, taps) for m in channels_first(maps)[n]] for n in range(4)]
    keypoints, _ = DARK(blur_kernel=kernel).decode(maps)
    np.testing.assert_allclose(as_array(keypoints), expected, atol=1e-2)


@each_codec
def test_a_map_without_a_positive_value_decodes_to_the_corner(codec):
    maps = np.zeros((2, 64, 48, codec.channels(17)), "float32")
    maps[1] = -1
    keypoints, scores = codec.decode(maps)
    assert not as_array(keypoints).any()
    np.testing.assert_allclose(as_array(scores), np.repeat([[0], [-1]], 17, axis=1), atol=1e-6)


def test_ties_go_to_the_first_pixel_in_reading_order():
    """As `numpy.argmax`: maps of quantised networks hold few different values."""
    maps = np.random.default_rng(2).integers(-3, 4, (3, 32, 24, 17)).astype("float32")
    flat = channels_first(maps).reshape(3, 17, -1).argmax(-1)
    expected = np.stack([flat % 24, flat // 24], axis=-1)
    keypoints = as_array(MSRA().decode(maps)[0]) / 4
    assert np.abs(keypoints - expected).max() <= 0.25


@pytest.mark.parametrize(
    ("codec", "inside", "border"),
    [
        (MSRA(2.0), 2.0, 3.0),  # half a heatmap pixel is lost in the target
        (MSRA(3.0), 2.0, 3.0),
        (Face(1.5), 2.5, 6.5),  # its cells are four pixels wide; a peak at the border moves
        (Face(1.0), 2.5, 2.5),
        (DARK(2.0, 11), 0.005, 3.0),
        (DARK(2.0, 3), 0.005, 3.0),
        (UDP(2.0, 11), 0.005, 4.5),  # the blur sees zeros beyond the border
        (UDPCombined(), 0.001, 0.001),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_round_trip(codec, inside, border):
    """decode(encode(k)) in crop pixels: more than 24 pixels inside, and anywhere in the crop."""
    rng = np.random.default_rng(3)
    keypoints = rng.uniform(0, [191, 255], (32, 17, 2))
    keypoints[0, :4] = [[0, 0], [191, 0], [0, 255], [191, 255]]
    maps, weights = codec.encode(keypoints, np.ones((32, 17)), INPUT)
    assert maps.shape == (32, 64, 48, codec.channels(17))
    assert as_array(weights).min() == 1
    error = np.abs(as_array(codec.decode(maps)[0]) - keypoints).max(axis=-1)
    margin = np.minimum(keypoints, [191, 255] - keypoints).min(axis=-1)
    assert error[margin >= 24].max() <= inside
    assert error.max() <= border


@each_codec
def test_invisible_keypoints_leave_no_trace(codec):
    """Weight 0 and an empty map, without touching the neighbours."""
    keypoints = np.random.default_rng(4).uniform(30, 160, (2, 5, 2))
    visible = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 1, 1]])
    maps, weights = codec.encode(keypoints, visible, INPUT)
    np.testing.assert_array_equal(as_array(weights), visible)
    per_joint = as_array(maps).reshape(2, 64, 48, 5, -1)
    np.testing.assert_array_equal(per_joint.any(axis=(1, 2, 4)), visible == 1)


@pytest.mark.parametrize("codec", [MSRA(), DARK(), UDP(), Face(2.0)], ids=lambda codec: codec.name)
def test_keypoints_out_of_reach_have_weight_zero(codec):
    keypoints = np.array([[[-40.0, 100], [100, 300], [250, 50], [-5, 100], [96, 128]]])
    maps, weights = codec.encode(keypoints, np.ones((1, 5)), INPUT)
    np.testing.assert_array_equal(as_array(weights), [[0, 0, 0, 1, 1]])
    np.testing.assert_array_equal(as_array(maps)[0].any(axis=(0, 1)), [0, 0, 0, 1, 1])


@pytest.mark.parametrize("codec", [UDP(), UDPCombined()], ids=lambda codec: codec.name)
def test_targets_of_the_mirrored_crop_merge_into_the_same_targets(codec):
    """Pairs trade places, columns turn round, offsets along x change sign."""
    keypoints = np.random.default_rng(5).uniform(0, 190, (3, 5, 2))
    mirrored = ([191, 0] + [-1, 1] * keypoints)[:, [0, 2, 1, 4, 3]]
    maps, _ = codec.encode(keypoints, np.ones((3, 5)), INPUT)
    flipped, _ = codec.encode(mirrored, np.ones((3, 5)), INPUT)
    merged = merge_flipped(maps, flipped, ((1, 2), (3, 4)), codec)
    np.testing.assert_allclose(as_array(merged), as_array(maps), atol=2e-5)


def test_face_targets_of_the_mirrored_crop_merge_without_a_shift():
    """Exact for whole crop pixels: the four of a cell mirror into the four of another."""
    keypoints = np.random.default_rng(5).integers(0, 192, (3, 5, 2))
    maps, _ = Face(1.0).encode(keypoints, np.ones((3, 5)), INPUT)
    flipped, _ = Face(1.0).encode(np.abs([191, 0] - keypoints), np.ones((3, 5)), INPUT)
    merged = merge_flipped(maps, flipped, (), Face(1.0))
    np.testing.assert_allclose(as_array(merged), as_array(maps), atol=1e-6)


@each_codec
def test_data_pipelines_give_the_eager_numbers(codec):
    """Graphs of unknown batch size; the last batch is smaller."""
    keypoints = np.random.default_rng(6).uniform(0, 190, (5, 17, 2)).astype("float32")
    visible = np.ones((5, 17), "float32")
    maps, weights = (as_array(x) for x in codec.encode(keypoints, visible, INPUT))
    expected = [as_array(x) for x in codec.decode(maps)]

    dataset = tf.data.Dataset.from_tensor_slices((keypoints, visible)).batch(3)
    dataset = dataset.map(lambda points, seen: codec.encode(points, seen, INPUT))
    for ours, theirs in zip((maps, weights), zip(*dataset, strict=True), strict=True):
        np.testing.assert_allclose(ours, np.concatenate(theirs), atol=1e-5)
    decoded = zip(*(codec.decode(batch) for batch, _ in dataset), strict=True)
    for ours, theirs in zip(expected, decoded, strict=True):
        np.testing.assert_allclose(ours, np.concatenate(theirs), atol=1e-3)


@each_codec
@pytest.mark.parametrize("joints", [1, 3, 5, 17])
def test_compiled_models_give_the_eager_numbers(codec, joints):
    """The flip test as the last layers of a model; one person first, 3 and 5 are patch sizes too.

    Keras turns some additions into biases, depending on the shapes.
    """
    rng = np.random.default_rng(7)
    keypoints = rng.uniform(0, 190, (2, 4, joints, 2))
    maps, flipped = (
        as_array(codec.encode(points, np.ones((4, joints)), INPUT)[0]) for points in keypoints
    )
    pairs = ((0, 1),) if joints > 1 else ()

    def read(maps, flipped):
        return codec.decode(merge_flipped(maps, flipped, pairs, codec))

    inputs = [keras.Input(maps.shape[1:]) for _ in range(2)]
    model = keras.Model(inputs, read(*inputs))
    for count in (1, 4):
        batch = [maps[:count], flipped[:count]]
        for ours, theirs in zip(read(*batch), model.predict_on_batch(batch), strict=True):
            np.testing.assert_allclose(as_array(ours), theirs, atol=1e-3)


JAX_RUN = """
import sys, numpy as np
from hrnet_tf.tasks.pose import geometry
from hrnet_tf.cards.codecs import DARK, MSRA, UDP, Face, UDPCombined, merge_flipped
data = np.load(sys.argv[1])
results = {"crop": geometry.crop(data["image"], data["matrices"], (64, 48))}
for codec in (MSRA(), DARK(), UDP(), UDPCombined(), Face()):
    maps, _ = codec.encode(data["keypoints"], data["visible"], (256, 192))
    merged = merge_flipped(maps, maps, ((1, 2),), codec)
    results |= {f"{codec.name}_maps": merged, f"{codec.name}_keypoints": codec.decode(maps)[0]}
np.savez(sys.argv[2], **{name: np.asarray(value) for name, value in results.items()})
"""


def test_jax_gives_the_numbers_of_tensorflow(tmp_path):
    """Encode, merge, decode and crop on both backends, each in its own process."""
    pytest.importorskip("jax", reason="jax is not installed")
    rng = np.random.default_rng(8)
    np.savez(
        tmp_path / "data.npz",
        image=rng.integers(0, 256, (90, 120, 3)).astype("uint8"),
        matrices=as_array(geometry.affine([[50, 40], [60, 50]], [[60, 80], [90, 120]], (64, 48))),
        keypoints=rng.uniform(0, 190, (4, 17, 2)),
        visible=np.ones((4, 17)),
    )
    for backend in ("jax", "tensorflow"):
        files = [str(tmp_path / "data.npz"), str(tmp_path / f"{backend}.npz")]
        env = {**os.environ, "KERAS_BACKEND": backend}
        subprocess.run([sys.executable, "-c", JAX_RUN, *files], check=True, env=env)
    ours, theirs = (np.load(tmp_path / f"{name}.npz") for name in ("jax", "tensorflow"))
    assert np.abs(ours["crop"] - theirs["crop"]).max() <= 1
    for name in set(theirs) - {"crop"}:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-3, err_msg=name)


@pytest.mark.parametrize("codec", [DARK, UDP])
def test_a_blur_without_a_centre_is_refused(codec):
    with pytest.raises(ValueError, match=r"`blur_kernel` must be an odd .* blur_kernel=4"):
        codec(blur_kernel=4)
