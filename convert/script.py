"""Shared by the scripts of convert/: errors as one sentence, checks of output paths."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from absl import app, flags

from hrnet_tf.cards.paths import new_card_path
from hrnet_tf.files import prepare_folder

DEFAULT_MODEL = "hrnet_w32_coco_256x192"


def script(
    define_flags: Callable[[flags.FlagValues], None],
    run: Callable[[flags.FlagValues, list[str]], int],
) -> None:
    """Runs a command as `python convert/NAME.py`; exits with 0, 1 failed, 2 usage, 130 ^C."""
    define_flags(flags.FLAGS)
    name = Path(sys.argv[0]).stem

    def main(argv):
        try:
            return run(flags.FLAGS, argv[1:])
        except flags.Error as error:
            print(f"{name}: {error} See --help.", file=sys.stderr)
            return 2
        except (OSError, ValueError, ModuleNotFoundError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"{name}: interrupted; nothing was written.", file=sys.stderr)
            return 130

    app.run(main)


def check_output(output: str | os.PathLike, suffix: str, model: object, overwrite: bool) -> Path:
    """The path of a file that may be written with its card, without replacing `model` or its card.

    Raises:
        OSError, ValueError: it may not.
    """
    output = Path(output)
    if output.suffix != suffix:
        raise ValueError(f"`output` must end in {suffix}. Received: output={str(output)!r}.")
    source = Path(model) if isinstance(model, str | os.PathLike) else None
    inputs = (source, source.with_suffix(".json")) if source else ()
    prepare_folder(output.parent, (output.name, new_card_path(output).name), inputs, overwrite)
    return output


def part_paths(
    output: Path, parts: Iterable[str], model: object, overwrite: bool
) -> dict[str, Path]:
    """The file of each part of a network, checked as by `check_output`: `x.tflite` for "image".

    `x_boxes_1.tflite` is that of "boxes_1".
    """
    return {
        name: output
        if name == "image"
        else check_output(
            output.with_stem(f"{output.stem}_{name}"), output.suffix, model, overwrite
        )
        for name in parts
    }
