"""`tiergate classify`: the classifier alone, over lines of JSON."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import orjson
import typer

from engine.bootstrap import open_daemon
from engine.cli.console import (
    ConfigOption,
    JSONLinesOption,
    config_path,
    errors_end_the_command,
    print_json_line,
    tell,
)
from engine.cli.documents import classification_document
from engine.domain.classification import Classification, ClassifierInput
from engine.errors import ConfigurationError, Place

InputOption = Annotated[
    Path | None,
    typer.Option(
        "--input",
        exists=True,
        dir_okay=False,
        readable=True,
        help="Lines of {short_description, description, ...}; by default stdin.",
    ),
]
_BATCH = 256


def classify(
    *, config: ConfigOption = None, source: InputOption = None, as_json: JSONLinesOption = False
) -> None:
    """Say what each text asks for, with confidence, parameters and the words it rests on."""
    with errors_end_the_command(), open_daemon(config_path(config)) as daemon:
        batch: list[ClassifierInput] = []
        for one in _inputs(source):
            batch.append(one)
            if len(batch) == _BATCH:
                _print(batch, daemon.services.classifier.classify(batch), as_json=as_json)
                batch.clear()
        _print(batch, daemon.services.classifier.classify(batch), as_json=as_json)


def _inputs(source: Path | None) -> Iterator[ClassifierInput]:
    name = str(source or "<stdin>")
    stream = source.open("rb") if source else sys.stdin.buffer
    with stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                found = orjson.loads(line)
                yield ClassifierInput(
                    short_description=str(found["short_description"]),
                    description=str(found.get("description", "")),
                    catalog_item=str(found.get("catalog_item", "")),
                    variables={k: str(v) for k, v in found.get("variables", {}).items()},
                )
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise ConfigurationError(
                    'expected a JSON object with "short_description"',
                    place=Place(file=name, line=number, column=1),
                ) from error


def _print(
    batch: list[ClassifierInput], answers: tuple[Classification, ...], *, as_json: bool
) -> None:
    for one, answer in zip(batch, answers, strict=True):
        if as_json:
            print_json_line({"text": one.short_description, **classification_document(answer)})
            continue
        intent = answer.intent or f"- ({answer.abstained_because or answer.abstained})"
        tell(f"{answer.confidence:.3f}  {intent:24}  {one.short_description[:80]}")
