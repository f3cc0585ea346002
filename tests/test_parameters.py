"""TaskHub promises that a file is a parameter like any other: checked when it is submitted, a path for the handler."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.exceptions import ValidationError

from tasks.parameters import FileParameter, FilesParameter, StoredFile


def upload(name: str = "a.csv", size: int = 3) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"x" * size)


def test_an_upload_and_the_id_of_a_file_are_both_taken():
    parameter, file_id, given = FileParameter(), uuid.uuid4(), upload()
    assert parameter.run_validation(given) is given
    assert parameter.run_validation(str(file_id)) == file_id


@pytest.mark.parametrize(
    ("options", "given", "sentence"),
    [
        ({}, "a.csv", "Not a file: upload one, or give the id of a file of a task."),
        ({}, 7, "Not a file: upload one, or give the id of a file of a task."),
        ({"extensions": [".csv", ".tsv"]}, upload("a.exe"), "a.exe is not of a type this takes: .csv, .tsv."),
        ({"max_bytes": 2048}, upload(size=4096), "a.csv has 4.0 KB; at most 2.0 KB are taken."),
        ({"allow_empty": False}, upload(size=0), "a.csv is empty."),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(options, given, sentence):
    with pytest.raises(ValidationError) as caught:
        FileParameter(**options).run_validation(given)
    assert [str(error).replace("\xa0", " ") for error in caught.value.detail] == [sentence]


def test_endings_are_the_same_in_upper_case():
    assert FileParameter(extensions=[".csv"]).run_validation(upload("A.CSV"))


def test_several_files_may_be_one_and_are_checked_each():
    parameter = FilesParameter(extensions=[".png"], max_bytes=2048)
    assert len(parameter.run_validation(upload("a.png"))) == 1
    with pytest.raises(ValidationError) as caught:
        parameter.run_validation([upload("a.png"), upload("b.gif")])
    assert list(caught.value.detail) == [1]
    assert (parameter.extensions, parameter.limit) == ((".png",), 2048)


def test_a_handler_opens_a_stored_file_as_a_path(tmp_path):
    path = tmp_path / "x"
    path.write_text("content")
    stored = StoredFile(uuid.uuid4(), "a.csv", path, 7)
    with open(stored) as opened:
        assert opened.read() == "content"
    assert Path(stored) == path


def test_a_stored_file_is_its_id_in_the_row(tmp_path):
    stored = StoredFile(uuid.uuid4(), "a.csv", tmp_path, 0)
    assert FileParameter().to_representation(stored) == str(stored.id)
