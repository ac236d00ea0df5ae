"""What a pose network expects, and what its channels mean."""

import dataclasses
from typing import ClassVar

from hrnet_tf.labels.keypoint_sets import COCO
from hrnet_tf.labels.keypoints import KeypointSet
from hrnet_tf.tasks.card import Card, exchanged
from hrnet_tf.tasks.pose.codecs import DARK, MSRA, UDP, Codec, Face, UDPCombined

CODECS = {codec().name: codec for codec in (MSRA, DARK, UDP, UDPCombined, Face)}


@dataclasses.dataclass(frozen=True)
class PoseCard(Card):
    """What a pose network expects and what its channels mean.

    Attributes:
        keypoints: the K keypoints behind the channels.
        codec: reads the heat maps; it also decides how crops are aligned.
        padding: the crop shows this many times a person's box.

    Raises:
        ValueError: what `Card` raises, or a padding that is not positive.
    """

    task: ClassVar[str] = "pose"
    output: ClassVar[str] = "heat maps"
    rank: ClassVar[int] = 4
    default: ClassVar[str] = "COCO's 17 joints"
    keypoints: KeypointSet = COCO
    codec: Codec = dataclasses.field(default_factory=MSRA)
    padding: float = 1.25

    def __post_init__(self):
        super().__post_init__()
        if self.padding <= 0:
            raise ValueError(f"`padding` must be positive. Received: padding={self.padding}.")

    @property
    def channels(self) -> int:
        """How many heat maps the codec makes of the keypoints."""
        return self.codec.channels(len(self.keypoints.names))

    @property
    def meaning(self) -> str:
        """What the channels are, in words."""
        count, name = len(self.keypoints.names), self.keypoints.name
        return f"{count} keypoints of {name} and the {self.codec.name} codec"

    @property
    def flip_index(self) -> tuple[int, ...]:
        """For each of the K keypoints the one it becomes in a mirrored image."""
        return exchanged(len(self.keypoints.names), self.keypoints.flip_pairs)

    def _fields(self):
        codec = {"name": self.codec.name, **dataclasses.asdict(self.codec)}
        return dataclasses.asdict(self) | {"codec": codec}

    @classmethod
    def from_fields(cls, fields):
        keypoints, codec = KeypointSet(**fields["keypoints"]), _codec(**fields["codec"])
        return cls(**fields | {"keypoints": keypoints, "codec": codec})


def _codec(name, **numbers):
    if name not in CODECS:
        raise ValueError(
            f"`codec` of a pose card must be one of {', '.join(CODECS)}. Received: {name!r}. "
            "A newer hrnet_tf may know it."
        )
    return CODECS[name](**numbers)
