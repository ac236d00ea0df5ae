"""The page of web_demo: its JavaScript against Python's numbers, and the page in a real browser."""

import json
import os
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from hrnet_tf.cards.files import card_path, read_card, save_model
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.convert.to_tflite import Options, to_tflite
from hrnet_tf.media.images import read_image
from hrnet_tf.networks.pose import pose
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.training.data.synthetic.scenes import draw_scene

from places import ROOT
from tiny_networks import HRNET, lively

DEMO = ROOT / "web_demo"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Two workers must not install into one folder at a time.
pytestmark = pytest.mark.xdist_group("web")


@pytest.fixture(scope="session")
def node():
    """Node 20 or newer; skips where there is none."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("no node on this machine: the page's JavaScript is not run")
    version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.strip()
    if int(version.strip("v").split(".")[0]) < 20:
        pytest.skip(f"node is {version}; the page's tests need 20 or newer")
    return path


@pytest.fixture(scope="session")
def browser(node):
    """A Chromium, with LiteRT.js installed; skips where that cannot be, fails where it is not."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} on this machine: the page is not opened")
    if shutil.which("npm") is None:
        pytest.skip("no npm on this machine: LiteRT.js is not installed")
    installed = DEMO / "node_modules" / ".package-lock.json"
    if (
        installed.exists()
        and installed.stat().st_mtime > (DEMO / "package-lock.json").stat().st_mtime
    ):
        return found
    command = ["npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=1"]
    run = subprocess.run(command, cwd=DEMO, capture_output=True, text=True, timeout=600)
    unreached = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "E403")
    if run.returncode and any(sign in run.stderr for sign in unreached):
        pytest.skip("npm's registry is not reached: LiteRT.js is not installed")
    assert run.returncode == 0, run.stderr[-3000:]
    return found


def _node(node, pattern, *flags, **environment):
    """Runs the test files of web_demo that match, from its folder."""
    files = sorted(str(path) for path in (DEMO / "test").glob(pattern))
    command = [node, "--test", "--test-reporter=spec", *flags, *files]
    environment = {**os.environ, **{key: str(value) for key, value in environment.items()}}
    options = {"cwd": DEMO, "capture_output": True, "text": True, "timeout": 500}
    run = subprocess.run(command, env=environment, **options)
    assert files and run.returncode == 0, (run.stdout + run.stderr)[-6000:]


def test_javascript_computes_what_python_computed(node):
    """Crops, codecs, regions and tracking, by the vectors that Kotlin's tests use."""
    _node(node, "*.test.js")


def test_the_lock_file_names_no_host():
    """Each machine installs from the registry that it is set to."""
    lock = json.loads((DEMO / "package-lock.json").read_text(encoding="utf-8"))
    packages = lock["packages"].values()
    assert not [each for each in packages if "resolved" in each]
    assert all("integrity" in each for name, each in lock["packages"].items() if name)


def _people(model, predictor, photo, image, boxes, tolerance):
    """What Python finds in boxes of a picture, as cases for the page's tests."""
    return [
        {
            "model": model.stem,
            "photo": photo,
            "size": image.shape[1::-1],
            "box": box,
            "points": found.keypoints.tolist(),
            "scores": found.scores.tolist(),
            "tolerance": tolerance,
        }
        for box, found in zip(boxes, predictor(image, np.float32(boxes)), strict=True)
    ]


def _bad_files(folder, model):
    """Models and pictures that cannot be used."""
    content, card = model.read_bytes(), json.loads(card_path(model).read_text())
    other = json.loads(json.dumps(card))
    other["input"]["shape"][1] *= 2
    other["output"]["shape"][1] *= 2
    cards = {"text": card, "cut": card, "other": other, "task": card | {"task": "segmentation"}}
    for name, wrong in cards.items():
        (folder / f"{name}.tflite").write_bytes(content)
        (folder / f"{name}.json").write_text(json.dumps(wrong))
    (folder / "text.tflite").write_text("not a model")
    (folder / "cut.tflite").write_bytes(content[: len(content) // 2])
    (folder / "damaged.tflite").write_bytes(content)
    (folder / "damaged.json").write_text(json.dumps(card)[:200])
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("not a picture")
    Image.new("L", (10_000, 10_000), 90).save(folder / "huge.png", compress_level=1)


def _film(path, image, frames=60):
    """Writes a Y4M file in which the picture moves to and fro: what a camera sees of a person."""
    height, width = (side // 2 * 2 for side in image.shape[:2])
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n".encode())
        for index in range(frames):
            moved = np.roll(image, round(12 * np.sin(2 * np.pi * index / frames)), axis=1)
            planes = np.asarray(Image.fromarray(moved[:height, :width]).convert("YCbCr"))
            file.write(b"FRAME\n" + planes[..., 0].tobytes())
            file.write(planes[::2, ::2, 1].tobytes() + planes[::2, ::2, 2].tobytes())


def _cases(folder, models, people, **more):
    cases = {"models": [model.name for model in models], "people": people} | more
    (folder / "cases.json").write_text(json.dumps(cases))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A folder of cases: drawn people, networks of floats and integers, files that are wrong."""
    folder = tmp_path_factory.mktemp("drawn")
    save_model(lively(pose(HRNET, (64, 64, 3))), PoseCard(), folder / "tiny.keras")
    models = [
        to_tflite(
            folder / "tiny.keras",
            options=Options(precision, count=8, verify=False),
            report=lambda line: None,
        )
        for precision in ("float32", "int8", "int16x8")
    ]
    scene = draw_scene(np.random.default_rng(3), (240, 320), people=2)
    box = [round(float(value)) for value in scene.people[0].box]
    picture = Image.fromarray(scene.image)
    picture.save(folder / "drawn.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    picture.save(folder / "turned.jpg", exif=exif, quality=92)
    pictures = {name: read_image(folder / name) for name in ("drawn.png", "turned.jpg")}
    assert pictures["turned.jpg"].shape == (320, 240, 3)
    boxes = {"drawn.png": [box, [-30, 20, 120, 260]], "turned.jpg": [[20, 30, 150, 200]]}
    people = []
    for model in models:
        predictor = PosePredictor(model, read_card(model))
        for name, image in pictures.items():
            people += _people(model, predictor, name, image, boxes[name], 0.05)
    _bad_files(folder, models[0])
    _cases(folder, models, people)
    return folder


def test_the_page_finds_what_python_finds(node, browser, drawn):
    """On the CPU; also wrong files, camera, keyboard and phone."""
    _node(node, "browser/*.test.js", WEB_CASES=drawn, WEB_BROWSER=browser)


@pytest.mark.slow
def test_the_gpu_finds_what_python_finds(node, browser, drawn):
    """On WebGPU computed by the CPU, where Chromium has that; else the page must say why not."""
    environment = {"WEB_CASES": drawn, "WEB_BROWSER": browser, "WEB_GPU": "yes"}
    _node(node, "browser/*.test.js", "--test-name-pattern=the GPU", **environment)


@pytest.mark.data
def test_real_photos_give_python_s_keypoints(node, browser, data_dir, tmp_path):
    """PP-TinyPose on COCO photos, float32 within half a pixel, and in front of the camera."""
    coco = data_dir / "coco_kp_subset"
    annotations = json.loads((coco / "annotations/person_keypoints_val2017.json").read_text())
    names = {each["id"]: each["file_name"] for each in annotations["images"]}
    tall = [
        each
        for each in annotations["annotations"]
        if each["num_keypoints"] >= 16 and each["bbox"][3] > 250
    ]
    model = tmp_path / "tinypose.tflite"
    weights = data_dir / "tinypose" / "derived_tinypose_128x96.npz"
    options = Options(verify=False)
    to_tflite("tinypose_128x96", model, weights, options, report=lambda line: None)
    people, predictor = [], PosePredictor(model, read_card(model))
    for each in tall[:4]:
        name = names[each["image_id"]]
        shutil.copy(coco / "val2017" / name, tmp_path)
        image = read_image(tmp_path / name)
        boxes = [[round(value) for value in each["bbox"]]]
        people += _people(model, predictor, name, image, boxes, 0.5)
    _film(tmp_path / "film.y4m", read_image(tmp_path / people[0]["photo"]))
    _cases(tmp_path, [model], people, film="film.y4m")
    only = "--test-name-pattern=dropped photo|the camera"
    _node(node, "browser/*.test.js", only, WEB_CASES=tmp_path, WEB_BROWSER=browser)
