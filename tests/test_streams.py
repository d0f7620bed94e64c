import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.streams import Purpose, stream

SEEDS = st.integers(0, 2**63 - 1)
POSITIONS = st.integers(0, 2**40)


@given(SEEDS, st.sampled_from(Purpose), POSITIONS)
def test_a_draw_depends_on_seed_purpose_and_position_alone(seed, purpose, position):
    first = stream(seed, purpose, position).standard_normal(8)
    stream(seed + 1, purpose, position).standard_normal(8)
    assert np.array_equal(first, stream(seed, purpose, position).standard_normal(8))


@given(SEEDS, POSITIONS)
def test_no_two_purposes_share_numbers(seed, position):
    draws = {stream(seed, purpose, position).bytes(16) for purpose in Purpose}
    assert len(draws) == len(Purpose)


def test_no_two_positions_and_no_two_seeds_share_numbers():
    draws = {stream(seed, Purpose.LATENT, position).bytes(16) for seed in range(20) for position in range(20)}
    assert len(draws) == 400


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 (it is the global generator that is looked at)
    stream(0, Purpose.ORDER).permutation(100)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_draws_are_standard_normal_within_sampling_error():
    draws = stream(0, Purpose.LATENT).standard_normal(100_000)
    assert abs(draws.mean()) < 4 / np.sqrt(100_000)  # four standard errors of the mean
    assert draws.std() == pytest.approx(1, abs=4 / np.sqrt(200_000))  # and of the standard deviation


def test_the_numbers_of_the_purposes_never_change():
    assert [purpose.value for purpose in Purpose][:7] == list(range(7))
    assert stream(7, Purpose.ORDER, 3).integers(1000, size=4).tolist() == [188, 510, 966, 309]
