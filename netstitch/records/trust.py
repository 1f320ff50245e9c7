"""Trust in the Python that a run names: its user's own runs without a word, others are refused.

run.json names the Python files that give a run's samples and models. To go on, it is run again; so
whoever opens a folder that came from elsewhere would run what its sender likes. Therefore a run is
signed with a key that only its user has: which functions it names, and the content of each file
that was run for them. Only what was signed is run again, down to the modules that a file imports
from beside it. The address of a Ray cluster is signed too, since whoever runs a cluster can run
code in what connects to it.
"""

import hmac
import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import filelock
from pydantic import BaseModel, ConfigDict

from netstitch.errors import NetstitchError, StorageError
from netstitch.events import Listener, Message, ignore
from netstitch.experiments import Experiment, RunSettings
from netstitch.experiments.sample_sources import names_function
from netstitch.networks.sources.functions import Located, is_function, is_own, locate
from netstitch.networks.sources.importing import Permission, digest, files_run
from netstitch.networks.sources.model_sources import function_of
from netstitch.records.run_document import RunDocument
from netstitch.records.signing_key import make_key, read_key
from netstitch.text import quoted

SIGNATURE = "signature"
"""The key of run.json."""


class ConfigSignature(BaseModel):
    """A user's word for the Python that a run names.

    Attributes:
        functions: As `locate` names them.
        files: Digests of what was run for them, by absolute path.
        address: Of the Ray cluster that the run names.
        code: Of the others, by the user's key.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    functions: tuple[str, ...]
    files: dict[str, str]
    address: str | None = None
    code: str


def named_by(experiment: Experiment) -> tuple[list[Located], list[Located]]:
    """Return the Python functions that an experiment names for its samples, and for its models.

    Those of this package are left out.
    """
    task = experiment.task
    tables = (task.training, task.validation, task.test)
    sources = [table.source for table in tables if table is not None]
    samples = [source for source in sources if names_function(experiment, source)]
    models = [function_of(network.model) for network in experiment.networks]

    def located(specs: Iterable[str | None]) -> list[Located]:
        return [
            locate(spec, Path(experiment.folder))
            for spec in specs
            if spec is not None and is_function(spec) and not is_own(spec)
        ]

    return located(samples), located(models)


def signed(config: Mapping[str, object], listener: Listener = ignore) -> dict[str, object] | None:
    """Return the signature with which the Python of a run counts as this user's, as plain data.

    It is None where the run names no Python and no cluster, or goes unsigned since the user's key
    cannot be kept, of which the listener is warned.
    """
    try:
        experiment = Experiment.model_validate(config)
    except ValueError:  # it was begun from Python, and names no functions
        return None
    samples, models = named_by(experiment)
    named, address = samples + models, experiment.evaluation.address
    if not named and address is None:
        return None
    functions = sorted({one.name for one in named})
    # Of models too that this process had no need to build.
    found = {file: _digest_of(file) for one in named for file in one.files}
    files = {str(file): value for file, value in found.items() if value is not None}
    for root in {one.root for one in named}:
        files |= files_run(root)
    try:
        code = _code(make_key(), functions, files, address)
    except (OSError, filelock.Timeout) as error:
        text = (
            f"the run is not signed, since the key in the state folder cannot be kept ({error}): "
            "commands that run its Python will ask for --trust; make the folder writable, or name "
            "another with XDG_STATE_HOME"
        )
        listener(Message(text, warning=True))
        return None
    return {"functions": functions, "files": files, "address": address, "code": code}


def permission_for(
    run: Path, document: RunDocument, experiment: Experiment, *, trust: bool, again: str
) -> Permission | None:
    """Return the permission to run the Python that a run's samples need; None for all of it.

    With `trust`, the user said that it may be run, whosever it is, which the command `again` does.

    Raises:
        StorageError: Python would be run that this user has not signed, or that changed since.
    """
    if trust:
        return None
    needed, models = named_by(experiment)
    if experiment.task.kind == "agreement":  # whose labels the models give
        needed += models
    if not needed:
        return Permission(frozenset(), {}, partial(_strange, run, again))
    signature = _valid(document.signature, experiment)
    if signature is None:
        raise StorageError(
            f"{run} was not made by you here, or was changed: this would run its Python, "
            f"{_listed(_shown(one) for one in needed)}; read that, and if you trust it: {again}"
        )
    files = signature.files
    changed = [path for path, known in files.items() if _digest_of(Path(path)) != known]
    if changed:
        raise StorageError(
            f"{run} would run Python that changed since the run was made: {_listed(changed)}; put "
            f"back what there was, or run it as it is now: {again}"
        )
    return Permission(frozenset(signature.functions), files, partial(_strange, run, again))


def check_cluster(run: Path, document: RunDocument, settings: RunSettings, *, again: str) -> None:
    """Raise StorageError where run.json names a Ray cluster that is not known to be this user's.

    The settings are about to be carried out; the command `again` names the cluster, but for its
    address.
    """
    address = settings.evaluation.address
    if settings.evaluation.executor != "ray" or address is None or address == "auto":
        return
    if _valid(document.signature, document.experiment(run)) is None:
        raise StorageError(
            f"{run} was not made by you here, or was changed: this would connect to the Ray "
            f"cluster at {address}, which can run code here; if you trust it: {again} "
            f"{quoted(address)}"
        )


def _valid(value: object, experiment: Experiment) -> ConfigSignature | None:
    """Return the signature where it is this user's, of what an experiment names; else None."""
    samples, models = named_by(experiment)
    functions = {one.name for one in samples + models}
    key = read_key()
    try:
        found = ConfigSignature.model_validate_json(json.dumps(value))
    except (ValueError, RecursionError):  # pydantic's own is a ValueError
        return None
    if key is None or set(found.functions) != functions:
        return None
    if found.address != experiment.evaluation.address:
        return None
    right = _code(key, found.functions, found.files, found.address)
    return found if hmac.compare_digest(right.encode(), found.code.encode()) else None


def _code(
    key: bytes, functions: Iterable[str], files: Mapping[str, str], address: str | None
) -> str:
    content = json.dumps(["netstitch run", list(functions), sorted(files.items()), address])
    return hmac.new(key, content.encode(), "sha256").hexdigest()


def _strange(run: Path, again: str, what: str) -> NetstitchError:
    return StorageError(
        f"{run} would run {what}, which it did not run when it was made; remove it, or read it and "
        f"if you trust it: {again}"
    )


def _shown(one: Located) -> str:
    """Return the file that would be run, or where none is there, the function."""
    return next((str(file) for file in one.files if file.is_file()), one.name)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _digest_of(path: Path) -> str | None:
    try:
        return digest(path.read_bytes()) if path.is_file() else None
    except OSError:
        return None
