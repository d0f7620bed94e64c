from __future__ import annotations

import torch

from ganglion.augment.variants import variants
from ganglion.recipe.augment import Ada, DiffAugment


def test_each_image_is_followed_by_its_augmented_copies() -> None:
    x = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    page = variants(x, DiffAugment(), 4, 1.0)
    assert page.shape == (15, 1, 16, 16)
    assert torch.equal(page[::5], x)
    assert not any(torch.equal(page[i], x[i // 5]) for i in range(15) if i % 5)


def test_under_ada_it_is_as_strong_as_asked() -> None:
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.allclose(variants(x, Ada(), 2, 0.0), x.repeat_interleave(3, 0), atol=1e-5)
    assert not torch.allclose(variants(x, Ada(), 2, 1.0), x.repeat_interleave(3, 0), atol=1e-1)
