"""Members: the files that a configuration can name, and the one reader of ``{name: ..., option: ...}``.

A folder holds the members of one kind (families, networks, likelihoods, ...), one file each. A file has one
final class derived from the folder's interface, with its ``options``. The file's name is the member's name
everywhere. There is no other list of members.

    bernoulli                                  a member with its defaults
    {name: gaussian, sigma: 0.1}               a member with options
    {schedule: linear, from: 0, to: 4, ...}    a schedule: its key is ``schedule``
"""

from __future__ import annotations

import importlib
import keyword
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from vaecore.options import complete

__all__ = ["Choice", "Folder"]

Member = TypeVar("Member")


class Choice(NamedTuple):
    """A member that a configuration names, with its options."""

    name: str
    cls: type[Any]
    options: dict[str, Any]
    """All options, defaults filled in, in canonical form."""


@cache
def _files(paths: tuple[str, ...]) -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(paths))


@dataclass(frozen=True)
class Folder(Generic[Member]):
    """The members of one kind."""

    package: str
    """``vaecore.likelihoods``"""
    interface: type[Member]
    noun: str
    """The kind's name in errors: ``likelihood``."""
    plural: str
    key: str = "name"
    """The key under which a mapping names the member."""

    def names(self) -> list[str]:
        """The names of the folder's files, sorted."""
        return _files(tuple(importlib.import_module(self.package).__path__))

    def cls(self, name: object) -> type[Member]:
        """The class of the member ``name``. Raises a ValueError that lists the members."""
        if name not in self.names():
            raise ValueError(
                f"unknown {self.noun} {name!r}; the {self.plural} are: {', '.join(self.names())} "
                f"(one file each in {self.package.replace('.', '/')}/)"
            )
        module = importlib.import_module(f"{self.package}.{name}")
        (found,) = (
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, self.interface)
            and value.__module__ == module.__name__
        )
        return found

    def read(self, value: object) -> Choice:
        """The member that a configuration's ``value`` names, with all of its options.

        Raises:
            ValueError: names the member, the option, what was found and what is allowed.
        """
        written: dict[str, Any] = {self.key: value}
        if isinstance(value, Mapping):
            written = {str(key): each for key, each in value.items()}
        elif not isinstance(value, str):
            raise ValueError(
                f"a {self.noun} is a name or {{{self.key}: ..., option: ...}}, got {value!r}; "
                f"the {self.plural} are: {', '.join(self.names())}"
            )
        name = written.pop(self.key, None)
        cls = self.cls(name)
        options = complete(f"{self.noun} {name!r}", cls.options, written)  # type: ignore[attr-defined]
        return Choice(str(name), cls, options)

    def make(self, value: object) -> Member:
        """An instance of the member that ``value`` names. Errors as in ``read``."""
        choice = self.read(value)
        arguments = {name + "_" * keyword.iskeyword(name): each for name, each in choice.options.items()}
        made: Member = choice.cls(**arguments)
        return made

    def canonical(self, value: object) -> Any:
        """The shortest form of ``value``, the same for all ways to write it: without options at defaults."""
        choice = self.read(value)
        particular = self.particular(choice)
        return {self.key: choice.name, **particular} if particular or self.key != "name" else choice.name

    def particular(self, choice: Choice) -> dict[str, Any]:
        """The options of ``choice`` that are not at their default."""
        declared = choice.cls.options
        return {
            name: value
            for name, value in choice.options.items()
            if declared[name].default is None or value != declared[name].canonical(declared[name].default)
        }
