"""Which of a run's results its page shows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wavebind.core.errors import InputError
from wavebind.models import ModelCard
from wavebind.models.results import EVALUATIONS, Kind, Result, find_results

__all__ = ["choose_evaluation", "choose_result"]


def choose_evaluation(run: Path, card: ModelCard, name: str | None = None) -> Result:
    """The evaluation that a page is about.

    By default that of the dataset which the model was trained on, test before valid; then that of
    another dataset. A training split is never shown as what a model is worth.

    Parameters
    ----------
    run : pathlib.Path
    card : ModelCard
    name : str, optional
        Of its folder in ``evaluations``.

    Raises
    ------
    InputError
        If there is none, or none of that name, or only those of training splits.
    """
    found = find_results(run, EVALUATIONS)
    if not found:
        raise InputError(
            f"{run}: has no metrics.json; score the run with 'wavebind evaluate {run} DATA' first"
        )
    names = ", ".join(result.path.name for result in found)
    if name is not None:
        found = [result for result in found if result.path.name == name]
        if not found:
            raise InputError(f"{run}: has no evaluation {name!r}; it has {names}")
    shown = [result for result in found if result.split != "train"]
    if not shown:
        raise InputError(
            f"{run}: only the train split was scored ({names}), which says nothing of new "
            f"sequences; score test with 'wavebind evaluate {run} {found[0].data}'"
        )
    trained_on = {k: v for k, v in card.data.items() if k == "codes_sha256"}

    def rank(result: Result) -> tuple[bool, bool, bool, str]:
        other = not trained_on or not result.is_of(trained_on)
        return other, result.split != "test", result.path == run, result.path.name

    return min(shown, key=rank)


def choose_result(
    run: Path, kind: Kind, evaluation: Result, methods: Iterable[str] = ()
) -> Result | None:
    """The result of another kind that goes with an evaluation: of the same dataset.

    Parameters
    ----------
    run : pathlib.Path
    kind : Kind
    evaluation : Result
    methods : iterable of str
        The earlier ones first; others come last.

    Returns
    -------
    Result or None
        One of the same split, where there is one; None where there is none of that dataset.
    """
    order = {method: i for i, method in enumerate(methods)}
    codes = {"codes_sha256": str(evaluation.found["data"]["codes_sha256"])}
    output = evaluation.found.get("output")
    found = [
        result
        for result in find_results(run, kind)
        if result.is_of(codes) and result.found.get("output", output) == output
    ]

    def rank(result: Result) -> tuple[bool, int, bool, str]:
        method = order.get(str(result.found.get("method")), len(order))
        return result.split != evaluation.split, method, result.path == run, str(result.path)

    return min(found, key=rank, default=None)
