"""What a depth network expects, and what its output means."""

import dataclasses
from typing import ClassVar

from hrnet_tf.cards.card import Card


@dataclasses.dataclass(frozen=True)
class DepthCard(Card):
    """A map of distances.

    Attributes:
        farthest: metres that an output of 1 stands for.
    """

    task: ClassVar[str] = "depth"
    returns: ClassVar[str] = "distances"
    default: ClassVar[str] = "up to 10 metres"
    training_only: ClassVar[tuple[str, ...]] = ("certainty",)
    farthest: float = 10.0

    def outputs(self):
        """One channel; the network's second output is for training."""
        return {"depth": (None, None, 1)}

    @property
    def meaning(self):
        """The unit, in words."""
        return f"distances up to {self.farthest} metres"


CARD = DepthCard
