"""References to secrets (`env:NAME`, `file:PATH`): resolved once at start, never printed.

A configuration file holds no secret itself: where the settings of a connector declare a secret,
only a reference is accepted. `file:` with a bare name looks into `$CREDENTIALS_DIRECTORY`, where
systemd's LoadCredential puts files (systemd.exec(5)).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, SecretStr

from config.document import Document, Loc, Plain
from config.problems import Problems

_PREFIXES = ("env:", "file:")
_LONGEST = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSource:
    """Where references lead: the process environment and the folder of the configuration file.

    Attributes:
        only: The paths below which a reference must lead somewhere; None: every one must.
    """

    environment: Mapping[str, str] = field(repr=False)
    base: Path
    only: tuple[Loc, ...] | None = None

    def is_needed(self, at: Loc) -> bool:
        """Whether the reference at this path must lead somewhere."""
        return self.only is None or any(at[: len(path)] == path for path in self.only)

    def resolve(self, reference: str) -> SecretStr:
        """Return the value behind a reference; one line end at its end is not part of it.

        Raises:
            ValueError: Nothing there, with the reference named and never a value.
        """
        kind, _, name = reference.partition(":")
        if kind == "env":
            value = self.environment.get(name, "")
            if not value:
                raise ValueError(f"environment variable {name} is not set")
            return SecretStr(value)
        path = self._path(name)
        try:
            with path.open(encoding="utf-8") as file:
                value = file.read(_LONGEST + 1)
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} cannot be read ({type(error).__name__})") from None
        value = value.removesuffix("\n").removesuffix("\r")
        if not value or len(value) > _LONGEST:
            raise ValueError(f"{path} is empty or too long to be a secret")
        return SecretStr(value)

    def _path(self, name: str) -> Path:
        folder = self.environment.get("CREDENTIALS_DIRECTORY", "")
        if folder and "/" not in name:
            return Path(folder) / name
        return self.base / name

    def files(self, data: Plain) -> frozenset[Path]:
        """Return the files that references in `data` lead to."""
        if isinstance(data, dict):
            return frozenset[Path]().union(*map(self.files, data.values()))
        if isinstance(data, list):
            return frozenset[Path]().union(*map(self.files, data))
        if isinstance(data, str) and data.startswith("file:"):
            return frozenset({self._path(data.removeprefix("file:"))})
        return frozenset()


def is_reference(value: object) -> bool:
    """Whether `value` is a reference to a secret."""
    return isinstance(value, str) and value.startswith(_PREFIXES)


def resolve_all(
    data: Plain, at: Loc, document: Document, source: SecretSource, problems: Problems
) -> tuple[Plain, frozenset[Loc]]:
    """Return `data` with every reference replaced, and the paths that now hold secrets."""
    if isinstance(data, dict):
        pairs = {
            key: resolve_all(value, (*at, key), document, source, problems)
            for key, value in data.items()
        }
        hidden = frozenset[Loc]().union(*(paths for _, paths in pairs.values()))
        return {key: value for key, (value, _) in pairs.items()}, hidden
    if isinstance(data, list):
        items = [
            resolve_all(value, (*at, number), document, source, problems)
            for number, value in enumerate(data)
        ]
        return [v for v, _ in items], frozenset[Loc]().union(*(paths for _, paths in items))
    if isinstance(data, str) and is_reference(data):
        try:
            return source.resolve(data).get_secret_value(), frozenset({at})
        except ValueError as error:
            if source.is_needed(at):
                problems.add(document.place(at), f'"{data}" leads nowhere ({error})')
            return "unresolved", frozenset({at})
    return data, frozenset()


def refuse_literals(
    model: BaseModel, at: Loc, document: Document, hidden: frozenset[Loc], problems: Problems
) -> None:
    """Add a problem for every secret that stands in the file itself."""
    for name, field_ in type(model).model_fields.items():
        value = getattr(model, name)
        _refuse(value, (*at, field_.alias or name), document, hidden, problems)


def _refuse(
    value: object, at: Loc, document: Document, hidden: frozenset[Loc], problems: Problems
) -> None:
    if isinstance(value, SecretStr):
        if document.get(at) is not None and at not in hidden:
            problems.add(
                document.place(at),
                f'"{at[-1]}" is a secret and must not stand in this file'
                " (expected a reference env:NAME or file:PATH)",
            )
    elif isinstance(value, BaseModel):
        refuse_literals(value, at, document, hidden, problems)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _refuse(item, (*at, str(key)), document, hidden, problems)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _refuse(item, (*at, number), document, hidden, problems)
