from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mito_predict.errors import AmbiguousChannelError, ChannelNotFoundError
from napari_mito_predict.image.channels import (
    ChannelHints,
    ChannelRole,
    Modality,
    describe_channels,
    find_channel,
)

TRANSMITTED = [
    "TL", "tl", "TL-T1", "T-PMT", "T PMT", "t_pmt", "TPMT", "T-PMT-T2", "T PMT-T3", "ESID", "ESID-T1", "esid-t12",
    "Bright", "BF", "Brightfield", "Bright Field", "TL Brightfield", "DIC", "PlasDIC", "Phase", "Ph2", "PH", "Trans",
    "Transmitted Light", "405/TL", "BF (16 bit)",
]  # fmt: skip
MITOCHONDRIA = [
    "TMRM", "TMRM-T1", "tmre", "MitoTracker", "MitoTracker Deep Red", "TOM20", "Tom20-AF488", "TOMM20-GFP", "COX8",
    "Cox8a-mCherry", "mito-dsRed", "mito_GFP", "Mitochondria", "JC-1",
]  # fmt: skip
DNA = [
    "SYBR", "SYBR Gold-T2", "SYBR Green", "DAPI", "dapi-t1", "Hoechst", "Hoechst 33342", "Hoechst33342", "DRAQ5",
    "PicoGreen", "SiR-DNA", "H2B-mCherry", "H2B", "DNA", "Nuclei",
]  # fmt: skip
OTHER = [
    "Phalloidin", "TagBFP", "Transferrin", "BrightGreen", "EGFP", "AF488", "Ch1", "mitosis", "Bodipy", "CellMask",
    "Transfected", "DICE", "mCherry", "Dapimito", "T1", "-T1", "pHrodo", "LED555", "Tubulin", "",
]  # fmt: skip
CASES = [
    *[(name, ChannelRole.TRANSMITTED) for name in TRANSMITTED],
    *[(name, ChannelRole.MITOCHONDRIA) for name in MITOCHONDRIA],
    *[(name, ChannelRole.DNA) for name in DNA],
    *[(name, ChannelRole.OTHER) for name in OTHER],
]


def role_of(name: str | None, hints: ChannelHints | None = None) -> ChannelRole:
    return describe_channels([name, "x"], [hints or ChannelHints(), ChannelHints()])[0].role


@pytest.mark.parametrize(("name", "role"), CASES)
def test_role_by_name(name: str, role: ChannelRole) -> None:
    assert role_of(name) == role


@pytest.mark.parametrize(
    ("hints", "role"),
    [
        (ChannelHints(contrast_method="Brightfield"), ChannelRole.TRANSMITTED),
        (ChannelHints(contrast_method="Phase"), ChannelRole.TRANSMITTED),
        (ChannelHints(contrast_method="DIC"), ChannelRole.TRANSMITTED),
        (ChannelHints(contrast_method="PolarizedLight", illumination="Transmitted"), ChannelRole.TRANSMITTED),
        (ChannelHints(contrast_method="Fluorescence", illumination="Epifluorescence"), ChannelRole.OTHER),
        (ChannelHints(contrast_method="Fluorescence", dye="DAPI"), ChannelRole.DNA),
        (ChannelHints(contrast_method="Fluorescence", dye="MitoTracker Red"), ChannelRole.MITOCHONDRIA),
        (ChannelHints(contrast_method="Fluorescence", dye="Alexa Fluor 488"), ChannelRole.OTHER),
        (ChannelHints(), ChannelRole.OTHER),
    ],
)
def test_metadata_decides_where_the_name_is_silent(hints: ChannelHints, role: ChannelRole) -> None:
    assert role_of("Ch1", hints) == role


def test_a_name_beats_metadata() -> None:
    """The real T PMT of an LSM 880 is tagged as fluorescence."""
    assert role_of("T PMT", ChannelHints("Other", "Epifluorescence")) == ChannelRole.TRANSMITTED
    assert role_of("DAPI", ChannelHints("Brightfield", "Transmitted")) == ChannelRole.DNA


LSM = "LaserScanningConfocalMicroscopy"


@pytest.mark.parametrize(
    ("name", "hints", "modality"),
    [
        ("BF", ChannelHints(), Modality.BRIGHT_FIELD),
        ("TL Brightfield", ChannelHints(), Modality.BRIGHT_FIELD),
        ("Bright Field-T2", ChannelHints(), Modality.BRIGHT_FIELD),
        ("DIC", ChannelHints(), Modality.DIC),
        ("PlasDIC", ChannelHints(), Modality.DIC),
        ("Ph2", ChannelHints(), Modality.PHASE_CONTRAST),
        ("Phase contrast", ChannelHints(), Modality.PHASE_CONTRAST),
        ("Phase3D", ChannelHints(), Modality.QUANTITATIVE_PHASE),
        ("Phase2D", ChannelHints(), Modality.QUANTITATIVE_PHASE),
        ("Quantitative phase", ChannelHints(), Modality.QUANTITATIVE_PHASE),
        ("T-PMT-T1", ChannelHints(), Modality.CONFOCAL),
        ("ESID", ChannelHints(), Modality.CONFOCAL),
        ("T PMT bright field", ChannelHints(), Modality.CONFOCAL),
        ("TL", ChannelHints(), None),
        ("TL", ChannelHints("Brightfield", "Transmitted", acquisition="WideField"), Modality.BRIGHT_FIELD),
        ("TL", ChannelHints("PhaseContrast"), Modality.PHASE_CONTRAST),
        ("TL", ChannelHints("DIC"), Modality.DIC),
        ("TL", ChannelHints("PolarizedLight"), Modality.OTHER),
        ("TL", ChannelHints("ObliqueIllumination"), Modality.OTHER),
        ("Cam", ChannelHints("PolarizedLight"), Modality.OTHER),
        ("Cam", ChannelHints("Darkfield", "Transmitted"), Modality.OTHER),
        ("Cam", ChannelHints("HoffmanModulation"), Modality.OTHER),
        ("TL", ChannelHints("Brightfield", acquisition=LSM), Modality.CONFOCAL),
        ("TL", ChannelHints("Brightfield", acquisition="SpinningDiskConfocal"), Modality.BRIGHT_FIELD),
        ("BF", ChannelHints("DIC"), Modality.BRIGHT_FIELD),
        ("Ch1", ChannelHints("Brightfield"), Modality.BRIGHT_FIELD),
        ("T PMT", ChannelHints("Other", "Epifluorescence", acquisition=LSM), Modality.CONFOCAL),
        ("DAPI", ChannelHints("Brightfield", "Transmitted"), None),
        ("Ch1", ChannelHints("Fluorescence", "Epifluorescence", acquisition=LSM), None),
    ],
)
def test_the_kind_of_transmitted_light(name: str, hints: ChannelHints, modality: Modality | None) -> None:
    assert describe_channels([name, "x"], [hints, ChannelHints()])[0].modality is modality


def test_the_only_channel_is_light_of_an_unknown_kind() -> None:
    (channel,) = describe_channels([None])
    assert (channel.role, channel.modality) == (ChannelRole.TRANSMITTED, None)
    (scanned,) = describe_channels([None], [ChannelHints(acquisition=LSM)])
    assert (scanned.role, scanned.modality) == (ChannelRole.TRANSMITTED, Modality.CONFOCAL)


def test_a_name_with_two_meanings_is_left_to_the_user() -> None:
    assert role_of("DAPI + BF") == ChannelRole.OTHER


def test_every_channel_says_why() -> None:
    names = ["ESID-T1", "TMRM-T1", "SYBR Gold-T2", "Ch4", None]
    channels = describe_channels(names, [ChannelHints()] * 4 + [ChannelHints("Brightfield")])
    reasons = [channel.reason for channel in channels]
    assert all(reason.endswith(".") for reason in reasons)
    assert '"esid"' in reasons[0]
    assert '"tmrm"' in reasons[1]
    assert "Brightfield" in reasons[4]


def test_the_only_channel_of_a_silent_file_is_taken() -> None:
    assert describe_channels([None])[0].role == ChannelRole.TRANSMITTED
    assert describe_channels(["EGFP"])[0].role == ChannelRole.OTHER
    assert {channel.role for channel in describe_channels([None, None])} == {ChannelRole.OTHER}


CHANNELS = describe_channels(["ESID-T1", "TMRM-T1", "SYBR Gold-T2", None])


@pytest.mark.parametrize(
    ("which", "index"),
    [
        (None, 0),
        (0, 0),
        (3, 3),
        ("2", 2),
        ("TMRM-T1", 1),
        ("tmrm", 1),
        ("SYBR Gold", 2),
        ("gold", 2),
        ("mitochondria", 1),
        ("transmitted", 0),
        (ChannelRole.DNA, 2),
    ],
)
def test_find_channel(which: int | str | None, index: int) -> None:
    assert find_channel(CHANNELS, which).index == index


@pytest.mark.parametrize("which", [4, -1, "GFP", "7", "", "sy", ChannelRole.OTHER])
def test_a_channel_that_is_not_there_lists_those_that_are(which: int | str) -> None:
    channels = CHANNELS[:3]
    with pytest.raises(ChannelNotFoundError, match=r"cells\.czi.*SYBR Gold-T2"):
        find_channel(channels, which, "cells.czi")


@pytest.mark.parametrize("which", [None, ChannelRole.TRANSMITTED])
def test_two_candidates_are_a_question_not_a_guess(which: ChannelRole | None) -> None:
    channels = describe_channels(["DIC", "TMRM", "Phase"])
    with pytest.raises(AmbiguousChannelError, match=r'0 "DIC", 2 "Phase"'):
        find_channel(channels, which)
    assert find_channel(channels, "Phase").index == 2


def test_the_exact_name_wins_over_a_similar_one() -> None:
    channels = describe_channels(["TMRM-T1", "TMRM"])
    assert find_channel(channels, "TMRM").index == 1
    with pytest.raises(AmbiguousChannelError):
        find_channel(channels, "tmrm")


def test_a_number_is_a_name_before_it_is_an_index() -> None:
    lasers = describe_channels(["405", "488", "640", "TL 1"])
    assert find_channel(lasers, "640").index == 2
    assert find_channel(lasers, "2").index == 2
    assert find_channel(lasers, "1").index == 1, "an index before a word of another name"
    assert find_channel(lasers, 1).index == 1
    assert find_channel(lasers, 640).index == 2, "no index, so a name: as in a configuration"
    swapped = describe_channels(["1", "0"])
    assert find_channel(swapped, "0").index == 1
    assert find_channel(swapped, 0).index == 0
    assert find_channel(describe_channels(["EM 405", "EM 640"]), "640").index == 1
    with pytest.raises(ChannelNotFoundError, match="there is no channel 7"):
        find_channel(lasers, "7")


@given(
    st.sampled_from([*TRANSMITTED[:20], *MITOCHONDRIA, *DNA, *OTHER]),
    st.integers(1, 99),
    st.sampled_from([str.upper, str.lower, str.title]),
)
def test_neither_case_nor_track_changes_a_role(name: str, track: int, change: object) -> None:
    if name.endswith("T1"):
        return
    assert role_of(change(f"{name}-T{track}")) == role_of(name)  # type: ignore[operator]


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=8))
def test_letters_around_a_word_make_another_word(letters: str) -> None:
    assert role_of(f"x{letters}tlq") == ChannelRole.OTHER
