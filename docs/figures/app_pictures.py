"""Pictures of every page of the app into docs/pictures: python docs/figures/app_pictures.py

The window runs as it does for a user, over a loopback with the embedded voice; nothing is drawn
by hand. With a folder as argument: every page, in both languages and themes, and what is seldom
seen (an error, long names, nothing there yet), to look at; QT_SCALE_FACTOR=2 for other screens.
Under `xvfb-run -s "-screen 0 2400x1600x24"` it is a real window, else one without a screen.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

if "DISPLAY" not in os.environ:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from PyQt6.QtCore import QEvent, QSettings  # noqa: E402
from PyQt6.QtWidgets import QApplication, QScrollArea  # noqa: E402

from core.errors import DeviceError  # noqa: E402
from gui import engine  # noqa: E402
from gui.controller import Phase  # noqa: E402
from gui.i18n import tr  # noqa: E402
from gui.main_window import MainWindow  # noqa: E402
from gui.settings import Devices, SettingsStore  # noqa: E402
from realtime.backend import Device  # noqa: E402
from realtime.run import SWITCH_SECONDS  # noqa: E402

PATIENCE_SECONDS = 120.0
LOOKS = (("en", "light"), ("ko", "dark"))
ALL_LOOKS = (("en", "light"), ("en", "dark"), ("ko", "light"), ("ko", "dark"))


def wait(done: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Lets the window live until that is so; whether it came to be."""
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        time.sleep(0.005)
    return done()


def pause(seconds: float) -> None:
    wait(lambda: False, seconds)


def filled(window: MainWindow) -> float:
    """How much of the output's spectrogram holds sound, 0 to 1."""
    scroll = window.live.output_view._scroll
    return 0.0 if scroll is None else float((scroll.picture.max(axis=1) > 0.2).mean())


def at_ease(window: MainWindow) -> bool:
    """The machine has time to spare."""
    stats = window.controller.stats
    return not stats.xruns and stats.p95_ms < 0.6 * stats.latency.block_ms


def picture(window: MainWindow, path: Path) -> None:
    """A PNG in all its colours."""
    pause(0.4)
    window.grab().save(str(path))
    Image.open(path).convert("RGB").save(path, optimize=True)


def draw(
    window: MainWindow, folder: Path, look: tuple[str, str], scratch: Path, seldom: bool
) -> None:
    """Every page, in one look."""
    language, theme = look
    window.use_language(language)
    window.use_theme(theme)

    def keep(name: str) -> None:
        picture(window, folder / f"{name}_{language}_{theme}.png")

    window.show_welcome()
    wait(lambda: window.welcome.level.level > -40, 10)
    keep("welcome")
    window._welcomed(True)
    if not wait(lambda: window.controller.phase is Phase.LIVE):
        raise SystemExit("the session did not start; run `moksori doctor`")
    wait(lambda: filled(window) > 0.5, 12)
    wait(lambda: at_ease(window), 20)  # of the others on this machine
    keep("live")
    window.controller.stop()
    wait(lambda: window.controller.phase is Phase.READY)
    window.show_page(1)
    if seldom:
        keep("files_empty")
    window.files.folder = scratch / language
    entries = len(window.files.queue.entries)
    window.files.add_paths([engine.DEMO])
    wait(lambda: len(window.files.queue.entries) > entries)
    wait(lambda: not window.files.queue.busy)
    window.files.table.selectRow(0)
    wait(lambda: bool(window.files.result_wave.bars.max() > 0))
    keep("files")
    for area in window.options.findChildren(QScrollArea):
        area.verticalScrollBar().setValue(0)
    for at, name in ((2, "train"), (3, "settings")):
        window.show_page(at)
        keep(name)
    if seldom:
        draw_seldom(window, keep)


def draw_seldom(window: MainWindow, keep: Callable[[str], None]) -> None:
    """An error, names that are too long, the end of a page."""
    window.show_page(0)
    keep("idle")
    knobs = window.live.findChild(QScrollArea)
    knobs.verticalScrollBar().setValue(knobs.verticalScrollBar().maximum())
    keep("live_end")
    knobs.verticalScrollBar().setValue(0)
    error = DeviceError("no sound device to play on; plug one in or start the server")
    window.controller.report("The sound could not be started.", error)
    keep("error")
    window.bar.clear()
    area = window.options.findChild(QScrollArea)
    area.verticalScrollBar().setValue(0)
    long = "Realtek(R) High Definition Audio Microphone Array with Noise Cancellation (2nd)"
    window.options._found = [
        Device(i, f"{long} {i}", "Windows WASAPI", 2, 2, 48_000, id=f"x:{i}") for i in range(3)
    ]
    window.show_page(3)
    window.options.show_devices(Devices(input="x:1", output="x:2", monitor="gone:device"))
    keep("long_names")
    area.verticalScrollBar().setValue(area.verticalScrollBar().maximum())
    keep("settings_end")
    window.options.show_devices(Devices())
    for step in (1, 2):
        window.show_welcome()
        window.welcome._go(step)
        keep(f"welcome_{step}")
    window._welcomed(False)
    window.tell(tr("Imported: {name}", name="anna.safetensors"))
    keep("note")
    window.note.hide()


def main(arguments: list[str]) -> None:
    """Into docs/pictures, or every look into the folder named."""
    sys.setswitchinterval(SWITCH_SECONDS)
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
            draw(window, folder, look, scratch, bool(arguments))
        window.close()
    del app


if __name__ == "__main__":
    main(sys.argv[1:])
