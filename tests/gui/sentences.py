"""What the sources can say in an error: collected by reading them, not by running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
ERRORS = {"VoiceChangerError", "ConfigError", "AudioFileError", "VoiceFileError", "DeviceError",
          "MisfitError", "FullDiskError"}  # fmt: skip
Scope = ast.Module | ast.FunctionDef


def raised(paths: list[Path]) -> dict[str, str]:
    """Template of each message given to a class of core/errors.py -> where it is made."""
    found = {}
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for scope, names in _scopes(tree):
            for node in _own_nodes(scope):
                message = _message(node)
                if message is not None:
                    text = template(message, names)
                    if any(letter.isalpha() for letter in text.replace("{}", "")):
                        found[text] = f"{path.relative_to(ROOT)}:{node.lineno}"
    return found


def literals(paths: list[Path]) -> set[str]:
    """Every text of the sources, as a template."""
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.JoinedStr, ast.Constant, ast.BinOp)):
                found.add(template(node, {}))
    return found


def template(node: ast.AST, names: Mapping[str, str]) -> str:
    """The text with `{}` for each value; a value that is one of `names` is its text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part, names) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return template(node.value, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        text = template(node.left, names) + template(node.right, names)
        return text if text.strip("{}") else "{}"  # a sum of figures
    return names.get(node.id, "{}") if isinstance(node, ast.Name) else "{}"


def _message(node: ast.AST) -> ast.expr | None:
    """What an error says, in the call that makes it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
        if node.func.id in ERRORS:
            return node.args[0]
        if node.func.id == "_require":  # (condition, message): raises a ConfigError
            return node.args[1]
    return None


def _scopes(tree: ast.Module) -> Iterator[tuple[Scope, dict[str, str]]]:
    """The module and its functions, with the texts that have a name there."""
    outer = _named(tree, {})
    yield tree, outer
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node, _named(node, outer)


def _named(scope: Scope, outer: Mapping[str, str]) -> dict[str, str]:
    """Names with one text; what is set twice, or is no text, is a value."""
    names = dict(outer)
    arguments = ast.walk(scope.args) if isinstance(scope, ast.FunctionDef) else ()
    seen = {node.arg for node in arguments if isinstance(node, ast.arg)}
    for name in seen:
        names.pop(name, None)
    for node in _own_nodes(scope):
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Store):
            continue
        names.pop(node.id, None)
    counts: dict[str, list[ast.expr]] = {}
    for node in _own_nodes(scope):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            counts.setdefault(node.targets[0].id, []).append(node.value)
    for name, values in counts.items():
        if len(values) == 1 and isinstance(values[0], (ast.Constant, ast.JoinedStr, ast.BinOp)):
            text = template(values[0], names)
            if text != "{}" and name not in seen:
                names[name] = text
    return names


def _own_nodes(scope: Scope) -> Iterator[ast.AST]:
    """Without those of functions inside."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef):
            yield from _own_nodes(child)  # type: ignore[arg-type]
