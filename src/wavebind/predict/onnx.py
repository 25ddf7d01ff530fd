"""A trained model as ONNX: one-hot sequences in, scores out, the transform inside."""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wavebind.core.errors import InputError
from wavebind.core.files import replace_file
from wavebind.core.settings import to_dict
from wavebind.models import Classifier, ModelCard
from wavebind.models.strands import both_strands

__all__ = ["OneHotModel", "export_onnx"]

_OPSET = 18


class OneHotModel(nn.Module):
    """A classifier that reads one-hot sequences and scores both strands.

    Parameters
    ----------
    model : Classifier
    card : ModelCard
    """

    slope: torch.Tensor
    intercept: torch.Tensor

    def __init__(self, model: Classifier, card: ModelCard) -> None:
        super().__init__()
        self.model = model
        lines = card.calibration or tuple(_identity() for _ in card.model.outputs)
        self.register_buffer("slope", torch.tensor([line.slope for line in lines]))
        self.register_buffer("intercept", torch.tensor([line.intercept for line in lines]))
        self.is_linear = card.quantity == "value"

    def forward(self, onehot: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and calibrated probabilities; of a regression scores and predicted values.

        Parameters
        ----------
        onehot : torch.Tensor
            ``float32``, shape ``(batch, 4, position)``, channels A, C, G, T; all zero for N.

        Returns
        -------
        tuple of torch.Tensor
            ``float32``, both of shape ``(batch, output)``, the mean of both strands.
        """
        known = onehot.amax(1) > 0.5
        codes = torch.where(known, onehot.argmax(1), 4).to(torch.uint8)
        logits = both_strands(self.model, codes).reshape(onehot.shape[0], -1)
        calibrated = self.slope * logits + self.intercept
        return logits, calibrated if self.is_linear else torch.sigmoid(calibrated)


def _identity() -> Any:
    from wavebind.metrics.platt import PlattScaling

    return PlattScaling()


def export_onnx(model: Classifier, card: ModelCard, path: Path) -> None:
    """Write a model as ONNX, for any batch size.

    The file holds one input ``onehot`` ``(batch, 4, position)`` and the outputs ``logit`` and
    ``probability`` (``value`` of a regression) ``(batch, output)``. All are ``float32``. The
    model's card is in its metadata under ``wavebind``.

    Parameters
    ----------
    model : Classifier
    card : ModelCard
    path : pathlib.Path
        The file appears under its name only when whole.

    Raises
    ------
    InputError
        If the packages for it are not installed, or PyTorch cannot express the model in ONNX.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f'export needs the package {error.name}; install it with "pip install '
            f"'wavebind[onnx]'\""
        ) from error
    network = OneHotModel(model.cpu().eval(), card).eval()
    example = torch.zeros(2, 4, card.model.length)
    example[:, 0] = 1.0
    with _quiet(), torch.inference_mode(False), torch.no_grad():
        try:
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                opset_version=_OPSET,
                input_names=["onehot"],
                output_names=["logit", card.quantity],
                dynamic_shapes={"onehot": {0: torch.export.Dim("batch", min=1, max=65536)}},
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"the model cannot be written as ONNX: {reason}") from error
    assert program is not None  # noqa: S101 - export() gives None only in its older form
    proto = program.model_proto
    entry = proto.metadata_props.add()
    entry.key, entry.value = "wavebind", json.dumps(to_dict(card))
    onnx.checker.check_model(proto)
    with replace_file(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep the exporter's own remarks to itself, for the block only."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
