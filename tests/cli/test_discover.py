"""`adnorm discover`: the query, and what NCBI answers."""

from __future__ import annotations

import json

import pytest
import requests

from adnorm.cli import main
from adnorm.cli.discover import addresses


def test_the_query_asks_for_human_series_of_each_jak_inhibitor(capsys):
    assert main(["discover", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == addresses()
    for word in ("upadacitinib", "abrocitinib", "delgocitinib", '"atopic dermatitis"', "gse[ETYP]"):
        assert word in told["term"]
    assert "dupilumab" not in told["term"]
    assert told["query"].startswith("https://eutils.ncbi.nlm.nih.gov/")
    # Servers refuse longer addresses.
    assert len(told["query"]) < 4000


class Answer:
    def __init__(self, content):
        self.content = content

    def raise_for_status(self):
        pass

    def json(self):
        return self.content


def test_found_series_are_listed_newest_first(monkeypatch, capsys):
    asked = []

    def get(address, timeout, headers):
        asked.append(address)
        assert all(timeout)
        if "esearch" in address:
            return Answer({"esearchresult": {"idlist": ["1", "2"]}})
        entries = {
            number: {"accession": f"GSE{number}", "n_samples": 9, "pdat": date, "title": "t"}
            for number, date in (("1", "2023/01/05"), ("2", "2025/10/30"))
        }
        return Answer({"result": {"uids": ["1", "2"], **entries}})

    monkeypatch.setattr(requests, "get", get)
    assert main(["discover", "--run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["2", "GSE2", "GSE1"]
    assert "id=1%2C2" in asked[1]


@pytest.mark.parametrize("failure", [requests.ConnectionError, requests.Timeout, ValueError])
def test_without_a_network_one_paragraph_and_the_page(monkeypatch, capsys, failure):
    def get(*_, **__):
        raise failure("no route")

    monkeypatch.setattr(requests, "get", get)
    assert main(["discover", "--run"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("STOPPED: NCBI did not answer")
    assert addresses()["page"] in error
