"""The test of the design: depth, a task that was never thought of, in rooms of its own.

`tests/fifth_task/` holds its dozen small pieces. Nothing else is changed: the commands find it by
one word in `NAMES`.
"""

import json
import subprocess
import sys

import pytest

from places import ROOT

SCRIPT = ROOT / "tests" / "fifth_task" / "run.py"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("depth") / "data"
    command = [sys.executable, str(SCRIPT), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.partition("FOUND ")[2])


def error(text):
    """The number of an evaluation's first line."""
    return float(text.split()[1])


def test_it_shows_up_in_help(found):
    assert "--scale_depth" in found["help"] and "--farther_than" in found["help"]
    assert "--farthest" in found["train help"] and "--keypoints" in found["train help"]


def test_it_trains_and_is_judged(found):
    assert found["train"][0] == 0 and "error" in found["train"][1]
    code, text = found["evaluate"]
    assert code == 0 and error(text) < 1.5 and "7.png" in text
    assert text.splitlines()[-1] == "8 pictures, 0 left out; errors in metres."


def test_a_batch_of_named_arrays_is_kept_when_a_run_diverges(found):
    code, text = found["nan"]
    assert code == 1 and "bad_batch.npz" in text
    shapes = found["bad batch"]
    assert shapes["inputs/image"] == [4, 32, 32, 3]
    assert shapes["targets/depth"] == [4, 16, 16, 1] and shapes["weights/depth"] == [4, 16, 16]


def test_it_predicts_from_the_command_line_and_from_python(found):
    assert found["predict"][0] == 0
    assert found["written"] == ["7.png", "results.json", "timings.json"]
    assert 10 < found["python"] < 19  # twice eight metres, learned in twenty steps
    code, text = found["wrong flag"]
    assert code == 2 and "has no meaning" in text and "a depth network" in text


def test_it_converts_to_integers_and_keeps_its_numbers(found):
    """Of the two outputs the file has the one that the card reads."""
    assert found["convert"][0] == 0, found["convert"][1]
    card = found["card"]
    assert card["task"] == "depth" and card["output"]["name"] == "depth"
    assert "other_outputs" not in card and card["input"]["dtype"] == "int8"
    assert abs(error(found["evaluate int8"][1]) - error(found["evaluate"][1])) < 0.3
    assert card["conversion"]["accuracy"]["pictures"] == 8
    assert found["compare"][0] == 0 and "Δerror" in found["compare"][1]
