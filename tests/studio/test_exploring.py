from __future__ import annotations

from pathlib import Path

import pytest
import torch

import ganglion
from ganglion.errors import DataError
from ganglion.studio.explorer import start_at
from ganglion.studio.exploring import SEEDS, SIMILAR, Explorer, Levels, View, asked_attributes
from ganglion.studio.kept import kept


@pytest.fixture
def view(explorer: Explorer, own_run: Path) -> View:
    return explorer.open(own_run)


def test_a_view_opens_at_seed_0_and_its_sliders_are_the_strongest_directions(explorer: Explorer, view: View) -> None:
    assert view.sliders == "sefa"
    html = explorer.picture(view, Levels())
    assert 'alt="Picture at seed 0"' in html
    assert "rare in training" not in html


def test_far_from_where_training_was_the_page_says_so(explorer: Explorer, view: View) -> None:
    assert "rare in training" in explorer.picture(view, Levels(strengths=(4.0, 4.0, 4.0)))


def test_another_set_of_sliders_keeps_what_was_moved(explorer: Explorer, view: View) -> None:
    levels = Levels(strengths=(2.0, -1.0))
    before = explorer.pixels(view, levels)
    chosen = explorer.choose_sliders(view, levels, "dimensions:0")
    assert (explorer.pixels(chosen, Levels()) == before).all()
    with pytest.raises(DataError, match="choose others"):
        explorer.choose_sliders(view, levels, "kept:0")


def test_grids_can_be_picked_from_and_back_returns(explorer: Explorer, view: View) -> None:
    grid, html = explorer.seeds(view, 1.0, 10)
    assert html.count("<button") == SEEDS == len(grid.seeds)
    near, html = explorer.similar(grid, Levels(), 0.3, 0)
    assert html.count("<button") == SIMILAR == len(near.similar)
    moved = near.moved_to(near.seeds[3])
    assert moved.place.name == "seed 13"
    assert explorer.back(moved).place is view.place
    assert explorer.back(explorer.back(moved)).place is view.place


def test_kept_is_the_whole_move_of_sliders_earlier_sets_and_mix(explorer: Explorer, view: View, own_run: Path) -> None:
    model = explorer.loaded(view).model
    mixed, html = explorer.mix(view, Levels(), 5)
    assert html.count("<img") == 7
    edited = explorer.choose_sliders(mixed, Levels(), "dimensions:0")
    names = explorer.slider_set(edited).names
    levels = Levels(share=1.0, strengths=(1.5,))
    explorer.keep(edited, levels, "there")
    found = kept(own_run, 8)
    assert found is not None
    whole = torch.from_numpy(start_at(model, 5).z - start_at(model, 0).z)
    whole[int(names[0].split()[-1])] += 1.5
    assert torch.allclose(found.vectors[0] * found.strengths[0], whole, atol=1e-4)


def test_the_ends_of_each_slider_are_drawn_with_the_others_where_they_are(explorer: Explorer, view: View) -> None:
    ends = explorer.ends(view, Levels(strengths=(0.0,) * 8), 4.0)
    assert len(ends) == 8
    assert all(html.count("<img") == 2 for html in ends)
    assert 'alt="direction 1: lowest"' in ends[0]


def test_a_film_is_a_playable_file_in_the_page(explorer: Explorer, view: View) -> None:
    html = explorer.film(view, 1.0, "0; 3, 5", 6, True)
    assert "data:video/mp4;base64," in html
    assert 'download="seeds-0-3-5.mp4"' in html
    with pytest.raises(DataError, match="expected seeds, separated by commas"):
        explorer.film(view, 1.0, "0, x", 6, True)


def test_nearest_training_images_are_shown_beside_the_picture(explorer: Explorer, view: View) -> None:
    html = explorer.nearest(view, Levels())
    assert html.count("<img") == 7
    assert "1,797 training images were searched" in html


def test_a_combination_that_no_training_image_has_is_remarked_on(explorer: Explorer, attributes_run: Path) -> None:
    view = explorer.open(attributes_run)
    asked, remark = explorer.ask(view, {"smiling": "1", "kind": "cat", "age": "20"})
    assert asked.asked == {"smiling": "1", "kind": "cat", "age": "20"}
    assert explorer.ask(view, None)[1] == ""
    assert remark == "" or remark.startswith("No training image")
    with pytest.raises(DataError, match="there is no kind=horse"):
        explorer.ask(view, {"kind": "horse"})


def test_attributes_are_read_as_they_are_typed() -> None:
    assert asked_attributes(["smiling=1", " kind = a=b"], {"age": 30.25}) == {
        "smiling": "1",
        "kind": "a=b",
        "age": "30.25",
    }
    with pytest.raises(DataError, match="expected NAME=VALUE"):
        asked_attributes(["smiling"], {})


def test_one_checkpoint_of_several_can_be_opened(explorer: Explorer, tiny_run: ganglion.Run) -> None:
    steps = tiny_run.steps_saved()
    assert explorer.open(tiny_run.path, str(steps[0])).checkpoint == f"{steps[0]:08d}"
    assert explorer.open(tiny_run.path, "latest").checkpoint == f"{steps[-1]:08d}"
