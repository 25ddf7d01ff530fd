"""A trained model as one safetensors file: weights, and in its header all that they need.

Nothing is unpickled. The header is JSON, checked field by field; the weights must have the names
and shapes that the header's configuration gives, and be finite.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import check_readable, replace_file
from wavebind.core.settings import from_dict, to_dict
from wavebind.core.versions import version, versions
from wavebind.metrics.platt import PlattScaling
from wavebind.models.classifier import Classifier, ModelConfig

__all__ = ["FORMAT", "ModelCard", "check_format", "load_model", "save_model"]

#: 3: scalenet pads nowhere. Other networks of format 2 are what they were.
FORMAT = 3
_READ = (2, 3)
_KEY = "wavebind"
_MAX_BYTES = 8 * 2**30


@dataclass(frozen=True)
class ModelCard:
    """What is known of a trained model beside its weights.

    Attributes
    ----------
    model : ModelConfig
    thresholds : tuple of float
        Of each output, the probability at or above which a window is called bound; chosen on
        valid. Of a regression the median of the training values.
    calibration : tuple of PlattScaling
        Of each output, from logits to probabilities; fitted on valid.
    seed : int
    epoch : int
        The epoch (from 1) whose weights these are; chosen on valid. Of a mean of several networks
        the median of theirs.
    valid : dict
        Metrics on valid of these weights; of several networks on what each of them held out.
    data : dict
        Path and checksum of the training set.
    training : dict
        Settings of the training.
    labels : tuple of str
        Names of class 0 and 1.
    versions : dict
        Of the software that trained it.
    format : int
        Version of this header.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    model: ModelConfig
    thresholds: tuple[float, ...]
    seed: int
    epoch: int
    valid: dict[str, float] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    calibration: tuple[PlattScaling, ...] = ()
    labels: tuple[str, str] = ("unbound", "bound")
    versions: dict[str, str] = field(default_factory=versions)
    format: int = FORMAT

    def __post_init__(self) -> None:
        for threshold in self.thresholds:
            if self.quantity != "probability":
                continue
            if not 0 <= threshold <= 1:
                raise InputError(f"the threshold must be a probability; found {threshold!r}")
        n = len(self.model.outputs)
        for name in ("thresholds", "calibration"):
            found = len(getattr(self, name))
            if found != n and (found or name == "thresholds"):
                raise InputError(f"the model has {n} outputs and {found} entries of {name}")

    def output(self, name: str | None) -> int:
        """Which output has a name; the first if none is given.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        if name is None:
            return 0
        if name not in self.model.outputs:
            raise InputError(
                f"the model has no output {name!r}; choose one of: {', '.join(self.model.outputs)}"
            )
        return self.model.outputs.index(name)

    def at_prevalence(self, prevalence: float) -> ModelCard:
        """The card where another fraction of the windows is bound; see :class:`PlattScaling`.

        The thresholds move with the probabilities, so that the same windows are called.
        """
        lines = self.calibration or tuple(PlattScaling() for _ in self.thresholds)
        moved = tuple(line.at_prevalence(prevalence) for line in lines)
        thresholds = tuple(
            float(new.probabilities(old.logits(np.array([threshold])))[0])
            for old, new, threshold in zip(lines, moved, self.thresholds, strict=True)
        )
        return replace(self, calibration=moved, thresholds=thresholds)

    @property
    def quantity(self) -> str:
        """What is predicted, in a word.

        ``probability``; ``value`` of a regression; or ``score`` of a model of another program,
        which has no scale.
        """
        if self.model.task_name == "regression":
            return "value"
        plain = self.calibration and self.calibration[0].link == "identity"
        return "score" if plain else "probability"

    @property
    def n_folds(self) -> int:
        """Networks that held out a part of train and valid each, whose mean this is; 0 of one."""
        found = self.training.get("crossfit", 0)
        return found if isinstance(found, int) else 0

    @property
    def threshold(self) -> float:
        """That of the first output."""
        return self.thresholds[0]

    def probabilities(self, logits: NDArray[np.float64], output: int = 0) -> NDArray[np.float64]:
        """Calibrated probabilities of one output's logits; of a regression predicted values."""
        line = self.calibration[output] if self.calibration else PlattScaling()
        return line.probabilities(logits)

    def all_probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities of all outputs; those of classes add up to 1.

        Parameters
        ----------
        logits : numpy.ndarray
            Shape ``(window, output)``: of classes the mean over the strands of log-odds, which is
            not quite that of a softmax any more.
        """
        columns = [self.probabilities(logits[:, j], j) for j in range(logits.shape[1])]
        found = np.stack(columns, axis=1)
        # Models of 0.1 have a line of their own for each class, and are read as they were.
        one_softmax = all(line.slope == 1 for line in self.calibration)
        if self.model.task_name == "multiclass" and one_softmax:
            found = found / found.sum(axis=1, keepdims=True)
        return found


def save_model(path: Path, model: Classifier, card: ModelCard) -> None:
    """Write weights and card; the file appears under its name only when whole."""
    from safetensors.torch import save

    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    data = save(tensors, metadata={_KEY: json.dumps(to_dict(card))})
    with replace_file(path) as temporary:
        temporary.write_bytes(data)


def load_model(path: Path, device: torch.device | str = "cpu") -> tuple[Classifier, ModelCard]:
    """Read a model; it comes in evaluation mode.

    Raises
    ------
    InputError
        If the file is missing, truncated, not safetensors, not of wavebind, or of another format.
        If its weights do not fit its configuration or are not finite.
    """
    from safetensors import SafetensorError, safe_open

    check_readable(path)
    if path.stat().st_size > _MAX_BYTES:
        raise InputError(f"{path}: larger than {_MAX_BYTES:,} bytes; it is not a model of wavebind")
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(_KEY)
            if header is None:
                raise InputError(f"{path}: is a safetensors file, but not a model of wavebind")
            card = _read_card(header, path)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(
            f"{path}: is not a whole safetensors file ({error}); train again or copy it again"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    model = Classifier(card.model)
    _check_weights(model.state_dict(), tensors, path)
    model.load_state_dict(tensors)
    return model.to(device).eval(), card


def check_format(found: object, backbone: object, place: str) -> None:
    """Refuse a model whose layers this version does not have.

    Parameters
    ----------
    found : int
        The format that it was written in.
    backbone : str
    place : str
        The file, for the message.

    Raises
    ------
    InputError
        If the format is not known, or is that of version 0.1 and the network has other layers now.
    """
    if found not in _READ:
        raise InputError(
            f"{place}: the model has format {found!r}; this version ({version()}) reads formats "
            f"{' and '.join(map(str, _READ))}. Use the version that wrote it, or train again"
        )
    if found == 2 and backbone == "scalenet":
        # The weights have the same names and shapes, so nothing else would tell.
        raise InputError(
            f"{place}: is a scalenet of version 0.1, whose layers padded the ends of a window; "
            f"this version's do not, and would score it wrongly. Train again, or use version 0.1"
        )


def _read_card(header: str, path: Path) -> ModelCard:
    try:
        data: Any = json.loads(header)
    except ValueError as error:
        raise InputError(f"{path}: the header is not JSON ({error})") from error
    found = data.get("format") if isinstance(data, dict) else None
    model = data.get("model") if isinstance(data, dict) else None
    check_format(found, model.get("backbone") if isinstance(model, dict) else None, str(path))
    return from_dict(ModelCard, data, str(path))


def _check_weights(
    expected: dict[str, torch.Tensor], found: dict[str, torch.Tensor], path: Path
) -> None:
    odd = sorted(set(expected) ^ set(found))
    if odd:
        raise InputError(
            f"{path}: the weights do not fit the configuration in the header: {odd[0]!r} is "
            f"{'missing' if odd[0] in expected else 'not expected'} ({len(odd)} such names). Where "
            f"another version wrote it, train again"
        )
    for name, tensor in found.items():
        if tensor.shape != expected[name].shape:
            raise InputError(
                f"{path}: weight {name!r} has shape {tuple(tensor.shape)}; the configuration "
                f"gives {tuple(expected[name].shape)}"
            )
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"{path}: weight {name!r} holds numbers that are not finite")
