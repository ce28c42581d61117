"""YAML files that people write for the gate: a list of entries, read strictly.

Input: a file. Output: plain values, or entries as records. A misspelled, duplicate or incomplete entry would have no
effect, unnoticed, so each is an error that names it.
"""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from proveout.errors import ConfigError

M = TypeVar("M", bound=BaseModel)


def entries(file: Path, *, what: str, remedy: str, may_be_empty: bool = False) -> list[Any]:
    """The list in `file`. `what`: the word for its entries in error messages, such as `cases`.

    Raises: ConfigError if it is missing, is not YAML, has a key twice, or contains no list.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(str(file), "is not there", remedy) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(file), f"is not UTF-8: {error.reason} at byte {error.start:,}", remedy) from error
    found = parse(text, where=str(file), what=what, remedy=remedy)
    if not found and not may_be_empty:
        raise ConfigError(str(file), f"holds no list of {what}", remedy)
    return found


def parse(text: str, *, where: str, what: str, remedy: str) -> list[Any]:
    """The list in the text of a file, empty for an empty one. Raises: as `entries`."""
    import yaml

    try:
        found = yaml.load(text, Loader=_loader())  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, ValueError) as error:  # ValueError: there is no 30 February
        raise ConfigError(where, f"is not YAML: {' '.join(str(error).split())}", remedy) from error
    if found is not None and not isinstance(found, list):
        raise ConfigError(where, f"holds no list of {what}", remedy)
    return found or []


def record(kind: type[M], entry: Any, *, where: str, remedy: str) -> M:
    """One entry as a record of `kind`. Raises: ConfigError with each field that is missing, unknown or wrong."""
    try:
        return kind.model_validate(entry)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the entry'}: {e['msg']}" for e in error.errors())
        raise ConfigError(where, problems, remedy) from error


def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """SafeLoader that refuses a duplicate key; YAML's own loader silently uses the last one."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key) for key, _ in node.value]
            doubled = sorted({str(key) for key in keys if keys.count(key) > 1})
            if doubled:
                problem = f"{', '.join(doubled)} given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
            return super().construct_mapping(node, deep)

    return Loader
