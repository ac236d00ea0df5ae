"""How a network becomes a `.tflite` file: what can be chosen, and what goes together."""

import dataclasses
import os
from pathlib import Path

from hrnet_tf.convert.integers.precisions import PRECISIONS, Precision


@dataclasses.dataclass(frozen=True)
class Options:
    """How a network becomes a file.

    Attributes:
        precision: key of `precisions.PRECISIONS`.
        calibration: where crops come from, to measure ranges on and compare file and network: a
            COCO file, a folder of pictures, or None for drawn people.
        images: folder of the COCO file's pictures; found beside it if None.
        count: how many crops.
        seed: which ones.
        input_type: "float32", "int8" or "uint8"; None for that of the precision.
        output_type: likewise.
        size: (height, width) of the images; None for the network's own.
        batch: images per call.
        decode: a second output "keypoints" (batch, K, 3), x and y in pixels of the image and
            score, for the CPU.
        verify: compare the file with its source.
        cpu: upsample by operations that XNNPACK takes; other accelerators have one of their own.
        qat: train for integers first, in the folder NAME_training beside the file.
        recipe: whose data and values that takes: a name or a file; None for the recipe.json beside
            the network.
        qat_epochs: how often it sees them.
        qat_rate: learning rate.
    """

    precision: str = "float32"
    calibration: str | os.PathLike | None = None
    images: str | os.PathLike | None = None
    count: int = 200
    seed: int = 0
    input_type: str | None = None
    output_type: str | None = None
    size: tuple[int, int] | None = None
    batch: int = 1
    decode: bool = False
    verify: bool = True
    cpu: bool = True
    qat: bool = False
    recipe: str | os.PathLike | None = None
    qat_epochs: int = 5
    qat_rate: float = 3e-5


def default_output(model: str | os.PathLike, options: Options) -> Path:
    """`model.keras` -> `model_int8.tflite` beside it; the file of a preset is made here."""
    path = Path(model)
    size = f"_{options.size[0]}x{options.size[1]}" if options.size else ""
    kind = f"{'_qat' * options.qat}{'_nocpu' * (not options.cpu)}_{options.precision}"
    return path.with_name(f"{path.name.removesuffix('.keras')}{size}{kind}.tflite")


def check(options: Options) -> Precision:
    """The precision of options that go together.

    Raises:
        OSError, ValueError: they do not.
    """
    if options.precision not in PRECISIONS:
        raise ValueError(
            f"`precision` must be one of {', '.join(PRECISIONS)}. "
            f"Received: precision={options.precision!r}."
        )
    precision = PRECISIONS[options.precision]
    if options.decode and precision.calibrated:
        raise ValueError(
            "`decode` needs a float precision: integers of 8 bits cannot say where a keypoint is. "
            f"Received: precision={options.precision!r}. Choose float16, or decode outside."
        )
    if options.qat and precision.activations != 8:
        raise ValueError(
            "`qat` trains for integers of 8 bits. "
            f"Received: precision={options.precision!r}. Choose int8."
        )
    if options.batch < 1:
        raise ValueError(f"`batch` must be at least 1. Received: batch={options.batch}.")
    if options.calibration and not Path(options.calibration).exists():
        raise FileNotFoundError(f"{options.calibration}: no such file or folder; check its name.")
    return precision


def types(options: Options, precision: Precision) -> tuple[str, str]:
    """The numbers that go in and come out: integers if everything between is."""
    integers = precision.activations == 8
    maps = "int8" if integers and not precision.float_head else "float32"
    return options.input_type or ("int8" if integers else "float32"), options.output_type or maps
