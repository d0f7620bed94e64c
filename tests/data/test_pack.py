import dataclasses
import shutil
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from ganglion.data.fit import Fit
from ganglion.data.in_memory import ArraySource
from ganglion.data.pack import pack
from ganglion.data.prepare import prepare
from ganglion.data.scan import scan
from ganglion.data.sources import Entry, FolderSource, ZipSource
from ganglion.data.store import is_store
from ganglion.errors import DataError, StorageError
from ganglion.recipe.schema import Data

RGB16 = Fit((16, 16), 3, "crop")


def test_pixels_and_labels_stand_in_the_order_of_the_entries(packed, noise):
    pages = {str(i): noise(16, 16, seed=i) for i in range(5)}
    store = packed(pages, {"0": "dog", "1": "cat", "2": "dog", "3": "cat"})
    assert np.array_equal(store.images, np.stack(list(pages.values())))
    assert store.classes == ["cat", "dog"]
    assert store.labels.tolist() == [1, 0, 1, 0, -1]


def test_classes_named_by_numbers_stand_in_their_order(packed, noise):
    store = packed({str(i): noise(seed=i) for i in range(3)}, {"0": "10", "1": "9", "2": "x"})
    assert store.classes == ["9", "10", "x"]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_store_holds_uint8_of_its_size_and_channels_mapped_from_disk(packed, noise, channels):
    store = packed({"a": noise(20, 30)}, settings=Fit((16, 24), channels, "pad"))
    assert (store.images.dtype, store.images.shape) == (np.uint8, (1, 16, 24, channels))
    assert isinstance(store.images, np.memmap)


def test_the_same_images_elsewhere_have_the_same_store(image_folder, tmp_path, cache):
    root = image_folder(["cat/1.png", "dog/2.png"])
    shutil.copytree(root, tmp_path / "elsewhere")
    stores = []
    for folder in (root, tmp_path / "elsewhere"):
        source = FolderSource(folder)
        stores.append(pack(source, scan(source, cache), RGB16, cache))
    assert stores[0].path == stores[1].path
    assert len([path for path in (cache / "stores").iterdir() if is_store(path)]) == 1


def test_a_store_is_described_by_the_source_that_is_named_now(image_folder, tmp_path, cache):
    """Also where the scan is known, and where the other place has broken files of its own."""
    root = image_folder(["cat/1.png", "dog/2.png"])
    shutil.copytree(root, tmp_path / "copy")  # with the times of the files: the same fingerprint, or nearly
    (tmp_path / "copy" / "cat" / "broken.png").touch()
    for folder, bad in ((root, []), (tmp_path / "copy", [["cat/broken.png", "empty file"]]), (root, [])):
        source = FolderSource(folder)
        facts = pack(source, scan(source, cache), RGB16, cache).facts
        assert (facts["description"], facts["bad"]) == (f"folder {folder}", bad)
    root.rename(tmp_path / "moved")
    source = FolderSource(tmp_path / "moved")
    assert pack(source, scan(source, cache), RGB16, cache).facts["description"] == f"folder {tmp_path / 'moved'}"


@pytest.mark.parametrize(
    "change",
    [
        {"size": (16, 24)},
        {"size": (32, 32)},
        {"channels": 1},
        {"policy": "pad"},
        {"trim": "each"},
        {"box": (0.1, 0.1, 0.9, 0.9)},
        {"resample": "nearest"},
        {"duplicates": "drop"},
        {"white_level": 255.0},
    ],
)
def test_every_setting_that_changes_pixels_has_a_store_of_its_own(packed, noise, change):
    other = dataclasses.replace(RGB16, **change)
    assert packed({"a": noise()}).path != packed({"a": noise()}, settings=other).path


def test_the_fields_of_fit_are_all_tried_above():
    assert {field.name for field in dataclasses.fields(Fit)} == {
        "size",
        "channels",
        "policy",
        "trim",
        "box",
        "resample",
        "duplicates",
        "white_level",
    }


def test_other_images_or_other_labels_have_a_store_of_their_own(packed, noise):
    stores = [
        packed({"a": noise(), "b": noise(seed=1)}, name="1"),
        packed({"a": noise(), "b": noise(seed=2)}, name="2"),
        packed({"a": noise()}, name="3"),
        packed({"a": noise(), "b": noise(seed=1)}, {"a": "x"}, name="4"),
    ]
    assert len({store.path for store in stores}) == 4


def test_copies_are_dropped_where_that_is_asked_with_their_labels(packed, noise, encode):
    first, second = encode(noise(16, 16)), encode(noise(16, 16, seed=1))
    pages = {"0": first, "1": encode(noise(16, 16), "BMP"), "2": second, "3": second, "4": b""}
    labels = {"0": "x", "1": "y", "2": "y", "3": "x"}
    kept = packed(pages, labels)
    dropped = packed(pages, labels, dataclasses.replace(RGB16, duplicates="drop"))
    assert (len(kept.images), kept.facts["images"], kept.facts["duplicates"]) == (4, 4, 2)
    assert (len(dropped.images), dropped.facts["images"], dropped.facts["duplicates"]) == (2, 2, 2)
    assert np.array_equal(dropped.images, kept.images[[0, 2]])
    assert (dropped.labels.tolist(), dropped.classes) == ([0, 1], ["x", "y"])
    assert [path for path, _ in dropped.facts["bad"]] == ["4"]


def test_a_second_start_reads_no_image(listed, cache, noise):
    source = listed({str(i): noise(seed=i) for i in range(4)})
    pack(source, scan(source, cache), RGB16, cache)
    assert source.reads == 8  # once to scan, once to pack
    pack(source, scan(source, cache), RGB16, cache)
    assert source.reads == 8


def test_a_file_lost_between_scan_and_pack_is_skipped_and_counted(listed, cache, noise):
    source = listed({str(i): noise(16, 16, seed=i) for i in range(3)}, {"0": "x", "1": "y", "2": "y"})
    found = scan(source, cache)
    source.payloads["1"] = OSError("gone")
    store = pack(source, found, RGB16, cache)
    assert np.array_equal(store.images, np.stack([noise(16, 16, seed=0), noise(16, 16, seed=2)]))
    assert store.labels.tolist() == [0, 1]
    assert store.facts["images"] == 2
    assert store.facts["bad"] == [["1", "gone (it could be read when it was scanned)"]]
    assert store.facts["labels"] == {"x": 1, "y": 1}
    source.payloads["1"] = noise(16, 16, seed=1)
    assert len(pack(source, found, RGB16, cache).images) == 3  # it is there again, and packed again


@pytest.mark.parametrize("lost", [{0}, {9}, {0, 1, 2}, set(range(9)), {5, 260, 299}])
def test_labels_stay_with_their_images_whichever_are_lost(listed, cache, lost):
    pages = {str(i): np.full((16, 16), i % 251, np.uint8) for i in range(300)}
    source = listed(pages, {key: str(int(key) % 251) for key in pages})
    found = scan(source, cache)
    source.payloads |= {str(i): b"" for i in lost}
    store = pack(source, found, Fit((16, 16), 1, "crop"), cache)
    assert len(store.images) == len(store.labels) == 300 - len(lost)
    shown = [store.classes[code] for code in store.labels]
    assert shown == [str(value) for value in store.images[:, 0, 0, 0].tolist()]


def test_everything_lost_between_scan_and_pack_is_refused_and_leaves_nothing(listed, cache, noise):
    source = listed({"a": noise()})
    found = scan(source, cache)
    source.payloads["a"] = b""
    with pytest.raises(DataError, match="could be read a second time"):
        pack(source, found, RGB16, cache)
    assert not leftovers(cache)


def leftovers(cache):
    """What lies among the stores, but for locks."""
    return [path.name for path in (cache / "stores").iterdir() if path.suffix != ".lock"]


def test_a_builder_that_dies_midway_leaves_nothing_and_the_next_succeeds(listed, cache, noise):
    source = listed({str(i): noise(16, 16, seed=i) for i in range(300)})
    found = scan(source, cache)

    def pull_the_plug(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(source, found, RGB16, cache, pull_the_plug)
    assert leftovers(cache) == []
    assert len(pack(source, found, RGB16, cache).images) == 300


BUILD = """
import sys
from pathlib import Path
from ganglion.data.sources import FolderSource
from ganglion.data.scan import scan
from ganglion.data.fit import Fit
from ganglion.data.pack import pack
source, cache = FolderSource(Path(sys.argv[1])), Path(sys.argv[2])
found = scan(source, cache)
print("ready", flush=True)
sys.stdin.readline()
store = pack(source, found, Fit((16, 16), 3, "crop"), cache)
print(store.path.name, store.images.shape[0], int(store.images.sum()))
"""


def test_two_processes_that_build_the_same_store_at_once_end_with_one(image_folder, cache):
    root = image_folder([f"{i}.png" for i in range(60)], height=64, width=64)
    command = [sys.executable, "-W", "error", "-c", BUILD, str(root), str(cache)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    builders = [subprocess.Popen(command, **pipes) for _ in range(2)]
    assert [builder.stdout.readline() for builder in builders] == ["ready\n"] * 2
    for builder in builders:
        builder.stdin.write("\n")
        builder.stdin.flush()
    ends = [builder.communicate(timeout=60) for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0], ends
    assert ends[0] == ends[1]
    assert ends[0][0].split()[:2] == [*leftovers(cache), "60"]


class Generated:
    """As many images as asked for, made when they are read."""

    description = "generated images"

    def __init__(self, count):
        self.count = count

    def fingerprint(self):
        return f"generated {self.count}"

    def entries(self):
        return [Entry(str(i), i) for i in range(self.count)]

    def read(self, entry):
        return np.full((32, 32, 3), entry.locator % 256, np.uint8)


def peak_bytes(count, cache):
    """Most Python and NumPy memory held at once while packing, less the list of entries itself."""
    source = Generated(count)
    found = scan(source, cache)
    tracemalloc.start()
    entries = source.entries()
    listed_bytes = tracemalloc.get_traced_memory()[0]
    del entries
    tracemalloc.reset_peak()
    try:
        pack(source, found, Fit((32, 32), 3, "crop"), cache)
        return tracemalloc.get_traced_memory()[1] - 2 * listed_bytes  # the entries, and those of them that are used
    finally:
        tracemalloc.stop()


def test_memory_while_packing_does_not_grow_with_the_number_of_images(cache):
    peak_bytes(16, cache)  # imports and caches of the first call
    few, many = peak_bytes(256, cache), peak_bytes(7 * 256, cache)
    chunk = 256 * 32 * 32 * 3
    assert many - few < 1.5 * chunk  # a second chunk is made while the first is still held; six more come after


def test_a_cache_that_cannot_be_written_is_told_before_any_image_is_read(image_folder, tmp_path, reporter):
    root, cache = image_folder(["a.png"]), tmp_path / "file" / "cache"
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"packed images, of .*, cannot be written to .*: set .*GANGLION_CACHE"):
        prepare(Data(source=str(root)), cache, reporter)
    assert reporter.told == []


def test_a_store_that_cannot_be_written_names_the_space_that_it_needs(listed, noise, tmp_path):
    source, cache = listed({str(i): noise(seed=i) for i in range(512)}), tmp_path / "cache"
    cache.mkdir()
    (cache / "stores").touch()
    with pytest.raises(
        StorageError, match=r"packed images cannot be written .*stores .*GANGLION_CACHE .* 1.5 MiB free"
    ):
        pack(source, scan(source, cache), Fit((32, 32), 3, "crop"), cache)


def test_space_is_looked_at_before_packing_and_images_that_are_dropped_need_none(listed, noise, cache, monkeypatch):
    source = listed({str(i): noise(seed=i % 2) for i in range(4)})
    found = scan(source, cache)
    usage = shutil.disk_usage(cache)._replace(total=10**9, free=2 * 16 * 16 * 3)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    reads = source.reads
    with pytest.raises(StorageError, match="packed images need"):
        pack(source, found, RGB16, cache)
    assert source.reads == reads
    assert leftovers(cache) == []
    assert len(pack(source, found, dataclasses.replace(RGB16, duplicates="drop"), cache).images) == 2


def test_a_scan_that_cannot_be_kept_ends_nothing(image_folder, cache, reporter):
    root = image_folder(["a.png"])
    cache.mkdir()
    (cache / "scans").touch()
    assert len(prepare(Data(source=str(root)), cache, reporter).images) == 1


def test_of_a_store_that_is_there_nothing_is_written(listed, noise, cache, monkeypatch):
    source = listed({"a": noise()})
    made = pack(source, scan(source, cache), RGB16, cache)
    monkeypatch.setattr("ganglion.data.pack.cache_errors", None)  # it is not asked
    assert pack(source, scan(source, cache), RGB16, cache).path == made.path


# A source that changes while it is read


def test_files_that_come_between_scan_and_pack_are_no_part_of_the_store_of_the_others(image_folder, cache):
    source = FolderSource(image_folder(["b.png", "c.png"]))
    found = scan(source, cache)
    image_folder(["a.png"])
    with pytest.raises(DataError, match="photos changed while it was being read: wait until it is complete"):
        pack(source, found, RGB16, cache)
    assert leftovers(cache) == []
    assert len(pack(source, scan(source, cache), RGB16, cache).images) == 3


@pytest.mark.parametrize("change", ["added", "deleted", "all deleted", "written on"])
def test_a_folder_that_changes_while_it_is_packed_leaves_no_store(image_folder, cache, change):
    root = image_folder(["a.png", "b.png"])

    class Changing(FolderSource):
        def read(self, entry):
            payload = super().read(entry)
            if packing and entry.key == "a.png":
                CHANGES[change](root)
            return payload

    source, packing = Changing(root), False
    found = scan(source, cache)
    packing = True
    with pytest.raises(DataError, match="changed while it was being read"):
        pack(source, found, RGB16, cache)
    assert leftovers(cache) == []


CHANGES = {
    "added": lambda root: (root / "c.png").write_bytes((root / "a.png").read_bytes()),
    "deleted": lambda root: (root / "b.png").unlink(),
    "all deleted": lambda root: [path.unlink() for path in root.iterdir()],
    "written on": lambda root: (root / "b.png").write_bytes((root / "a.png").read_bytes() + b"more"),
}


@pytest.mark.parametrize("name", ["train.log", "notes", "scans/0a.json"])
@pytest.mark.parametrize("begun", [True, False])
def test_a_log_in_the_folder_that_is_written_meanwhile_is_no_change_of_the_images(image_folder, cache, name, begun):
    """As that of a command whose output goes into the folder in which it is run."""
    root = image_folder(["cat/z.png", "dog/a.png"])
    (root / name).parent.mkdir(exist_ok=True)
    if begun:
        (root / name).write_text("Scanning")
    source = FolderSource(root)
    found = scan(source, cache)
    (root / name).write_text("Scanning images, packing images")
    store = pack(source, found, RGB16, cache)
    assert [path for path, _ in store.facts["bad"]] == ([name] if begun else [])
    assert (len(store.images), store.classes) == (2, ["cat", "dog"])
    assert pack(source, scan(source, cache), RGB16, cache).path == store.path


def test_copies_are_dropped_by_their_places_of_a_folder_that_has_not_changed(image_folder, cache):
    source = FolderSource(image_folder(["z.png", "y.png"]))
    (source.root / "x.png").write_bytes((source.root / "y.png").read_bytes())
    found = scan(source, cache)
    (source.root / "x.png").unlink()
    with pytest.raises(DataError, match="changed while it was being read"):
        pack(source, found, dataclasses.replace(RGB16, duplicates="drop"), cache)
    assert leftovers(cache) == []


def test_a_log_that_grows_moves_no_copy(image_folder, cache):
    source = FolderSource(image_folder(["z.png", "y.png"]))
    (source.root / "x.png").write_bytes((source.root / "y.png").read_bytes())
    (source.root / "a.log").write_text("Scanning")
    found = scan(source, cache)
    (source.root / "a.log").write_text("Scanning images, packing images")
    assert len(pack(source, found, dataclasses.replace(RGB16, duplicates="drop"), cache).images) == 2


def test_a_log_beside_a_labels_file_is_no_change_of_the_labels(image_folder, cache, reporter):
    root = image_folder([f"{i}.png" for i in range(4)])
    first = prepare(labelled(root, "abab"), cache, reporter)
    (root / "train.log").write_text("a second run")
    assert prepare(labelled(root, "abab"), cache, reporter).path == first.path


def test_a_zip_that_is_gone_when_it_is_packed_is_said_to_have_changed(tmp_path, noise, encode, cache):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.png", encode(noise()))
    source = ZipSource(tmp_path / "x.zip")
    found = scan(source, cache)
    (tmp_path / "x.zip").unlink()
    with pytest.raises(DataError, match="zip .* changed while it was being read"):
        pack(source, found, RGB16, cache)


def test_images_in_memory_are_not_hashed_once_more(cache):
    source = ArraySource(np.zeros((3, 16, 16, 3), np.uint8))
    found = scan(source, cache)
    hashed = []
    source.fingerprint = lambda: hashed.append(1)
    assert len(pack(source, found, RGB16, cache).images) == 3
    assert hashed == []


# Other labels of the same images


def labelled(root, rows):
    (root / "labels.csv").write_text("\n".join(["file,kind", *(f"{i}.png,{kind}" for i, kind in enumerate(rows))]))
    return Data(source=str(root), size=16)


def test_an_edited_label_packs_no_image_again_and_takes_no_space(image_folder, cache, reporter):
    root = image_folder([f"{i}.png" for i in range(4)])
    first = prepare(labelled(root, "abab"), cache, reporter)
    reporter.told.clear()
    second = prepare(labelled(root, "abbb"), cache, reporter)
    plain = prepare(Data(source=str(root), size=16, labels="folders"), cache, reporter)
    assert "Packing images" not in {text for text, *_ in reporter.told}
    assert [store.labels.tolist() for store in (first, second, plain)] == [[0, 1, 0, 1], [0, 1, 1, 1], [-1] * 4]
    assert len({store.content for store in (first, second, plain)}) == 3
    files = [store.path / "images.npy" for store in (first, second, plain)]
    assert len({file.stat().st_ino for file in files}) == 1
    shutil.rmtree(first.path)
    assert np.array_equal(second.images, np.load(files[1]))


def test_where_files_cannot_be_linked_the_images_are_copied(image_folder, cache, reporter, monkeypatch):
    def refuse(path, target):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    root = image_folder([f"{i}.png" for i in range(4)])
    first = prepare(labelled(root, "abab"), cache, reporter)
    second = prepare(labelled(root, "abbb"), cache, reporter)
    assert np.array_equal(first.images, second.images)
    assert (first.path / "images.npy").stat().st_ino != (second.path / "images.npy").stat().st_ino


def test_images_of_a_damaged_store_or_of_another_fit_are_packed_again(image_folder, cache, reporter):
    root = image_folder([f"{i}.png" for i in range(4)])
    first = prepare(labelled(root, "abab"), cache, reporter)
    (first.path / "images.npy").write_bytes(b"")
    assert len(prepare(labelled(root, "abbb"), cache, reporter).images) == 4
    assert prepare(labelled(root, "bbab").model_copy(update={"size": (20, 20)}), cache, reporter).images.shape[1] == 20
