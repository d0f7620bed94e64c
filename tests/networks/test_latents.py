import numpy as np
import pytest
import torch
from scipy import stats

from ganglion.networks.latents import PRIORS, draw_labels, draw_latents
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
