import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from ganglion.data.atomic import full_disk_said_once, storage_errors, sync_folder, write_atomically, write_synced
from ganglion.errors import StorageError


def test_the_content_arrives_and_folders_are_made(tmp_path):
    write_atomically(tmp_path / "a" / "b" / "file.json", b"content")
    assert (tmp_path / "a" / "b" / "file.json").read_bytes() == b"content"


def test_an_old_file_is_replaced_and_nothing_else_is_left(tmp_path):
    write_atomically(tmp_path / "file", b"old, and longer")
    write_atomically(tmp_path / "file", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"new")]


def test_others_may_read_what_was_written(tmp_path):
    write_atomically(tmp_path / "file", b"")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "file", "text where bytes belong")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


def test_a_folder_in_the_way_is_left_and_so_is_no_half_file(tmp_path):
    (tmp_path / "file" / "inside").mkdir(parents=True)
    with pytest.raises(StorageError, match="directory"):
        write_atomically(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_a_storage_error_that_names_the_place_and_the_remedy(number):
    with pytest.raises(StorageError, match=r"the disk is full \(there\): make room"), storage_errors(Path("there")):
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_forbidden_place_is_a_storage_error_that_names_it(number):
    with pytest.raises(StorageError, match="there cannot be written"), storage_errors(Path("there")):
        raise OSError(number, os.strerror(number))


def test_another_error_of_the_system_is_let_through():
    with pytest.raises(BlockingIOError), storage_errors(Path("there")):
        raise BlockingIOError(errno.EAGAIN, "later")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full, a disk that is always full, is Linux's")
def test_a_disk_that_is_really_full_is_a_storage_error():
    with pytest.raises(StorageError, match="the disk is full"), storage_errors(Path("/dev/full")):
        write_synced(Path("/dev/full"), b"content")


def test_a_folder_that_is_not_there_cannot_be_synced(tmp_path):
    sync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "nowhere")


def test_a_thread_that_a_full_disk_ends_is_silent_and_another_is_not(monkeypatch):
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda fault: seen.append(fault.exc_value.errno))

    def fail(code):
        raise OSError(code, "no")

    with full_disk_said_once():
        for code in (errno.ENOSPC, errno.EIO):
            thread = threading.Thread(target=fail, args=(code,))
            thread.start()
            thread.join()
    assert seen == [errno.EIO]


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EIO])
def test_a_place_that_cannot_be_written_is_said_in_words(tmp_path, code):
    with pytest.raises(StorageError, match="cannot be written"), storage_errors(tmp_path):
        raise OSError(code, "no")
