import sys

import pytest

from netstitch.errors import ExportError
from netstitch.exporting.formats import FORMATS, choose_formats


def test_formats_come_in_the_order_given():
    assert list(choose_formats(["onnx", "json", "onnx"])) == ["onnx", "json"]


@pytest.mark.parametrize("names", [[], "json"])
def test_no_list_of_formats(names):
    with pytest.raises(ExportError, match="expected a list of at least one of json, pt2, onnx"):
        choose_formats(names)


def test_unknown_format():
    with pytest.raises(ExportError, match="'tflite' is not known; choose from json, pt2, onnx"):
        choose_formats(["json", "tflite"])


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ExportError, match="needs onnxscript, not installed here; `pip install"):
        choose_formats(["json", "onnx"])
    assert list(choose_formats(["json", "pt2"])) == ["json", "pt2"]


def test_every_format_names_its_files_once():
    files = [file for form in FORMATS.values() for file in form.files]
    assert len(set(files)) == len(files)
