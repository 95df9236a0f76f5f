#!/opt/jupyterhub/bin/python -IS
"""Exit status 0 when the proxy shows the page where a person logs in; otherwise one line says what is missing.

Asked inside the pod, so that it tells the same whether a port is published or a tunnel is the way in.
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
# Without a token the JWT login answers 401, which is an answer of a hub that works.
if status == NOT_FOUND or status >= SERVER_ERROR:
    sys.exit(f"the login page answers with status {status}")
