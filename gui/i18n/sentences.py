"""The engine's sentences in the language of the moment: known by their template, values kept.

The engine speaks English (`raise DeviceError(f"no {direction} device ...")`). A template is such a
sentence with `{}` for each value; the tables give its translation, where `{0}` is the first value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gui.i18n import WORDS
from gui.i18n.ko_errors_core import CORE, CORE_PARTS
from gui.i18n.ko_errors_live import LIVE, LIVE_PARTS
from gui.i18n.ko_errors_model import MODEL, MODEL_PARTS
from gui.i18n.ko_errors_offline import OFFLINE, OFFLINE_PARTS
from gui.i18n.ko_errors_settings import SETTINGS

SENTENCES: dict[str, str] = {**LIVE, **CORE, **SETTINGS, **MODEL, **OFFLINE}
"""What is raised, each by its template."""
PARTS: dict[str, str] = {**LIVE_PARTS, **CORE_PARTS, **MODEL_PARTS, **OFFLINE_PARTS}
"""What stands in the place of a value, or in a list."""
TABLES: dict[str, dict[str, str]] = {"ko": {**SENTENCES, **PARTS}}
# A file, then a sentence; a sentence, then advice; reasons, counted.
_JOINTS = (": ", "; ", ", ", " x ")


@dataclass(frozen=True)
class Template:
    """A sentence around its values. parts: what stands before, between and after them."""

    parts: tuple[str, ...]
    translation: str

    def values(self, text: str) -> list[str] | None:
        """What stands in the places of the values; None where it is another sentence."""
        if len(self.parts) == 1:
            return [] if text == self.parts[0] else None
        first, *middle, last = self.parts
        ends = text.startswith(first) and text.endswith(last)
        if not ends or len(text) < len(first) + len(last):
            return None
        found, rest = [], text[len(first) : len(text) - len(last)]
        for part in middle:
            value, there, rest = rest.partition(part)
            if not there:
                return None
            found.append(value)
        return [*found, rest]


def templates(table: Mapping[str, str]) -> list[Template]:
    """The most telling first, so that `{}: no such file` comes before `{}: {}`."""
    made = [Template(tuple(english.split("{}")), other) for english, other in table.items()]
    return sorted(made, key=lambda template: -sum(map(len, template.parts)))


_TEMPLATES = {language: templates(table) for language, table in TABLES.items()}


def told(text: str) -> str:
    """An engine's sentence in the language of the moment; as it is where it is not known."""
    return _told(text, WORDS.language)


@lru_cache(maxsize=256)
def _told(text: str, language: str) -> str:
    if " " not in text or language not in TABLES:  # a word; most values are
        return TABLES.get(language, {}).get(text, text)
    for template in _TEMPLATES[language]:
        values = template.values(text)
        if values is not None:
            return template.translation.format(*(_told(value, language) for value in values))
    for joint in _JOINTS:
        head, there, rest = text.partition(joint)
        if there:
            said = _told(head, language), _told(rest, language)
            if said != (head, rest):
                return joint.join(said)
    return text
