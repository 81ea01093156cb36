"""Which channel is transmitted light and of which kind, which one is a stain we predict, and why we think so.

The name decides first, because people type it: a real ``T PMT`` channel is tagged "Epifluorescence" by the microscope.
Only a name that says nothing lets the file's own metadata speak: contrast method, illumination type, dye.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from napari_mito_predict.errors import AmbiguousChannelError, ChannelNotFoundError

if TYPE_CHECKING:
    from napari_mito_predict.image.predicted import PredictionMark


class ChannelRole(StrEnum):
    """What a channel shows, as far as this package is concerned."""

    TRANSMITTED = "transmitted"
    MITOCHONDRIA = "mitochondria"
    DNA = "dna"
    OTHER = "other"


class Modality(StrEnum):
    """Kinds of transmitted light that show a cell differently."""

    BRIGHT_FIELD = "bright-field"
    PHASE_CONTRAST = "phase contrast"
    QUANTITATIVE_PHASE = "quantitative phase"
    """Computed from several recordings, such as by waveorder."""
    DIC = "DIC"
    CONFOCAL = "confocal transmitted light"
    """A laser scans the cells, and what passes them is detected: ZEISS' T-PMT and ESID."""
    OTHER = "other transmitted light"
    """Known to be none of these, such as polarised light."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of an image.

    Attributes
    ----------
    index : int
        Position in the file, from 0.
    name : str or None
        As the file spells it; None where the file gives no name.
    role : ChannelRole
        What we take it for.
    reason : str
        One plain sentence that says why.
    prediction : PredictionMark or None
        That it is a prediction, and by which model; None for what was recorded.
    modality : Modality or None
        Kind of transmitted light; None where the file does not tell, and for all else.
    """

    index: int
    name: str | None
    role: ChannelRole
    reason: str
    prediction: PredictionMark | None = None
    modality: Modality | None = None

    @property
    def label(self) -> str:
        """The name, or "channel 0" for a channel without one."""
        return self.name or f"channel {self.index}"


@dataclass(frozen=True, slots=True)
class ChannelHints:
    """What the file says about a channel besides its name; empty where it says nothing."""

    contrast_method: str = ""
    illumination: str = ""
    dye: str = ""
    acquisition: str = ""
    """How the microscope acquires, such as ``LaserScanningConfocalMicroscopy``."""

    @property
    def tells_role(self) -> bool:
        """Whether anything here says what the channel shows: how it was acquired does not."""
        return bool(self.contrast_method or self.illumination or self.dye)


# Each phrase is one or more whole tokens; a token may carry a number behind it, as in "Ph2" or "DRAQ5".
_PHRASES: dict[ChannelRole, tuple[str, ...]] = {
    ChannelRole.TRANSMITTED: (
        "tl", "t pmt", "tpmt", "esid", "bright", "bf", "brightfield", "bright field", "dic", "plasdic", "nomarski",
        "phase", "phasecontrast", "ph", "phc", "phase2d", "phase3d", "qpi", "trans", "transmission", "transmitted",
        "transmittedlight", "td", "tie", "dia",
    ),
    ChannelRole.MITOCHONDRIA: (
        "tmrm", "tmre", "mito", "mitos", "mitochondria", "mitochondrion", "mitochondrial", "mitotracker", "mitoview",
        "mitosox", "mitogfp", "mitodsred", "mitobright", "pkmito", "tom20", "tomm20", "tom22", "tomm22", "tom70",
        "cox4", "coxiv", "cox8", "cox8a", "hsp60", "vdac", "atp5a", "rhodamine 123", "rh123", "rho123", "jc 1", "jc1",
    ),
    ChannelRole.DNA: (
        "sybr", "sybrgold", "sybrgreen", "dapi", "hoechst", "draq", "picogreen", "sir dna", "sirdna", "spy dna", "dna",
        "mtdna", "h2b", "nucblue", "nucspot", "sytox", "syto", "topro", "to pro", "propidium", "dyecycle",
        "nuc", "nuclei", "nucleus", "nuclear", "nucleoid", "nucleoids", "tfam",
    ),
}  # fmt: skip

_TRANSMITTED_CONTRASTS = {"brightfield", "phase", "phasecontrast", "dic", "plasdic", "obliqueillumination"}
# Of those above. What speaks of two, such as "T PMT bright field", is the one that stands first.
_MODALITY_PHRASES: dict[Modality, tuple[str, ...]] = {
    Modality.DIC: ("dic", "plasdic", "nomarski"),
    Modality.QUANTITATIVE_PHASE: ("quantitative phase", "phase2d", "phase3d", "qpi"),
    Modality.PHASE_CONTRAST: ("phase", "phasecontrast", "ph", "phc"),
    Modality.CONFOCAL: ("t pmt", "tpmt", "esid"),
    Modality.BRIGHT_FIELD: ("bright", "bf", "brightfield", "bright field"),
}
_CONTRAST_MODALITIES = {
    "brightfield": Modality.BRIGHT_FIELD,
    "phase": Modality.PHASE_CONTRAST,
    "phasecontrast": Modality.PHASE_CONTRAST,
    "dic": Modality.DIC,
    "plasdic": Modality.DIC,
    **dict.fromkeys(("darkfield", "hoffmanmodulation", "obliqueillumination", "polarizedlight"), Modality.OTHER),
}
_SCANNING = "laserscanning"
# ZEN appends the number of the track to the name of a channel: "T PMT-T1".
_TRACK_SUFFIX = re.compile(r"[-_ ]T\d+$", re.IGNORECASE)
_ROLE_NAMES = {
    ChannelRole.TRANSMITTED: "transmitted light",
    ChannelRole.MITOCHONDRIA: "mitochondria",
    ChannelRole.DNA: "DNA",
}


def describe_channels(
    names: Sequence[str | None],
    hints: Sequence[ChannelHints] = (),
    predictions: Sequence[PredictionMark | None] = (),
) -> tuple[Channel, ...]:
    """Give every channel a role and the reason for it.

    Parameters
    ----------
    names : sequence of str or None
        One entry per channel; None for a channel without a name.
    hints : sequence of ChannelHints, optional
        What the file says besides the names, one entry per channel; empty when it says nothing.
    predictions : sequence of PredictionMark or None, optional
        Which channels are predictions, one entry per channel; empty when none is.

    Returns
    -------
    tuple of Channel
        In the order of the file.
    """
    recorded = _describe(names, hints)
    if not any(predictions):
        return recorded
    return tuple(_marked(channel, mark) for channel, mark in zip(recorded, predictions, strict=True))


def _describe(names: Sequence[str | None], hints: Sequence[ChannelHints]) -> tuple[Channel, ...]:
    hints = tuple(hints) or (ChannelHints(),) * len(names)
    if len(names) == 1 and names[0] is None and not hints[0].tells_role:
        reason = "It is the only channel, and the file does not say what it shows."
        return (Channel(0, None, ChannelRole.TRANSMITTED, reason, modality=_modality("", hints[0])),)
    return tuple(_channel(index, name, hint) for index, (name, hint) in enumerate(zip(names, hints, strict=True)))


def _channel(index: int, name: str | None, hint: ChannelHints) -> Channel:
    role, reason = _role(name, hint)
    modality = None
    # The user may choose a channel that we do not take for transmitted light, such as one of dark field.
    may_be_light = role is ChannelRole.OTHER and _squash(hint.contrast_method) in _CONTRAST_MODALITIES
    if role is ChannelRole.TRANSMITTED or may_be_light:
        modality = _modality(name or "", hint)
    return Channel(index, name, role, reason, modality=modality)


def _marked(channel: Channel, mark: PredictionMark | None) -> Channel:
    """Say that a channel is a prediction; one without a name shows what its model predicts, never transmitted light."""
    if mark is None:
        return channel
    role, reason = channel.role, f"It is {mark.words}."
    if role is ChannelRole.TRANSMITTED and not channel.name:
        role = ChannelRole.OTHER
    elif role is not ChannelRole.OTHER:
        reason = f"{channel.reason} {reason}"
    return replace(channel, role=role, reason=reason, prediction=mark)


def find_channel(
    channels: Sequence[Channel], which: int | str | ChannelRole | None, image: str = "the image"
) -> Channel:
    """Find one channel by index, name or role.

    Parameters
    ----------
    channels : sequence of Channel
        All channels of the image.
    which : int, str, ChannelRole or None
        Index from 0; a name (case and ZEN's ``-T1`` do not matter, and one whole word of it is enough); a role;
        None asks for the transmitted light. Text is a name first, and an index where no channel is called so; a number
        that is no index may be a name. Where several channels fit, predictions stand back.
    image : str
        What to call the image in messages.

    Returns
    -------
    Channel

    Raises
    ------
    ChannelNotFoundError
        No channel fits.
    AmbiguousChannelError
        Several fit equally well, and guessing would be wrong; the message lists them.
    """
    if which is None:
        which = ChannelRole.TRANSMITTED
    if isinstance(which, ChannelRole):
        matches = [channel for channel in channels if channel.role == which]
        return _only(matches, f"{_ROLE_NAMES.get(which, which)} channel", channels, image)
    if isinstance(which, str):
        return _by_name(channels, which, image)
    if not 0 <= which < len(channels):
        named = [channel for channel in channels if channel.name == str(which)]
        if len(named) == 1:  # 640 in a configuration, where a wavelength is the name
            return named[0]
        raise ChannelNotFoundError(
            f"there is no channel {which}; its channels are 0 to {len(channels) - 1} ({_listed(channels)}).", file=image
        )
    return channels[which]


def _role(name: str | None, hint: ChannelHints) -> tuple[ChannelRole, str]:
    """What a channel shows, and the sentence that says why; a name that speaks of two roles decides for none."""
    roles = _roles_in(name or "")
    claims = " and ".join(f'{_ROLE_NAMES[role]} ("{phrase}")' for role, phrase in roles)
    if len(roles) == 1:
        return roles[0][0], f"Its name says {claims}."
    if roles:
        return ChannelRole.OTHER, f"Its name says both {claims}."
    return _role_by_hint(hint, has_name=bool(name))


def _role_by_hint(hint: ChannelHints, *, has_name: bool) -> tuple[ChannelRole, str]:
    """What a channel shows when its name does not tell, and the sentence that says why."""
    if _squash(hint.contrast_method) in _TRANSMITTED_CONTRASTS:
        return ChannelRole.TRANSMITTED, f'The file gives its contrast method as "{hint.contrast_method}".'
    if _squash(hint.illumination).startswith("transmitted"):
        return ChannelRole.TRANSMITTED, f'The file gives its illumination as "{hint.illumination}".'
    # A dye makes no transmitted light, whatever its name contains.
    stains = [role for role, _ in _roles_in(hint.dye) if role is not ChannelRole.TRANSMITTED]
    if len(stains) == 1:
        return stains[0], f'The file gives its dye as "{hint.dye}".'
    description = ", ".join(filter(None, (hint.contrast_method or hint.illumination, hint.dye)))
    if description:
        return ChannelRole.OTHER, f"Its name is none we know, and the file describes it as {description}."
    if has_name:
        return ChannelRole.OTHER, "Its name is none we know."
    return ChannelRole.OTHER, "It has no name, and the file says no more."


def _modality(name: str, hint: ChannelHints) -> Modality | None:
    """Kind of transmitted light: by the name, else by how it was acquired, else by the contrast method."""
    for modality, phrases in _MODALITY_PHRASES.items():
        if _phrase_in(name, phrases):
            return modality
    if _squash(hint.acquisition).startswith(_SCANNING):
        return Modality.CONFOCAL
    return _CONTRAST_MODALITIES.get(_squash(hint.contrast_method))


def _roles_in(name: str) -> list[tuple[ChannelRole, str]]:
    """Every role a name speaks of, with the phrase that does."""
    found = ((role, _phrase_in(name, phrases)) for role, phrases in _PHRASES.items())
    return [(role, phrase) for role, phrase in found if phrase]


def _phrase_in(name: str, phrases: Sequence[str]) -> str:
    """The first of `phrases` in a name, empty for none; whole tokens only, so "BrightGreen" is not "bright"."""
    tokens = _tokens(name)
    without_numbers = [token.rstrip("0123456789") or token for token in tokens]  # "ph2" is "ph" too
    for phrase in phrases:
        words = phrase.split()
        if _contains(tokens, words) or _contains(without_numbers, words):
            return phrase
    return ""


def _tokens(name: str) -> list[str]:
    """Letters and digits between anything else, in lower case, without ZEN's track suffix."""
    return re.findall(r"[^\W_]+", _TRACK_SUFFIX.sub("", name.strip()).casefold())


def _contains(tokens: list[str], phrase: list[str]) -> bool:
    """Whether the tokens of `phrase` follow each other somewhere in `tokens`."""
    length = len(phrase)
    starts = range(len(tokens) - length + 1)
    return any(tokens[start : start + length] == phrase for start in starts)


def _by_name(channels: Sequence[Channel], which: str, image: str) -> Channel:
    """Find a channel from the strictest reading to the loosest: a number is first a name, and only then an index."""
    wanted = _tokens(which)
    named = [(channel, _tokens(channel.name)) for channel in channels if channel.name and wanted]
    number = int(which) if which.strip().isdecimal() else -1
    readings: tuple[list[Channel], ...] = (
        [channel for channel in channels if channel.name == which],
        [channel for channel, tokens in named if tokens == wanted],
        [channel for channel in channels if channel.role == which.strip().casefold()],
        [channel for channel in channels if channel.index == number],
        [channel for channel, tokens in named if _contains(tokens, wanted)],
    )
    matches = next(filter(None, readings), [])
    if not matches and number >= 0:
        return find_channel(channels, number, image)
    return _only(matches, f'channel "{which}"', channels, image)


def _only(matches: Sequence[Channel], what: str, channels: Sequence[Channel], image: str) -> Channel:
    """Give the one match, or say that there is none, or which ones there are."""
    if len(matches) > 1:
        matches = [channel for channel in matches if channel.prediction is None] or matches
    if not matches:
        raise ChannelNotFoundError(
            f"no {what} was found among {_listed(channels)}. Say which channel to use by its index or name.", file=image
        )
    if len(matches) > 1:
        raise AmbiguousChannelError(
            f"more than one {what} is possible: {_listed(matches)}. Say which one to use by its index or name.",
            file=image,
        )
    return matches[0]


def _listed(channels: Sequence[Channel]) -> str:
    if not channels:
        return "no channels"
    return ", ".join(_index_and_name(channel) for channel in channels)


def _index_and_name(channel: Channel) -> str:
    if not channel.name:
        return f"{channel.index} (no name)"
    return f'{channel.index} "{channel.name}"'


def _squash(text: str) -> str:
    """Letters and digits only, in lower case: programs write "PhaseContrast", "phase contrast" and "Phase_Contrast"."""
    return re.sub(r"[\W_]+", "", text).casefold()
