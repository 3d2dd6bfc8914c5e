"""Labels from folders and tables: every file and every row ends as a label or a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import DataSettings
from core.data.columns import propose_columns
from core.data.table_files import read_table
from core.data.tables import clean_label, label_by_folders, label_files
from core.errors import DataError
from core.types import Task

FILES = ["a/1.png", "a/2.png", "b/3.png", "Ä b/4.png"]


def settings(**changes: object) -> DataSettings:
    return DataSettings.model_validate({"source": "x", **changes})


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "labels.csv").write_bytes(text.encode(encoding))
    return folder


def test_folders_are_classes(tmp_path: Path) -> None:
    found = label_files(tmp_path, [*FILES, "lone.png"], settings())
    assert found.task is Task.MULTICLASS
    assert found.classes == ("a", "b", "Ä b")
    assert found.files["a/2.png"].labels == ("a",)
    assert found.files["lone.png"].code == "L01"


def test_folders_of_a_given_split_are_not_classes() -> None:
    found = label_by_folders(["train/sick/1.png", "test/well/2.png", "train/well/deep/3.png"])
    assert found.classes == ("sick", "well")
    assert "test, train" in found.notes[0]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_case_44_tables_of_every_office_program(
    tmp_path: Path, separator: str, encoding: str
) -> None:
    rows = [
        "file,label,patient_id",
        "a/1.png,gut,7",
        "a\\2.png,schön,8",
        "3.png,gut,8",
        "Ä b/4.png,gut,9",
    ]
    text = "\r\n".join(rows).replace(",", separator)
    found = label_files(table(tmp_path, text, encoding), FILES, settings())
    assert not found.absent
    assert [found.files[file].labels for file in FILES] == [
        ("gut",),
        ("schön",),
        ("gut",),
        ("gut",),
    ]
    assert found.files["b/3.png"].patient == "8"
    assert bool(found.notes) == (encoding == "cp1252")


def test_case_44_every_row_and_file_is_accounted_for(tmp_path: Path) -> None:
    text = "file,label\na/1.png,x\na/2.png,\nnowhere.png,y\na/1.png,x\nb/3.png,x\n\nb/3.png,y\n,z\n"
    found = label_files(table(tmp_path, text), FILES, settings())
    assert found.files["a/1.png"].labels == ("x",)
    assert (found.files["a/2.png"].code, found.files["a/2.png"].reason) == (
        "L02",
        "Row 3 of the table has no label.",
    )
    assert found.files["b/3.png"].reason == "Rows 6 and 8 of the table contradict each other."
    assert found.files["Ä b/4.png"].code == "L05"
    assert found.notes == ("Repeats of an earlier row for the same file: row 5 of the table.",)
    assert [label.reason for label in found.absent.values()] == [
        "Row 4 of the table names a file that is not there.",
        "Row 9 of the table names a file that is not there.",
    ]


def test_several_columns_are_findings(tmp_path: Path) -> None:
    text = "file,A,B\na/1.png,1,0\na/2.png,0,0\nb/3.png,1,maybe\nÄ b/4.png,,1\n"
    found = label_files(table(tmp_path, text), FILES, settings(label_columns=("A", "B")))
    assert (found.task, found.classes) == (Task.MULTILABEL, ("A", "B"))
    assert found.files["a/1.png"].labels == ("A",)
    assert found.files["a/2.png"].labels == ()
    assert found.files["b/3.png"].code == "L06"
    assert "Row 4" in found.files["b/3.png"].reason
    assert "maybe" not in found.files["b/3.png"].reason
    assert found.files["Ä b/4.png"].code == "L02"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "L14"),
        ("file,label\n", "L14"),
        ("name,label\n1,2\n", "L12"),
        ('file,label\n"x\n', "L11"),
        ("file,label,label\n1,2,3\n", "L15"),
    ],
)
def test_case_44_unusable_tables(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(DataError, match=code):
        label_files(table(tmp_path, text), FILES, settings())


def test_a_missing_table_and_a_wrong_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="L10"):
        label_files(tmp_path, FILES, settings(labels="csv"))
    files = [f"{number}.png" for number in range(150)]
    rows = "".join(f"{number}.png,{number}\n" for number in range(150))
    with pytest.raises(DataError, match="L13"):
        label_files(table(tmp_path, "file,label\n" + rows), files, settings())


def test_labels_carry_no_control_characters() -> None:
    assert clean_label(" a\u202eb\x00\n" + "x" * 300) == "ab" + "x" * 198


def test_case_44_rows_that_are_too_long_or_quoted(tmp_path: Path) -> None:
    rows = [
        'file,"label, as read",patient_id', 'a/1.png,"x, y",7', "a/2.png,x,y,7",
        'b/3.png,"two', 'lines",1', "Ä b/4.png,,1",
    ]  # fmt: skip
    text = "\n".join(rows)
    chosen = settings(label_columns=("label, as read",))
    found = label_files(table(tmp_path, text), FILES, chosen)
    assert found.files["a/1.png"].labels == ("x, y",)
    assert found.files["a/2.png"].code == "L08"
    assert "Row 3" in found.files["a/2.png"].reason
    assert found.files["b/3.png"].labels == ("twolines",)
    assert "Row 6" in found.files["Ä b/4.png"].reason  # row 4 runs over two lines


def test_a_tab_separated_table_under_its_own_ending(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("file\tlabel\na/1.png\tx\n", encoding="utf-8")
    found = label_files(tmp_path, FILES, settings())
    assert found.files["a/1.png"].labels == ("x",)


def test_a_proposed_split_is_kept(tmp_path: Path) -> None:
    text = "file,label,split\na/1.png,x,TRAIN\na/2.png,x,val\nb/3.png,x,holdout\nÄ b/4.png,x,\n"
    found = label_files(table(tmp_path, text), FILES, settings())
    assert [found.files[file].split for file in FILES] == ["train", "validation", "", ""]
    assert found.notes[0].endswith("test in row 4 of the table; nothing is proposed there.")
    folders = label_by_folders(["train/sick/1.png", "test/well/2.png"])
    assert [label.split for label in folders.files.values()] == ["train", "test"]


def test_a_patient_column_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    folder = table(tmp_path, "file,label\na/1.png,x\n")
    with pytest.raises(DataError, match=r"L12.*'who'"):
        label_files(folder, FILES, settings(patient_column="who"))
    with pytest.raises(DataError, match=r"L12.*'part'"):
        label_files(folder, FILES, settings(split_column="part"))


def test_columns_are_proposed_not_assumed(tmp_path: Path) -> None:
    rows = [
        "id,image,subject,diagnosis,site,set",
        "1,a/1.png,7,sick,A,train", "2,a/2.png,7,well,A,test", "3,3.png,8,well,B,train",
    ]  # fmt: skip
    proposal = propose_columns(read_table(table(tmp_path, "\n".join(rows)) / "labels.csv"), FILES)
    assert (proposal.file, proposal.found) == ("image", 1.0)
    assert (proposal.labels, proposal.patient, proposal.split) == (("diagnosis",), "subject", "set")
    findings = "file,A,B,C\na/1.png,1,0,1\na/2.png,0,0,1\n"
    proposal = propose_columns(read_table(table(tmp_path, findings) / "labels.csv"), FILES)
    assert proposal.labels == ("A", "B", "C")
    strange = read_table(table(tmp_path, "x,y\n1,1\n2,1\n") / "labels.csv")
    assert propose_columns(strange, FILES).file == ""
