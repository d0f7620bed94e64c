from __future__ import annotations

from pathlib import PureWindowsPath

import pytest

from ganglion.errors import HubError
from ganglion.hub.names import HubModel, checked_repository, hub_model, is_hub_model


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf:anna/flowers", HubModel("anna/flowers")),
        ("hf:anna/flowers@main", HubModel("anna/flowers", "main")),
        ("hf:anna/flowers@refs/pr/1", HubModel("anna/flowers", "refs/pr/1")),
        ("hf:An-na.1/Flowers_64@v1.0", HubModel("An-na.1/Flowers_64", "v1.0")),
        (
            "hf:a/b@0123456789abcdef0123456789abcdef01234567",
            HubModel("a/b", "0123456789abcdef0123456789abcdef01234567"),
        ),
    ],
)
def test_a_name_is_read_and_written_the_same(text: str, expected: HubModel) -> None:
    assert hub_model(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "name",
    ["", "flowers", "/flowers", "anna/", "anna/flowers/64", "anna/..", "anna/a--b", "anna/flowers.git", "-anna/x", "anna/x.",
     "anna/flow ers", "anna/flöwers", "anna/" + "x" * 96, "https://huggingface.co/anna/flowers", "anna\\flowers", "anna/x\n"],
)  # fmt: skip
def test_a_name_that_the_hub_does_not_have_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(HubError, match="expected OWNER/NAME, such as anna/flowers"):
        checked_repository(name)
    with pytest.raises(HubError, match="expected hf:OWNER/NAME, such as hf:anna/flowers"):
        hub_model(f"hf:{name}")


@pytest.mark.parametrize("name", ["anna/flowers", "Anna_1/a.b-c", "a/b"])
def test_the_librarys_own_rule_allows_what_is_allowed_here(name: str) -> None:
    from huggingface_hub.utils import validate_repo_id

    validate_repo_id(checked_repository(name))


@pytest.mark.parametrize("revision", ["", "../main", "a b", "-x", "a//b", "main/", "a.lock", "x\n"])
def test_a_revision_that_git_does_not_take_is_refused(revision: str) -> None:
    with pytest.raises(HubError, match="a revision is a branch, a tag or a commit's hash"):
        hub_model(f"hf:anna/flowers@{revision}")


def test_runs_and_columns_of_data_sets_are_no_models() -> None:
    assert is_hub_model("hf:anna/flowers")
    assert is_hub_model("hf:anna/flowers@main")
    assert not is_hub_model("runs/flowers")
    assert not is_hub_model("hf:anna/flowers:image")


def test_a_path_of_windows_is_the_name_that_was_typed() -> None:
    assert hub_model(PureWindowsPath("hf:anna/flowers@main")) == HubModel("anna/flowers", "main")
