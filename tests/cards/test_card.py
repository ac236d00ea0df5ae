"""Cards survive the trip through their file, and spoiled ones are refused in one sentence."""

import dataclasses
import hashlib
import json
import os

import keras
import numpy as np
import pytest

from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.codecs import DARK, UDP, UDPCombined
from hrnet_tf.cards.files import card_from_json, card_path, check_conversion, read_card, write_card
from hrnet_tf.cards.pose import CODECS, PoseCard
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.labels.classes import ADE20K, LIP
from hrnet_tf.labels.keypoint_sets import AP10K, COCO, COCO_WHOLEBODY, HAND21, MPII

CARDS = [
    PoseCard(),
    PoseCard(COCO_WHOLEBODY, DARK(3.0, 17)),
    PoseCard(MPII, UDP(2.0), padding=1.0),
    PoseCard(AP10K, UDPCombined()),
    PoseCard(HAND21, mean=(0.5, 0.5, 0.5), std=(0.25, 0.5, 1.0)),
    SegmentationCard(),
    SegmentationCard(ADE20K.names, ADE20K.palette, True, resize="short", base_size=512),
    SegmentationCard(LIP.names, LIP.palette, False, LIP.flip_pairs, "both", 473),
    ClassificationCard(),
    ClassificationCard(("cat", "dog"), 0.95, "bicubic", mean=(0.5, 0.5, 0.5)),
]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: f"{card.task}-{len(card.labels())}")
def test_round_trip(card, tmp_path):
    model = tmp_path / "model.keras"
    write_card(model, card)
    assert read_card(model) == card
    assert os.listdir(tmp_path) == ["model.json"]


def test_other_programs_find_all_they_need_in_the_json():
    """The field names an Android reader relies on."""
    card = json.loads(PoseCard(codec=DARK(2.0, 11)).to_json())
    assert card["version"] == 1
    assert card["codec"] == {"name": "dark", "sigma": 2.0, "blur_kernel": 11}
    assert (card["mean"], card["std"]) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert card["padding"] == 1.25
    keypoints = card["keypoints"]
    assert keypoints["names"] == list(COCO.names)
    assert keypoints["flip_pairs"][0] == [1, 2]
    assert keypoints["skeleton"][0] == [15, 13]
    assert keypoints["colors"][0] == [0, 255, 0]
    assert keypoints["sigmas"] == list(COCO.sigmas)
    assert len(keypoints["point_colors"]) == 17
    assert keypoints["upper_body"] == list(range(11))


def test_cards_of_the_first_release_are_poses():
    """They were written before other tasks had cards, and have no "task"."""
    old = json.loads(PoseCard(MPII, DARK(3.0, 17)).to_json())
    assert old.pop("task") == "pose"
    assert card_from_json(json.dumps(old)) == PoseCard(MPII, DARK(3.0, 17))


def test_the_json_of_other_tasks_names_the_classes():
    """The field names an Android reader relies on."""
    card = json.loads(CARDS[7].to_json())
    assert (card["version"], card["task"]) == (1, "segmentation")
    assert card["classes"][14:16] == ["left arm", "right arm"]
    assert card["palette"][1] == [128, 0, 0]
    assert card["flip_pairs"][0] == [14, 15]
    assert (card["align_corners"], card["resize"], card["base_size"]) == (False, "both", 473)
    card = json.loads(CARDS[9].to_json())
    assert (card["task"], card["classes"]) == ("classification", ["cat", "dog"])
    assert (card["crop_fraction"], card["interpolation"]) == (0.95, "bicubic")


def test_every_codec_is_read_back_under_its_own_name():
    assert set(CODECS) == {"msra", "dark", "udp", "udp_combined", "face"}
    assert all(codec().name == name for name, codec in CODECS.items())


def test_normalize_scales_each_channel():
    card = PoseCard(mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))
    ours = np.asarray(card.normalize(np.full((2, 1, 1, 3), 255, "uint8")))
    np.testing.assert_allclose(ours, np.broadcast_to([1.0, 1.0, 0.0], (2, 1, 1, 3)))
    assert ours.dtype == np.float32


def test_normalize_is_the_same_inside_tf_data():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.data needs Keras' TensorFlow backend")
    import tensorflow as tf

    crops = np.random.default_rng(0).uniform(0, 255, (2, 4, 3, 3)).astype("float32")
    pipeline = tf.data.Dataset.from_tensor_slices(crops).map(PoseCard().normalize)
    np.testing.assert_array_equal(np.stack(list(pipeline)), np.asarray(PoseCard().normalize(crops)))


def test_flip_index_exchanges_the_sides_and_is_its_own_inverse():
    index = np.array(PoseCard(COCO_WHOLEBODY).flip_index)
    assert [COCO_WHOLEBODY.names[i] for i in index[:3]] == ["nose", "right_eye", "left_eye"]
    np.testing.assert_array_equal(index[index], np.arange(133))


def changed(card=CARDS[0], **change):
    return json.dumps(json.loads(card.to_json()) | change)


SEGMENTATION, CLASSIFICATION = CARDS[7], CARDS[9]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PoseCard().to_json()[:200], "must be complete JSON"),
        ("", "must be complete JSON"),
        ("[1, 2]", "must have codec, keypoints, mean, padding, std, version"),
        (changed(version=2), "must be of version 1. Received: version=2"),
        (changed(codec={"name": "simcc"}), "one of msra, dark, .*Received: 'simcc'"),
        (changed(codec={"name": "dark", "blur": 3}), "'blur'"),
        (changed(codec="dark"), "must be a mapping"),
        (changed(mean=[0.5, 0.5]), "three numbers, or one for grey"),
        (changed(padding=0), "must be positive"),
        (changed(keypoints={"name": "coco"}), "missing"),
        (changed(keypoints=dataclasses.asdict(COCO) | {"sigmas": [0.1]}), "17 entries"),
        (changed(keypoints=dataclasses.asdict(COCO) | {"flip_pairs": [[0, 17]]}), "from 0 to 16"),
        (changed(keypoints=dataclasses.asdict(COCO) | {"flip_pairs": [1]}), "must be a list of 2"),
        (
            changed(keypoints=dataclasses.asdict(COCO) | {"flip_pairs": [[1]]}),
            "must be a list of 2",
        ),
        (
            changed(keypoints=dataclasses.asdict(COCO) | {"skeleton": [[]]}),
            r"`keypoints.skeleton\[0",
        ),
        (
            changed(keypoints=dataclasses.asdict(COCO) | {"point_colors": [["x", 0, 0]] * 17}),
            r"`keypoints.point_colors\[0\]\[0\]` must be a whole number",
        ),
        (changed(keypoints="coco"), "fields of `to_json`"),
        (changed(mean=[0.5, 0.5, None]), r"`mean\[2\]` must be a finite number"),
        (changed(std=[1, 1, float("nan")]), r"`std\[2\]` must be a finite number"),
        (changed(padding=float("inf")), "`padding` must be a finite number"),
        (changed(padding=True), "`padding` must be a finite number"),
        (changed(codec={"name": "dark", "sigma": "2"}), "`codec.sigma` must be a finite number"),
        ("[" * 100_000, "too many"),
        (
            changed(task="depth"),
            "one of pose, segmentation, classification, detection. Received: 'depth'",
        ),
        (changed(task="segmentation"), "A segmentation card must have align_corners, base_size"),
        (changed(SEGMENTATION, palette=[[0, 0, 0]]), "1 colours for 20 classes"),
        (changed(SEGMENTATION, flip_pairs=[[0, 20]]), "`flip_pairs` must pair ids from 0 to 19"),
        (changed(SEGMENTATION, flip_pairs=[[0, 1], [1, 2]]), "each at most once"),
        (changed(SEGMENTATION, resize="width"), "`resize` must be one of none, long, short, both"),
        (changed(SEGMENTATION, base_size=None), "`base_size` its pixels"),
        (changed(SEGMENTATION, flip_pairs=3), "`flip_pairs` must be a list"),
        (changed(CLASSIFICATION, classes=[]), "`classes` must not be empty"),
        (changed(CLASSIFICATION, crop_fraction=1.5), "crop_fraction=1.5"),
        (changed(CLASSIFICATION, interpolation="nearest"), "one of bilinear, bicubic"),
        (changed(CLASSIFICATION, std=[1, 1, 0]), "`std` must be positive"),
    ],
)
def test_spoiled_cards_are_refused_with_file_and_reason(text, message, tmp_path):
    (tmp_path / "model.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"model.json: .*{message}") as caught:
        read_card(tmp_path / "model.tflite")
    assert "\n" not in str(caught.value)


def test_a_model_without_card_has_none(tmp_path):
    assert read_card(tmp_path / "model.keras") is None
    assert card_path("runs/x.keras").as_posix() == "runs/x.json"


def test_a_failed_write_leaves_the_old_card_and_no_rubbish(tmp_path, monkeypatch):
    """A full disk or a killed process must not leave a model without a readable card."""
    model = tmp_path / "model.keras"
    write_card(model, CARDS[0])

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_card(model, CARDS[1])
    assert read_card(model) == CARDS[0]
    assert os.listdir(tmp_path) == ["model.json"]


def test_a_converted_file_that_is_not_its_cards_is_refused(tmp_path):
    """Runtimes use a damaged file without a word."""
    path = tmp_path / "net.tflite"
    path.write_bytes(b"weights")
    facts = {"conversion": {"sha256": hashlib.sha256(b"weights").hexdigest()}}
    write_card(path, CARDS[0], facts)
    check_conversion(path)
    path.write_bytes(b"weighty")
    with pytest.raises(ValueError, match=r"net.tflite: is damaged or another file than net.json"):
        check_conversion(path)
    write_card(path, CARDS[0])  # a card of one's own says nothing about the file
    check_conversion(path)
