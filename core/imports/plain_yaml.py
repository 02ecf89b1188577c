"""The plain YAML that voice configs are written in: tables, lists and scalars, as text alone.

Tags, anchors and block scalars are refused: no config needs them, and tags are how YAML runs code.
Scalars follow YAML 1.1, except that 1e-6 is the number its author meant.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from core.errors import ConfigError

_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?$")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null"), None),
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
    ".inf": math.inf,
    "+.inf": math.inf,
    "-.inf": -math.inf,
    ".nan": math.nan,
}
_KEY = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s\[\]{},"'#][^#]*?)\s*:(?:\s+|$)""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "/": "/", '"': '"', "\\": "\\"}


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


def read_yaml(text: str, where: str) -> Any:
    """What a YAML text says: dict, list, str, int, float, bool or None. where: for messages."""
    return _Reader(text, where).document()


class _Reader:
    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self.lines = self._logical_lines(text.lstrip("\ufeff"))
        self.at = 0

    def document(self) -> Any:
        if not self.lines:
            return None
        value = self._block(self.lines[0].indent)
        if self.at < len(self.lines):
            self._fail(self.lines[self.at], "does not belong to what stands above it")
        return value

    def _fail(self, line: _Line, why: str) -> None:
        raise ConfigError(f'{self.where}, line {line.number}: "{line.text[:60]}" {why}')

    def _logical_lines(self, text: str) -> list[_Line]:
        """Lines without comments; a bracket keeps a line open until it is closed."""
        lines: list[_Line] = []
        depth = 0
        for number, raw in enumerate(text.splitlines(), start=1):
            bare = _without_comment(raw).rstrip()
            stripped = bare.strip()
            if not stripped or (not depth and stripped in ("---", "...")):
                continue
            if depth:
                last = lines[-1]
                lines[-1] = last._replace(text=f"{last.text} {stripped}")
            else:
                lines.append(_Line(number, len(bare) - len(bare.lstrip()), stripped))
                if "\t" in bare[: lines[-1].indent]:
                    self._fail(lines[-1], "is indented by a tab; YAML wants spaces")
            depth += _depth(stripped, inside=depth > 0)
        if depth > 0:
            self._fail(lines[-1], "opens a bracket that is never closed")
        return lines

    def _block(self, indent: int) -> Any:
        line = self.lines[self.at]
        if line.text == "-" or line.text.startswith("- "):
            return self._list(indent)
        if _KEY.match(line.text):
            return self._table(indent)
        self.at += 1
        return self._scalar(line, line.text)

    def _list(self, indent: int) -> list[Any]:
        items: list[Any] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.indent != indent or not (line.text == "-" or line.text.startswith("- ")):
                break
            rest = line.text[1:].lstrip()
            if rest:
                deeper = indent + len(line.text) - len(rest)
                self.lines[self.at] = _Line(line.number, deeper, rest)
                items.append(self._block(deeper))
            else:
                self.at += 1
                items.append(self._below(indent + 1))
        return items

    def _table(self, indent: int) -> dict[str, Any]:
        table: dict[str, Any] = {}
        while self.at < len(self.lines) and self.lines[self.at].indent == indent:
            line = self.lines[self.at]
            found = _KEY.match(line.text)
            if not found:
                self._fail(line, "is no `key: value`")
            assert found is not None
            key = _key(found[1])
            rest = line.text[found.end() :].strip()
            self.at += 1
            table[key] = self._scalar(line, rest) if rest else self._below(indent)
        return table

    def _below(self, indent: int) -> Any:
        """The block that belongs to a key: deeper, or a list as deep as the key itself."""
        if self.at == len(self.lines):
            return None
        line = self.lines[self.at]
        is_list = line.text == "-" or line.text.startswith("- ")
        if line.indent > indent or (line.indent == indent and is_list):
            return self._block(line.indent)
        return None

    def _scalar(self, line: _Line, text: str) -> Any:
        """A value on its line, with the lines that carry it on."""
        if text[0] in "&*!|>%@`":
            self._fail(
                line, "uses a YAML feature that is not read here (tag, anchor or block text)"
            )
        while self.at < len(self.lines) and self.lines[self.at].indent > line.indent:
            if text[0] in "[{":
                self._fail(self.lines[self.at], "does not belong to what stands above it")
            text = f"{text} {self.lines[self.at].text}"
            self.at += 1
        if text[0] not in "[{":
            return _unquoted(text)
        value, rest = self._flow(line, text)
        if rest:
            self._fail(line, f'has "{rest[:20]}" after its closing bracket')
        return value

    def _flow(self, line: _Line, text: str) -> tuple[Any, str]:
        """A value in brackets, or a scalar inside them, and the text after it."""
        if text[:1] not in ("[", "{"):
            found = re.match(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,\]}]*)""", text)
            assert found is not None
            return _unquoted(found[1].strip()), text[found.end() :].lstrip()
        opened, text = text[0], text[1:].lstrip()
        closing = "]" if opened == "[" else "}"
        items: list[Any] = []
        table: dict[str, Any] = {}
        while text and text[0] != closing:
            if opened == "{":
                found = _KEY.match(text)
                if not found:
                    self._fail(line, "holds a table without `key: value`")
                assert found is not None
                key, text = _key(found[1]), text[found.end() :]
                table[key], text = self._flow(line, text)
            else:
                item, text = self._flow(line, text)
                items.append(item)
            text = text[1:].lstrip() if text[:1] == "," else text
        if not text:
            self._fail(line, "opens a bracket that is never closed")
        return (items if opened == "[" else table), text[1:].lstrip()


def _without_comment(line: str) -> str:
    quote = ""
    for at, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and (at == 0 or line[at - 1] in " [{,:"):
            quote = char
        elif char == "#" and (at == 0 or line[at - 1].isspace()):
            return line[:at]
    return line


def _depth(text: str, inside: bool) -> int:
    """Brackets opened less brackets closed, outside quotes; plain words may hold some.

    inside: whether an earlier line left one open.
    """
    bare = re.sub(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""", "", text)
    if not inside:
        found = _KEY.match(bare)
        bare = bare[found.end() :] if found else bare.removeprefix("- ")
        if bare.lstrip()[:1] not in ("[", "{"):
            return 0
    return sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}")


def _key(text: str) -> str:
    """A key as text, whatever a value of that spelling would be."""
    return str(_unquoted(text)) if text[0] in "\"'" else text


def _unquoted(text: str) -> Any:
    """What a scalar stands for."""
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text[1:-1])
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.match(text):
        return int(text.replace("_", ""))
    if _FLOAT.match(text):
        return float(text.replace("_", ""))
    return text
