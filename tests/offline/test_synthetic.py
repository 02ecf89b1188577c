"""Phones of many languages, as eSpeak names them, in one inventory."""

from __future__ import annotations

from offline.synthetic import INVENTORY, normalised


def test_names_of_many_languages_fall_on_one_inventory() -> None:
    assert len(INVENTORY) == len(set(INVENTORY)) == 80
    assert INVENTORY[0] == "SIL"
    assert normalised("aː", "nl") == ("a",)
    assert normalised("t-", "ko") == ("t",)
    assert normalised("tsh", "cmn") == ("tsʰ",)
    assert normalised("iou", "cmn") == ("j", "oʊ")
