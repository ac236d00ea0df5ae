"""`PosePredictor`: joints land on their pixels, whatever the boxes, batches and codecs."""

import functools
import logging
import weakref

import keras
import numpy as np
import pytest

from hrnet_tf.cards.codecs import DARK, MSRA, UDP, UDPCombined
from hrnet_tf.cards.files import write_card
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoint_sets import AP10K, COCO
from hrnet_tf.opening import open_network
from hrnet_tf.tasks import streaming
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.tasks.streaming import ahead

INPUT = (128, 96)
LEFTS = {left for left, _ in COCO.flip_pairs}
RIGHTS = {right for _, right in COCO.flip_pairs}


def spots(*points, shape=(240, 320)):
    """A black image with soft white spots at (x, y): what the fake network looks for."""
    y, x = np.indices(shape)
    light = np.zeros(shape)
    for px, py in points:
        light += np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 9.0**2))
    return np.repeat(np.uint8(np.clip(255 * light, 0, 255))[..., None], 3, axis=-1)


def spot_network(crops, aligned=False):
    """Every heat map is the light of the crop, 0 to 1, where the codec expects its pixels."""
    light = (crops.mean(axis=-1) - BLACK) / (WHITE - BLACK)
    for axis in (1, 2):
        size = light.shape[axis]
        places = np.linspace(0, size - 1, size // 4) if aligned else np.arange(0, size, 4)
        low, share = places.astype(int), places % 1
        high = np.minimum(low + 1, size - 1)
        share = share[:, None] if axis == 1 else share
        light = light.take(low, axis) * (1 - share) + light.take(high, axis) * share
    return np.repeat(np.float32(light)[..., None], len(COCO.names), axis=-1)


def sided_network(crops, aligned=False):
    """Finds left joints at the spot further right, right ones at the other, as on a person's front.

    It does so in a mirrored crop too, where the spot is the other one: like a real network.
    """
    maps = spot_network(crops, aligned)
    ramp = np.linspace(0, 1, maps.shape[2], dtype=np.float32)[None, None, :]
    for joint in range(maps.shape[-1]):
        if joint in LEFTS | RIGHTS:
            maps[..., joint] *= ramp if joint in LEFTS else 1 - ramp
    return maps


BLACK, WHITE = (
    float(np.mean(PoseCard().normalize(np.full((1, 3), level, np.float32)))) for level in (0, 255)
)


def predictor(network=spot_network, codec=None, **settings):
    card = PoseCard(codec=codec or DARK())
    if network in (spot_network, sided_network):
        network = functools.partial(network, aligned=card.codec.aligned)
    return PosePredictor(network, card, input_size=INPUT, **settings)


@pytest.mark.parametrize(
    ("codec", "tolerance"), [(MSRA(), 0.3), (DARK(), 0.04), (UDP(), 0.04)], ids=lambda v: str(v)
)
@pytest.mark.parametrize(
    "box",
    [(100, 60, 90, 140), (120, 90, 300, 120), (-80, -90, 300, 300), (60, 100, 150, 250), None],
    ids=["inside", "right edge", "top left", "bottom", "whole image"],
)
def test_joints_land_on_their_pixels(codec, tolerance, box):
    """Through crop, network, codec and back, also from boxes that leave the image."""
    [pose] = predictor(codec=codec)(spots((140, 121)), None if box is None else [box])
    cell = max(pose.box[2], 0.75 * pose.box[3]) * 1.25 / 24  # a heat-map pixel in the image
    assert np.abs(pose.keypoints - [140, 121]).max() < tolerance * cell
    assert pose.scores.min() > 0.5
    assert tuple(pose.box) == (box or (0, 0, 320, 240))


def test_each_person_of_each_image_gets_its_own_pose():
    """Crops of several images share a batch and still go back to where they came from."""
    places = {"a": [(60, 50), (250, 180)], "b": [], "c": [(200, 60)], "d": [(50, 200), (280, 40)]}
    items = [
        (key, spots(*points), [(x - 30, y - 40, 60, 80) for x, y in points])
        for key, points in places.items()
    ]
    found = list(predictor(batch_size=3).stream(items))
    assert [key for key, _, _ in found] == list(places)
    for key, image, poses in found:
        assert image is dict((k, i) for k, i, _ in items)[key]
        assert len(poses) == len(places[key])
        for pose, point in zip(poses, places[key], strict=True):
            assert np.abs(pose.keypoints - point).max() < 0.3


def test_of_large_images_the_next_waits_until_one_is_done(monkeypatch):
    """A huge picture takes hundreds of megabytes."""
    monkeypatch.setattr(streaming, "HELD_BYTES", 1000)
    images = []

    def items():
        for key in range(8):
            image = np.zeros((40, 60, 3), np.uint8)
            images.append(weakref.ref(image))
            yield key, image

    found = predictor(batch_size=16).stream(items())
    held = [sum(image() is not None for image in images) for _ in found]
    assert len(held) == 8 and max(held) == 1


def _random_items(count):
    rng = np.random.default_rng(0)
    for key in range(count):
        height, width = rng.integers(40, 90, 2)
        image = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        boxes = np.column_stack(
            [rng.uniform(0, 30, (key % 4, 2)), rng.uniform(9, 60, (key % 4, 2))]
        )
        yield key, image, boxes


@pytest.mark.parametrize("flip", [False, True])
def test_batches_do_not_change_poses(flip):
    """The batch size is a matter of speed alone."""
    runs = [
        [
            np.concatenate([pose.keypoints, pose.scores[:, None]], axis=1)
            for _, _, poses in predictor(batch_size=size, flip=flip).stream(_random_items(11))
            for pose in poses
        ]
        for size in (1, 5, 16)
    ]
    assert len(runs[0]) == sum(key % 4 for key in range(11))
    for run in runs[1:]:
        np.testing.assert_allclose(run, runs[0], atol=1e-3)


@pytest.mark.parametrize("codec", [DARK(), UDP()], ids=["dark", "udp"])
def test_flip_test_brings_left_and_right_back(codec):
    """Wrong channels or columns would average two different places."""
    image = spots((110, 120), (210, 120))
    plain, flipped = (
        predictor(sided_network, codec, flip=flip)(image, [(80, 40, 160, 170)])[0]
        for flip in (False, True)
    )
    for joint in range(17):
        if joint in LEFTS | RIGHTS:
            side = 210 if joint in LEFTS else 110
            assert flipped.keypoints[joint] == pytest.approx([side, 120], abs=2.5)
            assert flipped.scores[joint] > 0.9 * plain.scores[joint]


def test_a_pose_carries_names_and_if_asked_what_the_network_saw():
    """The crop before its normalisation, the mean of both maps, and the keypoints in the crop."""
    image, box = spots((110, 120), (210, 120)), (80, 40, 160, 170)
    subject = predictor(sided_network, DARK(), flip=True, inside=True)
    [pose], [plain] = subject(image, [box]), predictor(sided_network, flip=True)(image, [box])
    assert pose.names == COCO.names
    assert pose.id is None and plain.inside is None
    np.testing.assert_array_equal(pose.keypoints, plain.keypoints)
    inside = pose.inside
    assert inside.crop.shape == (*INPUT, 3) and inside.crop.dtype == np.uint8
    assert inside.heatmaps.shape == (INPUT[0] // 4, INPUT[1] // 4, 17)
    for joint, (x, y) in enumerate(inside.keypoints):
        assert inside.crop[round(y), round(x), 0] > 200  # the light it found
        peak = np.unravel_index(inside.heatmaps[..., joint].argmax(), inside.heatmaps.shape[:2])
        assert np.abs(4 * np.array(peak[::-1]) - (x, y)).max() <= 4
        assert inside.heatmaps[..., joint].max() == pytest.approx(pose.scores[joint], abs=1e-5)


def test_of_maps_and_offsets_the_inside_shows_the_maps():
    def network(crops):
        maps = np.zeros((len(crops), 32, 24, 51), np.float32)
        maps[..., ::3] = np.arange(17) / 17
        return maps

    card = PoseCard(codec=UDPCombined())
    [pose] = PosePredictor(network, card, input_size=INPUT, inside=True)(spots())
    np.testing.assert_allclose(pose.inside.heatmaps[5, 5], np.arange(17) / 17)


def test_score_of_a_pose_is_box_times_mean_of_seen_joints():
    """Instance score of the original's `evaluate`: joints above 0.2, 0 if there is none."""

    def network(crops):
        maps = np.zeros((len(crops), 32, 24, 17), np.float32)
        maps[:, 10, 10, :3] = 0.9, 0.5, 0.1
        return maps

    items = [("x", spots(), np.array([[0, 0, 9, 9]]), np.array([0.5]))]
    [(_, _, [pose])] = predictor(network, MSRA()).stream(items)
    assert pose.score == pytest.approx(0.5 * 0.7)
    [pose] = predictor(lambda crops: 0 * network(crops), MSRA())(spots(), [[0, 0, 9, 9]])
    assert pose.score == 0


@pytest.mark.parametrize(
    "bad",
    [
        (np.nan, 0, 9, 9),
        (0, 0, np.inf, 9),
        (5, 5, 0, 9),
        (5, 5, 9, -3),
        (500, 5, 9, 9),
        (5, -99, 9, 9),
    ],
)
def test_an_unusable_box_is_left_out_with_one_line(bad, caplog):
    box = (100, 80, 80, 80)
    found = list(predictor().stream([("photo.jpg", spots((140, 121)), [bad, box])]))
    [(_, _, [pose])] = found
    assert tuple(pose.box) == box
    [record] = caplog.records
    assert "photo.jpg: 1 of 2 boxes left out" in record.getMessage()


def test_an_enormous_box_is_no_danger():
    [pose] = predictor()(spots((140, 121)), [(-1e9, -1e9, 2e9, 2e9)])
    assert np.isfinite(pose.keypoints).all()


@pytest.mark.parametrize(
    ("image", "boxes", "said"),
    [
        (np.zeros((9, 9), np.uint8), None, r"shape=\(9, 9\)"),
        (np.zeros((9, 9, 3), np.float32), None, "dtype=float32"),
        (np.zeros((0, 9, 3), np.uint8), None, r"shape=\(0, 9, 3\)"),
        (np.zeros((9, 9, 3), np.uint8), [1, 2, 3, 4], r"boxes.shape=\(4,\)"),
        (np.zeros((9, 9, 3), np.uint8), [[1, 2, 3]], r"boxes.shape=\(1, 3\)"),
    ],
)
def test_other_images_and_boxes_are_refused(image, boxes, said):
    with pytest.raises(ValueError, match=said):
        predictor()(image, boxes)


def test_no_boxes_mean_no_poses():
    assert predictor()(spots(), []) == []
    assert predictor()(spots(), np.zeros((0, 4))) == []


def test_memory_is_bounded_when_few_images_have_persons(monkeypatch):
    """One waiting crop must not hold all the empty images after it."""
    monkeypatch.setattr(streaming, "HELD_BYTES", 5 * spots().size)
    pulled = []

    def items():
        for key in range(100):
            pulled.append(key)
            yield key, spots(), None if key % 10 == 0 else []

    for done, (key, _, _) in enumerate(predictor(batch_size=16).stream(items())):
        assert key == done
        assert len(pulled) - done <= 3 * 6


def test_timings_cover_every_image_once():
    subject = predictor(batch_size=4)
    persons = [len(poses) for _, _, poses in subject.stream(_random_items(9))]
    summary = subject.timings.summary()
    assert set(summary) == {"crop", "network", "decode"}
    for row in summary.values():
        assert row["images"] == sum(count > 0 for count in persons)
        assert 0 < row["p50_ms"] <= row["p90_ms"] <= 1e3 * row["total_s"]


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (lambda crops: spot_network(crops)[..., :5], r"heat maps \(B, h, w, 17\)"),
        (lambda crops: spot_network(crops)[..., 0], r"heat maps \(B, h, w, 17\)"),
        (lambda crops: spot_network(crops) * np.nan, "not finite"),
    ],
)
def test_other_heat_maps_are_refused(network, said):
    with pytest.raises(ValueError, match=said):
        predictor(network)(spots())


def tiny_model(channels=17):
    """A Keras model that works like `spot_network` with untrained colours."""
    image = keras.Input((*INPUT, 3))
    x = keras.layers.AveragePooling2D(1, 4)(image)
    x = keras.layers.Conv2D(channels, 1, kernel_initializer=keras.initializers.Constant(1 / 3))(x)
    return keras.Model(image, x, name="tiny")


def test_keras_model_callable_and_file_agree(tmp_path):
    """One network in three forms; a partial last batch included."""
    model, card = tiny_model(), PoseCard(codec=DARK(blur_kernel=3), padding=1.4)
    model.save(tmp_path / "tiny.keras")
    write_card(tmp_path / "tiny.keras", card)
    forms = [
        PosePredictor(model, card, batch_size=4),
        PosePredictor(tmp_path / "tiny.keras", batch_size=4),
        PosePredictor(lambda crops: model(crops).numpy(), card, input_size=INPUT, batch_size=4),
    ]
    assert forms[1].card == card
    runs = [[p for _, _, poses in form.stream(_random_items(7)) for p in poses] for form in forms]
    for run in runs[1:]:
        for pose, expected in zip(run, runs[0], strict=True):
            np.testing.assert_allclose(pose.keypoints, expected.keypoints, atol=1e-3)
            np.testing.assert_allclose(pose.scores, expected.scores, atol=1e-5)


def test_a_model_without_a_card_says_what_is_assumed(caplog):
    caplog.set_level(logging.WARNING)
    assert PosePredictor(tiny_model()).card == PoseCard()
    assert "tiny has no card: assuming COCO" in caplog.text
    with pytest.raises(ValueError, match=r"`card` must say .* channels=5"):
        PosePredictor(tiny_model(5))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"model": "nobody.keras"}, "nobody.keras: no such file"),
        ({"model": "hrnet_w23_coco_256x192"}, "hrnet_w32_coco_256x192"),
        ({"model": "weights.pth"}, "A checkpoint goes into `weights`"),
        ({"model": "x.keras", "weights": "w.pth"}, "`weights` go with a preset"),
        ({"model": spot_network}, "`card` must say"),
        ({"model": spot_network, "card": PoseCard()}, "`input_size` must be"),
        ({"model": tiny_model(), "batch_size": 0}, "batch_size=0"),
        ({"model": tiny_model(5), "card": PoseCard(AP10K)}, "17 keypoints of ap10k"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_model_that_cannot_work_is_refused_at_once(arguments, said):
    with pytest.raises((ValueError, OSError), match=said):
        PosePredictor(**arguments)


def test_a_damaged_keras_file_gets_one_sentence(tmp_path):
    (tmp_path / "x.keras").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ValueError, match="cannot be opened by Keras") as caught:
        open_network(tmp_path / "x.keras")
    assert "\n" not in str(caught.value)


def test_a_damaged_card_is_not_blamed_on_the_model(tmp_path):
    tiny_model().save(tmp_path / "x.keras")
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ValueError, match=r"x\.json: A pose card must have"):
        open_network(tmp_path / "x.keras")


def test_preset_brings_architecture_and_card():
    opened = open_network("tinypose_128x96", weights=None)
    assert opened.network.outputs == {"heatmaps": (32, 24, 17)} and not opened.sha256
    assert opened.card.codec.name == "dark"


def test_ahead_keeps_order_and_works_only_a_little_ahead():
    started = []

    def work(number):
        started.append(number)
        return number * number

    results = ahead(work, range(50), depth=2)
    for number, result in enumerate(results):
        assert result == number * number
        assert len(started) <= number + 3


def test_ahead_passes_errors_on_at_their_place():
    results = ahead(lambda number: 1 // number, [1, 0, 1])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_ahead_holds_little_when_results_are_large(monkeypatch):
    """What weighs more than may be held is not computed ahead, what weighs nothing is."""
    monkeypatch.setattr(streaming, "HELD_BYTES", 10)
    started = []

    def work(number):
        started.append(number)
        return number

    for done, number in enumerate(ahead(work, range(20), depth=5, weigh=lambda _: 11)):
        assert number == done
        assert len(started) == done + 1
