"""Settings check themselves, and are changed by names and texts."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field

from wavebind.core.errors import InputError, UsageError
from wavebind.core.settings import (
    Removed,
    Settings,
    UnknownSettingError,
    describe,
    from_dict,
    names_of,
    to_dict,
    with_values,
)


@dataclass(frozen=True)
class Inner(Settings):
    """What lies inside.

    Attributes
    ----------
    rate : float
        How fast, above 0.
    """

    rate: Annotated[float, Field(gt=0)] = 0.5


@dataclass(frozen=True)
class Outer(Settings):
    """What lies outside.

    Attributes
    ----------
    count : int
        How many, 1 or more.
    kind : {"round", "square"}
        The shape.
    first, second : str
        One of the two.
    limit : int or None
        The most; none for no limit.
    names : tuple of str
        Several.
    """

    REMOVED: ClassVar = {"old": Removed((0,), "leave it out")}

    count: Annotated[int, Field(ge=1)] = 2
    kind: Literal["round", "square"] = "round"
    first: str = "a"
    second: str = "b"
    limit: int | None = 5
    names: tuple[str, ...] = ()
    flag: bool = False
    inner: Inner = field(default_factory=Inner)


def test_values_are_read_from_text():
    found = with_values(
        Outer(),
        ["count=7", "kind=square", "limit=none", "names=x, y", "flag=true", "inner.rate=1e-3"],
    )
    assert found == Outer(7, "square", limit=None, names=("x", "y"), flag=True, inner=Inner(1e-3))
    # What looks like a number stays a text where a text is wanted.
    assert with_values(Outer(), ["first=12"]).first == "12"
    assert with_values(Outer(), {"count": 3, "inner.rate": 2}) == Outer(3, inner=Inner(2))
    assert names_of(" a,,b ") == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("cuont=1", UnknownSettingError, "there is no setting 'cuont'; did you mean 'count'"),
        # A name without its place.
        ("rate=1", UnknownSettingError, "did you mean 'inner.rate'"),
        ("inner=1", UnknownSettingError, "'inner' is a group of settings; name one of them"),
        ("count", UnknownSettingError, "'count': give a setting as NAME=VALUE"),
        ("count=x", UsageError, "count: 'x' is not a number"),
        ("count=0", InputError, "count must be 1 or more; found 0"),
        ("inner.rate=0", InputError, "rate must be above 0; found 0"),
        ("kind=oval", InputError, "kind"),
    ],
)
def test_what_cannot_be_set(value, kind, message):
    with pytest.raises(kind, match=message):
        with_values(Outer(), [value])


def test_a_setting_is_described_by_its_docstring():
    found = {setting.name: setting for setting in describe(Outer())}
    assert list(found)[:2] == ["count", "kind"]
    assert (found["count"].default, found["count"].meaning) == (2, "How many, 1 or more.")
    assert found["kind"].meaning == "The shape. One of: round, square."
    assert found["first"].meaning == found["second"].meaning == "One of the two."
    assert found["inner.rate"].meaning == "How fast, above 0."


def test_settings_are_dictionaries_and_back():
    settings = Outer(3, names=("x",), inner=Inner(2.0))
    assert from_dict(Outer, to_dict(settings), "here") == settings
    with pytest.raises(InputError, match=r"here: .*extra"):
        from_dict(Outer, {"extra": 1}, "here")
    with pytest.raises(InputError, match=r"here: inner\.rate"):
        from_dict(Outer, {"inner": {"rate": -1}}, "here")


def test_a_removed_setting_is_passed_over_at_its_neutral_value_only():
    assert from_dict(Outer, {"old": 0, "count": 4}, "here") == Outer(4)
    with pytest.raises(InputError, match=r"here: .*old.*leave it out"):
        from_dict(Outer, {"old": 1}, "here")
