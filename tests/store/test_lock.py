import os
import signal
import subprocess
import sys

import pytest

from gradlab.errors import StoreError
from gradlab.store import lock
from gradlab.store.lock import Lock

HOLDER = """
import sys, time
from pathlib import Path
from gradlab.store.lock import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lab.lock")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_told_who_holds_the_lock(tmp_path, holder):
    with pytest.raises(StoreError) as caught:
        Lock(tmp_path / "lab.lock")
    message = str(caught.value)
    assert f"process {holder.pid} on {os.uname().nodename} since 20" in message
    assert "lab.lock" in message  # the command
    assert caught.value.exit_code == 5


def test_the_lock_ends_with_its_process_and_what_it_wrote_means_nothing(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert f"pid {holder.pid}" in (tmp_path / "lab.lock").read_text()
    own = Lock(tmp_path / "lab.lock")
    assert f"pid {os.getpid()}" in (tmp_path / "lab.lock").read_text()
    own.release()


def test_releasing_clears_the_text_and_may_happen_twice(tmp_path):
    held = Lock(tmp_path / "lab.lock")
    held.release()
    held.release()
    assert (tmp_path / "lab.lock").read_text() == ""
    Lock(tmp_path / "lab.lock").release()


def test_one_lab_under_two_paths_has_one_lock(tmp_path):
    (tmp_path / "lab").mkdir()
    (tmp_path / "other").symlink_to(tmp_path / "lab")
    held = Lock(tmp_path / "lab" / "lab.lock")
    with pytest.raises(StoreError, match="in use by process"):
        Lock(tmp_path / "other" / "lab.lock")
    held.release()


def test_a_file_system_that_keeps_no_locks_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_take", lambda handle: True)
    with pytest.raises(StoreError, match="local disk"):
        Lock(tmp_path / "lab.lock")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "lab.lock").mkdir()
    with pytest.raises(StoreError, match="Is a directory"):
        Lock(tmp_path / "lab.lock")
