"""A zip of images, read in place: nothing is unpacked to disk."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ganglion.data.source import LARGEST_FILE_BYTES, Entry, is_litter, looks_like_image, natural_label
from ganglion.errors import DataError

__all__ = ["ZipSource"]


@dataclass(frozen=True)
class ZipSource:
    path: Path

    @property
    def description(self) -> str:
        return f"zip {self.path}"

    def fingerprint(self) -> str:
        status = self.path.stat()
        return f"zip {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {self.path.resolve()}"

    def entries(self) -> list[Entry]:
        members = _open(self.path).infolist()
        files = [(i, m.filename) for i, m in enumerate(members) if not m.is_dir() and not is_litter(m.filename)]
        files.sort(key=lambda file: (file[1], file[0]))
        labels = natural_label([name for _, name in files])
        return [Entry(name, i, label, looks_like_image(name)) for (i, name), label in zip(files, labels, strict=True)]

    def read(self, entry: Entry) -> bytes:
        archive = _open(self.path)
        member = archive.infolist()[int(entry.locator)]
        if member.file_size > LARGEST_FILE_BYTES:
            raise ValueError(f"the file is larger than {LARGEST_FILE_BYTES >> 20} MiB")
        if member.flag_bits & 1:
            raise ValueError("encrypted in the zip")
        try:
            return archive.read(member)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
            raise ValueError(f"damaged in the zip: {error}") from None


def _open(path: Path) -> zipfile.ZipFile:
    status = path.stat()
    return _open_version(path, (status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=4)  # one open handle for each zip and process; the directory of a large zip takes long to read
def _open_version(path: Path, version: tuple[int, ...]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise DataError(f"{path} is not a zip file, or it is cut off: copy or download it again") from None
    except (NotImplementedError, ValueError) as error:
        raise DataError(f"{path} is a zip that cannot be read ({error}): pack it anew") from None
