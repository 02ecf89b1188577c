"""Speech of many languages made by eSpeak NG, with the phones it speaks and when.

Only for making training material: nothing here is imported by the voice changer at run time.
Needs the shared library `libespeak-ng`. Phones of all languages are merged into one INVENTORY.
"""

from __future__ import annotations

import argparse
import ctypes
import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_VOWEL_NAMES = "i ɪ y u ʊ ɯ ɨ e ɛ ø œ ə ɚ o ɔ ʌ æ a ɑ ɤ ɑ̃ ɛ̃ ɔ̃ aɪ aʊ ɔɪ eɪ oʊ œy"
_STOP_NAMES = "p t k pʰ tʰ kʰ b d ɡ ʔ q ts tsʰ tɕ tɕʰ dʑ tʃ dʒ tʂ tʂʰ"
_OTHER_NAMES = "f v s z ʃ ʒ ɕ ʂ ʐ ç x ɣ ħ ʕ h θ ð β ʁ m n ɲ ŋ l r ɾ ɹ j w ʋ"
_VARIANT_NAMES = """
    m1 m2 m3 m4 m5 m6 m8 f1 f2 f3 f5 klatt klatt2 klatt3 klatt4 croak adam Alex Andy Annie anika
    antonio belinda benjamin boris caleb david ed edward Gene grandma Jacky Lee linda marcelo max
    Michael michel miguel pablo paul pedro rob steph travis victor zac
"""

INVENTORY: list[str] = ["SIL", *f"{_VOWEL_NAMES} {_STOP_NAMES} {_OTHER_NAMES}".split()]
LANGUAGES: dict[str, str] = {  # and what eSpeak calls them
    **{name: name for name in ("ko", "ja", "nl", "de", "ar", "fr", "es", "ru", "vi", "tr")},
    **{name: name for name in ("it", "sv", "hi")},
    "cmn": "cmn-latn-pinyin",
    "en": "en-us",
}
VARIANTS: tuple[str, ...] = tuple(_VARIANT_NAMES.split())
TEST_VARIANTS: tuple[str, ...] = ("m7", "f4")
_TEXTS = Path(__file__).parent / "texts"
_WEIGHTS = {"ko": 25.0, "ja": 12.0, "cmn": 12.0, "nl": 8.0, "de": 8.0, "ar": 8.0}
_OTHER_WEIGHT = 1.9  # of 90 minutes, each of the rest

_VOWELS, _STOPS = frozenset(_VOWEL_NAMES.split()), frozenset(_STOP_NAMES.split())
_MARKS = str.maketrans("", "", 'ːˑˈˌ̞̯̩͡ʲˤʼ̪̈ᵝ-"^0123456789?|_')
_NEAREST: dict[str, str] = {  # several phones, divided evenly, where a space stands
    # vowels
    "ä": "a", "ʉ": "y", "ɵ": "œ", "ɘ": "ə", "ɜ": "ʌ", "ɐ": "a", "ɒ": "ɑ", "ᵻ": "ɪ", "ã": "ɑ̃",
    "ẽ": "ɛ̃",
    "ĩ": "i", "ũ": "u", "õ": "ɔ̃", "œ̃": "ɛ̃", "a.": "ɑ", "u.": "u", "i.": "ɨ", "ʏ": "y", "ɶ": "œ",
    # two sounds in one
    "ɛɪ": "eɪ", "ei": "eɪ", "ai": "aɪ", "ɑu": "aʊ", "au": "aʊ", "ou": "oʊ", "ʌʊ": "aʊ", "ɔø": "ɔɪ",
    "ɔy": "ɔɪ", "oɪ": "ɔɪ", "eʊ": "e ʊ", "iɛ": "j ɛ", "iou": "j oʊ", "iɑ": "j a", "uo": "w o",
    "ua": "w a", "uə": "w ə", "uai": "w aɪ", "uei": "w eɪ", "yɛ": "y ɛ", "yæ": "y ɛ", "yə": "y ə",
    "yu": "y ʊ", "yi": "y i", "iə": "i ə", "əɪ": "ə j", "ər": "ɚ", "onɡ": "ʊ ŋ", "ja": "j a",
    "ju": "j u", "jo": "j o", "əl": "ə l", "ɔɹ": "ɔ ɹ", "oɹ": "ɔ ɹ", "ʊɹ": "ʊ ɹ", "ɑɹ": "ɑ ɹ",
    "ɛɹ": "ɛ ɹ", "ɪɹ": "ɪ ɹ", "aɪɚ": "aɪ ɚ", "aɪə": "aɪ ə", "wa": "w a", "pf": "p f",
    # consonants
    "bʰ": "b", "dʰ": "d", "ɡʰ": "ɡ", "ʈ": "t", "ɖ": "d", "ʈʰ": "tʰ", "ɖʰ": "d", "c": "k", "ɟ": "ɡ",
    "cʰ": "tʃ", "ɟʰ": "dʒ", "ɗ": "d", "ɓ": "b", "dz": "z", "ss": "s", "s.": "ʂ", "r.": "ɾ",
    "ts.": "tʂ", "ts.h": "tʂʰ", "th": "tʰ", "ph": "pʰ", "kh": "kʰ", "tsh": "tsʰ", "tɕh": "tɕʰ",
    "χ": "x", "ʑ": "ʒ", "ɸ": "f", "ʝ": "j", "ʀ": "ʁ", "ɴ": "ŋ", "ɳ": "n", "ɱ": "m", "ɫ": "l",
    "ɭ": "l", "ʎ": "l", "ɽ": "ɾ", "ɻ": "ɹ", "ɥ": "y", "ʍ": "w", "g": "ɡ", "ɧ": "x", "sx": "x",
    "ɦ": "h", "ʰ": "h", "": "SIL",
}  # fmt: skip
_NEAREST_IN: dict[str, dict[str, str]] = {
    "ko": {"q": "k", "tʃ": "tɕ", "tʃh": "tɕʰ"},  # its q is heard as an unvoiced stop
    "cmn": {"o": "ɤ", "i̪": "ɨ"},
    "de": {"ɾ": "ʁ", "r": "ʁ"},
    "vi": {"y": "ɯ", "yə": "ɯ ə", "c": "tɕ"},
    "hi": {"c": "tʃ", "ɟ": "dʒ"},
    "ar": {"i.": "i"},
}


@dataclass(frozen=True)
class Spoken:
    """wave: float32 at `rate` Hz; spans: (phone, first sample); words: the phones of each word."""

    wave: NDArray[np.float32]
    rate: int
    spans: list[tuple[str, int]]
    words: list[list[str]]


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


class Espeak:
    """eSpeak NG in this process. One instance a process: the library has but one state."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libespeak-ng.so.1")
        self.rate: int = self._library.espeak_Initialize(2, 0, None, 3)  # synchronous, IPA events
        if self.rate <= 0:
            raise OSError("eSpeak NG found no data")
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))
        self._callback = kind(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)
        self._pieces: list[NDArray[np.int16]] = []
        self._events: list[tuple[int, int, str]] = []

    def speak(
        self,
        text: str,
        language: str,
        variant: str = "",
        rate: int = 165,
        pitch: int = 50,
        spread: int = 50,
    ) -> Spoken:
        """Speaks a text. rate: words a minute; pitch, spread (of pitch): 0 to 100."""
        voice = LANGUAGES[language] + (f"+{variant}" if variant else "")
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise OSError(f"eSpeak NG has no voice {voice}")
        for parameter, value in ((1, rate), (3, pitch), (4, spread)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._pieces, self._events = [], []
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
        wave = np.concatenate([np.zeros(0, np.int16), *self._pieces]).astype(np.float32)
        wave /= np.float32(32768)
        events = _merged(self._events, language)
        ends = [sample for _, sample, _ in events[1:]] + [len(wave)]
        spans: list[tuple[str, int]] = []
        words: list[list[str]] = [[]]
        for (event, sample, name), end in zip(events, ends, strict=True):
            if event == _WORD:
                words.append([])
                continue
            phones = normalised(name, language)
            step = (end - sample) // len(phones)
            spans += [(phone, sample + i * step) for i, phone in enumerate(phones)]
            words[-1] += [phone for phone in phones if phone != "SIL"]
        return Spoken(wave, self.rate, spans, [word for word in words if word])

    def _receive(self, wave: int | None, count: int, events: object) -> int:
        if wave and count:
            buffer = (ctypes.c_int16 * count).from_address(wave)
            self._pieces.append(np.array(buffer, dtype=np.int16))
        i = 0
        while (event := events[i]).type:  # type: ignore[index]
            if event.type in (_WORD, _PHONEME):
                name = b""
                if event.type == _PHONEME:
                    name = ctypes.string_at(ctypes.addressof(event.id), 8).split(b"\0")[0]
                if not name.startswith(b"("):  # "(en)": a foreign word begins
                    self._events.append((event.type, event.sample, name.decode(errors="ignore")))
            i += 1
        return 0


_WORD, _PHONEME = 1, 7


def _merged(events: list[tuple[int, int, str]], language: str) -> list[tuple[int, int, str]]:
    """Korean aspiration, a phoneme of its own to eSpeak, becomes part of the stop before it."""
    merged: list[tuple[int, int, str]] = []
    for event in events:
        stop = merged and merged[-1][2] in ("p", "t", "k", "tɕ", "tʃ")
        if language in ("ko", "hi") and event[2] == "h" and stop:
            merged[-1] = (_PHONEME, merged[-1][1], merged[-1][2] + "h")
        else:
            merged.append(event)
    return merged


@cache
def normalised(name: str, language: str) -> tuple[str, ...]:
    """The phones of INVENTORY that are nearest to what eSpeak calls `name`."""
    own = _NEAREST_IN.get(language, {})
    name = unicodedata.normalize("NFC", name)
    plain = name.translate(_MARKS)
    for table in (own, _NEAREST):
        for form in (name, plain):
            if form in table:
                return tuple(table[form].split())
    if name == "ʲ":
        return ("j",)
    if plain in INVENTORY:
        return (plain,)
    if len(plain) > 1 and plain.endswith("ʰ"):
        return normalised(plain[:-1], language)
    if len(plain) > 1:
        return normalised(plain[0], language) + normalised(plain[1:], language)
    raise ValueError(f"{language}: no phone near {name!r}")


@cache
def _espeak() -> Espeak:
    return Espeak()


def frames(spoken: Spoken) -> list[str]:
    """The phone of each 10 ms.

    What is silent becomes the closure of a stop beside it, or SIL; what is not silent is no SIL.
    """
    per_ms = spoken.rate / 1000
    spans = _with_finals(spoken.spans)
    size = int(len(spoken.wave) / per_ms)
    labels = ["SIL"] * size
    starts = [round(sample / per_ms) for _, sample in spans]
    for (phone, _), start, end in zip(spans, starts, [*starts[1:], size], strict=True):
        labels[start:end] = [phone] * (min(end, size) - start)
    edges = (np.arange(size) * per_ms).astype(int)
    loudness = np.maximum.reduceat(np.abs(spoken.wave), edges)
    loud = loudness > 0.01 * loudness.max()
    start = 0
    while start < size:
        end = start
        while end < size and loud[end] == loud[start]:
            end += 1
        if loud[start]:
            _voice(labels, start, end)
        else:
            _hush(labels, start, end)
        start = end
    middles = range(5, size, 10)
    return [labels[middle] for middle in middles]


def _with_finals(spans: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """eSpeak renders a final l as part of the vowel and names it at the end: give it its share."""
    fixed = list(spans)
    for i in range(1, len(spans) - 1):
        (phone, first), (before, begin), (_, end) = spans[i], spans[i - 1], spans[i + 1]
        if phone == "l" and before in _VOWELS and end - first < 0.35 * (end - begin):
            fixed[i] = (phone, begin + round(0.6 * (end - begin)))
    return fixed


def _voice(labels: list[str], start: int, end: int) -> None:
    """Heard, so not SIL: the phone before goes on, or the one after has begun."""
    for ms in range(start, end):
        if labels[ms] == "SIL" and ms and labels[ms - 1] != "SIL":
            labels[ms] = labels[ms - 1]
    for ms in reversed(range(start, end - 1)):
        if labels[ms] == "SIL":
            labels[ms] = labels[ms + 1]


def _hush(labels: list[str], start: int, end: int) -> None:
    """Silent: a stop's closure (of the next, else of one begun within or before), or SIL."""
    if end - start < 15:
        return
    near = labels[end : end + 6]  # an event may be some ms later than its sound
    following = next((phone for phone in near if phone in _STOPS), "")
    begun = [phone for phone in labels[start:end] if phone in _STOPS]
    if end - start <= 60:
        begun = [phone for phone in labels[max(start - 6, 0) : start] if phone in _STOPS] + begun
    if end - start <= 150 and (following or begun):
        last = following or begun[-1]
        labels[start:end] = [phone if phone in _STOPS else last for phone in labels[start:end]]
        return
    if end - start < 40:  # between the pulses of a low voice, or two sounds
        return
    closure = 60 if following and end - start > 60 else 0
    labels[start : end - closure] = ["SIL"] * (end - closure - start)
    labels[end - closure : end] = [following] * closure


def alignment(phones: Sequence[str]) -> str:
    """`PHONE:start:length ...` of a phone a frame."""
    items: list[str] = []
    start = 0
    for i in range(1, len(phones) + 1):
        if i == len(phones) or phones[i] != phones[start]:
            items.append(f"{phones[start]}:{start}:{i - start}")
            start = i
    return " ".join(items)


def texts(language: str) -> list[str]:
    """The sentences kept in the repository for a language (`ko_test`: those for tests)."""
    lines = (_TEXTS / f"{language}.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]


def compose(sentences: Sequence[str], language: str, chance: random.Random) -> str:
    """A sentence of the list, or its words at random, or words made of halves of two words."""
    draw = chance.random()
    if draw < 0.5:
        return chance.choice(sentences)
    words = " ".join(sentences).split()
    count = max(3, min(10, round(len(words) / len(sentences) + chance.uniform(-2, 2))))
    chosen = [chance.choice(words).strip(".,?!") for _ in range(count)]
    if draw > 0.8 and language not in ("cmn", "vi"):  # their words are syllables
        chosen = [
            word[: len(word) // 2] + other[len(other) // 2 :]
            for word, other in zip(chosen, chance.sample(words, count), strict=True)
        ]
    return " ".join(word for word in chosen if word) + "."


def synthesise(out: Path, minutes: float, seed: int, languages: Sequence[str]) -> None:
    """Fills a folder: a subfolder a voice, and a table of alignments."""
    chance = random.Random(seed)
    weights = [_WEIGHTS.get(language, _OTHER_WEIGHT) for language in languages]
    with _table(out) as table:
        for language, weight in zip(languages, weights, strict=True):
            sentences, seconds, number = texts(language), 0.0, 0
            queue: list[str] = []
            while seconds < 60 * minutes * weight / sum(weights):
                if not queue:  # every sentence once before any comes again
                    queue = chance.sample(sentences, len(sentences))
                text = queue.pop() if chance.random() < 0.4 else ""
                text = text or compose(sentences, language, chance)
                variant = chance.choice(VARIANTS)
                rate, pitch = chance.randint(115, 210), chance.randint(15, 85)
                spoken = _espeak().speak(
                    text, language, variant, rate, pitch, chance.randint(25, 90)
                )
                if len(spoken.wave) < spoken.rate:
                    continue
                spoken = _padded(spoken, chance.uniform(0.1, 0.5), chance.uniform(0.1, 0.5))
                name = f"{language}_{variant}/{number:03d}.flac"
                seconds += _write(out, name, spoken, table)
                number += 1


def synthesise_test(out: Path) -> None:
    """The Korean test: sentences and voices that `synthesise` never uses."""
    with _table(out) as table:
        for variant in TEST_VARIANTS:
            for i, text in enumerate(texts("ko_test")):
                spoken = _espeak().speak(text, "ko", variant)
                _write(out, f"ko_{variant}/{i:03d}.flac", spoken, table)


def _padded(spoken: Spoken, before: float, after: float) -> Spoken:
    """With seconds of silence around it."""
    lead, tail = int(before * spoken.rate), int(after * spoken.rate)
    spans = [("SIL", 0), *((phone, sample + lead) for phone, sample in spoken.spans)]
    spans.append(("SIL", lead + len(spoken.wave)))
    return Spoken(np.pad(spoken.wave, (lead, tail)), spoken.rate, spans, spoken.words)


class _table:  # noqa: N801
    """The table of alignments, open for writing."""

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._handle = (out / "alignments.tsv").open("w", encoding="utf-8")
        self._handle.write("file\tscore\tphones\n")

    def __enter__(self) -> _table:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    def add(self, name: str, phones: Sequence[str]) -> None:
        self._handle.write(f"{name}\t0\t{alignment(phones)}\n")


def _write(out: Path, name: str, spoken: Spoken, table: _table) -> float:
    import soundfile

    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = spoken.wave * (0.5 / max(float(np.abs(spoken.wave).max()), 1e-3))
    soundfile.write(path, wave, spoken.rate)
    table.add(name, frames(spoken))
    return len(wave) / spoken.rate


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=list(LANGUAGES))
    parser.add_argument("--test", action="store_true", help="the Korean test set instead")
    args = parser.parse_args()
    if args.test:
        synthesise_test(args.out)
    else:
        synthesise(args.out, args.minutes, args.seed, args.languages)


if __name__ == "__main__":
    main()
