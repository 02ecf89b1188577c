"""Plain YAML as voice configs have it; what could run code or is no YAML is refused by line."""

from __future__ import annotations

import math

import pytest

from core.errors import ConfigError
from core.imports.plain_yaml import read_yaml

CONFIG = """\
---
# a comment
rate: 44100      # another
eps: 1e-6
half: .5
less: -3
flag: true
off: No
nothing:
empty: ''
name: "a # b\\n"
it: 'it''s'
path: C:\\voices\\old one
url: http://a:b/c
long: words that go
  on below
flow: [1, 2.5,
  [a, 'b, c'], {x: 1,
  y: [2]}]
list:
- one
- - 2
  - 3
-
  key: value
- key: value
  other: 4
table:
    inner:
        deep: .inf
    "quoted key": ~
words: as [is
last: []
"""


def test_every_kind_of_value() -> None:
    assert read_yaml(CONFIG, "config") == {
        "rate": 44100,
        "eps": 1e-6,
        "half": 0.5,
        "less": -3,
        "flag": True,
        "off": False,
        "nothing": None,
        "empty": "",
        "name": "a # b\n",
        "it": "it's",
        "path": "C:\\voices\\old one",
        "url": "http://a:b/c",
        "long": "words that go on below",
        "flow": [1, 2.5, ["a", "b, c"], {"x": 1, "y": [2]}],
        "list": ["one", [2, 3], {"key": "value"}, {"key": "value", "other": 4}],
        "table": {"inner": {"deep": math.inf}, "quoted key": None},
        "words": "as [is",
        "last": [],
    }
    assert read_yaml("", "config") is None
    assert read_yaml("- 1\n- 2", "config") == [1, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: !!python/object/apply:os.system ['touch x']", "line 1.*not read here"),
        ("a: &anchor 1\nb: *anchor", "line 1.*not read here"),
        ("a: |\n  text", "line 1.*not read here"),
        ("a: [1, 2", "never closed"),
        ("a: {b}", "without `key: value`"),
        ("a: [1] 2", "after its closing bracket"),
        ("a: 1\n   b: 2\nc: 3\n  - 4", None),
        ("a: 1\nwords", "line 2.*no `key: value`"),
        ("a:\n  b: 1\n c: 2", "line 3.*does not belong"),
        ("a:\n\tb: 1", "indented by a tab"),
    ],
)
def test_what_is_no_plain_yaml(text: str, words: str | None) -> None:
    if words is None:
        assert read_yaml(text, "config")["a"] == "1 b: 2"
        return
    with pytest.raises(ConfigError, match=words):
        read_yaml(text, "config")
