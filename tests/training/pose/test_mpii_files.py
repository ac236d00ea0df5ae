"""MPII's form for data of one's own: a metric without MPII's heads, and files with faults."""

import copy
import json
import math
import random
import re

import numpy as np
import pytest
from PIL import Image

from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoint_sets import MPII
from hrnet_tf.tasks.pose.predictor import Pose
from hrnet_tf.training.evaluate import evaluate
from hrnet_tf.training.pose.check import check

FIELDS = ("image", "center", "scale", "joints", "joints_vis")


def clean():
    """Four people in two pictures; pixels count from 1."""
    rng, people = np.random.default_rng(0), []
    for i in range(4):
        joints = rng.integers((10 + 50 * (i % 2), 15), (70 + 50 * (i % 2), 75), (16, 2))
        seen = (rng.random(16) < 0.8).astype(int)
        seen[:6] = 1
        place = {"center": [45.0 + 50 * (i % 2), 50.0], "scale": 0.35}
        points = {"joints": (joints * seen[:, None]).tolist(), "joints_vis": seen.tolist()}
        people.append({"image": f"{i // 2}.png"} | place | points)
    return people


class Perfect:
    """Finds the clean people by the middle of the box, off by some pixels."""

    card, input_size, flip = PoseCard(MPII), (256, 256), False

    def __init__(self, off=0.0):
        self._people, self._off = clean(), off

    def stream(self, items):
        for key, image, boxes, _ in items:
            number = 0 if image.shape[1] == 140 else 2
            number += boxes[0][0] + boxes[0][2] / 2 > 70
            points = np.array(self._people[number]["joints"], float) - 1
            yield key, image, [Pose(points + self._off, np.ones(16), boxes[0], 1.0)]


@pytest.fixture
def scored(tmp_path):
    for i in range(2):
        Image.new("RGB", (140 + 10 * i, 100)).save(tmp_path / f"{i}.png")

    def scored(content, predictor=None):
        path = tmp_path / "people.json"
        path.write_text(json.dumps(content))
        return evaluate(predictor or Perfect(), path, tmp_path, data_format="mpii")

    return scored


def test_data_of_ones_own_are_scored_by_pck(scored):
    found = scored(clean())
    assert found.numbers["PCK@0.2"] == 1 and found.numbers["EPE"] == 0
    assert found.problems == () and "PCK is measured in sizes of the boxes" in found.notes[0]
    assert scored(clean(), Perfect(off=3)).numbers["EPE"] == pytest.approx(3 * math.sqrt(2))
    assert scored(clean(), Perfect(off=50)).numbers["PCK@0.2"] == 0


def test_null_is_not_labelled_and_windows_has_other_separators(scored, tmp_path):
    content = clean()
    for person in content:
        person["joints"] = [
            [None, math.nan] if not v else [str(x), y]
            for (x, y), v in zip(person["joints"], person["joints_vis"], strict=True)
        ]
        person["image"] = f".\\{person['image']}"
    found = scored(content)
    assert found.problems == () and found.numbers == scored(clean()).numbers


def test_shares_of_the_image_are_named(scored, tmp_path):
    content = clean()
    for person in content:
        person["joints"] = (np.array(person["joints"]) / 140).tolist()
    assert "look like shares of the image" in " ".join(scored(content).problems)
    found = check(tmp_path / "people.json", tmp_path, MPII, "mpii")
    assert any("look like shares of the image" in line for line in found.remarks)


STRANGE = (None, "x", True, [], {}, -5, 1e200, 10**400, math.nan, math.inf, "", [1, 2, 3], [[1]])


def test_damaged_entries_are_named(scored):
    """300 files with one damaged field: none ends in a traceback or in silent other numbers."""
    predictor = Perfect(off=2)
    expected, bad = scored(clean(), predictor).numbers, []
    for seed in range(300):
        rng, content = random.Random(seed), clean()
        person, field = rng.choice(content), rng.choice(FIELDS)
        value = copy.deepcopy(person[field])
        if rng.random() < 0.2:
            del person[field]
        elif isinstance(value, list) and rng.random() < 0.6:
            value[rng.randrange(len(value))] = rng.choice(STRANGE)
            person[field] = value
        else:
            person[field] = rng.choice(STRANGE)
        try:
            found = scored(content, predictor)
            same, said = found.numbers == pytest.approx(expected), " ".join(found.problems)
        except ValueError as error:
            same, said = False, str(error)
        if not same and not re.search(field, said):
            bad.append((seed, field, person[field], said))
    assert not bad, "\n".join(map(str, bad[:10])) + f"\n{len(bad)} in all"
