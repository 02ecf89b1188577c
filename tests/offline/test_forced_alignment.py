"""A known sequence of phones is found again in made-up posteriors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline.forced_alignment import align, sentences
from offline.synthetic import INVENTORY, normalised


def posteriors(*spoken: tuple[str, int]) -> NDArray[np.float64]:
    """Log posteriors that favour each phone for some frames, noisy."""
    names = [phone for phone, frames in spoken for _ in range(frames)]
    scores = np.random.default_rng(0).normal(0, 0.5, (len(names), len(INVENTORY)))
    scores[np.arange(len(names)), [INVENTORY.index(name) for name in names]] += 5
    return np.asarray(scores - np.log(np.exp(scores).sum(1, keepdims=True)))


def test_phones_and_pauses_are_found() -> None:
    heard = posteriors(("SIL", 8), ("k", 5), ("a", 9), ("SIL", 6), ("t", 4), ("ɛ", 7), ("SIL", 3))
    found, score = align(heard, [["k", "a"], ["t", "ɛ"]])
    assert found == "SIL:0:8 k:8:5 a:13:9 SIL:22:6 t:28:4 ɛ:32:7 SIL:39:3"
    assert -2 < score < 0


def test_silence_is_not_needed() -> None:
    found, _ = align(posteriors(("k", 5), ("a", 9), ("t", 4), ("ɛ", 7)), [["k", "a"], ["t", "ɛ"]])
    assert found == "k:0:5 a:5:9 t:14:4 ɛ:18:7"


def test_a_phone_not_heard_is_as_short_as_may_be_and_costs() -> None:
    heard = posteriors(("k", 10), ("a", 10))
    right = align(heard, [["k", "a"]])[1]
    found, score = align(heard, [["k", "m", "a"]])
    assert [item.split(":")[0] for item in found.split()] == ["k", "m", "a"]
    assert found.split()[1].endswith(":2")
    assert score < right


def test_a_phone_said_twice_stays_two() -> None:
    found, _ = align(posteriors(("a", 6), ("SIL", 4), ("a", 6)), [["a"], ["a"]])
    assert found == "a:0:6 SIL:6:4 a:10:6"
    assert len(align(posteriors(("a", 12)), [["a"], ["a"]])[0].split()) == 2


def test_frames_of_another_length() -> None:
    found, _ = align(posteriors(("k", 10), ("a", 10)), [["k", "a"]], seconds_per_frame=0.02)
    assert found == "k:0:20 a:20:20"


def test_too_short_a_recording() -> None:
    assert align(posteriors(("a", 2)), [["k", "a", "t"]]) == ("", -np.inf)
    assert align(posteriors(("k", 1), ("a", 1), ("t", 1)), [["k", "a", "t"]])[0] == (
        "k:0:1 a:1:1 t:2:1"
    )


def test_sentences_leave_held_out_speakers_out(tmp_path: Path) -> None:
    for folder in ("targets/nathalie", "targets/flemishguy"):
        (tmp_path / folder).mkdir(parents=True)
        table = 'file\tseconds\ttext\na.opus\t1.0\tGoed "zo".\ngone.opus\t1.0\tWeg.\n'
        (tmp_path / folder / "transcripts.tsv").write_text(table, encoding="utf-8")
        (tmp_path / folder / "a.opus").touch()
    rows = ["file\tspeaker\tseconds\tkind\ttext"]
    for speaker in ("kerstin", "emodb_08", "emodb_10", "emodb_15", "ls_19"):
        (tmp_path / "many_speakers" / speaker).mkdir(parents=True)
        (tmp_path / "many_speakers" / speaker / "b.opus").touch()
        rows.append(f"{speaker}/b.opus\t{speaker}\t1.0\tutterance\tJa.")
    (tmp_path / "many_speakers" / "transcripts.tsv").write_text("\n".join(rows), encoding="utf-8")
    assert [(s.path, s.language, s.text) for s in sentences(tmp_path)] == [
        ("targets/nathalie/a.opus", "nl", 'Goed "zo".'),
        ("targets/flemishguy/a.opus", "nl", 'Goed "zo".'),
        ("many_speakers/kerstin/b.opus", "de", "Ja."),
        ("many_speakers/emodb_10/b.opus", "de", "Ja."),
    ]


def test_names_of_many_languages_fall_on_one_inventory() -> None:
    assert len(INVENTORY) == len(set(INVENTORY)) == 80
    assert INVENTORY[0] == "SIL"
    assert normalised("aː", "nl") == ("a",)
    assert normalised("t-", "ko") == ("t",)
    assert normalised("tsh", "cmn") == ("tsʰ",)
    assert normalised("iou", "cmn") == ("j", "oʊ")
