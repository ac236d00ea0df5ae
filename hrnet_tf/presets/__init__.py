"""Published weights as data, and `from_preset`.

A name consists of architecture, variant, data set, and input height x width:
`hrnet_w32_coco_256x192`, `hrnet_w32_dark_coco_384x288`, `hrnet_w48_ocr_cityscapes_512x1024`,
`hrnet_w18_imagenet_224x224`. The original repositories publish on drives without stable addresses,
so their files load by path: `pose_hrnet_w32_256x192.pth` (AP .744) fits `hrnet_w32_coco_256x192`.

The cache keeps the published file and no converted one: building W32 and reading its file takes a
third of the time of `keras.models.load_model` (`python benchmarks/weights.py`).
"""

import os
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from hrnet_tf.collection import uncollected
from hrnet_tf.names import did_you_mean
from hrnet_tf.patches.keras_loading import made_when_assigned
from hrnet_tf.presets import classification, detection, landmarks, pose, segmentation
from hrnet_tf.presets.preset import Preset
from hrnet_tf.presets.sizes import SIZES
from hrnet_tf.weights.download import download, is_url
from hrnet_tf.weights.load import load_checkpoint

__all__ = ["PRESETS", "SIZES", "Preset", "find_preset", "from_preset", "weight_file"]

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for table in (pose, landmarks, classification, segmentation, detection)
    for preset in table.PRESETS
}


def find_preset(name: str) -> Preset:
    """The preset of this name.

    Raises:
        ValueError: there is none; the message lists the closest names.
    """
    if name in PRESETS:
        return PRESETS[name]
    # Names are long: `w32_coco` has a similarity of 0.53 to `hrnet_w32_coco_256x192`.
    raise ValueError(
        f"`name` must be a preset. Received: name={name!r}."
        f"{did_you_mean(name, PRESETS, cutoff=0.4)} `hrnet-tf models` lists all."
    )


def weight_file(
    preset: Preset, weights: str | os.PathLike | Mapping[str, np.ndarray] | None
) -> Path | None:
    """The file that `weights` of a preset name, fetched if need be; None for arrays or None.

    Raises:
        OSError: the file cannot be fetched.
        ValueError: nothing published that can be fetched, or not the published file.
    """
    if isinstance(weights, str) and weights == "published":
        if not preset.url:
            raise ValueError(preset.no_download())
        return download(preset.url, preset.sha256)
    if is_url(weights):
        return download(weights)
    if isinstance(weights, str | os.PathLike):
        preset.verify(Path(weights))
        return Path(weights)
    return None


def from_preset(
    name: str,
    weights: str | os.PathLike | Mapping[str, np.ndarray] | None = "published",
    input_shape: tuple | None = None,
) -> keras.Model:
    """Builds a network by the name of its published weights, and loads them.

    Args:
        name: key in `PRESETS`.
        weights: "published" fetches the published file once, with `download.download`. Otherwise
            a checkpoint by path or address (also `hf://OWNER/NAME`), a dict of arrays in PyTorch
            layouts, or None for the architecture alone, randomly initialised.
        input_shape: (height, width, channels) instead of the preset's.

    Returns:
        The model of the preset's builder; `PRESETS[name].card` says how to use it.

    Raises:
        OSError: the file cannot be fetched or read.
        ValueError: an unknown name, nothing published that can be fetched, a file with the
            published name but not the published hash, weights that do not fit, a shape the network
            cannot take.
    """
    preset = find_preset(name)
    weights = weight_file(preset, weights) or weights
    kwargs = preset.kwargs if input_shape is None else {**preset.kwargs, "input_shape": input_shape}
    if weights is None:
        return preset.builder(**kwargs)
    with uncollected(), made_when_assigned():
        model = preset.builder(**kwargs)
        load_checkpoint(model, weights)
    return model
