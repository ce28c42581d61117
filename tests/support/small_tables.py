"""Tables as people have them, drawn with a seed: a churn, a price, a class with five values. And what they lack.

What is in them: an export's row number, nulls, flags, texts of few kinds, whole numbers, dates, words.
"""

from decimal import Decimal

import numpy as np
import pandas as pd

PLANS = ["basic", "family", "business", "student"]
QUALITIES = ["fair", "good", "ideal", "premium", "very good"]

WORDS = {
    "billing": ["invoice", "charge", "refund", "card", "amount", "tax"],
    "login": ["password", "reset", "locked", "code", "account", "sms"],
    "shipping": ["parcel", "late", "courier", "address", "damaged", "tracking"],
}
ANY_WORDS = [
    "the", "a", "my", "on", "since", "yesterday", "when", "I", "with", "phone", "laptop", "page", "after", "and", "it",
    "says", "that", "again", "please",
]  # fmt: skip


def churn(rows: int = 1_200, *, seed: int = 0) -> pd.DataFrame:
    """Customers: did one leave? Names each, says since when, whether by card, what was complained of."""
    random = np.random.default_rng(seed)
    plan = random.choice(PLANS, rows, p=[0.4, 0.3, 0.2, 0.1])
    calls, minutes = random.poisson(1.5, rows), random.gamma(9, 20, rows).round(1)
    since = pd.Timestamp("2021-01-01") + pd.to_timedelta(random.integers(0, 1_000, rows), unit="D")
    risk = 1.1 * (calls - 2) + (minutes - 180) / 40 + 1.5 * (plan == "student") - 1.5
    left = risk + random.logistic(size=rows) > 0
    table = pd.DataFrame({
        "customer_id": [f"C{number:06d}" for number in random.permutation(rows) + 1],
        "plan": plan, "service_calls": calls, "day_minutes": minutes,
        "night_minutes": random.gamma(9, 20, rows).round(1), "since": since.strftime("%Y-%m-%d"),
        "by_card": random.random(rows) < 0.6, "churn": np.where(left, "yes", "no"),
    })  # fmt: skip
    table.loc[::25, "night_minutes"] = np.nan
    return table


def price(rows: int = 1_500, *, seed: int = 0) -> pd.DataFrame:
    """Stones: what does one cost? Numbered by the export, measured in ways that hang together."""
    random = np.random.default_rng(seed)
    carat = random.gamma(4, 0.2, rows).round(2) + 0.2
    cut, colour = random.choice(QUALITIES, rows), random.choice(list("DEFGHIJ"), rows)
    factor = 4.5 + 0.1 * pd.Series(cut).map(QUALITIES.index) - 0.05 * pd.Series(colour).map(ord)
    cost = 3_000 * carat**1.7 * factor * np.exp(random.normal(0, 0.12, rows))
    return pd.DataFrame({
        "rownames": np.arange(1, rows + 1), "carat": carat, "cut": cut, "color": colour,
        "depth": random.normal(61.7, 1.4, rows).round(1), "table": random.integers(53, 66, rows),
        "price": cost.round().to_numpy(),
    })  # fmt: skip


def quality(rows: int = 1_500, *, seed: int = 0) -> pd.DataFrame:
    """Stones again: of which of five qualities is one, by its proportions?"""
    random = np.random.default_rng(seed)
    grade = random.choice(5, rows, p=[0.12, 0.18, 0.3, 0.22, 0.18])
    depth = 61.7 + np.array([3.5, -2.0, 0.0, 1.0, -1.0])[grade] + random.normal(0, 0.7, rows)
    return pd.DataFrame({
        "rownames": np.arange(1, rows + 1), "carat": (random.gamma(4, 0.2, rows) + 0.2).round(2),
        "depth": depth.round(1),
        "table": (57 + np.array([2, 1, -1, 1, 4])[grade] + random.normal(0, 0.9, rows)).round(1),
        "color": random.choice(list("DEFGHIJ"), rows), "cut": np.array(QUALITIES)[grade],
    })  # fmt: skip


def tickets(rows: int = 1_500, *, seed: int = 0) -> pd.DataFrame:
    """Letters to a help desk: which queue is one for? Some are long, some empty; a column says who is held out."""
    random = np.random.default_rng(seed)
    queue = random.choice(list(WORDS), rows, p=[0.4, 0.35, 0.25])
    written = []
    for place, one in enumerate(queue):
        about = random.choice(WORDS[one], random.integers(2, 6))
        around = random.choice(ANY_WORDS, random.integers(8, 30) if place % 90 else 400)
        written.append(
            " ".join(random.permutation([*about, *around])) + ('\n\n> "quoted"; Grüße 🙂' if place % 7 == 0 else "")
        )
    return pd.DataFrame({
        "Ticket Nr.": [f"T-{number:06d}" for number in random.permutation(rows)], "text": written,
        "Kanal": random.choice(["mail", "web", "phone"], rows), 'attached "files"': random.poisson(0.6, rows),
        "opened": pd.Timestamp("2024-01-03") + pd.to_timedelta(random.integers(0, 300 * 24 * 60, rows), unit="min"),
        "paid": [Decimal(f"{cents / 100:.2f}") for cents in random.integers(0, 9_999, rows)],
        "sample": np.where(random.random(rows) < 0.25, "holdout", "train"), "queue": queue,
    }).assign(text=lambda table: table["text"].mask(random.random(rows) < 0.04))  # fmt: skip
