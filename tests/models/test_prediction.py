import numpy as np
import pytest
import torch
from torch import nn

from wavebind.core.devices import resolve_device
from wavebind.core.errors import InputError
from wavebind.genome.sequences import reverse_complement
from wavebind.metrics.platt import PlattScaling
from wavebind.models import ModelConfig, build_model
from wavebind.models.prediction import predict_logits
from wavebind.models.strands import both_strands, reverse_complement_batch, shift_windows
from wavebind.training.augmentation import augment


def random_codes(n, length=48, seed=0):
    return np.random.default_rng(seed).integers(0, 5, (n, length), dtype=np.uint8)


@pytest.fixture(scope="module")
def model():
    return build_model(ModelConfig(48), torch.Generator().manual_seed(0)).eval()


def test_the_other_strand_of_a_batch():
    codes = random_codes(7)
    found = reverse_complement_batch(torch.from_numpy(codes))
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), reverse_complement(codes))


def test_a_window_and_its_other_strand_have_one_score(model):
    codes = random_codes(6)
    a = predict_logits(model, codes, bf16=False)
    b = predict_logits(model, reverse_complement(codes), bf16=False)
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_scores_do_not_depend_on_the_batch_size(model):
    codes = random_codes(11)
    whole = predict_logits(model, codes, bf16=False)
    small = predict_logits(model, codes, batch_size=3, bf16=False)
    np.testing.assert_allclose(whole, small, atol=1e-5)
    some = predict_logits(model, codes, np.array([8, 2]), bf16=False)
    np.testing.assert_allclose(some, whole[[8, 2]], atol=1e-5)


def test_scores_equal_a_naive_loop(model):
    codes = random_codes(4)
    with torch.no_grad():
        for row, logit in zip(codes, predict_logits(model, codes, bf16=False), strict=True):
            one = torch.from_numpy(row)[None]
            two = torch.from_numpy(reverse_complement(row))[None]
            assert (model(one) + model(two)).item() / 2 == pytest.approx(logit, abs=1e-5)
            assert both_strands(model, one).item() == pytest.approx(logit, abs=1e-5)


def test_bf16_is_close(model):
    codes = random_codes(50)
    exact, fast = predict_logits(model, codes, bf16=False), predict_logits(model, codes)
    np.testing.assert_allclose(fast, exact, atol=0.05 * max(1.0, np.abs(exact).max()))


def test_the_mode_is_put_back(model):
    model.train()
    predict_logits(model, random_codes(2))
    assert model.training
    model.eval()
    predict_logits(model, random_codes(2))
    assert not model.training


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, codes):
        return torch.full((len(codes),), float("nan"))


def test_logits_that_are_not_finite():
    with pytest.raises(InputError, match="3 of 3 logits are not finite"):
        predict_logits(Broken(), random_codes(3))


def test_probabilities_without_overflow():
    found = PlattScaling().probabilities(np.array([-1e4, -2.0, 0.0, 2.0, 1e4]))
    np.testing.assert_allclose(found, [0, 1 / (1 + np.exp(2)), 0.5, 1 / (1 + np.exp(-2)), 1])


def test_shifts_against_a_loop():
    codes = random_codes(5, 12)
    shifts = [-12, -3, 0, 4, 11]
    found = shift_windows(torch.from_numpy(codes), torch.tensor(shifts)).numpy()
    for row, shift, out in zip(codes, shifts, found, strict=True):
        for t in range(12):
            assert out[t] == (row[t - shift] if 0 <= t - shift < 12 else 4)


def test_augmentation_takes_both_strands_and_every_shift():
    codes = torch.from_numpy(random_codes(1, 20)).repeat(400, 1) % 4
    plain = augment(codes, torch.Generator().manual_seed(0), strand=False)
    assert torch.equal(plain, codes)
    turned = augment(codes, torch.Generator().manual_seed(0))
    same = (turned == codes).all(dim=1)
    assert 150 < same.sum() < 250
    assert torch.equal(turned[~same], reverse_complement_batch(codes[~same]))
    moved = augment(codes, torch.Generator().manual_seed(0), strand=False, max_shift=2)
    assert {tuple((row == 4).nonzero().flatten().tolist()) for row in moved} == {
        (),
        (0,),
        (0, 1),
        (19,),
        (18, 19),
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tpu9", "device 'tpu9' is not known"),
        ("cuda:99", "device 'cuda:99' is not there"),
        ("meta", "device 'meta' is not supported"),
    ],
)
def test_devices_that_are_not(name, message):
    with pytest.raises(InputError, match=message):
        resolve_device(name)


def test_auto_is_a_device_that_is_there():
    torch.zeros(1, device=resolve_device("auto"))
