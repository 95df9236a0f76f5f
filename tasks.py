"""The commands of `invoke`, for a call in this directory or below."""

import sys

# invoke turns off the writing of bytecode, and every command would compile all of hubpod again.
sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)

from hubpod_tasks.program import take_over  # noqa: E402
from hubpod_tasks.table import namespace as namespace  # noqa: E402, PLC0414 - compiled once, see above; invoke reads it

take_over(namespace)
