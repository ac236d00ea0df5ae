"""Files that are given as annotations: what they are if they are no COCO file, and doubled keys."""

import json

import pytest
from wild_people import clean

from hrnet_tf.training.data.coco_json import read_coco_json

FORMS = {
    "lines": (lambda text: text + "\n" + text, "several values, such as JSON lines"),
    "comma": (lambda text: text[:-1] + ",}", "A comma stands before it"),
    "quotes": (lambda text: text.replace('"', "'"), r"\(Expecting property name"),
    "nothing": (lambda text: "", "It is empty"),
    "cut": (lambda text: text[:500], "Is the download complete"),
    "page": (lambda text: "<html>", "XML or a web page"),
    "pointer": (lambda text: "version https://git-lfs.github.com/spec/v1", "pointer of Git LFS"),
    "archive": (lambda text: "PK\x03\x04", "a zip archive; unpack it"),
    "tasks": (
        lambda text: '[{"data": {}, "annotations": []}]',
        "looks like a file of Label Studio",
    ),
    "labelme": (lambda text: '{"shapes": [], "imagePath": "a"}', "looks like a file of labelme"),
    "table": (lambda text: "name,x,y\na.png,1,2", "must be JSON"),
}


@pytest.mark.parametrize(("change", "said"), FORMS.values(), ids=FORMS)
def test_files_of_another_form_are_told_by_what_they_are(tmp_path, change, said):
    path = tmp_path / "ann.json"
    path.write_text(change(json.dumps(clean())))
    with pytest.raises(ValueError, match=said) as error:
        read_coco_json(path)
    assert "ann.json" in str(error.value) and "\n" not in str(error.value)


def lines_of(path, text):
    """The content of the text in a file, and what is reported about it."""
    path.write_text(text)
    lines = []
    return read_coco_json(path, lines.append), lines


def test_keys_that_are_there_twice_are_named(tmp_path):
    """JSON takes the last one without a word."""
    text, path = json.dumps(clean()), tmp_path / "ann.json"
    found, (line,) = lines_of(path, text.replace('"iscrowd": 0,', '"iscrowd": 1, "iscrowd": 0,', 1))
    assert f"{path}: `iscrowd` is there twice with different values in 1 objects" in line
    assert "the id 5" in line and found.annotations == clean()["annotations"]
    _, (line,) = lines_of(path, text[:-1] + ', "images": []}')
    assert "`images` is there twice" in line


@pytest.mark.parametrize(
    "harmless", ['"iscrowd": 0, "iscrowd" : 0,', '"caption": "\\"x\\": 1", "iscrowd": 0,']
)
def test_keys_with_equal_values_and_texts_like_keys_are_no_doubt(tmp_path, harmless):
    text = json.dumps(clean()).replace('"iscrowd": 0,', harmless, 1)
    assert lines_of(tmp_path / "ann.json", text)[1] == []
