"""The drawn people: reproducible, and annotated as COCO would."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from hrnet_tf.labels.classes import DRAWINGS
from hrnet_tf.labels.keypoint_sets import COCO
from hrnet_tf.training.data.synthetic import scenes as synthetic
from hrnet_tf.training.data.synthetic.__main__ import main
from hrnet_tf.training.data.synthetic.scenes import draw_scene, write_dataset
from hrnet_tf.training.pose.readers.coco import read_coco
from hrnet_tf.training.recipe import load_recipe
from hrnet_tf.training.train import train

JOINT = {name: index for index, name in enumerate(COCO.names)}


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(np.random.default_rng((7, i))) for i in range(40)]


def _bytes(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_dataset(tmp_path / name, 3, seed)
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b") != _bytes(tmp_path / "c")


def test_the_reader_takes_every_annotation(tmp_path):
    """Also protects COCO's bookkeeping: counts, ids, one-based skeleton."""
    path = write_dataset(tmp_path / "set", 6, 0)
    problems = []
    records = read_coco(path, path.parent / "images", problems.append)
    content = json.loads(path.read_text())
    assert not problems
    assert [record.id for record in records] == [a["id"] for a in content["annotations"]]
    assert len(content["images"]) == 6
    for annotation, record in zip(content["annotations"], records, strict=True):
        assert annotation["num_keypoints"] == (record.keypoints[:, 2] > 0).sum()
    (category,) = content["categories"]
    assert category["keypoints"] == list(COCO.names)
    assert np.array_equal(np.array(category["skeleton"]) - 1, COCO.skeleton)


def test_what_is_annotated_lies_in_picture_and_box(scenes):
    for scene in scenes:
        height, width = scene.image.shape[:2]
        for person in scene.people:
            x, y, w, h = person.box
            assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
            assert 0 < person.area <= w * h
            labelled = person.keypoints[person.keypoints[:, 2] > 0]
            assert (labelled[:, :2] > -0.5).all()
            assert (labelled[:, :2] < (width - 0.5, height - 0.5)).all()
            assert not person.keypoints[person.keypoints[:, 2] == 0].any()
            seen = person.keypoints[person.keypoints[:, 2] == 2, :2]
            assert (seen >= (x - 1, y - 1)).all() and (seen <= (x + w, y + h)).all()


def test_front_and_back_tell_left_from_right(scenes):
    """A face means that the person's left is at the right of the picture, also in a mirror."""
    fronts = backs = 0
    for person in (person for scene in scenes for person in scene.people):
        points, visible = person.keypoints[:, :2], person.keypoints[:, 2] > 0
        left, right = JOINT["left_shoulder"], JOINT["right_shoulder"]
        if not visible[[left, right]].all():
            continue
        eyes = visible[[JOINT["left_eye"], JOINT["right_eye"]]]
        if eyes.all():
            fronts += 1
            assert points[left, 0] > points[right, 0]
        elif not eyes.any() and visible[[JOINT["left_ear"], JOINT["right_ear"]]].all():
            backs += 1
            assert points[left, 0] < points[right, 0]
    assert fronts > 10 and backs > 10


def test_some_joints_are_hidden_and_some_scenes_are_crowded(scenes):
    flags = np.concatenate([p.keypoints[:, 2] for scene in scenes for p in scene.people])
    assert 0.005 < (flags == 1).mean() < 0.2
    assert {len(scene.people) for scene in scenes} == {1, 2, 3}


def test_a_foreground_person_hides_joints_of_the_one_behind():
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, 1:4] = 1
    mask[:, 3] = 2
    joints = np.array([(1.0, 1.0, 1), (3.2, 1.0, 1), (9.0, 1.0, 1), (1.0, 2.0, 0)])
    person = synthetic._annotate(mask, 1, joints)
    assert person.keypoints[:, 2].tolist() == [2, 1, 0, 0]
    assert person.box == (1, 1, 2, 2) and person.area == 4
    assert synthetic._annotate(mask, 3, joints) is None


def test_nothing_is_overwritten_and_nothing_is_left_behind(tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"new or empty. Received: folder=.*full"):
        write_dataset(tmp_path / "full", 1, 0)

    def interrupted(rng, size):
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "draw_scene", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "set", 1, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_the_command_says_in_a_line_what_is_wrong(capsys):
    assert main(["synthetic"]) == 1
    assert "output" in capsys.readouterr().err


def test_masks_have_the_pixels_of_people(scenes):
    """And all four classes, the ground at the bottom."""
    person = DRAWINGS.names.index("person")
    assert set(np.unique([scene.classes for scene in scenes])) == set(range(4))
    for scene in scenes:
        area = sum(each.area for each in scene.people)
        assert (scene.classes == person).sum() == area
        low = scene.classes[-1] != person
        assert low.any() and (scene.classes[-1][low] != 0).all()


@pytest.mark.parametrize("page", ["pose", "segmentation", "detection", "classification"])
def test_a_recipe_whose_drawings_are_missing_names_the_command(page, tmp_path, monkeypatch):
    """For training data, and then for validation data; the command makes what was missing."""
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(f"synthetic_{page}")
    for use in ("train", "val"):
        with pytest.raises(FileNotFoundError) as caught:
            train(recipe, tmp_path / "run")
        command = re.search(r"`python -m (\S+) (.*)` makes it", str(caught.value))
        assert command[1] == "hrnet_tf.training.data.synthetic"
        words = re.sub(r"num_images=\d+", "num_images=7", command[2]).split()
        assert main(["", *words]) == 0
        assert Path(getattr(recipe, f"{use}_images")).is_dir()
