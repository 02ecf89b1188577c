"""Converts the held-out recordings, ready for the judges: live, or with --files as files are.

    python -m docs.figures.embedded_voice DATA OUT [--voice V] [--speaker S] [--steps N] ...

DATA is the folder of training speech; the speakers converted are those of offline/held_out.txt,
or, with --folder, whoever speaks there (no text then): one folder each, as `offline.synthetic
OUT --test` writes.
Writes OUT/source, OUT/converted and OUT/pairs.tsv (source, converted, text, shift) for the judges.
--many converts 84 English recordings, one each of speakers that the encoder has heard, but neither
`held_out.txt` nor `offline/strangers.py` names; for the judges they are six sets of fourteen,
OUT/pairs_1.tsv and so on, since theirs know the words of one set.
The shift brings each recording's median pitch onto the target's, as one number (--shift median) or
as it goes, then no number is written (--shift auto). Noise, rooms, levels, bands and
codecs change what the converter hears (OUT/heard); the judges compare with the clean source.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.audio import load_mono, save_audio
from core.config import LOW_LATENCY, StreamConfig, VoiceParams
from core.resampler import Wave
from core.streaming.converter import StreamingConverter
from core.voice import VoiceModel, find_voice
from docs.figures.conditions import Condition
from offline.convert import convert_file, whole_shift
from offline.preprocess import held_out
from offline.strangers import SPEAKERS
from realtime.loopback import LoopbackBackend
from realtime.session import LiveSession

LONGEST_SECONDS = 12
HEADER = "source\tconverted\ttext\tshift"
MANY, SETS = 84, 6  # recordings of `many`, and sets of them
PAUSE_SECONDS = 0.12
COUNTS = {"ls": (1, 1), "emodb": (3, 3), "ar": (2, 1), "ja": (4, 1), "zh": (4, 1)}
"""Of a speaker's recordings, and of the files joined to each, by the name's first part."""


@dataclass(frozen=True)
class Recording:
    """One or more files of a speaker, joined; text: English only, the judge knows no other."""

    speaker: str
    files: tuple[Path, ...]
    text: str

    @property
    def stem(self) -> str:
        """Its name in the folders written."""
        return f"{self.speaker}_{self.files[0].stem}"

    def load(self) -> tuple[Wave, int]:
        """The wave (T,), with short pauses where files meet, and its rate."""
        parts: list[Wave] = []
        for path in self.files:
            wave, rate = load_mono(path)
            parts += [wave, np.zeros(int(PAUSE_SECONDS * rate), np.float32)]
        return np.concatenate(parts[:-1]), rate


def chosen(data: Path, short_german: bool = False) -> list[Recording]:
    """The recordings to convert: 14 English, 6 German, 4 Arabic, 4 Japanese, 4 Mandarin.

    EmoDB's clips end after 2 s, too soon for a speaker embedding, so three are joined.
    short_german: the first set, 26, of single German clips and two Japanese and Mandarin each.
    """
    recordings = []
    for part in ("many_speakers", "test_only"):
        with (data / part / "transcripts.tsv").open(newline="", encoding="utf-8") as handle:
            table = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
        for speaker in held_out():
            own = [r for r in table if r["speaker"] == speaker and float(r["seconds"]) >= 1.5]
            language = speaker.partition("_")[0]
            count, joined = COUNTS[language]
            if short_german:
                count, joined = min(count, 2), 1
            for first in [i * len(own) // count for i in range(count)] if own else []:
                rows = own[first : first + joined]
                files = tuple(data / part / row["file"] for row in rows)
                text = rows[0]["text"] if language == "ls" else ""
                recordings.append(Recording(speaker, files, text))
    return recordings


def many(data: Path) -> list[Recording]:
    """84 English recordings, 15 times the words of `chosen`; every sixth is of one set."""
    part, first = data / "many_speakers", dict[str, Recording]()
    with (part / "transcripts.tsv").open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE):
            name = row["speaker"]
            known = name in first or name in held_out() or name in SPEAKERS.split()
            if name.startswith("ls_") and not known and 4 <= float(row["seconds"]) <= 18:
                first[name] = Recording(name, (part / row["file"],), row["text"])
    recordings = [first[name] for name in sorted(first)]
    return [recordings[i * len(recordings) // MANY] for i in range(MANY)]


def lying_in(folder: Path) -> list[Recording]:
    """Every recording of a folder that holds one folder a speaker."""
    files = sorted(path for path in folder.glob("*/*") if path.suffix in {".flac", ".wav"})
    return [Recording(path.parent.name, (path,), "") for path in files]


def convert_live(
    voice: VoiceModel, source: Path, target: Path, params: VoiceParams, stream: StreamConfig
) -> None:
    """As `moksori live --backend loopback --clock virtual`."""
    converter = StreamingConverter(voice, stream, params)
    session = LiveSession(converter, LoopbackBackend(source, target), params=params)
    session.start()
    session.wait()
    session.stop()
    if session.error is not None:
        raise session.error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--voice", default="embedded")
    parser.add_argument("--speaker", help="or a mix, as `moksori` takes it")
    parser.add_argument("--shift", choices=("median", "auto"), default="median")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--sampler")
    parser.add_argument("--retrieval", type=float, default=VoiceParams().retrieval)
    parser.add_argument("--clarity", type=float, default=VoiceParams().clarity)
    parser.add_argument("--files", action="store_true", help="as `moksori convert`, not live")
    delay = parser.add_mutually_exclusive_group()
    delay.add_argument("--lookahead", type=int, metavar="FRAMES", help="of the content encoder")
    delay.add_argument("--low-latency", action="store_true", help="as `moksori live` has it")
    parser.add_argument("--only", nargs="+", default=[""], metavar="PREFIX", help="these speakers")
    others = parser.add_mutually_exclusive_group()
    others.add_argument("--folder", type=Path, help="of other recordings, in place of DATA's")
    others.add_argument("--many", action="store_true", help="other recordings of DATA, in six sets")
    parser.add_argument("--short-german", action="store_true", help="the first set, 26 recordings")
    Condition.add_options(parser)
    args = parser.parse_args()
    condition = Condition.of(args)
    voice = VoiceModel.load(find_voice(args.voice))
    speakers = voice.config.mix(args.speaker) if args.speaker else (1.0,)
    stream = LOW_LATENCY if args.low_latency else StreamConfig(lookahead_frames=args.lookahead)
    stream = replace(stream, steps=args.steps, sampler=args.sampler)
    for folder in ("source", "heard", "converted"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    if args.many:
        recordings = many(args.data)
    else:
        recordings = lying_in(args.folder) if args.folder else chosen(args.data, args.short_german)
    for number, recording in enumerate(recordings):
        if not recording.speaker.startswith(tuple(args.only)):
            continue
        stem, text = f"{recording.stem}.wav", recording.text
        wave, rate = recording.load()
        if len(wave) > LONGEST_SECONDS * rate and not args.many:
            wave, text = wave[: LONGEST_SECONDS * rate], ""
        source, heard, converted = (args.out / f / stem for f in ("source", "heard", "converted"))
        save_audio(source, wave, rate)
        save_audio(heard, condition.apply(wave, rate, args.data, number), rate)
        shift = None
        if args.shift == "median" and (exact := whole_shift(voice, source, speakers)) is not None:
            shift = round(exact, 1)
        params = VoiceParams(
            pitch_shift=shift,
            speakers=speakers,
            retrieval=args.retrieval,
            clarity=args.clarity,
        )
        if args.files:
            convert_file(voice, heard, converted, params, stream)
        else:
            convert_live(voice, heard, converted, params, stream)
        told = "" if shift is None else str(shift)
        lines.append(f"source/{stem}\tconverted/{stem}\t{text}\t{told}")
        print(stem, told, flush=True)
    sets = [(f"pairs_{i + 1}.tsv", lines[i::SETS]) for i in range(SETS)]
    for name, own in sets if args.many else [("pairs.tsv", lines)]:
        table = "\n".join([HEADER, *own]) + "\n"
        (args.out / name).write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
