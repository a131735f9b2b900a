"""Sphinx: Markdown by MyST, notebooks run by myst-nb, the reference from the docstrings."""

import shutil
from pathlib import Path

import pycrust

HERE = Path(__file__).parent
shutil.rmtree(HERE / "notebooks", ignore_errors=True)
shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks", ignore=shutil.ignore_patterns(".*"))

project = "pycrust"
author = "The pycrust developers"
copyright = author
version = release = pycrust.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "numpydoc",
    "sphinxarg.ext",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "tutorial/tally"]

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]

nb_execution_mode = "off"  # they are committed as run, and the tests run them anew

autodoc_default_options = {"member-order": "bysource"}
autodoc_typehints = "none"  # the docstrings say more
numpydoc_show_class_members = False

default_role = "py:obj"
smartquotes = False  # options begin with two dashes
doctest_global_setup = """
import os
import warnings

import numpy as np
import pycrust
"""
trim_doctest_flags = True
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"
linkcheck_anchors = False

html_theme = "furo"
html_title = "pycrust"
html_static_path = ["_static"]
html_css_files = ["pycrust.css"]
html_copy_source = False
html_show_sourcelink = False


def shorter(app, what, name, obj, options, signature, returns):
    """A default that is a function, by its name."""
    return signature and signature.replace("<function no_progress>", "no_progress"), returns


def setup(app):
    app.connect("autodoc-process-signature", shorter)
