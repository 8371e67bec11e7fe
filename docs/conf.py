"""The site: `make docs` builds it into results/docs, with warnings as errors and no network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
SCRIPTS = DOCS.parent / "scripts"
sys.path[:0] = [str(SCRIPTS), str(DOCS / "_ext")]
# Notebooks are executed in processes of their own, and shall import this clone, too.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])]
)

from adnorm import __version__  # noqa: E402

project = "adnorm"
author = "The adnorm contributors"
copyright = "the adnorm contributors, GPL-3.0-or-later"
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "offline",
    "pictures",
]
# README.md lies beside no page of the site; the checkpoints are those of Jupyter.
exclude_patterns = ["_ext", "**/.ipynb_checkpoints", "jupyter_execute"]

# Links between pages, also to headings, are checked by the build: a target that is not there is a
# warning. Addresses of the web are not fetched.
nitpicky = True
# Types of other packages, whose documentation is not read.
nitpick_ignore_regex = [
    (r"py:.*", r"(pd|pandas|np|numpy|anndata|collections|typing|pathlib)\..*"),
    (r"py:.*", r"AnnData|DataFrame|Series|Path|Mapping|Iterable|optional|dict|adnorm\.study\..*"),
]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist", "substitution", "attrs_inline"]
myst_links_external_new_tab = False

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"

autodoc_typehints = "description"
autosummary_generate = False
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "pydata_sphinx_theme"
html_title = "adnorm"
html_static_path = ["_static"]
html_css_files = ["adnorm.css"]
html_show_sourcelink = False
html_copy_source = False
# Summaries of results are fetched page by page, which browsers refuse for pages that are files.
html_show_search_summary = False
# No date: the same sources give the same pages.
html_last_updated_fmt = None
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "search_bar_text": "Search",
    "navbar_align": "left",
    "back_to_top_button": True,
}
# The pages of the front have no siblings to show at the left.
html_context = {"default_mode": "auto"}
html_sidebars = {"index": [], "start": []}
