"""The hub client: JupyterHub as a user with a browser sees it.

    session = HubClient("http://127.0.0.1:8000/jupyter").login("alice", password)
    server = session.spawn({"runtime": "00:30:00"}, project="project1", deadline_s=120)
    assert server.execute("5 * 4") == "20"
    server.stop()

Every failure is a HubError with the HTTP status and the sentence on the page. Every wait has a deadline.
"""

from hubpod.client.errors import HubError, HubTimeoutError, KernelError, LoginRefused, SpawnFailed, SpawnRefused
from hubpod.client.forms import Choice, Field, Form
from hubpod.client.kernel import Kernel
from hubpod.client.progress import ProgressEvent, SlurmState
from hubpod.client.project import PROJECT_FIELD, match_project
from hubpod.client.server import Server
from hubpod.client.session import HubClient, Session

__all__ = [
    "PROJECT_FIELD",
    "Choice",
    "Field",
    "Form",
    "HubClient",
    "HubError",
    "HubTimeoutError",
    "Kernel",
    "KernelError",
    "LoginRefused",
    "ProgressEvent",
    "Server",
    "Session",
    "SlurmState",
    "SpawnFailed",
    "SpawnRefused",
    "match_project",
]
