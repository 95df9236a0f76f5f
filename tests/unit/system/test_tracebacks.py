"""Parsing log records and tracebacks."""

from hubpod.system.tracebacks import Part, begins_record, find_tracebacks, is_mark, parse_parts

LOG = """\
[E 2026-11-21 08:17:01.004 JupyterHub user:884] Unhandled error
    Traceback (most recent call last):
      File "/a/one.py", line 7, in spawn
        call(1)
        ~~~~^^^
      [Previous line repeated 3 more times]
    KeyError: 'gpus'

    During handling of the above exception, another exception occurred:

    Traceback (most recent call last):
      File "/a/two.py", line 8, in stop
    RuntimeError
[I 2026-11-21 08:17:01.010 JupyterHub log:192] 200 GET /jupyter/hub/home
Traceback (most recent call last):
  File "/a/three.py", line 9, in <module>
""".splitlines()


def test_each_traceback_ends_with_its_exception() -> None:
    """Chained tracebacks are separate and have no indentation of the log.

    A truncated traceback is also returned.
    """
    found = list(find_tracebacks(LOG))

    assert [traceback[-1] for traceback in found] == [
        "KeyError: 'gpus'",
        "RuntimeError",
        '  File "/a/three.py", line 9, in <module>',
    ]
    assert found[0][0] == '  File "/a/one.py", line 7, in spawn'


def test_a_frame_has_its_source_lines() -> None:
    """Lines that are indented below a frame belong to it, and other lines stand alone."""
    first = next(find_tracebacks(LOG))

    assert parse_parts(first) == (
        Part(path="/a/one.py", lines=('  File "/a/one.py", line 7, in spawn', "    call(1)", "    ~~~~^^^")),
        Part(path="", lines=("  [Previous line repeated 3 more times]",)),
        Part(path="", lines=("KeyError: 'gpus'",)),
    )


def test_marks_and_records_are_recognized() -> None:
    """A line of marks has no text, and a record begins with level and date."""
    assert [is_mark(line) for line in ("    ~~~~^^^", "", "a ^")] == [True, True, False]
    assert [begins_record(line) for line in (LOG[0], LOG[1], "[x 2026-11-21 08:17:01]")] == [True, False, False]
