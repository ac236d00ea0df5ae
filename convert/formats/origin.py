"""Fields of the card beside a converted file: its tensors and its origin."""

import hashlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path

from hrnet_tf.convert.calibration import Calibration
from hrnet_tf.convert.source import Source

LIBRARIES = ("hrnet_tf", "tensorflow", "keras")


def origin(
    content: bytes,
    source: Source,
    precision: str,
    calibration: Calibration | None,
    verification: Mapping | None,
    training: Mapping | None = None,
) -> dict[str, object]:
    """The field "conversion" of a card.

    Args:
        content: of the converted file.
        source: what it was made from.
        precision: name of the precision.
        calibration: what ranges were measured on; None if none were.
        verification: fields of `verify.Verification`; None if the file was not verified.
        training: how it was trained for integers; None if it was not.
    """
    measured = calibration and {"words": calibration.words, "ids": calibration.ids}
    conversion = {
        "source": Path(source.name).name,
        "source_sha256": source.sha256,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "precision": precision,
        "training": training,
        "calibration": measured,
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "verification": verification,
    }
    return {"conversion": conversion}


def tensor_facts(content: bytes, first: Sequence[str] = ()) -> dict[str, object]:
    """Inputs and outputs of a file as fields of its card.

    Args:
        content: of a `.tflite` file.
        first: names of outputs that come before the others.

    Returns:
        "input" and "output", each with name, shape, dtype, scale and zero_point: an integer n
        stands for the number scale * (n - zero_point). "input" is the image if there is one,
        "output" the first by name. "other_inputs" and "other_outputs" list the others, if any.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(content)
    graph = model.Subgraphs(0)
    types = {code: name.lower() for name, code in vars(schema.TensorType).items()}
    names = {}
    if model.SignatureDefsLength():
        signature = model.SignatureDefs(0)
        ends = [signature.Inputs(i) for i in range(signature.InputsLength())]
        ends += [signature.Outputs(i) for i in range(signature.OutputsLength())]
        names = {end.TensorIndex(): end.Name().decode() for end in ends}

    def facts(index):
        tensor, scaling = graph.Tensors(index), graph.Tensors(index).Quantization()
        scaled = scaling is not None and scaling.ScaleLength() > 0
        return {
            "name": names.get(index) or tensor.Name().decode(),
            "shape": tensor.ShapeAsNumpy().tolist(),
            "dtype": types[tensor.Type()],
            "scale": float(scaling.Scale(0)) if scaled else 1.0,
            "zero_point": int(scaling.ZeroPoint(0)) if scaled else 0,
        }

    outputs = [facts(graph.Outputs(i)) for i in range(graph.OutputsLength())]
    inputs = [facts(graph.Inputs(i)) for i in range(graph.InputsLength())]
    if names:
        outputs.sort(key=lambda each: (each["name"] not in first, each["name"]))
    return end_facts(inputs, outputs)


def end_facts(inputs: Sequence[Mapping], outputs: Sequence[Mapping]) -> dict[str, object]:
    """Facts of all inputs and outputs as fields of a card; the first output becomes "output"."""
    image, *more = sorted(inputs, key=lambda each: (each["name"] != "image", each["name"]))
    output, *others = outputs
    found = {"input": image, "output": output}
    found |= {"other_inputs": more} if more else {}
    return found | ({"other_outputs": others} if others else {})
