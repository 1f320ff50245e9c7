from pathlib import Path

import pytest

from netstitch.errors import ExperimentError
from netstitch.experiments import read_experiment
from netstitch.experiments.experiment_file import SHIPPED, find_experiment, shipped

TEXT = """
seed = 3

[[networks]]
model = "models.py:one"

[[networks]]
model = "models.py:two"
weights = "two.safetensors"

[task]
classes = 10

[task.training]
source = "train.npz"

[task.validation]
source = "val.npz"

[fit]
method = "least-squares"

[search]
population = 32
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "my-pair.toml"


def refused(file, text):
    file.write_text(text)
    with pytest.raises(ExperimentError) as caught:
        read_experiment(file)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{file}: ") or str(file) in message
    return message.removeprefix(f"{file}: ")


def test_a_file_gets_its_name_and_folder(file):
    file.write_text(TEXT)
    experiment = read_experiment(file)
    assert experiment.name == "my-pair"
    assert experiment.seed == 3
    assert experiment.located("val.npz") == file.parent.resolve() / "val.npz"
    assert [network.name for network in experiment.networks] == ["one", "two"]


@pytest.mark.parametrize(
    "old, new, expected",
    [
        (
            "seed",
            "sead",
            "the top level has no setting 'sead'; did you mean 'seed'? expected one of name,",
        ),
        ("[search]", "[serach]", "the top level has no setting 'serach'; did you mean 'search'?"),
        ("weights", "wieghts", "[[networks]] number 2 has no setting 'wieghts'; did you mean 'w"),
        ("population", "popluation", "[search] has no setting 'popluation'; did you mean 'popu"),
        ('source = "v', 'sorce = "v', "[task.validation] has no setting 'sorce'; did you mean"),
        ("[fit]", "[fit]\nrigde = 1.0", "[fit] has no setting 'rigde'; did you mean 'ridge'?"),
        (
            "[fit]",
            "[fit]\nsamples = 1",
            "[fit] has no setting 'samples'; expected one of ridge, holdout, m",
        ),
        ("classes = 10", "", "[task]: it lacks the key 'classes'; expected the number of classes"),
        (
            "[task.training]\nsource",
            "source",
            "[task] has no setting 'source'; expected one of kind,",
        ),
        ('model = "models.py:one"', "", "[[networks]] number 1 lacks the key 'model'; expected"),
        ("= 10", '= "ten"', "'classes' in [task] is 'ten'; expected a valid integer"),
        ("= 10", "= 1", "'classes' in [task] is 1; expected 2 or more"),
        ("= 10", "= 2.5", "'classes' in [task] is 2.5; expected a valid integer"),
        ("= 3", "= true", "seed is True; expected a valid integer"),
        ("= 3", "= -1", "seed is -1; expected 0 or more"),
        ("= 32", "= 3", "'population' in [search] is 3; expected a whole number of 4 or more, or"),
        ("= 32", "= true", "'population' in [search] is True; expected a whole number of 4 or"),
        ("= 32", "= 'swep'", "'population' in [search] is 'swep'; expected a whole number of 4"),
        (
            "= 32",
            "= 'sweep'\nalgorithm = 'ga'\nevaluations = 99",
            "a sweep of population sizes begins with 128",
        ),
        (
            "= 32",
            "= 32\nalgorithm = 'ga'\nsettings.tie_replace = true",
            "no setting 'tie_replace'; did you mean 'ties_replace'? expected one of mutation",
        ),
        (
            "= 32",
            "= 32\nalgorithm = 'ga'\nevaluations = 9",
            "[search]: the budget of 9 evaluations is smaller than",
        ),
        ("= 32", "= 'sweep'", "'surrogate' has none: give one that has, such as 'ga', or no"),
        ("= 32", "= 32\nthreshold = 50", "'threshold' in [search] is 50; expected less than 1"),
        ("= 32", '= 32\nalgorithm = "gaa"', "'algorithm' in [search] is 'gaa'; did you mean 'ga'"),
        (
            "= 10",
            '= 10\nkind = "classificaton"',
            "is 'classificaton'; did you mean 'classification",
        ),
        ("= 10", '= 10\nimages = "nhwc"', "'images' in [task] is 'nhwc'; expected a table"),
        ("= 10", '= 10\nimages.mean = [1, "a", 2]', "value 2 of 'mean' in [task.images] is 'a'"),
        ("= 10", "= 10\nimages.std = [0.5, 0.5]", "[task.images]: mean has 3 values and std 2"),
        (
            "[fit]",
            '[matching]\nobjective = "savings"\n[fit]',
            "'objective' in [matching] is 'savings'; it was removed: give 'count' or 'balanced'",
        ),
        (
            '"least-squares"',
            '"least-square"',
            "[fit]: unknown fitting method 'least-square'; did you mean 'least-squares'",
        ),
        (
            '"least-squares"',
            "3",
            "[fit]: unknown fitting method 3; expected one of least-squares, adam",
        ),
        (
            'method = "least-squares"',
            "ridge = -1",
            "'ridge' in [fit] is -1; expected 0 or more",
        ),
        (
            'method = "least-squares"',
            'ridge = "best"',
            "'ridge' in [fit] is 'best'; expected a valid number",
        ),
        (
            'method = "least-squares"',
            "ridge = inf",
            "'ridge' in [fit] is inf; expected a finite number",
        ),
        (
            'method = "least-squares"',
            'ridge = "held-out"',
            "'ridge' in [fit] is 'held-out'; it was removed: give a number of 0 or more, or leave",
        ),
        (
            '"least-squares"',
            '"sequential"',
            "[fit]: unknown fitting method 'sequential'; it was removed: "
            "give 'least-squares', and refine",
        ),
        (
            '"least-squares"',
            '"adam"\nridge = 1',
            "[fit] has no setting 'ridge'; expected one of learning_",
        ),
        (
            "[fit]",
            "[fit]\nseed = 3",
            "[fit]: the seed is that of the whole run; give it",
        ),
        (
            "seed = 3",
            "refine = {views = {flip = true}}",
            "[refine]: views are the task's; give them in the table [task.views]",
        ),
        (
            "seed = 3",
            "evaluation = {cache = 2.0}",
            "'cache' in [evaluation] is 2.0; activations are no longer kept between evaluations",
        ),
        (
            "seed = 3",
            'evaluation = {device = "gpu"}',
            "'device' in [evaluation] is 'gpu'; expected",
        ),
    ],
)
def test_what_a_wrong_key_or_value_gets(file, old, new, expected):
    assert old in TEXT
    assert expected in refused(file, TEXT.replace(old, new, 1))


def test_a_table_given_as_text(file):
    message = refused(file, 'fit = "adam"\n' + TEXT.replace('[fit]\nmethod = "least-squares"', ""))
    assert "fit is 'adam'; expected a table" in message


def test_one_network_is_not_enough(file):
    start, end = TEXT.index("[[networks]]"), TEXT.rindex("[[networks]]")
    message = refused(file, TEXT[:start] + TEXT[end:])
    assert "networks is a list of 1 table; expected at least 2" in message


def test_two_networks_of_one_name(file):
    message = refused(file, TEXT.replace("model =", 'name = "net"\nmodel ='))
    assert "two networks are named 'net'" in message


def test_a_misspelt_key_is_told_before_the_one_it_leaves_missing(file):
    message = refused(file, TEXT.replace("classes", "clases").replace("seed = 3", "seed = -3"))
    assert message.startswith("[task] has no setting 'clases'; did you mean 'classes'?")
    assert message.endswith("(1 more problem)")


def test_what_is_no_toml_gets_the_line(file):
    assert "is no valid TOML" in refused(file, "seed = 1\nname 'x'\n")
    assert "line 2" in refused(file, "seed = 1\nname 'x'\n")


def test_files_that_cannot_be_read(file, tmp_path):
    with pytest.raises(ExperimentError, match=r"my-pair\.toml: the experiment file is not there"):
        read_experiment(file)
    with pytest.raises(ExperimentError, match="is a directory"):
        read_experiment(tmp_path)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ExperimentError, match="UTF-8"):
        read_experiment(file)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_folder_of_that_name_does_not_hide_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    assert find_experiment(name) == SHIPPED / f"{name}.toml"


def test_a_file_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "voc").touch()
    assert find_experiment("voc") == Path("voc")


def test_the_nearest_name_is_told() -> None:
    with pytest.raises(ExperimentError, match="did you mean 'imagenet-a'"):
        find_experiment("imagnet-a")
