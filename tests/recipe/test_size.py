import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.recipe.size import Chain, chain_to, check_reachable, nearest_sizes, parse_size, size_text

SIDES = st.integers(1, 2000)


@pytest.mark.parametrize("written", [64, "64", " 64 ", "64x64", "64×64", "64 x 64", [64, 64], (64, 64)])
def test_a_square_can_be_written_in_many_ways(written):
    assert parse_size(written) == (64, 64)


@pytest.mark.parametrize("written", ["96x64", "96 × 64", [96, 64], (96, 64)])
def test_height_comes_before_width(written):
    assert parse_size(written) == (96, 64)


@pytest.mark.parametrize("written", [True, 64.0, "big", "64x", "x64", "64x64x3", "-64", [64], [64, "64"], None, {}])
def test_anything_else_is_no_size_and_the_message_shows_how_to_write_one(written):
    with pytest.raises(ValueError, match="write 64, or 96x64"):
        parse_size(written)


@given(SIDES, SIDES)
def test_the_text_of_a_size_is_read_back_as_that_size(height, width):
    assert parse_size(size_text((height, width))) == (height, width)


def test_the_text_of_a_square_is_one_number():
    assert size_text((64, 64)) == "64"
    assert size_text((96, 64)) == "96x64"


@pytest.mark.parametrize(
    ("size", "chain"),
    [
        ((64, 64), Chain((4, 4), 4)),
        ((16, 16), Chain((4, 4), 2)),
        ((28, 28), Chain((7, 7), 2)),
        ((96, 64), Chain((6, 4), 4)),
        ((218, 178), None),
        ((30, 30), None),
        ((8, 8), None),
        ((320, 64), None),
    ],
)
def test_known_sizes_have_known_chains(size, chain):
    assert chain_to(size) == chain


@given(SIDES, SIDES)
def test_a_chain_doubles_to_exactly_its_size_from_a_short_side_of_four_to_seven(height, width):
    chain = chain_to((height, width))
    if chain is not None:
        assert (chain.base[0] << chain.doublings, chain.base[1] << chain.doublings) == (height, width)
        assert 4 <= min(chain.base) <= 7


@given(st.integers(4, 7), st.integers(2, 7))
def test_every_doubling_of_a_square_base_grid_is_reachable(base, doublings):
    side = base << doublings
    assert chain_to((side, side)) == Chain((base, base), doublings)


@given(st.integers(-5, 3000), st.integers(-5, 3000))
def test_every_size_that_is_offered_is_reachable(height, width):
    offers = nearest_sizes((height, width))
    assert 1 <= len(offers) <= 2
    assert all(chain_to(offer) for offer in offers)


@given(st.integers(1, 600))
def test_a_square_is_offered_the_nearest_reachable_square_first(side):
    reachable = [other for other in range(16, 1200) if chain_to((other, other))]
    best = min(abs(other - side) for other in reachable)
    offers = nearest_sizes((side, side))
    assert all(height == width for height, width in offers)
    assert abs(offers[0][0] - side) == best


@pytest.mark.parametrize(
    ("size", "nearest"),
    [
        ((64, 257), (64, 256)),
        ((64, 288), (64, 256)),
        ((64, 1920), (64, 256)),
        ((1000, 16), (64, 16)),
        ((5, 400), (16, 64)),
    ],
)
def test_of_a_longer_aspect_ratio_the_longest_is_offered(size, nearest):
    assert nearest_sizes(size)[0] == nearest


@given(SIDES, SIDES)
def test_a_reachable_size_is_its_own_nearest(height, width):
    if chain_to((height, width)):
        assert nearest_sizes((height, width))[0] == (height, width)


@given(SIDES, SIDES)
def test_check_passes_what_is_reachable_and_names_both_offers_otherwise(height, width):
    size = height, width
    if chain_to(size):
        assert check_reachable(size) == size
        return
    with pytest.raises(ValueError, match="cannot be reached") as caught:
        check_reachable(size)
    assert all(size_text(offer) in str(caught.value) for offer in nearest_sizes(size))
