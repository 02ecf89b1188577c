"""Two hours of sound in constant memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.toy import speechlike, toy_voice

HOURS, RATE = 2, 8000
GIB = 1 << 20  # in KiB, as Linux counts

CODE = """
import resource, sys
from moksori import main
code = main(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory otherwise")
@pytest.mark.parametrize("voice", ["toy.safetensors", "embedded"])
def test_two_hours(tmp_path: Path, voice: str) -> None:
    minute = speechlike(60 * RATE, sample_rate=RATE)
    with soundfile.SoundFile(tmp_path / "long.wav", "w", RATE, 1) as handle:
        for _ in range(60 * HOURS):
            handle.write(minute)
    toy_voice().save(tmp_path / "toy.safetensors")
    files = ["convert", "long.wav", "made.wav", "--voice", voice]
    said = subprocess.run(
        [sys.executable, "-c", CODE, *files],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    made = soundfile.info(tmp_path / "made.wav")
    assert made.frames == HOURS * 3600 * made.samplerate
    assert int(said.stdout.split()[-1]) < 1.5 * GIB, said.stdout
    assert np.abs(soundfile.read(tmp_path / "made.wav", start=-made.samplerate)[0]).max() > 0.003
    print(said.stdout)
