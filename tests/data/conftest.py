"""What the tests of this room share: pictures made on the spot, sources in memory, the real images where they are."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.file_names import looks_like_image
from ganglion.data.fit import Fit
from ganglion.data.pack import pack
from ganglion.data.scan import scan
from ganglion.data.sources import Entry

RGB16 = Fit((16, 16), 3, "crop")
REAL = Path(__file__).parents[2].parent / "shared" / "data"


@dataclass
class ListedSource:
    """A source in memory that counts what is read. An exception in a payload's place is raised when it is read."""

    payloads: dict
    labels: dict = field(default_factory=dict)
    name: str = "listed"
    reads: int = 0
    description = "images in memory"

    def fingerprint(self):
        return self.name

    def entries(self):
        return [Entry(key, key, self.labels.get(key), looks_like_image(key)) for key in self.payloads]

    def read(self, entry):
        self.reads += 1
        payload = self.payloads[entry.locator]
        if isinstance(payload, Exception):
            raise payload
        return payload


class Silent:
    """A reporter that nobody hears; it remembers what it was told."""

    def __init__(self):
        self.told = []

    def steps(self, text):
        return lambda done, total: self.told.append((text, done, total))


def make_noise(height=8, width=8, channels=3, seed=0):
    """Random pixels (H, W, C), or (H, W) for one channel."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def encode_image(image, format="PNG", **options):  # noqa: A002 (Pillow's word)
    """The bytes of a file with `image`, a Pillow image or pixels."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def write_folder(root, names, **shape):
    """A folder with a PNG of its own noise at each of `names`."""
    for seed, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_image(make_noise(seed=seed, **shape)))
    return root


@pytest.fixture
def noise():
    return make_noise


@pytest.fixture
def encode():
    return encode_image


@pytest.fixture
def image_folder(tmp_path):
    return lambda names, root="photos", **shape: write_folder(tmp_path / root, names, **shape)


@pytest.fixture
def listed():
    return ListedSource


@pytest.fixture
def reporter():
    return Silent()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def packed(listed, cache):
    """The store of payloads in memory."""

    def pack_them(payloads, labels=(), settings=RGB16, name="listed"):
        source = listed(payloads, dict(labels), name)
        return pack(source, scan(source, cache), settings, cache)

    return pack_them


@pytest.fixture
def real():
    """The path of a real data set; the test is skipped where it is absent."""

    def find(name):
        if not (REAL / name).exists():
            pytest.skip(f"the real images shared/data/{name} are not here")
        return REAL / name

    return find


@pytest.fixture(scope="session")
def hub_library(tmp_path_factory):
    """The `datasets` library, with its caches in a temporary folder and no network."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("hub")
        for key in ("HF_HOME", "HF_DATASETS_CACHE", "HF_HUB_CACHE"):
            patch.setenv(key, str(home / key.lower()))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield pytest.importorskip("datasets", reason="the extra 'hub' is not installed")


@pytest.fixture
def parquet(hub_library, tmp_path):
    """Writes a local copy of a data set: a folder with one parquet file, columns by name, the kinds of some given."""

    def write(columns, kinds, name="copy"):
        features = hub_library.Features({key: kinds[key] for key in columns})
        folder = tmp_path / name
        folder.mkdir()
        hub_library.Dataset.from_dict(columns, features=features).to_parquet(str(folder / "train.parquet"))
        return folder

    return write
