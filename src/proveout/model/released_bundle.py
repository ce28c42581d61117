"""The bundle of a release, opened for inspection by the monitor, the gate or a drill.

Input: settings and the release. Output: the opened bundle, if a trusted key has signed its manifest. Opening a bundle
runs its features, so an entry in the ledger is not enough, because anybody with write access can make one. An expired
or withdrawn approval is accepted, because a bundle that served must be inspectable. Human approval is not required.
"""

from proveout.model.bundle import OpenBundle, open_bundle
from proveout.model.manifest import verify
from proveout.project import open_keyring, open_ledger, open_store
from proveout.records.values import Digest
from proveout.settings import Settings
from proveout.trust.authorization import refuse_never_approved


def open_released(settings: Settings, digest: Digest, *, direct: bool = True) -> OpenBundle:
    """The bundle, verified and opened. `direct` is that of `open_bundle`.

    Raises: NotFound, NotApproved, Tampered, BundleError.
    """
    folder = open_store(settings).folder("bundles", digest)
    bundle = verify(folder)
    with open_ledger(settings) as ledger:
        refuse_never_approved(ledger, open_keyring(settings), bundle)
    return open_bundle(folder, manifest=bundle.manifest, direct=direct)
