from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ganglion.errors import RecipeError
from ganglion.recipe.explain import known_keys
from ganglion.recipe.resolve import (
    flatten,
    parse_assignments,
    preset_names,
    preset_text,
    recipe_text,
    requested_recipe,
    resolve,
    update,
)
from ganglion.recipe.schema import Recipe


def refusal(*args):
    with pytest.raises(RecipeError) as caught:
        resolve(*args)
    return str(caught.value)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_resolves_under_its_own_name(name):
    assert resolve(name).name == name


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_begins_with_a_comment_on_what_it_is_for(name):
    assert preset_text(name).startswith("# ")


def test_a_misspelt_preset_is_shown_the_presets_and_the_nearest():
    message = refusal("dcgam")
    assert "there is no recipe 'dcgam'" in message
    assert "did you mean 'dcgan'?" in message
    assert all(name in message for name in preset_names())


def test_a_file_with_only_a_budget_takes_every_other_value_from_the_schema(tmp_path):
    recipe = resolve(write(tmp_path / "mine.yaml", "training: {kimg: 3}"))
    assert recipe == Recipe(name="mine", training={"kimg": 3})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", "is not valid YAML"),
        ("- 1", "must be a mapping of keys to values; it is list"),
        ("", "must be a mapping"),
        ("training: {kimg: 1}\nlatent: {dmi: 3}", "latent.dmi: there is no such key; did you mean 'latent.dim'?"),
        ("training: {kimg: 1}\n1: 2", "1:"),
        ("training: {kimg: 1, steps: 2}", "exactly one of kimg, steps, minutes must be set; got kimg, steps"),
        ("name: 2024-13-45", "is not valid YAML"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_with_its_fault(tmp_path, text, says):
    assert says in refusal(write(tmp_path / "mine.yaml", text))


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path):
    assert "cannot be read: No such file" in refusal(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xff")
    assert "bytes.yaml cannot be read" in refusal(tmp_path / "bytes.yaml")


def test_a_recipe_without_a_budget_is_refused(tmp_path):
    assert "got none" in refusal(write(tmp_path / "mine.yaml", "training: {batch: 8}"))


def test_an_override_changes_its_key_and_no_other():
    before, after = flatten(resolve("dcgan")), flatten(resolve("dcgan", {"generator.width": 32}))
    assert after.pop("generator.width") == 32
    assert before.pop("generator.width") == 64
    assert before == after


@pytest.mark.parametrize("budget", ["kimg", "steps", "minutes"])
def test_one_budget_replaces_whichever_the_recipe_had(budget):
    training = resolve("dcgan", {f"training.{budget}": 7}).training
    assert {name: getattr(training, name) for name in ("kimg", "steps", "minutes")} == {
        "kimg": None,
        "steps": None,
        "minutes": None,
        budget: 7,
    }


def test_two_budgets_at_once_are_refused_by_name():
    message = refusal("dcgan", {"training.kimg": 1, "training.minutes": 2})
    assert message == "a run has one budget; got training.kimg and training.minutes: set one of them"


def test_a_part_below_a_single_value_is_refused():
    assert refusal("dcgan", {"name.first": 1}) == "name.first: name is a single value and has no keys"


@pytest.mark.parametrize(("written", "size"), [(64, (64, 64)), ("96x64", (96, 64)), ([32, 48], (32, 48))])
def test_a_size_is_written_as_a_person_writes_it(written, size):
    assert resolve("dcgan", {"data.size": written}).data.size == size


def test_a_resolved_recipe_resolves_to_itself():
    recipe = resolve("dcgan", {"data.size": "96x64", "data.source": "ünï çødé"})
    assert resolve(recipe) == recipe


def test_a_preset_is_not_changed_by_resolving_it():
    resolve("dcgan", {"latent.dim": 3})
    assert resolve("dcgan").latent.dim == 100


def test_update_takes_two_underscores_for_a_dot():
    assert update(resolve("dcgan"), data__content="abc").data.content == "abc"
    with pytest.raises(RecipeError, match=r"data\.contnt"):
        update(resolve("dcgan"), data__contnt="abc")


def test_assignments_are_read_as_yaml():
    given_ = ["a.b=1", "c=x", "d=null", "e=[1, 2]", "f=2.0e-4", "g=a=b", "h="]
    assert parse_assignments(given_) == {
        "a.b": 1, "c": "x", "d": None, "e": [1, 2], "f": 2e-4, "g": "a=b", "h": None,
    }  # fmt: skip


@pytest.mark.parametrize("written", ["width", "=3", " =3", ""])
def test_an_assignment_without_key_or_value_is_refused_with_an_example(written):
    with pytest.raises(RecipeError, match="--set takes KEY=VALUE, for example"):
        parse_assignments([written])


@pytest.mark.parametrize("value", ["[1", "2024-13-45"])
def test_an_assignment_that_is_not_yaml_is_named(value):
    with pytest.raises(RecipeError, match=r"--set latent\.dim: .* is not a YAML value"):
        parse_assignments([f"latent.dim={value}"])


def test_precision_32_can_be_set_from_the_command_line():
    assert resolve("dcgan", parse_assignments(["training.precision=32"])).training.precision == "32"


def test_flatten_has_every_key_of_the_schema_in_its_order():
    flat = list(flatten(resolve("dcgan")))
    known = list(known_keys(Recipe))
    homes = [name for key in known for name in flat if f"{key}.".startswith(f"{name}.")]  # a list of parts is one value
    assert sorted(set(homes)) == sorted(flat)  # those of other families are known, and not there
    sections = list(dict.fromkeys(key.partition(".")[0] for key in known))
    assert list(dict.fromkeys(name.partition(".")[0] for name in flat)) == sections


@given(
    st.fixed_dictionaries(
        {
            "data.size": st.sampled_from([None, "64", "96x64", [28, 28]]),
            "data.source": st.text(st.characters(exclude_categories=("Cs",))),
            "optimizer.generator.lr": st.floats(1e-12, 1e20),
            "training.seed": st.integers(0, 2**63 - 1),
            "ema.rampup_ratio": st.none() | st.floats(1e-9, 1),
            "training.minutes": st.floats(1e-6, 1e18),
        }
    )
)
def test_the_text_of_a_recipe_in_a_file_resolves_to_an_equal_recipe(overrides):
    recipe = resolve("dcgan", overrides)
    assert Recipe.model_validate(yaml.safe_load(recipe_text(recipe))) == recipe


@pytest.mark.parametrize("name", ["a\x85b", "a\u2028b", "a\nb", "ö 🐕", " "])
def test_a_folders_name_survives_whatever_line_breaks_unicode_has(name):
    recipe = resolve("dcgan", {"data.source": name})
    assert Recipe.model_validate(yaml.safe_load(recipe_text(recipe))) == recipe


def test_a_file_with_the_text_of_a_recipe_resolves_to_it_name_included(tmp_path):
    recipe = resolve("dcgan", {"data.size": "96x64", "data.source": "bilder ü"})
    assert resolve(write(tmp_path / "other.yaml", recipe_text(recipe))) == recipe


def test_no_words_leave_the_choice_to_auto():
    assert (requested_recipe().name, requested_recipe().training.minutes) == ("auto", resolve("auto").training.minutes)


@pytest.mark.parametrize(
    "setting",
    ["objective.penalties=[{kind: r1, weight: 3, interval_updates: 4}]", "discriminator.minibatch=stddev",
     "optimizer.generator.lr=1e-3", "balance.updates=simultaneous", "generator.upsampling=bilinear"],
)  # fmt: skip
def test_with_auto_a_setting_is_allowed_that_what_it_chooses_allows(setting: str) -> None:
    for recipe in ("auto", "fast", "small-data"):
        assert requested_recipe("photos/", recipe=recipe, set=[setting]).name == recipe


def test_every_word_reaches_its_key():
    recipe = requested_recipe(
        Path("photos"), size="96x64", steps=9, batch=8, seed=3, precision="32", data_dir=Path("copy")
    )
    assert (recipe.data.source, recipe.data.data_dir, recipe.data.size) == ("photos", "copy", (96, 64))
    assert (recipe.training.steps, recipe.training.kimg, recipe.training.minutes) == (9, None, None)
    assert (recipe.training.batch, recipe.training.seed, recipe.training.precision) == (8, 3, "32")


def test_a_seed_of_zero_is_a_seed_and_not_an_absent_word(tmp_path):
    (tmp_path / "mine.yaml").write_text("training: {kimg: 1, seed: 5}")
    assert requested_recipe(recipe=tmp_path / "mine.yaml", seed=0).training.seed == 0


@pytest.mark.parametrize("assignments", [["latent.dim=7"], {"latent.dim": 7}, iter(["latent.dim=7"])])
def test_set_takes_assignments_or_a_mapping(assignments):
    assert requested_recipe(set=assignments).latent.dim == 7


def test_a_keyword_wins_over_set():
    assert requested_recipe(batch=16, set=["training.batch=8"]).training.batch == 16


def test_a_budget_by_keyword_and_another_by_set_are_refused():
    with pytest.raises(RecipeError, match=r"got training\.kimg and training\.steps"):
        requested_recipe(kimg=1, set=["training.steps=5"])


def test_a_mapping_given_as_set_is_not_changed():
    given = {"latent.dim": 7}
    requested_recipe(batch=16, set=given)
    assert given == {"latent.dim": 7}


def test_a_recipe_already_made_is_taken_as_it_is():
    assert requested_recipe(recipe=resolve("dcgan", {"latent.dim": 3})).latent.dim == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"size": 50}, "data.size: 50 cannot be reached"),
        ({"kimg": 0}, "training.kimg: 0 should be greater than 0"),
        ({"precision": "16"}, "training.precision: '16' is not allowed; allowed: auto, 32, bf16"),
        ({"recipe": "dcgam"}, "did you mean 'dcgan'?"),
        ({"set": ["latent.dmi=3"]}, "did you mean 'latent.dim'?"),
    ],
)
def test_a_word_that_cannot_be_meant_is_refused_by_its_key(words, says):
    with pytest.raises(RecipeError) as caught:
        requested_recipe(**words)
    assert says in str(caught.value)
