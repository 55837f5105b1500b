"""Every mistake of a file at once, each with its place and what was expected."""

import difflib
from collections.abc import Collection

from engine.errors import ConfigurationError, Place


class InvalidConfigurationError(ConfigurationError):
    """All mistakes of a configuration; one line each, in the order of the file."""

    def __init__(self, problems: tuple[ConfigurationError, ...]) -> None:
        """Keep every problem; `place` is that of the first."""
        super().__init__("\n".join(str(problem) for problem in problems))
        self.place = problems[0].place
        self.problems = problems


class Problems:
    """Collects mistakes, so that an admin sees all of them in one go."""

    def __init__(self) -> None:
        self._found: list[tuple[Place, str]] = []

    def add(self, place: Place, message: str) -> None:
        """Note one mistake; the same one twice counts once."""
        if (place, message) not in self._found:
            self._found.append((place, message))

    def all(self) -> tuple[ConfigurationError, ...]:
        """Return every mistake in the order of the file."""
        ordered = sorted(self._found, key=lambda item: (item[0].line, item[0].column))
        return tuple(ConfigurationError(message, place=place) for place, message in ordered)

    def raise_if_any(self) -> None:
        """Raise all mistakes together.

        Raises:
            InvalidConfigurationError: There is at least one.
        """
        if self._found:
            raise InvalidConfigurationError(self.all())


def unknown(what: str, name: str, known: Collection[str]) -> str:
    """Return `unknown authority "x" (did you mean "y"?)`, or what there is to choose from."""
    return f'unknown {what} "{name}"{suggestion(name, known)}'


def suggestion(name: str, known: Collection[str]) -> str:
    """Return the nearest known name in parentheses, else all of them, else nothing."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f' (did you mean "{near[0]}"?)'
    if not names:
        return " (expected none here)"
    return f" (expected one of: {', '.join(names)})"
