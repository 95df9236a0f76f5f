#!/opt/jupyterhub/bin/python -IS
"""Exit with 0 if the proxy listens and serves the login page; otherwise print one line with the reason.

The request is made inside the pod, so that the result does not depend on the ingress.
"""

import os
import sys

sys.path.insert(0, "/usr/local/lib/hubpod")

from hubpod_checks.web import find_login_problem

if problem := find_login_problem(os.environ["HUBPOD_LOGIN_PAGE"], 0):
    sys.exit(problem)
