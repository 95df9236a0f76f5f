#!/opt/jupyterhub/bin/python -IS
"""Exit with 0 if the proxy serves the login page; otherwise print one line with the reason.

The request is made inside the pod, so that the result does not depend on the ingress.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

TIMEOUT_S = 10
NOT_FOUND, SERVER_ERROR = 404, 500

page = urlsplit(os.environ["HUBPOD_LOGIN_PAGE"])
connection = HTTPConnection(page.netloc, timeout=TIMEOUT_S)
try:
    connection.request("GET", page.path)
    status = connection.getresponse().status
except (OSError, HTTPException) as error:
    sys.exit(f"the login page does not answer: {error}")
# The JWT login answers 401 without a token, which proves that the hub works.
if status == NOT_FOUND or status >= SERVER_ERROR:
    sys.exit(f"the login page answers with status {status}")
