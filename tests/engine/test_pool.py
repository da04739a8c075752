import os
import signal
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest

from gradlab.engine.pool import Inline, Pool
from gradlab.engine.worker import LIBRARIES


def test_inline_computes_at_once_and_keeps_errors_in_the_future():
    assert Inline().submit(divmod, 7, 3).result() == (2, 1)
    assert isinstance(Inline().submit(divmod, 7, 0).exception(), ZeroDivisionError)


def test_workers_are_other_processes_with_one_thread_that_leave_interrupts_alone():
    pool = Pool(1, kernels=())
    assert pool.inline
    pool = Pool(2)
    try:
        assert pool.submit(os.getpid).result(timeout=60) != os.getpid()
        assert [pool.submit(os.getenv, name).result() for name in LIBRARIES] == ["1"] * len(LIBRARIES)
    finally:
        pool.stop()


def test_stopping_does_not_wait_and_a_stopped_pool_starts_again():
    pool = Pool(2)
    try:
        pool.submit(os.getpid).result(timeout=60)
        pool.submit(time.sleep, 60)
        begun = time.monotonic()
        pool.rebuild()
        assert time.monotonic() - begun < 10
        assert pool.submit(divmod, 7, 3).result(timeout=60) == (2, 1)
    finally:
        pool.stop()


@pytest.mark.parametrize("workers", [1, 3])
def test_there_is_always_work_in_hand(workers):
    assert Pool(workers).width >= workers


@pytest.mark.parametrize(("number", "killed"), [(signal.SIGKILL, True), (signal.SIGABRT, False)])
def test_rebuilding_tells_whether_the_system_killed_a_worker(number, killed):
    pool = Pool(2)
    try:
        pool.submit(os.getpid).result(timeout=60)
        with pytest.raises(BrokenProcessPool):
            pool.submit(signal.raise_signal, number).result(timeout=60)
        assert pool.rebuild() is killed
    finally:
        pool.stop()


def test_one_worker_may_have_a_process_of_its_own():
    pool = Pool(1, apart=True)
    assert pool.own_processes
    assert not pool.inline
    try:
        assert pool.submit(os.getpid).result(timeout=60) != os.getpid()
    finally:
        pool.stop()
    assert not Pool(1).own_processes
    with ThreadPoolExecutor(1) as executor:
        assert not Pool(2, executor).own_processes


def test_a_worker_that_is_ended_while_it_hands_over_a_result_leaves_nothing_to_wait_for():
    before = set(threading.enumerate())
    pool = Pool(2)
    pool.submit(os.getpid).result(timeout=60)
    # a worker's last words: it announced a thousand bytes and wrote one of them
    os.write(pool._executor._result_queue._writer.fileno(), struct.pack("!i", 1000) + b"x")
    pool.stop()
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(timeout=10)
    assert not [thread.name for thread in left if thread.is_alive()]


def test_stopping_leaves_no_thread_behind_that_writes_to_workers_that_are_gone():
    before = set(threading.enumerate())
    pool = Pool(2)
    pool.submit(os.getpid).result(timeout=60)
    for _ in range(6):
        pool.submit(_asleep, bytes(4_000_000))  # far more than a pipe holds
    pool.stop()
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(timeout=10)
    assert not [thread.name for thread in left if thread.is_alive()]


def _asleep(_):
    time.sleep(60)
