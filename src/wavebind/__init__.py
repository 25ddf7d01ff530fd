"""wavebind: finds where transcription factors bind DNA, by wavelets and convolutional networks.

>>> import wavebind as wb
>>> data = wb.make_dataset(peaks="CTCF.narrowPeak.gz", genome="hg38.2bit", background="gc")
>>> run = wb.train(data, out="run", recipe="onehot")
>>> run.evaluate(data)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from wavebind.api.comparison import benchmark as benchmark
    from wavebind.api.comparison import compare as compare
    from wavebind.api.dataset import audit_dataset as audit_dataset
    from wavebind.api.dataset import make_dataset as make_dataset
    from wavebind.api.demo import demo as demo
    from wavebind.api.demo import demo_dataset as demo_dataset
    from wavebind.api.demo import example as example
    from wavebind.api.motif_effects import ablate as ablate
    from wavebind.api.motif_effects import marginalize as marginalize
    from wavebind.api.motif_effects import space as space
    from wavebind.api.run import Run as Run
    from wavebind.api.run import load as load
    from wavebind.api.scalogram import scalogram as scalogram
    from wavebind.api.training import train as train
    from wavebind.core.errors import InputError as InputError
    from wavebind.core.errors import WavebindError as WavebindError
    from wavebind.core.versions import version
    from wavebind.datasets.dataset import open_dataset as open_dataset
    from wavebind.training.estimator import TFBSClassifier as TFBSClassifier

    __version__ = version()

# Imported on demand: neither the command line nor a notebook must wait for PyTorch.
_lazy, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "api.comparison": ["benchmark", "compare"],
        "api.dataset": ["audit_dataset", "make_dataset"],
        "api.demo": ["demo", "demo_dataset", "example"],
        "api.motif_effects": ["ablate", "marginalize", "space"],
        "api.run": ["Run", "load"],
        "api.scalogram": ["scalogram"],
        "api.training": ["train"],
        "core.errors": ["InputError", "WavebindError"],
        "datasets.dataset": ["open_dataset"],
        "training.estimator": ["TFBSClassifier"],
    },
)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from wavebind.core.versions import version

        return version()
    found: object = _lazy(name)
    return found
