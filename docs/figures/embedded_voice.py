"""Converts the held-out recordings through the live engine, ready for the judges.

    python -m docs.figures.embedded_voice DATA OUT [--voice V] [--speaker S] [--steps N]

DATA is the folder of training speech; its speakers named below are in no network's training set.
Writes OUT/source, OUT/converted and OUT/pairs.tsv (source, converted, text, shift) for the judges.
The shift brings each recording's median pitch onto the target's.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from core.audio import load_mono, save_audio
from core.config import StreamConfig, VoiceParams
from core.streaming.converter import StreamingConverter
from core.voice import VoiceModel, find_voice
from realtime.loopback import LoopbackBackend
from realtime.session import LiveSession

# Seven men and seven women in English, a woman and a man each in German and Arabic, and the two
# voices that are never trained on for their licence.
HELD_OUT = (
    *("ls_1034", "ls_2518", "ls_4014", "ls_481", "ls_6880", "ls_8629", "ls_7278"),
    *("ls_1363", "ls_1963", "ls_4214", "ls_6415", "ls_730", "ls_7511", "ls_3259"),
    *("emodb_08", "emodb_15", "ar_02", "ar_04"),
    *("ja_f_tofugu", "zh_f_tan"),
)
LONGEST_SECONDS = 12


def chosen(data: Path) -> list[tuple[str, Path, str]]:
    """(speaker, file, text) of the recordings to convert: one of each English speaker, two else."""
    rows = []
    for part in ("many_speakers", "test_only"):
        with (data / part / "transcripts.tsv").open(newline="", encoding="utf-8") as handle:
            table = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
        for speaker in HELD_OUT:
            own = [r for r in table if r["speaker"] == speaker and float(r["seconds"]) >= 1.5]
            english = speaker.startswith("ls_")
            for row in own[:1] if english else own[: len(own) // 2 + 1 : len(own) // 2 or 1]:
                text = row["text"] if english else ""
                rows.append((speaker, data / part / row["file"], text))
    return rows


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
    parser.add_argument("--speaker")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--sampler")
    parser.add_argument("--retrieval", type=float, default=VoiceParams().retrieval)
    args = parser.parse_args()
    voice = VoiceModel.load(find_voice(args.voice))
    speaker = voice.config.speaker_index(args.speaker) if args.speaker else 0
    target_f0 = voice.config.speakers[speaker].f0_median
    stream = StreamConfig(steps=args.steps, sampler=args.sampler)
    for folder in ("source", "converted"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    lines = ["source\tconverted\ttext\tshift"]
    for name, path, text in chosen(args.data):
        stem = f"{name}_{path.stem}.wav"
        wave, rate = load_mono(path)
        if len(wave) > LONGEST_SECONDS * rate:
            wave, text = wave[: LONGEST_SECONDS * rate], ""
        source, converted = args.out / "source" / stem, args.out / "converted" / stem
        save_audio(source, wave, rate)
        heard, _ = load_mono(source, voice.config.audio.sample_rate)
        f0, voiced = voice.analyser.f0(heard)
        shift = round(12 * float(np.log2(target_f0 / np.median(f0[voiced]))), 1)
        convert_live(
            voice,
            source,
            converted,
            VoiceParams(pitch_shift=shift, speaker=speaker, retrieval=args.retrieval),
            stream,
        )
        lines.append(f"source/{stem}\tconverted/{stem}\t{text}\t{shift}")
        print(stem, shift, flush=True)
    (args.out / "pairs.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
