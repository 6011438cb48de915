"""The actions that the workflow files use, each pinned by the hash of a release: a tag can be moved, a hash cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: By the name in the templates. A newer release is taken here, hash and version together; the user's Dependabot does
#: the same in files that are written.
ACTIONS: Final[Mapping[str, str]] = {
    "CHECKOUT": "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
    "SETUP_PYTHON": "actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405 # v6.2.0",
    "UPLOAD_ARTIFACT": "actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0",
    "UPLOAD_SARIF": "github/codeql-action/upload-sarif@5d4e8d1aca955e8d8589aabd499c5cae939e33c7 # v4.31.9",
    "AWS_CREDENTIALS": "aws-actions/configure-aws-credentials@e6de054238d6b7531b4efff3b6587d9aade6a06c # v6.2.3",
}
