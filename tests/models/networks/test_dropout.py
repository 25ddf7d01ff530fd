"""Dropout against its definition and against PyTorch's."""

import pytest
import torch

from wavebind.models.networks.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.3, 0.9])
def test_zeros_come_with_their_probability_and_the_mean_stays(p):
    torch.manual_seed(3)
    n = 1_000_001  # not a multiple of the elements that a draw decides
    y = Dropout(p).train()(torch.ones(n))
    assert y.unique().tolist() == pytest.approx([0, 1 / (1 - p)], rel=1e-4)
    # Five standard deviations of a binomial share.
    spread = 5 * (p * (1 - p) / n) ** 0.5
    assert (y == 0).float().mean().item() == pytest.approx(p, abs=spread + 1e-5)
    assert y.mean().item() == pytest.approx(1, abs=(spread + 1e-5) / (1 - p))


def test_neighbours_are_independent():
    torch.manual_seed(4)
    zero = (Dropout(0.5).train()(torch.ones(400_000)) == 0).double()
    for lag in (1, 2, 3, 4, 8):
        a, b = zero[:-lag], zero[lag:]
        assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1].item()) < 5 / 400_000**0.5


def test_outside_training_and_at_zero_the_input_passes():
    x = torch.randn(4, 5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


def test_a_seed_repeats_it_and_the_gradient_follows_what_is_kept():
    x = torch.randn(3, 8, 1, 7, requires_grad=True)
    torch.manual_seed(5)
    first = Dropout(0.4).train()(x)
    torch.manual_seed(5)
    torch.testing.assert_close(Dropout(0.4).train()(x), first)
    first.sum().backward()
    torch.testing.assert_close(x.grad * x.detach(), first.detach())
    other = Dropout(0.4).train()(x)
    assert not torch.equal(other, first)


def test_it_keeps_the_type():
    assert Dropout(0.4).train()(torch.ones(9, dtype=torch.bfloat16)).dtype == torch.bfloat16
