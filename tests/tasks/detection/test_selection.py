"""Selection against mmdetection's numbers, in NumPy and compiled by TensorFlow."""

import keras
import numpy as np
import pytest

from hrnet_tf.tasks.detection.anchors import anchors, anchors_at, base_anchors, points
from hrnet_tf.tasks.detection.deltas import STAGE_STDS, clip, decode, encode, from_distances
from hrnet_tf.tasks.detection.fcos import candidates
from hrnet_tf.tasks.detection.masks import encoded, paste
from hrnet_tf.tasks.detection.nms import class_nms, nms
from hrnet_tf.tasks.detection.proposals import proposals

from golden import rule
from places import FIXTURES

BACKENDS = ["numpy"]
if keras.backend.backend() == "tensorflow":
    BACKENDS.append("tensorflow")
STDS = dict(zip(("rpn", "rcnn", "s2", "s3"), ((1, 1, 1, 1), *STAGE_STDS), strict=True))


def fixture(name):
    return np.load(FIXTURES / name / "data.npz")


@pytest.fixture(params=BACKENDS)
def run(request):
    """Calls a function of arrays in NumPy, or compiled, with sizes that the graph does not know."""
    if request.param == "numpy":
        return lambda function, *arrays: function(*arrays)
    import tensorflow as tf

    def call(function, *arrays):
        def open_axes(x):  # rows of boxes, or height and width of maps
            known = x.shape[1:] if x.ndim == 2 else x.shape[2:]
            return tf.TensorSpec([None] * (x.ndim - len(known)) + [*known], x.dtype)

        signature = keras.tree.map_structure(open_axes, arrays)
        found = tf.function(function, input_signature=signature)(*arrays)
        return keras.tree.map_structure(lambda x: x.numpy(), found)

    return call


def test_anchors_and_points():
    data = fixture("det_anchors")
    for level, size in enumerate(data["sizes"]):
        stride = 4 * 2**level
        np.testing.assert_allclose(base_anchors(stride), data["base_anchors"][level], atol=1e-3)
        found = anchors(*size, stride)
        np.testing.assert_allclose(found, data[f"anchors{level}"], atol=1e-3)
        found = anchors(*size, stride, "inclusive")
        np.testing.assert_array_equal(found, data[f"legacy{level}"])
        np.testing.assert_array_equal(points(*size, 2 * stride), data[f"points{level}"])


def test_anchors_of_a_compiled_function(run):
    index = np.arange(30)
    found = run(lambda i: anchors_at(i, 5, 8), index)
    np.testing.assert_array_equal(found, anchors(2, 5, 8))


@pytest.mark.parametrize("stage", STDS)
def test_deltas(run, stage):
    data, stds = fixture("det_delta_coder"), STDS[stage]
    size = data["max_shape"]
    for prefix, geometry in (("", "continuous"), ("legacy_", "inclusive")):
        found = run(
            lambda a, b, stds=stds, g=geometry: encode(a, b, stds, g), data["priors"], data["gt"]
        )
        np.testing.assert_allclose(found, data[f"{prefix}encode_{stage}"], atol=2e-4, rtol=2e-5)
        found = run(
            lambda a, b, stds=stds, g=geometry: clip(decode(a, b, stds, g), size, g),
            data["priors"],
            data["deltas"],
        )
        np.testing.assert_allclose(found, data[f"{prefix}decode_{stage}"], atol=1e-3)
    found = run(lambda a, b: decode(a, b, stds), data["priors"], data["deltas"])
    np.testing.assert_allclose(found, data[f"decode_noclip_{stage}"], atol=1e-3, rtol=1e-6)
    found = run(lambda a, b: decode(a, b, stds), data["priors"], data["deltas3"])
    found = np.stack([clip(each, size) for each in found.reshape(-1, 3, 4)])
    np.testing.assert_allclose(found.reshape(-1, 12), data[f"decode3_{stage}"], atol=1e-3)


def test_boxes_from_distances(run):
    data = fixture("det_delta_coder")
    found = run(from_distances, data["points"], data["distances"])
    found = clip(found, data["max_shape"])
    np.testing.assert_allclose(found, data["points_decode"], atol=1e-3)


@pytest.mark.parametrize("threshold", [0.5, 0.7])
@pytest.mark.parametrize("geometry", ["continuous", "inclusive"])
def test_nms(run, threshold, geometry):
    data = fixture("det_nms")
    name = f"keep_{threshold}" + ("_legacy" if geometry == "inclusive" else "")
    found = run(lambda b, s: nms(b, s, threshold, geometry), data["boxes"], data["scores"])
    np.testing.assert_array_equal(found, data[name])
    found = run(lambda b, s: nms(b, s, threshold, geometry, 20), data["boxes"], data["scores"])
    np.testing.assert_array_equal(found, data[name][:20])


@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_nms_of_each_class(run, threshold):
    data = fixture("det_nms")
    arrays = data["boxes"], data["scores"], data["ids"]
    found = run(lambda b, s, c: class_nms(b, s, c, threshold), *arrays)
    np.testing.assert_array_equal(found, data[f"batched_keep_{threshold}"])


def test_nms_of_thousands_of_boxes(run):
    """More than a block; TensorFlow's own kernel is the reference, and equal scores keep order."""
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 1000, (3000, 2))
    boxes = np.float32(np.hstack([corner, corner + rng.uniform(8, 200, (3000, 2))]))
    scores, classes = np.float32(rng.integers(0, 50, 3000) / 50), rng.integers(0, 80, 3000)
    slow = []
    for i in np.argsort(-scores, kind="stable"):
        side = np.minimum(boxes[i, 2:], boxes[slow, 2:]) - np.maximum(boxes[i, :2], boxes[slow, :2])
        shared = np.maximum(side, 0).prod(axis=1)
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        if not (shared > 0.5 * (area[i] + area[slow] - shared)).any():
            slow.append(i)
    np.testing.assert_array_equal(run(lambda b, s: nms(b, s, 0.5), boxes, scores), slow)
    each = [
        np.flatnonzero(classes == c)[nms(boxes[classes == c], scores[classes == c], 0.5)]
        for c in range(80)
    ]
    found = run(lambda b, s, c: class_nms(b, s, c, 0.5), boxes, scores, classes)
    assert set(found) == set(np.concatenate(each))
    assert (np.diff(scores[found]) <= 0).all()


def test_nms_without_boxes(run):
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    assert run(lambda b, s, c: class_nms(b, s, c, 0.5), *none).shape == (0,)
    assert run(lambda b, s: nms(b, s, 0.5), *none[:2]).shape == (0,)


def rpn_maps(sizes):
    name = "det_rpn_proposals/shared/"
    return [
        (
            rule.model_input(f"{name}cls{i}", (1, 3, h, w))[0].transpose(1, 2, 0) * np.float32(1.5),
            rule.model_input(f"{name}reg{i}", (1, 12, h, w))[0].transpose(1, 2, 0)
            * np.float32(0.25),
        )
        for i, (h, w) in enumerate(sizes.tolist())
    ]


@pytest.mark.parametrize(
    "case, settings",
    [
        ("default", {}),
        ("small", {"per_level": 200, "most": 150}),
        ("minsize", {"per_level": 200, "most": 150, "min_size": 12}),
        ("train_cascade", {"per_level": 2000, "most": 2000}),
        ("legacy_small", {"per_level": 200, "most": 150, "geometry": "inclusive"}),
    ],
)
def test_proposals(run, case, settings):
    data = fixture("det_rpn_proposals")
    legacy, name = ("legacy_", case[7:]) if case.startswith("legacy") else ("", case)
    size = tuple(data["img_shape"].tolist())
    boxes, scores = run(lambda maps: proposals(maps, size, **settings), rpn_maps(data["sizes"]))
    np.testing.assert_allclose(boxes, data[f"{legacy}boxes_{name}"], atol=1e-3)
    np.testing.assert_allclose(scores, data[f"{legacy}scores_{name}"], atol=1e-5)


@pytest.mark.parametrize("case, most, final", [("predict", 1000, 100), ("predict_small", 60, 30)])
def test_fcos(run, case, most, final):
    data, name = fixture("det_fcos"), "det_fcos/shared/"

    def make(kind, channels, level, size):
        made = rule.model_input(f"{name}{kind}{level}", (3, channels, *size))
        return made[0].transpose(1, 2, 0)

    maps = [
        (
            make("cls", 9, i, size) * np.float32(1.2) - np.float32(2.5),
            make("reg", 4, i, size) * np.float32(0.5) + np.float32(2.3 + 0.69 * i),
            make("ctr", 1, i, size),
        )
        for i, size in enumerate(data["sizes"].tolist())
    ]

    def predict(maps):
        found = [candidates(each, 8 * 2**i, (153, 197), 0.05, most) for i, each in enumerate(maps)]
        xp = np if isinstance(found[0][0], np.ndarray) else keras.ops
        boxes, scores, classes = (xp.concatenate(each) for each in zip(*found, strict=True))
        boxes = boxes / np.float32([1.25, 1.2, 1.25, 1.2])
        kept = class_nms(boxes, scores, classes, 0.5, most=final)
        return tuple(xp.take(each, kept, axis=0) for each in (boxes, scores, classes))

    boxes, scores, classes = run(predict, maps)
    np.testing.assert_allclose(boxes, data[f"{case}_boxes"], atol=1e-3)
    np.testing.assert_allclose(scores, data[f"{case}_scores"], atol=1e-5)
    np.testing.assert_array_equal(classes, data[f"{case}_labels"])


def test_fcos_of_mmdetection_1_chooses_points(run):
    """The best points by score times centerness, and then their classes above the threshold."""
    rng = np.random.default_rng(0)
    logits, distances, centers = (
        np.float32(rng.normal(size=(6, 7, channels))) for channels in (3, 4, 1)
    )
    function = lambda maps: candidates(maps, 8, (48, 56), 0.5, 10, "inclusive")  # noqa: E731
    boxes, scores, classes = run(function, (logits, distances, centers))
    odds, center = (1 / (1 + np.exp(-x.reshape(42, -1))) for x in (logits, centers))
    points = np.argsort(-(odds * center).max(axis=1), kind="stable")[:10]
    wanted = [(p, c) for p in points for c in range(3) if odds[p, c] > 0.5]
    assert classes.tolist() == [c for _, c in wanted] and len(wanted) > 10
    np.testing.assert_allclose(scores, [odds[p, c] * center[p, 0] for p, c in wanted], rtol=1e-5)
    sides = np.exp(distances.reshape(42, 4))
    where = [(8 * (p % 7) + 4, 8 * (p // 7) + 4) for p, _ in wanted]
    right = [min(x + sides[p, 2], 55) for (x, _), (p, _) in zip(where, wanted, strict=True)]
    np.testing.assert_allclose(boxes[:, 2], right, rtol=1e-5)


def unpacked(masks, width):
    return np.unpackbits(masks, axis=-1)[..., :width].astype(bool)


@pytest.mark.parametrize("geometry", ["continuous", "inclusive"])
def test_masks(run, geometry):
    from pycocotools import mask as coco_mask

    data = fixture("det_mask_paste")
    legacy = "legacy_" if geometry == "inclusive" else ""
    size = tuple(data["image"].tolist())
    logits = np.float32(data["logits"])[np.arange(12), data["labels"]]
    probabilities = 1 / (1 + np.exp(-logits))
    boxes = data[legacy + "boxes"] / np.tile(data["scale_factor"], 2)
    wanted = unpacked(data[legacy + "masks"], size[1])
    found = run(lambda m, b: paste(m, b, size, geometry), probabilities, boxes)
    np.testing.assert_array_equal(found, wanted)
    runs = encoded(probabilities, boxes, size, geometry)
    np.testing.assert_array_equal(coco_mask.decode(list(runs)).transpose(2, 0, 1), wanted)


def test_masks_at_the_borders_and_without_area():
    from pycocotools import mask as coco_mask

    ones, size = np.ones((7, 28, 28), np.float32), (40, 30)
    boxes = np.float32(
        [
            [0, 0, 30, 40],
            [-20, -20, 60, 80],
            [5, 5, 5, 20],
            [3, 4, 4, 5],
            [10, 0, 20, 40],
            [100, 100, 120, 120],
            [-50, -50, -40, -40],
        ]
    )
    for geometry in ("continuous", "inclusive"):
        dense = paste(ones, boxes, size, geometry)
        runs = coco_mask.decode(list(encoded(ones, boxes, size, geometry)))
        np.testing.assert_array_equal(runs.transpose(2, 0, 1), dense)
        assert dense[0].all() and dense[1].all() and not dense[5:].any()
    assert not paste(ones, boxes, size)[2].any()
    assert paste(ones, boxes, size)[3].sum() == 1
