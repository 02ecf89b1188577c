"""The tests of the window run where Qt can be loaded; elsewhere they are skipped and say why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gui.app import PAINT_ALONE
from tests.qt import WHY_NOT

os.environ.setdefault(*PAINT_ALONE)

if not WHY_NOT:
    from tests.gui.timed import TimedApplication
    from tests.gui.windows import make_window, store, window  # noqa: F401

    @pytest.fixture(scope="session")
    def qapp_cls() -> type[TimedApplication]:
        """pytest-qt's application."""
        return TimedApplication


class WithoutQt(pytest.Module):
    """A file of tests that cannot be imported here."""

    def collect(self) -> list[pytest.Item]:
        pytest.skip(f"Qt cannot be loaded here: {WHY_NOT}")


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    return WithoutQt.from_parent(parent, path=module_path) if WHY_NOT else None
