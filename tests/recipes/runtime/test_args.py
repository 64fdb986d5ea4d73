"""The fields of every recipe's `Args`: types, ranges and seeds, however they are made."""

import dataclasses
import importlib
import math
import pkgutil
import typing
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import recipes
from recipes import certify, modes, phase_diagram, transport, wgan
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.fields import Range, of_type, type_hints
from recipes._runtime.seeds import key_of, random_state

RECIPES = [m.name for m in pkgutil.iter_modules(recipes.__path__) if not m.name.startswith("_")]


def module_of(recipe):
    return importlib.import_module(f"recipes.{recipe}")


def nested(kind, within=()):
    """Every field of arguments, nested ones too: where it is, its name and its type."""
    for field in dataclasses.fields(kind):
        hint = type_hints(kind)[field.name]
        if dataclasses.is_dataclass(hint):
            yield from nested(hint, (*within, (field.name, hint)))
        else:
            yield within, field.name, hint


def made(kind, within, name, value):
    """Arguments with one field given, wherever it is."""
    if not within:
        return kind(**{name: value})
    ((outer, inner),) = within
    if not takes(type_hints(inner)[name], value):
        return inner(**{name: value})
    default: Any = next(f.default for f in dataclasses.fields(kind) if f.name == outer)
    changed = dataclasses.replace(default, **{name: value})
    return kind(**{outer: changed})


def value_at(args, within, name):
    for outer, _ in within:
        args = getattr(args, outer)
    return getattr(args, name)


def takes(hint, value):
    try:
        of_type(hint, value)
    except TypeError:
        return False
    return True


def in_range(hint, value):
    """True for a value in the range that a field's type names; by the bounds, not by a flag."""
    if typing.get_origin(hint) is typing.Annotated:
        kept = next((part for part in typing.get_args(hint) if isinstance(part, Range)), None)
        if kept is None:
            return True
        above = value > kept.low if kept.excluded else value >= kept.low
        return above and value < kept.high
    if isinstance(value, tuple):
        return all(in_range(typing.get_args(hint)[0], entry) for entry in value)
    parts = [part for part in typing.get_args(hint) if takes(part, value)]
    return any(in_range(part, value) for part in parts) if parts else True


class Odd:
    """No type of a flag."""


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_field_takes_its_type_and_no_other(recipe, float32):
    """A value of each kind in each field: brought to its type, or one line that names the flag."""
    kind = module_of(recipe).Args
    numbers = [3, np.int64(3), 2.5, np.float32(2.5), True]
    values = [*numbers, "some", Path("some"), ["a"], (1.5,), Odd()]
    for within, name, hint in nested(kind):
        bare = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
        parts = {bare, *typing.get_args(bare)}
        for value in values:
            if takes(hint, value) and not in_range(hint, of_type(hint, value)):
                flag = ".".join([*(outer for outer, _ in within), name]).replace("_", "-")
                with pytest.raises(UserError, match=rf"^--{flag} must be "):
                    made(kind, within, name, value)
            elif takes(hint, value):
                found = value_at(made(kind, within, name, value), within, name)
                assert type(found) in (int, float, bool, str, tuple, type(Path()))
                assert isinstance(found, Path) == (Path in parts and not isinstance(value, bool))
            else:
                kinds = [f"{inner.__name__}.{name}" for _, inner in within]
                flag = kinds[0] if kinds else f"--{name.replace('_', '-')}"
                with pytest.raises(UserError) as error:
                    made(kind, within, name, value)
                assert str(error.value).startswith(f"{flag} must be ")
                assert "\n" not in str(error.value)


def test_a_path_may_be_a_text(tmp_path, monkeypatch, float32):
    """`Args(out="x")` from Python, as on the command line; a run is written there."""
    text: Any = "x"
    assert wgan.Args(out=text).out == Path("x")
    assert certify.Args(run=text).run == Path("x")
    monkeypatch.chdir(tmp_path)
    small: dict[str, Any] = {
        "points": 6,
        "regularisations": [1],
        "piles": [1, 2],
        "holes": (2, np.float32(1)),
    }
    result = transport.run(transport.Args(out=text, **small))
    assert result.folder == Path("x")
    assert (tmp_path / "x" / "summary.json").is_file()
    with pytest.raises(UserError, match=r"--out must be Path \| None, got 3"):
        transport.Args(**{**small, "out": 3})
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_of_a_recipe_may_be_infinite(recipe, value, tmp_path, monkeypatch, float32):
    """Every flag of real numbers, nested ones too: refused before there is a folder."""
    module = module_of(recipe)
    monkeypatch.chdir(tmp_path)
    for within, name, hint in nested(module.Args):
        given = next((v for v in (value, (value,)) if takes(hint, v)), None)
        if given is None or hint is typing.Any:
            continue
        needed = NEEDED.get((recipe, name), {})
        start = lambda: module.run(
            dataclasses.replace(made(module.Args, within, name, given), **needed)  # noqa: B023
        )
        with pytest.raises(UserError) as error:
            start()
        assert name.replace("_", "-") in str(error.value), (name, str(error.value))
    assert list(tmp_path.iterdir()) == []


NEEDED = {
    ("certify", "learning_rate"): {"game": "forsaken"},
}
"""Other flags without which one is not looked at."""


def test_distinct_seeds_have_distinct_keys_and_those_below_2_to_the_32_their_old_ones(float32):
    """In single and in double precision alike; the old keys are `jax.random.key` of the seed."""
    seeds = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**33, 2**63, 2**64 - 1]
    data = [tuple(np.asarray(jax.random.key_data(key_of(seed))).tolist()) for seed in seeds]
    assert len(set(data)) == len(seeds)
    with jax.enable_x64(True):
        again = [tuple(np.asarray(jax.random.key_data(key_of(s))).tolist()) for s in seeds]
    assert again == data
    for seed, key in zip(seeds[:5], data, strict=False):
        assert tuple(np.asarray(jax.random.key_data(jax.random.key(seed))).tolist()) == key


def test_scikit_learn_gets_a_seed_that_it_takes():
    """Itself below 2**32, so that old reports are the same; a generator above."""
    assert random_state(2**32 - 1) == 2**32 - 1

    def draw(seed):
        state = random_state(seed)
        assert isinstance(state, np.random.RandomState)
        return state.randint(2**31)

    assert draw(2**32) == draw(2**32) != draw(2**33)


@pytest.mark.parametrize("recipe", ["wgan", "phase_diagram", "modes"])
def test_a_seed_of_64_bits_is_another_run(recipe, float32):
    """2**32 is not the run of 0: other starts, or other networks."""
    seeds = (0, 2**32)
    if recipe == "modes":
        found = [modes.load_data(modes.Args(seed=s, data=("ring",)))["ring"].sampler for s in seeds]
        found = [jax.tree.leaves(entry)[0] for entry in found]
    elif recipe == "wgan":
        found = []
        for seed in seeds:
            args, data = wgan.resolve(
                wgan.Args(seed=seed, generator_width=4, discriminator_width=4)
            )
            found.append(jax.tree.leaves(wgan.set_up(args, data)[1])[0])
    else:
        found = [phase_diagram.key_of(seed) for seed in seeds]
        found = [jax.random.normal(key, (2,)) for key in found]
    assert not np.array_equal(np.asarray(found[0]), np.asarray(found[1]))


def test_a_configuration_with_a_byte_order_mark_is_read(tmp_path):
    """As editors on Windows write it."""
    path = tmp_path / "config.json"
    path.write_text('{"args": {"steps": 7}}', encoding="utf-8-sig")
    assert cli.parse(wgan.Args, ["--config", str(path)]).steps == 7
