"""Ends a process of the server when its parent ends, even after kill -9.

Without this, worker, manager and uvicorn would go on serving after LitServe's main process is killed. On Linux the
kernel ends them (PR_SET_PDEATHSIG, through ctypes). Elsewhere, or if that fails, a thread checks the parent twice a
second.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.5


def hold(parent: int) -> None:
    """End this process as soon as its parent process (pid `parent`) is gone. Call it in the child.

    On Linux the signal is sent when the *thread* that started this process ends, so that thread must stay alive.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the parent died before the call above
        _end()
    threading.Thread(target=_watch_parent, args=(parent,), name="die-with-parent", daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    _end()


def _end() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL returned")
