"""Numbers in label files against the tables of the originals; class files of one's own."""

import json

import numpy as np
import pytest

from hrnet_tf.labels.class_files import read_class_set
from hrnet_tf.labels.classes import ADE20K, COCO_STUFF, LIP, PASCAL_CONTEXT, voc_palette
from hrnet_tf.labels.label_values import (
    BINARY,
    CITYSCAPES_IDS,
    COCO_STUFF_IDS,
    IGNORED,
    UNKNOWN,
    from_one,
    plain,
)

from places import FIXTURES


@pytest.fixture(scope="module")
def golden():
    return np.load(FIXTURES / "seg_labels" / "data.npz")


def test_cityscapes_ids_are_those_of_the_original(golden):
    """The original keeps ids that its table does not name; they are errors here."""
    ours, theirs = CITYSCAPES_IDS.table()[:256], golden["cityscapes_id_to_train_id"]
    np.testing.assert_array_equal(ours[:34], theirs[:34])
    assert (ours[34:255] == UNKNOWN).all() and ours[255] == IGNORED
    assert list(CITYSCAPES_IDS.classes) == golden["cityscapes_train_id_to_id"].tolist()


def test_coco_stuff_ids_are_those_of_the_original(golden):
    """254 marks what is outside the table, there as here; 255 is no label of theirs."""
    ours, theirs = COCO_STUFF_IDS.table()[:256], golden["cocostuff_encode_reduce"]
    np.testing.assert_array_equal(ours[:255], theirs[:255])
    assert len(COCO_STUFF_IDS.classes) == len(COCO_STUFF.names)


@pytest.mark.parametrize(
    ("classes", "name"), [(ADE20K, "mmseg_reduce_zero"), (PASCAL_CONTEXT, "mmseg_reduce_zero")]
)
def test_labels_from_one_are_reduced_as_by_openmmlab(golden, classes, name):
    count = len(classes.names)
    ours, theirs = from_one(count).table()[:256], golden[name]
    np.testing.assert_array_equal(ours[: count + 1], theirs[: count + 1])
    assert (ours[count + 1 : 255] == UNKNOWN).all() and ours[255] == theirs[255] == IGNORED


def test_other_tables():
    assert plain(3).table()[[0, 2, 3, 255, 256]].tolist() == [0, 2, UNKNOWN, IGNORED, UNKNOWN]
    assert plain(3, ()).table()[255] == UNKNOWN
    assert BINARY.table()[[0, 1, 254, 255]].tolist() == [0, UNKNOWN, UNKNOWN, 1]


def test_the_palette_of_saved_maps_and_the_pairs_of_lip(golden):
    np.testing.assert_array_equal(voc_palette(256), golden["palette"])
    index = list(range(20))
    for a, b in LIP.flip_pairs:
        index[a], index[b] = b, a
    np.testing.assert_array_equal(index, golden["lip_flip_lut"])


def test_a_class_file_needs_names_only(tmp_path):
    path = tmp_path / "gloves.json"
    path.write_text('{"names": ["background", "left glove", "right glove"]}')
    assert read_class_set(path).palette == voc_palette(3)
    colors = [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    pairs = [["left glove", 2]]
    content = {"names": ["background", "left glove", "right glove"], "palette": colors}
    path.write_text(json.dumps({**content, "flip_pairs": pairs}))
    found = read_class_set(path)
    assert (found.name, found.flip_pairs, found.palette[2]) == ("gloves", ((1, 2),), (4, 5, 6))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not complete JSON"),
        ("[]", "must be an object"),
        ('{"name": "x"}', "at least two classes"),
        ('{"names": ["a"]}', "at least two classes"),
        ('{"names": ["a", "a"]}', "different words. Received: 'a'"),
        ('{"names": ["a", "b"], "colors": []}', "no field is called 'colors'"),
        ('{"names": ["a", "b"], "palette": [[0, 0, 0]]}', "1 for 2 classes"),
        ('{"names": ["a", "b"], "palette": [[0, 0, 0], [0, 0, 256]]}', "0 to 255"),
        ('{"names": ["left", "right"], "flip_pairs": [["left", "rigth"]]}', "Did you mean right"),
    ],
)
def test_a_damaged_class_file_is_named(tmp_path, content, message):
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        read_class_set(path)
    assert str(path) in str(error.value)
