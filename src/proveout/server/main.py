"""The entry point of the server.

Input: settings. Output: an exit code, when the server has ended. LitServe starts the worker, restarts it when it dies,
and hosts the HTTP application. Gateway, transport and shutdown are our own code; they use LitServe's public extension
points and a subclass (`process_manager`).

    main ─┬─ manager         (LitServe's queues; idle)
          ├─ worker          (the models; restarted)
          ├─ API             (uvicorn, gateway, journal; as many as the settings say; restarted)
          └─ log controller  (journals into the ledger, the desired state, the canary's verdict, alerts; restarted)

On SIGTERM or Ctrl-C, to main or to all processes, every accepted request is answered, then main exits with 0. kill -9
of main ends all processes.
"""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from proveout.errors import ConfigError, ProveoutError
from proveout.project import open_store
from proveout.records.answer import Answer
from proveout.records.values import Scalar
from proveout.rollout.admission import Fingerprint
from proveout.schema import examples, request_schema
from proveout.schema.spec import RequestSchema
from proveout.server import listening_port, server_state
from proveout.server.api_runtime import ApiRuntime
from proveout.server.http import cors
from proveout.server.http.app import Gateway
from proveout.server.http.auth import Authenticator
from proveout.server.http.request import App
from proveout.server.http_protocol import HttpProtocol
from proveout.server.log import controller
from proveout.server.no_answer import NoAnswer
from proveout.server.process_manager import NotStarted, Server
from proveout.server.service.pseudonyms import Pseudonyms
from proveout.server.service.service import service_config
from proveout.server.worker.release_source import Released, Source
from proveout.server.worker.shapley import units_of
from proveout.server.worker.worker import Worker
from proveout.settings import Settings, load_object
from proveout.trust.api_keys import mac_of
from proveout.trust.secrets import KEY_PEPPER, PII_KEY, secret

_SOCKETS = "proveout-sockets-"
_LONGEST_ABOVE = 70  # characters of the temporary folder; the sockets below it add up to 37
_THIS_MACHINE = {"127.0.0.1", "localhost"}


def serve(
    settings: Settings,
    *,
    source: Source | None = None,
    current_fingerprint: Callable[[Settings], Fingerprint] | None = None,
) -> int:
    """Serve until a signal ends it. Returns 0 after an orderly shutdown, 1 if a process could not be restarted.

    Args:
        source: where the models come from: the ledger's releases, unless a test passes its own. It is pickled to the
            worker.
        current_fingerprint: gives the current fingerprint of the checks (`gate.current_fingerprint`), which the
            promotion of a canary needs. Without it, only a person can promote.
    Raises: NotFound, NotApproved, Tampered, LedgerError, ConfigError; then nothing was started.
    """
    source = source or Released()
    schema = request_schema.load(settings)
    rules = _no_rules if settings.fallback is None else load_object(settings.fallback, settings.root)
    action = _no_action if settings.actions is None else load_object(settings.actions, settings.root)
    host, port = listening_port.free(settings)
    first = source.check(settings)
    keys_required = requires_keys(settings, first)
    # Threads of BLAS and OpenMP in the worker would compete with the API processes for the cores. NumPy reads these
    # variables at import. Values set from outside are kept.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    with _private_folder() as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder / "metrics")  # read when prometheus_client is imported
        (folder / "metrics").mkdir()
        server_state.post(server_state.desired_path(folder), first)
        backend = partial(
            ApiRuntime,
            service_config(settings, schema=schema, rules=rules, action=action),
            settings=settings,
            fields=schema.names,
            folder=folder,
            pseudonyms=_pseudonyms(settings, schema),
            gentle=True,
        )
        server = Server(
            Worker(
                settings,
                source=source,
                parent=os.getpid(),
                folder=folder,
                dtypes=schema.dtypes,
                units=units_of({field.name: field.description for field in schema.fields}),
            ),
            _gateway(
                settings,
                schema,
                backend,
                typical=_typical(settings, schema, first),
                folder=folder,
                keys_required=keys_required,
            ),
            log_controller=partial(controller.run, settings, source, folder, current_fingerprint),
            folder=folder,
            deadline_s=settings.deadline_s,
            opened=partial(_announce, first.champion.name, host, port),
        )
        return _run(server, host, port, api_processes=settings.api_processes)


def _no_rules(record: Mapping[str, Scalar]) -> float:
    raise NoAnswer("the project has none")


def _no_action(answer: Answer) -> str:
    return ""


def _run(server: Server, host: str, port: int, *, api_processes: int) -> int:
    try:
        server.run(
            host=host,
            port=port,
            num_api_servers=api_processes,
            http=HttpProtocol,
            ws="none",  # there are no WebSocket routes
            lifespan="on",  # with `auto`, uvicorn would serve without the gateway if its startup fails
            generate_client_file=False,  # LitServe would write a client.py into the working directory
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the client's address is not used
        )
    except NotStarted as error:
        if error.exit_code_of_worker is not None:
            raise
    except (EOFError, ConnectionError) as error:
        print(f"proveout: LitServe's manager process is gone ({type(error).__name__})", file=sys.stderr, flush=True)
        return 1
    return 1 if server.lost else 0


@contextmanager
def _private_folder() -> Iterator[Path]:
    """A private folder for the sockets and the desired state, with a path short enough for sockets.

    Also deletes the folders of servers that died by kill -9. The folder of a living server is locked by its processes.
    Raises: ConfigError if the temporary folder's path is too long.
    """
    above = tempfile.gettempdir()
    if len(above) > _LONGEST_ABOVE:
        problem = f"{above} is too long: the sockets below it may have paths of at most 107 characters"
        raise ConfigError("TMPDIR", problem, "Set TMPDIR to a shorter folder, such as /tmp")
    for left in Path(above).glob(f"{_SOCKETS}*/lock"):
        with suppress(OSError), left.open("rb") as lock:  # another user's, or a living server's
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_SOCKETS))
    with (folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _typical(settings: Settings, schema: RequestSchema, first: server_state.DesiredState) -> Mapping[str, Scalar]:
    """Field values for the examples, from the champion's training rows; empty if they cannot be read."""
    from proveout.model.bundle import reference_rows

    try:
        folder = open_store(settings).folder("bundles", first.champion.bundle)
        return examples.typical_values(reference_rows(folder), schema)
    except (ProveoutError, OSError):  # the worker reports what is wrong with the bundle; examples use default values
        return {}


def _gateway(
    settings: Settings,
    schema: RequestSchema,
    backend: Callable[[], ApiRuntime],
    *,
    typical: Mapping[str, Scalar],
    folder: Path,
    keys_required: bool,
) -> Callable[[App], App]:
    pepper = secret(settings.keys_dir, KEY_PEPPER) if keys_required else b""
    authenticator = Authenticator(mac=partial(mac_of, pepper), required=keys_required)

    def build(app: App) -> App:
        gateway = Gateway(
            app, schema=schema, typical=typical, backend=backend, settings=settings, authenticator=authenticator,
            folder=folder,
        )  # fmt: skip
        return cors.allow(gateway, settings.cors_origins)

    return build


def requires_keys(settings: Settings, first: server_state.DesiredState) -> bool:
    """Whether requests need an API key. Raises: ConfigError if they do and there is no valid key."""
    local = settings.host in _THIS_MACHINE
    required = settings.auth == "on" or (settings.auth == "auto" and not local)
    if required and not any(key.revoked_at is None for key in first.keys):
        why = "API keys are required" if local else f"{settings.host} can be reached from other machines"
        remedy = "Create one: proveout keys create NAME --scope predict. Or serve without keys: PROVEOUT_AUTH=off"
        raise ConfigError("auth", f"{why}, and there is no API key", remedy)
    return required


def _pseudonyms(settings: Settings, schema: RequestSchema) -> Pseudonyms:
    return Pseudonyms(secret(settings.keys_dir, PII_KEY) if schema.pii_fields else b"")


def _announce(release: str, host: str, port: int, worker: str) -> None:
    address = f"[{host}]" if ":" in host else host
    print(f"proveout: {release} answers on http://{address}:{port}/predict ({worker})", file=sys.stderr, flush=True)
