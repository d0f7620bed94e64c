import json
import os
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from ganglion.data.arrays import NpySource
from ganglion.data.decode import decode
from ganglion.data.file_names import printable
from ganglion.data.scan import Scan, _scan_afresh, scan
from ganglion.data.sources import FolderSource, ZipSource
from ganglion.errors import DataError


@pytest.fixture
def found(listed, cache):
    """The scan of payloads in memory."""
    return lambda payloads, labels=(), name="listed": scan(listed(payloads, dict(labels), name), cache)


def test_sizes_modes_and_classes_are_counted(found, noise):
    payloads = {"a": noise(8, 4), "b": noise(8, 4, 1), "c": noise(20, 30), "d": noise(6, 6, 4)}
    result = found(payloads, {"a": "x", "b": "x", "c": "y"})
    assert (result.images, result.smallest_size, result.largest_size) == (4, (8, 4), (20, 30))
    assert result.median_size == (8, 4)
    assert result.sizes[0] == ("8x4", 2)
    assert result.modes == {"RGB": 2, "L": 1, "RGBA": 1}
    assert (result.gray, result.alpha) == (1, 1)
    assert result.labels == {"x": 2, "y": 1}


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9])
def test_the_median_size_is_the_low_median_of_each_side(found, noise, count):
    heights, widths = np.random.default_rng(count).integers(1, 30, (2, count)).tolist()
    result = found({str(i): noise(h, w) for i, (h, w) in enumerate(zip(heights, widths, strict=True))})
    middle = (count - 1) // 2
    assert result.median_size == (sorted(heights)[middle], sorted(widths)[middle])


def test_a_truncated_jpeg_is_listed_and_skipped(found, noise, encode):
    whole = encode(noise(64, 64), "JPEG")
    result = found({"a.jpg": whole, "b.jpg": encode(noise()), "torn.jpg": whole[: len(whole) // 2]})
    assert (result.images, result.broken) == (2, 1)
    assert result.bad[0][0] == "torn.jpg"
    assert "truncated" in result.bad[0][1]


def test_an_empty_file_and_one_that_is_no_image_are_listed_and_skipped(found, noise):
    result = found({"a.png": noise(), "b.png": noise(seed=1), "empty.png": b"", "text.png": b"text"})
    assert result.bad == [("empty.png", "empty file"), ("text.png", "not an image")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(13, "Permission denied"), "cannot be read: Permission denied"),
        (OSError("the disk hiccuped"), "cannot be read: the disk hiccuped"),
        (ValueError("encrypted in the zip"), "encrypted in the zip"),
    ],
)
def test_a_file_that_may_not_be_read_is_listed_and_skipped(found, noise, error, reason):
    result = found({"a.png": noise(), "locked.png": error})
    assert (result.images, result.bad) == (1, [("locked.png", reason)])


def test_another_error_of_a_source_is_a_fault_of_the_programme_and_not_hidden(found):
    with pytest.raises(ZeroDivisionError):
        found({"a.png": ZeroDivisionError()})


def test_animated_and_turned_images_are_counted(found, encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    red, blue = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    moving, turned = encode(red, "GIF", save_all=True, append_images=[blue]), encode(red, "JPEG", exif=exif)
    result = found({"a.gif": moving, "b.jpg": turned, "c.png": encode(blue)})
    assert (result.animated, result.turned, result.images) == (1, 1, 3)


def test_copies_byte_for_byte_are_listed_with_their_original(found, noise, encode):
    one, other = encode(noise()), encode(noise(seed=1))
    result = found({"a.png": one, "b.png": other, "c.png": one, "d.png": one})
    assert result.duplicates == 2
    assert result.duplicate_paths == [("c.png", "a.png"), ("d.png", "a.png")]


def test_copies_are_found_by_their_pixels_in_whatever_format_mode_and_hidden_colour(found, noise, encode):
    page, gray = noise(12, 10), noise(12, 10, 1, seed=1)
    opaque = np.dstack([page, np.full((12, 10), 255, np.uint8)])
    holed = [np.array(opaque), np.array(opaque)]
    for one, hidden in zip(holed, (0, 77), strict=True):
        one[3:6, 2:5] = hidden, hidden, hidden, 0
    result = found(
        {
            "a.png": encode(page), "b.bmp": encode(page, "BMP"), "c.webp": encode(page, "WEBP", lossless=True),
            "d.png": encode(opaque), "e.png": encode(gray), "f.png": encode(np.repeat(gray[..., None], 3, 2)),
            "g.png": encode(holed[0]), "h.png": encode(holed[1]), "i.png": encode(page[:, ::-1]),
        }
    )  # fmt: skip
    assert result.duplicate_paths == [
        ("b.bmp", "a.png"), ("c.webp", "a.png"), ("d.png", "a.png"), ("f.png", "e.png"), ("h.png", "g.png")
    ]  # fmt: skip
    assert (result.duplicates, result.copies) == (5, [1, 2, 3, 5, 7])


def test_large_jpegs_are_copies_only_where_every_pixel_is_equal(found, noise, encode):
    """A scan decodes them at an eighth, at which finer differences vanish."""
    page = np.full((512, 512, 3), 120, np.uint8)
    finer = page.copy()
    finer[::2, ::2], finer[1::2, ::2] = 124, 116
    one, other = encode(page, "JPEG", quality=95), encode(finer, "JPEG", quality=95)
    assert np.array_equal(*(np.asarray(decode(payload, 32)[0]) for payload in (one, other)))
    result = found({"a.jpg": one, "b.jpg": other, "c.jpg": encode(page, "JPEG", quality=95, comment=b"again")})
    assert result.duplicate_paths == [("c.jpg", "a.jpg")]


def test_a_file_that_is_gone_when_it_is_compared_once_more_is_no_copy(listed, cache, noise, encode):
    """Files that differ are compared whole at the end of the scan."""

    class Vanishing(listed):
        def read(self, entry):
            if self.reads >= 2:
                raise FileNotFoundError(2, "No such file", entry.key)
            return super().read(entry)

    page = noise(64, 64)
    source = Vanishing({"a.jpg": encode(page, "JPEG"), "b.jpg": encode(page, "JPEG", comment=b"again")})
    assert scan(source, cache).duplicates == 0


def test_a_scan_of_a_folder_that_changed_meanwhile_is_not_kept(image_folder, cache):
    root = image_folder(["a.png", "b.png"])

    class Changing(FolderSource):
        def entries(self):
            (root / "passing.png").write_bytes((root / "a.png").read_bytes())
            return super().entries()

    assert scan(Changing(root), cache).images == 3
    (root / "passing.png").unlink()
    assert scan(FolderSource(root), cache).images == 2


def test_looks_are_taken_of_evenly_spread_images_and_of_all_where_there_are_few(found, monkeypatch):
    pages = {f"{i:03d}": np.full((2, 2), i, np.uint8) for i in range(250)}
    assert len(found(pages, name="all").looks) == 250
    monkeypatch.setattr("ganglion.data.scan.MOST_LOOKS", 100)
    assert len(found(pages, name="some").looks) == 100


def test_kinds_are_counted_with_some_paths(found):
    random = np.random.default_rng(0)
    photos = {f"photo{i}": random.integers(0, 256, (40, 40, 3)).astype(np.uint8) for i in range(3)}
    drawings = {f"drawing{i}": np.full((40, 40, 3), 30 * i, np.uint8) for i in range(7)}
    result = found(photos | drawings)
    assert result.kinds == {"drawing": 7, "photo": 3}
    assert result.kind_paths == {"drawing": [f"drawing{i}" for i in range(5)], "photo": list(photos)}


def test_facts_leave_out_what_is_kept_for_each_image(found, noise):
    facts = found({"a": noise(), "b": noise()}).facts()
    assert facts["duplicates"] == 1
    assert not facts.keys() & {"looks", "copies"}


def test_arrays_of_the_same_bytes_and_another_shape_are_no_copies(found):
    assert found({"a": np.zeros((2, 8), np.uint8), "b": np.zeros((4, 4), np.uint8)}).duplicates == 0


def test_nothing_at_all_is_refused_as_empty(tmp_path, cache):
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"no image in folder .*photos: it is empty"):
        scan(FolderSource(tmp_path / "photos"), cache)


def test_nothing_usable_is_refused_with_examples(found):
    with pytest.raises(DataError, match=r"2 files, none of them usable \(a.png: empty file; b.txt: not an image\)"):
        found({"a.png": b"", "b.txt": b"text"})


def test_pickles_are_never_opened_and_the_message_says_why(found):
    with pytest.raises(DataError, match="Python pickles are not opened"):
        found({"cifar/data_batch_1": b"\x80\x04pickle", "cifar/batches.meta": b"\x80"})


def test_more_than_half_broken_is_refused_with_counts_and_examples(found, noise):
    with pytest.raises(DataError, match=r"2 of 3 images .* are broken, more than half: .*b.png: empty file"):
        found({"a.png": noise(), "b.png": b"", "c.png": b""})


def test_half_broken_is_used(found, noise):
    assert found({"a.png": noise(), "b.png": b""}).images == 1


@pytest.mark.parametrize("suffix", ["json", "txt", "xml", "csv"])
def test_many_files_that_do_not_claim_to_be_images_are_listed_and_refuse_nothing(found, noise, suffix):
    result = found({"a.png": noise()} | {f"{i}.{suffix}": b"{}" for i in range(50)})
    assert (result.images, result.broken, len(result.bad)) == (1, 0, 50)


def test_a_refusal_is_repeated_without_reading_again(listed, cache, noise):
    source = listed({"a.png": noise(), "b.png": b"", "c.png": b""})
    for _ in range(2):
        with pytest.raises(DataError, match="more than half"):
            scan(source, cache)
    assert source.reads == 3


def test_a_second_scan_reads_nothing_and_is_equal(listed, cache, noise):
    source = listed({"a.png": noise(), "b.png": noise(seed=1), "b.txt": b""}, {"a.png": "x"})
    first = scan(source, cache)
    assert scan(source, cache) == first
    assert source.reads == 3


def test_another_fingerprint_is_another_scan(found, noise):
    assert found({"a": noise()}, name="one").images == 1
    assert found({"a": noise(), "b": noise(seed=1)}, name="two").images == 2


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"{}", b'{"format": 0}', b'{"format": 1}', b'{"format": 2}', b"\xff", b"7"]
)
def test_a_damaged_cache_is_read_afresh(listed, cache, noise, damage):
    source = listed({"a.png": noise()})
    first = scan(source, cache)
    kept = next((cache / "scans").glob("*.json"))
    kept.write_bytes(damage)
    assert scan(source, cache) == first
    assert source.reads == 2
    assert Scan.from_json(json.loads(kept.read_text())) == first


def test_a_scan_is_the_same_after_json(found, noise):
    result = found({"a.png": noise(), "b.png": noise(), "c.txt": b""}, {"a.png": "x"})
    assert Scan.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_the_content_depends_on_bytes_labels_and_order_and_not_on_names(found, noise):
    one, other = noise(), noise(seed=1)
    same = found({"a": one, "b": other}, {"a": "x"}, "1").content
    assert found({"c": one, "d": other}, {"c": "x"}, "2").content == same
    assert found({"a": one, "b": other, "c.txt": b"not used"}, {"a": "x"}, "3").content == same
    others = [
        found({"a": one, "b": other}, {"a": "y"}, "4"),
        found({"a": one, "b": other}, {}, "5"),
        found({"a": other, "b": one}, {"a": "x"}, "6"),
        found({"a": one}, {"a": "x"}, "7"),
        found({"a": one, "b": noise(seed=2)}, {"a": "x"}, "8"),
    ]
    assert len({same, *(result.content for result in others)}) == 6


def test_progress_runs_from_none_to_all(listed, cache, noise):
    told = []
    payloads = {str(i): noise(2, 2, seed=i) for i in range(300)}
    scan(listed(payloads), cache, lambda done, total: told.append((done, total)))
    assert told == [(0, 300), (256, 300), (300, 300)]


def test_a_name_that_is_no_text_is_written_with_escapes():
    assert printable("grün 猫") == "grün 猫"
    assert printable(os.fsdecode(b"a\xff.png")) == "a\\udcff.png"


def test_the_real_flowers_are_whole(real, cache):
    result = scan(ZipSource(real("flowers17-128.zip")), cache)
    assert (result.images, result.broken, result.median_size) == (1360, 0, (128, 128))
    assert (len(result.labels), result.modes) == (17, {"RGB": 1360})


def test_a_known_scan_is_described_by_the_source_that_is_named_now(listed, cache, noise):
    first, second = (listed({"a": noise()}) for _ in range(2))
    second.description = "the same images elsewhere"
    assert scan(first, cache).description == "images in memory"
    assert scan(second, cache).description == "the same images elsewhere"
    assert second.reads == 0


def test_a_source_without_a_fingerprint_is_read_each_time_and_leaves_no_scan(listed, cache, noise):
    source = listed({"a": noise()}, name=None)
    assert scan(source, cache) == scan(source, cache)
    assert source.reads == 2
    assert not (cache / "scans").exists()


@pytest.mark.parametrize("seed", range(20))
def test_copies_are_those_found_one_by_one_also_among_broken_files(found, noise, encode, seed):
    random = np.random.default_rng(seed)
    kinds = [b"", b"no image", *(encode(noise(seed=i)) for i in range(4))]
    payloads = {f"{i:02d}.png": kinds[kind] for i, kind in enumerate(random.integers(1, 6, random.integers(1, 25)))}
    payloads["zz.png"] = kinds[5]
    first: dict[bytes, str] = {}
    expected = []
    for name, payload in payloads.items():
        if payload not in kinds[:2] and first.setdefault(payload, name) != name:
            expected.append((name, first[payload]))
    broken = sum(payload in kinds[:2] for payload in payloads.values())
    if 2 * broken <= len(payloads):
        result = found(payloads)
        assert (result.duplicates, result.duplicate_paths) == (len(expected), expected)


def test_a_scan_of_an_array_keeps_few_bytes_for_an_image(tmp_path, cache, monkeypatch):
    monkeypatch.setattr("ganglion.data.scan.MOST_LOOKS", 64)  # so many are kept of any number

    def peak(n):
        images = np.arange(n * 4, dtype=np.uint32).view(np.uint8).reshape(n, 2, 8)
        np.save(tmp_path / f"{n}.npy", images)
        source = NpySource(tmp_path / f"{n}.npy")
        tracemalloc.start()
        try:
            assert _scan_afresh(source, "", lambda done, total: None)[0].images == n
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    few, more = 256, 1792  # below the number from which worker processes read
    assert (peak(more) - peak(few)) / (more - few) < 120  # an entry and a dictionary's place alone took 400


@pytest.mark.parametrize("names", ["{0}.json {0}.png", "{0}.png {0}.txt", "{0}.json {0}.png {0}.txt"])
def test_images_are_looked_at_however_other_files_stand_between_them(listed, cache, noise, names):
    payloads = {
        name: noise(8, 8, seed=i) if name.endswith("png") else b"{}"
        for i in range(501) for name in names.format(f"{i:03}").split()
    }  # fmt: skip
    result = scan(listed(payloads), cache)
    assert (result.images, result.broken) == (501, 0)
    assert len(result.looks) > 400


def test_of_many_images_about_a_thousand_are_looked_at_evenly(listed, cache, noise):
    result = scan(listed({f"{i:04}": noise(2, 2 + (i >= 1900), seed=i) for i in range(2000)}), cache)
    wide = sum(look.width == 3 for look in result.looks)
    assert 950 <= len(result.looks) <= 1050
    assert 45 <= wide <= 55


@pytest.mark.parametrize(
    ("error", "kept"), [(OSError(5, "Input/output error"), False), (PermissionError(13, "Permission denied"), True)]
)
def test_an_error_that_passes_is_not_remembered(image_folder, cache, monkeypatch, error, kept):
    source, read = FolderSource(image_folder(["a.png", "b.png", "c.png"])), FolderSource.read

    def failing(self, entry):
        if entry.key == "b.png":
            raise error
        return read(self, entry)

    monkeypatch.setattr(FolderSource, "read", failing)
    assert scan(source, cache).images == 2
    monkeypatch.setattr(FolderSource, "read", read)
    assert scan(source, cache).images == (2 if kept else 3)


@pytest.mark.parametrize("suffix", ["heic", "HEIF", "jxl"])
def test_a_picture_in_a_format_that_is_not_read_counts_as_broken_and_says_what_to_do(found, noise, suffix):
    result = found({"a.png": noise(), "b.png": noise(seed=1), f"c.{suffix}": STARTS[suffix.lower()]})
    assert result.broken == 1
    assert result.bad[0][1].endswith("is not read: save it as PNG or JPEG")


STARTS = {"heic": b"\0\0\0 ftypheic", "heif": b"\0\0\0 ftypmif1", "jxl": b"\xff\x0a\xfa\x7f"}
