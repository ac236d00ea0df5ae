"""The card of pose networks: how to feed them, and what their channels mean."""

import dataclasses
from typing import ClassVar

from keras import ops

from hrnet_tf.cards.card import Card, Decoder, exchanged
from hrnet_tf.cards.check import check_values
from hrnet_tf.cards.codecs import DARK, MSRA, UDP, Codec, Face, UDPCombined
from hrnet_tf.labels.keypoint_sets import COCO
from hrnet_tf.labels.keypoints import KeypointSet

CODECS = {codec().name: codec for codec in (MSRA, DARK, UDP, UDPCombined, Face)}


@dataclasses.dataclass(frozen=True)
class PoseCard(Card):
    """How to feed a pose network, and what its channels mean.

    Attributes:
        keypoints: the set of the K keypoints that the network finds.
        codec: decodes the heat maps; it also decides how crops are aligned.
        padding: the sides of a crop divided by those of the person's box.

    Raises:
        ValueError: as `Card`, or the padding is not positive.
    """

    task: ClassVar[str] = "pose"
    returns: ClassVar[str] = "heat maps"
    default: ClassVar[str] = "COCO's 17 joints"
    keypoints: KeypointSet = COCO
    codec: Codec = dataclasses.field(default_factory=MSRA)
    padding: float = 1.25

    def __post_init__(self):
        super().__post_init__()
        if self.padding <= 0:
            raise ValueError(f"`padding` must be positive. Received: padding={self.padding}.")

    def outputs(self):
        """The heat maps: one or several channels for each keypoint, as the codec needs."""
        return {"heatmaps": (None, None, self.codec.channels(len(self.keypoints.names)))}

    def labels(self):
        """Names of the K keypoints."""
        return self.keypoints.names

    @property
    def label_set(self) -> str:
        """The name of the keypoint set."""
        return f"{self.keypoints.name} keypoints"

    @property
    def meaning(self) -> str:
        """The number and kind of the channels, for messages."""
        count, name = len(self.keypoints.names), self.keypoints.name
        return f"{count} keypoints of {name} and the {self.codec.name} codec"

    @property
    def flip_index(self) -> tuple[int, ...]:
        """For each of the K keypoints, the index of the one it becomes in a mirrored image."""
        return exchanged(len(self.keypoints.names), self.keypoints.flip_pairs)

    def decoder(self) -> Decoder:
        """Keypoints (K, 3) of heat maps: x and y in pixels of the image, and score."""

        def decode(heatmaps):
            points, scores = self.codec.decode(heatmaps)
            return ops.concatenate([points, ops.expand_dims(scores, -1)], axis=-1)

        meaning = "of each keypoint x and y in pixels of the image, and score"
        return Decoder("keypoints", "heatmaps", (len(self.keypoints.names), 3), meaning, decode)

    def with_codec(self, name: str | None = None, blur_kernel: int | None = None) -> "PoseCard":
        """The card with another codec.

        Args:
            name: key of `CODECS`; the card's own codec if None.
            blur_kernel: kernel size of the codec's blur; the codec's own if None.

        Raises:
            ValueError: the codec is unknown or does not blur, or the kernel's size is even.
        """
        codec = self.codec if name in (None, self.codec.name) else _codec(name)
        if blur_kernel:
            if not hasattr(codec, "blur_kernel"):
                raise ValueError(
                    f"`blur_kernel` needs a codec that blurs. Received: codec {codec.name}. "
                    "Add codec=dark."
                )
            codec = dataclasses.replace(codec, blur_kernel=blur_kernel)
        return dataclasses.replace(self, codec=codec)

    def _fields(self):
        return dataclasses.asdict(self) | {"codec": codec_fields(self.codec)}

    @classmethod
    def from_fields(cls, fields):
        keypoints, codec = KeypointSet(**fields["keypoints"]), _codec(**fields["codec"])
        return cls(**fields | {"keypoints": keypoints, "codec": codec})


def codec_fields(codec: Codec) -> dict:
    """The name and settings of a codec, for JSON."""
    return {"name": codec.name, **dataclasses.asdict(codec)}


def _codec(name, **numbers):
    if name not in CODECS:
        raise ValueError(
            f"`codec` of a pose card must be one of {', '.join(CODECS)}. Received: {name!r}. "
            "A newer hrnet_tf may know it."
        )
    check_values(CODECS[name], numbers, "codec.")
    return CODECS[name](**numbers)


CARD = PoseCard
