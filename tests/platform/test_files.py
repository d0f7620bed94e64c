import errno
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from ganglion.errors import StorageError
from ganglion.platform.files import (
    full_disk_said_once,
    move,
    storage_errors,
    sync_file,
    sync_folder,
    write_atomically,
    write_synced,
)


def test_the_content_arrives_and_folders_are_made(tmp_path):
    write_atomically(tmp_path / "a" / "b" / "file.json", b"content")
    assert (tmp_path / "a" / "b" / "file.json").read_bytes() == b"content"


def test_an_old_file_is_replaced_and_nothing_else_is_left(tmp_path):
    write_atomically(tmp_path / "file", b"old, and longer")
    write_atomically(tmp_path / "file", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"new")]


def test_who_may_read_it_is_what_holds_for_any_new_file_of_this_user(tmp_path):
    write_atomically(tmp_path / "file", b"")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "file", "text where bytes belong")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


def test_a_folder_in_the_way_is_left_and_so_is_no_half_file(tmp_path):
    (tmp_path / "file" / "inside").mkdir(parents=True)
    with pytest.raises(StorageError, match="file cannot be written"):
        write_atomically(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_a_storage_error_that_names_the_place_and_the_remedy(number):
    with (
        pytest.raises(StorageError, match=r"the disk is full \(there\): free some space"),
        storage_errors(Path("there")),
    ):
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


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EIO, errno.EINVAL, errno.ENOTEMPTY])
def test_a_place_that_cannot_be_written_is_said_in_words(tmp_path, code):
    with pytest.raises(StorageError, match="cannot be written"), storage_errors(tmp_path):
        raise OSError(code, "no")


# What systems do differently

NO_FILE = 10**6  # more than a process may have open


class Held:
    """A file that another program holds open for the next `times` attempts to move it, as on Windows."""

    def __init__(self, times: int) -> None:
        self.times, self.moved_to = times, None

    def replace(self, target) -> None:
        if self.times:
            self.times -= 1
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        self.moved_to = target


def test_a_move_that_another_program_holds_up_is_tried_again():
    file, slept = Held(2), []
    move(file, "there", (0.1, 0.2, 0.4), slept.append)
    assert (file.moved_to, slept) == ("there", [0.1, 0.2])


def test_a_move_that_is_refused_throughout_is_an_error():
    slept = []
    with pytest.raises(PermissionError):
        move(Held(3), "there", (0.1, 0.2), slept.append)
    assert slept == [0.1, 0.2]


def test_a_move_replaces_a_file_on_every_system(tmp_path):
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "old").write_bytes(b"old")
    move(tmp_path / "new", tmp_path / "old")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("old", b"new")]


def test_where_folders_cannot_be_opened_as_on_windows_they_are_not_synced(tmp_path, monkeypatch):
    asked, synced = [], []
    monkeypatch.setattr(os, "fsync", synced.append)

    def refuse(folder, flags):
        asked.append(Path(folder))
        raise PermissionError(errno.EACCES, "Permission denied", folder)

    sync_folder(tmp_path, refuse)
    assert (asked, synced) == ([tmp_path], [])


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc, a file system that syncs nothing, is Linux's")
def test_a_file_system_that_cannot_sync_folders_is_no_error():
    handle = os.open("/proc", os.O_RDONLY)
    with pytest.raises(OSError, match="Invalid argument"):
        os.fsync(handle)
    os.close(handle)
    sync_folder(Path("/proc"))


def test_a_sync_that_fails_is_an_error(tmp_path):
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_folder(tmp_path, lambda folder, flags: NO_FILE)


def test_on_macos_a_file_is_flushed_through_the_drives_own_cache(tmp_path):
    asked = []
    module = SimpleNamespace(F_FULLFSYNC=51, fcntl=lambda handle, command: asked.append((handle, command)))
    with (tmp_path / "file").open("wb") as file:
        sync_file(file.fileno(), lambda: module)
        assert asked == [(file.fileno(), 51)]


@pytest.mark.parametrize("module", [None, SimpleNamespace()])
def test_where_there_is_no_such_flush_fsync_is_what_there_is(module):
    with pytest.raises(OSError, match="Bad file descriptor"):  # fsync's answer
        sync_file(NO_FILE, lambda: module)


def test_a_volume_that_refuses_the_flush_is_synced_as_elsewhere(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)

    def refuse(handle, command):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    with (tmp_path / "file").open("wb") as file:
        sync_file(file.fileno(), lambda: SimpleNamespace(F_FULLFSYNC=51, fcntl=refuse))
        assert synced == [file.fileno()]
