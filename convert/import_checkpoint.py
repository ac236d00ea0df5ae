r"""Turns a published checkpoint into a `.keras` file that opens with Keras alone.

    python convert/import_checkpoint.py --model=hrnet_w32_coco_256x192 \
        --weights=pose_hrnet_w32_256x192.pth --output=hrnet_w32.keras

The card `hrnet_w32.json` beside it says how to feed the network and read its maps.
"""

import os
import sys
from pathlib import Path

try:
    from absl import flags

    from hrnet_tf.convert.script import DEFAULT_MODEL, check_output, script
    from hrnet_tf.quiet import import_keras
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed. Run `pip install -e .` in the checkout first.")


def import_checkpoint(
    preset: str,
    weights: str | os.PathLike,
    output: str | os.PathLike,
    overwrite: bool = False,
) -> Path:
    """Builds the network of a preset, loads a checkpoint and saves both model and card.

    Args:
        preset: its name; `hrnet-tf models` lists them.
        weights: a file that `hrnet_tf.load_checkpoint` reads.
        output: the `.keras` file to write.
        overwrite: replace an existing file.

    Returns:
        `output` as a path.

    Raises:
        OSError, ValueError: unusable arguments or files.
    """
    output = check_output(output, ".keras", weights, overwrite)
    import_keras()
    from hrnet_tf.cards.files import save_model
    from hrnet_tf.presets import PRESETS, from_preset

    save_model(from_preset(preset, weights=weights), PRESETS[preset].card, output)
    return output


def define_flags(values: flags.FlagValues) -> None:
    """The flags of the command."""
    text = flags.DEFINE_string
    text("model", DEFAULT_MODEL, "preset: see `hrnet-tf models`", flag_values=values)
    text("weights", None, "checkpoint: .pth, .npz or .safetensors", flag_values=values)
    text("output", None, "the .keras file to write", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace existing files", flag_values=values)
    flags.mark_flags_as_required(["weights", "output"], values)


def run(values: flags.FlagValues, words: list[str]) -> int:
    """The command behind its flags."""
    if words:
        raise flags.Error(f"everything is given by flags. Received: {words[0]!r}.")
    path = import_checkpoint(values.model, values.weights, values.output, values.overwrite)
    card = path.with_suffix(".json")
    print(f"Wrote {path}" + (f" and its card {card}." if card.exists() else "."))
    return 0


if __name__ == "__main__":
    script(define_flags, run)
