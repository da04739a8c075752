import io
import os

import pytest

from gradlab.engine import progress
from gradlab.engine.progress import Plain, Progress, Snapshot, Terminal, progress_for


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests move."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_come_now_and_then(clock):
    stream = io.StringIO()
    told = Plain(stream)
    told.start(10, 4, {"a": 2, "b": 4})
    for second in range(100):
        clock[0] = 100.0 + second
        told.update(Snapshot({"a": second // 50}, 1000 * second, 60.0, 1, 0))
    told.finish()
    assert stream.getvalue().splitlines() == [
        "4 of 10 runs are stored already; 6 to train or to go on with",
        "4 of 10 runs, 1,000 epochs/s, 60 s left, 1 diverged",
        "4 of 10 runs, 1,000 epochs/s, 60 s left, 1 diverged",
        "5 of 10 runs, 1,000 epochs/s, 60 s left, 1 diverged",
        "5 of 10 runs, 1,000 epochs/s, 60 s left, 1 diverged",
    ]


def test_before_the_first_epoch_no_rate_is_made_up(clock):
    stream = io.StringIO()
    told = Plain(stream)
    told.start(10, 0, {"a": 10})
    clock[0] += 6
    told.update(Snapshot())
    assert stream.getvalue() == "workers are starting\n"


def test_a_closed_stream_is_no_error(clock):
    stream = io.StringIO()
    told = Plain(stream)
    stream.close()
    told.start(1, 1, {"a": 1})
    told.say("anything")


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_a_terminal_has_a_line_for_each_condition_and_one_for_the_rest(term, monkeypatch):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", "100")
    screen = Screen()
    told = progress_for(quiet=False, stream=screen)
    assert isinstance(told, Terminal)
    for _ in range(2):  # tuning, then the study
        told.start(62, 2, {f"condition [{number}]": 3 for number in range(20)})
        told.update(Snapshot({"condition [0]": 1, "condition [19]": 2}, 1000, 5.0, 0, 1))
        told.say("a [bold] worker died")
        told.finish()
    assert "a [bold] worker died" in screen.getvalue()
    assert "2 of 62 runs are stored already" in screen.getvalue()
    if term != "dumb":
        assert "condition [0]" in screen.getvalue()
        assert "9 more conditions" in screen.getvalue()


def test_quiet_and_pipes():
    assert type(progress_for(quiet=True)) is Progress
    with open(os.devnull, "w") as pipe:
        assert isinstance(progress_for(quiet=False, stream=pipe), Plain)
