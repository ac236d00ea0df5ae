"""Recipes of depth networks."""

from dataclasses import dataclass
from typing import ClassVar

from hrnet_tf.cards.depth import DepthCard
from hrnet_tf.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class DepthRecipe(Recipe):
    """How to train a depth network.

    Attributes:
        farthest: metres that an output of 1 stands for.
    """

    task: ClassVar[str] = "depth"
    farthest: float = 10.0

    @property
    def card(self):
        return DepthCard(farthest=self.farthest)
