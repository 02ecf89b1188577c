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

PROBE = """<script>
let errors = 0;
addEventListener('error', () => errors++, true);
const sounds = [...document.querySelectorAll('audio')];
const heard = sounds.map(a => new Promise(done => {
  a.addEventListener('loadedmetadata', () => done(a.duration > 0.5));
  a.addEventListener('error', () => done(false));
  a.load();
}));
addEventListener('load', async () => {
  const told = (await Promise.all(heard)).filter(Boolean).length;
  const seen = [...document.images].filter(i => i.naturalWidth > 100).length;
  document.body.dataset.seen = `${seen} pictures, ${told} sounds, ${errors} errors`;
});
</script>"""


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
    page.write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND"]  # no network
    options += [f"--user-data-dir={tmp_path / 'browser'}", "--virtual-time-budget=20000"]
    said = subprocess.run([browser, *options, page.as_uri()], capture_output=True, text=True)
    assert 'data-seen="4 pictures, 4 sounds, 0 errors"' in said.stdout
