"""The source text of a generated module as a tree, so that a shorter module can be made of it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Node:
    """Text with nodes in it.

    ``kind``: what it stands for. An expression's is the kind of its value; ``ITEMS`` is a sequence with ``joint``
    between its parts, of which all but ``least`` may be left out; anything else is only text. ``simple``: text that may
    stand in its place.
    """

    kind: str
    parts: tuple[str | Node, ...]
    joint: str = ""
    least: int = 0
    simple: str = ""

    def __str__(self) -> str:
        return self.joint.join(map(str, self.parts))


ITEMS: Final = "items"
TEXT: Final = "text"

#: Constants that may stand for an expression of a kind, the simplest first.
SIMPLE: Final = {
    "integer": "1", "float": "1.5", "atom": "a", "boolean": "true", "list": "[]", "integers": "[]",
    "string": '"s"', "tuple": "{}", "binary": "<<>>", "bitstring": "<<>>", "map": "#{}", "any": "a", "pattern": "_",
}  # fmt: skip


def expression(kind: str, *parts: str | Node) -> Node:
    """An expression whose value is mostly of this kind."""
    return Node(kind, parts)


def text(*parts: str | Node) -> Node:
    """Parts that can only be there together."""
    return Node(TEXT, parts)


def items(parts: Sequence[str | Node], joint: str = ", ", least: int = 0) -> Node:
    """A sequence whose parts may be left out one by one."""
    return Node(ITEMS, tuple(parts), joint, least)


def with_simple(node: Node, names: Container[str]) -> Node:
    """The tree with the simple text in place of all nodes where that is among *names*."""
    if node.simple in names:
        return Node(TEXT, (node.simple,))
    parts = tuple(with_simple(part, names) if isinstance(part, Node) else part for part in node.parts)
    return Node(node.kind, parts, node.joint, node.least, node.simple)


def simple_texts(node: Node) -> list[str]:
    """The simple texts of all nodes that have one."""
    own = [node.simple] if node.simple else []
    return own + [name for part in node.parts if isinstance(part, Node) for name in simple_texts(part)]


def simpler(node: Node) -> Iterator[Node]:
    """The trees that are this one with one thing taken out or replaced by something simpler; the boldest first."""
    for path, inner in _walk(node, ()):
        for replacement in _replacements(inner):
            yield _replaced(node, path, replacement)


def _walk(node: Node, path: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Node]]:
    """All nodes and where they are, those near the root first."""
    level = [(path, node)]
    while level:
        yield from level
        level = [
            ((*place, index), part)
            for place, one in level
            for index, part in enumerate(one.parts)
            if isinstance(part, Node)
        ]


def _replacements(node: Node) -> Iterator[Node]:
    if node.kind == ITEMS:
        yield from _shorter(node)
    elif node.kind in SIMPLE:
        simple = Node(node.kind, (SIMPLE[node.kind],))
        if str(node) != str(simple):
            yield simple
            yield from _inner(node)


def _shorter(node: Node) -> Iterator[Node]:
    """With fewer items: half of them at first, then all but one."""
    count = len(node.parts)
    half = count // 2
    if half > 1 and count - half >= node.least:
        yield Node(ITEMS, node.parts[half:], node.joint, node.least)
        yield Node(ITEMS, node.parts[:half], node.joint, node.least)
    if count > node.least:
        for index in range(count):
            yield Node(ITEMS, node.parts[:index] + node.parts[index + 1 :], node.joint, node.least)


def _inner(node: Node) -> Iterator[Node]:
    """Expressions within an expression, or patterns within a pattern."""
    pattern = node.kind == "pattern"
    for path, inner in _walk(node, ()):
        if path and inner.kind in SIMPLE and (inner.kind == "pattern") == pattern:
            yield inner


def _replaced(node: Node, path: tuple[int, ...], replacement: Node) -> Node:
    if not path:
        return replacement
    index, *rest = path
    inner = node.parts[index]
    assert isinstance(inner, Node)
    parts = (*node.parts[:index], _replaced(inner, tuple(rest), replacement), *node.parts[index + 1 :])
    return Node(node.kind, parts, node.joint, node.least, node.simple)
