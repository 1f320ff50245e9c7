import bz2
import gzip
import json
import lzma
import os
import re
import shlex
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from weights_examples import holds, loaded, model, refused

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is empty (0 bytes)"),
        (bytes(5000), "zeros where a file should begin"),
        (b"<!DOCTYPE html>\n<html><head></head></html>", "is an HTML page"),
        (b"\xef\xbb\xbf  <HTML>", "is an HTML page"),
        ("<html><title>caf\u00e9</title>".encode("latin-1"), "is an HTML page"),
        ("<html><title>Sign\n in</title>".encode("utf-16"), "is an HTML page ('Sign in')"),
        (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "is an XML document"),
        (POINTER, "is a Git LFS pointer to a file elsewhere"),
        (b"/annex/objects/SHA256E-s1--ab.pth\n", "is a git-annex pointer"),
        (b"404: Not Found", "is text ('404: Not Found')"),
        (b'{"error": "Unauthorized"}', "is JSON"),
        (gzip.compress(b"weights", mtime=0), "is compressed by gzip"),
        (bz2.compress(b"weights"), "is compressed by bzip2"),
        (lzma.compress(b"weights"), "is compressed by xz"),
        (b"\x89HDF\r\n\x1a\n" + bytes(90), "is an HDF5 file, such as Keras writes"),
        (b"\x08\x08\x12\x07pytorch\x1a\x052.9.0", "is an ONNX file"),
        (b"GGUF\x03\x00", "is a GGUF file"),
        (b"\x1c\x00\x00\x00TFL3", "is a TensorFlow Lite file"),
        (b"\xde\xad\xbe\xef" * 9, "it begins with the bytes de ad be ef"),
        (b"PK\x03\x04" + bytes(90), "a zip archive that is cut off or damaged (94 bytes)"),
    ],
)
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_is_called_what_it_is(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    assert words in refused(tmp_path / name)


def test_a_pointer_comes_with_the_whole_command(tmp_path):
    path = tmp_path / "my weights.safetensors"
    path.write_bytes(POINTER)
    command = f"git -C {shlex.quote(str(tmp_path))} lfs pull --include 'my weights.safetensors'"
    assert refused(path).endswith(f"fetch it: {command}")


def test_archives_of_other_things_are_called_that(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"weights")
    with tarfile.open(tmp_path / "w.pth.tar", "w") as archive:
        archive.add(tmp_path / "weights.pth", "weights.pth")
    assert "is a tar archive of weights.pth" in refused(tmp_path / "w.pth.tar")
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.write(tmp_path / "weights.pth", "weights.pth")
    message = refused(tmp_path / "w.pth")
    assert "is a zip archive of weights.pth" in message
    assert "unpack it and give the file of weights that is in it" in message
    with tarfile.open(tmp_path / "w.pt", "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            archive.add(tmp_path / "weights.pth", name)
    assert "the format that torch.save had until 2017" in refused(tmp_path / "w.pt")
    np.savez(tmp_path / "w.npz", a=np.ones(2))
    assert "an archive of NumPy's arrays" in refused(tmp_path / "w.npz")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_programs_are_called_that(tmp_path):
    inputs = torch.zeros(2, 2)
    torch.jit.trace(model().eval(), inputs).save(str(tmp_path / "w.pt"))
    assert "is a TorchScript archive" in refused(tmp_path / "w.pt")
    torch.export.save(torch.export.export(model().eval(), (inputs,)), tmp_path / "w.pt2")
    assert "is an archive of torch.export (.pt2)" in refused(tmp_path / "w.pt2")


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_an_index_of_split_weights_comes_with_the_way_to_join_them(tmp_path, ending):
    state = model().state_dict()
    halves = [{key: state[key] for key in list(state)[part::2]} for part in range(2)]
    places = {}
    for part, half in enumerate(halves, 1):
        name = f"model-0000{part}-of-00002.{ending}"
        places |= dict.fromkeys(half, name)
        (save_file if ending == "safetensors" else torch.save)(half, tmp_path / name)
    path = tmp_path / f"model.{ending}.index.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    message = refused(path)
    assert "the index of weights that are split over 2 files" in message
    [program] = re.findall(r"join them: python -c (.*), and give that file", message)
    exec(shlex.split(program)[0], {})
    assert holds(loaded(tmp_path / "joined.safetensors")[0], state)


def test_a_folder_is_called_that_and_what_is_in_it_named(tmp_path):
    folder = tmp_path / "resnet18"
    folder.mkdir()
    assert "is a folder; give a file of weights" in refused(folder)
    (folder / "pytorch_model.bin").touch()
    (folder / "config.json").touch()
    assert "give a file in it, such as pytorch_model.bin" in refused(folder)


def test_what_is_not_there_or_no_file(tmp_path):
    assert "is not there; check the path" in refused(tmp_path / "w.pt")
    os.mkfifo(tmp_path / "pipe.pt")
    assert "is no regular file" in refused(tmp_path / "pipe.pt")
    (tmp_path / "link.pt").symlink_to("nowhere")
    assert "is not there" in refused(tmp_path / "link.pt")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    (tmp_path / "w.pt").write_bytes(b"x")
    (tmp_path / "w.pt").chmod(0)
    assert "cannot be read (Permission denied)" in refused(tmp_path / "w.pt")
