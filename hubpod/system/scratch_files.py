"""Temporary files of editors, which are no content of a directory."""

import re

_SCRATCH = re.compile(r".*~|\.#.*|#.*#|\..*\.sw[a-z]|4913|.*___jb_(tmp|old)___|\.goutputstream-.*")


def is_scratch(name: str) -> bool:
    """Whether an editor uses that file name for temporary files.

    The editors are vim, emacs, PyCharm and gedit.
    """
    return bool(_SCRATCH.fullmatch(name))
