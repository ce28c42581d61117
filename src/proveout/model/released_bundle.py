"""The bundle of a release, opened for inspection by the monitor, the gate or a drill.

Input: settings and the release. Output: the opened bundle, if a key that is trusted here has signed its manifest.
Opening a bundle runs its features, and an entry in the ledger alone does not allow that: whoever may write there can
make one. An expired or withdrawn approval is accepted: what served must be inspected. Human approval is not required to
inspect a
    bundle.
"""

from proveout.model.bundle import OpenBundle, open_bundle
from proveout.model.manifest import verify
from proveout.project import open_keyring, open_ledger, open_store
from proveout.records.values import Digest
from proveout.settings import Settings
from proveout.trust.authorization import refuse_never_approved


def open_released(settings: Settings, digest: Digest) -> OpenBundle:
    """The bundle, verified and opened. Raises: NotFound, NotApproved, Tampered, BundleError."""
    folder = open_store(settings).folder("bundles", digest)
    bundle = verify(folder)
    with open_ledger(settings) as ledger:
        refuse_never_approved(ledger, open_keyring(settings), bundle)
    return open_bundle(folder, manifest=bundle.manifest)
