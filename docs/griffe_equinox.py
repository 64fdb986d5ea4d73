"""Signatures of Equinox modules for the API pages: they are dataclasses without the decorator."""

import ast
from typing import Any

import griffe

PLAIN = ("NamedTuple", "Protocol", "Enumeration", "Exception", "type")


class EquinoxModules(griffe.Extension):
    """Give every class with bases the decorator, and `eqx.field` the name, of a dataclass."""

    def on_class_instance(self, *, node: ast.AST | Any, cls: griffe.Class, **kwargs: Any) -> None:
        """Mark a class, unless it writes its own `__init__` or is of another kind."""
        own = any(getattr(item, "name", "") == "__init__" for item in getattr(node, "body", ()))
        bases = [str(base).partition("[")[0].rpartition(".")[2] for base in cls.bases]
        if bases and not own and not set(bases) & set(PLAIN):
            cls.decorators.append(
                griffe.Decorator(griffe.ExprName("dataclasses.dataclass"), lineno=0, endlineno=0)
            )

    def on_attribute_instance(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        """Read `eqx.field(...)` and our own kinds of it as `dataclasses.field(...)`."""
        value = attr.value
        if isinstance(value, griffe.ExprCall) and str(value.function).endswith("field"):
            attr.value = griffe.ExprCall(griffe.ExprName("dataclasses.field"), value.arguments)
