"""The methods paragraph of a cohort: what it needs to know, what it cites, and versions.

Its sentences stand in ``templates/methods.html``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from adnorm import __version__
from adnorm.base.text import per_cent
from adnorm.figures.page.html import fill

if TYPE_CHECKING:
    from markupsafe import Markup

    from adnorm.figures.data import CohortData

#: Key → (short citation, DOI).
REFERENCES = {
    "tmm": ("Robinson & Oshlack 2010", "10.1186/gb-2010-11-3-r25"),
    "median of ratios": ("Anders & Huber 2010", "10.1186/gb-2010-11-10-r106"),
    "limma": ("Ritchie et al. 2015", "10.1093/nar/gkv007"),
    "voom": ("Law et al. 2014", "10.1186/gb-2014-15-2-r29"),
    "deseq2": ("Love et al. 2014", "10.1186/s13059-014-0550-8"),
    "ssgsea": ("Barbie et al. 2009", "10.1038/nature08460"),
    "gsva": ("Hänzelmann et al. 2013", "10.1186/1471-2105-14-7"),
    "gsea": ("Subramanian et al. 2005", "10.1073/pnas.0506580102"),
    "camera": ("Wu & Smyth 2012", "10.1093/nar/gks461"),
    "gseapy": ("Fang et al. 2023", "10.1093/bioinformatics/btac757"),
    "scanpy": ("Wolf et al. 2018", "10.1186/s13059-017-1382-0"),
    "anndata": ("Virshup et al. 2024", "10.21105/joss.04371"),
    "snakemake": ("Mölder et al. 2021", "10.12688/f1000research.29032.2"),
}
PACKAGES = (
    *("anndata", "gseapy", "matplotlib", "numpy", "pandas", "pylimma", "scanpy", "scipy"),
    *("seaborn", "snakemake"),
)


class Citations:
    """Numbers what a text cites, in the order of the first citation."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, *keys: str) -> Markup:
        """Write links to references; keys that are not given are left out."""
        from markupsafe import Markup

        cited = [key for key in keys if key in REFERENCES]
        self.keys += [key for key in dict.fromkeys(cited) if key not in self.keys]
        link = Markup('<a href="#ref-{}">{}</a>')
        links = Markup(", ").join(link.format(key, self.keys.index(key) + 1) for key in cited)
        return Markup(" [{}]").format(links) if cited else Markup("")


def methods_values(data: CohortData) -> dict[str, Any]:
    """Give the values that the template of the methods asks for."""
    return {
        "data": data,
        "facts": data.facts,
        "settings": data.settings,
        "layers": list(data.scores.layers),
        "scale": declared_scale(data.facts),
        "compared": bool((data.tables["comparisons"]["supported"] == "yes").any()),
        "confidence": per_cent(data.settings.effects.confidence),
        "per_cent": per_cent,
        "cite": Citations(),
    }


def methods_text(data: CohortData) -> str:
    """Write the methods paragraph alone, as HTML."""
    return fill("methods.html", **methods_values(data))


def versions() -> list[tuple[str, str]]:
    """List the software of this run with its versions; packages that are absent are left out."""
    found = [("adnorm", __version__)]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def declared_scale(facts: Mapping[str, Any]) -> str:
    """Name the declared scale, and the reason if the check of the values found another."""
    scale = str(facts.get("declared_scale") or facts.get("scale", ""))
    reason = str(facts.get("scale_checked") or "")
    if not reason:
        return scale
    return f"{scale}, kept although the check of the values finds otherwise, because: {reason}"
