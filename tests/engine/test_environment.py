import json
import subprocess

from gradlab.engine.environment import cores, environment


def test_it_says_what_bits_may_depend_on():
    facts = environment()
    assert set(facts["packages"]) >= {"gradlab", "torch", "numpy", "numba"}
    assert facts["processor"]["model"]
    assert facts["cores"] == cores() >= 1
    json.dumps(facts, allow_nan=False)


def test_it_keeps_no_secret(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for command in (
        ["init", "-q"],
        ["remote", "add", "origin", "https://me:hunter2@example.org/lab.git?token=hunter2"],
        [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "first",
        ],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    facts = environment(tmp_path)
    assert facts["source"]["remote"] == "https://example.org/lab.git"
    assert len(facts["source"]["commit"]) == 40
    assert facts["variables"]["OMP_NUM_THREADS"] == "1"
    assert "hunter2" not in json.dumps(facts)


def test_a_folder_outside_any_repository_has_no_commit(tmp_path):
    assert "source" not in environment(tmp_path)
