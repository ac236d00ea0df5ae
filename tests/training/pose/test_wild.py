"""Annotation files as exporters write them: what has one meaning is scored as the clean file.

Every case gets perfect predictions. It then has AP 1, or a line names what was not understood.
"""

import copy
import json
import math
import re

import numpy as np
import pytest
from PIL import Image
from wild_people import (
    Perfect,
    clean,
    draw,
    drop,
    each_image,
    each_person,
    nested,
    put,
    triples,
    unlabelled,
)

from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoints import keypoint_set
from hrnet_tf.media.images import TURNS
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.training.evaluate import evaluate
from hrnet_tf.training.pose.evaluator import read_scored
from hrnet_tf.training.pose.options import PoseScoring

FOLDER = "photos"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The pictures of the clean file."""
    return draw(tmp_path_factory.mktemp(FOLDER))


@pytest.fixture
def scored(folder, tmp_path):
    """Evaluates perfect predictions on such content."""

    def scored(content, images=folder, predictor=None, **scoring):
        file = tmp_path / "ann.json"
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        file.write_bytes(content)
        return evaluate(predictor or Perfect(), file, images, **scoring)

    return scored


def pairs(person, _):
    person["keypoints"] = np.reshape(person["keypoints"], (-1, 3))[:, :2].ravel().tolist()


def of_text(person, _):
    person["keypoints"] = list(map(str, person["keypoints"]))
    person["bbox"] = list(map(str, person["bbox"]))
    person["area"] = str(person["area"])


def ids_of_text(content):
    for image in content["images"]:
        image["id"] = str(image["id"])
    content["categories"][0]["id"] = 1.0


def another_category(content):
    """Dogs of as many keypoints, whose names are others."""
    names = [f"dog_{i}" for i in range(17)]
    content["categories"].insert(0, {"id": 2, "name": "dog", "keypoints": names})
    person = copy.deepcopy(content["annotations"][0])
    content["annotations"].append(person | {"id": 77, "category_id": 2, "bbox": [1, 1, 30, 30]})


def floats(content):
    """Ids of a data frame that had gaps."""
    for entries in (content["images"], content["annotations"]):
        for entry in entries:
            entry.update({key: float(entry[key]) for key in ("id", "image_id") if key in entry})


def words_for_ids(content):
    for image in content["images"]:
        image["id"] = f"2024-05-0{image['id']}T10:00:00.5Z"
    for person in content["annotations"]:
        person["image_id"] = f"2024-05-0{person['image_id']}T10:00:00.5Z"


def spelt_otherwise(content):
    """Left Eye, LEFT-EAR, …"""
    names = content["categories"][0]["keypoints"]
    names[:] = [n.replace("_", " ").title() if i % 2 else n.upper() for i, n in enumerate(names)]


def of_another_kind(content):
    """A category whose `keypoints` are null, with boxes of its own."""
    content["categories"].append({"id": 2, "name": "car", "keypoints": None, "skeleton": None})
    car = {"id": 99, "image_id": 1, "category_id": 2, "bbox": [1, 1, 9, 9], "area": 81}
    content["annotations"].append(car | {"segmentation": []})


def at(form):
    """File names of this form, such as those of annotation servers."""
    return each_image(lambda image, _: image.update(file_name=form.format(image["file_name"])))


ONE_MEANING = {
    "ids of floats": floats,
    "ids of times": words_for_ids,
    "names in other letters": spelt_otherwise,
    "a category without keypoints": of_another_kind,
    "address": at("https://example.com/data/upload/3/{}?token=a/b=c"),
    "upload": at("/data/upload/3/{}"),
    "local files": at("/data/local-files/?d=photos%2F{}"),
    "escaped": each_image(lambda image, _: image.update(file_name=f"%3{image['file_name']}")),
    "upper case": each_image(lambda image, _: image.update(file_name=f"{image['id'] - 1}.PNG")),
    "segments empty": put("segmentation", []),
    "segments of nothing": put("segmentation", [[]]),
    "segments null": put("segmentation", None),
    "segments of points": each_person(
        lambda person, _: person.update(
            segmentation=[np.reshape(person["segmentation"], (-1, 2)).tolist()]
        )
    ),
    "more fields": each_person(
        lambda person, _: person.update(attributes={"occluded": False, "track_id": 3}, score=1.0)
    ),
    "ids from zero": each_person(lambda person, i: person.update(id=i)),
    "ids all the same": put("id", 0),
    "ids null": put("id", None),
    "no ids": drop("id"),
    "ids of text": ids_of_text,
    "no category": drop("category_id"),
    "category null": put("category_id", None),
    "category unknown": put("category_id", 9),
    "no categories": lambda content: content.pop("categories"),
    "categories null": lambda content: content.update(categories=None),
    "no area": drop("area"),
    "area null": put("area", None),
    "no iscrowd": drop("iscrowd"),
    "iscrowd null": put("iscrowd", None),
    "iscrowd false": put("iscrowd", False),
    "num_keypoints 0": put("num_keypoints", 0),
    "num_keypoints null": put("num_keypoints", None),
    "num_keypoints text": put("num_keypoints", "many"),
    "no num_keypoints": drop("num_keypoints"),
    "triples": each_person(triples),
    "nested": each_person(nested),
    "pairs": each_person(pairs),
    "NaN": each_person(unlabelled(math.nan)),
    "null": each_person(unlabelled(None)),
    "minus one": each_person(unlabelled(-1)),
    "numbers of text": each_person(of_text),
    "no size": each_image(lambda image, _: [image.pop("width"), image.pop("height")]),
    "size null": each_image(lambda image, _: image.update(width=None)),
    "size 0": each_image(lambda image, _: image.update(width=0, height=0)),
    "size of text": each_image(lambda image, _: image.update(width=str(image["width"]))),
    "backslashes": each_image(
        lambda image, _: image.update(file_name=rf"..\{FOLDER}0\{image['file_name']}")
    ),
    "another machine": each_image(
        lambda image, i: image.update(file_name=f"/home/me/{i}/{image['file_name']}")
    ),
    "images twice": lambda content: content["images"].append(dict(content["images"][0])),
    "another category": another_category,
}


@pytest.mark.parametrize("change", ONE_MEANING.values(), ids=ONE_MEANING)
def test_what_has_one_meaning_is_scored_as_the_clean_file(scored, change):
    content = clean()
    change(content)
    found = scored(content)
    assert found.problems == ()
    assert found.numbers == scored(clean()).numbers
    assert found.numbers["AP"] == pytest.approx(1)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_any_utf_is_read(scored, encoding):
    assert scored(json.dumps(clean()).encode(encoding)).numbers["AP"] == pytest.approx(1)


def test_a_category_is_chosen_by_its_keypoints_or_by_name(scored):
    content = clean()
    another_category(content)
    found = scored(content)
    (note,) = found.notes
    assert "1 annotations of the category 'dog' are left out" in note
    assert scored(content, category="person").numbers == found.numbers
    with pytest.raises(ValueError, match=r"`category` must be one of 'dog', 'person'"):
        scored(content, category="cat")
    content["categories"][1]["keypoints"] = [f"part_{i}" for i in range(17)]
    with pytest.raises(ValueError, match=r"'dog', 'person' have different .* Name one with"):
        scored(content)


def test_keypoints_in_another_order_are_refused(scored):
    """Nothing tells whether names or numbers are in the wrong order."""
    content = clean()
    content["categories"][0]["keypoints"].reverse()
    with pytest.raises(ValueError, match=r"keypoint 0 is called 'right_ankle' .* another order"):
        scored(content)


def test_without_pairs_nothing_is_mirrored(caplog):
    """It would teach and average left for right."""
    dots = keypoint_set(["one", "two"])
    predictor = PosePredictor(lambda x: x, PoseCard(dots), flip=True, input_size=(64, 48))
    assert not predictor.flip
    assert "nothing is averaged with the mirrored picture" in caplog.text


def test_numbers_that_cannot_be_believed_are_no_results(scored):
    """The sentence that is left says why, with counts and the first example."""
    content = clean()
    for image in content["images"]:
        image["file_name"] = "x" + image["file_name"]
    with pytest.raises(ValueError, match=r"Left out by reason: 3: its `file_name` is not there"):
        scored(content)
    content = clean()
    for person in content["annotations"]:
        person["keypoints"] = [0] * 51
    with pytest.raises(ValueError, match=r"No image of .*ann.json .* has a person to predict"):
        scored(content)
    found = scored(clean(), predictor=Perfect(off=1000))
    assert found.doubt.startswith("No numbers: none of 6 persons matches the annotations.")


def fractions(person, number):
    """Coordinates as shares of the image."""
    width, height = 120 + 16 * (number // 2), 90 + 10 * (number // 2)
    points = np.reshape(person["keypoints"], (-1, 3)) / (width, height, 1)
    person["keypoints"] = points.ravel().tolist()


def corners(person, _):
    x, y, w, h = person["bbox"]
    person["bbox"] = [x, y, x + w, y + h]


def resized(person, _):
    person["keypoints"] = (np.reshape(person["keypoints"], (-1, 3)) * (3, 3, 1)).ravel().tolist()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (each_person(fractions), "`keypoints` look like shares of the image, 0 to 1"),
        (each_person(corners), "`bbox` looks like left, top, right, bottom"),
        (each_person(resized), "most `keypoints` lie outside their images: were they resized"),
        (
            each_image(lambda image, _: image.update(width=60, height=45)),
            "was it resized after annotation",
        ),
        (drop("bbox"), "6 annotations have no `bbox`; their boxes are made around"),
        (drop("area", "segmentation"), "6 annotations have no `area`; 0.53"),
    ],
)
def test_a_mistake_that_most_people_share_is_named(scored, change, said):
    content = clean()
    change(content)
    try:
        found = scored(content)
        lines = " ".join(found.problems)
    except ValueError as error:
        lines = str(error)
    assert said in lines


@pytest.mark.parametrize("turn", [5, 6, 7, 8])
def test_photos_of_a_phone_are_scored_upright(scored, folder, tmp_path, turn):
    """The pixels lie on their side, EXIF turns them; the annotated size is the upright one."""
    back = {5: 5, 6: 8, 7: 7, 8: 6}[turn]
    exif = Image.Exif()
    exif[0x0112] = turn
    for image in clean()["images"]:
        with Image.open(folder / image["file_name"]) as picture:
            lying = picture.transpose(TURNS[back])
            lying.save(tmp_path / image["file_name"], exif=exif)
    found = scored(clean(), images=tmp_path)
    assert found.problems == () and found.numbers["AP"] == pytest.approx(1)


def one_more(person, _):
    person["keypoints"].append(0)


def one_less(person, number):
    if not number:
        person["keypoints"].pop()


def surely_seen(person, number):
    person["keypoints"][2] = 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (one_more, "Received: .*ann.json, with 52 numbers in most `keypoints`"),
        (one_less, "annotation 5 is left out: `keypoints` has 50 values, not 51"),
        (surely_seen, "of 6 of 6 people, `keypoints` visibility is not 0, 1 or 2"),
    ],
)
def test_keypoints_of_another_length_or_visibility_are_named(scored, change, said):
    content = clean()
    each_person(change)(content)
    try:
        lines = " ".join(scored(content).problems)
    except ValueError as error:
        lines = str(error)
    assert re.search(said, lines)


@pytest.mark.parametrize("field", ["keypoints", "bbox"])
def test_percent_of_large_pictures_are_named(tmp_path, field):
    """Label Studio counts from 0 to 100. In small pictures nothing tells percent from pixels."""
    content = clean()
    for image in content["images"]:
        image.update(width=4 * image["width"], height=4 * image["height"])
        Image.new("RGB", (image["width"], image["height"])).save(tmp_path / image["file_name"])
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    for person in content["annotations"]:
        share = 100 / np.array(sizes[person["image_id"]])
        for each, scale in (("bbox", (4, 4)), ("keypoints", (4, 4, 1))):
            if each == field:
                scale = (*share * 4, 1)[: len(scale)]
            values = np.reshape(person[each], (-1, len(scale))) * scale
            person[each] = values.ravel().tolist()
        del person["segmentation"], person["area"]
    path, lines = tmp_path / "percent.json", []
    path.write_text(json.dumps(content))
    found = read_scored(PoseCard(), PoseScoring(str(path), str(tmp_path)), lines.append)
    assert len(found.everyone) == 6
    assert any(re.search(f"`{field}` looks? like percent of the image", line) for line in lines)
