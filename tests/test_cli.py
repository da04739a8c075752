"""The command line as a stranger meets it: data on stdout, talk on stderr, documented exit codes."""

import json
import subprocess
import sys

import pytest

PAGE = """
title = "Does width help on sin?"
task = { function = "sin", low = -3, high = 3, points = 40 }
model.narrow.mlp = [3]
model.wide.mlp = [20]
optimizer.adam.lr = 1e-2
epochs = 60
replicates = 6
claims = ["less(loss, wide, than=narrow)"]
quick.epochs = 20
"""


def gradlab(*arguments, cwd=None, env=None):
    command = [sys.executable, "-m", "gradlab", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, check=False, timeout=240)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "width.toml").write_text(PAGE)
    done = gradlab("run", "width.toml", "--workers", 1, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_a_run_ends_with_verdicts_and_a_page(ran):
    folder, [result] = ran
    [verdict] = result["verdicts"]
    assert verdict["outcome"] == "supported"
    assert verdict["n"] == [6, 6]
    page = (folder / "lab" / "pages" / "width.html").read_text()
    assert "Does width help on sin?" in page
    assert result["page"].endswith("width.html")


def test_the_same_command_computes_nothing_and_finds_the_same(ran):
    folder, [result] = ran
    again = gradlab("run", "width.toml", "--workers", 1, "--json", cwd=folder)
    assert json.loads(again.stdout)[0]["digest"] == result["digest"]
    told = gradlab("run", "width.toml", "--workers", 1, cwd=folder)
    assert told.returncode == 0
    assert "supported" in told.stdout
    assert "width.html" in told.stdout


def test_more_replicates_extend_and_spend_alpha(ran, tmp_path):
    import shutil

    folder, _ = ran
    shutil.copytree(folder, tmp_path / "copy")
    done = gradlab("run", "width.toml", "--replicates", 8, "--workers", 1, "--json", cwd=tmp_path / "copy")
    [verdict] = json.loads(done.stdout)[0]["verdicts"]
    assert verdict["extension"] == 1
    assert verdict["alpha"] == pytest.approx(0.0125)


def test_runs_export_and_digest_read_the_lab(ran):
    folder, [result] = ran
    listed = json.loads(gradlab("runs", "--json", cwd=folder).stdout)
    assert len(listed) == 12
    assert {run["state"] for run in listed} == {"done"}
    assert gradlab("digest", "width.toml", cwd=folder).stdout.strip() == result["digest"]
    for form in ("csv", "json", "parquet"):
        written = gradlab("export", "out", "--format", form, cwd=folder)
        assert written.returncode == 0, written.stderr
        assert all(line.endswith(form) for line in written.stdout.split())


def test_report_trains_nothing(ran):
    folder, [result] = ran
    done = gradlab("report", "width.toml", "--json", "--figures", "svg", "--out", "pages", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["digest"] == result["digest"]
    assert list((folder / "pages" / "width-figures").glob("*.svg"))


def test_the_quick_budget_says_that_it_is_preliminary(ran):
    folder, _ = ran
    done = gradlab("run", "width.toml", "--budget", "quick", "--workers", 1, "--json", cwd=folder)
    assert json.loads(done.stdout)[0]["verdicts"][0]["outcome"].startswith("preliminary-")


def test_show_prints_the_plan_and_creates_nothing(tmp_path):
    (tmp_path / "width.toml").write_text(PAGE)
    done = gradlab("show", "width.toml", "--set", "replicates=3", "--json", cwd=tmp_path)
    plan = json.loads(done.stdout)
    assert [c["parameters"] for c in plan["conditions"]] == [10, 61]
    assert plan["runs"] == 6
    assert [path.name for path in tmp_path.iterdir()] == ["width.toml"]
    assert "12 runs" in gradlab("show", "width.toml", cwd=tmp_path).stdout


def test_a_bad_study_exits_2_tells_everything_and_creates_nothing(tmp_path):
    (tmp_path / "bad.toml").write_text(PAGE.replace("epochs = 60", "epoch = 60\nbatch_size = 0"))
    done = gradlab("run", "bad.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'epochs'" in done.stderr
    assert "batch_size" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]
    as_json = gradlab("show", "bad.toml", "--json", cwd=tmp_path)
    assert {problem["path"] for problem in json.loads(as_json.stdout)["problems"]} >= {
        "epoch",
        "epochs",
        "batch_size",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "reports/002/sim-sink"], 2, "did you mean 'reports/002/sim-sinc'"),
        (["run", "reports/002/sim-sinc", "--set", "replicates"], 2, "key=value"),
        (["rnu"], 2, "run"),
        (["run", "reports/002/sim-sinc", "--workers", "0"], 2, "workers"),
        (["report", "reports/002/sim-sinc", "--lab", "nowhere"], 5, "nowhere"),
        (["runs", "--lab", "nowhere"], 5, "nowhere"),
        (["bench", "everything"], 2, "kernel"),
        (["bench", "everything"], 2, "exact"),
        (["instruments", "landscapes"], 2, "did you mean 'landscape'"),
        (
            [
                "measure",
                "trace",
                "--weights",
                "w.pt",
                "--model",
                "mlp = [3]",
                "--data",
                "digits",
                "--set",
                "probs=3",
            ],
            2,
            "did you mean 'probes'",
        ),
        (["measure", "trace", "--weights", "w.pt", "--model", "mlp = [3]", "--data", "digits"], 2, "w.pt"),
    ],
)
def test_mistakes_have_a_code_and_a_clear_word(tmp_path, arguments, code, words):
    done = gradlab(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_list_names_each_study_in_json():
    listed = json.loads(gradlab("list", "--json").stdout)
    assert {"reports/000/sim-sinc", "reports/004/sim-sgn"} <= {entry["name"] for entry in listed}


def test_instruments_are_listed_and_told_of():
    lines = gradlab("instruments").stdout.splitlines()
    assert any(line.startswith("eigenvalues  ") for line in lines)
    told = json.loads(gradlab("instruments", "eigenvalues", "--json").stdout)
    assert told["settings"]["top"]["default"] == 5
    assert told["values"]["top"]["axis"] == "rank"


def test_help_and_list_load_nothing_heavy():
    code = (
        "import sys\nfrom gradlab.cli import main\n"
        "try: main([{!r}])\nexcept SystemExit: pass\n"
        "heavy = {{'torch', 'numba', 'polars', 'scipy', 'sklearn', 'altair', 'numpy'}} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    for argument in ("--help", "list", "instruments"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(argument)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_a_closed_pipe_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m gradlab list | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
