"""Former names of flags: taken as the present ones, from the command line and from config.json."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from recipes._runtime.fields import type_hints

RENAMED = {
    "k": "inner_steps",
    "n_critic": "inner_steps",
    "critic_width": "discriminator_width",
    "critic_depth": "discriminator_depth",
    "critic_optimizer": "discriminator_optimizer",
    "rounds": "steps",
    "deep_rounds": "deep_steps",
    "ways": "constraints",
}
REPLACED = {
    "lipschitz": "--penalties (gp, lp) or --clip",
    "penalty": "--penalties",
    "penalty_weight": "--penalty-weights",
    "generator_rate": "--generator-optimizer.learning-rate",
    "discriminator_rate": "--discriminator-optimizer.learning-rate",
    "beta1": "--generator-optimizer.beta1 and --discriminator-optimizer.beta1",
    "beta2": "--generator-optimizer.beta2 and --discriminator-optimizer.beta2",
}
"""Flags whose values have another form now: what to give in their place."""


def present_names(argv: Sequence[str], kind: type) -> list[str]:
    """The command line with former names of a dataclass's fields replaced; nested ones, too."""
    return [_present(word, kind) for word in argv]


def _present(word: str, kind: type) -> str:
    if not word.startswith("--"):
        return word
    flag, equals, value = word.removeprefix("--").partition("=")
    parts: list[str] = []
    for part in flag.replace("-", "_").split("."):
        fields = type_hints(kind) if dataclasses.is_dataclass(kind) else {}
        new = RENAMED.get(part, part)
        parts.append(new if part not in fields and new in fields else part)
        kind = fields.get(parts[-1], object)
    present = ".".join(parts)
    changed = present != flag.replace("-", "_")
    return f"--{present.replace('_', '-')}{equals}{value}" if changed else word


def with_present_names(saved: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """The values of a config.json under the present names of these fields."""
    found: dict[str, Any] = {}
    for name, value in saved.items():
        new = RENAMED.get(name, name)
        found[new if name not in fields and new in fields else name] = value
    return found


def replacement(name: str) -> str | None:
    """The present form of a flag that is no more; `None` if there never was one."""
    return REPLACED.get(name)
