"""A uniform sample of a stream whose length is not known before it has ended."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np

__all__ = ["Reservoir"]

T = TypeVar("T")


class Reservoir(Generic[T]):
    """At most so many items of a stream, each as likely.

    Vitter 1985, ACM Trans. Math. Softw. 11:37.

    Parameters
    ----------
    size : int
    seed : int

    Attributes
    ----------
    items : list
        Those drawn so far.
    n_seen : int
        Items that were offered.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._rng = np.random.default_rng([seed, 2])
        self.n_seen = 0
        self.items: list[T] = []

    def offer(self, item: T) -> None:
        """Take an item into account."""
        self.n_seen += 1
        if len(self.items) < self._size:
            self.items.append(item)
        elif (at := int(self._rng.integers(self.n_seen))) < self._size:
            self.items[at] = item
