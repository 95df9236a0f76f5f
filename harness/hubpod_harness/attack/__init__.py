"""What a hub must refuse, tried over HTTP as a stranger would: no account, no key, no look inside.

    target = Target(url="http://127.0.0.1:8000/jupyter", login=Login.JWT, claims={"aud": "jupyter"})
    for case in cases(target):
        verdict = tried(target, case)

The cases are values: a request, and what may be answered. `judged` compares the two, so a case can be read, listed and
tested without a hub.
"""

from hubpod_harness.attack.cases import Case, Target, cases
from hubpod_harness.attack.exchange import Answer, Request
from hubpod_harness.attack.verdicts import Verdict, judged, status_text, tried

__all__ = ["Answer", "Case", "Request", "Target", "Verdict", "cases", "judged", "status_text", "tried"]
