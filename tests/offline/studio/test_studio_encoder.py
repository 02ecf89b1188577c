"""Projects that hear with a HuBERT of their own: one line of config, from recordings to a voice."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from core.config import StreamConfig, VoiceParams
from core.content.windowed import WindowedUnits, read_network
from core.errors import ConfigError, VoiceFileError
from core.pipeline import convert, plan_for
from core.streaming.converter import StreamingConverter
from core.streaming.plan import live_stream
from core.voice import DEFAULT_VOICE, VoiceModel, find_voice
from moksori import main
from offline.convert import convert_file
from offline.studio.encoder import base_voice, chosen_content
from offline.studio.export import export_project
from offline.studio.items import load_items
from offline.studio.manifest import load_manifest
from offline.studio.project import SETTINGS, Project, write_text
from offline.studio.settings import EncoderSettings, to_toml
from offline.studio.train import train_project
from offline.studio.units import keep_units
from tests.core.content.test_hubert_soft import small
from tests.offline.studio.studio_project import RATE, Told, make_project, recording
from tests.toy import TOY

FAMILIES = ("Hubert", "WavLM", "Wav2Vec2")


def family(folder: Path, name: str) -> Path:
    """A small model of transformers in a folder."""
    pytest.importorskip("transformers")
    from tests.core.content.test_hubert import saved

    saved(folder, name)
    return folder


def hearing(project: Project, encoder: str, layer: int = -1) -> Project:
    content = EncoderSettings(encoder, layer)
    config = replace(project.config, content=content)
    write_text(project.folder / SETTINGS, to_toml(config))
    return replace(project, config=config)


@pytest.mark.parametrize("kind", ["soft", *FAMILIES])
def test_another_encoder_from_recordings_to_live(tmp_path: Path, kind: str) -> None:
    read_network.cache_clear()
    place = tmp_path / "ear.pt"
    if kind == "soft":
        torch.save(small(), place)
    else:
        place = family(tmp_path / "ear", kind)
    project = hearing(make_project(tmp_path, max_steps=2), str(place))
    train_project(project, told := Told())
    assert told[-1]["reason"] == "finished"
    target, _ = export_project(project, "best", None)
    voice = VoiceModel.load(target)
    content = voice.config.content
    assert content.encoder == ("hubert-soft" if kind == "soft" else "hubert")
    assert content.source == str(place)
    assert content.dim == (20 if kind == "soft" else 24)

    source = tmp_path / "said.wav"
    soundfile.write(source, recording(2.0, seed=9), RATE)
    made = tmp_path / "made.wav"
    params = VoiceParams(pitch_shift=2.0)
    assert convert_file(voice, source, made, params, StreamConfig()).seconds == pytest.approx(2.0)
    heard = soundfile.read(made)[0]
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() > 1e-3
    stream = live_stream(voice.config)
    live, plan = StreamingConverter(voice, stream, params), plan_for(voice, stream)
    wave = np.resize(heard, 3 * plan.block).astype(np.float32)
    said = np.concatenate([*map(live.push, np.split(wave, 3)), live.flush()])[plan.latency :]
    wanted = convert(voice, wave, params, plan)
    assert np.abs(said - wanted).max() < 1e-5 * np.abs(wanted).max()

    read_network.cache_clear()
    (shutil.rmtree if place.is_dir() else Path.unlink)(place)
    with pytest.raises(VoiceFileError, match=r"this voice hears with hubert.* not in its file"):
        VoiceModel.load(target)
    assert main(["convert", str(source), str(made), "--voice", str(target)]) == 1


def test_units_and_map_are_kept(tmp_path: Path) -> None:
    read_network.cache_clear()
    project = make_project(tmp_path)
    project = hearing(project, str(family(tmp_path / "ear", "Hubert")))
    other = base_voice(project)
    assert other.encoder.dim == 24
    items = load_items(project, load_manifest(project, TOY.audio), other)
    assert items[0].units.shape == (2, 24, items[0].frames)
    again = base_voice(project)
    for key, weight in other.state_dict().items():
        assert torch.equal(weight, again.state_dict()[key])


def test_preprocess_hears_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In worker processes; what is there already is not heard again, and training hears nothing."""
    read_network.cache_clear()
    project = hearing(make_project(tmp_path), str(family(tmp_path / "ear", "Hubert")))
    manifest = load_manifest(project, TOY.audio)
    keep_units(project, manifest, TOY.audio, told := Told(), workers=2)
    count = len(manifest.takes)
    assert [event["done"] for event in told.of("units")] == list(range(1, count + 1))
    files = sorted((project.features / "units").glob("take-*.pt"))
    assert len(files) == count
    kept = [file.stat().st_mtime_ns for file in files]
    lost = files[0].read_bytes()
    files[0].unlink()
    keep_units(project, manifest, TOY.audio, Told(), workers=1)
    assert files[0].read_bytes() == lost
    assert [file.stat().st_mtime_ns for file in files[1:]] == kept[1:]
    base = base_voice(project)
    monkeypatch.setattr("offline.studio.units.windowed_units", None)
    assert len(load_items(project, manifest, base)) == count


def test_the_embedded_encoder_is_not_heard_before(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    keep_units(project, load_manifest(project, TOY.audio), TOY.audio, told := Told())
    assert told == []


def test_the_map_is_the_one_between_the_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder that says what the embedded one says, turned: the voice begins as it was."""
    read_network.cache_clear()
    project = make_project(tmp_path)
    base = VoiceModel.load(Path(project.config.train.start))
    turn = torch.linalg.qr(torch.randn(8, 8))[0]
    project = hearing(project, str(family(tmp_path / "ear", "Hubert")))
    dim = base.config.content.dim
    monkeypatch.setattr(WindowedUnits, "dim", dim)
    monkeypatch.setattr(WindowedUnits, "forward", lambda self, wave: turn @ base.encoder(wave))
    content = replace(chosen_content(project.config.content) or base.config.content, dim=dim)
    monkeypatch.setattr("offline.studio.encoder.chosen_content", lambda settings: content)
    other = base_voice(project)
    wave = torch.from_numpy(recording(2.0, rate=44_100))[None]
    with torch.inference_mode():
        units, turned = base.encoder(wave)[0].T, other.encoder(wave)[0].T
        scalars = torch.zeros(len(units), 3)
        wanted, got = (
            voice.denoiser.network.condition.entry(torch.cat([said, scalars], 1)[None])[0]
            for voice, said in ((base, units), (other, turned))
        )
    assert (wanted - got).square().mean() < 1e-3 * wanted.square().mean()


def test_damaged_units_are_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    project = make_project(tmp_path)
    train_project(project, Told())
    (file,) = (project.features / "units").glob("units-*.pt")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    shutil.rmtree(project.checkpoints)
    train_project(project, Told())
    assert "is damaged; making it anew" in caplog.text
    assert file.stat().st_size == len(whole)


def test_choices(tmp_path: Path) -> None:
    read_network.cache_clear()
    place = family(tmp_path / "ear", "Hubert")
    assert chosen_content(EncoderSettings()) is None
    content = chosen_content(EncoderSettings(str(place), 2))
    assert content is not None
    assert (content.encoder, content.layer) == ("hubert", 2)
    other = chosen_content(EncoderSettings(f"hubert:{place}", 1))
    assert other is not None
    assert other.fingerprint != content.fingerprint  # fewer layers are read
    with pytest.raises(ConfigError, match="between 0 and 3, got 9"):
        chosen_content(EncoderSettings(f"contentvec768:{place}"))
    with pytest.raises(ConfigError, match="the embedded encoder has no layers to choose"):
        chosen_content(EncoderSettings("embedded", 3))
    with pytest.raises(VoiceFileError, match=r"cannot read .*none.pt as the weights of HuBERT"):
        chosen_content(EncoderSettings(str(tmp_path / "none.pt")))
    with pytest.raises(VoiceFileError, match="or the id of a model on the hub"):
        chosen_content(EncoderSettings(str(tmp_path / "no" / "where")))


def test_the_embedded_voice_is_the_start_where_nothing_else_is_said(tmp_path: Path) -> None:
    project: Any = make_project(tmp_path, start="embedded")
    assert base_voice(project).config == VoiceModel.load(find_voice(DEFAULT_VOICE)).config
    assert plan_for(base_voice(project), StreamConfig()).latency < 3000
