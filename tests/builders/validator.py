"""The validator of RO-Crate, without network.

It brings the profiles, but asks the web for the words of RO-Crate 1.1. The library rocrate brings
those of 1.3; the words of workflows had other addresses in 1.1, and checksums were none of them.
"""

from __future__ import annotations

import importlib.resources
import json
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
WORKFLOW = "https://bioschemas.org/ComputationalWorkflow"


def words() -> dict[str, Any]:
    """Give the words of RO-Crate 1.1."""
    file = importlib.resources.files("rocrate").joinpath("data/ro-crate.jsonld")
    terms = json.loads(file.read_text("utf8"))["@context"]
    terms = {
        key: value.replace("https://bioschemas.org/terms/", "https://bioschemas.org/")
        if isinstance(value, str)
        else value
        for key, value in terms.items()
        if key not in ("sha256", "sha512")
    }
    return {"@context": terms | {"input": f"{WORKFLOW}#input", "output": f"{WORKFLOW}#output"}}


class _Answer:
    """What a server would answer."""

    status_code, ok, headers = 200, True, {"Content-Type": "application/ld+json"}
    url, history = CONTEXT, ()

    def __init__(self) -> None:
        self.text = json.dumps(words())
        self.content = self.text.encode()

    def json(self) -> Any:
        return json.loads(self.text)


def issues(crate: Path, profile: str) -> list[str]:
    """List what a crate lacks of what its profile requires."""
    from rocrate_validator import services
    from rocrate_validator.models import Severity
    from rocrate_validator.utils.http import HttpRequester

    def answer(self: Any, url: str, *more: Any, **options: Any) -> _Answer:
        assert url == CONTEXT, f"the validator asks for {url}"
        return _Answer()

    with ExitStack() as stack, TemporaryDirectory() as folder:
        for name in ("get", "head", "fetch_fresh"):
            stack.enter_context(mock.patch.object(HttpRequester, name, answer, create=True))
        settings = services.ValidationSettings(
            rocrate_uri=str(crate),
            profile_identifier=profile,
            requirement_severity=Severity.REQUIRED,
            cache_path=Path(folder) / "asked",
        )
        result = services.validate(settings)
    return [f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()]
