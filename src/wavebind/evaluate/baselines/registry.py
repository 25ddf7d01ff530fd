"""Models of a comparison by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from wavebind.core.errors import InputError
from wavebind.evaluate.baselines.allmatrices import AllMatrices
from wavebind.evaluate.baselines.baseline import Baseline
from wavebind.evaluate.baselines.gkmall import GkmAll
from wavebind.evaluate.baselines.kmers import KmerRegression
from wavebind.evaluate.baselines.matrices import DiscoveredMatrix, JasparMatrix
from wavebind.evaluate.baselines.networks import Network
from wavebind.models import all_backbones
from wavebind.motifs.jaspar import find_motif
from wavebind.training.recipes import load_recipe, recipe_names

__all__ = ["MODELS", "STANDARD_MODELS", "ModelSpec", "make_baseline", "parse_model"]

#: What is said of each in lists.
MODELS: dict[str, str] = {
    "jaspar": "best hit of a JASPAR matrix on either strand, as FIMO scores it; jaspar:MA0139.1 "
    "or jaspar:CTCF names one, otherwise the best on train",
    "discovered": "the same with a matrix discovered in the training windows (streme where it is "
    "installed)",
    "matrices": "logistic regression on the best hits of all matrices of JASPAR: slow",
    "kmers": "logistic regression on words of 1 to 6 bases",
    "gkm-all": "gapped k-mer SVM with LS-GKM's kernel on every training window, by transforms",
    "cnn": "one-hot convolutional network",
    "deepbind": "one-hot network of one layer, of the kind of DeepBind",
    "danq": "one-hot network with an LSTM, of the kind of DanQ",
    "ruggeri2025": "the published recipe: slow on a CPU",
    "scalenet": "the default recipe, on the one-hot window",
    "wavelets": "its network on a scalogram, the recipe wavelets",
}
#: Models of version 0.1, and what to take now.
_REMOVED = {
    "gkm-svm": "'gkm-all' has the same kernel and learns from every training window",
    "average": "'wavebind train --set training.crossfit=5' makes a mean of networks",
}
_WITH_ARGUMENT = (JasparMatrix, Network)
#: Without those that are slow.
STANDARD_MODELS = tuple(name for name in MODELS if name not in ("matrices", "ruggeri2025"))


@dataclass(frozen=True)
class ModelSpec:
    """A model of a comparison, not yet made.

    Attributes
    ----------
    name : str
        Of :data:`MODELS`, of a recipe or of a network, or the path of a recipe.
    argument : str
        What stands behind the colon: a matrix, or what a network begins with.
    epochs : int or None
        Of networks, instead of the recipe's.
    """

    name: str
    argument: str = ""
    epochs: int | None = None

    @property
    def label(self) -> str:
        """How it is called in tables."""
        name = Path(self.name).stem if self.name.endswith(".toml") else self.name
        return f"{name}:{Path(self.argument).name}" if self.argument else name


def parse_model(text: str, epochs: int | None = None) -> ModelSpec:
    """A model by its name, as on the command line.

    Raises
    ------
    InputError
        If there is none of that name, or what stands behind the colon is not known.
    """
    name, _, argument = text.strip().partition(":")
    if name == "timm":
        name, argument = text.strip(), ""
    spec = ModelSpec(name, argument, epochs)
    if argument and not isinstance(make_baseline(replace(spec, argument="")), _WITH_ARGUMENT):
        raise InputError(
            f"model {text!r}: only jaspar takes something behind a colon, its matrix, and networks "
            f"what they begin with (none, factors or a run)"
        )
    baseline = make_baseline(spec)
    if isinstance(baseline, Network):
        baseline.check()
    elif argument and argument != "auto":
        find_motif(argument)
    return spec


def make_baseline(spec: ModelSpec, device: str = "auto") -> Baseline:
    """The model itself, not yet fitted.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if spec.name == "jaspar":
        return JasparMatrix(spec.argument or "auto")
    if spec.name == "discovered":
        return DiscoveredMatrix()
    if spec.name == "matrices":
        return AllMatrices()
    if spec.name == "kmers":
        return KmerRegression()
    if spec.name == "gkm-all":
        return GkmAll()
    if spec.name == "scalenet":
        return Network(load_recipe("default"), spec.epochs, device, spec.argument)
    if spec.name in recipe_names() or Path(spec.name).suffix == ".toml":
        return Network(load_recipe(spec.name), spec.epochs, device, spec.argument)
    if spec.name in all_backbones() or spec.name.startswith("timm:"):
        recipe = load_recipe("default").with_backbone(spec.name)
        return Network(recipe, spec.epochs, device, spec.argument)
    if spec.name in _REMOVED:
        raise InputError(
            f"model {spec.name!r} was removed after version 0.1; {_REMOVED[spec.name]}"
        )
    known = dict.fromkeys([*MODELS, *recipe_names(), *all_backbones()])
    raise InputError(
        f"model {spec.name!r} is not known; choose among {', '.join(known)}, timm:NAME, or the "
        f"path of a recipe (.toml)"
    )
