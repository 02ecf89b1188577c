"""The page of `evaluate` opens without a network and shows what it promises, in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from core.errors import VoiceChangerError
from offline.studio.evaluate import evaluate_project
from offline.studio.export import export_project
from offline.studio.train import train_project
from tests.offline.studio.studio_project import Told, make_project

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offline.studio.evaluate.bench", lambda voice, stream: {"rtf": 0.5})
    monkeypatch.setattr("offline.studio.evaluate._SECONDS", 1.5)
    project = make_project(tmp_path)
    with pytest.raises(VoiceChangerError, match="no voice yet; run: moksori export anna"):
        evaluate_project(project, [], None, Told())
    train_project(project, Told())
    export_project(project, "last", None)
    page = evaluate_project(project, [], None, Told())
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=['"](?!data:)""", text)
    assert text.count("<audio controls src='data:audio/wav;base64,") == 4
    assert text.count("<img ") == 4
    assert text.count("<polyline") == 2
    assert "0.50 of real time" in text

    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no browser to open it with")
    probe = (
        "<script>addEventListener('load', () => { document.body.dataset.seen ="
        " [...document.images].filter(i => i.naturalWidth > 100).length + ' pictures' })</script>"
    )
    page.write_text(text.replace("</body>", probe + "</body>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    options += [f"--user-data-dir={tmp_path / 'browser'}", "--virtual-time-budget=5000"]
    said = subprocess.run([browser, *options, page.as_uri()], capture_output=True, text=True)
    assert 'data-seen="4 pictures"' in said.stdout
