"""Login metrics, which JupyterHub serves at `/hub/metrics` together with its own."""

from jupyterhub.metrics import metrics_prefix  # type: ignore[import-untyped]
from prometheus_client import Counter

from bricsauthenticator.login_errors import BadTokenError, IssuerUnavailableError, NotPermittedError

ACCEPTED = "accepted"
OUTCOMES = (ACCEPTED, *(kind.outcome for kind in (BadTokenError, NotPermittedError, IssuerUnavailableError)))

_LOGINS = Counter("brics_logins", "Logins by token, by their outcome", ["outcome"], namespace=metrics_prefix)
_BY_OUTCOME = {outcome: _LOGINS.labels(outcome=outcome) for outcome in OUTCOMES}  # from the start, with the value 0


def count_login(outcome: str) -> None:
    """Count a login with one of OUTCOMES."""
    _BY_OUTCOME[outcome].inc()
