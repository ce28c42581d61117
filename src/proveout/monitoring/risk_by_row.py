"""Whether the rows of a stream are worse than the reference's: valid however often one looks. Pure.

Input: the loss of each row of a reference and of a stream, 0 to 1. Output: the evidence after each row of the stream.
For rows that are independent of each other; where days make rows alike, see `risk_by_day`.

A gambler bets that losses will be above m, and cannot expect to gain if their mean is at most m, whatever the
distribution. The reference's mean is not known: bets against each m that it may be are multiplied by bets of the
reference rows against the same m, and the least product over all m counts, which is below the product at the true m.
Bets start anew with each block of rows, with weights that sum to 1, so that a change after a long quiet time is found
nearly as fast as an early one.

Sources: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting (2023); Wasserman, Ramdas and
Balakrishnan, Universal inference (2020); Shin, Ramdas and Rinaldo, E-detectors (2023).
"""

from typing import TYPE_CHECKING

import numpy as np

from proveout.monitoring.risk_evidence import Evidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STAKES = np.geomspace(0.004, 0.95, 14)  # as a share of the largest stake that cannot lose everything
_BLOCK = 10  # rows
_RISKS = 100  # that the reference may have
_OF_BLOCKS = 1.31  # the sum of 1 / ((j + 1) log(j + 2)^2) over all blocks j = 1, 2, ...


def worse(reference: "NDArray[np.float64]", stream: "NDArray[np.float64]", *, tolerance: float = 0.0) -> Evidence:
    """The evidence that the mean loss of the stream is above the reference's by more than `tolerance`.

    It is counted after each block of ten rows; rows after the last whole block wait for it.

    Args:
        reference, stream: losses, 0 to 1, in order of time; shapes (rows,).
        tolerance: in units of the loss, 0 to 1.

    >>> rng = np.random.default_rng(0)
    >>> worse(rng.random(2000) < 0.1, rng.random(3000) < 0.1).first_alarm(0.05) is None
    True
    >>> worse(rng.random(2000) < 0.1, rng.random(3000) < 0.2).first_alarm(0.05) < 300
    True
    """
    known, blocks = _blocks(reference), _blocks(stream)
    if not len(known) or not len(blocks):
        return Evidence(logarithm=np.zeros(len(stream)), since=0)
    risks = _risks(known)
    told = _reference_bets(known, risks)
    told = np.minimum(told[:-1], told[1:])  # between two risks the bets are no lower than at one of them
    asked = np.clip(risks[1:] + tolerance, None, 1 - 1e-6)  # and those of the stream no lower than at the higher one
    stakes = _STAKES[:, None] / asked
    early = np.full(stakes.shape, np.log(0.5))  # half of the capital is bet from the first block on
    late, kept = np.full(stakes.shape, -np.inf), 0.5  # and a share of the other half from each later one on
    logarithm = np.zeros(len(blocks))
    for number, block in enumerate(blocks):
        gain = np.log1p(stakes * (block[:, None, None] - asked)).sum(axis=0)
        if number:
            share = 0.5 / (_OF_BLOCKS * (number + 1) * np.log(number + 2) ** 2)
            late, kept = np.logaddexp(late, np.log(share)) + gain, kept - share
        early += gain
        capital = np.logaddexp(_mean(np.logaddexp(early, late)), np.log(kept)) + told
        logarithm[number] = capital.min()
    by_row = np.repeat(np.concatenate([[0.0], logarithm]), _BLOCK)[1 : len(stream) + 1]
    return Evidence(logarithm=np.asarray(by_row), since=_since(blocks, max(float(known.mean()), 1e-6)) * _BLOCK)


def _blocks(losses: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The whole blocks, shape (blocks, 10)."""
    whole = len(losses) // _BLOCK * _BLOCK
    return np.asarray(losses[:whole], dtype=float).reshape(-1, _BLOCK)


def _risks(known: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Risks that the reference may have, in order: close together where it is likely, up to 1."""
    spread = known.std() / np.sqrt(known.size) + 0.25 / known.size
    near = known.mean() + spread * np.linspace(-3, 12, _RISKS)
    far = np.geomspace(max(near[-1], 1e-6), 1.0, _RISKS // 4) if near[-1] < 1 else np.array([])
    return np.unique(np.clip(np.concatenate([near, far]), 1e-6, 1 - 1e-6))


def _reference_bets(known: "NDArray[np.float64]", risks: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The logarithm of the capital of bets against each risk, in both directions. Shape (risks,)."""
    capital = np.zeros((2 * len(_STAKES), len(risks)))
    for block in known:
        above = block[:, None, None] - risks
        capital[: len(_STAKES)] += np.log1p(_STAKES[:, None] / risks * above).sum(axis=0)
        capital[len(_STAKES) :] += np.log1p(-_STAKES[:, None] / (1 - risks) * above).sum(axis=0)
    return _mean(capital)


def _mean(capital: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The logarithm of the mean capital over the stakes."""
    most = capital.max(axis=0)
    return np.asarray(most + np.log(np.exp(capital - most).mean(axis=0)))


def _since(blocks: "NDArray[np.float64]", risk: float) -> int:
    """The block from which on bets against this risk won most."""
    gains = np.log1p(_STAKES[:, None, None] / risk * (blocks - risk)).sum(axis=2)
    won = np.concatenate([np.zeros((len(_STAKES), 1)), gains.cumsum(axis=1)], axis=1)
    best = int((won[:, -1] - won.min(axis=1)).argmax())
    return min(int(won[best].argmin()), len(blocks) - 1)
