from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from ganglion.errors import HubError
from ganglion.hub.checksums import SUMS, checksums
from ganglion.hub.download import download
from ganglion.hub.names import HubModel
from local_hub import LocalHub, Repository

FILES = {"weights": b"1" * 3000, "recipe": b"a: 1"}
NAME = HubModel("anna/flowers")
NOWHERE = "http://127.0.0.1:9"  # the port discard: nothing listens


@pytest.fixture
def there(hub: LocalHub) -> LocalHub:
    """A Hub with a model."""
    hub.repositories["model", NAME.repository] = Repository()
    sent(hub, FILES)
    hub.requests.clear()
    return hub


def sent(hub: LocalHub, files: dict[str, bytes], branch: str = "main", sums: bytes | None = None) -> str:
    tree = {**files, SUMS: checksums(files) if sums is None else sums, "README.md": b"-", "model.pkl": b"never fetched"}
    return hub.model(NAME.repository).commit(branch, tree, f"{len(files)} files")


class Fetched(NamedTuple):
    model: HubModel
    files: dict[str, bytes]


def fetch(model: HubModel = NAME) -> Fetched:
    found = download(model, ("weights", "recipe"), ("rows",))
    return Fetched(found.model, {name: path.read_bytes() for name, path in found.files.items()})


def test_only_the_files_that_are_asked_for_are_fetched_and_the_commit_is_told(there: LocalHub) -> None:
    found = fetch()
    assert found.files == FILES
    assert found.model.revision == there.model(NAME.repository).branches["main"]
    assert not [request for request in there.requests if "pkl" in request or "README" in request]


def test_an_optional_file_comes_along_where_there_is_one(there: LocalHub) -> None:
    sent(there, {**FILES, "rows": b"x"})
    assert fetch().files == {**FILES, "rows": b"x"}


def test_a_revision_pins_all_files(there: LocalHub) -> None:
    first = fetch().model
    sent(there, {"weights": b"new", "recipe": b"a: 2"})
    assert fetch().files["weights"] == b"new"
    assert fetch(first).files == FILES
    sent(there, {"weights": b"branch", "recipe": b"a: 3"}, "old/fp32")
    assert fetch(HubModel(NAME.repository, "old/fp32")).files["weights"] == b"branch"


def test_once_loaded_it_loads_without_a_network(there: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = fetch().model
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    there.requests.clear()
    assert fetch().model == newest
    assert fetch(newest).files == FILES
    assert there.requests == []


def test_a_hub_that_is_down_is_no_hindrance_either(there: LocalHub) -> None:
    fetch()
    there.refuses["api/models"] = (503, b"", {})
    assert fetch().files == FILES


def test_a_commit_in_the_cache_is_loaded_without_a_request(there: LocalHub) -> None:
    pinned = fetch().model
    there.requests.clear()
    assert fetch(pinned).files == FILES
    assert there.requests == []


def test_without_a_network_and_a_copy_it_says_so_at_once(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    with pytest.raises(
        HubError, match=r"^anna/flowers cannot be loaded: http://127.0.0.1:9 cannot be reached .*with a network$"
    ):
        fetch()


def test_a_name_that_is_not_there_is_refused(hub: LocalHub) -> None:
    with pytest.raises(HubError, match="there is none of this name on http://127.0.0.1"):
        fetch()


def test_a_private_model_is_for_those_who_may_read_it(there: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    there.model(NAME.repository).private = True
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="or it is private: check the name, or log in"):
        fetch()
    monkeypatch.setenv("HF_TOKEN", "may-read")
    assert fetch().files == FILES


def test_a_token_that_the_hub_does_not_know_is_named(there: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "stale")
    with pytest.raises(HubError, match="the Hub does not know the access token .*hf auth login"):
        fetch()


def test_a_revision_that_is_not_there_is_refused(there: LocalHub) -> None:
    with pytest.raises(HubError, match="it has no revision v9; .*/commits/main lists its commits"):
        fetch(HubModel(NAME.repository, "v9"))


def test_a_gated_model_tells_where_to_ask(there: LocalHub) -> None:
    there.refuses["SHA256SUMS"] = (403, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "restricted"})
    with pytest.raises(HubError, match="its owner gives access on request: ask for it on http"):
        fetch()


@pytest.mark.parametrize(
    "sums",
    [checksums({**FILES, "weights": b"others"}), checksums({"recipe": FILES["recipe"]})],
    ids=["another hash", "no hash"],
)
def test_a_file_without_the_stated_hash_is_not_loaded(there: LocalHub, sums: bytes) -> None:
    sent(there, FILES, sums=sums)
    with pytest.raises(HubError, match="the hash of weights is not the one in its SHA256SUMS"):
        fetch()


def test_a_file_that_was_damaged_in_the_cache_is_fetched_again(there: LocalHub) -> None:
    from huggingface_hub import try_to_load_from_cache

    pinned = fetch().model
    Path(str(try_to_load_from_cache(NAME.repository, "weights"))).resolve().write_bytes(b"damaged")
    assert fetch(pinned).files == FILES


@pytest.mark.parametrize("files", [{}, {"weights": b"1"}])
def test_another_kind_of_model_is_told_from_ours(there: LocalHub, files: dict[str, bytes]) -> None:
    there.model(NAME.repository).commits.clear()
    there.model(NAME.repository).branches.clear()
    tree = {**files, SUMS: checksums(files)} if files else {"pytorch_model.bin": b"-"}
    there.model(NAME.repository).commit("main", tree, "others")
    with pytest.raises(HubError, match="it is not a model that ganglion push has sent: a file is missing"):
        fetch()


def test_a_list_of_hashes_that_is_none_is_refused(there: LocalHub) -> None:
    sent(there, FILES, sums=b"<html>")
    with pytest.raises(HubError, match="is not loaded: SHA256SUMS has a line that is not a hash and a name"):
        fetch()


def test_a_servers_words_cannot_move_the_cursor(there: LocalHub) -> None:
    there.refuses["api/models"] = (418, b"", {"X-Error-Message": "no \x1b[2J tea"})
    with pytest.raises(HubError, match=r"the Hub answered 418 \(no \[2J tea\)"):
        fetch()
