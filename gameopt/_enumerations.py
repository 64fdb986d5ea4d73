"""Enumerations whose members are arrays, so that they go through jit and vmap."""

from typing import Any, ClassVar, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool

Kind = TypeVar("Kind", bound="Enumeration")


class _TextOfMembers(type(eqx.Module)):  # pyright: ignore[reportGeneralTypeIssues]
    def __getitem__(cls, member: Any) -> str:
        """The text of a member; of an array of them, that of each."""
        kind: Any = cls
        return _look_up(member, kind.texts) if isinstance(member, cls) else _refuse(cls, member)


class Enumeration(eqx.Module, metaclass=_TextOfMembers):
    """A choice among named members, of which each has a text.

    As `eqx.Enumeration`: members are compared by `==`, which gives an array of booleans, chosen
    between by `where`, and their text is `Kind[member]`. Their `str` is their name. They have no
    truth value, since every member would be true.

    A subclass declares its members as class variables, and calls `define`.
    """

    index: Any

    names: ClassVar[tuple[str, ...]] = ()
    texts: ClassVar[tuple[str, ...]] = ()

    def __init__(self, index: Any):
        self.index = index

    @classmethod
    def define(cls, **texts: str) -> None:
        """Make the members, given as name = text."""
        cls.names, cls.texts = tuple(texts), tuple(texts.values())
        for index, name in enumerate(texts):
            # Of NumPy, so that an import runs no array code.
            setattr(cls, name, cls(np.asarray(index, np.int32)))

    @classmethod
    def where(
        cls: type[Kind], condition: Bool[ArrayLike, "..."], first: Kind, second: Kind
    ) -> Kind:
        """`first` where the condition holds, `second` elsewhere."""
        if first is second:
            return first
        return cls(jnp.where(condition, first.index, second.index))

    def __eq__(self, other: Any) -> Bool[Array, "..."]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if type(other) is not type(self):
            _refuse(type(self), other)
        with jax.ensure_compile_time_eval():
            return jnp.asarray(self.index == other.index)

    def __ne__(self, other: Any) -> Bool[Array, "..."]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return ~(self == other)

    def __bool__(self) -> bool:
        kind = type(self).__name__
        raise TypeError(
            f"{kind} has no truth value: every member would be true. Compare it: "
            f"== {kind}.{self.names[-1]}."
        )

    def __str__(self) -> str:
        return _look_up(self, self.names)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self}"

    def error_if(self, token: Any, condition: Bool[ArrayLike, ""]) -> Any:
        """`token`; where the condition holds at run time, an error of this member's text."""
        return eqx.branched_error_if(token, condition, self.index, list(self.texts))


def _look_up(member: Enumeration, words: tuple[str, ...]) -> str:
    if isinstance(member.index, Tracer):
        return "traced"
    return str(np.asarray(words)[np.asarray(jax.device_get(member.index))])


def _refuse(kind: type, value: object) -> Any:
    raise ValueError(f"A {kind.__name__} is compared with its own members only, got {value!r}.")
