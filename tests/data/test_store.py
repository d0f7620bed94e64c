import json
import pickle
import shutil

import numpy as np
import pytest

from ganglion.data.fit import Fit
from ganglion.data.prepare import prepare
from ganglion.data.store import is_store, open_store
from ganglion.errors import DataError
from ganglion.recipe.schema import Data


def test_a_store_opened_again_is_what_was_packed(packed, noise):
    made = packed({"a": noise(), "b.txt": b""}, {"a": "x"})
    opened = open_store(made.path)
    assert np.array_equal(opened.images, made.images)
    assert (opened.fit, opened.content, opened.classes, opened.facts) == (
        Fit((16, 16), 3, "crop"),
        made.content,
        ["x"],
        made.facts,
    )
    assert opened.facts["bad"] == [["b.txt", "empty file"]]


def test_writing_to_a_batch_does_not_reach_the_disk(packed, noise):
    store = packed({"a": noise(16, 16)})
    store.images[0] = 0
    assert open_store(store.path).images.any()


def damage_json(path):
    (path / "store.json").write_text("{")


def damage_format(path):
    tree = json.loads((path / "store.json").read_text())
    (path / "store.json").write_text(json.dumps(tree | {"format": 99}))


def damage_length(path):
    content = (path / "images.npy").read_bytes()
    (path / "images.npy").write_bytes(content[:-1])


def damage_header(path):
    (path / "images.npy").write_bytes(b"")


def damage_labels(path):
    np.save(path / "labels.npy", np.zeros(7, np.int64))


def damage_by_pickle(path):
    np.save(path / "labels.npy", np.array([object()]), allow_pickle=True)


def lose_images(path):
    (path / "images.npy").unlink()


DAMAGES = {
    damage_json: "store.json cannot be read", damage_format: "format 99, this one reads", lose_images: "images.npy cannot",
    damage_length: "images.npy cannot be read", damage_header: "images.npy cannot be read", damage_labels: "7 labels",
    damage_by_pickle: "labels.npy cannot be read",
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_refused_with_a_remedy_that_works(packed, noise, damage):
    store = packed({"a": noise()})
    damage(store.path)
    with pytest.raises(DataError, match=r"is not a complete store \(.*; delete it, and it is packed again"):
        packed({"a": noise()})
    shutil.rmtree(store.path)
    assert len(packed({"a": noise()}).images) == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_that_is_named_says_what_is_damaged_and_is_not_to_be_deleted(
    packed, noise, tmp_path, cache, reporter, damage
):
    mine = tmp_path / "mine"
    shutil.copytree(packed({"a": noise()}).path, mine)
    damage(mine)
    with pytest.raises(DataError, match=rf"{DAMAGES[damage]}.*name the images it was packed from") as refused:
        prepare(Data(source=str(mine)), cache, reporter)
    assert "delete" not in str(refused.value)


@pytest.mark.parametrize("content", ['{"name": "my shop"}', "[1, 2]", "not JSON", '"format content fit classes facts"'])
def test_a_folder_of_images_with_a_store_json_of_its_own_is_no_store(image_folder, cache, reporter, content):
    root = image_folder(["a.png", "b.png"])
    (root / "store.json").write_text(content)
    assert not is_store(root)
    assert len(prepare(Data(source=str(root)), cache, reporter).images) == 2


def test_a_folder_in_the_place_of_a_store_that_is_none_is_built_over(packed, noise):
    store = packed({"a": noise()})
    (store.path / "store.json").unlink()
    assert not is_store(store.path)
    assert len(packed({"a": noise()}).images) == 1


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    with pytest.raises(DataError, match="is not a complete store"):
        open_store(tmp_path)


def test_a_store_that_is_sent_to_another_process_goes_without_its_images(packed, noise):
    store = packed({str(i): noise(16, 16, seed=i) for i in range(50)})
    sent = pickle.dumps(store)
    assert len(sent) < store.images.nbytes / 2
    there = pickle.loads(sent)
    assert isinstance(there.images, np.memmap)
    assert np.array_equal(there.images, store.images)
    assert (there.content, there.facts, there.labels.tolist()) == (store.content, store.facts, store.labels.tolist())
