#!/opt/jupyterhub/bin/python -IS
"""Check what a spawn needs, as the hub: hubpod-ready [--alone] [--patience SECONDS]."""

import sys

sys.path.insert(0, "/usr/local/lib/hubpod")

from hubpod_checks.program import main

sys.exit(main(sys.argv[1:]))
