"""Attack cases: HTTP requests of an unauthenticated client that a hub must refuse.

    target = Target(url="http://127.0.0.1:8000/jupyter", login=Login.JWT, claims={"aud": "jupyter"})
    verdicts = [attempt(target, case) for case in cases(target)]

A case is a value: a request and the accepted responses. ``find_problems`` compares the two, so cases can be read,
listed and tested without a hub.

This module imports nothing, because every command of ``invoke`` loads it with attack/command.py.
"""
