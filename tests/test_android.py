"""The Android demo without a phone: its Kotlin code built, tested and fed with real networks."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import ai_edge_litert
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.cards.files import card_path, read_card, save_model
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.convert.to_tflite import Options, to_tflite
from hrnet_tf.networks.detection import detection
from hrnet_tf.networks.pose import pose
from hrnet_tf.networks.specs import HRNetSpec, LiteHRNetSpec
from hrnet_tf.runtime.converted import open_converted
from hrnet_tf.tasks.detection.predictor import DetectionPredictor
from hrnet_tf.tasks.pose.predictor import Pose, PosePredictor, rescore
from hrnet_tf.training.evaluate import evaluate

from places import ROOT
from tiny_networks import lively

DEMO = ROOT / "android_demo"
CLASSES = [DEMO / "ci" / each for each in ("hosttest/target/classes", "core/target/classes")]
# Two workers must not build in one folder at a time.
pytestmark = pytest.mark.xdist_group("android")


@pytest.fixture(scope="session")
def built():
    """The demo built, its own tests passed; skips where that cannot be, fails where it is not."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on this machine: the Android demo is not built")
    resources = [sys.executable, DEMO / "ci/resources.py"]  # writes R.kt, which the app needs
    subprocess.run(resources, check=True, capture_output=True)
    options = ["-B", "-q", "-f", str(DEMO / "ci")]
    run = subprocess.run(["mvn", *options, "test"], capture_output=True, text=True, timeout=1500)
    output = run.stdout + run.stderr
    if run.returncode and any(sign in output for sign in ("Unknown host", "Could not transfer")):
        pytest.skip("Maven Central is not reached: the Android demo is not built")
    assert run.returncode == 0, output[-6000:]
    return DEMO


def test_vectors_are_what_python_computes_today(tmp_path, monkeypatch):
    """The Kotlin tests compare with committed numbers: they must not go stale."""
    monkeypatch.syspath_prepend(str(DEMO / "ci"))
    import vectors

    vectors.write(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        new, old = (
            json.loads((folder / path.name).read_text()) for folder in (tmp_path, vectors.FOLDER)
        )
        assert _close(new, old), f"{path.name}: run `python android_demo/ci/vectors.py`"


def _close(new, old):
    """Equal but for last digits, which differ from processor to processor."""
    if isinstance(new, dict):
        return new.keys() == old.keys() and all(_close(new[key], old[key]) for key in new)
    if isinstance(new, list):
        return len(new) == len(old) and all(map(_close, new, old))
    if isinstance(new, float):
        return abs(new - old) < 1e-3
    if isinstance(new, str) and len(new) == len(old):  # pixels, packed
        return sum(a != b for a, b in zip(new, old, strict=True)) <= len(new) // 100
    return new == old


def test_kotlin_computes_what_python_computed(built):
    """Surefire has run the tests of core, and more than none."""
    reports = list((built / "ci/core/target/surefire-reports").glob("TEST-*.xml"))
    assert len(reports) >= 3


def test_the_app_uses_only_the_listed_symbols_of_others(built):
    """The type-check is against stubs of ours: what they claim is listed, to be compared by eye."""
    classes = (built / "ci/app/target/classes/hrnet/demo").glob("*.class")
    command = ["javap", "-c", "-p", *map(str, classes)]
    code = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # In javap's comments: Method androidx/camera/core/ImageProxy.getPlanes:()[L…;
    symbols = re.findall(r"// (?:\w*Method|Field) ((?:androidx|com/google/ai)/\S+)", code)
    wanted = (built / "ci/app/symbols.txt").read_text(encoding="utf-8")
    assert "\n".join(sorted(set(symbols))) + "\n" == wanted


def test_resources_and_manifest_fit_together(built):
    """Every name in XML is there; linked too where Debian's aapt2 is."""
    run = subprocess.run(
        [sys.executable, built / "ci/resources.py"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def _defined(dex):
    """Names of the classes that a dex file defines."""
    count, start, type_ids, string_ids = (
        int.from_bytes(dex[at : at + 4], "little") for at in (0x60, 0x64, 0x44, 0x3C)
    )

    def number(at):
        return int.from_bytes(dex[at : at + 4], "little")

    def text(at):
        while dex[at] & 128:  # the length, seven bits in a byte
            at += 1
        return dex[at + 1 : dex.index(0, at + 1)].decode()

    types = (number(start + 32 * index) for index in range(count))
    return {text(number(string_ids + 4 * number(type_ids + 4 * each))) for each in types}


@pytest.mark.slow
def test_the_app_is_packaged_aligned_and_signed(built, tmp_path):
    """Without androidx and LiteRT, which Google's repository alone has: it cannot start."""
    model = pose(HRNetSpec(8, 1, 8, (1, 1, 1), 1), (64, 64, 3))
    save_model(model, PoseCard(), tmp_path / "tiny.keras")
    options = Options("int8", count=8, verify=False)
    path = to_tflite(tmp_path / "tiny.keras", options=options, report=lambda line: None)
    apk = tmp_path / "app.apk"
    command = [sys.executable, built / "ci/package.py", apk, f"--assets={tmp_path}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=500)
    if run.returncode == 2:
        pytest.skip(run.stderr.strip())
    assert run.returncode == 0, run.stderr
    assert "signed: v2, v3" in run.stdout
    with zipfile.ZipFile(apk) as archive:
        assert archive.getinfo(f"assets/{path.name}").compress_type == zipfile.ZIP_STORED
        assert archive.read(f"assets/{path.name}") == path.read_bytes()
        assert archive.read(f"assets/{card_path(path).name}") == card_path(path).read_bytes()
        classes = _defined(archive.read("classes.dex"))
    assert {"Lhrnet/demo/CameraScreen;", "Lhrnet/core/PoseEstimator;"} <= classes
    assert not [name for name in classes if name.startswith(("Landroidx/", "Lcom/google/"))]
    facts = subprocess.run(["aapt", "dump", "badging", apk], capture_output=True, text=True).stdout
    for fact in ("name='hrnet.demo'", "sdkVersion:'26'", "targetSdkVersion:'36'"):
        assert fact in facts
    assert "launchable-activity: name='hrnet.demo.CameraScreen'" in facts
    dump = subprocess.run(["aapt2", "dump", "resources", apk], capture_output=True, text=True)
    linked = re.findall(r"resource (0x\w+) (?:hrnet\.demo:)?(\w+)/(\w+)", dump.stdout)
    numbers = {(kind, name): int(number, 16) for number, kind, name in linked}
    assert numbers == _constants(built / "ci/app/target/generated/R.kt")


def _constants(path):
    """The numbers of R.kt, which the compiled code contains, by kind and name."""
    found, kind = {}, None
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.search(r"object (\w+) \{", line):
            kind = match[1]
        if match := re.search(r"const val (\w+) = (\w+)", line):
            found[kind, match[1]] = int(match[2], 16)
    return found


def _java(main, *arguments, status=0):
    library = Path(ai_edge_litert.__file__).parent / "libLiteRt.so"
    classes = [*map(str, CLASSES), str(CLASSES[0].parent / "lib/*")]
    command = ["java", "-cp", os.pathsep.join(classes), f"hrnet.host.{main}", str(library)]
    run = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=900
    )
    assert run.returncode == status, run.stderr[-3000:]
    return run.stderr if status else run.stdout


def _estimated(model, pictures, folder, tensors=False):
    """Poses that the app's estimator finds, a list for each picture (image RGB, boxes)."""
    _job(pictures, folder, tensors)
    _java("EstimateKt", model, folder / "job.json", folder / "poses.json")
    return json.loads((folder / "poses.json").read_text())


def _job(pictures, folder, tensors=False):
    """Writes pixels and `job.json` for the programs of hosttest/."""
    job = []
    for index, (image, boxes) in enumerate(pictures):
        alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
        path = folder / f"{index}.rgba"
        path.write_bytes(np.concatenate([image, alpha], -1).tobytes())
        picture = {"pixels": str(path), "width": image.shape[1], "height": image.shape[0]}
        boxes = [[float(v) for v in box] for box in boxes]
        job.append({**picture, "boxes": boxes, "tensors": tensors})
    (folder / "job.json").write_text(json.dumps(job))


class Kotlin:
    """The app's estimator as a predictor: what it found is kept in `found`."""

    def __init__(self, model, folder, tensors=False):
        self.card, self.input_size = read_card(model), open_converted(model).inputs["image"][:2]
        self._model, self._folder, self._tensors = model, folder, tensors
        self.found = []

    def stream(self, items):
        items = list(items)
        pictures = [(image, boxes) for _, image, boxes, _ in items]
        results = _estimated(self._model, pictures, self._folder, self._tensors)
        for (key, image, boxes, box_scores), found in zip(items, results, strict=True):
            self.found += found
            yield key, image, list(map(self._pose, found, boxes, box_scores))

    def _pose(self, found, box, box_score):
        scores = np.float32(found["scores"])
        points = np.float32(found["points"]).reshape(-1, 2)
        return Pose(points, scores, box, float(rescore([box_score], scores[None])[0]))


def test_a_network_of_ours_gives_python_s_keypoints(built, tmp_path):
    """Card, file, library and estimator fit together, also for boxes partly outside."""
    model = pose(HRNetSpec(8, 1, 8, (1, 1, 1), 1), (64, 64, 3))
    save_model(model, PoseCard(), tmp_path / "tiny.keras")
    path = to_tflite(tmp_path / "tiny.keras", report=lambda line: None)
    image = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    boxes = [[5, 5, 40, 60], [-20, 30, 60, 80], [50, -10, 100, 20]]
    python = PosePredictor(path, PoseCard())(image, np.float32(boxes))
    (kotlin,) = _estimated(path, [(image, boxes)], tmp_path)
    for ours, theirs in zip(kotlin, python, strict=True):
        assert np.abs(np.reshape(ours["points"], (-1, 2)) - theirs.keypoints).max() <= 0.05
        assert np.allclose(ours["scores"], theirs.scores, atol=1e-5)

    card = json.loads(card_path(path).read_text())
    card["output"]["dtype"] = "int8"
    card_path(path).write_text(json.dumps(card))
    message = _java("EstimateKt", path, tmp_path / "job.json", tmp_path / "out", status=1)
    assert "The model's output must be what its card says" in message.strip().split("\n")[-1]


@pytest.mark.parametrize("precision", ["float32", "int8_min_max"])
def test_a_detector_of_ours_finds_python_s_boxes(built, tmp_path, precision):
    """Card, file with a dozen outputs, library and decoding fit together, also beside the frame.

    The frames fit without resampling: grey levels of others differ by one from Python's.
    """
    arch = LiteHRNetSpec(8, (1, 1, 1), 1, weighting=False, stem=16)
    model = lively(detection(arch, 1, "fcos_lite", (64, 96, 3)))
    card = DetectionCard(head="fcos_lite", classes=("person",), category_ids=(1,), sides=(96, 64))
    save_model(model, card, tmp_path / "tiny.keras")
    options = Options(precision, count=8, verify=False)
    path = to_tflite(tmp_path / "tiny.keras", options=options, report=lambda line: None)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((64, 96), (64, 40), (30, 96))]
    predictor = DetectionPredictor(path, card, score_threshold=0.3)
    _job([(image, []) for image in images], tmp_path)
    _java("DetectKt", path, tmp_path / "job.json", tmp_path / "found.json")
    for image, ours in zip(images, json.loads((tmp_path / "found.json").read_text()), strict=True):
        theirs, corners = predictor(image), np.reshape(ours["corners"], (-1, 4))
        assert len(theirs) == len(ours["scores"]) > 0
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        assert np.abs(boxes - theirs.boxes).max() <= 0.02
        assert np.allclose(ours["scores"], theirs.scores, atol=1e-4)


@pytest.mark.data
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("size", ["128x96", pytest.param("256x192", marks=pytest.mark.slow)])
def test_real_photos_give_python_s_keypoints_and_ap(built, data_dir, tmp_path, size, precision):
    """PP-TinyPose on COCO photos, from decoded pixels: float32 by the pixel, int8 by the bit."""
    coco = data_dir / "coco_kp_subset"
    people = coco / "annotations"
    integer = "int8" if precision == "int8" else None
    options = Options(
        precision,
        calibration=people / "person_keypoints_train2017.json" if integer else None,
        images=coco / "train2017" if integer else None,
        count=20,
        input_type=integer,
        output_type=integer,
        verify=False,
    )
    weights = data_dir / "tinypose" / f"derived_tinypose_{size}.npz"
    path = tmp_path / "tiny.tflite"
    to_tflite(f"tinypose_{size}", path, weights, options, report=lambda line: None)
    kotlin = Kotlin(path, tmp_path, tensors=bool(integer))
    files = people / "person_keypoints_val2017.json", coco / "val2017"
    python = evaluate(PosePredictor(path, kotlin.card), *files, protocol="annotated")
    ours = evaluate(kotlin, *files, protocol="annotated")
    assert ours.numbers["AP"] == pytest.approx(python.numbers["AP"], abs=0.001)
    assert python.numbers["AP"] > 0.3
    if integer:
        for each in kotlin.found[::8]:
            maps = _answer(path, np.frombuffer(base64.b64decode(each["input"]), np.int8))
            assert np.array_equal(maps, np.frombuffer(base64.b64decode(each["output"]), np.int8))
    else:
        points = [_points(each) for each in (ours, python)]
        assert np.abs(points[0] - points[1]).max() <= 0.05


def _answer(path, values):
    """What Python's interpreter makes of the bytes that Kotlin's network was given."""
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    (image,), (maps,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(image["index"], values.reshape(image["shape"]))
    interpreter.invoke()
    return interpreter.get_tensor(maps["index"]).ravel()


def _points(found):
    """(N, K, 2) of COCO results, in the order of images and boxes."""
    results = sorted(found.results, key=lambda each: (each["image_id"], each["bbox"]))
    return np.array([np.reshape(each["keypoints"], (-1, 3))[:, :2] for each in results])
