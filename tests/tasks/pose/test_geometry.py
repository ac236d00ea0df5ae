"""Boxes, affine matrices and crops against the original, and what no golden number covers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import FIXTURES
from keras import ops

from hrnet_tf.tasks.pose import geometry

OUTPUT = (64, 48)


def as_array(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.fixture(scope="module")
def fixture():
    return np.load(FIXTURES / "affine_crop" / "data.npz")


@pytest.fixture(scope="module")
def regions(fixture):
    """Centres and sizes in pixels, rotations, and the centres moved by the shift of each case."""
    cases = fixture["cases"]
    centers, scales, rotation, shift = np.split(cases, [2, 4, 5], axis=1)
    return centers, 200 * scales, rotation[:, 0], centers + 200 * scales * shift


def test_matrix_equals_the_three_point_construction(fixture, regions):
    """`get_affine_transform` and its inverse; the shift moves the centre."""
    _, scales, rotation, shifted = regions
    matrices = geometry.affine(shifted, scales, OUTPUT, rotation)
    np.testing.assert_allclose(as_array(matrices), fixture["matrix"], atol=1e-4)
    inverse = as_array(geometry.invert(matrices))
    np.testing.assert_allclose(inverse, fixture["matrix_inv"], atol=1e-4)


def test_aligned_matrix_equals_udp(fixture, regions):
    """`get_udp_warp_matrix`, whose rotation turns the other way."""
    centers, scales, rotation, _ = regions
    matrices = geometry.affine(centers, scales, OUTPUT, rotation, aligned=True)
    np.testing.assert_allclose(as_array(matrices), fixture["udp_matrix"], atol=1e-4)


def test_points_map_there_and_back(fixture, regions):
    """`affine_transform`, and `transform_preds` from heatmap to image pixels."""
    centers, scales, _, _ = regions
    points = np.repeat(fixture["points"][None], len(centers), axis=0)
    mapped = as_array(geometry.transform(points, fixture["matrix"]))
    np.testing.assert_allclose(mapped, fixture["points_transformed"], atol=1e-3)

    points = np.repeat(fixture["heatmap_points"][None], len(centers), axis=0)
    back = geometry.invert(geometry.affine(centers, scales, OUTPUT))
    mapped = as_array(geometry.transform(points, back))
    np.testing.assert_allclose(mapped, fixture["heatmap_points_back"], atol=1e-3)


@pytest.mark.parametrize("aligned", [False, True])
def test_crops_equal_opencv(fixture, regions, aligned):
    """OpenCV 5 `warpAffine`: at most one grey level off, on at most 0.1 % of the values."""
    centers, scales, rotation, shifted = regions
    centers = centers if aligned else shifted
    matrices = geometry.affine(centers, scales, OUTPUT, rotation, aligned=aligned)
    crops = as_array(geometry.crop(fixture["image"], matrices, OUTPUT))
    error = np.abs(crops - fixture["udp_crop_opencv5" if aligned else "crop_opencv5"])
    assert error.max() <= 1
    assert np.mean(error > 0) <= 1e-3


def test_boxes_grow_to_the_aspect_ratio_and_then_by_the_padding():
    boxes = [[10, 20, 100, 40], [10, 20, 30, 400], [0, 0, 75, 100]]
    centers, scales = geometry.center_scale(boxes, 0.75)
    np.testing.assert_allclose(as_array(centers), [[60, 40], [25, 220], [37.5, 50]])
    expected = 1.25 * np.array([[100, 100 / 0.75], [300, 400], [75, 100]])
    np.testing.assert_allclose(as_array(scales), expected, rtol=1e-6)


def test_zeros_lie_outside_the_image():
    """The last row and column keep their full weight, the next pixel is 0."""
    image = np.full((5, 7, 3), 200, np.uint8)
    shift = np.array([[[1, 0, 2], [0, 1, 1]]], "float32")
    expected = np.zeros((8, 11, 3), "float32")
    expected[1:6, 2:9] = 200
    np.testing.assert_array_equal(as_array(geometry.crop(image, shift, (8, 11)))[0], expected)

    half = np.array([[[1, 0, 0.5], [0, 1, 0]]], "float32")
    row = as_array(geometry.crop(image, half, (5, 9)))[0, 0, :, 0]
    np.testing.assert_array_equal(row, [100, *[200] * 6, 100, 0])


@pytest.mark.parametrize("aligned", [False, True])
def test_upright_crops_equal_crops_to_the_bit(aligned):
    """Prediction crops in NumPy what training and SavedModels crop in TensorFlow."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        image = rng.integers(0, 256, (*rng.integers(1, 90, 2), 3)).astype("uint8")
        corners, sides = rng.uniform(-60, 100, (3, 2)), rng.uniform(0, 200, (3, 2))
        boxes = np.concatenate([corners, sides ** rng.choice([0.1, 1, 2])], axis=1)
        boxes = np.concatenate([boxes, [[4, 5, 0, 0], [1e6, 1e6, 10, 10]]])
        regions = geometry.center_scale(boxes, 0.75)
        matrices = geometry.affine(*regions, OUTPUT, aligned=aligned)
        expected = as_array(geometry.crop(image, matrices, OUTPUT))
        found = geometry.crop_upright(image, as_array(geometry.invert(matrices)), OUTPUT)
        np.testing.assert_array_equal(found, expected)


def test_an_upright_crop_whose_numbers_overflow_is_black():
    image = np.full((5, 7, 3), 200, np.uint8)
    matrices = geometry.affine(*geometry.center_scale([[1e38, -3e38, 3e38, 3e38]], 0.75), (8, 6))
    inverses = as_array(geometry.invert(matrices))
    assert not geometry.crop_upright(image, inverses, (8, 6)).any()


def test_empty_boxes_and_boxes_far_away_give_finite_crops():
    image = np.full((20, 30, 3), 9, np.uint8)
    boxes = [[4, 5, 0, 0], [1e6, 1e6, 10, 10], [-500, -500, 20, 20]]
    matrices = geometry.affine(*geometry.center_scale(boxes, 0.75), OUTPUT)
    crops = as_array(geometry.crop(image, matrices, OUTPUT))
    assert (crops[0] == 9).all()
    assert not crops[1:].any()


def test_crops_in_a_graph_of_unknown_sizes_equal_eager_ones():
    """One `tf.data` pipeline serves images of every size and any number of boxes."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3)).astype("uint8") for size in [(40, 60), (91, 33)]]
    boxes = [rng.uniform(5, 30, (count, 4)).astype("float32") for count in (1, 3)]

    def cut(image, boxes):
        centers, scales = geometry.center_scale(boxes, 0.75)
        return geometry.crop(image, geometry.affine(centers, scales, OUTPUT, 30.0), OUTPUT)

    signature = (tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((None, 4)))
    dataset = tf.data.Dataset.from_generator(
        lambda: zip(images, boxes, strict=True), output_signature=signature
    )
    for crops, image, some in zip(dataset.map(cut), images, boxes, strict=True):
        assert crops.shape == (len(some), *OUTPUT, 3)
        one_by_one = [as_array(cut(image, box[None]))[0] for box in some]
        assert np.abs(crops - np.stack(one_by_one)).max() <= 1


def test_everything_is_float32_whatever_comes_in():
    """Float64 boxes and annotations must not make float64 graphs."""
    boxes = np.array([[1, 2, 30, 40]])
    matrices = geometry.affine(*geometry.center_scale(boxes, 0.75), OUTPUT, rotation=np.float64(5))
    points = geometry.transform(np.zeros((1, 2, 2)), geometry.invert(matrices))
    crops = geometry.crop(np.zeros((9, 9, 3), np.uint8), matrices, OUTPUT)
    dtypes = {keras.backend.standardize_dtype(x.dtype) for x in (matrices, points, crops)}
    assert dtypes == {"float32"}
