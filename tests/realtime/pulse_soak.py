"""The embedded voice on a real clock, through the null sinks of a PulseAudio of its own.

    python -m tests.realtime.pulse_soak 30       minutes; the packaged recording again and again

`moksori live --virtual` prints its figures in the end, for docs/reliability.md.
"""

from __future__ import annotations

import subprocess
import sys
import time

from tests.command_line import DEMO, ROOT
from tests.pulse_server import pulse_server


def main(minutes: float) -> int:
    with pulse_server() as server:
        command = [sys.executable, "-m", "moksori", "live", "--virtual", "--seconds"]
        end = time.monotonic() + 60 * minutes
        with subprocess.Popen([*command, str(60 * minutes)], cwd=ROOT, env=server.env) as live:
            while live.poll() is None and time.monotonic() < end:
                subprocess.run(["paplay", "-d", "room", str(DEMO)], env=server.env)
            return live.wait(60)


if __name__ == "__main__":
    raise SystemExit(main(float(sys.argv[1])))
