"""The order of each user's tokens, in the hub's database.

A token that was issued before another one of the same user says nothing about the user's projects that the other one
did not say better. It must not restore a project that has been withdrawn in between, not even after a restart of the
hub.
"""

from typing import Any

from jupyterhub import orm  # type: ignore[import-untyped]
from sqlalchemy import Column, Float, Unicode


class LatestToken(orm.Base):  # type: ignore[misc]
    """A row per user of a table that JupyterHub creates together with its own.

    auth_state has no room for this, because all of its keys are projects to a site's own spawner.
    """

    __tablename__ = "brics_latest_tokens"
    user = Column(Unicode(255), primary_key=True)
    issued_at = Column(Float, nullable=False)


def is_outdated(database: Any, user: str, issued_at: float) -> bool:  # noqa: ANN401 - an SQLAlchemy session
    """Whether a token of this user that was issued later has been validated."""
    latest = database.get(LatestToken, user)
    return latest is not None and latest.issued_at > issued_at


def record(database: Any, user: str, issued_at: float) -> None:  # noqa: ANN401
    """Record that a token of this user has been validated."""
    latest = database.get(LatestToken, user)
    if latest is None:
        database.add(LatestToken(user=user, issued_at=issued_at))
    elif latest.issued_at < issued_at:
        latest.issued_at = issued_at
    database.commit()
