"""What can be told to `predict` for classification: data without Keras."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ClassificationOptions:
    """How pictures are classified.

    Attributes:
        top: number of classes to list for a picture.
        batch_size: pictures per call of the network.
    """

    top: int = field(default=5, metadata={"least": 1})
    batch_size: int = field(default=16, metadata={"least": 1})


OPTIONS = ClassificationOptions
