import pytest
import torch

from ganglion.networks import dcgan
from ganglion.networks.build import Cost, build_discriminator, build_generator, cost_of
from ganglion.networks.initialise import SCHEMES
from ganglion.recipe.resolve import resolve, update
from ganglion.recipe.schema import Recipe

BUILDERS = [build_generator, build_discriminator]


def recipe(**settings: object) -> Recipe:
    small = {"data.size": 16, "data.channels": 3, "latent.dim": 8, "generator.width": 4, "discriminator.width": 4}
    return resolve("dcgan", small | {key.replace("__", "."): value for key, value in settings.items()})


def weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return list(network.state_dict().values())


def equal(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("scheme", ["normal", "xavier", "kaiming", "orthogonal"])
def test_equal_seeds_build_equal_weights_and_other_seeds_others(build, scheme):
    first, again = build(recipe(init__scheme=scheme)), build(recipe(init__scheme=scheme))
    assert equal(first, again)
    assert not equal(first, build(recipe(init__scheme=scheme, training__seed=1)))


@pytest.mark.parametrize("build", BUILDERS)
def test_weights_do_not_depend_on_torchs_own_seed(build):
    torch.manual_seed(1)
    first = build(recipe())
    torch.manual_seed(2)
    assert equal(first, build(recipe()))


@pytest.mark.parametrize("build", BUILDERS)
def test_building_leaves_torchs_own_random_numbers_alone(build):
    before = torch.get_rng_state()
    build(recipe())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("build", BUILDERS)
def test_building_seeds_no_generator_of_any_device(build, monkeypatch):
    seeded = []
    for place in (torch.cuda, torch.mps, torch.xpu):
        for name in ("manual_seed", "manual_seed_all", "seed", "seed_all"):
            monkeypatch.setattr(
                place, name, lambda *_, said=f"{place.__name__}.{name}": seeded.append(said), raising=False
            )
    torch.manual_seed(0)
    assert seeded  # what a seed for all devices would show
    seeded.clear()
    build(recipe(discriminator__spectral_norm=True))
    assert seeded == []


def test_spectral_norms_first_vectors_are_those_of_the_seed():
    """The sums were taken on another day: the vectors come from PyTorch's own generator, seeded with the recipe's seed."""
    first, again = (build_discriminator(recipe(discriminator__spectral_norm=True)) for _ in range(2))
    assert equal(first, again)
    vectors = [buffer for name, buffer in first.named_buffers() if name.endswith("_u")]
    assert [float(vector.sum()) for vector in vectors] == pytest.approx([0.7018, -0.4222, -1.0], abs=1e-4)


def test_each_network_has_its_own_width():
    narrow, wide = recipe(), recipe(generator__width=6)
    assert build_generator(narrow).blocks[-1].convolution.in_channels == 4
    assert build_generator(wide).blocks[-1].convolution.in_channels == 6
    assert equal(build_discriminator(narrow), build_discriminator(wide))
    wide = recipe(discriminator__width=6)
    assert build_discriminator(wide).blocks[0].convolution.out_channels == 6
    assert equal(build_generator(narrow), build_generator(wide))


def test_the_recipe_decides_family_latent_size_and_channels():
    settled = recipe(data__size="48x32", data__channels=1, latent__dim=5)
    g, d = build_generator(settled), build_discriminator(settled)
    assert (type(g), type(d)) == (dcgan.Generator, dcgan.Discriminator)
    images = g(torch.zeros(2, 5))
    assert images.shape == (2, 1, 48, 32)
    assert d(images).shape == (2,)


def test_gs_images_are_channels_last_and_fit_d_without_a_copy():
    g, d = build_generator(recipe()), build_discriminator(recipe())
    assert g(torch.zeros(2, 8)).is_contiguous(memory_format=torch.channels_last)
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in d.parameters() if p.ndim == 4)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("unsettled", [{"data__size": None}, {"data__channels": None}])
def test_a_recipe_whose_images_are_not_settled_is_refused(build, unsettled):
    with pytest.raises(ValueError, match="settled before networks are built"):
        build(update(recipe(), **unsettled))


PAPER = {"data.size": 64, "data.channels": 3, "latent.dim": 100, "generator.width": 64, "discriminator.width": 64}


def test_the_cost_of_g_is_that_of_a_hand_computation():
    linear = 100 * 512 * 4 * 4
    # a transposed convolution multiplies each of its input's pixels with each of its weights
    convolved = sum(h * h * i * o * 16 for h, i, o in [(4, 512, 256), (8, 256, 128), (16, 128, 64), (32, 64, 3)])
    assert cost_of(resolve("dcgan", PAPER))[0][:2] == (3_576_707, 2 * (linear + convolved))


def test_the_cost_of_d_is_that_of_a_hand_computation():
    linear = 512 * 4 * 4
    # a convolution multiplies each of its weights once for each of its output's pixels
    convolved = sum(h * h * i * o * 16 for h, i, o in [(32, 3, 64), (16, 64, 128), (8, 128, 256), (4, 256, 512)])
    assert cost_of(resolve("dcgan", PAPER))[1][:2] == (2_765_633, 2 * (linear + convolved))


def test_the_outputs_of_d_are_those_of_its_convolutions_and_norms():
    """And of the flattened grid. LeakyReLU works in place; a norm's statistics are small."""
    convolved = [h * h * maps for h, maps in [(32, 64), (16, 128), (8, 256), (4, 512)]]
    expected = 4 * (sum(convolved) + sum(convolved[1:]) + convolved[-1])
    assert cost_of(resolve("dcgan", PAPER))[1].outputs == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("norm", ["batch", "instance", "layer", "none"])
def test_the_cost_does_not_depend_on_the_first_weights(scheme, norm):
    small = {"data.size": 16, "data.channels": 1, "generator.norm": norm, "discriminator.norm": norm}
    assert cost_of(resolve("dcgan", small | {"init.scheme": scheme})) == cost_of(resolve("dcgan", small))


def test_a_network_of_billions_of_weights_is_costed_without_making_them():
    huge = PAPER | {"data.size": 1024, "generator.width": 1024, "discriminator.width": 1024}
    assert cost_of(resolve("dcgan", huge))[0].parameters > 10**9  # 4 GB and more, had they been made


def test_a_cost_reads_in_millions():
    assert str(Cost(3_576_707, 856_881_664)) == "3.58 M parameters, 856.9 MFLOP an image"
