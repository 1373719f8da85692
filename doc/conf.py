# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""How Sphinx builds the documentation: tox -e docs."""

project = "nova_cells"
copyright = "The nova_cells authors"
author = "The nova_cells authors"

extensions = ["openstackdocstheme"]
exclude_patterns = ["build"]
root_doc = "index"
html_theme = "openstackdocs"

openstackdocs_repo_name = "nova_cells"
openstackdocs_auto_name = False
openstackdocs_auto_version = False
openstackdocs_use_storyboard = False
version = release = ""
html_last_updated_fmt = ""
