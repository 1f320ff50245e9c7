"""Start of worker processes, quickly and without a copy of what this process has begun.

A worker must not be a fork of this process, whose threads of torch would be lost in the middle of
something. So a server is started, which does nothing but load what workers need, once, and each
worker is a fork of that: hundreds of megabytes of modules are there once, and a worker is there in
a moment. Where the system has no such server, each worker is started anew.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.context import BaseContext

_SAFE_PATH = "PYTHONSAFEPATH"


def start_context(preload: Sequence[str]) -> BaseContext:
    """Return the context to make workers in; its server starts in the background.

    preload: modules. The server is one for this process: the first call, of whoever it is, says
    what is in it; a worker loads what is not.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    with interruptions_blocked(), _current_folder_left_out():  # it passes these on to all workers
        forkserver.ensure_running()
    return context


@contextmanager
def _current_folder_left_out() -> Iterator[None]:
    """Let processes that start meanwhile look for no modules in a folder that anybody made."""
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


@contextmanager
def interruptions_blocked() -> Iterator[None]:
    """Let processes that start meanwhile never see one, not even before they are initialised."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
