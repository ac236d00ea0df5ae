"""What users type and import stays as it is: public names, commands, flags and their help.

A change that is meant is written down with

    HRNET_TF_WRITE_PUBLIC=1 pytest tests/test_public.py

and shows in the difference of `tests/public/`.
"""

import importlib
import inspect
import os
from pathlib import Path

import pytest
from absl import flags

import hrnet_tf
from hrnet_tf import cli

FOLDER = Path(__file__).parent / "public"
SCRIPTS = ("import_checkpoint", "layer_report", "to_edgetpu", "to_onnx", "to_savedmodel")
SCRIPTS += ("to_tflite", "verify")


def check(name, text):
    """Compares a text with the one that was written down."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get("HRNET_TF_WRITE_PUBLIC"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_public_names():
    """Names of the package, and the parameters of what can be called."""
    lines = []
    for name in hrnet_tf.__all__:
        each = getattr(hrnet_tf, name)
        parameters = inspect.signature(each).parameters if callable(each) else ()
        lines.append(" ".join([name, *parameters]))
    check("names", "\n".join(lines) + "\n")


@pytest.mark.parametrize("command", ["", *cli.COMMANDS])
def test_help_of_commands(command, capsys):
    assert cli.main([*command.split(), "--help"]) == 0
    check(f"hrnet-tf_{command}".rstrip("_"), capsys.readouterr().out)


@pytest.mark.parametrize("script", SCRIPTS)
def test_flags_of_scripts(script):
    values = flags.FlagValues()
    importlib.import_module(f"hrnet_tf.convert.{script}").define_flags(values)
    lines = (f"--{name} ({values[name].default}): {values[name].help}" for name in values)
    check(f"convert_{script}", "\n".join(lines) + "\n")
