"""A kernel that runs the cells of a notebook, each with a time limit, and reports reliably how each ended.

Input: a notebook document. Output: its outputs, in the document itself; `CellFailed` with the reason if a cell did not
finish. Only importer of papermill, nbclient, jupyter_client.

The kernel uses the current interpreter, so a notebook needs no registered kernelspec and gets the locked packages. This
module reads the output itself: nbclient takes time quadratic in the length of a line, gives up on slow output, and
checks a cell's time limit in the same loop that reads output, so that it never stops a cell that prints a lot.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from nbclient.exceptions import CellExecutionComplete
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager

from proveout.training.cell_output import SHOWN, CellOutput, plain, shortened

START_S = 60
LOST_S = 5  # after a cell's reply; then missing output messages count as lost
# Messages that may wait to be read. libzmq's default of 1,000 silently drops the rest.
WAITING_MESSAGES = 100_000
# The kernel's end is waited for. Without a name in the notebook's namespace.
_FIRST_LINE = "__import__('proveout.interpreter_exit').interpreter_exit.without_collection()"


def environment(*, threads: int = 1) -> Mapping[str, str]:
    """What two runs of a notebook need to be equal to the last bit: a number of threads, and a fixed hash seed.

    The order of a set of column names is that of their hashes. Threads of OpenMP that spin while they wait take the
    core from those they wait for: beside other work, a fit in two threads then takes ten times as long as in one.
    """
    fixed = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return {"OMP_WAIT_POLICY": "passive", **os.environ, "PYTHONHASHSEED": "0", **fixed}


class CellFailed(Exception):
    """A cell did not finish."""

    def __init__(self, problem: str, traceback: str = "") -> None:
        super().__init__(problem, traceback)
        self.problem, self.traceback = problem, traceback


class Deadline:
    """Stops work that takes too long, from a separate thread, so that waiting or reading code need not check."""

    def __init__(self, limit_s: float, stop: Callable[[], None]) -> None:
        self.passed = False
        self._stop = stop
        self._timer = threading.Timer(min(max(limit_s, 0), threading.TIMEOUT_MAX), self._pass)
        self._timer.daemon = True

    def _pass(self) -> None:
        self.passed = True
        self._stop()

    def __enter__(self) -> "Deadline":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


class _LastWords:
    """The end of a process's output to a pipe, such as its location in a crash."""

    def __init__(self, pipe: int) -> None:
        self._kept = b""
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()

    def _read(self, pipe: int) -> None:
        with suppress(OSError):  # closed, because the process ended
            while read := os.read(pipe, 65_536):
                self._kept = (self._kept + read)[-4_000:]

    def said(self) -> str:
        """The end of it, once the process has ended."""
        self._reader.join(timeout=LOST_S)  # with a timeout, because a child process may hold the pipe
        return self._kept.decode(errors="replace").strip()


class _ThisInterpreter(KernelManager):
    """A kernel of the current interpreter; the notebook's kernelspec is ignored."""

    @property
    def kernel_spec(self) -> Any:
        options = ["--IPKernelApp.log_level=40", f"--IPKernelApp.exec_lines={_FIRST_LINE}", "-f", "{connection_file}"]
        argv = [sys.executable, "-m", "ipykernel_launcher", *options]
        return KernelSpec(argv=argv, display_name="proveout", language="python")


class _Outputs(PapermillNotebookClient):  # type: ignore[misc]  # papermill ships no types
    """Adds messages to the notebook like nbclient, but handles text and excess output with `CellOutput`."""

    def __init__(self, notebook: Any, hide: Callable[[Any], Any]) -> None:
        super().__init__(notebook, record_timing=False)
        # An Output widget would send all its content back to the kernel with each line, so its text stays with the
        # cell.
        self.comm_open_handlers = {"jupyter.widget": lambda _: None}
        self.hide = hide
        self.cells: dict[int, CellOutput] = {}

    def begin(self, cell: Any, index: int) -> None:
        cell.outputs = []
        self.cells[index] = CellOutput(cell.outputs)
        self.clear_before_next_output = False

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        content, kind = self.hide(msg["content"]), msg["msg_type"]
        if kind == "error":
            trace = shortened("\n".join(content["traceback"])).split("\n")
            content = {**content, "evalue": shortened(content["evalue"]), "traceback": trace}
        if self.clear_before_next_output and kind in SHOWN:
            self._clear(cell_index)
        if not self.cells[cell_index].admits(kind, content):
            return None
        with suppress(CellExecutionComplete):  # completion is detected elsewhere
            return super().process_message({**msg, "content": content}, cell, cell_index)

    def output(self, outs: Any, msg: Any, display_id: Any, cell_index: int) -> Any:
        if msg["msg_type"] == "stream":
            return self.cells[cell_index].write(msg["content"]["name"], msg["content"]["text"])
        return super().output(outs, msg, display_id, cell_index)

    def clear_output(self, outs: Any, msg: Any, cell_index: int) -> None:
        if msg["content"].get("wait"):
            self.clear_before_next_output = True
        else:
            self._clear(cell_index)

    def _clear(self, cell_index: int) -> None:
        self.cells[cell_index].clear()
        self.clear_display_id_mapping(cell_index)
        self.clear_before_next_output = False


class Kernel:
    """A kernel for one notebook `document`, from `with` to its end.

    Args:
        environment, cwd: of its process.
        hide: removes secrets from the kernel's messages. `longest_secret`: in characters.
    Raises: CellFailed if it does not start.
    """

    def __init__(
        self,
        document: Any,
        *,
        environment: Mapping[str, str],
        cwd: Path,
        hide: Callable[[Any], Any] = lambda sent: sent,
        longest_secret: int = 0,
    ) -> None:
        self.document, self.environment, self.cwd = document, environment, cwd
        self.hide, self.longest_secret = hide, longest_secret
        self.record = NotebookExecutionManager(document, progress_bar=False, autosave_cell_every=0)
        self.outputs = _Outputs(self.record, hide)
        self.manager = _ThisInterpreter()
        self.process: Any = None
        self.last_words: _LastWords | None = None
        self.client: Any = None
        self.asked: dict[str, tuple[Any, int]] = {}  # the cell and its index, by the id of the message that ran it

    def __enter__(self) -> "Kernel":
        self.record.notebook_start()
        try:
            # Output that bypasses Python also goes to the notebook; secrets are hidden only there.
            own = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
            self.manager.start_kernel(env=dict(self.environment), cwd=str(self.cwd), **own)
            provisioner: Any = self.manager.provisioner
            self.process = provisioner.process
            self.last_words = _LastWords(self.process.stderr.fileno())
            self.client = self.manager.client()
            self.client.context.rcvhwm = WAITING_MESSAGES
            self.client.start_channels()
            self.client.allow_stdin = False  # nobody can answer `input()`
            self.client.wait_for_ready(timeout=START_S)
            told = self.client.kernel_info(reply=True, timeout=START_S)
        except (RuntimeError, OSError, Empty) as error:
            self.__exit__(type(error))
            said = self.last_words.said() if self.last_words is not None else ""
            problem = f"its kernel did not start: {error or f'no answer within {START_S} s'}"
            raise CellFailed(problem, self.hide(said)) from error
        self.document.metadata["language_info"] = told["content"]["language_info"]
        return self

    def __exit__(self, error: type[BaseException] | None = None, *_: object) -> None:
        if self.process is not None and error is not None:
            self.kill()
        elif self.process is not None:
            self.manager.request_shutdown()
        if self.process is not None:
            self.manager.finish_shutdown()
        self.manager.cleanup_resources()
        if self.client is not None:
            self.client.stop_channels()
            self.client.context.destroy(linger=0)
        for output in self.outputs.cells.values():
            output.settle(hide=self.hide, longest_secret=self.longest_secret)
        self.outputs.set_widgets_metadata()
        self.record.notebook_complete()

    def run(self, index: int, *, limit_s: float, limit: str, counted: bool = True, grace_s: float = 0) -> None:
        """Run the cell at `index` to its end.

        Args:
            limit: the message if it takes longer than `limit_s` seconds.
            counted: whether it gets a number, `In [n]`.
            grace_s: seconds that a cell has to end after it was interrupted at its limit. The kernel is killed only
                then; at 0 it is killed at the limit.
        Raises: CellFailed.
        """
        cell = self.document.cells[index]
        self.outputs.begin(cell, index)
        self.record.cell_start(cell, index)
        try:
            interrupt = Deadline(limit_s if grace_s else threading.TIMEOUT_MAX, self.interrupt)
            with interrupt, Deadline(limit_s + grace_s, self.kill) as deadline:
                reply = self._reply(cell, index, deadline, counted=counted)
            if deadline.passed:
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(timeout=LOST_S)  # so that whoever asks learns that it is gone
                raise CellFailed(limit)
            if interrupt.passed and reply.get("status") != "ok":
                raise CellFailed(limit)
            _judge(reply, cell, self._on_stderr(index))
        except CellFailed as failed:
            self.record.cell_exception(cell, cell_index=index)
            raise CellFailed(self.hide(failed.problem), self.hide(failed.traceback)) from failed
        finally:
            self.record.cell_complete(cell, cell_index=index)

    def _reply(self, cell: Any, index: int, deadline: Deadline, *, counted: bool) -> Mapping[str, Any]:
        """Run the cell, collect its output, and return the kernel's reply; meaningless after the deadline."""
        asked = self.client.execute(cell.source, store_history=counted, stop_on_error=False)
        self.asked[asked] = cell, index
        reply, silent_s = None, 0
        while not deadline.passed:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except Empty:
                reply = reply or self._shell(asked, timeout_s=0)
                silent_s += 1
                if reply and silent_s > LOST_S:
                    self.outputs.cells[index].notes.append("some of the last outputs of this cell were lost")
                    return reply
                if not reply:
                    self._must_live(deadline)
                    silent_s = 0
                continue
            silent_s = 0
            parent = message["parent_header"].get("msg_id")
            if message["msg_type"] == "status":
                if parent == asked and message["content"]["execution_state"] == "idle":
                    return reply or self._shell(asked, timeout_s=LOST_S) or {"status": "aborted"}
            elif parent in self.asked:  # a thread's output belongs to the cell that started it
                self.outputs.process_message(message, *self.asked[parent])
        return {}

    def _shell(self, asked: str, *, timeout_s: float) -> Mapping[str, Any] | None:
        with suppress(Empty):
            while True:
                message = self.client.get_shell_msg(timeout=timeout_s)
                if message["parent_header"].get("msg_id") == asked:
                    content: Mapping[str, Any] = message["content"]
                    return content
        return None

    def _must_live(self, deadline: Deadline) -> None:
        code = self.process.poll()
        if code is None or deadline.passed:
            return
        said = self.last_words.said() if self.last_words is not None else ""
        if code < 0:
            name = next((one.name for one in signal.Signals if one == -code), f"signal {-code}")
            why = "out of memory, or killed by somebody" if -code == signal.SIGKILL else "it crashed"
            raise CellFailed(f"the kernel died of {name} ({why})", said)
        raise CellFailed(f"it ended the notebook: the kernel's process is gone, with exit code {code}", said)

    def _on_stderr(self, index: int) -> str:
        written = self.outputs.cells[index].text.get("stderr")
        return written.whole(self.hide, self.longest_secret).strip()[-1_000:] if written else ""

    def ask(self, expression: str, *, limit_s: float, limit: str) -> str:
        """The repr of `expression`, evaluated without a trace in the notebook. Raises: CellFailed."""
        with Deadline(limit_s, self.kill) as deadline:
            asked = self.client.execute("", silent=True, store_history=False, user_expressions={"asked": expression})
            answer = None
            while answer is None and not deadline.passed:
                answer = self._shell(asked, timeout_s=1)
                if answer is None:
                    self._must_live(deadline)
        if answer is None or deadline.passed:
            raise CellFailed(limit)
        told = answer.get("user_expressions", {}).get("asked", {})
        if told.get("status") != "ok":
            reason = told.get("evalue") or answer.get("evalue") or answer.get("status")
            raise CellFailed(self.hide(str(reason)))
        text: str = told["data"]["text/plain"]
        return text

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in what the kernel runs, and in its child processes. An idle kernel ignores it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kill the kernel and its child processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # it leads its own process group


def probe(cwd: Path) -> None:
    """Start a kernel in `cwd`, ask it something, and end it. Raises: CellFailed if it does not start or answer."""
    document = nbformat.v4.new_notebook(metadata={"papermill": {}})  # the record of a run asks for that key
    with Kernel(document, environment=os.environ, cwd=cwd) as kernel:
        kernel.ask("40 + 2", limit_s=START_S, limit=f"it did not answer within {START_S} s")


def _judge(reply: Mapping[str, Any], cell: Any, on_stderr: str) -> None:
    """Raises: CellFailed if the `reply` says that the cell failed, or that it ended the notebook."""
    if any(payload.get("source") == "ask_exit" for payload in reply.get("payload", [])):
        raise CellFailed("it ended the notebook (exit or quit): what comes after it did not run")
    status = reply.get("status")
    # Jupyter's tag for a cell that should raise.
    if status == "ok" or "raises-exception" in cell.metadata.get("tags", []):
        return
    name, text = reply.get("ename", ""), shortened(plain(reply.get("evalue", "")), 1_000)
    problem = f"{name}: {text}".strip(": ") or f"the kernel said {status}"
    if name == "SystemExit":
        problem = f"it ended the notebook ({problem}): what comes after it did not run"
    traceback = shortened(plain("\n".join(reply.get("traceback", []))), 10_000)
    raise CellFailed(problem, traceback or ("" if text and text in on_stderr else on_stderr))
