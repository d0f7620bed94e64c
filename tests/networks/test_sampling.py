from itertools import pairwise

import pytest
import torch

from ganglion.networks.build import build_generator
from ganglion.networks.sampling import CHUNK, generate, generate_chunks
from ganglion.recipe.resolve import resolve

N = 2 * CHUNK + 5


@pytest.fixture(scope="module")
def generator() -> torch.nn.Module:
    small = {"data.size": "48x32", "data.channels": 3, "latent.dim": 16, "generator.width": 8, "init.scheme": "kaiming"}
    network = build_generator(resolve("dcgan", small)).train()
    network(latents(64))  # its batch statistics are no longer those of a new network
    return network.eval()


def latents(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 16, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("k", [1, 2, 5, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, N - 1])
def test_the_first_k_images_are_equal_bit_for_bit_however_many_follow(generator, k):
    z = latents(N)
    assert torch.equal(generate(generator, z)[:k], generate(generator, z[:k]))


def test_each_image_is_equal_bit_for_bit_when_made_alone(generator):
    z = latents(CHUNK + 2)
    alone = torch.cat([generate(generator, one) for one in z.split(1)])
    assert torch.equal(generate(generator, z), alone)


def test_permuted_latents_give_the_same_images_permuted(generator):
    z, order = latents(N), torch.randperm(N, generator=torch.Generator().manual_seed(1))
    assert torch.equal(generate(generator, z[order]), generate(generator, z)[order])


def test_two_passes_are_equal(generator):
    assert torch.equal(generate(generator, latents(N)), generate(generator, latents(N)))


def test_images_are_those_of_a_plain_forward_pass(generator):
    with torch.no_grad():
        plain = generator(latents(N))
    assert torch.allclose(generate(generator, latents(N)), plain, atol=1e-5)  # kernels differ by batch, in rounding


def test_images_are_finite_float32_between_minus_1_and_1_and_carry_no_graph(generator):
    images = generate(generator, latents(N))
    assert (images.dtype, images.shape, images.requires_grad) == (torch.float32, (N, 3, 48, 32), False)
    assert images.isfinite().all()
    assert images.abs().max() <= 1


def test_an_autocast_around_the_call_changes_no_bit(generator):
    with torch.autocast("cpu", torch.bfloat16):
        cast = generate(generator, latents(3))
    assert torch.equal(cast, generate(generator, latents(3)))


def test_different_latents_give_different_images(generator):
    images = generate(generator, latents(8))
    assert all(not torch.equal(a, b) for a, b in pairwise(images))


def test_chunks_hold_at_most_sixteen_images_and_join_to_all(generator):
    chunks = list(generate_chunks(generator, latents(N)))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 5]
    assert torch.equal(torch.cat(chunks), generate(generator, latents(N)))


def test_sampling_moves_no_statistic_and_no_weight(generator):
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    generate(generator, latents(N))
    assert not generator.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())


def test_a_generator_in_train_mode_is_refused_and_stays_as_it_was(generator):
    network = build_generator(resolve("dcgan", {"data.size": 16, "data.channels": 1, "generator.width": 4}))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ValueError, match=r"call generator.eval\(\) first"):
        generate(network.train(), torch.zeros(2, 100))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("shape", [(0, 16), (16,), (2, 16, 1, 1)])
def test_latents_of_another_shape_are_refused(generator, shape):
    with pytest.raises(ValueError, match="latents have the shape"):
        generate(generator, torch.zeros(shape))
