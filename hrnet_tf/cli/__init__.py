"""The program `hrnet-tf`: its arguments are a command, flags and inputs.

Each command is a `Command` in a module of this folder.
"""

import importlib.metadata
import sys
import warnings

from absl import flags

from hrnet_tf.cli.app import APP
from hrnet_tf.cli.command import UsageError
from hrnet_tf.cli.compare import COMPARE
from hrnet_tf.cli.convert import CONVERT
from hrnet_tf.cli.evaluate import EVALUATE
from hrnet_tf.cli.models import MODELS
from hrnet_tf.cli.predict import PREDICT
from hrnet_tf.cli.train import DEMO, INSPECT, TRAIN
from hrnet_tf.names import did_you_mean

COMMANDS = {
    "demo": DEMO,
    "inspect": INSPECT,
    "train": TRAIN,
    "predict": PREDICT,
    "app": APP,
    "evaluate": EVALUATE,
    "convert": CONVERT,
    "compare": COMPARE,
    "models": MODELS,
}


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns 0, 1 if something failed, 2 for wrong usage, or 130 after ^C."""
    name, *words = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("--help", "-h", "help"):
        return _print_overview()
    if name == "--version":
        print(f"hrnet-tf {importlib.metadata.version('hrnet_tf')}")
        return 0
    try:
        if name not in COMMANDS:
            raise UsageError(f"no command {name!r}.{did_you_mean(name, COMMANDS, n=1)}")
        command = COMMANDS[name]
        values = command.flags()
        values.set_gnu_getopt(True)  # flags may follow the inputs
        if {"--help", "-h"} & set(words):
            return _print_help(name, command, values)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")  # we report bad pictures
            return command.run(values, values([name, *words])[1:])
    except (UsageError, flags.Error) as error:
        where = f"hrnet-tf {name}" if name in COMMANDS else "hrnet-tf"
        print(f"{where}: {str(error).replace(' ?', '?')} See `{where} --help`.", file=sys.stderr)
        return 2
    except (OSError, ValueError, ModuleNotFoundError) as error:
        print(f"hrnet-tf {name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"hrnet-tf {name}: interrupted; what was finished is kept.", file=sys.stderr)
        return 130


def _print_overview():
    print("hrnet-tf: HRNet for TensorFlow and Keras.\n")
    for name, command in COMMANDS.items():
        print(f"  hrnet-tf {name:<10} {command.summary}")
    print("\n`hrnet-tf COMMAND --help` lists the flags of a command, with examples.")
    return 0


def _print_help(name, command, values):
    print(f"hrnet-tf {name}: {command.summary}\n\n{command.usage}")
    for flag in (values[name] for name in values):
        form = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}=…"
        default = ",".join(flag.default) if isinstance(flag.default, list) else flag.default
        default = "" if default in (None, False) else f" (default: {default})"
        print(f"  {form:<22} {flag.help}{default}")
    return 0
