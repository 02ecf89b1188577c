"""Words of the app: English in the code, other languages in tables, switched while it runs."""

from __future__ import annotations

import locale
import os
from collections.abc import Callable

from gui.i18n.ko import KOREAN

LANGUAGES = {"en": "English", "ko": "한국어"}
_TABLES: dict[str, dict[str, str]] = {"en": {}, "ko": KOREAN}

Setter = Callable[[str], object]


class Words:
    """The language of the moment, and who must hear when it changes."""

    def __init__(self) -> None:
        self.language = "en"
        self._bound: list[tuple[Setter, str]] = []
        self._listeners: list[Callable[[], None]] = []

    def switch(self, language: str) -> None:
        """To a language of LANGUAGES; "system" asks the environment."""
        self.language = language if language in _TABLES else system_language()
        alive = []
        for setter, text in self._bound:
            try:
                setter(tr(text))
            except RuntimeError:  # its widget is gone
                continue
            alive.append((setter, text))
        self._bound = alive
        for listener in self._listeners:
            listener()

    def bind(self, setter: Setter, text: str) -> None:
        """`setter` gets the text now, and again in every new language."""
        setter(tr(text))
        self._bound.append((setter, text))

    def on_switch(self, listener: Callable[[], None]) -> None:
        """For text with figures in it: called after every switch."""
        self._listeners.append(listener)

    def forget(self) -> None:
        """The window is gone."""
        self._bound.clear()
        self._listeners.clear()


WORDS = Words()


def tr(text: str, **values: object) -> str:
    """In the language of the moment; `{name}` stands for a value."""
    found = _TABLES[WORDS.language].get(text, text)
    return found.format(**values) if values else found


def bind(setter: Setter, text: str) -> None:
    """See `Words.bind`."""
    WORDS.bind(setter, text)


def system_language() -> str:
    """The environment's, if we speak it; else English."""
    named = os.environ.get("LC_ALL") or os.environ.get("LANG") or locale.getlocale()[0] or ""
    return "ko" if named.lower().startswith(("ko", "korean")) else "en"
