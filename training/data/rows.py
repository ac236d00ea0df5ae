"""`Rows`: items as arrays with one row each, which can be sliced."""

import dataclasses
from typing import Self

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """N items as arrays with one row each.

    A slice of it, or an array of indices or booleans, holds the items of these rows.

    Attributes:
        rows: arrays (N, ...) by name; "name" (N,) identifies the items in messages.
    """

    rows: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.rows["name"])

    def __getitem__(self, rows: slice | np.ndarray) -> Self:
        return dataclasses.replace(
            self, rows={name: values[rows] for name, values in self.rows.items()}
        )
