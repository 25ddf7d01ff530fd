"""The windows of an epoch, batch by batch, and each process's share of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.distributed
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler

from wavebind.datasets.dataset import epoch_indices
from wavebind.genome.sequences import Codes
from wavebind.training.config import TrainingConfig

__all__ = ["EpochBatches", "ValidBatches", "Windows", "epoch_windows", "process", "training_labels"]


def process() -> tuple[int, int]:
    """Rank of this process and number of processes, ``(0, 1)`` outside of distributed training."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def training_labels(
    targets: NDArray[Any], train: NDArray[np.int64], config: TrainingConfig
) -> NDArray[Any]:
    """The labels to train on: shuffled among the training windows where that is asked for.

    Parameters
    ----------
    targets : numpy.ndarray
        ``int8``, shape ``(window,)`` or ``(window, output)``; of numbers ``float32``.
    train : numpy.ndarray
        The training windows.
    config : TrainingConfig
    """
    if not config.shuffle_labels:
        return targets
    labels = targets.copy()
    labels[train] = np.random.default_rng([config.seed, 2**32]).permutation(labels[train])
    return labels


def epoch_windows(
    bound: NDArray[np.int8], train: NDArray[np.int64], config: TrainingConfig, epoch: int
) -> NDArray[np.int64]:
    """The windows of an epoch in their order: a function of the seed and the epoch.

    Parameters
    ----------
    bound : numpy.ndarray
        ``int8``, shape ``(window,)``: whether a window counts as bound for the ratio.
    train : numpy.ndarray
        The training windows.
    config : TrainingConfig
    epoch : int
        From 0.
    """
    rng = np.random.default_rng([config.seed, epoch if config.redraw else 0])
    ratio = None if config.unbound_ratio == "all" else config.unbound_ratio
    chosen = epoch_indices(bound, train, ratio, rng)
    if config.redraw or not epoch:
        return chosen
    return np.random.default_rng([config.seed, epoch]).permutation(chosen)


class Windows(TorchDataset[Any]):
    """Windows by a list of their indices, or what was computed from them.

    Parameters
    ----------
    inputs : numpy.ndarray
        Codes ``(window, position)``, or cached features in bfloat16 as ``int16``, a row for each of
        `rows`.
    labels : numpy.ndarray
        ``int8``, shape ``(window,)`` or ``(window, output)``; -1 where not known. Of numbers
        ``float32``.
    rows : numpy.ndarray, optional
        Sorted windows that `inputs` has a row for; by default it has one for each.
    """

    def __init__(
        self,
        inputs: Codes | NDArray[np.int16],
        labels: NDArray[Any],
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self.inputs, self.labels, self.rows = inputs, labels, rows

    def __getitem__(self, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = np.asarray(indices)
        at = chosen if self.rows is None else np.searchsorted(self.rows, chosen)
        found = torch.from_numpy(np.ascontiguousarray(self.inputs[at]))
        if found.dtype == torch.int16:
            found = found.view(torch.bfloat16)
        return found, torch.from_numpy(self.labels[chosen].astype(np.float32))


class EpochBatches(Sampler[list[int]]):
    """Lists of training windows, one a step.

    With several processes each gets its stretch of a joint batch. Together they see what one
    process with that much larger a batch would see.
    """

    def __init__(
        self,
        bound: NDArray[np.int8],
        train: NDArray[np.int64],
        config: TrainingConfig,
        n_processes: int = 1,
    ) -> None:
        self.bound, self.train, self.config = bound, train, config
        self.epoch = 0
        size = len(epoch_windows(bound, train, config, 0))
        self.batch_size = min(config.batch_size, max(1, size // n_processes))
        self.n_batches = max(1, size // (self.batch_size * n_processes))

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before every epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        rank, n_processes = process()
        order = epoch_windows(self.bound, self.train, self.config, self.epoch)
        joint = self.batch_size * n_processes
        for i in range(self.n_batches):
            # Sorted reading is kind to a disk; the order within a batch does not matter.
            batch = np.sort(order[i * joint : (i + 1) * joint])
            yield batch[rank * self.batch_size : (rank + 1) * self.batch_size].tolist()

    def __len__(self) -> int:
        return self.n_batches


class ValidBatches(Sampler[list[int]]):
    """Lists of validation windows; with several processes each takes every n-th list."""

    def __init__(self, indices: NDArray[np.int64], batch_size: int, n_processes: int = 1) -> None:
        # There must be a list for every process.
        batch_size = max(1, min(batch_size, len(indices) // n_processes))
        self.lists = [
            indices[at : at + batch_size].tolist() for at in range(0, len(indices), batch_size)
        ]

    def __iter__(self) -> Iterator[list[int]]:
        rank, n_processes = process()
        return iter(self.lists[rank::n_processes])

    def __len__(self) -> int:
        rank, n_processes = process()
        return len(self.lists[rank::n_processes])
