"""Detection as users meet it: `predict`, its files, videos, and detectors that pose uses."""

import csv
import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from made_detections import MadePredictor, bright, save_detector
from PIL import Image
from pycocotools import mask as coco_mask

import hrnet_tf
from hrnet_tf import cli
from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.cards.files import save_model
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.tasks.detection import card_detector, people, task
from hrnet_tf.tasks.detection.options import Choice, DetectionOptions

from tiny_networks import HRNET


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return save_detector(tmp_path_factory.mktemp("detector") / "tiny.keras")


@pytest.fixture(scope="module")
def poser(tmp_path_factory):
    path = tmp_path_factory.mktemp("poser") / "pose.keras"
    image = keras.Input((64, 64, 3), name="image")
    x = keras.layers.Conv2D(17, 1)(keras.layers.AveragePooling2D(4)(image))
    save_model(keras.Model(image, x), PoseCard(), path)
    return path


@pytest.fixture
def finds_bright(monkeypatch):
    """The predictor finds what is bright; returns the options that it was made with."""
    given = []

    def predictor(network, card, options):
        given.append(options)
        return MadePredictor(bright, card, masks=True)

    monkeypatch.setattr(task, "TASK", replace(task.TASK, predictor=predictor))
    return given


def _picture(path, *boxes, size=(64, 96), color=(255, 255, 255)):
    image = np.zeros((*size, 3), np.uint8)
    for x, y, width, height in boxes:
        image[y : y + height, x : x + width] = color
    Image.fromarray(image).save(path)
    return image


def test_pictures_become_pictures_records_and_a_table(tmp_path, detector, finds_bright, capsys):
    _picture(tmp_path / "000000000139.png", (10, 20, 30, 20), (70, 5, 8, 8))
    _picture(tmp_path / "empty.png")
    _picture(tmp_path / "red.png", (10, 20, 30, 20), color=(255, 0, 0))
    (tmp_path / "broken.png").write_bytes((tmp_path / "red.png").read_bytes()[:60])
    output = tmp_path / "out"
    words = ["predict", str(tmp_path), f"--model={detector}", f"--output={output}", "--csv"]
    assert cli.main([*words, "--classes=person,car", "--most=9", "--score_threshold=0.02"]) == 1
    said = capsys.readouterr()
    assert "3 pictures, 3 objects, 1 files failed" in said.out
    assert "broken.png" in said.err and said.err.count("\n") == 1
    assert finds_bright == [DetectionOptions(0.02, ("person", "car"), 9, True)]
    first, second, third = json.loads((output / "results.json").read_text())
    assert first["file_name"] == "000000000139.png" and first["image_id"] == 139
    assert first["bbox"] == [10, 20, 30, 20] and first["category_id"] == 1
    assert coco_mask.decode(first["segmentation"])[20:40, 10:40].all()
    assert second["bbox"] == [70, 5, 8, 8] and second["score"] < 0.3
    assert (third["category"], third["category_id"]) == ("car", 3)
    with open(output / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["object"] for row in rows] == ["1", "2", "1"]
    assert rows[2]["category"] == "car" and float(rows[2]["width"]) == 30
    names = {path.name for path in output.iterdir()}
    assert {"000000000139.jpg", "empty.jpg", "red.jpg", "timings.json"} <= names


def test_pictures_show_sure_objects_and_results_all(tmp_path, detector, finds_bright):
    image = _picture(tmp_path / "a.png", (70, 30, 8, 8))  # of score .26
    for name, flags in (("sure", []), ("all", ["--draw_threshold=0.2"])):
        words = ["predict", str(tmp_path / "a.png"), f"--model={detector}"]
        assert cli.main([*words, f"--output={tmp_path / name}", *flags]) == 0
        assert len(json.loads((tmp_path / name / "results.json").read_text())) == 1
    sure, shown = (np.asarray(Image.open(tmp_path / n / "a.jpg")) for n in ("sure", "all"))
    assert np.abs(sure.astype(int) - image).mean() < 1 < np.abs(shown.astype(int) - image).mean()


def test_pictures_without_objects_are_said(tmp_path, detector, finds_bright, capsys):
    _picture(tmp_path / "empty.png")
    words = ["predict", str(tmp_path / "empty.png"), f"--model={detector}"]
    assert cli.main([*words, f"--output={tmp_path / 'out'}"]) == 0
    assert capsys.readouterr().err == "No objects were found in these pictures.\n"
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--detector=none"], "`--detector` has no meaning for"),
        (["--scales=1,2"], "`--scales` has no meaning for"),
        (["--score_threshold=2"], "score_threshold"),
        (["--most=0"], "most"),
        (["--draw_threshold=-1"], "draw_threshold"),
        (["--nocsv", "--smooth"], "has no meaning for"),
    ],
)
def test_wrong_flags_are_refused(tmp_path, detector, capsys, flags, said):
    _picture(tmp_path / "a.png")
    assert cli.main(["predict", str(tmp_path / "a.png"), f"--model={detector}", *flags]) == 2
    assert said in capsys.readouterr().err


def test_flags_of_detection_are_refused_for_poses(tmp_path, poser, capsys):
    _picture(tmp_path / "a.png")
    for flag in ("--classes=car", "--draw_threshold=0.5", "--nomasks"):
        assert cli.main(["predict", str(tmp_path / "a.png"), f"--model={poser}", flag]) == 2
        assert "has no meaning for" in capsys.readouterr().err


def test_a_shared_flag_has_the_default_of_each_task(tmp_path, detector, poser, finds_bright):
    """--score_threshold is .3 for boxes of people, and the card's for objects."""
    _picture(tmp_path / "a.png", (10, 20, 30, 20))
    words = ["predict", str(tmp_path / "a.png"), f"--output={tmp_path / 'o'}", "--overwrite"]
    assert cli.main([*words, f"--model={detector}"]) == 0
    assert finds_bright == [DetectionOptions()]
    boxes = [dict(image_id=1, file_name="a.png", bbox=[9, 9, 9, 9], score=0.2, category_id=1)]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    words += [f"--model={poser}", f"--boxes={tmp_path / 'boxes.json'}"]
    for flag, count in (("--score_threshold=0.1", 1), ("--overwrite", 0)):
        cli.main([*words, flag])
        assert len(json.loads((tmp_path / "o" / "results.json").read_text())) == count


def test_a_real_network_finds_the_same_by_every_door(tmp_path, capsys):
    """`predict` and `evaluate`, and the evaluation of predict's own file."""
    card = DetectionCard(classes=("a", "b"), category_ids=(4, 7), sides=(96, 64), channels="bgr")
    keras.utils.set_random_seed(0)
    model = hrnet_tf.detection(HRNET, 2, "fcos", (64, 96, 3))
    layer = model.get_layer("bbox_head.conv_cls")
    layer.bias.assign(layer.bias * 0)  # scores near .25 in place of .005
    save_model(model, card, tmp_path / "tiny.keras")
    pictures = tmp_path / "in"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for number, size in enumerate([(64, 96), (100, 70)], 1):
        image = rng.integers(0, 255, (*size, 3), np.uint8)
        Image.fromarray(image).save(pictures / f"{number}.png")
    network = [f"--model={tmp_path / 'tiny.keras'}", "--score_threshold=0.2", "--most=20"]
    assert cli.main(["predict", str(pictures), *network, f"--output={tmp_path / 'p'}"]) == 0
    predicted = json.loads((tmp_path / "p" / "results.json").read_text())
    truth = {
        "images": [dict(id=n, file_name=f"{n}.png") for n in (1, 2)],
        "categories": [dict(id=4, name="a"), dict(id=7, name="b")],
        "annotations": [{**predicted[row], "id": row} for row in (0, 3, 21)],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    words = ["evaluate", f"--annotations={tmp_path / 'truth.json'}"]
    output = f"--output={tmp_path / 'e'}"
    assert cli.main([*words, *network, f"--images={pictures}", output]) == 0
    evaluated = json.loads((tmp_path / "e" / "results.json").read_text())
    assert len(predicted) == 40
    assert [each | {"file_name": None} for each in predicted] == [
        each | {"file_name": None} for each in evaluated
    ]
    capsys.readouterr()
    assert cli.main([*words, f"--results={tmp_path / 'p' / 'results.json'}"]) == 0
    summary = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    said = capsys.readouterr().out
    assert f"AP50   {summary['numbers']['AP50']:.4f}" in said and "AP mask" not in said
    assert summary["numbers"]["AP50"] > 0.1
    assert summary["score_threshold"] == 0.2


# Videos


def test_a_video_becomes_a_video_with_ids(tmp_path, detector, finds_bright, capsys):
    media = pytest.importorskip("hrnet_tf.media.video", reason="needs PyAV")
    writer = media.VideoWriter(tmp_path / "moving.mp4")
    for number in range(20):
        image = np.zeros((64, 96, 3), np.uint8)
        image[10:30, 2 + 3 * number : 22 + 3 * number] = 255
        image[38:58, 70 - 3 * number : 90 - 3 * number] = 255
        writer.write(image, number / 10)
    writer.close()
    words = ["predict", str(tmp_path / "moving.mp4"), f"--model={detector}"]
    assert cli.main([*words, f"--output={tmp_path / 'out'}"]) == 0
    said = capsys.readouterr()
    assert "20 frames, 2 objects, " in said.out and said.err == ""
    lines = [json.loads(x) for x in (tmp_path / "out" / "moving.jsonl").read_text().splitlines()]
    assert len(lines) == 40 and {line["id"] for line in lines} == {1, 2}
    tops = {line["id"]: {round(line["bbox"][1] / 28) for line in lines} for line in lines}
    assert set(tops) == {1, 2}
    assert list(lines[0]) == [
        "frame", "time", "id", "category_id", "category", "bbox", "score", "segmentation"
    ]  # fmt: skip
    frames = list(media.read_frames(tmp_path / "out" / "moving.mp4"))
    assert len(frames) == 20 and frames[0].image.shape == (64, 96, 3)
    summary = json.loads((tmp_path / "out" / "timings.json").read_text())
    assert summary["objects"] == 2 and {"read", "track", "draw", "write"} <= set(summary["stages"])


def test_a_video_is_refused_with_flags_of_pictures(tmp_path, detector, capsys):
    words = ["predict", "a.mp4", f"--model={detector}"]
    assert cli.main([*words, "--csv"]) == 2
    assert "`--csv` is for pictures" in capsys.readouterr().err


# People for pose


@pytest.fixture
def own_predictor(monkeypatch):
    """`DetectionPredictor` finds what is bright, of the classes that it was told to find."""

    def predictor(network, card, score_threshold, classes, masks):
        wanted = [card.classes.index(name) for name in classes]

        def find(key, image):
            found = bright(key, image)
            return found and found.chosen(np.isin(found.classes, wanted))

        return MadePredictor(find, card)

    monkeypatch.setattr(card_detector, "DetectionPredictor", predictor)


def test_a_detection_network_finds_people_for_pose(tmp_path, detector, poser, own_predictor):
    _picture(tmp_path / "a.png", (10, 20, 30, 20), (70, 5, 3, 3))
    Image.fromarray(np.full((64, 96, 3), (255, 0, 0), np.uint8)).save(tmp_path / "b.png")  # a car
    words = ["predict", str(tmp_path / "a.png"), str(tmp_path / "b.png"), f"--model={poser}"]
    output = tmp_path / "out"
    assert cli.main([*words, f"--detector={detector}", f"--output={output}"]) == 0
    [record] = json.loads((output / "results.json").read_text())
    assert record["file_name"] == "a.png" and record["bbox"] == [10, 20, 30, 20]


def test_the_choice_among_people_is_that_of_other_detectors(detector, own_predictor):
    image = np.zeros((64, 96, 3), np.uint8)
    image[20:40, 10:40] = image[50:60, 50:58] = 255
    [(boxes, scores)] = people.detector(detector, Choice(score_threshold=0.1))([image])
    assert boxes.tolist() == [[10, 20, 30, 20], [50, 50, 8, 10]] and scores[0] > scores[1]
    [(boxes, _)] = people.detector(detector, Choice(score_threshold=0.1, min_size=12))([image])
    assert boxes.tolist() == [[10, 20, 30, 20]]
    [(boxes, _)] = people.detector(detector, Choice(0.1, max_persons=1))([image])
    assert len(boxes) == 1
    assert people.detector(detector)([]) == []


def test_the_class_of_people_is_told_by_its_name_or_number(tmp_path, own_predictor):
    card = DetectionCard(classes=("cat", "dog", "bird"), category_ids=(1, 2, 3))
    path = save_detector(tmp_path / "animals.keras", card)
    with pytest.raises(ValueError, match=r"`person` must be .* as .*animals.keras has no class"):
        people.detector(path)
    image = np.zeros((64, 96, 3), np.uint8)
    image[20:40, 10:40] = (255, 0, 0)
    assert len(people.detector(path, person=2)([image])[0][0]) == 1
    assert len(people.detector(path, person=1)([image])[0][0]) == 0


@pytest.mark.parametrize("suffix", [".keras", ".onnx", ".tflite"])
def test_a_network_of_another_task_is_no_detector(tmp_path, poser, suffix):
    path = tmp_path / f"pose{suffix}"
    path.write_bytes(poser.read_bytes())
    path.with_suffix(".json").write_bytes(poser.with_suffix(".json").read_bytes())
    with pytest.raises(ValueError, match="`detector` must be a network for detection") as caught:
        people.detector(path)
    assert "whose card says pose" in str(caught.value) and "\n" not in str(caught.value)


def test_a_detector_without_a_card_or_file_is_one_sentence(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"a.onnx, which has no card"):
        people.detector(tmp_path / "a.onnx")
    for name in ("b.keras", "b.onnx", "b.tflite"):
        with pytest.raises(OSError, match="b"):
            people.detector(tmp_path / name)


def test_a_misspelt_preset_gets_a_hint():
    pytest.importorskip("keras_hub", reason="needs KerasHub")
    with pytest.raises(ValueError, match=r"Did you mean mask_rcnn_hrnet_w18_coco"):
        people.detector("mask_rcnn_hrnet_w18_coc")


def test_the_predictor_of_a_detector_comes_from_python_too(detector, finds_bright):
    predictor = hrnet_tf.predictor(detector, score_threshold=0.4, classes=("person",))
    assert finds_bright == [DetectionOptions(0.4, ("person",))]
    assert isinstance(predictor.card, DetectionCard)
    with pytest.raises(ValueError, match="`options` of detection are score_threshold, classes"):
        hrnet_tf.predictor(detector, flip=True)
