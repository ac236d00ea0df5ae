"""`to_tflite` and `hrnet-tf convert`: files like their source, cards that tell, refusals."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import hrnet_tf
from hrnet_tf import cli
from hrnet_tf.cards.codecs import DARK
from hrnet_tf.cards.files import read_card, save_model
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.convert import to_tflite as command
from hrnet_tf.convert.demo import convert_demo
from hrnet_tf.convert.source import open_source
from hrnet_tf.convert.to_tflite import Options, to_tflite
from hrnet_tf.networks.pose import pose
from hrnet_tf.presets import PRESETS, Preset
from hrnet_tf.runtime.converted import open_converted
from hrnet_tf.runtime.keras_model import KerasNetwork
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.training.evaluate import evaluate

import tiny_training
from tiny_networks import HRNET, SHAPE, answers, difference, lively

SCRIPT = Path(command.__file__)
CARD = PoseCard(codec=DARK(2.0, 3))
IMAGES = np.random.default_rng(1).normal(size=(3, *SHAPE)).astype("float32")
PLAIN = Options(verify=False)


def small(size=SHAPE[:2], odd=None):
    """Two convolutions in the shape of a pose network, for what does not depend on more."""
    image = keras.Input((*size, 3))
    x = layers.Conv2D(64, 3, 2, "same", activation="relu", name="one")(image)
    x = odd(x) if odd else x
    x = layers.Conv2D(17, 3, 2, "same", name="two")(x)
    return lively(keras.Model(image, x, name="small"))


@pytest.fixture
def source(tmp_path_factory):
    """The file of a small network and its card."""
    path = tmp_path_factory.mktemp("source") / "small.keras"
    save_model(small(), CARD, path)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A pose network with lively weights, its file and its card."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.keras"
    model = lively(pose(HRNET, SHAPE))
    save_model(model, CARD, path)
    return model, path


def convert(model, folder, name="x.tflite", **options):
    said = []
    options = dataclasses.replace(PLAIN, **options)
    path = to_tflite(model, folder / name, options=options, report=said.append)
    return path, said


@pytest.mark.parametrize(
    ("precision", "allowed", "dtype", "share"),
    [
        ("float32", 1e-5, "float32", 1.2),
        ("float16", 0.01, "float32", 0.7),
        ("dynamic", 0.3, "float32", 0.5),
        ("int8", 0.5, "int8", 0.5),
    ],
)
def test_a_file_runs_like_its_source_and_its_card_tells_how(
    source, tmp_path, precision, allowed, dtype, share
):
    """What the card says of scales is what the interpreter says; verification is in it."""
    path, said = convert(source, tmp_path, precision=precision, count=8, verify=True)
    network = open_converted(path)
    assert read_card(path) == CARD
    facts = json.loads(path.with_suffix(".json").read_text())
    for name, tensor, shape in (
        ("input", network._inputs["image"], (1, *SHAPE)),
        ("output", network._outputs["heatmaps"], (1, 16, 16, 17)),
    ):
        scale, zero_point = tensor["quantization"]
        expected = {"shape": list(shape), "dtype": dtype, "zero_point": zero_point}
        expected["scale"] = pytest.approx(scale or 1.0)
        assert expected.items() <= facts[name].items()
    assert (facts["input"]["name"], facts["output"]["name"]) == ("image", "heatmaps")
    size = path.stat().st_size
    assert size < share * sum(4 * np.size(w) for w in small().get_weights())
    made = facts["conversion"]
    assert (made["bytes"], made["precision"]) == (size, precision)
    assert made["verification"]["problems"] == []
    assert made["verification"]["difference"]["maximum"] < allowed
    calibrated = precision == "int8"
    assert len((made["calibration"] or {}).get("ids", ())) == (8 if calibrated else 0)
    assert any("real pictures are better" in line for line in said) == calibrated


def test_a_pose_network_becomes_what_delegates_take(tiny, tmp_path):
    """The whole way of an HRNet: the numbers of the source, no operation that is refused."""
    model, source = tiny
    path, _ = convert(source, tmp_path, verify=True)
    assert difference(answers(path, IMAGES), model(IMAGES)) < 1e-5
    made = json.loads(path.with_suffix(".json").read_text())["conversion"]
    assert made["verification"]["problems"] == []


def test_types_of_input_and_output_can_be_chosen(source, tmp_path):
    types = {"input_type": "uint8", "output_type": "float32"}
    path, _ = convert(source, tmp_path, precision="int8", count=8, verify=True, **types)
    facts = json.loads(path.with_suffix(".json").read_text())
    assert (facts["input"]["dtype"], facts["output"]["dtype"]) == ("uint8", "float32")
    assert facts["conversion"]["verification"]["difference"]["maximum"] < 0.5


def test_a_second_output_holds_the_keypoints(tiny, tmp_path):
    model, source = tiny
    path, _ = convert(source, tmp_path, decode=True, verify=True)
    maps, keypoints = answers(path, IMAGES).values()
    points, scores = CARD.codec.decode(model(IMAGES))
    np.testing.assert_allclose(maps, model(IMAGES), atol=1e-4)
    np.testing.assert_allclose(keypoints[..., :2], points, atol=0.02)
    np.testing.assert_allclose(keypoints[..., 2], scores, atol=1e-4)
    (other,) = json.loads(path.with_suffix(".json").read_text())["other_outputs"]
    assert (other["name"], other["shape"]) == ("keypoints", [1, 17, 3])


def test_more_images_per_call(source, tmp_path):
    """The runtime fills the last call up and drops what it added."""
    path, _ = convert(source, tmp_path, batch=2)
    assert json.loads(path.with_suffix(".json").read_text())["input"]["shape"] == [2, *SHAPE]
    assert difference(answers(path, IMAGES), small()(IMAGES)) < 1e-5


def test_another_size(source, tmp_path):
    """By convolutions alone, a network of fixed size is rebuilt; one of any size needs a size."""
    path, _ = convert(source, tmp_path, size=(96, 64))
    assert open_converted(path).outputs == {"heatmaps": (24, 16, 17)}
    images = np.random.default_rng(2).normal(size=(1, 96, 64, 3)).astype("float32")
    assert difference(answers(path, images), small((96, 64))(images)) < 1e-5
    save_model(small((None, None)), CARD, tmp_path / "open.keras")
    with pytest.raises(ValueError, match="--size=256x192"):
        convert(tmp_path / "open.keras", tmp_path, "y.tflite")
    path, _ = convert(tmp_path / "open.keras", tmp_path, "y.tflite", size=SHAPE[:2])
    assert difference(answers(path, IMAGES), small()(IMAGES)) < 1e-5


def test_layers_that_know_their_size_refuse_another(tmp_path):
    save_model(small(odd=layers.Reshape((32, 32, 64))), CARD, tmp_path / "fixed.keras")
    with pytest.raises(ValueError, match="cannot be rebuilt for images of 96x64"):
        convert(tmp_path / "fixed.keras", tmp_path, size=(96, 64))


def _compiled():
    model = small()
    model.compile("adam", "mse")
    return model


def _half():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return small()
    finally:
        keras.config.set_dtype_policy("float32")


def _sequential():
    steps = [keras.Input(SHAPE), layers.Conv2D(4, 3, activation="relu6", name="one")]
    return keras.Sequential([*steps, layers.GlobalAveragePooling2D()])


@pytest.mark.parametrize(
    ("build", "allowed"), [(_compiled, 1e-5), (_half, 0.02), (_sequential, 1e-5)]
)
def test_files_of_users_convert(tmp_path, build, allowed):
    """Fine-tuned and saved compiled, in half precision, or not of this package at all."""
    model = build()
    model.save(tmp_path / "theirs.keras")
    path, _ = convert(tmp_path / "theirs.keras", tmp_path)
    assert read_card(path) is None
    assert difference(answers(path, IMAGES), model(IMAGES)) < allowed


def _damaged():
    model = small()
    model.get_layer("one").set_weights([np.full((3, 3, 3, 64), np.nan), np.zeros(64)])
    return model


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: small(odd=layers.Resizing(9, 9, "bicubic", name="odd")),
            "odd: a Resizing cannot be written for TFLite",
        ),
        (_damaged, "The weights of one are not finite"),
    ],
)
def test_what_cannot_be_converted_is_said_in_a_sentence(tmp_path, build, message):
    build().save(tmp_path / "theirs.keras")
    with pytest.raises(ValueError, match=f"theirs.keras: {message}") as error:
        convert(tmp_path / "theirs.keras", tmp_path)
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == ["theirs.keras"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "`precision` must be one of float32"),
        ({"precision": "int8", "decode": True}, "`decode` needs a float precision"),
        ({"input_type": "int8"}, "`input_type` must be float32"),
        ({"precision": "int8", "output_type": "int16"}, "`output_type` must be"),
        ({"batch": 0}, "`batch` must be at least 1"),
        ({"calibration": "nowhere.json"}, "nowhere.json: no such file"),
    ],
)
def test_options_that_do_not_go_together(source, tmp_path, options, message):
    with pytest.raises((ValueError, OSError), match=message):
        convert(source, tmp_path, **{"count": 1, **options})
    assert not os.listdir(tmp_path)


def test_wrong_files_and_names(source, tmp_path):
    (tmp_path / "text.keras").write_text("no network")
    for model, message in (
        ("w.pth", "`model` must be a preset or a .keras, .h5, .tflite or .onnx file"),
        ("x.tflite", "no such file"),
        (tmp_path / "text.keras", "cannot be opened by Keras"),
        (tmp_path / "none.keras", "no such file"),
        ("hrnet_w32_coco", "Did you mean"),
    ):
        with pytest.raises((ValueError, OSError), match=message):
            convert(model, tmp_path, "y.tflite")
    with pytest.raises(ValueError, match=r"must end in \.tflite"):
        convert(source, tmp_path, "y.onnx")
    small().save(tmp_path / "nameless.keras")
    with pytest.raises(ValueError, match="`decode` needs a network whose card says how"):
        convert(tmp_path / "nameless.keras", tmp_path, decode=True)
    assert not [*tmp_path.glob("*.tflite")]


def test_nothing_is_replaced_unasked(source):
    """Neither an earlier file nor its card; the card of another file not even on demand."""
    path = to_tflite(source, options=PLAIN, report=lambda line: None)
    assert path == source.with_name("small_float32.tflite")
    with pytest.raises(ValueError, match="add --overwrite"):
        to_tflite(source, options=PLAIN)
    to_tflite(source, options=PLAIN, overwrite=True, report=lambda line: None)
    beside = source.with_suffix(".tflite")
    to_tflite(source, beside, options=PLAIN, overwrite=True, report=lambda line: None)
    assert beside.with_name("small.tflite.json").is_file()
    assert read_card(source) == read_card(beside) == CARD


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_full_disk_and_ctrl_c_leave_nothing(source, tmp_path, monkeypatch, fault):
    def fail(path, content):
        path.open("wb").close()
        raise fault

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(type(fault)) as error:
        convert(source, tmp_path)
    assert not os.listdir(tmp_path)
    if isinstance(fault, OSError):
        assert "x.tflite: cannot be written (No space left)" in str(error.value)


def test_a_preset_is_converted_with_a_checkpoint(tmp_path, monkeypatch):
    """The hash in the card is the checkpoint's; without network the way out is named."""
    facts = ("https://nowhere.invalid/x.pth", "", "drawings", "AP 1", "own", "here")
    monkeypatch.setitem(PRESETS, "small", Preset("small", small, {}, CARD, *facts))
    model, arrays = small(), {}
    for layer in model.layers[1:]:
        kernel, bias = layer.get_weights()
        arrays |= {f"{layer.name}.weight": kernel.transpose(3, 2, 0, 1), f"{layer.name}.bias": bias}
    np.savez(tmp_path / "w.npz", **arrays)
    monkeypatch.chdir(tmp_path)
    path = to_tflite("small", weights="w.npz", options=PLAIN, report=lambda line: None)
    assert path == Path("small_float32.tflite")
    assert difference(answers(path, IMAGES), model(IMAGES)) < 1e-5
    made = json.loads(path.with_suffix(".json").read_text())["conversion"]
    assert made["source"] == "small" and len(made["source_sha256"]) == 64

    def offline(*_):
        raise ConnectionError("no connection")

    monkeypatch.setattr("hrnet_tf.presets.download", offline)
    with pytest.raises(OSError, match=r"--weights=FILE.*--model=FILE\.keras.*no connection"):
        open_source("small")


def test_the_command_takes_flags_alone(source, tmp_path, capsys):
    model, output = f"--model={source}", f"--output={tmp_path / 'a.tflite'}"
    for words, message in (
        (["x.keras"], "everything is given by flags"),
        (["--int8", "--float16"], "one precision at a time. Received: float16, int8"),
        (["--size=256"], "`--size` must be HEIGHTxWIDTH"),
    ):
        assert cli.main(["convert", model, output, *words]) == 2
        assert message in capsys.readouterr().err
    assert cli.main(["convert", model, output, "--noverify", "--float16"]) == 0
    assert "Wrote" in capsys.readouterr().out
    assert cli.main(["convert", model, output]) == 1
    assert "--overwrite" in capsys.readouterr().err


def test_android_receives_file_and_card(source, tmp_path, monkeypatch, capsys):
    assets = tmp_path / "android_demo" / "app" / "src" / "main" / "assets"
    monkeypatch.setattr(command, "ASSETS", assets)
    words = ["convert", f"--model={source}", "--noverify", "--android"]
    assert cli.main(words) == 1
    assert "there is no Android app here" in capsys.readouterr().err
    (tmp_path / "android_demo").mkdir()
    assert cli.main(words) == 0
    assert sorted(os.listdir(assets)) == ["small_float32.json", "small_float32.tflite"]
    words[1] = "--model=mask_rcnn_hrnet_w18_coco"
    assert cli.main(words) == 1
    assert "which also takes boxes" in capsys.readouterr().err


def test_help_teaches_at_once():
    """All precisions are described before TensorFlow is there."""
    code = "import sys; from hrnet_tf.cli import main; main(['convert', '--help'])\n"
    code += "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for word in ("hrnet-tf convert --model=", "--[no]int8", "int8_float_head", "--calibration"):
        assert word in done.stdout


def test_an_interrupted_script_says_so_and_leaves_nothing(source, tmp_path):
    words = [f"--model={source}", f"--output={tmp_path / 'x.tflite'}", "--int8"]
    command = [sys.executable, str(SCRIPT), *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while "Converting" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.splitlines() == ["to_tflite: interrupted; nothing was written."]
    assert not os.listdir(tmp_path)


def test_training_for_int8_is_one_flag(tmp_path, capsys):
    """By the recipe beside the network; what is trained already is not trained again."""
    recipe = tiny_training.write_recipe(tmp_path, **tiny_training.PLAIN, batch_size=5)
    words = ["convert", f"--model={tmp_path / 'model.keras'}", "--qat", "--qat_epochs=1"]
    words += ["--count=8", "--qat_rate=0.001", "--overwrite"]
    save_model(lively(tiny_training.network("w18", SHAPE, 17, "v1")), recipe.card, words[1][8:])
    assert cli.main(words) == 1
    assert "recipe.json: no recipe lies beside" in capsys.readouterr().err
    (tmp_path / "recipe.json").write_text(recipe.to_json())
    times = []
    for _ in range(2):
        assert cli.main(words) == 0
        made = json.loads((tmp_path / "model_qat_int8.json").read_text())["conversion"]
        assert made["training"] == {"epochs": 1, "learning_rate": 0.001}
        assert made["verification"]["precision"] == "int8"
        trained = tmp_path / "model_qat_int8_training" / "model.keras"
        times.append(trained.stat().st_mtime_ns)
    assert times[0] == times[1]


LARGE = {
    "pose_hrnet_w32_256x192": lambda: hrnet_tf.pose("w32"),
    "mmpose_litehrnet18_256x192": lambda: hrnet_tf.pose("lite18"),
    "cls_hrnet_w18": lambda: hrnet_tf.classification("w18"),
    "seg_hrnet_w48_ac0": lambda: hrnet_tf.segmentation("w48", 19, (256, 512, 3)),
    "seg_hrnet_w48_ocr": lambda: hrnet_tf.segmentation(
        "w48", 19, (256, 512, 3), head="ocr", align_corners=True
    ),
}


def test_the_demo_ends_with_a_table_of_files(tmp_path):
    recipe = tiny_training.write_recipe(tmp_path, **tiny_training.PLAIN, batch_size=5)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "recipe.json").write_text(recipe.to_json())
    network = lively(tiny_training.network("w18", SHAPE, 17, "v1"))
    save_model(network, recipe.card, tmp_path / "model" / "model.keras")
    heads, *rows = convert_demo(tmp_path, threads=1)
    assert heads.split()[:5] == ["file", "numbers", "MB", "AP", "ΔAP"]
    names = ["float32", "float16", "int8", "qat_int8"]
    names = ["model.keras", *(f"model_{name}.tflite" for name in names)]
    assert [row.split()[0] for row in rows] == names
    accuracies = [float(row.split()[3]) for row in rows]
    assert accuracies[:3] == pytest.approx([accuracies[0]] * 3, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_float32_files_equal_the_original_implementations(golden, tmp_path, name):
    """Not only the network they were made of: the same bound holds for the files."""
    reference, model = golden(name), LARGE[name]()
    hrnet_tf.load_checkpoint(model, reference.weights())
    model.save(tmp_path / "large.keras")
    path, _ = convert(tmp_path / "large.keras", tmp_path)
    image = reference.image()
    networks = answers(path, image), KerasNetwork(model)({"image": image})
    # Without a card a file has all outputs, also the one that only training needs.
    found, kept = (each.get("logits", next(iter(each.values()))) for each in networks)
    main = "output" if "output" in reference.meta["outputs"] else "output1"
    worst, _ = reference.error(found, main)
    assert worst <= 3e-4
    assert difference(found, kept) <= 3e-4


@pytest.mark.slow
def test_w48_converts(tmp_path):
    model = lively(hrnet_tf.pose("w48"))
    model.save(tmp_path / "large.keras")
    path, _ = convert(tmp_path / "large.keras", tmp_path)
    image = np.random.default_rng(1).normal(size=(1, 256, 192, 3)).astype("float32")
    assert difference(answers(path, image), model(image)) <= 3e-4


@pytest.mark.data
@pytest.mark.parametrize("size", ["128x96", pytest.param("256x192", marks=pytest.mark.slow)])
def test_float_files_find_real_people_as_well_as_their_source(data_dir, tmp_path, size):
    """PP-TinyPose on COCO photos: AP within .001, by the same boxes, codec and flip test."""
    weights = data_dir / "tinypose" / f"derived_tinypose_{size}.npz"
    folder = data_dir / "coco_kp_subset"
    files = folder / "annotations" / "person_keypoints_val2017.json", folder / "val2017"

    def precision_of(predictor):
        return evaluate(predictor, *files, protocol="annotated").numbers["AP"]

    wanted = precision_of(PosePredictor(f"tinypose_{size}", flip=True, weights=weights))
    for precision in ("float32", "float16"):
        options = Options(precision=precision, verify=False)
        path = to_tflite(f"tinypose_{size}", tmp_path / f"{precision}.tflite", weights, options)
        assert precision_of(PosePredictor(path, flip=True)) == pytest.approx(wanted, abs=0.001)
