import os
import pickle
import sys
import zipfile

import pytest

from ganglion.data.archive import ZipSource
from ganglion.data.folder import FolderSource
from ganglion.data.scan import scan
from ganglion.errors import DataError


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
    with pytest.raises(DataError, match=r"is not a zip file, or it is cut off: copy or download it again"):
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
