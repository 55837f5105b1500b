"""A YAML file as plain data that remembers where every value stands.

YAML 1.2 (`no` is a text), duplicate keys and foreign tags refused, dates left as texts: the models
say what a value has to be, and every error can name line and column.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config.problems import Problems
from engine.errors import Place

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]
Loc = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_MOST_NODES = 100_000
_DEEPEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file: its data, and the place of every value and key by path (`("rules", 1, "when")`)."""

    file: str
    data: dict[str, Plain]
    _values: Mapping[Loc, Place] = field(repr=False)
    _keys: Mapping[Loc, Place] = field(repr=False)
    _styles: Mapping[Loc, str] = field(repr=False)

    def known(self, loc: Loc) -> Loc:
        """Return `loc` without the steps that the file does not have (pydantic's union tags)."""
        found: Loc = ()
        for step in loc:
            if (*found, step) in self._values:
                found = (*found, step)
        return found

    def place(self, loc: Loc, *, key: bool = False) -> Place:
        """Return where the value (or its key) at `loc` stands, or the nearest thing around it."""
        known = self.known(loc)
        if key and known in self._keys:
            return self._keys[known]
        return self._values[known]

    def inside(self, loc: Loc, offset: int) -> Place:
        """Return the place `offset` characters into a one-line text; its start in a folded one."""
        place = self.place(loc)
        style = self._styles.get(self.known(loc), "")
        if style in {"|", ">"}:
            return place
        start = offset + (1 if style else 0)
        return Place(file=place.file, line=place.line, column=place.column + start)

    def get(self, loc: Loc) -> Plain:
        """Return the value at `loc`, None when there is none."""
        value: Plain = self.data
        for step in loc:
            if isinstance(value, dict):
                value = value.get(str(step))
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value


def load_document(path: Path) -> Document:
    """Read a YAML file whose top is a mapping.

    Raises:
        ConfigurationError: Unreadable, not YAML, a duplicate key, a foreign tag; with its place.
    """
    problems = Problems()
    file = str(path)
    start = Place(file=file, line=1, column=1)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        problems.add(start, f"cannot be read ({error.strerror})")
        problems.raise_if_any()
        raise
    except UnicodeDecodeError as error:
        problems.add(start, f"is not UTF-8 (byte {error.start})")
        problems.raise_if_any()
        raise
    reader = _Reader(file, problems)
    data = reader.read(text)
    problems.raise_if_any()
    return Document(
        file=file, data=data, _values=reader.values, _keys=reader.keys, _styles=reader.styles
    )


class _Reader:
    """Turns YAML nodes into plain data, collecting places and problems."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._nodes = 0
        self.values: dict[Loc, Place] = {(): Place(file=file, line=1, column=1)}
        self.keys: dict[Loc, Place] = {}
        self.styles: dict[Loc, str] = {}

    def read(self, text: str) -> dict[str, Plain]:
        start = self.values[()]
        try:
            node = YAML(typ="safe", pure=True).compose(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = (
                Place(file=self._file, line=mark.line + 1, column=mark.column + 1)
                if mark
                else start
            )
            self._problems.add(place, f"is not YAML: {error.problem or error.context}")
            return {}
        except YAMLError as error:
            self._problems.add(start, f"is not YAML: {error}")
            return {}
        except RecursionError:  # the parser descends before our own bound can count
            self._problems.add(start, "is nested too deeply or refers to itself")
            return {}
        if not isinstance(node, MappingNode):
            self._problems.add(start, "expected a mapping of keys at the top of the file")
            return {}
        plain = self._plain(node, (), ())
        return plain if isinstance(plain, dict) else {}

    def _plain(self, node: Node, loc: Loc, path: tuple[int, ...]) -> Plain:
        place = Place(
            file=self._file, line=node.start_mark.line + 1, column=node.start_mark.column + 1
        )
        self.values[loc] = place
        self._nodes += 1
        if id(node) in path or len(path) > _DEEPEST or self._nodes > _MOST_NODES:
            self._problems.add(place, "is nested too deeply or refers to itself")
            return None
        inner = (*path, id(node))
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, loc, inner)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return [self._plain(item, (*loc, n), inner) for n, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            self.styles[loc] = node.style or ""
            return self._scalar(node, place)
        self._problems.add(place, f"unknown tag {node.tag!r} (expected plain YAML)")
        return None

    def _mapping(self, node: MappingNode, loc: Loc, path: tuple[int, ...]) -> Plain:
        found: dict[str, Plain] = {}
        for key, value in node.value:
            place = Place(
                file=self._file, line=key.start_mark.line + 1, column=key.start_mark.column + 1
            )
            if not isinstance(key, ScalarNode):
                self._problems.add(place, "expected a plain text as key")
                continue
            name = str(key.value)
            if name in found:
                first = self.keys[(*loc, name)]
                self._problems.add(place, f'key "{name}" stands here twice (first: {first.line})')
                continue
            self.keys[(*loc, name)] = place
            found[name] = self._plain(value, (*loc, name), path)
        return found

    def _scalar(self, node: ScalarNode, place: Place) -> Plain:
        text = str(node.value)
        kind = str(node.tag).removeprefix(_TAG)
        convert = _SCALARS.get(kind)
        if convert is None:
            self._problems.add(place, f"unknown tag {str(node.tag)!r} (expected plain YAML)")
            return None
        try:
            return convert(text)
        except ValueError:
            self._problems.add(place, f'"{text}" is no number')
            return None


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 0) if digits.lstrip("+-")[:2] in {"0x", "0o", "0b"} else int(digits)


def _float(text: str) -> float:
    return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS: Mapping[str, Callable[[str], Plain]] = {
    "str": str,
    "timestamp": str,
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": _integer,
    "float": _float,
}
