"""Queries that run while the caller does something else."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def start(query: Callable[[], T]) -> Callable[[], T]:
    """Run a query in a thread that does not keep the process alive.

    Returns:
        A function that waits for the query's result and returns it, or raises the query's error.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(query())
        except BaseException as error:  # noqa: BLE001 - raised where the result is needed
            answer.set_exception(error)

    Thread(target=run, daemon=True).start()
    return answer.result
