"""demo/sample_requests.py: rows of any project as requests, some of them broken."""

import json

import orjson
import pandas as pd
import pytest

from proveout.demo import sample_requests

ROWS = pd.DataFrame({"size": [1.5, None, 3.0], "kind": ["a", "b", "c"]})


def test_rows_are_asked_in_their_order_and_again_where_they_are_few():
    """A small table has fewer held-out rows than a worker takes requests to be killed and replaced."""
    asked = sample_requests.sample(ROWS, requests=7, malformed=0)

    assert [json.loads(one.body)["kind"] for one in asked] == ["a", "b", "c", "a", "b", "c", "a"]
    assert json.loads(asked[1].body)["size"] is None


def test_of_many_rows_each_is_asked_once():
    many = pd.DataFrame({"number": range(1_000)})

    numbers = [json.loads(one.body)["number"] for one in sample_requests.sample(many, requests=100, malformed=0)]

    assert len(set(numbers)) == 100
    assert numbers == sorted(numbers)


def test_as_many_are_malformed_as_were_asked_for_in_each_way():
    asked = sample_requests.sample(ROWS, requests=103, malformed=10)

    assert sum(bool(one.malformed) for one in asked) == 10
    assert {one.malformed for one in asked} == {"", *sample_requests.MALFORMED}


@pytest.mark.parametrize("way", sample_requests.MALFORMED)
def test_each_way_breaks_a_request(way):
    """One that a server may accept would fail the demo of a project that is in order."""
    text = sample_requests.MALFORMED[way]({"size": 1.5, "kind": "a"})

    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    known = isinstance(document, dict) and document.keys() <= {"size", "kind"}
    assert not known or any(isinstance(value, list) for value in document.values())
