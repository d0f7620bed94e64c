import os
import pickle
import sys

import pytest

from ganglion.data.folder import FolderSource, walk
from ganglion.data.scan import scan
from ganglion.data.source import LARGEST_FILE_BYTES

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
