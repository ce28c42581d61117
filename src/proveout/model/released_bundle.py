"""The bundle of a release, opened by who is not the server: the monitor, the gate, a drill.

Input: settings and what was released. Output: the bundle, opened, if a key that is trusted here has signed its
manifest. Opening a bundle runs its features: an entry in the ledger alone, which whoever may write there can make, is
no leave for that. An approval that has ended, or was taken back, is: what served must be looked at. No person is asked
for either: looked at, it answers nobody.
"""

from proveout.model.bundle import OpenBundle, open_bundle, verify
from proveout.project import open_keyring, open_ledger, open_store
from proveout.records import Digest
from proveout.settings import Settings
from proveout.trust.authorization import refuse_strange


def open_released(settings: Settings, digest: Digest) -> OpenBundle:
    """The bundle, verified and opened. Raises: NotFound, NotApproved, Tampered, BundleError."""
    folder = open_store(settings).folder("bundles", digest)
    bundle = verify(folder)
    with open_ledger(settings) as ledger:
        refuse_strange(ledger, open_keyring(settings), bundle)
    return open_bundle(folder, manifest=bundle.manifest)
