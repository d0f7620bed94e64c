import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ganglion.data.alpha import premultiplied
from ganglion.data.decode import Unreadable, decode, quiet_pillow
from ganglion.data.fit import Fit, fit

LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "TIFF": {}}
ORIENTATION = 0x0112


def image_facts(payload):
    return decode(payload, 32)[1]


def pixels_of(payload, channels=3):
    image, _ = decode(payload)
    return fit(image, Fit((image.height, image.width), channels, "crop"))


def reason(payload):
    with quiet_pillow(), pytest.raises(Unreadable) as caught:
        image_facts(payload)
    return str(caught.value)


def corners():
    """8x16 pixels, each quarter of another colour: red, green / blue, white."""
    page = np.zeros((8, 16, 3), np.uint8)
    page[:4, :8], page[:4, 8:], page[4:, :8], page[4:, 8:] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
    return page


UPRIGHT = {  # what a picture stored with this orientation shows, by the EXIF standard
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


def with_orientation(encode, pixels, orientation, kind, **options):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(pixels, kind, exif=exif, **options)


def bomb(width=60_000, height=60_000):
    """A PNG of a few bytes that claims to be huge."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_lossless_format_gives_back_the_very_pixels(noise, encode, kind):
    assert np.array_equal(pixels_of(encode(noise(5, 7), kind, **LOSSLESS[kind])), noise(5, 7))


def test_a_jpeg_gives_back_about_the_same_pixels(encode):
    smooth = np.tile(np.linspace(0, 255, 32).astype(np.uint8)[:, None, None], (1, 32, 3))
    found = pixels_of(encode(smooth, "JPEG", quality=95)).astype(int)
    assert np.abs(found - smooth).max() < 8


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_black_and_white_becomes_0_and_255(noise, encode, kind):
    bits = noise(6, 9, 1) > 127
    payload = encode(Image.fromarray(bits), kind)
    assert image_facts(payload).mode == "1"
    assert np.array_equal(pixels_of(payload, 1)[..., 0], bits * np.uint8(255))


def test_gray_stays_the_same_gray(noise, encode):
    assert np.array_equal(pixels_of(encode(noise(channels=1)), 1)[..., 0], noise(channels=1))


def test_gray_with_alpha_is_laid_over_white(encode):
    page = np.array([[[0, 255], [0, 0], [100, 255], [0, 128]]], np.uint8)
    payload = encode(Image.fromarray(page))
    assert image_facts(payload).mode == "LA"
    assert pixels_of(payload, 1)[0, :, 0].tolist() == [0, 255, 100, 127]


def test_colour_with_alpha_is_laid_over_white_or_kept(encode):
    page = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)
    assert pixels_of(encode(page), 3).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert pixels_of(encode(page), 4).tolist() == [[[10, 20, 30, 255], [0, 0, 0, 0]]]


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palette_is_looked_up(encode, kind):
    image = Image.fromarray(corners()).convert("P", palette=Image.Palette.ADAPTIVE)
    assert np.array_equal(pixels_of(encode(image, kind)), corners())


def test_a_transparent_entry_of_a_palette_becomes_alpha(encode):
    image = Image.fromarray(corners()).convert("P", palette=Image.Palette.ADAPTIVE)
    payload = encode(image, "PNG", transparency=image.getpixel((0, 0)))
    assert image_facts(payload).alpha
    assert pixels_of(payload, 4)[0, 0, 3] == 0
    assert pixels_of(payload, 3)[0, 0].tolist() == [255, 255, 255]
    assert np.array_equal(pixels_of(payload, 3)[4:], corners()[4:])


def test_a_transparent_colour_of_rgb_and_of_gray_becomes_alpha(encode, noise):
    assert pixels_of(encode(corners(), "PNG", transparency=(255, 0, 0)), 4)[..., 3].min() == 0
    gray = np.array([[0, 9]], np.uint8)
    payload = encode(gray, "PNG", transparency=0)
    assert decode(payload)[0].mode == "LA"
    assert pixels_of(payload, 1)[0, :, 0].tolist() == [255, 9]


def test_cmyk_becomes_rgb(encode):
    page = np.zeros((1, 2, 4), np.uint8)
    page[0, 1] = 255, 0, 0, 0  # full cyan
    payload = encode(Image.frombytes("CMYK", (2, 1), page.tobytes()), "TIFF")
    assert image_facts(payload).mode == "CMYK"
    assert pixels_of(payload).tolist() == [[[255, 255, 255], [0, 255, 255]]]


LEVELS_16 = np.array([[0, 255, 256, 257 * 100, 32768, 65535]], np.uint16)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_gray_is_scaled_and_not_cut_off(encode, kind):
    payload = encode(LEVELS_16, kind)
    assert image_facts(payload).mode.startswith("I")
    assert pixels_of(payload, 1)[0, :, 0].tolist() == [0, 1, 1, 100, 128, 255]


def test_16_bit_gray_of_the_other_byte_order_is_scaled_alike(encode):
    image = Image.frombytes("I;16B", (6, 1), LEVELS_16.astype(">u2").tobytes())
    assert pixels_of(encode(image, "TIFF"), 1)[0, :, 0].tolist() == [0, 1, 1, 100, 128, 255]


@pytest.mark.parametrize(("white", "level"), [(None, 255), (255, 255), (1023, 64), (65_535, 1), (100, 255)])
def test_dark_16_bit_gray_is_as_bright_as_its_white_level_makes_it(encode, white, level):
    image, facts = decode(encode(np.full((2, 2), 255, np.uint16)), white=white)
    assert (np.asarray(image).max(), facts.brightest) == (level, 255)


def test_32_bit_gray_is_read_by_its_brightest_value(encode):
    assert pixels_of(encode(np.array([[0, 200]], np.int32), "TIFF"), 1)[0, :, 0].tolist() == [0, 200]
    assert pixels_of(encode(np.array([[0, 65535]], np.int32), "TIFF"), 1)[0, :, 0].tolist() == [0, 255]
    assert "more than 16 bits" in reason(encode(np.array([[0, 70_000]], np.int32), "TIFF"))
    assert "below zero" in reason(encode(np.array([[0, -1]], np.int32), "TIFF"))


def test_floating_point_gray_a_little_above_one_is_clipped(encode):
    assert pixels_of(encode(np.array([[0, 0.5, 1.04]], np.float32), "TIFF"), 1)[0, :, 0].tolist() == [0, 128, 255]


def test_a_deep_pgm_is_scaled_like_the_others():
    content = b"P5 2 1 65535\n" + np.array([200, 40_000], ">u2").tobytes()
    assert pixels_of(content, 1)[0, :, 0].tolist() == [1, 156]
    dark = b"P5 2 1 65535\n" + np.array([100, 200], ">u2").tobytes()
    assert np.asarray(decode(dark, white=65_535)[0]).tolist() == [[0, 1]]


def test_floating_point_gray_up_to_one_is_scaled(encode):
    assert pixels_of(encode(np.array([[0, 0.5, 1]], np.float32), "TIFF"), 1)[0, :, 0].tolist() == [0, 128, 255]
    assert "not finite" in reason(encode(np.array([[0, np.nan]], np.float32), "TIFF"))


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", sorted(LOSSLESS.keys() - {"BMP"}))
def test_the_pixels_are_turned_upright(encode, kind, orientation):
    payload = with_orientation(encode, corners(), orientation, kind, **LOSSLESS[kind])
    assert np.array_equal(pixels_of(payload), UPRIGHT[orientation](corners()))


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_jpeg_is_turned_upright_and_its_facts_are_of_the_upright_picture(encode, orientation):
    payload = with_orientation(encode, corners(), orientation, "JPEG", quality=95, subsampling=0)
    wanted = UPRIGHT[orientation](corners())
    found, facts = pixels_of(payload), image_facts(payload)
    assert found.shape == wanted.shape == (facts.height, facts.width, 3)
    assert np.abs(found.astype(int) - wanted).max() < 40
    assert facts.turned == (orientation != 1)


def test_a_jpeg_decoded_small_is_still_turned_and_measured_whole(encode):
    big = np.kron(corners(), np.ones((32, 32, 1), np.uint8))
    image, facts = decode(with_orientation(encode, big, 6, "JPEG"), at_least=32)
    assert (facts.height, facts.width) == (512, 256)
    assert 32 <= min(image.size) < 256
    assert fit(image, Fit((2, 2), 3, "stretch"))[0, 0].argmax() == 2  # the lower left corner, blue, is now above


def test_the_first_frame_of_a_gif_is_used_and_that_it_moves_is_noted(encode):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    payload = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert image_facts(payload).animated
    assert pixels_of(payload)[0, 0].tolist() == [255, 0, 0]
    assert not image_facts(encode(frames[0], "GIF")).animated


@pytest.mark.parametrize(
    ("page", "gray", "alpha"),
    [
        (np.full((2, 2), 9, np.uint8), True, False),
        (np.full((2, 2, 3), 9, np.uint8), True, False),
        (np.full((2, 2, 4), 255, np.uint8), True, False),
        (np.array([[[1, 2, 99]]], np.uint8), False, False),
        (np.array([[[1, 2, 99, 255]]], np.uint8), False, False),
        (np.array([[[1, 2, 3, 254]]], np.uint8), False, True),
    ],
)
def test_gray_means_equal_channels_and_alpha_means_a_pixel_not_opaque(encode, page, gray, alpha):
    for payload in (encode(page), page):
        facts = image_facts(payload)
        assert (facts.gray, facts.alpha) == (gray, alpha)


KINDS = ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_is_unreadable(noise, encode, kind, share):
    payload = encode(noise(64, 64), kind)
    assert reason(payload[: int(share * len(payload))])


def test_a_truncated_progressive_jpeg_is_unreadable(noise, encode):
    payload = encode(noise(64, 64), "JPEG", progressive=True)
    assert "truncated" in reason(payload[: len(payload) // 2])


@pytest.mark.parametrize("length", [1, 2, 8, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_few_bytes_alone_are_unreadable(noise, encode, kind, length):
    assert reason(encode(noise(), kind)[:length])


def test_an_empty_file_and_one_that_is_no_image_say_so():
    assert reason(b"") == "empty file"
    assert reason(b"hello, world\n" * 100) == "not an image"


def test_a_decompression_bomb_is_refused_by_its_header():
    assert reason(bomb()) == "refused: 60000x60000 pixels, more than 128 million (decompression bomb?)"


def test_postscript_is_never_run():
    drawing = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    assert reason(drawing) == "a vector drawing that would have to be executed"


def test_a_png_whose_checksum_is_wrong_is_damaged(noise, encode):
    payload = bytearray(encode(noise(64, 64)))
    payload[len(payload) // 2] ^= 0xFF
    assert reason(bytes(payload)).startswith("damaged: ")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_with_random_bytes_turned_is_read_or_unreadable_and_nothing_else(noise, encode, kind, seed):
    random = np.random.default_rng(seed)
    payload = np.frombuffer(encode(noise(32, 32), kind), np.uint8).copy()
    payload[random.integers(0, len(payload), 8)] = random.integers(0, 256, 8)
    with quiet_pillow():
        try:
            assert image_facts(payload.tobytes()).height > 0
        except Unreadable as error:
            assert str(error)  # noqa: PT017 (both outcomes are right)


def test_gray_with_alpha_is_gray_and_has_alpha(encode):
    facts = image_facts(encode(np.array([[[5, 254]]], np.uint8)))
    assert (facts.mode, facts.gray, facts.alpha) == ("LA", True, True)


@pytest.mark.parametrize("shape", [(4, 4, 65), (4, 4, 0), (0, 4, 3), (4,), (2, 2, 2, 2)])
def test_an_array_that_is_no_picture_is_unreadable(shape):
    assert "pixels of shape" in reason(np.zeros(shape, np.uint8))


def test_pixels_that_were_never_encoded_pass_unchanged(noise):
    for channels in (1, 3, 4):
        wanted = premultiplied(noise(channels=channels)) if channels == 4 else noise(channels=channels)
        assert np.array_equal(pixels_of(noise(channels=channels), channels).squeeze(), wanted)
    assert pixels_of(noise(channels=1)[..., None], 1).shape == (8, 8, 1)


def test_pillow_is_left_as_it_was_found():
    before = Image.MAX_IMAGE_PIXELS
    with quiet_pillow():
        assert Image.MAX_IMAGE_PIXELS is None
    assert before == Image.MAX_IMAGE_PIXELS


JUNK = b"Exif\0\0this is no TIFF header at all"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_exif_block_costs_no_image(encode, kind):
    payload = encode(corners(), kind, exif=JUNK, **({} if kind == "JPEG" else LOSSLESS[kind]))
    assert not image_facts(payload).turned
    assert pixels_of(payload).shape == corners().shape


def test_an_orientation_beside_a_tag_that_cannot_be_written_again_is_applied(encode):
    turned = struct.pack("<HHIHH", ORIENTATION, 3, 1, 6, 0)
    odd = struct.pack("<HHI4s", 0x0111, 2, 2, b"a\0\0\0")  # where the strips begin, as text
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + odd + turned + b"\0\0\0\0"
    payload = encode(corners(), "JPEG", exif=block, quality=95, subsampling=0)
    assert (image_facts(payload).height, image_facts(payload).turned) == (16, True)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
            "a HEIC or AVIF image, which is not read: save it as PNG or JPEG",
        ),
        (b"\xff\x0a" + bytes(100), "a JPEG XL image, which is not read: save it as PNG or JPEG"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "a Git LFS pointer, not the image"),
        (b"\n <!DOCTYPE html><html></html>", "a web page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"<?php echo 1;", "not an image"),
    ],
)
def test_what_a_file_is_is_told_by_its_first_bytes(payload, said):
    assert reason(payload).startswith(said)


def test_a_tiff_of_five_deep_channels_is_told_from_what_is_no_image():
    """2x2 pixels of five channels of 16 bits, as a satellite's."""
    entries = [(256, 4, 1, 2), (257, 4, 1, 2), (258, 3, 5, 122), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 132),
               (277, 3, 1, 5), (278, 4, 1, 2), (279, 4, 1, 40)]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    payload = b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<5H", *[16] * 5) + bytes(40)
    assert reason(payload) == "a TIFF with channels or numbers that are not read: save the images as one NPY array"
