"""The start of worker processes."""

import subprocess
import sys
from pathlib import Path

STARTING = """
import os, sys
sys.path[:] = [path for path in sys.path if path != os.path.abspath(sys.argv[1])]
from netstitch.optimization.executors.process_start import start_context

if __name__ == "__main__":
    os.chdir(sys.argv[1])
    worker = start_context(["netstitch.errors"]).Process(target=print, args=("a worker", ))
    worker.start()
    worker.join()
    print("PYTHONSAFEPATH" in os.environ)
"""


def test_workers_do_not_run_what_lies_in_the_current_folder(tmp_path: Path) -> None:
    here = tmp_path / "received"
    here.mkdir()
    for name in ("multiprocessing", "threading", "numpy", "pickle", "logging", "sitecustomize"):
        (here / f"{name}.py").write_text(f"open({str(tmp_path / 'PWNED')!r}, 'w')\n")
    (tmp_path / "start.py").write_text(STARTING)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "start.py"), str(here)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split("\n")[:2] == ["a worker", "False"]
    assert not (tmp_path / "PWNED").exists()
