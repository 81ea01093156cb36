"""OME-XML as `ome-types` understands it: what each Image says, and which pixels it is about.

Files in the wild break the schema: a contrast method it does not know, a size of 0, an attribute that has to be there.
Such a value counts as absent, and is said; it never keeps the pixels from being read.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from napari_mito_predict.image.channels import ChannelHints
from napari_mito_predict.image.metadata import known_size, length_um, parse_xml, time_s

_SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
# All that is asked of ome-types. Regions of interest, plates and instruments would cost time and tell us nothing.
_USED = frozenset({"OME", "Image", "Pixels", "Channel", "TiffData", "UUID", "Plane"})
_TIMES_ASKED = 1000  # of the first and of the last time points, whose times are the time step of a long series
_PLANE_COUNTS = ("PlaneCount", "NumPlanes", "IFD")
_MOST_DIGITS = 18
_OME_START = re.compile(rb"\s*(<\?xml[^>]*>)?\s*(<!--.*?-->\s*)*<(\w+:)?OME[\s>]", re.DOTALL)


@dataclass(frozen=True)
class OmeImage:
    """One Image element.

    Attributes
    ----------
    name : str
        As the file spells it; empty without one.
    first_page : tuple of str or None, and int
        File name and index in that file of the first page with pixels of it; the name is None for the file at hand.
    planes : int or None
        How many planes the file says it stores of it; None where it does not count them.
    text : str
        Everything that is said about it in words.
    """

    name: str
    channel_names: tuple[str | None, ...]
    hints: tuple[ChannelHints, ...]
    voxel_size_um: tuple[float | None, float | None, float | None]
    time_step_s: float | None
    first_page: tuple[str | None, int]
    planes: int | None
    text: str


@dataclass(frozen=True)
class OmeDocument:
    """What an OME-XML says.

    Attributes
    ----------
    images : tuple of OmeImage
        Those with pixels in a TIFF.
    warnings : tuple of str
        What was not understood.
    """

    images: tuple[OmeImage, ...]
    warnings: tuple[str, ...] = ()


def read_ome_xml(text: str) -> OmeDocument:
    """Read what an OME-XML says about images whose pixels are in TIFF files.

    Parameters
    ----------
    text : str
        The XML, of any version of the schema.

    Raises
    ------
    xml.etree.ElementTree.ParseError
        It is no XML.
    """
    root = parse_xml(text)
    elements = [image for image in _children(root, "Image") if _pixels_in_tiff(image) is not None]
    # Annotations beside the images are of all of them.
    described = [root] if len(elements) == 1 else elements
    texts = ["\n".join(element.itertext()) for element in described]
    planes = [_counted_planes(image) for image in elements]
    _reduce(root)
    document, problems = _parse(ElementTree.tostring(root, encoding="unicode"))
    images = [image for image in document.images if image.pixels is not None and image.pixels.tiff_data_blocks]
    own = getattr(document, "uuid", None)
    facts = [_describe(image, own, count, words) for image, count, words in zip(images, planes, texts, strict=False)]
    return OmeDocument(tuple(facts), _say(problems))


def is_ome_xml(head: bytes) -> bool:
    """Whether a file that begins like this is an OME-XML, such as the companion of an OME-TIFF set."""
    return _OME_START.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def metadata_file(text: str) -> str | None:
    """Name of the file that describes this one; None for a file that describes itself."""
    binary_only = _children(parse_xml(text), "BinaryOnly")
    return binary_only[0].get("MetadataFile", "") if binary_only else None


def part_names(text: str) -> tuple[str, ...]:
    """Names of the files that an OME-XML says its pixels are in, in its order."""
    names = (node.get("FileName") for node in parse_xml(text).iter() if _tag(node) == "UUID")
    return tuple(dict.fromkeys(name for name in names if name))


def most_planes(text: str) -> int:
    """How many planes an OME-XML declares in the largest of its images: by their sizes, or by what holds them."""
    most = 0
    for pixels in (node for node in parse_xml(text).iter() if _tag(node) == "Pixels"):
        most = max(most, math.prod(_number(pixels.get(f"Size{axis}")) for axis in "CZT"))
        for data in _children(pixels, "TiffData"):
            most = max(most, *(_number(data.get(key)) for key in _PLANE_COUNTS))
    return most


def _number(declared: str | None) -> int:
    """A whole number as it is declared, 1 for what is none; one of very many digits is only very large."""
    if declared is None or not declared.isdecimal():
        return 1
    return int(declared[:_MOST_DIGITS])


def is_of_renamed_file(text: str, name: str) -> bool:
    """Whether an OME-XML calls the one file that it is in by another name than `name`.

    A file is told by its UUID; where it has none of its own, a single name can only be its old one.
    """
    root = parse_xml(text)
    parts = {(node.get("FileName"), (node.text or "").strip()) for node in root.iter() if _tag(node) == "UUID"}
    if len(parts) != 1:
        return False
    called, uuid = parts.pop()
    return called not in (None, name) and not (root.get("UUID") and root.get("UUID") != uuid)


def without_file_names(text: str) -> str:
    """The same OME-XML for a single file that was renamed: all pixels are in the file at hand."""
    root = parse_xml(text)
    for data in [node for node in root.iter() if _tag(node) == "TiffData"]:
        for uuid in _children(data, "UUID"):
            data.remove(uuid)
    return ElementTree.tostring(root, encoding="unicode")


def _pixels_in_tiff(image: ElementTree.Element) -> ElementTree.Element | None:
    for pixels in _children(image, "Pixels"):
        if _children(pixels, "TiffData"):
            return pixels
    return None


def _counted_planes(image: ElementTree.Element) -> int | None:
    """How many planes the TiffData elements of an Image declare; None where one says "all that are there"."""
    pixels = _pixels_in_tiff(image)
    total = 0
    for data in _children(pixels, "TiffData") if pixels is not None else ():
        count = data.get("PlaneCount") or data.get("NumPlanes") or ("1" if data.get("IFD") else "")
        if not count.isdecimal():
            return None
        total += int(count)
    return total


def _reduce(root: ElementTree.Element) -> None:
    """Keep what is used, in the namespace of the current schema: what we read has the same names in all versions."""
    root.tag = f"{{{_SCHEMA}}}OME"
    for parent in list(root.iter()):
        children = [child for child in parent if _tag(child) in _USED]
        for tag, keep in (("TiffData", _is_first), ("Plane", _is_of_first_z_and_c)):
            alike = [child for child in children if _tag(child) == tag]
            dropped = {child for position, child in enumerate(alike) if not keep(position, child)}
            kept = [child for child in alike if child not in dropped]
            dropped |= set(kept[_TIMES_ASKED:-_TIMES_ASKED])
            children = [child for child in children if child not in dropped]
        parent[:] = children
        for child in children:
            child.tag = f"{{{_SCHEMA}}}{_tag(child)}"


def _is_first(position: int, element: ElementTree.Element) -> bool:
    return position == 0


def _is_of_first_z_and_c(position: int, element: ElementTree.Element) -> bool:
    return element.get("TheC") == element.get("TheZ") == "0"


def _parse(text: str) -> tuple[Any, list[str]]:
    """Parse with ome-types, element by element: what the schema does not allow is left out, and named."""
    # Imported here, because it takes as long as everything else in this package together.
    from ome_types import from_xml
    from pydantic import ValidationError
    from xsdata.formats.dataclass.parsers.config import ParserConfig

    problems: list[str] = []

    def make(kind: type[Any], given: dict[str, Any]) -> Any:
        try:
            return kind(**given)
        except ValidationError as error:
            bad = dict.fromkeys(str(problem["loc"][0]) for problem in error.errors() if problem["loc"])
        understood = {field: value for field, value in given.items() if field not in bad}
        for field in list(bad):
            size = field.removesuffix("_unit")
            if size != field and size in understood:
                converted = _in_default_unit(size, understood.pop(size), str(given.get(field)))
                if converted is not None:
                    understood[size] = converted
                    bad.pop(field)
        problems.extend(f"{_camel(field)} of {kind.__name__}" for field in bad if not _means_unknown(given.get(field)))
        try:
            return kind(**understood)
        except ValidationError:  # something is absent that has to be there
            required = (name for name, field in kind.model_fields.items() if field.is_required())
            return kind.model_construct(**(dict.fromkeys(required) | understood))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each problem is said by us
        config = ParserConfig(class_factory=make, fail_on_unknown_properties=False)
        document = from_xml(text, parser_kwargs={"config": config})
    return document, problems


def _in_default_unit(field: str, value: Any, unit: str) -> float | None:
    """A size whose unit is not spelled as the schema asks: ``um`` is clear enough, ``furlong`` makes it unknown."""
    return length_um(value, unit) if field.startswith("physical_size") else time_s(value, unit)


def _means_unknown(value: Any) -> bool:
    """Whether a value is one that programs write for "not known", such as a size of 0."""
    return isinstance(value, float | int) and known_size(value) is None


def _camel(field: str) -> str:
    return "".join(part.capitalize() for part in field.split("_"))


def _say(problems: Sequence[str]) -> tuple[str, ...]:
    if not problems:
        return ()
    named = ", ".join(dict.fromkeys(problems))
    return (f"The OME-XML of the file breaks its own rules: {named} counts as unknown. Pixels are not affected.",)


def _describe(image: Any, own_uuid: str | None, planes: int | None, text: str) -> OmeImage:
    pixels = image.pixels
    channels = getattr(pixels, "channels", ())
    return OmeImage(
        name=getattr(image, "name", None) or "",
        channel_names=tuple(_channel_names(channels)),
        hints=tuple(_hints(channels)),
        voxel_size_um=(_physical_size(pixels, "z"), _physical_size(pixels, "y"), _physical_size(pixels, "x")),
        time_step_s=_time(pixels, "time_increment") or _step_of_planes(getattr(pixels, "planes", ())),
        first_page=_first_page(pixels.tiff_data_blocks[0], own_uuid),
        planes=planes,
        text=text,
    )


def _channel_names(channels: Sequence[Any]) -> list[str | None]:
    """One name for each channel; several samples of one Channel element share it."""
    names: list[str | None] = []
    for channel in channels:
        name = (getattr(channel, "name", None) or "").strip() or None
        names += [name] * (getattr(channel, "samples_per_pixel", None) or 1)
    return names


def _hints(channels: Sequence[Any]) -> list[ChannelHints]:
    hints: list[ChannelHints] = []
    for channel in channels:
        fields = ("contrast_method", "illumination_type", "fluor", "acquisition_mode")
        words = [_word(getattr(channel, field, None)) for field in fields]
        hints += [ChannelHints(*words)] * (getattr(channel, "samples_per_pixel", None) or 1)
    return hints


def _word(value: Any) -> str:
    """The text of an enumeration's member, or of a text."""
    return str(getattr(value, "value", value) or "")


def _physical_size(pixels: Any, axis: str) -> float | None:
    unit = getattr(pixels, f"physical_size_{axis}_unit", None)
    return length_um(getattr(pixels, f"physical_size_{axis}", None), _word(unit) or "µm")


def _time(element: Any, field: str) -> float | None:
    return time_s(getattr(element, field, None), _word(getattr(element, f"{field}_unit", None)) or "s")


def _step_of_planes(planes: Sequence[Any]) -> float | None:
    """Mean time step from the times of the single planes, of the first channel and Z step."""
    times = {
        plane.the_t: _time(plane, "delta_t") or 0.0 for plane in planes if getattr(plane, "delta_t", None) is not None
    }
    first, last = min(times, default=0), max(times, default=0)
    return known_size((times[last] - times[first]) / (last - first)) if last > first else None


def _first_page(data: Any, own_uuid: str | None) -> tuple[str | None, int]:
    uuid = getattr(data, "uuid", None)
    name = getattr(uuid, "file_name", None)
    if uuid is not None and own_uuid is not None and _same_uuid(getattr(uuid, "value", ""), own_uuid):
        name = None
    return name, getattr(data, "ifd", None) or 0


def _same_uuid(one: str, other: str) -> bool:
    return re.sub(r"^urn:uuid:", "", str(one).strip()) == re.sub(r"^urn:uuid:", "", str(other).strip())


def _children(node: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    """Give children by name whatever OME schema version their namespace says."""
    return [child for child in node if _tag(child) == tag]


def _tag(node: ElementTree.Element) -> str:
    return str(node.tag).rpartition("}")[2]
