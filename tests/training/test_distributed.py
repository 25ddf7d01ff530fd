"""Several processes on one machine: together they are one process with a larger batch."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import read_json
from wavebind.models.rundir import RunDir
from wavebind.training.augmentation import augment
from wavebind.training.batches import EpochBatches
from wavebind.training.fit import use_joint_batches
from wavebind.training.train import Devices, TrainingConfig

RECIPE = """
[options]
dropout = 0.0
head_dropout = 0.0
[training]
epochs = 2
max_shift = 2
mutation = 0.05
averaging = 0.9
"""


def launch(arguments):
    code = "import sys; from wavebind.cli.main import run; sys.exit(run(sys.argv[1:]))"
    script = arguments[0].parent / "launch.py"
    script.write_text(f"import torch\ntorch.set_num_threads(1)\n{code}\n")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, str(script), *map(str, arguments[1:])]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_two_processes_give_the_curve_of_one_with_twice_the_batch(trained, tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE)
    base = [tmp_path / "x", "train", trained[1], "--recipe", recipe, "--device", "cpu"]
    histories = []
    for name, options in (
        ("one", ["--set", "training.batch_size=40"]),
        ("two", ["--set", "training.batch_size=20", "--set", "devices.count=2"]),
    ):
        done = launch([*base, *options, "--out", tmp_path / name])
        assert done.returncode == 0, done.stderr
        histories.append(read_json(RunDir(tmp_path / name).history))
        assert done.stdout.count("kept epoch") == 1
    one, two = histories
    for a, b in zip(one, two, strict=True):
        for key in ("loss", "valid_loss"):
            assert a[key] == pytest.approx(b[key], rel=2e-2), key
        assert a["valid_auroc"] == pytest.approx(b["valid_auroc"], abs=0.02)
    assert one[0]["loss"] == pytest.approx(two[0]["loss"], rel=5e-3)


def _share(rank, meeting, results):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=2
    )
    try:
        norm = torch.nn.BatchNorm2d(3)
        use_joint_batches(norm)
        x = torch.randn(8, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 3 + 1
        mine = x[4 * rank : 4 * rank + 4].requires_grad_()
        y = norm(mine)
        (y.square() * torch.arange(5.0)).sum().backward()
        order = [
            list(b) for b in EpochBatches(np.r_[1, 1, 0, 0, 0, 0, 1, 0], np.arange(8), CONFIG, 2)
        ]
        # As numpy: tensors go through a socket of this process, which may have ended by then.
        found = (y.detach().numpy(), mine.grad.numpy(), norm.running_var.numpy(), order)
        results.put((rank, *found))
    finally:
        torch.distributed.destroy_process_group()


CONFIG = TrainingConfig(batch_size=2, unbound_ratio=None)


@pytest.fixture(scope="module")
def shares(tmp_path_factory):
    import torch.multiprocessing as mp

    # They meet at a file: a port that was free may be taken before they get to it.
    meeting = tmp_path_factory.mktemp("meeting") / "point"
    context = mp.get_context("spawn")
    results = context.SimpleQueue()
    workers = [context.Process(target=_share, args=(r, meeting, results)) for r in (0, 1)]
    for worker in workers:
        worker.start()
    found = sorted((results.get() for _ in workers), key=lambda r: r[0])
    found = [(r, *map(torch.from_numpy, arrays), o) for r, *arrays, o in found]
    for worker in workers:
        worker.join()
    return found


def test_joint_batch_normalisation_is_that_of_the_whole_batch(shares):
    norm = torch.nn.BatchNorm2d(3)
    x = (
        torch.randn(8, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 3 + 1
    ).requires_grad_()
    y = norm(x)
    (y.square() * torch.arange(5.0)).sum().backward()
    torch.testing.assert_close(torch.cat([s[1] for s in shares]), y.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.cat([s[2] for s in shares]), x.grad, rtol=1e-3, atol=1e-4)
    for share in shares:
        torch.testing.assert_close(share[3], norm.running_var)


def test_joint_batches_are_those_of_one_process(shares):
    labels = np.r_[1, 1, 0, 0, 0, 0, 1, 0]
    joint = EpochBatches(labels, np.arange(8), TrainingConfig(batch_size=4, unbound_ratio=None))
    for whole, first, second in zip(joint, shares[0][4], shares[1][4], strict=True):
        assert whole == first + second


def test_the_augmentation_of_a_joint_batch_does_not_depend_on_who_holds_it():
    codes = torch.randint(0, 5, (8, 30), dtype=torch.uint8)
    options = {"strand": True, "max_shift": 3, "mutation": 0.2}
    whole = augment(codes, torch.Generator().manual_seed(1), **options)
    halves = [
        augment(codes[4 * r : 4 * r + 4], torch.Generator().manual_seed(1), share=(r, 2), **options)
        for r in (0, 1)
    ]
    torch.testing.assert_close(torch.cat(halves), whole)


def test_mutations_come_at_their_rate_and_are_other_bases():
    codes = torch.randint(0, 4, (400, 100), dtype=torch.uint8)
    codes[:, 0] = 4
    found = augment(codes, torch.Generator().manual_seed(0), strand=False, mutation=0.1)
    changed = found != codes
    assert not changed[:, 0].any()
    assert changed[:, 1:].float().mean() == pytest.approx(0.1, abs=0.01)
    assert set(found[changed].tolist()) == {0, 1, 2, 3}
    steps = (found[changed].int() - codes[changed].int()) % 4
    assert torch.bincount(steps, minlength=4)[1:].min() > 1000


def test_numbers_of_devices_that_cannot_be():
    with pytest.raises(InputError, match="the number of count must be 1 or more"):
        Devices(count=0)
    assert Devices("cpu", 2, 3).n_processes == 6
    settings = Devices("cpu", 2, 3).trainer_settings()
    assert (settings["strategy"], settings["num_nodes"], settings["devices"]) == ("ddp", 3, 2)
