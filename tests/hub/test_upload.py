from __future__ import annotations

import pytest

from ganglion.errors import HubError
from ganglion.hub.upload import Sent, Target, send
from local_hub import LocalHub, Repository

FILES = {"README.md": b"---\nlicense: mit\n---\n", "generator.safetensors": b"0" * 2000, "SHA256SUMS": b""}
NAME = "anna/flowers"
NOWHERE = "http://127.0.0.1:9"


def sent(**how: object) -> Sent:
    return send(Target(NAME, **how), FILES, "Step 12")  # type: ignore[arg-type]


def test_a_new_repository_gets_all_files_in_one_commit(hub: LocalHub) -> None:
    done = sent()
    there = hub.model(NAME)
    assert FILES.items() <= there.files(done.commit).items()
    assert there.messages == ["initial commit", "Step 12"]
    assert (there.private, done.private) == (False, False)


def test_the_next_commit_replaces_files_and_leaves_others(hub: LocalHub) -> None:
    first = sent()
    hub.model(NAME).commit("main", {"LICENSE": b"mine"}, "by hand")
    changed = send(Target(NAME), {**FILES, "SHA256SUMS": b"new"}, "Step 24")
    assert hub.model(NAME).files()["LICENSE"] == b"mine"
    assert hub.model(NAME).files()["SHA256SUMS"] == b"new"
    assert hub.model(NAME).files(first.commit)["SHA256SUMS"] == b""
    assert changed.commit != first.commit


def test_a_branch_is_made_from_main(hub: LocalHub) -> None:
    sent()
    for _ in range(2):
        done = send(Target(NAME, branch="tries/2"), {"README.md": FILES["README.md"], "new": b"1"}, "another")
    assert hub.model(NAME).branches["tries/2"] == done.commit
    assert "new" not in hub.model(NAME).files()


def test_a_private_repository_is_made_and_kept_private(hub: LocalHub) -> None:
    assert sent(private=True).private
    assert hub.model(NAME).private
    assert sent().private


def test_nothing_is_sent_to_a_public_repository_where_a_private_one_is_meant(hub: LocalHub) -> None:
    sent()
    before = dict(hub.model(NAME).commits)
    with pytest.raises(HubError, match="is there already and is public, so nothing was sent: make it private"):
        sent(private=True)
    assert hub.model(NAME).commits == before


def test_a_space_is_made_for_gradio(hub: LocalHub) -> None:
    sent(kind="space")
    assert hub.repositories["space", NAME].sdk == "gradio"
    assert ("model", NAME) not in hub.repositories


def test_without_a_token_no_request_is_made(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(
        HubError, match="needs an access token of the Hub with the right to write: .* hf auth login, or set HF_TOKEN"
    ):
        sent()
    assert hub.requests == []


@pytest.mark.parametrize(("token", "reason"), [
    ("may-read", "the access token has no right to do that .*make one with write access to anna/flowers"),
    ("stale", "the Hub does not know the access token"),
])  # fmt: skip
def test_a_token_without_rights_is_told(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch, token: str, reason: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HubError, match=f"^anna/flowers cannot be written: {reason}"):
        sent()
    assert hub.repositories == {}


def test_a_token_without_rights_changes_nothing_in_what_is_there(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["model", NAME] = Repository()
    hub.model(NAME).commit("main", {"README.md": b"mine"}, "by hand")
    monkeypatch.setenv("HF_TOKEN", "may-read")
    with pytest.raises(HubError, match="the access token has no right to do that"):
        sent()
    assert hub.model(NAME).files() == {"README.md": b"mine"}


def test_another_owners_name_is_refused(hub: LocalHub) -> None:
    with pytest.raises(HubError, match=r"^otto/flowers cannot be written: the access token has no right to do that"):
        send(Target("otto/flowers"), FILES, "Step 12")


def test_no_network_is_told_at_once(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    with pytest.raises(HubError, match="cannot be written: http://127.0.0.1:9 cannot be reached"):
        sent()


def test_an_upload_that_breaks_off_leaves_no_file_and_the_next_one_succeeds(hub: LocalHub) -> None:
    hub.breaks = "commit/"
    with pytest.raises(HubError, match="cannot be reached"):
        sent()
    assert hub.model(NAME).messages == ["initial commit"]
    hub.breaks = ""
    assert FILES.items() <= hub.model(NAME).files(sent().commit).items()
    assert sum(request.startswith("PUT") for request in hub.requests) == 1  # large files are not sent again


def test_a_large_file_that_is_refused_leaves_no_file(hub: LocalHub) -> None:
    hub.refuses["large/"] = (403, b"", {"X-Error-Message": "quota exceeded"})
    with pytest.raises(HubError, match=r"has no right to do that \(quota exceeded\)"):
        sent()
    assert hub.model(NAME).messages == ["initial commit"]


def test_a_card_that_the_hub_refuses_is_told(hub: LocalHub) -> None:
    with pytest.raises(HubError, match="no license in the metadata"):
        send(Target(NAME), {"README.md": b"# x"}, "Step 12")
