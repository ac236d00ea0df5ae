"""What accelerators take of a file, by rules and by compilers, and the Edge TPU file itself."""

import dataclasses
import json
import os
import stat

import keras
import numpy as np
import pytest
from absl import flags

from hrnet_tf.cards.files import save_model
from hrnet_tf.convert import to_edgetpu as command
from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.convert.graph.shuffles import fold_shuffles
from hrnet_tf.convert.reports.op_list import Operation, Tensor, read_operations
from hrnet_tf.convert.reports.targets import edge_tpu, gpu
from hrnet_tf.convert.to_edgetpu import compile_edge_tpu, reports, to_edgetpu
from hrnet_tf.networks.pose import pose

from tiny_networks import NAIVE, SHAPE, lively

CROPS = {"image": np.random.default_rng(1).normal(size=(3, *SHAPE)).astype("float32")}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A light network with its channel shuffles, float, and int8 with them folded."""
    folder = tmp_path_factory.mktemp("files")
    graph = merge_resizes(fold_norms(read_graph(lively(pose(NAIVE, SHAPE)))))
    (folder / "shuffled.tflite").write_bytes(tflite(graph, "float32"))
    content = tflite(fold_shuffles(graph), "int8_min_max", CROPS, "int8", "int8")
    (folder / "folded.tflite").write_bytes(content)
    return folder


def as_int8(operations):
    """The same operations on integers."""

    def tensors(each):
        return tuple(dataclasses.replace(t, dtype="int8") for t in each)

    return [
        dataclasses.replace(each, inputs=tensors(each.inputs), outputs=tensors(each.outputs))
        for each in operations
    ]


def operation(name, shape=(1, 8, 8, 4), dtype="int8", version=1, **settings):
    image, result = Tensor("image", shape, dtype), Tensor("result", shape, dtype)
    return Operation(name, version, (image,), (result,), settings)


def test_a_light_network_maps_whole_once_its_shuffles_are_folded(files):
    """On Edge TPU and GPU alike; before, all behind the first shuffle stays on the CPU."""
    operations = as_int8(read_operations(files / "shuffled.tflite"))
    report = edge_tpu(operations)
    assert report.first.name == "RESHAPE" and "three axes" in report.first.reason
    assert "folds channel shuffles" in report.first.remedy
    assert operations[report.first.number].name == "RESHAPE"
    assert {each.name for each in gpu(operations).left} == {each.name for each in report.left}
    assert f"The {len(operations) - report.first.number - 1} operations behind" in report.notes[0]
    for check in (edge_tpu, gpu):
        assert check(read_operations(files / "folded.tflite")).left == ()


@pytest.mark.parametrize(
    ("each", "reason"),
    [
        (operation("TILE"), "not among its operations"),
        (operation("CONV_2D", dtype="float32"), "float32"),
        (operation("CONV_2D", dtype="int16"), "int16"),
        (operation("ADD", shape=(1, -1, 8, 4)), "open size"),
        (operation("ADD", shape=(2, 8, 8, 4)), "more than one image"),
        (operation("ADD", shape=(1, 2, 8, 8, 4)), "three axes"),
        (operation("RESIZE_BILINEAR", version=3), "version 3"),
        (operation("CONCATENATION", fusedActivationFunction=1), "fused activation"),
        (operation("CONV_2D", dilationHFactor=1, dilationWFactor=2), "dilation"),
        (operation("SOFTMAX"), "more than one axis"),
        (operation("SOFTMAX", shape=(1, 20_000)), "16000"),
        (operation("TRANSPOSE"), "compiler 16"),
        (operation("RESIZE_BILINEAR", version=2), None),
        (operation("CONCATENATION", fusedActivationFunction=0), None),
        (operation("CONV_2D", dilationHFactor=2, dilationWFactor=2), None),
        (operation("SOFTMAX", shape=(1, 1000)), None),
    ],
)
def test_the_rules_of_edge_tpu(each, reason):
    first = edge_tpu([each]).first
    assert (first is None) if reason is None else (reason in first.reason and first.remedy)


@pytest.mark.parametrize(
    ("each", "reason"),
    [
        (operation("GATHER_ND"), "not among its operations"),
        (operation("ADD", dtype="int16"), "int16"),
        (operation("RESHAPE", shape=(1, 2, 8, 8, 4)), "four axes"),
        (operation("SLICE", shape=(8, 4)), "three or four axes"),
        (operation("STRIDED_SLICE", shrinkAxisMask=1), "drops axes"),
        (operation("SOFTMAX", beta=2.0), "beta"),
        (operation("SOFTMAX", beta=1.0), None),
        (operation("ADD", dtype="float32"), None),
        (operation("ADD", dtype="int8"), None),
    ],
)
def test_the_rules_of_the_gpu_delegate(each, reason):
    first = gpu([each]).first
    assert (first is None) if reason is None else (reason in first.reason and first.remedy)


def test_a_float_image_and_result_may_stay_on_the_cpu():
    tensors = [Tensor("a", (1, 4), "float32"), *(Tensor(n, (1, 4), "int8") for n in "bc")]
    tensors.append(Tensor("d", (1, 4), "float32"))
    names = ("QUANTIZE", "RELU", "DEQUANTIZE")
    pairs = zip(names, tensors, tensors[1:], strict=False)
    report = edge_tpu([Operation(name, 1, (a,), (b,)) for name, a, b in pairs])
    assert [each.name for each in report.left] == ["QUANTIZE", "DEQUANTIZE"]
    assert report.first is None and report.notes == ()
    middle = edge_tpu([Operation("DEQUANTIZE", 1, (tensors[2],), (tensors[3],))] * 2)
    assert middle.first is None  # its result is read by nobody
    read = Operation("RELU", 1, (tensors[3],), (tensors[0],))
    assert edge_tpu([Operation("DEQUANTIZE", 1, (tensors[2],), (tensors[3],)), read]).first


def program(folder, name, text):
    """A shell script on PATH."""
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder in front of PATH, without vela or a compiler in it yet."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr("sys.executable", str(folder / "python"))
    return folder


COMPILER = """
while [ $# -gt 1 ]; do [ "$1" = --out_dir ] && out=$2; shift; done
(cat "$1"; echo compiled) > "$out/$(basename "$1" .tflite)_edgetpu.tflite"
echo "Number of operations that will run on Edge TPU: 7"
"""


@pytest.fixture
def small(files, tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes((files / "folded.tflite").read_bytes())
    return path


def test_the_compiler_writes_a_file_beside(programs, small):
    program(programs, "edgetpu_compiler", COMPILER)
    said = []
    to_edgetpu(small, report=said.append)
    made = small.with_name("net_edgetpu.tflite")
    assert made.read_bytes() == small.read_bytes() + b"compiled\n"
    assert "Edge TPU: 7" in said[-2] and str(made) in said[-1]
    with pytest.raises(ValueError, match="--overwrite"):
        compile_edge_tpu(small)
    compile_edge_tpu(small, overwrite=True)


def test_a_compiler_that_fails_or_is_missing_is_said_in_a_sentence(programs, small):
    said = []
    to_edgetpu(small, report=said.append)
    assert "edgetpu_compiler is not on PATH" in said[-1] and "\n" not in said[-1]
    for text in ("echo Internal compiler error. >&2; exit 1", "exit 0"):
        program(programs, "edgetpu_compiler", text)
        with pytest.raises(ValueError, match="cannot compile it"):
            compile_edge_tpu(small)
    assert not small.with_name("net_edgetpu.tflite").exists()


VELA = """
file=$1; out=$3
echo "inference_time,sram_memory_used" > "$out/net_summary_X.csv"
echo "0.0123,45.6" >> "$out/net_summary_X.csv"
cat <<END
Warning (supported operators) operator: RESIZE_BILINEAR, ofm: 'TENSOR'
Reason: unsupported scale-factor=3 (TENSOR)
CPU operators = 1 (0.4%)
NPU operators = 262 (99.6%)
END
"""


def test_vela_judges_for_ethos_u(programs, small):
    """Its warnings find their place among the operations of the file."""
    with pytest.raises(ModuleNotFoundError, match="pip install ethos-u-vela"):
        reports(small, ("ethos_u",))
    operations = read_operations(small)
    place = max(n for n, each in enumerate(operations) if each.name == "RESIZE_BILINEAR")
    program(programs, "vela", VELA.replace("TENSOR", operations[place].outputs[0].name))
    (report,) = reports(small, ("ethos_u",))
    assert report.operations == 263 and report.first.number == place
    assert report.first.reason == "unsupported scale-factor=3"
    assert any("12.30 ms per image and 46 KiB" in line for line in report.lines())
    program(programs, "vela", "echo Error: invalid file; exit 1")
    with pytest.raises(ValueError, match="vela cannot compile it"):
        reports(small, ("ethos_u",))


def test_unusable_arguments_are_said_in_a_sentence(small, tmp_path):
    with pytest.raises(ValueError, match="`targets` must be some of"):
        reports(small, ("npu",))
    with pytest.raises(ValueError, match=r"must be a \.tflite file"):
        reports(tmp_path / "x.keras")
    (tmp_path / "cut.tflite").write_bytes(small.read_bytes()[:2000])
    with pytest.raises(ValueError, match="not a whole"):
        reports(tmp_path / "cut.tflite")


def test_a_network_is_converted_for_accelerators(programs, tmp_path, capsys):
    """Upsampled by one operation, under a name that a file for CPUs does not have."""
    image = keras.Input(SHAPE)
    x = keras.layers.UpSampling2D()(keras.layers.Conv2D(4, 3)(image))
    save_model(
        lively(keras.Model(image, keras.layers.Conv2D(17, 3)(x))), None, tmp_path / "x.keras"
    )
    values = flags.FlagValues()
    command.define_flags(values)
    values(["to_edgetpu", f"--model={tmp_path / 'x.keras'}", "--count=4"])
    assert command.run(values, []) == 0
    names = [each.name for each in read_operations(tmp_path / "x_nocpu_int8.tflite")]
    assert names == ["CONV_2D", "RESIZE_NEAREST_NEIGHBOR", "CONV_2D"]
    assert "takes 3 of 3 operations" in capsys.readouterr().out


def test_the_command_reports_on_a_file(programs, small, tmp_path, capsys):
    values = flags.FlagValues()
    command.define_flags(values)
    output = tmp_path / "report.json"
    values(["to_edgetpu", f"--model={small}", "--report=edge_tpu,gpu", f"--json={output}"])
    assert command.run(values, []) == 0
    assert "GPU delegate: takes" in capsys.readouterr().out
    assert [each["target"] for each in json.loads(output.read_text())] == [
        "Edge TPU",
        "GPU delegate",
    ]
