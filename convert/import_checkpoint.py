r"""Turns a published checkpoint into a `.keras` file that opens with Keras alone.

    python convert/import_checkpoint.py --model=hrnet_w32_coco_256x192 \
        --weights=pose_hrnet_w32_256x192.pth --output=hrnet_w32.keras

The card `hrnet_w32.json` beside it says how to feed the network and read its maps.
"""

import sys
from pathlib import Path

try:
    from absl import app, flags

    from hrnet_tf.card import card_path, save_model
    from hrnet_tf.presets import PRESETS, from_preset
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed. Run `pip install -e .` in the checkout first.")


def import_checkpoint(preset: str, weights, output, overwrite: bool = False) -> Path:
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
    output = Path(output)
    if output.suffix != ".keras":
        raise ValueError(f"`output` must end in .keras. Received: output={str(output)!r}.")
    for path in (output, card_path(output)):
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists. Choose another --output or add --overwrite.")
    model = from_preset(preset, weights=weights)
    save_model(model, PRESETS[preset].card, output)
    return output


def main(argv: list[str], values: flags.FlagValues = flags.FLAGS) -> int:
    try:
        if len(argv) > 1:
            raise ValueError(f"Everything is given by flags. Received: {argv[1]!r}.")
        path = import_checkpoint(values.model, values.weights, values.output, values.overwrite)
    except (OSError, ValueError) as error:
        print(f"import_checkpoint: {error}", file=sys.stderr)
        return 1
    card = card_path(path)
    print(f"Wrote {path}" + (f" and its card {card}." if card.exists() else "."))
    return 0


if __name__ == "__main__":
    flags.DEFINE_string("model", "hrnet_w32_coco_256x192", "preset: see `hrnet-tf models`")
    flags.DEFINE_string("weights", None, "checkpoint: .pth, .npz or .safetensors", required=True)
    flags.DEFINE_string("output", None, "the .keras file to write", required=True)
    flags.DEFINE_bool("overwrite", False, "replace existing files")
    app.run(main)
