import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ganglion.networks import fastgan
from ganglion.networks.build import build_discriminator, build_generator
from ganglion.recipe.networks import FastganDiscriminator, FastganGenerator
from ganglion.recipe.resolve import resolve
from ganglion.recipe.size import chain_to

SIZES = [(16, 16), (28, 28), (40, 40), (64, 64), (96, 64), (128, 128), (256, 256)]


def generator(size=(64, 64), channels=3, classes=0, **settings) -> nn.Module:
    return fastgan.generator(FastganGenerator(**{"width": 2} | settings), 4, channels, chain_to(size), classes)


def discriminator(size=(64, 64), channels=3, classes=0, **settings) -> nn.Module:
    return fastgan.discriminator(FastganDiscriminator(**{"width": 2} | settings), channels, chain_to(size), classes)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def quarter(number: int = 0) -> Tensor:
    return torch.tensor([number])


@pytest.mark.parametrize("size", SIZES)
def test_g_makes_images_and_d_a_map_of_logits_at_every_size(size):
    for channels, norm in ((1, "batch"), (3, "none"), (4, "layer"), (3, "instance")):
        images = generator(size, channels, norm=norm)(noise(2, 4))
        assert images.shape == (2, channels, *size)
        assert images.abs().max() <= 1
        logits = discriminator(size, channels, norm=norm)(images)
        places = [2 * side - 3 for side in chain_to(size).base]
        assert logits.shape == (2, places[0] * places[1])


def test_fine_maps_are_excited_by_those_four_doublings_below():
    for size, count in (((32, 32), 0), ((64, 64), 1), ((128, 128), 2), ((256, 256), 3)):
        assert len(generator(size).excitations) == count
    excite = fastgan.SkipLayerExcitation(6, 3).eval()
    fine, coarse = noise(2, 3, 8, 8), noise(2, 6, 5, 7)
    factors = excite(coarse, fine) / fine
    assert torch.allclose(factors, factors.mean((2, 3), keepdim=True).expand_as(fine), atol=1e-5)
    assert ((factors > 0) & (factors < 1)).all()
    assert not torch.allclose(excite(coarse + 1, fine), excite(coarse, fine))


def test_closed_excitation_leaves_the_last_bias_only():
    g = generator().eval()
    with torch.no_grad():
        g.excitations[0].excite.bias.fill_(-1000.0)
        assert torch.equal(g(noise(1, 4)), g(noise(1, 4, seed=1)))


@pytest.mark.parametrize("size", SIZES)
def test_errors_of_reconstructions_are_those_of_pixels(size):
    d = discriminator(size).eval()
    with torch.no_grad():
        for decoder in (d.of_whole, d.of_quarter):
            decoder.to_image.weight.zero_()
            decoder.to_image.bias.zero_()
        images = noise(2, 3, *size).clamp(-1, 1)
        h, w = size[0] // 2, size[1] // 2
        parts = images[..., :h, :w], images[..., :h, w:], images[..., h:, :w], images[..., h:, w:]
        whole = (avg_pool2d(images, 2) if max(size) > 128 else images).abs().mean((1, 2, 3))
        for number, part in enumerate(parts):
            found = d.reconstruction_errors(images, quarter(number))
            assert torch.allclose(found, whole + part.abs().mean((1, 2, 3)), atol=1e-6)


def test_d_learns_to_reconstruct_and_only_its_own_quarter_counts():
    torch.manual_seed(0)
    d, images = (
        discriminator((32, 32), width=8),
        noise(1, 3, 4, 4).clamp(-1, 1).repeat_interleave(8, 2).repeat_interleave(8, 3),
    )
    images = images.expand(8, -1, -1, -1)
    adam = torch.optim.Adam(d.parameters(), 1e-2)
    errors = []
    for _ in range(60):
        loss = d.reconstruction_errors(images, quarter(3)).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        errors.append(float(loss.detach()))
    assert errors[-1] < errors[0] / 3
    altered = images.clone()
    altered[:, :, :16, :16] = 1.0  # of a quarter that is not asked for: it counts in the whole only
    d.eval()
    with torch.no_grad():
        before, after = (d.of_quarter(fastgan._quarters([*d.features(x)][-2])[3]) for x in (images, altered))
    assert torch.allclose(before[..., 8:, 8:], after[..., 8:, 8:], atol=1e-4)


def test_the_recipe_builds_and_its_decoders_are_differentiated():
    recipe = resolve("fastgan", {"data.size": 32, "data.channels": 3, "generator.width": 4, "discriminator.width": 4})
    g, d = build_generator(recipe), build_discriminator(recipe)
    d.reconstruction_errors(g(noise(4, 256)).detach(), quarter(1)).mean().backward()
    reached = {name.split(".")[0] for name, weight in d.named_parameters() if weight.grad is not None}
    assert reached == {"blocks", "of_whole", "of_quarter"}
