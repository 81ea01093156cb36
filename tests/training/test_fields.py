"""Which fields there are, and how they are split."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.training.config_parts import Data, Split
from napari_mito_predict.training.fields import Field, Place, find_fields, find_files, match_names
from napari_mito_predict.training.split import split_fields

TARGET = {"mitochondria": None}


def _fields(count: int) -> list[Field]:
    names = [f"field{i:02d}" for i in range(count)]
    return [Field(name, Place(Path(f"{name}.czi"), "TL"), (Place(Path(f"{name}.czi"), "TMRM"),)) for name in names]


def _names(fields: tuple[Field, ...]) -> list[str]:
    return [field.name for field in fields]


@given(st.integers(1, 60), st.floats(0, 0.99), st.floats(0, 0.99), st.integers(0, 5))
@example(3, 0.5, 0.5, 0)  # 1.5 is rounded to 2, and one validates
def test_every_field_goes_to_exactly_one_part(count: int, test: float, validation: float, seed: int) -> None:
    fields = split_fields(_fields(count), Split(test=test, validation=validation, seed=seed))
    together = [*fields.training, *fields.validation, *fields.test]
    assert sorted(together, key=lambda field: field.name) == _fields(count)
    assert fields.training
    assert len(fields.test) == 0 or test
    assert fields.validation or count < 3 or not validation


def test_the_papers_split() -> None:
    fields = split_fields(_fields(40), Split())
    assert (len(fields.training), len(fields.validation), len(fields.test)) == (27, 3, 10)
    assert split_fields(_fields(40), Split()) == fields
    assert split_fields(_fields(40), Split(seed=1)) != fields
    assert not split_fields(_fields(40), Split(test=0)).test


def test_named_fields() -> None:
    fields = split_fields(_fields(6), Split(test=("field03",), validation=("field00", "field01")))
    assert _names(fields.test) == ["field03"]
    assert _names(fields.validation) == ["field00", "field01"]
    assert fields.part_of("field05") == "training"
    with pytest.raises(TrainingDataError, match="field09"):
        split_fields(_fields(6), Split(test=("field09",)))
    with pytest.raises(TrainingDataError, match="used twice"):
        split_fields(_fields(6), Split(test=("field03",), validation=("field03",)))
    with pytest.raises(TrainingDataError, match="none to train on"):
        split_fields(_fields(2), Split(test=("field00", "field01")))


def test_patterns(tmp_path: Path) -> None:
    for name in ("b.czi", "a.czi", "c.tif"):
        (tmp_path / name).touch()
    found = find_files((str(tmp_path / "*.czi"), str(tmp_path / "a.czi")))
    assert [path.name for path in found] == ["a.czi", "b.czi"]
    with pytest.raises(TrainingDataError, match="nothing"):
        find_files((str(tmp_path / "nothing*.czi"),))


def _paths(*names: str) -> list[Path]:
    return [Path(name) for name in names]


@pytest.mark.parametrize(
    ("inputs", "targets", "names"),
    [
        (["a.tif", "b.tif"], ["b.czi", "a.czi"], ["a", "b"]),
        (["x1_phase.tif", "x2_phase.tif"], ["x1_nuclei.tif", "x2_nuclei.tif"], ["x1", "x2"]),
        (["C1-day1.tif", "C1-day2.tif"], ["C2-day1.tif", "C2-day2.tif"], ["day1", "day2"]),
        (["s_1_TL.ome.tif", "s_10_TL.ome.tif"], ["s_1_TMRM.ome.tif", "s_10_TMRM.ome.tif"], ["1", "10"]),
    ],
    ids=["same names", "endings", "beginnings", "numbers stay whole"],
)
def test_matching(inputs: list[str], targets: list[str], names: list[str]) -> None:
    found = match_names(_paths(*inputs), _paths(*targets))
    assert [name for name, _, _ in found] == names
    for _, given_, truth in found:
        assert inputs.index(given_.name) == sorted(targets).index(truth.name) or len(inputs) == 2


def test_files_without_partner_are_named() -> None:
    with pytest.raises(TrainingDataError, match=r"1 pairs.*c_TL\.tif"):
        match_names(_paths("a_TL.tif", "c_TL.tif"), _paths("a_TMRM.tif", "b_TMRM.tif"))


def test_two_folders(tmp_path: Path) -> None:
    for folder, ending in (("in", "_TL"), ("out", "_TMRM")):
        (tmp_path / folder).mkdir()
        for i in range(2):
            (tmp_path / folder / f"f{i}{ending}.tif").touch()
    data = Data(input_folder=str(tmp_path / "in"), target_folder=str(tmp_path / "out"))
    fields = find_fields(data, TARGET)
    assert _names(fields) == ["f0", "f1"]
    assert fields[0].truths[0] == Place(tmp_path / "out" / "f0_TMRM.tif", None)
    assert _names(find_fields(data.model_copy(update={"exclude": ("f0",)}), TARGET)) == ["f1"]
    with pytest.raises(TrainingDataError, match="f7"):
        find_fields(data.model_copy(update={"exclude": ("f7",)}), TARGET)
    with pytest.raises(TrainingDataError, match="no images there"):
        find_fields(data.model_copy(update={"input_folder": str(tmp_path / "none")}), TARGET)


def test_tables_of_pytorch_fnet(tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("path_czi,channel_signal,channel_target\na.czi,2,0\nsub/b.czi,2,SYBR\n", encoding="utf-8")
    fields = find_fields(Data(csv=str(table)), TARGET)
    assert fields[0].input == Place(tmp_path / "a.czi", "2")
    assert fields[1].truths == (Place(tmp_path / "sub" / "b.czi", "SYBR"),)
    table.write_text("path_signal,path_target\nin/a.tif,out/a.tif\n", encoding="utf-8-sig")
    assert find_fields(Data(csv=str(table)), TARGET)[0].truths == (Place(tmp_path / "out" / "a.tif", None),)
    table.write_text("signal,target\na,b\n", encoding="utf-8")
    with pytest.raises(TrainingDataError, match=r"expected the columns.*found signal, target"):
        find_fields(Data(csv=str(table)), TARGET)
    with pytest.raises(TrainingDataError, match="not a readable table"):
        find_fields(Data(csv=str(tmp_path / "none.csv")), TARGET)


@pytest.mark.parametrize(
    "text",
    [
        "path_czi;channel_signal;channel_target\na.czi;2;0\n",
        "path_czi\tchannel_signal\tchannel_target\na.czi\t2\t0\n",
        "path_czi, channel_signal, channel_target\n a.czi , 2 , 0 \n",
        "path_czi,channel_signal,channel_target,\na.czi,2,0,\n\n,,,\n",
        'note,path_czi,channel_signal,channel_target\nmine,"a.czi",2,0\r\n',
    ],
    ids=["semicolons", "tabs", "spaces", "trailing commas and empty lines", "quotes and another column"],
)
def test_tables_as_people_write_them(tmp_path: Path, text: str) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(text, encoding="utf-8-sig", newline="")
    (field,) = find_fields(Data(csv=str(table)), TARGET)
    assert field.input == Place(tmp_path / "a.czi", "2")
    assert field.truths == (Place(tmp_path / "a.czi", "0"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path_czi,channel_signal,channel_target\na.czi,2,0\n\nb.czi\n", "line 4 has no channel_signal"),
        ("path_signal;path_target\na.tif;\n", "line 2 has no path_target"),
        ("path_signal,path_target\n", "no rows"),
        ("", "found nothing"),
    ],
)
def test_what_is_missing_in_a_table_is_named(tmp_path: Path, text: str, said: str) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(TrainingDataError, match=said) as caught:
        find_fields(Data(csv=str(table)), TARGET)
    assert caught.value.file == table


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def _found(patterns: tuple[str, ...]) -> list[Path]:
    return list(find_files(patterns))


def test_a_path_that_exists_is_no_pattern(tmp_path: Path) -> None:
    _touch(tmp_path, "cell1.ome.tif", "cell2.ome.tif", "cell[12].ome.tif", "day [50%]/TMRM [1].tif", "Zellen ä/b.tif")
    assert _found((str(tmp_path / "cell[12].ome.tif"),)) == [tmp_path / "cell[12].ome.tif"]
    assert _found((str(tmp_path / "day [50%]" / "TMRM [1].tif"),)) == [tmp_path / "day [50%]" / "TMRM [1].tif"]
    assert _found((str(tmp_path / "day [50%]"),)) == [tmp_path / "day [50%]"]
    assert _found((str(tmp_path / "day [50%]" / "*.tif"),)) == [tmp_path / "day [50%]" / "TMRM [1].tif"]
    assert _found((str(tmp_path / "cell?.ome.tif"),)) == [tmp_path / "cell1.ome.tif", tmp_path / "cell2.ome.tif"]
    assert _found((str(tmp_path / "Z*" / "*.tif"),)) == [tmp_path / "Zellen ä" / "b.tif"]


def test_fields_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for day in ("day1", "day2"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "cell.czi").touch()
    fields = find_fields(Data(files=(str(tmp_path / "*/cell.czi"),)), {"dna": "SYBR"})
    assert _names(fields) == ["day1/cell", "day2/cell"]
