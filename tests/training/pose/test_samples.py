"""`hrnet-tf inspect`: its page shows the crops of training, sides, and what is wrong."""

import base64
import dataclasses
import io
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet_tf import cli
from hrnet_tf.labels.keypoint_sets import COCO, FACE_300W
from hrnet_tf.labels.keypoints import CENTER, LEFT, RIGHT
from hrnet_tf.training.pose import task
from hrnet_tf.training.pose.pictures import by_side, draw_points
from hrnet_tf.training.pose.readers import FORMATS
from hrnet_tf.training.pose.records import write_people
from hrnet_tf.training.pose.samples import PLAIN
from hrnet_tf.training.recipe import load_recipe
from hrnet_tf.training.report.inspect import write_samples

import tiny_training


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return tiny_training.write_recipe(tmp_path_factory.mktemp("drawings"))


def read_page(path):
    """Pictures and captions of a page."""
    html = path.read_text()
    assert "://" not in re.sub(r"<pre>.*</pre>", "", html, flags=re.DOTALL)
    found = re.findall(r'base64,([^"]+)">(?:<figcaption>)(.*?)</figcaption>', html)
    pictures = [Image.open(io.BytesIO(base64.b64decode(data))) for data, _ in found]
    return html, [np.asarray(picture) for picture in pictures], [text for _, text in found]


# The page


def test_the_page_counts_what_the_file_holds(recipe, tmp_path):
    html, pictures, captions = read_page(write_samples(recipe, tmp_path, count=6))
    assert load_recipe(str(tmp_path / "recipe.json")) == recipe
    people = json.loads(Path(recipe.train_annotations).read_text())["annotations"]
    people = [each for each in people if each["num_keypoints"]]
    assert f"<p>{len(people)} people to train on" in html
    assert len(pictures) == 6 and {picture.shape for picture in pictures} == {(384, 1152, 3)}
    names = {f"{each['image_id']:06d}.jpg: annotation {each['id']}" for each in people}
    assert len(set(captions)) == 6 and set(captions) <= names
    for number, name in enumerate(COCO.names):
        count = sum(each["keypoints"][3 * number + 2] > 0 for each in people)
        assert re.search(rf"<span>{name}</span>[^/]*</i><b>{count}</b>", html)
    assert "left_wrist ↔ right_wrist" in html and "Without a partner: nose" in html


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_same_person_is_shown_before_and_after(recipe, tmp_path, mirrored):
    """Without augmentation the crops are equal, mirrored each is the mirror image."""
    plain = dataclasses.replace(recipe, **PLAIN | {"flip_probability": float(mirrored)})
    for picture in read_page(write_samples(plain, tmp_path, count=4))[1]:
        coarse = picture.reshape(24, 16, 72, 16, 3).mean(axis=(1, 3))  # lines hardly count
        before, after, target = np.split(coarse, 3, axis=1)
        same, other = np.abs(after - before).mean(), np.abs(after[:, ::-1] - before).mean()
        assert (other < 0.8 * same) if mirrored else (same < 0.1 * other)
        assert target.mean() < after.mean()


def test_bad_records_are_on_the_page(recipe, tmp_path):
    content = json.loads(Path(recipe.train_annotations).read_text())
    content["images"][0]["file_name"] = "lost & found.jpg"
    content["annotations"][-1]["keypoints"][0] = content["images"][0]["width"] + 9
    file = tmp_path / "people.json"
    file.write_text(json.dumps(content))
    bad = dataclasses.replace(recipe, train_annotations=str(file))
    html = write_samples(bad, tmp_path / "page", count=1).read_text()
    left_out, used = re.findall(r"<h2>([\w, ]+: \d+)</h2>", html)
    assert left_out == "Left out: 1" and used.startswith("Used, but looks wrong")
    assert "lost &amp; found.jpg" in html and "outside the image: nose" in html


def test_records_show_what_their_files_show(recipe, tmp_path):
    """No annotation file is needed for the page then."""
    records = FORMATS["coco"](recipe.train_annotations, recipe.train_images)
    write_people(records, recipe, tmp_path, shards=2)
    lost = dataclasses.replace(recipe, train_annotations="lost.json", train_images="lost")
    stored = dataclasses.replace(lost, train_records=f"{tmp_path}/*.tfrecord")
    _, *shown = read_page(write_samples(recipe, tmp_path / "files", count=4))
    html, *again = read_page(write_samples(stored, tmp_path / "records", count=4))
    assert np.array_equal(shown[0], again[0]) and shown[1] == again[1]
    assert f"<p>{len(records)} people to train on" in html


def test_a_page_is_never_replaced_unasked(recipe, tmp_path):
    (tmp_path / "index.html").write_text("thesis")
    with pytest.raises(ValueError, match="--overwrite"):
        write_samples(recipe, tmp_path)
    assert (tmp_path / "index.html").read_text() == "thesis"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["inspect", "synthetic_pose"], 2, "`--output` is missing"),
        (["inspect", "--output=x"], 2, "name one recipe, ade20k_w48"),
        (["inspect", "synthetic_poes", "--output=x"], 1, "Did you mean synthetic_pose"),
        (["inspect", "synthetic_pose", "--output=x", "--count=0"], 2, "count"),
        (["inspect", "synthetic_pose", "--output=x", "--epoch=1"], 2, "Did you mean: epochs"),
        (["inspect", "synthetic_pose", "--output=x", "--ema=1"], 1, "below 1"),
        (["inspect", "nowhere.json", "--output=x"], 1, "nowhere.json"),
        (["inspect", "synthetic_pose", "--output=x"], 1, "synthetic --output=runs/drawings/train"),
        (["train", "synthetic_pose", "--workdir=x"], 1, "synthetic --output=runs/drawings/train"),
        (["train", "synthetic_pose"], 2, "--workdir"),
        (["train", "coco_w33_256x192", "--workdir=x"], 1, "Did you mean coco_w32_256x192"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_gets_one_line(words, code, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == code
    line = capsys.readouterr().err
    assert said in line and line.count("\n") == 1
    assert not list(tmp_path.rglob("*.*"))


def test_mpii_without_its_head_sizes_is_refused_at_once(tmp_path, monkeypatch, capsys):
    """PCKh needs them after the first epochs; nothing is read or made before."""
    monkeypatch.chdir(tmp_path)
    Path("valid.json").write_text("[]")
    files = [f"--{use}_annotations=valid.json" for use in ("train", "val")]
    assert cli.main(["train", "mpii_w32", "--workdir=run", *files]) == 1
    line = capsys.readouterr().err
    assert "must be gt_valid.mat" in line and "put it there" in line and line.count("\n") == 1
    assert not Path("run").exists()


def test_train_trains_the_recipe_with_its_flags(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(task, "pose", tiny_training.network)
    (tmp_path / "tiny.json").write_text(recipe.to_json())
    run = tmp_path / "run"
    words = [f"--workdir={run}", "--epochs=1", "--batch_size=2", "--val_annotations="]
    assert cli.main(["train", str(tmp_path / "tiny.json"), *words]) == 0
    out = capsys.readouterr().out
    assert "0.001 becomes 0.0005, in proportion to the batch (2 in place of 4)" in out
    done = load_recipe(str(run / "recipe.json"))
    changes = {"epochs": 1, "batch_size": 2, "learning_rate": 5e-4, "val_annotations": ""}
    assert done == dataclasses.replace(recipe, **changes)
    assert {"model.keras", "history.csv", "curves.svg"} <= {file.name for file in run.iterdir()}


def test_train_joins_other_workers_before_it_computes(recipe, tmp_path):
    """TensorFlow refuses what comes later, and the command looks for devices on its way."""
    lost = dataclasses.replace(recipe, train_images="nowhere")
    (tmp_path / "tiny.json").write_text(lost.to_json())
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    task = {"cluster": {"worker": [address]}, "task": {"type": "worker", "index": 0}}
    code = "import sys; from hrnet_tf.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["train", str(tmp_path / "tiny.json"), f"--workdir={tmp_path / 'run'}"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--distribute=multi_worker"],
        env=os.environ | {"TF_CONFIG": json.dumps(task)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "`images_dir` must be a folder" in done.stderr


@pytest.mark.parametrize("command", ["train", "inspect"])
def test_help_explains_the_fields(command, capsys):
    assert cli.main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "--milestones=…" in text and "epochs after which the rate drops tenfold" in text
    assert "hrnet-tf train own_keypoints" in text or command == "inspect"


@pytest.mark.data
def test_real_people_are_counted(data_dir, recipe, tmp_path):
    folder = data_dir / "coco_kp_subset"
    real = dataclasses.replace(
        recipe,
        train_annotations=str(folder / "annotations" / "person_keypoints_train2017.json"),
        train_images=str(folder / "train2017"),
    )
    html, pictures, _ = read_page(write_samples(real, tmp_path, count=5))
    assert "<p>139 people to train on" in html and "in 45 images" in html and len(pictures) == 5


# Pictures


def test_crops_come_back_from_what_the_network_gets(recipe):
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert np.array_equal(recipe.card.denormalize(recipe.card.normalize(levels)), levels)


def test_a_joint_is_drawn_where_it_is():
    shown = np.arange(17) == 9
    picture = draw_points(np.zeros((40, 30, 3), np.uint8), np.full((17, 2), 20), shown, COCO, 4)
    y, x = np.nonzero(picture[..., 1] > 200)  # green: a left wrist
    assert picture.shape == (160, 120, 3)
    assert (x.mean(), y.mean()) == pytest.approx((81.5, 81.5), abs=0.6)


def test_sides_follow_the_names_or_else_the_pairs():
    coco, face = by_side(COCO), by_side(FACE_300W)
    colors = dict(zip(COCO.names, coco.point_colors, strict=True))
    assert (colors["nose"], colors["left_eye"], colors["right_hip"]) == (CENTER, LEFT, RIGHT)
    swapped = dataclasses.replace(COCO, flip_pairs=tuple((b, a) for a, b in COCO.flip_pairs))
    assert by_side(swapped).point_colors == coco.point_colors
    assert coco.colors[COCO.skeleton.index((5, 7))] == LEFT
    assert coco.colors[COCO.skeleton.index((5, 6))] == CENTER
    assert {face.point_colors[0], face.point_colors[16]} == {LEFT, RIGHT}
    assert face.point_colors[8] == CENTER
