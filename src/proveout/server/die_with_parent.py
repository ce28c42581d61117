"""No process of the server outlives the process that started it, not even after kill -9.

When its main process is killed, LitServe leaves worker, manager and uvicorn serving on the port. On Linux the kernel
ends them (PR_SET_PDEATHSIG, through ctypes). Elsewhere, or if that failed, a thread checks the parent twice a second.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_S = 0.5


def hold(parent: int) -> None:
    """End this process as soon as `parent`, the process that started it, is gone. Call it in the child.

    On Linux the signal comes when the *thread* that started this process ends, so that thread has to live on.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the call above
        _end()
    threading.Thread(target=_look, args=(parent,), name="tether", daemon=True).start()


def _look(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    _end()


def _end() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL returned")
