"""Pictures of every page of the app into docs/pictures: python docs/figures/app_pictures.py

The window runs as it does for a user, over a loopback with the embedded voice; nothing is drawn
by hand. With a folder as argument: every page, in both languages and themes, to look at.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from PyQt6.QtCore import QSettings  # noqa: E402
from PyQt6.QtWidgets import QApplication  # noqa: E402

from gui import engine  # noqa: E402
from gui.app import LIVE_SWITCH_SECONDS  # noqa: E402
from gui.controller import Phase  # noqa: E402
from gui.main_window import MainWindow  # noqa: E402
from gui.settings import SettingsStore  # noqa: E402

PATIENCE_SECONDS = 120.0
LOOKS = (("en", "light"), ("ko", "dark"))
ALL_LOOKS = (("en", "light"), ("en", "dark"), ("ko", "light"), ("ko", "dark"))


def wait(done: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Lets the window live until that is so; whether it came to be."""
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)
    return done()


def pause(seconds: float) -> None:
    wait(lambda: False, seconds)


def filled(window: MainWindow) -> float:
    """How much of the output's spectrogram holds sound, 0 to 1."""
    scroll = window.live.output_view._scroll
    return 0.0 if scroll is None else float((scroll.picture.max(axis=1) > 0.2).mean())


def picture(window: MainWindow, path: Path) -> None:
    """A PNG of 96 colours."""
    pause(0.4)
    window.grab().save(str(path))
    Image.open(path).convert("RGB").quantize(96).save(path, optimize=True)


def draw(window: MainWindow, folder: Path, look: tuple[str, str], scratch: Path) -> None:
    """Every page, in one look."""
    language, theme = look
    window.use_language(language)
    window.use_theme(theme)

    def keep(name: str) -> None:
        picture(window, folder / f"{name}_{language}_{theme}.png")

    window.show_welcome()
    keep("welcome")
    window._welcomed(True)
    if not wait(lambda: window.controller.phase is Phase.LIVE):
        raise SystemExit("the session did not start; run `moksori doctor`")
    wait(lambda: filled(window) > 0.5, 12)
    keep("live")
    window.controller.stop()
    wait(lambda: window.controller.phase is Phase.READY)
    window.show_page(1)
    window.files.folder = scratch / language
    window.files.add_paths([engine.DEMO])
    wait(lambda: not window.files.queue.busy)
    window.files.table.selectRow(0)
    wait(lambda: bool(window.files.result_wave.bars.max() > 0))
    keep("files")
    for at, name in ((2, "train"), (3, "settings")):
        window.show_page(at)
        keep(name)


def main(arguments: list[str]) -> None:
    """Into docs/pictures, or every look into the folder named."""
    sys.setswitchinterval(LIVE_SWITCH_SECONDS)
    folder = Path(arguments[0]) if arguments else ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    app = QApplication(["moksori"])
    with tempfile.TemporaryDirectory() as made:
        scratch = Path(made)
        kept = QSettings(str(scratch / "app.ini"), QSettings.Format.IniFormat)
        window = MainWindow(SettingsStore(kept), engine.Loop(engine.DEMO), scratch / "projects")
        window.resize(1000, 640)
        window.show()
        wait(lambda: window.controller.phase is Phase.READY)
        for look in ALL_LOOKS if arguments else LOOKS:
            draw(window, folder, look, scratch)
        window.close()
    del app


if __name__ == "__main__":
    main(sys.argv[1:])
