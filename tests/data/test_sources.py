import os
import pickle
import sys
import zipfile

import pytest

from ganglion.data.scan import scan
from ganglion.data.sources import (
    LARGEST_FILE_BYTES,
    Entry,
    FolderSource,
    NumberedEntries,
    ZipSource,
    walk,
)
from ganglion.errors import DataError

WINDOWS = sys.platform == "win32"
ANY_BYTES = pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes names that are no valid text")
PIPES = pytest.mark.skipif(WINDOWS, reason="Windows has no pipes among files")


def names(root):
    return [entry.key for entry in FolderSource(root).entries()]


def test_files_at_any_depth_are_listed_in_an_order_of_their_names_alone(image_folder):
    root = image_folder(["b.png", "z/y/x/w.png", "a/2.png", "a/10.png"])
    assert names(root) == ["a/10.png", "a/2.png", "b.png", "z/y/x/w.png"]


def test_class_folders_give_labels(image_folder):
    root = image_folder(["train/cat/1.png", "train/dog/1.png"])
    assert [entry.label for entry in FolderSource(root).entries()] == ["cat", "dog"]


def test_an_entry_is_read_byte_for_byte(image_folder):
    source = FolderSource(image_folder(["a/1.png"]))
    assert source.read(source.entries()[0]) == (source.root / "a/1.png").read_bytes()


def test_an_empty_folder_has_no_entries(tmp_path):
    assert FolderSource(tmp_path).entries() == []


def test_litter_is_not_listed(image_folder):
    root = image_folder(["a.png", "._a.png", ".DS_Store", "__MACOSX/a.png", ".git/b.png"])
    assert names(root) == ["a.png"]


@pytest.mark.parametrize(
    "name",
    ["ü.png", "猫/犬.png", "🙂.png", "e\u0301.png", "-rf.png", *([] if WINDOWS else ["a b\tc.png", "new\nline.png"])],
)
def test_a_name_of_any_unicode_is_listed_and_read(image_folder, cache, name):
    root = image_folder([name])
    assert names(root) == [name]
    assert scan(FolderSource(root), cache).images == 1


@ANY_BYTES
def test_a_name_that_is_no_valid_text_is_listed_and_read(tmp_path, cache, noise, encode):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / os.fsdecode(b"caf\xe9.png")).write_bytes(encode(noise()))
    (tmp_path / "photos" / os.fsdecode(b"bad\xff.png")).write_bytes(b"no image")
    result = scan(FolderSource(tmp_path / "photos"), cache)
    assert result.images == 1
    assert result.bad == [("bad\\udcff.png", "not an image")]


def test_a_link_to_a_folder_is_followed(image_folder, tmp_path):
    image_folder(["elsewhere/1.png"], root="other")
    root = image_folder(["a.png"])
    (root / "link").symlink_to(tmp_path / "other", target_is_directory=True)
    assert names(root) == ["a.png", "link/elsewhere/1.png"]


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_loop_of_links_ends_and_each_image_is_listed_once(image_folder, target):
    root = image_folder(["a/b/1.png"])
    (root / "a" / "b" / "loop").symlink_to(target, target_is_directory=True)
    assert names(root) == ["a/b/1.png"]


def test_two_links_to_each_other_are_listed_as_unreachable(image_folder, cache):
    root = image_folder(["a.png", "b.png"])
    (root / "x.png").symlink_to("y.png")
    (root / "y.png").symlink_to("x.png")
    result = scan(FolderSource(root), cache)
    assert [path for path, _ in result.bad] == ["x.png", "y.png"]
    assert all("cannot be read" in reason for _, reason in result.bad)


def test_a_dangling_link_is_listed_with_its_reason(image_folder, cache):
    root = image_folder(["a.png"])
    (root / "gone.png").symlink_to("nowhere.png")
    ((name, reason),) = scan(FolderSource(root), cache).bad
    assert name == "gone.png"
    assert reason.startswith("cannot be read: ")


@PIPES
def test_a_pipe_is_passed_over_and_does_not_hang(image_folder, cache):
    root = image_folder(["a.png"])
    os.mkfifo(root / "pipe.png")
    result = scan(FolderSource(root), cache)
    assert (result.images, result.bad) == (1, [])


@PIPES
def test_a_link_to_a_pipe_does_not_hang(image_folder, tmp_path, cache):
    root = image_folder(["a.png"])
    os.mkfifo(tmp_path / "pipe")
    (root / "link.png").symlink_to(tmp_path / "pipe")
    assert names(root) == ["a.png"]


def test_a_file_of_half_a_gigabyte_is_refused_unread(image_folder):
    root = image_folder(["a.png"])
    with (root / "a.png").open("wb") as file:
        file.truncate(LARGEST_FILE_BYTES + 1)  # sparse: takes no room on the disk
    source = FolderSource(root)
    with pytest.raises(ValueError, match="larger than 512 MiB"):
        source.read(source.entries()[0])


def test_the_fingerprint_changes_with_every_change_of_the_contents(image_folder):
    root = image_folder(["a.png", "b.png"])
    seen = [FolderSource(root).fingerprint()]
    (root / "c.png").write_bytes(b"1")
    seen.append(FolderSource(root).fingerprint())
    (root / "c.png").write_bytes(b"22")
    seen.append(FolderSource(root).fingerprint())
    (root / "c.png").rename(root / "d.png")
    seen.append(FolderSource(root).fingerprint())
    (root / "d.png").unlink()
    seen.append(FolderSource(root).fingerprint())
    assert len(set(seen[:4])) == 4
    assert seen[4] == seen[0]


@pytest.mark.skipif(WINDOWS, reason="Windows keeps no time of the last change beside the one that anyone can set")
def test_the_fingerprint_notices_other_bytes_of_the_same_length_and_time(image_folder):
    root = image_folder(["a.png"])
    before, status = FolderSource(root).fingerprint(), (root / "a.png").stat()
    (root / "a.png").write_bytes(bytes(status.st_size))
    os.utime(root / "a.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert FolderSource(root).fingerprint() != before


def test_reading_does_not_change_the_fingerprint(image_folder, cache):
    source = FolderSource(image_folder(["a.png"]))
    before = source.fingerprint()
    scan(source, cache)
    assert source.fingerprint() == before


def test_a_folder_can_be_sent_to_a_worker(tmp_path):
    source = FolderSource(tmp_path)
    assert pickle.loads(pickle.dumps(source)) == source


def test_where_a_file_system_numbers_nothing_folders_are_told_apart_by_their_place(image_folder, tmp_path):
    root = image_folder(["a/1.png", "b/2.png"])
    (root / "b" / "loop").symlink_to(root, target_is_directory=True)

    def unnumbered(path):
        path.stat()
        return os.stat_result((0o40755, 0, 0, *[0] * 7))

    assert sorted(name for name, _ in walk(root, unnumbered)) == ["a/1.png", "b/2.png"]


@pytest.fixture
def archive(tmp_path):
    """Writes a zip of names and bytes."""

    def write(members, name="a.zip", method=zipfile.ZIP_STORED):
        with zipfile.ZipFile(tmp_path / name, "w", method) as file:
            for member, content in members:
                file.writestr(member, content)
        return tmp_path / name

    return write


def spoil(path, content):
    """Turns over one byte in the middle of where `content` lies in the zip."""
    raw = bytearray(path.read_bytes())
    raw[raw.index(content) + len(content) // 2] ^= 0xFF
    path.write_bytes(raw)


def encrypt(path):
    """Sets the flag 'encrypted' of every member, in both of its headers."""
    raw = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = raw.find(signature)
        while at >= 0:
            raw[at + offset] |= 1
            at = raw.find(signature, at + 1)
    path.write_bytes(raw)


def test_names_in_a_zip_are_read_as_windows_writes_them(archive):
    path = archive([("cats\\a.png", b""), ("dogs\\b.png", b""), ("dogs\\", b"")])
    entries = ZipSource(path).entries()
    assert [(entry.key, entry.label) for entry in entries] == [("cats/a.png", "cats"), ("dogs/b.png", "dogs")]


def test_names_in_a_zip_are_read_as_macos_writes_them(archive):
    path = archive([("Bl__en/a.png", b""), ("Gras/b.png", b"")])
    path.write_bytes(path.read_bytes().replace(b"Bl__en", "Bl\u00fcen".encode()))  # as many bytes, and no flag
    assert {entry.label for entry in ZipSource(path).entries()} == {"Bl\u00fcen", "Gras"}


def test_a_zip_has_the_same_content_as_the_folder_it_was_made_of(image_folder, archive, tmp_path):
    root = image_folder(["cat/1.png", "dog/deep/2.png", "dog/3.png"])
    path = archive([(str(p.relative_to(root)), p.read_bytes()) for p in root.rglob("*.png")])
    zipped, folder = scan(ZipSource(path), tmp_path / "a"), scan(FolderSource(root), tmp_path / "b")
    assert zipped.content == folder.content
    assert zipped.labels == folder.labels == {"cat": 1, "dog": 2}


def test_the_order_of_members_does_not_matter(archive):
    members = [("b.png", b"2"), ("a.png", b"1"), ("c/d.png", b"3")]
    for name, some in (("x.zip", members), ("y.zip", members[::-1])):
        source = ZipSource(archive(some, name))
        entries = source.entries()
        assert [entry.key for entry in entries] == ["a.png", "b.png", "c/d.png"]
        assert [source.read(entry) for entry in entries] == [b"1", b"2", b"3"]


def test_a_run_a_store_and_previews_in_the_folder_are_no_images(image_folder, cache):
    root = image_folder(["a.png", "b.png"])
    before = FolderSource(root).fingerprint(), scan(FolderSource(root), cache).content
    run = image_folder(
        ["samples/fixed/000001.png", "attempts/1/samples/fixed/1.png"], root="photos/runs/photos-auto-64"
    )
    (run / "environment.json").write_text("{}")
    (run / "recipe.yaml").write_text("name: auto")
    watched = image_folder(["samples/fixed/1.png"], root="photos/watched")
    (watched / "vitals.jsonl").write_text("")
    store = image_folder(["kept.png"], root="photos/cache/stores/0a")
    (store / "store.json").write_text("{}")
    (store / "images.npy").write_bytes(b"")
    image_folder(["ganglion-preview.png", "ganglion-preview-ada.png"])
    image_folder(["run-1/files/media/images/sample.png"], root="photos/wandb")
    assert names(root) == ["a.png", "b.png"]
    assert (FolderSource(root).fingerprint(), scan(FolderSource(root), cache).content) == before


def test_a_recipe_among_images_makes_no_run_of_their_folder(image_folder):
    root = image_folder(["cats/a.png", "dogs/b.png"])
    (root / "cats" / "recipe.yaml").write_text("name: mine")
    assert names(root) == ["cats/a.png", "cats/recipe.yaml", "dogs/b.png"]


def test_a_run_that_is_named_itself_is_read(image_folder):
    run = image_folder(["samples/1.png"])
    for name in ("environment.json", "recipe.yaml", "vitals.jsonl"):
        (run / name).write_text("")
    assert "samples/1.png" in names(run)
    assert names(run / "samples") == ["1.png"]


@pytest.mark.parametrize("outer", ["", "photos/"])
def test_a_run_in_a_zip_is_no_image(archive, outer):
    run = [(f"{outer}runs/one/{name}", b"") for name in ("recipe.yaml", "environment.json", "samples/fixed/1.png")]
    source = ZipSource(archive([*run, (f"{outer}cat/1.png", b"1"), (f"{outer}dog/2.png", b"2")]))
    assert [(entry.label, source.read(entry)) for entry in source.entries()] == [("cat", b"1"), ("dog", b"2")]


def test_folders_and_litter_are_not_listed(archive):
    path = archive([("a/", b""), ("a/1.png", b"1"), ("__MACOSX/a/._1.png", b"2"), ("a/.DS_Store", b"3")])
    assert [entry.key for entry in ZipSource(path).entries()] == ["a/1.png"]


def test_names_of_any_unicode_are_kept(archive):
    source = ZipSource(archive([("猫/ü🙂.png", b"1")]))
    assert [(entry.key, source.read(entry)) for entry in source.entries()] == [("猫/ü🙂.png", b"1")]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_two_entries(archive):
    source = ZipSource(archive([("a.png", b"1"), ("a.png", b"2")]))
    assert [source.read(entry) for entry in source.entries()] == [b"1", b"2"]


def test_nothing_is_unpacked_to_disk(archive, cache, noise, encode, tmp_path):
    source = ZipSource(archive([("a.png", encode(noise()))]))
    scan(source, cache)
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "cache"}


def test_an_encrypted_member_is_listed_and_skipped(archive, noise, encode):
    path = archive([("a.png", encode(noise()))])
    encrypt(path)
    with pytest.raises(ValueError, match="encrypted in the zip"):
        ZipSource(path).read(ZipSource(path).entries()[0])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_corrupt_member_is_listed_and_its_neighbour_used(archive, cache, noise, encode, method):
    path = archive([("good.png", encode(noise(seed=1))), ("torn.png", encode(noise(64, 64)))], method=method)
    with zipfile.ZipFile(path) as file:
        torn = file.getinfo("torn.png")
    raw = bytearray(path.read_bytes())
    middle = torn.header_offset + 30 + len("torn.png") + torn.compress_size // 2
    raw[middle : middle + 64] = bytes(64)
    path.write_bytes(raw)
    result = scan(ZipSource(path), cache)
    assert result.images == 1
    assert [name for name, _ in result.bad] == ["torn.png"]
    assert result.bad[0][1].startswith(("damaged in the zip", "cannot be read: Invalid data stream"))


def test_a_header_that_lies_is_damage(archive):
    path = archive([("a.png", b"content")])
    raw = bytearray(path.read_bytes())
    raw[:4] = b"XXXX"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="damaged in the zip"):
        ZipSource(path).read(ZipSource(path).entries()[0])


def test_one_turned_byte_is_noticed_by_the_checksum(archive):
    path = archive([("a.png", b"some content")])
    spoil(path, b"some content")
    with pytest.raises(ValueError, match="damaged in the zip: Bad CRC-32"):
        ZipSource(path).read(ZipSource(path).entries()[0])


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_zip_that_is_cut_off_is_refused_with_a_remedy(archive, noise, encode, keep):
    path = archive([("a.png", encode(noise()))])
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw))])
    with pytest.raises(DataError, match=r"is not a zip file, or it is truncated: copy or download it again"):
        ZipSource(path).entries()


@pytest.mark.parametrize(("offset", "byte"), [(6, 99), (9, 8)])
def test_a_zip_of_an_unknown_version_or_with_names_that_are_no_text_is_refused(archive, offset, byte):
    path = archive([("a.png", b"1")])
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02")
    raw[at + offset], raw[at + 46] = byte, 0xFF
    path.write_bytes(raw)
    with pytest.raises(DataError, match="is a zip that cannot be read"):
        ZipSource(path).entries()


def test_an_empty_zip_is_refused_as_empty(archive, cache):
    with pytest.raises(DataError, match=r"no image in zip .*: it is empty"):
        scan(ZipSource(archive([])), cache)


def test_a_zip_that_was_replaced_is_read_anew_by_the_same_process(archive):
    source = ZipSource(archive([("a.png", b"old")]))
    before = source.fingerprint()
    assert source.read(source.entries()[0]) == b"old"
    archive([("b.png", b"newer")])
    assert source.fingerprint() != before
    assert [(entry.key, source.read(entry)) for entry in source.entries()] == [("b.png", b"newer")]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes names that are no valid text")
def test_a_zip_in_a_folder_whose_name_is_no_valid_text_is_scanned(archive, cache, noise, encode, tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    path = archive([("a.png", encode(noise()))]).rename(folder / "a.zip")
    assert scan(ZipSource(path), cache).images == 1


def test_a_zip_can_be_sent_to_a_worker(archive):
    source = ZipSource(archive([("a.png", b"1")]))
    source.entries()
    assert pickle.loads(pickle.dumps(source)) == source


def test_the_real_flowers_have_seventeen_classes_of_eighty(real):
    labels = [entry.label for entry in ZipSource(real("flowers17-128.zip")).entries()]
    assert len(set(labels)) == 17
    assert {labels.count(label) for label in set(labels)} == {80}


def test_the_real_cifar_has_fifty_thousand_entries_in_ten_classes(real):
    source = ZipSource(real("cifar10-train.zip"))
    entries = source.entries()
    assert len(entries) == 50_000
    assert len({entry.label for entry in entries}) == 10
    assert source.read(entries[-1])[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    "place", [0, 4, -1, -5, slice(1, 3), slice(None), slice(-2, None), slice(3, 99), slice(4, 0, -2)]
)
def test_numbered_entries_are_the_list_of_them(place):
    labels = ["a", "b", None, "a", "c"]
    listed = [Entry(f"image {i}", i, label) for i, label in enumerate(labels)]
    assert NumberedEntries(5, labels)[place] == listed[place]
    assert list(NumberedEntries(5, labels)) == listed
    assert list(NumberedEntries(2, noun="digit")) == [Entry("digit 0", 0), Entry("digit 1", 1)]


@pytest.mark.parametrize("place", [5, -6])
def test_there_is_no_numbered_entry_outside(place):
    with pytest.raises(IndexError):
        NumberedEntries(5)[place]
