"""TOML pages and Python files say the same."""

import tomllib

import jsonschema
import pytest

from gradlab import MLP, Adam, Function, Study, StudyError, less, load
from gradlab.study.schema import study_schema
from gradlab.study.toml import parse_setting, parse_settings, read_toml

PAGE = """
title = "Does depth help at equal size?"
task = { function = "sinc", low = -5, high = 5, points = 500 }
model.deep.mlp = [5, 10, 10, 10, 10, 10, 5]
model.shallow.mlp = [190]
optimizer.adam.lr = 1e-3
epochs = 20_000
replicates = 20
record = ["loss", "gradient_norm"]
claims = ["less(loss, deep, than=shallow)"]
quick.optimizer.lr = 1e-2
"""


def test_the_toml_page_is_the_python_page():
    in_python = Study(
        title="Does depth help at equal size?",
        task=Function("sinc", low=-5, high=5, points=500),
        model={"deep": MLP(5, 10, 10, 10, 10, 10, 5), "shallow": MLP(190)},
        optimizer=Adam(lr=1e-3),
        epochs=20_000,
        replicates=20,
        record=["loss", "gradient_norm"],
        claims=[less("loss", "deep", than="shallow")],
    )
    from_toml = read_toml(PAGE)
    assert [run.id for run in from_toml.plan().runs] == [run.id for run in in_python.plan().runs]
    assert from_toml.claims == in_python.claims
    assert from_toml.budgeted("quick").optimizer == Adam(lr=1e-2)


def test_the_schema_takes_the_page_and_refuses_a_misspelt_key():
    schema = study_schema()
    jsonschema.validate(tomllib.loads(PAGE), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(PAGE.replace("epochs", "epoch")), schema)
    varied = PAGE.replace("optimizer.adam.lr = 1e-3", "optimizer.adam.lr = { vary = [1e-3, 1e-2] }")
    jsonschema.validate(tomllib.loads(varied), schema)
    assert len(read_toml(varied).plan().conditions) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optimizer.lr=1e-4", ("optimizer.lr", 1e-4)),
        ("batch_size=full", ("batch_size", "full")),
        ("model.deep.hidden=[3, 4]", ("model.deep.hidden", [3, 4])),
        ("title=a = b", ("title", "a = b")),
    ],
)
def test_settings_of_the_shell_are_toml_or_text(text, expected):
    assert parse_setting(text) == expected


def test_a_setting_without_a_key_is_refused():
    for text in ("replicates", "=3"):
        with pytest.raises(StudyError, match="key=value"):
            parse_settings([text])


def test_files_load_and_know_where_they_came_from(tmp_path):
    toml = tmp_path / "depth.toml"
    toml.write_text(PAGE)
    assert load(toml).source == str(toml)
    python = tmp_path / "depth.py"
    python.write_text(
        "from gradlab import MLP, Adam, Function, Study\n"
        'study = Study(title="t", task=Function("sin", low=0, high=1, points=9), model=MLP(3),'
        " optimizer=Adam(lr=0.1), epochs=2)\n"
    )
    assert load(python).title == "t"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("study.py", "x = 1", "defines no `study`"),
        ("study.py", "study = 3", "not a gradlab.Study"),
        ("study.toml", "title = ", "is not valid TOML"),
        ("study.py", "from gradlab import Adam\nAdam(lr=-1)", "Adam.lr: must be greater than 0"),
        ("study.py", "x = 1\nx / 0", "line 2.*division by zero|division by zero.*line 2"),
        ("study.py", "x = (", "SyntaxError"),
        ("study.yaml", "title: x", "is not a study file"),
    ],
)
def test_files_without_a_study_are_refused(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(StudyError, match=words):
        load(path)


def test_a_missing_file_is_told():
    with pytest.raises(StudyError, match="no such file"):
        load("nowhere.toml")
