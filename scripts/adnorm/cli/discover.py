"""Find new GEO series of JAK inhibitors in atopic dermatitis.

Prints the query for the E-utilities of NCBI and the page that shows its answer; with --run it asks
NCBI and lists the series."""

from __future__ import annotations

import argparse
from typing import Any, TypedDict
from urllib.parse import urlencode

from adnorm.base.errors import AdnormError
from adnorm.cli.terminal import say, say_json
from adnorm.study.vocabulary import DrugFamily, drug_family

EXAMPLES = """examples:
  adnorm discover                    the query, and the page to open in a browser
  adnorm discover --run              ask NCBI: accession, samples, title
  adnorm discover --run --json
"""
_EUTILS = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
_PAGE = "https://www.ncbi.nlm.nih.gov/gds/"
_DISEASE = ("atopic dermatitis", "atopic eczema")
_MOST = 200
#: Seconds until a connection stands, and between two pieces of an answer.
_TIMEOUTS = (10, 60)


def query_term() -> str:
    """Write the search term: the disease, any JAK inhibitor, human series."""
    from adnorm.onboarding.treatments import DRUGS

    drugs = [
        name
        for drug, (kind, aliases) in DRUGS.items()
        if drug_family(kind) == DrugFamily.JAK_INHIBITOR
        for name in (drug, *aliases)
        # Abbreviations of four letters mean other things, too.
        if len(name) > 5
    ]
    drugs += ["JAK inhibitor", "Janus kinase inhibitor"]
    return f"({_any(_DISEASE)}) AND ({_any(drugs)}) AND gse[ETYP] AND Homo sapiens[ORGN]"


def _any(words: list[str] | tuple[str, ...]) -> str:
    return " OR ".join(
        f'"{word}"[All Fields]' if " " in word else f"{word}[All Fields]" for word in words
    )


class Series(TypedDict):
    """A series as NCBI lists it."""

    accession: str
    samples: int
    date: str
    title: str


def addresses() -> dict[str, str]:
    """Return the term, the address of the E-utilities and the page for people."""
    term = query_term()
    search = urlencode({"db": "gds", "term": term, "retmax": _MOST, "retmode": "json"})
    return {
        "term": term,
        "query": f"{_EUTILS}/esearch.fcgi?{search}",
        "page": f"{_PAGE}?{urlencode({'term': term})}",
    }


def find_series() -> list[Series]:
    """Ask NCBI for accession, title, samples and date of each series, newest first."""
    found = _ask(addresses()["query"]).get("esearchresult", {}).get("idlist", [])
    if not found:
        return []
    query = urlencode({"db": "gds", "id": ",".join(found), "retmode": "json"})
    summaries = _ask(f"{_EUTILS}/esummary.fcgi?{query}").get("result", {})
    series: list[Series] = [
        {
            "accession": entry["accession"],
            "samples": int(entry.get("n_samples") or 0),
            "date": entry.get("pdat", ""),
            "title": entry.get("title", ""),
        }
        for number in found
        if (entry := summaries.get(number, {})).get("accession")
    ]
    return sorted(series, key=lambda s: (s["date"], s["accession"]), reverse=True)


def _ask(address: str) -> dict[str, Any]:
    import requests

    try:
        answer = requests.get(address, timeout=_TIMEOUTS, headers={"User-Agent": "adnorm"})
        answer.raise_for_status()
        content = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise AdnormError(
            f"NCBI did not answer ({type(error).__name__}). Check the network and try later, or "
            f"open the page in a browser: {addresses()['page']}"
        ) from error
    return content if isinstance(content, dict) else {}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--run", action="store_true", help="ask NCBI now; needs a network")


def run(chosen: argparse.Namespace) -> int:
    """Print the query, or what NCBI answers to it."""
    places = addresses()
    series = find_series() if chosen.run else []
    if chosen.json:
        say_json(places | ({"series": series} if chosen.run else {}))
    elif not chosen.run:
        say(f"Term:  {places['term']}\nQuery: {places['query']}\nPage:  {places['page']}")
    else:
        say(f"{len(series)} series; `adnorm new-cohort GSE…` brings one in")
        for entry in series:
            say(f"{entry['accession']:<11} {entry['samples']:>5} samples  {entry['title']}")
    return 0
