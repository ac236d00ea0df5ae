"""The `hrnet-tf` command: what it writes, says and returns, above all when something is wrong."""

import csv
import errno
import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import hrnet_tf.prediction.pictures as predict_files
from hrnet_tf import cli
from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.codecs import DARK, MSRA
from hrnet_tf.cards.files import write_card
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.labels.keypoint_sets import WFLW
from hrnet_tf.networks.specs import SPECS
from hrnet_tf.presets import PRESETS
from hrnet_tf.tasks.detection import people as detect
from hrnet_tf.tasks.detection.options import Choice


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A `.keras` file with its card: each heat map is the brightness of the crop."""
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    image = keras.Input((64, 64, 3))
    x = keras.layers.AveragePooling2D(1, 4)(image)
    x = keras.layers.Conv2D(17, 1, kernel_initializer=keras.initializers.Constant(1 / 3))(x)
    keras.Model(image, x).save(path)
    write_card(path, PoseCard())
    return path


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    """Class 0 is dark, class 1 bright; of a fixed size, so that it sees windows."""
    path = tmp_path_factory.mktemp("model") / "segmenter.keras"
    image = keras.Input((32, 32, 3))
    x = keras.ops.sum(image, axis=-1, keepdims=True)
    keras.Model(image, keras.ops.concatenate([-x, x], axis=-1)).save(path)
    write_card(path, SegmentationCard(("dark", "bright"), ((0, 0, 90), (250, 250, 0))))
    return path


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """Ten times the mean of the normalised channels."""
    path = tmp_path_factory.mktemp("model") / "classifier.keras"
    image = keras.Input((32, 32, 3))
    keras.Model(image, keras.layers.GlobalAveragePooling2D()(image) * 10.0).save(path)
    write_card(path, ClassificationCard(("red", "green", "blue")))
    return path


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch):
    """As without KerasHub: where nothing is said, each picture is taken for one person."""
    monkeypatch.setitem(sys.modules, "keras_hub", None)


def _picture(path, mode="RGB", size=(48, 40), **settings):
    path.parent.mkdir(exist_ok=True)
    Image.new(mode, size, "white" if mode != "I;16" else 65535).save(path, **settings)


@pytest.fixture
def photos(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        _picture(tmp_path / "photos" / name)
    return tmp_path / "photos"


def run(*words):
    return cli.main([str(word) for word in words])


def _results(folder):
    return json.loads((folder / "results.json").read_text())


def test_a_mixed_folder_is_predicted_and_each_bad_file_gets_one_line(tmp_path, model, capsys):
    """The promise of the command: good files are done, bad ones named, the exit code says so."""
    folder, out = tmp_path / "in", tmp_path / "out"
    exif = Image.Exif()
    exif[0x0112] = 6
    _picture(folder / "colour.jpg")
    _picture(folder / "grey.png", "L")
    _picture(folder / "deep.png", "I;16")
    _picture(folder / "clear.png", "RGBA")
    _picture(folder / "print.jpg", "CMYK")
    _picture(folder / "turned.jpg", exif=exif)
    (folder / "broken.jpg").write_bytes((folder / "colour.jpg").read_bytes()[:200])
    (folder / "notes.txt").write_text("hello")
    (folder / "empty.png").touch()

    assert run("predict", folder, f"--model={model}", f"--output={out}") == 1
    said = capsys.readouterr()
    good = ["clear", "colour", "deep", "grey", "print", "turned"]
    assert sorted(p.stem for p in out.glob("*.jpg")) == good
    assert sorted(Path(r["file_name"]).stem for r in _results(out)) == good
    assert predict_files.read_image(out / "turned.jpg").shape == (48, 40, 3)
    lines = said.err.splitlines()
    for name in ("broken.jpg", "notes.txt", "empty.png"):
        assert sum(line.startswith(f"{folder / name}: ") for line in lines) == 1
    assert len(lines) == 3
    assert "6 pictures, 6 persons, 3 files failed" in said.out
    timings = json.loads((out / "timings.json").read_text())
    assert set(timings["stages"]) == {"read", "crop", "network", "decode", "draw", "write"}
    assert timings["pictures"] == 6
    assert timings["failed"] == 3


def test_results_are_coco_results_of_the_boxes(tmp_path, photos, model):
    """One entry per box, ids and names from the boxes file, weak detections left out."""
    boxes = {
        "images": [{"id": 70 + i, "file_name": f"{name}.jpg"} for i, name in enumerate("abcd")],
        "annotations": [
            {"image_id": 70, "category_id": 1, "bbox": [4, 5, 20, 30], "score": 0.9},
            {"image_id": 72, "category_id": 1, "bbox": [4, 5, 20, 30], "score": 0.8},
            {"image_id": 72, "category_id": 1, "bbox": [1, 2, 30, 30], "score": 0.4},
            {"image_id": 73, "category_id": 1, "bbox": [1, 2, 30, 30], "score": 0.2},
        ],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    out = tmp_path / "out"
    arguments = (photos, f"--model={model}", f"--boxes={tmp_path / 'boxes.json'}")
    assert run("predict", *arguments, f"--output={out}") == 0
    found = [(r["image_id"], r["file_name"], r["bbox"]) for r in _results(out)]
    assert found == [
        (70, "a.jpg", [4, 5, 20, 30]),
        (72, "c.jpg", [4, 5, 20, 30]),
        (72, "c.jpg", [1, 2, 30, 30]),
    ]
    for result in _results(out):
        assert result["category_id"] == 1
        assert len(result["keypoints"]) == 51
    assert len(list(out.glob("*.jpg"))) == 4  # also those without a person


def test_a_picture_alone_is_enough(tmp_path, photos, model, monkeypatch, capsys):
    """Network, detector and folder have defaults; the second run replaces nothing."""
    monkeypatch.setattr(cli.predict, "DEFAULT_MODEL", str(model))
    monkeypatch.chdir(tmp_path)
    assert run("predict", photos / "a.jpg") == 0
    said = capsys.readouterr().out
    assert said.startswith("Detector: none, each picture is taken for one person. dfine_nano_coco")
    assert "--detector and --boxes are other ways" in said.splitlines()[0]
    assert [r["bbox"] for r in _results(tmp_path / "predicted")] == [[0, 0, 48, 40]]
    assert (tmp_path / "predicted" / "a.jpg").is_file()
    assert run("predict", photos / "a.jpg") == 1
    assert "add --overwrite" in capsys.readouterr().err


def test_the_default_network_is_published():
    assert PRESETS[cli.predict.DEFAULT_MODEL].url
    assert PRESETS[cli.predict.DEFAULT_MODEL].card.keypoints.name == "coco"


def _finds(*boxes):
    """A detector that finds these boxes in every picture."""
    found = np.array(boxes, np.float32).reshape(-1, 4), np.linspace(0.5, 1, len(boxes))
    return lambda images: [found for _ in images]


def test_people_of_a_detector_are_predicted(tmp_path, photos, model, monkeypatch, capsys):
    monkeypatch.setattr(
        detect, "default_detector", lambda _: (_finds((4, 5, 20, 30), (1, 2, 30, 30)), "planted.")
    )
    out = tmp_path / "out"
    assert run("predict", photos, f"--model={model}", f"--output={out}") == 0
    said = capsys.readouterr().out
    assert said.startswith("Detector: planted. ")
    assert re.search(r"^detect +\d+\.\d+ +\d", said, re.MULTILINE)
    assert [r["bbox"] for r in _results(out)] == [[4, 5, 20, 30], [1, 2, 30, 30]] * 4
    stages = json.loads((out / "timings.json").read_text())["stages"]
    assert list(stages) == ["read", "detect", "crop", "network", "decode", "draw", "write"]
    assert all(0 <= row["p50_ms"] <= row["p90_ms"] for row in stages.values())


def test_flags_reach_the_detector(tmp_path, photos, model, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(detect, "detector", lambda *words: asked.append(words) or _finds())
    words = ("--detector=x.tflite", "--score_threshold=0.5", "--nms=0.25", "--max_persons=3")
    words += ("--min_size=20", "--person_class=7", f"--model={model}", f"--output={tmp_path / 'o'}")
    assert run("predict", photos, *words) == 0
    assert asked == [("x.tflite", Choice(0.5, 0.25, 3, 20), 7)]
    assert "Detector" not in capsys.readouterr().out


def test_nobody_found_is_a_line_and_an_empty_result(tmp_path, photos, model, monkeypatch, capsys):
    monkeypatch.setattr(detect, "default_detector", lambda _: (_finds(), "planted."))
    out = tmp_path / "out"
    words = (f"--model={model}", f"--output={out}", "--csv", "--npz", "--crop")
    assert run("predict", photos, *words) == 0
    said = capsys.readouterr()
    assert said.err == "No persons were found in these pictures.\n"
    assert "4 pictures, 0 persons, 0 files failed" in said.out
    assert _results(out) == []
    assert len((out / "results.csv").read_text().splitlines()) == 1
    assert len(list(out.glob("*.jpg"))) == 4


def test_a_face_network_does_not_look_for_people(tmp_path, photos, model, capsys):
    image = keras.Input((64, 64, 3))
    x = keras.layers.Conv2D(98, 1)(keras.layers.AveragePooling2D(1, 4)(image))
    keras.Model(image, x).save(tmp_path / "face.keras")
    write_card(tmp_path / "face.keras", PoseCard(keypoints=WFLW))
    words = (f"--model={tmp_path / 'face.keras'}", f"--output={tmp_path / 'out'}")
    assert run("predict", photos, *words) == 0
    assert capsys.readouterr().out.startswith("Detector: none, as wflw is not of people.")


def test_tables_and_looks_inside_belong_to_the_results(tmp_path, photos, model, monkeypatch):
    """A line, an array row, a crop and a montage for each person of results.json, in its order."""
    boxes = _finds((8, 4, 24, 24), (0, 0, 48, 40))
    monkeypatch.setattr(detect, "default_detector", lambda _: (boxes, "planted."))
    out = tmp_path / "out"
    words = ("predict", photos, f"--model={model}", f"--output={out}", "--codec=dark", "--flip")
    assert run(*words, "--csv", "--npz", "--crop", "--heatmaps") == 0
    results = _results(out)
    with np.load(out / "results.npz") as arrays:
        np.testing.assert_allclose(arrays["box"], [r["bbox"] for r in results])
        keypoints = np.reshape([r["keypoints"] for r in results], (8, 17, 3))
        np.testing.assert_allclose(arrays["keypoints"], keypoints[..., :2], rtol=1e-6)
        assert arrays["names"][0] == "nose"
    with open(out / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file_name"], row["person"]) for row in rows] == [
        (f"{name}.jpg", person) for name in "abcd" for person in "12"
    ]
    expected = [f"{name}-{person}.jpg" for name in "abcd" for person in "12"]
    for look in ("crops", "heatmaps"):
        assert sorted(p.name for p in (out / look).iterdir()) == expected
    crop = predict_files.read_image(out / "crops" / "a-1.jpg")
    assert crop.shape == (64, 64, 3)
    # The box of 24 pixels and its padding of 1.25 fill the crop; the picture is white.
    assert crop.min() > 250
    small = predict_files.read_image(out / "crops" / "a-2.jpg")
    assert small[32, 32].min() > 250 and small[2, 2].max() < 5  # black outside the picture
    assert run(*words, "--crop") == 1  # earlier ones are there


def test_a_picture_unknown_to_the_boxes_fails_alone(tmp_path, photos, model, capsys):
    boxes = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    arguments = (photos / "a.jpg", photos / "b.jpg", f"--boxes={tmp_path / 'boxes.json'}")
    assert run("predict", *arguments, f"--model={model}", f"--output={tmp_path / 'out'}") == 1
    said = capsys.readouterr()
    assert "b.jpg" in said.err and "does not list it" in said.err
    assert "no box there belongs to these pictures" in said.err
    assert "1 pictures, 0 persons, 1 files failed" in said.out


def test_equal_names_do_not_overwrite_each_other(tmp_path, model):
    names = ("x/p.jpg", "y/p.jpg", "x/P.png", "x/p-2.jpg")
    for name in names:
        _picture(tmp_path / name)
    out = tmp_path / "out"
    paths = [tmp_path / name for name in names]
    assert run("predict", *paths, f"--model={model}", f"--output={out}") == 0
    assert len({p.name.casefold() for p in out.glob("*.jpg")}) == 4
    assert len({r["image_id"] for r in _results(out)}) == 4
    assert len({r["file_name"] for r in _results(out)}) == 4


def test_a_long_name_is_no_reason_to_stop(tmp_path, model):
    _picture(tmp_path / ("x" * 251 + ".jpg"))
    arguments = ("--output", tmp_path / "out", f"--model={model}")
    assert run("predict", tmp_path / ("x" * 251 + ".jpg"), *arguments) == 0
    assert (tmp_path / "out" / ("x" * 200 + ".jpg")).is_file()


def test_earlier_results_are_kept_unless_told(tmp_path, photos, model, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "b.jpg").write_text("precious")
    arguments = ("predict", photos, f"--model={model}", f"--output={out}")
    assert run(*arguments) == 1
    assert "b.jpg among them" in capsys.readouterr().err
    assert [p.name for p in out.iterdir()] == ["b.jpg"]
    assert (out / "b.jpg").read_text() == "precious"
    assert run(*arguments, "--overwrite") == 0
    assert predict_files.read_image(out / "b.jpg").shape == (40, 48, 3)


def test_an_input_is_never_replaced(photos, model, capsys):
    before = (photos / "a.jpg").read_bytes()
    assert run("predict", photos, f"--model={model}", f"--output={photos}", "--overwrite") == 1
    assert "an input that the output would replace" in capsys.readouterr().err
    assert (photos / "a.jpg").read_bytes() == before


def test_interruption_keeps_what_is_done(tmp_path, photos, model, monkeypatch, capsys):
    real = predict_files.read_image

    def interrupted(path):
        if path.name == "d.jpg":
            raise KeyboardInterrupt
        return real(path)

    monkeypatch.setattr(predict_files, "read_image", interrupted)
    out = tmp_path / "out"
    arguments = (photos, f"--model={model}", f"--output={out}", "--batch_size=1")
    assert run("predict", *arguments) == 130
    assert [r["file_name"] for r in _results(out)] == [p.name for p in sorted(out.glob("*.jpg"))]
    assert len(_results(out)) >= 1
    assert capsys.readouterr().err.count("\n") == 1
    done = len(_results(out))
    monkeypatch.setattr(predict_files, "read_image", real)
    changed = (*arguments, "--flip")
    assert run("predict", *changed) == 1  # results of other settings are not mixed with these
    assert "add --overwrite" in capsys.readouterr().err
    assert run("predict", *arguments) in (0, 1)
    assert f"Going on: {done} of" in capsys.readouterr().out
    resumed = _results(out)
    assert not (out / "unfinished.jsonl").exists()
    assert run("predict", *arguments, "--overwrite") in (0, 1)
    assert resumed == _results(out)


def test_a_full_disk_is_one_sentence_and_keeps_what_is_done(
    tmp_path, photos, model, monkeypatch, capsys
):
    real = Path.write_bytes

    def full(path, content):
        if path.name.startswith(".c."):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    out = tmp_path / "out"
    arguments = (photos, f"--model={model}", f"--output={out}", "--batch_size=1")
    assert run("predict", *arguments) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "c.jpg: cannot be written (No space left on device)" in said
    assert {"a.jpg", "b.jpg"} <= {r["file_name"] for r in _results(out)}
    assert not list(out.glob(".*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predct"], "no command 'predct'. Did you mean predict?"),
        (["predict", "a.jpg", "--modle=x"], "'modle'. Did you mean: model?"),
        (["predict", "a.jpg", "--output="], "`--output` is missing"),
        (["predict", "a.jpg", "--nms=1.5"], "nms=1.5"),
        (["predict", "a.jpg", "--max_persons=0"], "max_persons=0"),
        (["predict", "a.jpg", "--boxes=b.json", "--nms=0.5"], "goes with a detector"),
        (["predict", "a.jpg", "--boxes=b.json", "--detector=none"], "goes with a detector"),
        (["predict", "a.jpg", "--detect_every=3"], "`--detect_every` is for videos"),
        (["predict", "a.mp4", "--csv"], "`--csv` is for pictures"),
        (["predict", "--model=x", "--output=x"], "`INPUT` is missing"),
        (["predict", "a.jpg", "--batch_size=0"], "batch_size=0"),
        (["predict", "a.jpg", "--batch_size=many"], "batch_size=many"),
        (["predict", "a.jpg", "--codec=drak"], "msra|dark|udp|udp_combined"),
        (["predict", "a.jpg", "--model"], "Missing value for flag --model"),
        (["predict", "a.jpg", "--scales=1,big"], "must be numbers with commas"),
        (["predict", "a.jpg", "--scales=0"], "must be positive numbers"),
        (["evaluate", "--model=x"], "`--annotations` is missing"),
        (["models", "w32"], "`models` takes no arguments"),
        (["evaluate", "--model=x", "--overwrite"], "`--overwrite` goes with --output"),
        (["compare", "a.keras", "--protocol=annotated"], "which needs --annotations and --images"),
        (["compare", "a.keras", "--noflip"], "which needs --annotations and --images"),
        (["compare", "a.keras", "--results=r.json"], "`--results` is of `hrnet-tf evaluate`"),
        (["convert", "--float16", "--count=3"], "float16 has no ranges to measure"),
        (["convert", "--noverify", "--seed=3"], "nothing is measured or compared"),
        (["convert", "--int8", "--qat_epochs=3"], "`--qat_epochs` goes with --qat"),
        (["convert", "--int8", "--images=x"], "`--images` goes with --calibration"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistyped_command_gets_one_line_and_code_2(words, said, capsys):
    assert run(*words) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--model=nothing.keras"], "nothing.keras: no such file"),
        (["--model=hrnet_w23_coco"], "must be a preset"),
        (["--model={model}", "--weights=x.pth"], "`weights` go with a preset"),
        (["--model={model}", "--boxes=nothing.json"], "nothing.json"),
        (["--model={model}", "--detector=nothing.tflite"], "nothing.tflite: no such file"),
        (["--model={model}", "--blur_kernel=3"], "codec=dark"),
        (["--model={model}", "--codec=dark", "--blur_kernel=4"], "blur_kernel=4"),
        (["--model={model}", "--codec=udp_combined"], "heat maps (B, h, w, 51)"),
        (["--model={model}", "--output={photos}/a.jpg"], "cannot be made a folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_unusable_argument_gets_one_sentence_and_code_1(
    tmp_path, photos, model, flags, said, capsys
):
    flags = [flag.format(model=model, photos=photos) for flag in flags]
    assert run("predict", photos, f"--output={tmp_path / 'out'}", *flags) == 1
    line = capsys.readouterr().err
    assert line.startswith("hrnet-tf predict: ")
    assert said in line
    assert line.count("\n") == 1


SCORED = ["evaluate", "--annotations=a.json", "--images=x", "--model={model}"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*SCORED, "--per_class"], "`--per_class` has no meaning for"),
        ([*SCORED, "--score_threshold=0.3"], "`--score_threshold` goes with --detections"),
        ([*SCORED, "--ground_truth=x.mat"], "`--ground_truth` goes with --data_format=mpii"),
        (
            ["predict", "{photos}", "--model={model}", "--nms=0.5", "--detector=none"],
            "there is none",
        ),
        (["evaluate", "--results=r", "--annotations=a", "--nomasks"], "not --results"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_a_flag_without_effect_is_refused(tmp_path, photos, model, words, said, capsys):
    words = [word.format(model=model, photos=photos) for word in words]
    assert run(*words, f"--output={tmp_path / 'out'}") == 2
    line = capsys.readouterr().err
    assert said in line and line.count("\n") == 1


@pytest.mark.parametrize(
    ("card", "name", "kernel", "expected"),
    [
        (DARK(3.0, 17), None, 3, DARK(3.0, 3)),
        (DARK(3.0, 17), "dark", 3, DARK(3.0, 3)),
        (MSRA(), "dark", 3, DARK(2.0, 3)),
        (DARK(), "msra", None, MSRA()),
    ],
)
def test_codec_flags_change_only_what_they_name(card, name, kernel, expected):
    assert PoseCard(codec=card).with_codec(name, kernel).codec == expected


def test_help_shows_the_flags_of_its_command_only(capsys):
    assert run("predict", "--help") == 0
    predict_help = capsys.readouterr().out
    assert "--boxes" in predict_help and "--annotations" not in predict_help
    assert run("evaluate", "x", "-h") == 0
    assert "--annotations" in capsys.readouterr().out
    for words in ([], ["--help"], ["help"]):
        assert run(*words) == 0
        overview = capsys.readouterr().out
        assert all(name in overview for name in cli.COMMANDS)
    assert run("--version") == 0
    assert re.fullmatch(r"hrnet-tf \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_help_and_mistakes_answer_without_tensorflow():
    code = (
        "import sys; from hrnet_tf.cli import main; main(['--help']); main(['predict', '--help']);"
        "main(['predict', 'x', '--modle=y']); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_models_lists_every_architecture_and_preset_on_one_line(capsys):
    assert run("models") == 0
    lines = capsys.readouterr().out.splitlines()
    for name in (*SPECS, *PRESETS):
        assert sum(line.split()[:1] == [name] for line in lines) == 1


def test_evaluate_prints_and_writes_numbers_and_keypoints(tmp_path, model, monkeypatch, capsys):
    """Flags arrive at `training.evaluate_on`; problems make the exit code 1."""
    import hrnet_tf.training.evaluate as evaluation

    seen = {}

    def fake(predictor, scoring):
        seen.update(vars(scoring) | {"flip": predictor.flip})
        numbers = {"AP": 0.5, "AR": 0.625}
        return evaluation.Evaluation(
            numbers,
            main=("AP", True),
            results=[{"image_id": 1}],
            counted={"persons": 4},
            tables={"per_keypoint": joints},
            images=3,
            problems=problems,
        )

    monkeypatch.setattr(evaluation, "evaluate_on", fake)
    words = ["evaluate", f"--model={model}", "--annotations=a.json", "--images=b", "--noflip"]
    words += ["--protocol=annotated", f"--output={tmp_path}"]
    joints = {"nose": {"labelled": 2, "good": 0.75}, "left_eye": {"labelled": 0}}
    problems = ()
    assert run(*words) == 0
    assert seen == {
        **{"flip": False, "protocol": "annotated", "annotations": "a.json", "images": "b"},
        **{"data_format": "coco", "score_threshold": 0.0, "ground_truth": None},
        **{"detections": None, "category": None},
    }
    printed = capsys.readouterr().out
    assert re.search(r"AP +0\.5000\nAR +0\.6250", printed)
    assert "nose" not in printed
    assert _results(tmp_path) == [{"image_id": 1}]
    summary = json.loads((tmp_path / "evaluation.json").read_text())
    assert summary["numbers"] == {"AP": 0.5, "AR": 0.625}
    assert summary["per_keypoint"] == joints
    assert summary["protocol"] == "annotated"
    assert run(*words) == 1  # results are there already
    assert "add --overwrite" in capsys.readouterr().err
    problems = ("x.jpg: no such file; check its name.",)
    assert run(*words, "--overwrite", "--per_keypoint") == 1
    printed = capsys.readouterr()
    assert printed.err == "x.jpg: no such file; check its name.\n"
    assert re.search(r"\n +labelled +good\nnose +2 +0\.7500\nleft_eye +0 *\n", printed.out)


@pytest.mark.parametrize(
    ("words", "flip"),
    [
        (["--data_format=mpii", "--ground_truth=gt.mat"], True),
        (["--data_format=landmarks", "--codec=face"], False),
        (["--data_format=landmarks", "--flip"], True),
    ],
)
def test_evaluate_knows_other_data(model, monkeypatch, words, flip):
    """The original face tools have no flip test; MPII's protocol has one."""
    import hrnet_tf.training.evaluate as evaluation

    seen = {}

    def fake(predictor, scoring):
        seen.update(vars(scoring))
        seen.update(flip=predictor.flip, codec=predictor.card.codec.name)
        return evaluation.Evaluation({"NME": 0.05}, ("NME", False), counted={"persons": 1})

    monkeypatch.setattr(evaluation, "evaluate_on", fake)
    assert run("evaluate", f"--model={model}", "--annotations=a", "--images=b", *words) == 0
    given = dict(word.lstrip("-").split("=") for word in words if "=" in word)
    assert {name: seen[name] for name in given} == given
    assert seen["flip"] == flip


def test_drawn_pictures_show_the_pose(tmp_path, model):
    """The bright spot of a dark picture is where all joints of this network lie."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[30:35, 38:43] = 255
    Image.fromarray(picture).save(tmp_path / "x.png")
    out = tmp_path / "out"
    arguments = (
        tmp_path / "x.png",
        f"--model={model}",
        f"--output={out}",
        "--codec=dark",
        "--flip",
    )
    assert run("predict", *arguments) == 0
    [result] = _results(out)
    points = np.reshape(result["keypoints"], (17, 3))
    assert np.abs(points[:, :2] - [40, 32]).max() < 3.5
    drawn = predict_files.read_image(out / "x.jpg").astype(int)
    assert np.ptp(drawn[28:37, 36:45], axis=-1).max() > 80  # colours on a grey picture


def _two_halves(folder):
    """A picture whose right half is white, and a file that is none."""
    folder.mkdir()
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 40:] = 255
    Image.fromarray(picture).save(folder / "x.png")
    (folder / "notes.txt").write_text("hello")
    return folder


def test_a_segmentation_network_gives_overlay_indices_and_shares(tmp_path, segmenter, capsys):
    folder, out = _two_halves(tmp_path / "in"), tmp_path / "out"
    words = ("predict", folder, f"--model={segmenter}", f"--output={out}", "--flip")
    assert run(*words, "--scales=1,2") == 1
    said = capsys.readouterr()
    assert said.err.count("notes.txt: ") == said.err.count("\n") == 1
    assert "1 pictures, 1 files failed" in said.out
    assert sorted(p.name for p in out.iterdir()) == [
        "results.json",
        "timings.json",
        "x.jpg",
        "x.png",
    ]
    with Image.open(out / "x.png") as labels:
        expected = np.repeat([0, 1], 40)[None].repeat(40, axis=0)
        np.testing.assert_array_equal(np.array(labels), expected)
        assert labels.convert("RGB").getpixel((60, 20)) == (250, 250, 0)
    drawn = predict_files.read_image(out / "x.jpg")
    assert drawn.shape[0] > 40 and drawn.shape[1] == 80  # the legend
    assert drawn[20, 60, 2] < 200 < drawn[20, 60, 0]
    [result] = _results(out)
    assert result == {
        "file_name": "x.png",
        "labels": "x.png",
        "classes": [
            {"index": 0, "name": "dark", "share": 0.5},
            {"index": 1, "name": "bright", "share": 0.5},
        ],
    }
    timings = json.loads((out / "timings.json").read_text())
    assert set(timings["stages"]) == {"read", "resize", "network", "decode", "draw", "write"}
    assert "persons" not in timings


def test_a_classification_network_gives_names_and_no_pictures(tmp_path, classifier, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    Image.new("RGB", (60, 40), (20, 30, 250)).save(folder / "sea.png")
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    assert run("predict", folder, f"--model={classifier}", f"--output={out}") == 1
    said = capsys.readouterr()
    assert said.err.count("cut.jpg: ") == said.err.count("\n") == 1
    assert "1 pictures, 1 files failed" in said.out
    assert sorted(p.name for p in out.iterdir()) == ["results.json", "timings.json"]
    [result] = _results(out)
    assert result["file_name"] == "sea.png"
    best, *others = result["predictions"]
    assert (best["index"], best["name"]) == (2, "blue")
    assert best["probability"] > 0.99
    assert len(others) == 2


def test_neither_output_of_a_segmentation_replaces_an_input(tmp_path, segmenter, capsys):
    """The .png of indices would have the name of a .png picture."""
    folder = _two_halves(tmp_path / "in")
    before = (folder / "x.png").read_bytes()
    words = (folder / "x.png", f"--model={segmenter}", f"--output={folder}", "--overwrite")
    assert run("predict", *words) == 1
    assert "x.png: an input that the output would replace" in capsys.readouterr().err
    assert (folder / "x.png").read_bytes() == before


@pytest.mark.parametrize(
    ("task", "flag"),
    [
        ("segmentation", "--boxes={photos}/boxes.json"),
        ("segmentation", "--codec=dark"),
        ("segmentation", "--blur_kernel=11"),
        ("segmentation", "--score_threshold=0.2"),
        ("segmentation", "--batch_size=4"),
        ("segmentation", "--detector=none"),
        ("segmentation", "--csv"),
        ("classification", "--heatmaps"),
        ("classification", "--flip"),
        ("classification", "--scales=1,2"),
        ("pose", "--scales=1,2"),
    ],
)
def test_flags_of_another_task_are_a_usage_error(
    tmp_path, photos, model, segmenter, classifier, task, flag, capsys
):
    """Before a network is opened; not ignored in silence."""
    (photos / "boxes.json").write_text('{"images": [], "annotations": []}')
    file = {"pose": model, "segmentation": segmenter, "classification": classifier}[task]
    out = tmp_path / "out"
    words = (photos, f"--model={file}", f"--output={out}", flag.format(photos=photos))
    assert run("predict", *words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert flag.split("=")[0] in said
    assert not out.exists()
