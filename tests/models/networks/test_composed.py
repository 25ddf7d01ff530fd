"""A transform, its scale and a stem as one convolution, against each by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wavebind.models.networks.composed import LinearFront, compose


def naive(weight: torch.Tensor, bias: torch.Tensor, signals: torch.Tensor) -> np.ndarray:
    """``out[band, map, p] = bias + sum over channel and tap of weight * signal[p + tap]``."""
    reach = weight.shape[-1]
    found = [
        bias + torch.einsum("bmct,ct->bm", weight, signals[:, p : p + reach])
        for p in range(signals.shape[-1] - reach + 1)
    ]
    return torch.stack(found, -1).numpy()


@pytest.mark.parametrize("bands", [1, 3])
def test_a_known_convolution_is_found_again(bands: int) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(2 * bands, 4, 7, generator=generator)
    bias = torch.randn(2 * bands, generator=generator)

    def stem(planes: torch.Tensor) -> torch.Tensor:
        # Bands lie one after the other within a map.
        found = torch.nn.functional.conv1d(planes.squeeze(2), weight, bias)
        return found.view(len(found), 2, bands, -1)

    composed = compose(LinearFront(4, 30, lambda signals: signals.unsqueeze(2)), stem)
    expected = weight.view(2, bands, 4, 7).transpose(0, 1)
    torch.testing.assert_close(composed.weight, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(composed.bias, bias.view(2, bands).t(), atol=1e-6, rtol=0)
    signals = torch.randn(1, 4, 30, generator=generator)
    by_hand = naive(composed.weight, composed.bias, signals[0])
    np.testing.assert_allclose(
        by_hand.transpose(1, 0, 2), stem(signals.unsqueeze(2))[0].numpy(), atol=1e-4
    )


def test_two_convolutions_are_one() -> None:
    generator = torch.Generator().manual_seed(1)
    first = torch.randn(5, 2, 4, generator=generator)
    second = torch.randn(3, 5, 6, generator=generator)

    def planes(signals: torch.Tensor) -> torch.Tensor:
        return 2 * torch.nn.functional.conv1d(signals, first).unsqueeze(2) - 1

    def stem(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv1d(x.squeeze(2), second).unsqueeze(2)

    composed = compose(LinearFront(2, 25, planes), stem)
    assert composed.weight.shape == (1, 3, 2, 9)
    signals = torch.randn(1, 2, 25, generator=generator)
    np.testing.assert_allclose(
        naive(composed.weight, composed.bias, signals[0])[0],
        stem(planes(signals))[0, :, 0].numpy(),
        atol=1e-4,
    )
