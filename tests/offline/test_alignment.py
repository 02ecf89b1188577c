"""Phone alignments in steps of 10 ms, read onto the mel grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.config import AudioConfig
from core.errors import VoiceChangerError
from offline.alignment import IGNORED, PHONES, load_alignments

AUDIO = AudioConfig()


def table(folder: Path, *rows: str) -> Path:
    path = folder / "phones.tsv"
    path.write_text("\n".join(["file\tscore\tphones", *rows]) + "\n", encoding="utf-8")
    return path


def test_each_frame_takes_the_phone_at_its_centre(tmp_path: Path) -> None:
    path = table(tmp_path, "a/b.wav\t-3.5\tSIL:0:20 AA:20:10 ZH:30:10")
    labels = load_alignments(path, AUDIO)[1]["a/b.wav"]
    assert len(labels) == int(0.4 * 44_100) // 512
    centres = (np.arange(len(labels)) + 0.5) * 512 / 44_100
    wanted = np.where(centres < 0.2, PHONES.index("SIL"), PHONES.index("AA"))
    wanted = np.where(centres >= 0.3, PHONES.index("ZH"), wanted)
    np.testing.assert_array_equal(labels, wanted)


def test_gaps_are_ignored(tmp_path: Path) -> None:
    path = table(tmp_path, "a.wav\t0\tAA:0:10 B:30:10")
    labels = load_alignments(path, AUDIO)[1]["a.wav"]
    centres = (np.arange(len(labels)) + 0.5) * 512 / 44_100
    assert (labels[(centres > 0.1) & (centres < 0.3)] == IGNORED).all()


def test_doubtful_alignments_are_left_out(tmp_path: Path) -> None:
    path = table(tmp_path, "good.wav\t-17\tAA:0:10", "bad.wav\t-17.1\tAA:0:10")
    assert list(load_alignments(path, AUDIO)[1]) == ["good.wav"]
    assert len(load_alignments(path, AUDIO, least_score=-20)[1]) == 2


def test_quotes_in_names_are_letters(tmp_path: Path) -> None:
    path = table(tmp_path, 'it\'s "here".wav\t0\tAA:0:10')
    assert 'it\'s "here".wav' in load_alignments(path, AUDIO)[1]


def test_forty_phones_as_the_encoder_expects() -> None:
    from core.config import ContentConfig

    assert len(PHONES) == len(set(PHONES)) == ContentConfig().n_phones


def test_the_inventory_is_known_by_its_phones(tmp_path: Path) -> None:
    assert load_alignments(table(tmp_path, "a.wav\t0\tZH:0:10"), AUDIO)[0] == "arpabet"


def test_phones_of_no_inventory(tmp_path: Path) -> None:
    with pytest.raises(VoiceChangerError, match="no known inventory, such as qq"):
        load_alignments(table(tmp_path, "a.wav\t0\tAA:0:10 qq:10:5"), AUDIO)


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(VoiceChangerError, match=r"no alignments at .*expected a table"):
        load_alignments(tmp_path / "gone.tsv", AUDIO)
