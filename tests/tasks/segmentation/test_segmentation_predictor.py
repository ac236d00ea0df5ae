"""Segmentation by the originals' rules, against a plain re-statement of them on planted logits."""

import math

import keras
import numpy as np
import pytest

import hrnet_tf
from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.files import write_card
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.media.resize import resize
from hrnet_tf.tasks.segmentation.predictor import SegmentationPredictor
from hrnet_tf.tasks.segmentation.sizes import scaled_size

from model_contract import copy_weights

CLASSES = 5
MIX = np.random.default_rng(5).normal(0, 0.6, (3, CLASSES)).astype(np.float32)


def card(**settings):
    names = tuple("abcdefg"[:CLASSES])
    return SegmentationCard(classes=names, palette=((0, 0, 0),) * CLASSES, **settings)


def photo(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def planted(images):
    """Logits at stride 4 that depend on the colours and on the place inside the crop."""
    batch, height, width, _ = images.shape
    height, width = math.ceil(height / 4), math.ceil(width / 4)
    maps = images[:, ::4, ::4] @ MIX
    y, x = np.indices((height, width), np.float32)
    maps[..., 0] += 0.11 * y
    maps[..., 1] += 0.07 * x
    maps[..., 2] -= 0.02 * x * y / (width + height)
    return np.broadcast_to(maps, (batch, height, width, CLASSES))


# The rules again, as the original code spells them out.


def interpolation(old, new, align_corners):
    """(new, old) matrix of `torch.nn.functional.interpolate`, mode bilinear, for one axis."""
    matrix = np.zeros((new, old))
    for i in range(new):
        if align_corners:
            place = i * (old - 1) / (new - 1) if new > 1 else 0.0
        else:
            place = max((i + 0.5) * old / new - 0.5, 0.0)
        low = int(place)
        high = min(low + 1, old - 1)
        matrix[i, low] += 1 - (place - low)
        matrix[i, high] += place - low
    return matrix


def interpolate(maps, size, align_corners):
    down = interpolation(maps.shape[0], size[0], align_corners)
    across = interpolation(maps.shape[1], size[1], align_corners)
    return np.einsum("ih,jw,hwc->ijc", down, across, maps)


def pad(image, size, color):
    padded = np.tile(np.asarray(color, np.float64), (*size, 1))
    padded[: image.shape[0], : image.shape[1]] = image
    return padded


def inference(image, flip, card):
    def logits(image):
        found = planted(image[None].astype(np.float32))[0]
        return interpolate(found, image.shape[:2], card.align_corners)

    total = logits(image)
    if flip:
        mirrored = logits(image[:, ::-1])[:, ::-1]
        total = (total + mirrored[..., list(card.flip_index)]) * 0.5
    return np.exp(total)


def scaled(image, scale):
    """Normalised, then resized: the longer side times the scale, rounded half up."""
    image = (image / 255.0 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    height, width, _ = image.shape
    longest = int(max(height, width) * scale + 0.5)
    size = (
        (longest, int(width * longest / height + 0.5))
        if height > width
        else (int(height * longest / width + 0.5), longest)
    )
    return interpolate(image, size, False)


def base_dataset(image, crop, scales, flip, card):
    total = 0
    for scale in scales:
        small = scaled(image, scale)
        height, width, _ = small.shape
        black = -np.array([0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        small = pad(small, (max(height, crop[0]), max(width, crop[1])), black)
        tall, wide, _ = small.shape
        strides = int(crop[0] * 2.0 / 3.0), int(crop[1] * 2.0 / 3.0)
        scores, count = np.zeros((tall, wide, CLASSES)), np.zeros((tall, wide, 1))
        for row in range(math.ceil((tall - crop[0]) / strides[0]) + 1):
            for column in range(math.ceil((wide - crop[1]) / strides[1]) + 1):
                top, left = row * strides[0], column * strides[1]
                bottom, right = min(top + crop[0], tall), min(left + crop[1], wide)
                window = pad(small[top:bottom, left:right], crop, black)
                found = inference(window, flip, card)
                scores[top:bottom, left:right] += found[: bottom - top, : right - left]
                count[top:bottom, left:right] += 1
        scores = (scores / count)[:height, :width]
        total = total + interpolate(scores, image.shape[:2], card.align_corners)
    return total


def cityscapes(image, crop, scales, flip, card):
    def whole(image):
        height, width, _ = image.shape
        size = math.ceil(height / 32) * 32, math.ceil(width / 32) * 32
        return inference(pad(image, size, (0, 0, 0)), flip, card)[:height, :width]

    total = 0
    for scale in scales:
        small = scaled(image, scale)
        height, width, _ = small.shape
        if scale <= 1:
            scores = whole(small)
        else:
            scores, count = np.zeros((height, width, CLASSES)), np.zeros((height, width, 1))
            for row in range(math.ceil((height - crop[0]) / crop[0]) + 1):
                for column in range(math.ceil((width - crop[1]) / crop[1]) + 1):
                    bottom = min(row * crop[0] + crop[0], height)
                    right = min(column * crop[1] + crop[1], width)
                    top, left = max(bottom - crop[0], 0), max(right - crop[1], 0)
                    part = np.s_[top:bottom, left:right]
                    scores[part] += whole(small[part])
                    count[part] += 1
            scores = scores / count
        total = total + interpolate(scores, image.shape[:2], card.align_corners)
    return total


class Fixed:
    """A network that tells its size, like a Keras model."""

    def __init__(self, size):
        self.input_shape = (None, *size, 3)
        self.size = size

    def __call__(self, images):
        assert images.shape[1:3] == self.size
        return planted(images)


PAIRS = {"flip_pairs": ((1, 2), (3, 4))}


@pytest.mark.parametrize("settings", [{}, {"align_corners": True}, PAIRS], ids=str)
@pytest.mark.parametrize(
    ("size", "scales", "flip"),
    [
        ((100, 150), (1.0,), False),
        ((100, 150), (1.0,), True),
        ((97, 61), (0.5, 1.25), True),
        ((40, 30), (1.0, 1.5), False),
        ((30, 120), (1.0,), True),
    ],
)
def test_windows_are_those_of_base_dataset(size, scales, flip, settings):
    """Stride two thirds, the last windows padded with black, scores averaged, images joined."""
    image, crop = photo(*size), (48, 64)
    predictor = SegmentationPredictor(Fixed(crop), card(**settings), scales=scales, flip=flip)
    expected = base_dataset(image, crop, scales, flip, predictor.card)
    np.testing.assert_allclose(predictor.scores(image), expected, rtol=2e-4)
    np.testing.assert_array_equal(predictor(image), expected.argmax(axis=-1))


@pytest.mark.parametrize("settings", [{}, {"align_corners": True}, PAIRS], ids=str)
@pytest.mark.parametrize(
    ("size", "scales", "flip"),
    [
        ((100, 150), (1.0,), False),
        ((64, 96), (0.5, 1.0, 1.75), True),
        ((50, 20), (1.25, 2.0), True),
    ],
)
def test_scales_are_those_of_cityscapes(size, scales, flip, settings):
    """The whole image up to scale 1, above it windows side by side, the last ones shifted back."""
    image, window = photo(*size, seed=1), (64, 96)
    predictor = SegmentationPredictor(
        planted, card(**settings), scales=scales, flip=flip, window=window, stride=1
    )
    expected = cityscapes(image, window, scales, flip, predictor.card)
    np.testing.assert_allclose(predictor.scores(image), expected, rtol=2e-4)
    np.testing.assert_array_equal(predictor(image), expected.argmax(axis=-1))


def test_windows_show_in_nothing_that_looks_at_single_pixels():
    """Seams, offsets or a wrong count would: here windows and whole image must agree exactly."""

    def pointwise(images):
        return images @ MIX

    def fixed(images):
        return pointwise(images)

    fixed.input_shape = (None, 24, 40, 3)
    image = photo(70, 90, seed=2)
    for flip in (False, True):
        whole = SegmentationPredictor(pointwise, card(), flip=flip).scores(image)
        for stride in (1 / 3, 2 / 3, 1):
            tiled = SegmentationPredictor(fixed, card(), flip=flip, stride=stride).scores(image)
            np.testing.assert_allclose(tiled, whole, rtol=1e-5)


def test_the_mirrored_image_exchanges_left_and_right():
    """A network that calls the left half of what it sees class 1, the right half class 2."""

    def halves(images):
        logits = np.zeros((*images.shape[:3], CLASSES), np.float32)
        middle = images.shape[2] // 2
        logits[:, :, :middle, 1] = 1
        logits[:, :, middle:, 2] = 1
        return logits

    image = photo(32, 64)
    expected = np.repeat([1, 2], 32)[None].repeat(32, axis=0)
    swapped = SegmentationPredictor(halves, card(flip_pairs=((1, 2),)), flip=True)
    np.testing.assert_array_equal(swapped(image), expected)
    unswapped = SegmentationPredictor(halves, card(), flip=True).scores(image)
    np.testing.assert_allclose(unswapped[..., 1], unswapped[..., 2])


@pytest.mark.parametrize(
    ("rule", "size", "scale", "expected"),
    [
        (("none", None), (300, 400), 1, (300, 400)),
        (("none", None), (301, 400), 0.5, (151, 200)),
        (("long", 520), (300, 400), 1, (390, 520)),
        (("long", 520), (400, 300), 0.5, (260, 195)),
        (("short", 512), (300, 400), 1, (512, 683)),
        (("short", 512), (400, 300), 1, (683, 512)),
        (("both", 473), (300, 400), 1, (473, 473)),
        (("long", 8), (3, 4000), 1, (1, 8)),
    ],
)
def test_the_card_decides_the_size_at_scale_one(rule, size, scale, expected):
    resize, base_size = rule
    assert scaled_size(size, card(resize=resize, base_size=base_size), scale) == expected


def test_a_resized_image_comes_back_at_its_own_size():
    image = np.zeros((60, 100, 3), np.uint8)
    image[:, 50:] = 255

    def bright(images):
        """Class 0 is dark, class 1 bright."""
        light = images.mean(axis=-1)
        return np.stack([-light, light, *[np.full_like(light, -9)] * 3], axis=-1)

    labels = SegmentationPredictor(bright, card(resize="both", base_size=64))(image)
    assert labels.shape == (60, 100)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, image[..., 0] // 255)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("sizes", [((7, 5), (28, 9)), ((9, 8), (3, 8)), ((1, 1), (4, 3))], ids=str)
def test_resize_is_bilinear_interpolation_whole_or_by_rows(sizes, align_corners):
    old, new = sizes
    maps = np.random.default_rng(3).normal(size=(*old, 2)).astype(np.float32)
    ours = resize(maps, new, align_corners)
    np.testing.assert_allclose(ours, interpolate(maps, new, align_corners), atol=1e-6)
    rows = range(1, new[0])
    np.testing.assert_array_equal(resize(maps, new, align_corners, rows), ours[1:])


def test_more_than_256_classes_need_wider_indices():
    many = SegmentationCard(classes=("x",) * 300, palette=((0, 0, 0),) * 300)

    def last(images):
        return np.broadcast_to(np.arange(300, dtype=np.float32) / 9, (*images.shape[:3], 300))

    labels = SegmentationPredictor(last, many)(photo(32, 32))
    assert labels.dtype == np.uint16
    assert (labels == 299).all()


@pytest.fixture(scope="module")
def spec():
    return hrnet_tf.SPECS["w18_small_v1"]


def test_networks_of_every_form_agree(spec, tmp_path):
    """Of fixed and dynamic size, with OCR's two outputs, with logits at full size, from a file."""
    keras.utils.set_random_seed(0)
    image = photo(64, 96, seed=4)
    model = hrnet_tf.networks.segmentation.segmentation(spec, CLASSES, (64, 96, 3))
    scores = SegmentationPredictor(model, card()).scores(image)

    dynamic = hrnet_tf.networks.segmentation.segmentation(spec, CLASSES, (None, None, 3))
    copy_weights(model, dynamic)
    predictor = SegmentationPredictor(dynamic, card())
    np.testing.assert_allclose(predictor.scores(image), scores, rtol=1e-3)
    assert predictor(photo(50, 70)).shape == (50, 70)

    full = hrnet_tf.networks.segmentation.segmentation(spec, CLASSES, (64, 96, 3), full_size=True)
    copy_weights(model, full)
    np.testing.assert_allclose(SegmentationPredictor(full, card()).scores(image), scores, rtol=1e-3)

    model.save(tmp_path / "x.keras")
    write_card(tmp_path / "x.keras", card())
    np.testing.assert_allclose(
        SegmentationPredictor(tmp_path / "x.keras").scores(image), scores, rtol=1e-3
    )


def test_of_two_outputs_the_logits_count():
    image = keras.Input((32, 32, 3))
    outputs = {
        "aux": keras.layers.Conv2D(CLASSES, 4, 4)(image),
        "logits": keras.layers.Conv2D(CLASSES, 4, 4)(image),
    }
    model = keras.Model(image, outputs)
    main = keras.Model(image, outputs["logits"])
    scores = [SegmentationPredictor(each, card()).scores(photo(40, 50)) for each in (model, main)]
    np.testing.assert_allclose(*scores, rtol=1e-5)


def test_stream_keeps_order_and_times_each_stage():
    predictor = SegmentationPredictor(planted, card())
    items = [(number, photo(32, 40, number)) for number in range(3)]
    found = list(predictor.stream(items))
    assert [key for key, _, _ in found] == [0, 1, 2]
    for (_, image), (_, passed, labels) in zip(items, found, strict=True):
        np.testing.assert_array_equal(passed, image)
        np.testing.assert_array_equal(labels, predictor(image))
    assert {"resize", "network", "decode"} == set(predictor.timings.summary())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scales": ()}, "`scales` must be"),
        ({"scales": (1, 0)}, r"scales=\(1, 0\)"),
        ({"stride": 0}, "stride=0"),
        ({"card": PoseCard()}, "must be a network for segmentation.*says pose"),
        ({"card": ClassificationCard()}, "says classification"),
        ({"card": None}, "unless they are Cityscapes' 19 classes"),
        ({"model": "nobody.keras"}, "no such file"),
    ],
)
def test_what_cannot_work_is_refused_at_once(arguments, said):
    with pytest.raises((ValueError, OSError), match=said):
        SegmentationPredictor(**{"model": planted, "card": card()} | arguments)


def test_a_model_of_other_classes_is_refused_before_it_runs():
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, keras.layers.Conv2D(7, 4, 4)(image))
    with pytest.raises(ValueError, match=r"logits \(B, h, w, 5\) for 5 classes.*8, 8, 7"):
        SegmentationPredictor(model, card())


@pytest.mark.parametrize("logit", [np.nan, np.inf, 100.0])
def test_logits_that_overflow_are_an_error_not_a_map(logit):
    def broken(images):
        return np.full((*images.shape[:3], CLASSES), logit, np.float32)

    with pytest.raises(ValueError, match="not finite or above 88"):
        SegmentationPredictor(broken, card())(photo(32, 32))


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), "u1")]
)
def test_images_of_another_kind_are_refused(image):
    with pytest.raises(ValueError, match="`image` must be"):
        SegmentationPredictor(planted, card())(image)
