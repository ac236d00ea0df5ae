"""`hrnet-tf compare` and the report by layer: tables and pictures of what was measured."""

import hashlib
import json
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import numpy as np
import pytest
from absl import flags

from hrnet_tf import cli
from hrnet_tf.cards.files import read_card, save_model, write_card
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.convert import layer_report
from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.convert.integers.layer_losses import Loss
from hrnet_tf.convert.reports.compare import Row, compare, table
from hrnet_tf.networks.pose import pose
from hrnet_tf.training.data.synthetic.scenes import write_dataset

from tiny_networks import HRNET, SHAPE, lively


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same pose network as Keras and TFLite file, with cards."""
    folder = tmp_path_factory.mktemp("files")
    model = lively(pose(HRNET, SHAPE))
    save_model(model, PoseCard(), folder / "net.keras")
    graph = merge_resizes(fold_norms(read_graph(model)))
    for name in ("float32", "dynamic"):
        path = folder / f"net_{name}.tflite"
        path.write_bytes(tflite(graph, name))
        write_card(path, PoseCard())
    return [folder / f"net{end}" for end in (".keras", "_float32.tflite", "_dynamic.tflite")]


def test_rows_tell_size_numbers_time_and_the_difference_to_the_first(files):
    scores = iter((0.5, 0.5, 0.375))
    seen = []

    def measure(opened):
        seen.append((opened.card, opened.name))
        numbers = {"AP": next(scores), "AP mask": 0.25}
        return SimpleNamespace(numbers=numbers, main=("AP", True), further=("AP mask",))

    name, rows = compare(files, threads=1, measure=measure)
    assert name == "AP" and [each.change for each in rows] == [0, 0, -0.125]
    assert [each.further for each in rows] == [{"AP mask": 0.25}] * 3
    assert [each.precision for each in rows] == ["float32", "float32", "dynamic"]
    assert [each.file for each in rows] == [path.name for path in files]
    for path, row in zip(files, rows, strict=True):
        assert row.megabytes == round(path.stat().st_size / 1e6, 3) and row.milliseconds > 0
    assert seen == [(PoseCard(), str(path)) for path in files]


def test_the_table_has_a_column_of_accuracy_only_if_it_was_measured():
    rows = [Row("a.keras", "float32", 12.0, 0.66, 0.0, 40.0)]
    rows.append(Row("longer.tflite", "int8", 3.004, 0.6555, -0.0045, 8.25))
    assert table("AP", rows, 2) == [
        "file           numbers     MB      AP      ΔAP  ms, 2 threads",
        "a.keras        float32  12.00  0.6600                   40.00",
        "longer.tflite  int8      3.00  0.6555  -0.0045           8.25",
    ]
    parts = Row("parts.tflite", "int8", 3.0, 0.5, 0.0, None, {"AP mask": 0.25})
    assert table("AP", [parts], 2) == [
        "file          numbers    MB      AP  ΔAP  AP mask",
        "parts.tflite  int8     3.00  0.5000        0.2500",
    ]
    assert "AP" not in table("", rows, 2)[0] and "40.00" in table("", rows, 2)[1]


def test_the_command_evaluates_what_it_compares(files, tmp_path, capsys):
    data = write_dataset(tmp_path / "set", 2, seed=0)
    output = tmp_path / "table.json"
    words = [str(path) for path in files[:2]]
    words += [f"--annotations={data}", f"--images={data.parent / 'images'}"]
    assert cli.main(["compare", *words, "--protocol=annotated", f"--output={output}"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3 and "ΔAP" in said[0]
    summary = json.loads(output.read_text())
    assert summary["number"] == "AP" and len(summary["rows"]) == 2
    assert summary["rows"][0]["number"] == pytest.approx(summary["rows"][1]["number"], abs=1e-6)


def test_the_accuracy_of_a_file_is_noted_in_its_card(files, tmp_path, capsys, monkeypatch):
    """What was noted before gives way, all else stays; a .keras file has no such card."""
    # The network is untrained: it matches nobody, for which `evaluate` would print no numbers.
    monkeypatch.setattr("hrnet_tf.training.evaluate._doubt", lambda found: "")
    data = write_dataset(tmp_path / "set", 2, seed=0)
    words = ["evaluate", f"--annotations={data}", f"--images={data.parent / 'images'}", "--record"]
    assert cli.main([*words, f"--model={files[0]}"]) == 1
    assert "net.json: there must be the card" in capsys.readouterr().err
    path = tmp_path / "net.tflite"
    path.write_bytes(files[1].read_bytes())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    facts = {"input": {"scale": 0.1 + 0.2}, "conversion": {"sha256": sha256, "bytes": 5}}
    write_card(path, PoseCard(), facts)
    before = json.loads(path.with_suffix(".json").read_text())
    for protocol, flip in (("original", "--flip"), ("annotated", "--noflip")):
        protocol = f"--protocol={protocol}"
        assert cli.main([*words, f"--model={path}", protocol, flip, "--batch_size=4"]) == 0
    said = capsys.readouterr().out
    assert f"Noted in {path.with_suffix('.json')}." in said
    after = json.loads(path.with_suffix(".json").read_text())
    accuracy = after["conversion"].pop("accuracy")
    assert after == before and read_card(path) == PoseCard()
    assert f"{accuracy['numbers']['AP']:.4f}" in said
    wanted = {"protocol": "annotated", "flip": False, "boxes": "annotated", "left_out": 0}
    assert wanted.items() <= accuracy.items()
    assert accuracy["annotations"] == data.name and accuracy["persons"] > 0
    path.write_bytes(files[2].read_bytes())
    assert cli.main([*words, f"--model={path}"]) == 1
    said = capsys.readouterr().err.strip()
    assert "another file than net.json was written for" in said and "\n" not in said
    assert json.loads(path.with_suffix(".json").read_text())["conversion"]["accuracy"] == accuracy


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "name presets or files"),
        (["x.keras", "--annotations=a.json"], 2, "`--images` is missing"),
        (["none.tflite"], 1, "no such file"),
        (["hrnet_w99"], 1, "hrnet_w99"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_sentence(capsys, words, code, message):
    assert cli.main(["compare", *words]) == code
    said = capsys.readouterr().err.strip()
    assert message in said and "\n" not in said


LOSSES = [Loss("stage2.0 & <bn>", "conv", 12.0, 9.0), Loss("b", "add", 30.0, 8.5)]
LOSSES += [Loss(f"layer{n}", "conv", 31.0 + n, 20.0) for n in range(5)]


def test_a_picture_of_the_worst_layers():
    """A dot and a ring each, farther right where less is lost, and nothing that breaks the XML."""
    picture = layer_report.layer_picture(LOSSES, "net, int8", 3)
    root = ElementTree.fromstring(picture)
    rows = root.findall("{http://www.w3.org/2000/svg}circle")[2:]  # two are the legend
    assert len(rows) == 6
    own = [float(each.get("cx")) for each in rows[::2]]
    assert own == sorted(own) and own[0] < own[1]
    assert float(rows[1].get("cx")) < own[0]
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "stage2.0 & <bn>" in texts and "layer0" in texts and "layer1" not in texts


def test_lines_of_the_worst_layers():
    lines = layer_report.layer_lines(LOSSES, 2)
    assert lines[1].split() == ["stage2.0", "&", "<bn>", "12.0", "9.0", "conv"]
    assert lines[-1] == "and 5 more, own above 31.0" and len(lines) == 4


def test_the_report_of_a_network(files, tmp_path, capsys):
    values = flags.FlagValues()
    layer_report.define_flags(values)
    output = tmp_path / "net.svg"
    words = [f"--model={files[0]}", "--count=2", "--precision=int8_min_max", f"--output={output}"]
    values(["layer_report", *words])
    assert layer_report.run(values, []) == 0
    found = json.loads(output.with_suffix(".json").read_text())
    own = [each["own"] for each in found]
    assert own == sorted(own) and np.isfinite(own).all() and len(own) > 40
    ElementTree.parse(output)
    assert found[0]["name"] in capsys.readouterr().out
    with pytest.raises(ValueError, match="--overwrite"):
        layer_report.run(values, [])
