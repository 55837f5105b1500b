"""JSON Schema of both files, for editors (`# yaml-language-server: $schema=…`)."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from config.installation import InstallationFile
from config.tier_models import TierMapFile

FOLDER = Path(__file__).resolve().parent / "schema"
MODELS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {"tiers": TierMapFile, "tiergate": InstallationFile}
)
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of `tiers` or `tiergate`."""
    return {"$schema": _DIALECT, **MODELS[name].model_json_schema(by_alias=True)}


def schema_text(name: str) -> str:
    """Return the schema as it stands in its file."""
    return json.dumps(schema(name), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_schemas(folder: Path = FOLDER) -> tuple[Path, ...]:
    """Write both schemas; return the files."""
    written: list[Path] = []
    for name in sorted(MODELS):
        path = folder / f"{name}.schema.json"
        path.write_text(schema_text(name), "utf-8")
        written.append(path)
    return tuple(written)
