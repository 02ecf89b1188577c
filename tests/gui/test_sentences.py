"""What the engine says of an error reaches the Korean window in Korean."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from core.config import VoiceParams
from gui.controller import Trouble
from gui.engine import Line
from gui.i18n import WORDS
from gui.i18n.sentences import PARTS, SENTENCES, told
from gui.main_window import MainWindow
from gui.widgets.bar import ErrorBar
from tests.gui.sentences import ROOT, literals, raised

ROOMS = ("realtime", "gui", "core", "offline/studio", "offline/convert.py",
         "offline/convert_foreign.py", "offline/convert_jobs.py", "offline/convert_many.py",
         "offline/convert_together.py", "offline/import_voice.py")  # fmt: skip
SOURCES = [
    path
    for room in ROOMS
    for path in ([ROOT / room] if room.endswith(".py") else sorted((ROOT / room).rglob("*.py")))
    if path.parent.name != "i18n"
]

EVERYWHERE = [
    path for room in ("core", "realtime", "offline") for path in sorted((ROOT / room).rglob("*.py"))
]


@pytest.fixture
def korean() -> Iterator[None]:
    before = WORDS.language
    WORDS.language = "ko"
    yield
    WORDS.language = before


def test_every_error_of_the_sources_has_its_korean() -> None:
    found = raised(SOURCES)
    assert len(found) > 290
    assert {where: text for text, where in found.items() if text not in SENTENCES} == {}


def test_no_korean_is_kept_for_what_nobody_says() -> None:
    assert SENTENCES.keys() - raised(SOURCES).keys() == set()
    assert PARTS.keys() - literals(EVERYWHERE) == set()


def test_every_value_has_its_place() -> None:
    for english, korean in (SENTENCES | PARTS).items():
        marks = [name for _, name, _, _ in string.Formatter().parse(korean) if name is not None]
        places = [str(at) if name == "" else name for at, name in enumerate(marks)]
        assert sorted(places) == [str(at) for at in range(english.count("{}"))], english


def test_values_are_carried_over(korean: None) -> None:
    said = 'no input device is called "Studio {1}"; known: 0 Mic: left'
    assert told(said) == '이름이 "Studio {1}"인 입력 장치가 없습니다. 있는 장치: 0 Mic: left'


def test_a_value_may_be_a_sentence(korean: None) -> None:
    said = '"Mic" or "Phones" gave no sign of life for 2 s'
    assert told(said) == '"Mic" 또는 "Phones" 장치: 2초 동안 응답이 없습니다'
    assert told("talk.wav: the window is closed; open it again").startswith("talk.wav: 창이")


def test_the_more_telling_template_comes_first(korean: None) -> None:
    assert told("threads must lie between 1 and 1024, got 0").startswith("threads 값은 1에서")


def test_the_bar_speaks_the_language_of_the_moment(qtbot: QtBot, korean: None) -> None:
    bar = ErrorBar()
    qtbot.addWidget(bar)
    bar.tell(Trouble("The sound has stopped.", "the window is closed; open it again"))
    assert bar.detail.text() == "창이 닫혔습니다. 다시 여세요"
    WORDS.switch("en")
    assert bar.detail.text() == "the window is closed; open it again"


def test_the_files_table_speaks_the_language_of_the_moment(window: MainWindow) -> None:
    window.files.queue.add([(Path("a.wav"), Path("b.wav"))], Path("v"), VoiceParams())
    queue = window.files.queue
    said = "the window is closed; open it again"
    queue.entries[0] = replace(queue.entries[0], state="failed", error=said)
    state = queue.index(0, 1)
    assert state.data() == f"Failed: {said}"
    window.use_language("ko")
    assert state.data() == "실패: 창이 닫혔습니다. 다시 여세요"


def test_the_doctor_and_the_slicer_speak_korean(window: MainWindow) -> None:
    window.options._diagnosis = [Line("voices", False, "no embedded voice", "pip install x")]
    window.train._heard(
        {
            "event": "report",
            "seconds": 9.0,
            "dropped_seconds": 1.0,
            "dropped": [{"source": "a.wav", "why": "noisy, duplicate"}],
        }
    )
    window.use_language("ko")
    assert window.options.findings.toPlainText().startswith("✗ 목소리: 내장 목소리가 없습니다")
    kept = [window.train.kept.item(at) for at in range(window.train.kept.count())]
    assert [item.text() for item in kept if item is not None] == [
        "9초 남김, 1초 제외",
        "– a.wav: 잡음이 큼, 같은 녹음이 또 있음",
    ]


def test_unknown_sentences_and_english_stay(korean: None) -> None:
    assert told("ALSA: no such thing; try") == "ALSA: no such thing; try"
    WORDS.language = "en"
    assert told("the window is closed; open it again") == "the window is closed; open it again"
