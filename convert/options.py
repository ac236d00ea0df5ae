"""How a network becomes a `.tflite` file: the options, and which of them go together."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from hrnet_tf.convert.integers.precisions import PRECISIONS, TYPES, Precision
from hrnet_tf.names import check_choice

# Other options with which some have an effect; see `fields.misplaced`.
TRAINERS = ("ours", "tfmot")
QAT, CALIBRATION = ("qat", (True,)), ("calibration", None)


@dataclass(frozen=True)
class Options:
    """How a network becomes a `.tflite` file.

    Attributes:
        precision: a key of `precisions.PRECISIONS`.
        calibration: COCO file or folder of pictures to measure ranges on (default: drawn people).
        images: folder of that file's pictures (default: beside it).
        count: number of crops to measure ranges on.
        seed: which crops.
        input_type: number type of the image (default: that of the precision).
        output_type: number type of the outputs (default: that of the precision).
        size: HEIGHTxWIDTH of the images (default: the network's).
        batch: images per call.
        decode: a second output: keypoints, for the CPU.
        verify: compare the file with the network.
        cpu: upsample in the way that is fast on CPUs; --nocpu for GPUs and other accelerators.
        qat: train for int8 first: most accurate.
        qat_by: what trains: ours, or tfmot for tensorflow-model-optimization.
        recipe: recipe whose data the training takes, a name or a file (default: recipe.json beside
            the model).
        qat_epochs: passes of the training over its data.
        qat_rate: learning rate of the training.
    """

    precision: str = "float32"
    calibration: str | os.PathLike | None = None
    images: str | os.PathLike | None = field(default=None, metadata={"only": CALIBRATION})
    count: int = field(default=200, metadata={"least": 1})
    seed: int = 0
    input_type: str | None = field(default=None, metadata={"choices": TYPES})
    output_type: str | None = field(default=None, metadata={"choices": TYPES})
    size: tuple[int, int] | None = None
    batch: int = field(default=1, metadata={"least": 1})
    decode: bool = False
    verify: bool = True
    cpu: bool = True
    qat: bool = False
    qat_by: str = field(default="ours", metadata={"choices": TRAINERS, "only": QAT})
    recipe: str | os.PathLike | None = field(default=None, metadata={"only": QAT})
    qat_epochs: int = field(default=5, metadata={"least": 1, "only": QAT})
    qat_rate: float = field(default=3e-5, metadata={"least": 0, "only": QAT})

    @property
    def by_tfmot(self) -> bool:
        """Whether tensorflow-model-optimization trains."""
        return self.qat and self.qat_by == "tfmot"


def beside(model: object) -> Path:
    """Where files made of a network lie, without a suffix: `x.keras` -> `x`.

    Those of a run's folder lie in it; those of a preset or a Keras model in the working directory.
    """
    if not isinstance(model, str | os.PathLike):
        return Path(model.name)
    path = Path(model)
    if path.is_dir() and (path / "model.keras").is_file():
        return path / "model"
    return path.with_suffix("") if path.suffix in (".keras", ".h5", ".hdf5") else path


def default_output(model: object, options: Options) -> Path:
    """`model.keras` -> `model_int8.tflite` beside it; the file of a preset is made here."""
    path = beside(model)
    size = f"_{options.size[0]}x{options.size[1]}" if options.size else ""
    trained = f"{'_qat' * options.qat}{'_tfmot' * options.by_tfmot}"
    kind = f"{trained}{'_nocpu' * (not options.cpu)}_{options.precision}"
    return path.with_name(f"{path.name}{size}{kind}.tflite")


def check(options: Options) -> Precision:
    """The precision of options that go together.

    Raises:
        OSError, ValueError: they do not.
    """
    check_choice("precision", options.precision, PRECISIONS)
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
    check_choice("qat_by", options.qat_by, TRAINERS)
    if options.by_tfmot and options.precision != "int8":
        raise ValueError(
            "`qat_by=tfmot` makes files whose numbers are all integers. "
            f"Received: precision={options.precision!r}. Choose int8."
        )
    if options.batch < 1:
        raise ValueError(f"`batch` must be at least 1. Received: batch={options.batch}.")
    if options.calibration and not Path(options.calibration).exists():
        raise FileNotFoundError(f"{options.calibration}: no such file or folder; check its name.")
    return precision


def types(options: Options, precision: Precision) -> tuple[str, str]:
    """Types of inputs and outputs: integers if all operations between are of integers."""
    integers = precision.activations == 8
    outputs = "int8" if integers and not precision.float_head else "float32"
    return options.input_type or ("int8" if integers else "float32"), options.output_type or outputs
