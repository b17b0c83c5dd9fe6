"""A YAML file that people write: what it says, and which line says it.

It may hold passwords, so errors show no piece of it but keys that are plain words.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from facetrail.errors import BadSettings

QUOTE_IT = "put what holds special signs into quotes, as in url: 'rtsp://…'"

_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"
_SHOWN_KEY = re.compile(r"[\w. -]{1,64}")
#: Words of PyYAML that quote no more of the file than a sign of its grammar.
_HARMLESS = re.compile(r"(?:[A-Za-z ,.-]|'(?:[^\w]|\\t)'|'?<[a-z ]+>'?)*")


@dataclass(frozen=True, slots=True, eq=False)
class YamlDocument:
    """content: the file as Python values, None for an empty one."""

    content: Any
    root: yaml.Node | None

    @classmethod
    def read(cls, path: Path) -> YamlDocument:
        """Raises BadSettings if it can't be read, and OSError."""
        try:
            loader = yaml.SafeLoader(path.read_text(encoding="utf-8-sig"))
            root = loader.get_single_node()
            content = None if root is None else loader.construct_document(root)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise BadSettings(f"{path}{_fault_of(error)}; {QUOTE_IT}") from None
        fault = None if root is None else _key_fault(root)
        if fault is not None:
            raise BadSettings(f"{path}{fault}")
        return cls(content, root)

    def line_of(self, loc: tuple[str, ...]) -> int:
        """The line, from 1, of the deepest key of `loc` that is in the file."""
        node, line = self.root, 1
        for part in loc:
            if isinstance(node, yaml.MappingNode):
                found = next((kv for kv in node.value if kv[0].value == part), None)
                if found is None:
                    break
                line, node = _line(found[0]), found[1]
            elif isinstance(node, yaml.SequenceNode) and part.isdecimal():
                node = node.value[int(part)]
                line = _line(node)
            else:
                break
        return line


def shown_keys(loc: tuple[str, ...]) -> str:
    """The keys with dots between; one that is no plain word may be a piece of a password."""
    return ".".join(part if _SHOWN_KEY.fullmatch(part) else "…" for part in loc)


def _key_fault(root: yaml.Node) -> str | None:
    """What is wrong with a key: there twice, or no text for YAML, such as 12 or on."""
    waiting, seen = deque([root]), set()
    while waiting:
        node = waiting.popleft()
        if id(node) in seen:
            continue  # an alias may hold itself
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                line = _line(key)
                if key.tag not in (_TEXT, _MERGE):
                    return f" line {line}: a key is read as something other than text; quote it"
                if key.value in first:
                    name = shown_keys((key.value,))
                    return f" line {line}: {name} was there before, in line {first[key.value]}"
                first[key.value] = line
                waiting.append(value)
    return None


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _fault_of(error: Exception) -> str:
    """PyYAML's words without what they quote."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f" is not YAML ({type(error).__name__})"
    problem = str(error.problem)
    if not _HARMLESS.fullmatch(problem):
        problem = problem.partition("'")[0].strip()
    return f" line {error.problem_mark.line + 1} is not YAML: {problem}"
