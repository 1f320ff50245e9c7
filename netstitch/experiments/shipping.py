"""Experiments that come with the package, by name."""

from pathlib import Path

from netstitch.errors import ExperimentError
from netstitch.text import did_you_mean

SHIPPED = Path(__file__).parent / "shipped"


def shipped() -> dict[str, Path]:
    """The files of all shipped experiments, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def is_shipped(path: Path) -> bool:
    """Whether a file came with the package."""
    return path.parent == SHIPPED


def find_experiment(name: Path | str) -> Path:
    """The file of an experiment: a path, or the name of one that comes with the package.

    Raises ExperimentError, with the nearest name, where it is neither.
    """
    path, known = Path(name), shipped()
    # A folder of that name may be the data set's.
    if path.is_file() or path.suffix or len(path.parts) != 1:
        return path
    if str(name) not in known:
        raise ExperimentError(
            f"{str(name)!r} is neither a file nor a shipped experiment; "
            f"{did_you_mean(str(name), known)}expected a .toml file, or one of {', '.join(known)}"
        )
    return known[str(name)]
