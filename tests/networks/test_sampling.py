from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats

from ganglion.networks.build import build_generator
from ganglion.networks.sampling import CHUNK, PRIORS, draw_labels, draw_latents, generate, generate_chunks
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Latent
from ganglion.streams import Purpose, stream


def draw(prior: str, n: int, dim: int = 7, seed: int = 0) -> torch.Tensor:
    return draw_latents(Latent(prior=prior, dim=dim), n, stream(seed, Purpose.LATENT))


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("dim", [1, 7, 100])
def test_the_first_k_of_n_are_the_same_k_whatever_n_is(prior, dim):
    many = draw(prior, 65, dim)
    assert all(torch.equal(draw(prior, k, dim), many[:k]) for k in (1, 2, 3, 16, 64))


@pytest.mark.parametrize("prior", PRIORS)
def test_latents_are_float32_on_the_cpu_in_the_asked_shape(prior):
    z = draw(prior, 5)
    assert (z.dtype, z.shape, z.device.type) == (torch.float32, (5, 7), "cpu")


@pytest.mark.parametrize("prior", PRIORS)
def test_other_seeds_give_other_latents(prior):
    assert not torch.equal(draw(prior, 5, seed=0), draw(prior, 5, seed=1))


@pytest.mark.parametrize(("prior", "law"), [("normal", stats.norm(0, 1)), ("uniform", stats.uniform(-1, 2))])
def test_the_coordinates_follow_the_law_of_the_prior(prior, law):
    z = draw(prior, 2000, 10).numpy().ravel()
    assert stats.kstest(z, law.cdf).pvalue > 0.001


def test_uniform_latents_lie_between_minus_1_and_1():
    assert draw("uniform", 10_000).abs().max() <= 1


@pytest.mark.parametrize("dim", [2, 7, 512])
def test_sphere_latents_have_the_radius_of_the_root_of_their_dimension(dim):
    lengths = draw("sphere", 200, dim).double().norm(dim=1)
    assert torch.allclose(lengths, torch.full_like(lengths, dim**0.5), rtol=1e-6)


def test_sphere_latents_favour_no_direction():
    """In three dimensions each coordinate of a uniform point on a sphere is uniform (Archimedes)."""
    for coordinate in draw("sphere", 5000, 3).T.numpy():
        assert stats.kstest(coordinate, stats.uniform(-(3**0.5), 2 * 3**0.5).cdf).pvalue > 0.001


@pytest.mark.parametrize("prior", PRIORS)
def test_coordinates_are_uncorrelated(prior):
    correlation = np.corrcoef(draw(prior, 10_000, 5).numpy().T)
    assert np.abs(correlation - np.eye(5)).max() < 5 / np.sqrt(10_000)  # five standard errors


def labels(counts: tuple[int, ...], n: int, seed: int = 0) -> torch.Tensor | None:
    return draw_labels(counts, n, stream(seed, Purpose.LABEL))


@pytest.mark.parametrize("counts", [(1, 1), (7, 7, 7), (900, 100), (5, 0, 1, 0)])
def test_the_first_k_of_n_labels_are_the_same_k_whatever_n_is(counts):
    many = labels(counts, 65)
    assert (many.dtype, many.device.type) == (torch.int64, "cpu")
    assert all(torch.equal(labels(counts, k), many[:k]) for k in (1, 2, 3, 16, 64))


@pytest.mark.parametrize("counts", [(900, 100), (5, 0, 1, 0), (0, 3), (50, 50, 50), (1, 999)])
def test_labels_are_as_frequent_as_in_the_data(counts):
    drawn = torch.bincount(labels(counts, 20_000), minlength=len(counts)).numpy() / 20_000
    shares = np.array(counts) / sum(counts)
    assert np.abs(drawn - shares).max() < 5 * 0.5 / np.sqrt(20_000)  # five standard errors
    assert (drawn[shares == 0] == 0).all()


def test_labels_of_equally_frequent_classes_are_the_parts_of_the_unit_interval():
    places = stream(3, Purpose.LABEL).random(1000)
    assert labels((179,) * 10, 1000, seed=3).tolist() == (places * 10).astype(int).tolist()


def test_without_classes_there_are_no_labels():
    assert labels((), 5) is None


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
