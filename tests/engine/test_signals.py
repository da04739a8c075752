import os
import signal
import threading

import pytest

from gradlab.engine.signals import Stop


def test_the_first_signal_is_noted_and_the_second_is_obeyed_at_once():
    said = []
    before = signal.getsignal(signal.SIGTERM)
    with Stop(said.append) as stop:
        assert stop.asked == ""
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked == "SIGTERM"
        assert stop.seconds() < 10
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert len(said) == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop(print) as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.asked == ""
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_listen_to_nothing():
    found = []

    def elsewhere():
        with Stop(print):
            found.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [before]
