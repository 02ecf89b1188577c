"""Whether Qt can be loaded: a machine without libegl1 cannot, and must run the other tests."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")

WHY_NOT = ""
try:
    import PyQt6.QtTest
    import PyQt6.QtWidgets  # noqa: F401
except ImportError as error:
    WHY_NOT = str(error)
