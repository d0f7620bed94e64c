from __future__ import annotations

import pytest

from ganglion.errors import HubError
from ganglion.sharing.licences import COMMON, LICENCES, checked_licence


def test_what_is_proposed_is_allowed() -> None:
    assert set(COMMON) <= LICENCES
    assert [checked_licence(f" {one.upper()} ") for one in COMMON] == list(COMMON)


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_a_missing_licence_is_asked_for(nothing: str | None) -> None:
    with pytest.raises(HubError, match="a licence is missing, which says what others may do .* --license mit"):
        checked_licence(nothing)


@pytest.mark.parametrize(("wrong", "meant"), [("apache2", "apache-2.0"), ("cc-by-4", "cc-by-4.0"), ("mitt", "mit")])
def test_an_unknown_licence_is_refused_with_the_nearest(wrong: str, meant: str) -> None:
    with pytest.raises(HubError, match=f"the Hub has no licence '{wrong}'.*did you mean '{meant}'"):
        checked_licence(wrong)
