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
    told.start(10, 4, {"a": 2, "b": 4}, {"a": 50_000, "b": 100_000})
    for second in range(100):
        clock[0] = 100.0 + second
        told.update(Snapshot({"a": second // 50}, {"a": 400 * second, "b": 600 * second}, 60.0, 1, 0))
    told.finish()
    assert stream.getvalue().splitlines() == [
        "4 of 10 runs are stored already; 6 to train or to go on with",
        "4 of 10 runs, 5,000 of 150,000 epochs, 1,000 epochs/s, 1 min left, 1 diverged",
        "4 of 10 runs, 35,000 of 150,000 epochs, 1,000 epochs/s, 1 min left, 1 diverged",
        "5 of 10 runs, 65,000 of 150,000 epochs, 1,000 epochs/s, 1 min left, 1 diverged",
        "5 of 10 runs, 95,000 of 150,000 epochs, 1,000 epochs/s, 1 min left, 1 diverged",
    ]


def test_before_the_first_epoch_no_rate_is_made_up(clock):
    stream = io.StringIO()
    told = Plain(stream)
    told.start(10, 0, {"a": 10}, {"a": 50})
    clock[0] += 6
    told.update(Snapshot())
    clock[0] += 60
    told.update(Snapshot(seconds_left=7200))
    clock[0] += 60
    told.update(Snapshot({}, {"a": 2}, seconds_left=6900))
    assert stream.getvalue().splitlines() == [
        "workers are starting",
        "0 of 10 runs, 0 of 50 epochs, about 2 h left",
        "0 of 10 runs, 2 of 50 epochs, an epoch every 1 min 3 s, 1 h 55 min left",
    ]


def test_a_closed_stream_is_no_error(clock):
    stream = io.StringIO()
    told = Plain(stream)
    stream.close()
    told.start(1, 1, {"a": 1}, {"a": 1})
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
        names = [f"condition [{number}]" for number in range(20)]
        told.start(62, 2, dict.fromkeys(names, 3), dict.fromkeys(names, 30))
        told.update(Snapshot({names[0]: 1, names[19]: 2}, {names[0]: 12, names[19]: 30}, 5.0, 0, 1))
        told.say("a [bold] worker died")
        told.finish()
    assert "a [bold] worker died" in screen.getvalue()
    assert "2 of 62 runs are stored already" in screen.getvalue()
    if term != "dumb":
        assert "condition [0]" in screen.getvalue()
        assert "1/3" in screen.getvalue()
        assert "2/27" in screen.getvalue()
        assert "9 more conditions" in screen.getvalue()


def test_quiet_and_pipes():
    assert type(progress_for(quiet=True)) is Progress
    with open(os.devnull, "w") as pipe:
        assert isinstance(progress_for(quiet=False, stream=pipe), Plain)


def test_a_bar_moves_with_epochs_and_is_full_when_all_runs_have_ended():
    told = progress_for(quiet=False, stream=Screen())
    told.start(2, 0, {"a": 2}, {"a": 100})
    (bar,) = told._bars.tasks
    told.update(Snapshot({}, {"a": 30}))
    assert (bar.completed, bar.total) == (30, 100)
    told.update(Snapshot({"a": 2}, {"a": 55}))
    assert bar.finished
    told.finish()


def test_measuring_is_told_by_kind_with_the_time_left(clock):
    stream = io.StringIO()
    told = Plain(stream)
    for at, kind, done, left in (
        (1, "hessian", 0, None),
        (7, "hessian", 40, 12.0),
        (9, "hessian", 60, 8.0),
        (20, "hessian", 100, 0.0),
        (21, "trace", 3, 1.0),
        (22, "trace", 100, 0.0),
    ):
        clock[0] = 100.0 + at
        told.measuring(kind, done, 100, left)
    assert stream.getvalue().splitlines() == [
        "measuring hessian: 40 of 100, 12 s left",
        "measuring hessian: 100 of 100",
    ]


def test_a_terminal_shows_a_bar_for_the_instrument_that_is_measured():
    stream = io.StringIO()
    told = Terminal(stream)
    told.start(2, 0, {"narrow": 2}, {"narrow": 10})
    told.finish()
    told.measuring("hessian", 3, 10, 5.0)
    told.measuring("trace", 1, 4, None)
    assert [task.description for task in told._bars.tasks] == ["measuring trace"]
    assert (told._bars.tasks[0].completed, told._bars.tasks[0].total) == (1, 4)
    told.finish()
