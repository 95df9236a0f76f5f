"""Forms, sentences of pages and progress events."""

import pytest

from hubpod.client import Form, HubError, ProgressEvent, SlurmState, SpawnRefused, match_project
from hubpod.client.forms import parse_forms
from hubpod.client.pages import refusal_of_page, sentence_of_page
from hubpod.client.progress import parse_events, progress_event

FORM = """
<form id="search"><input name="q"></form>
<form id="spawn_form" action="/hub/spawn?a=1&amp;_xsrf=t" method="post" enctype="multipart/form-data">
  <select name="brics_project">
    <option value="" disabled>Choose one</option>
    <option value="project1.portal">Project &lt;1&gt; &amp; co</option>
    <option value="project2.portal" selected>Two</option>
  </select>
  <select name="partition"><option>workq<option>debug</select>
  <select name="features" multiple><option selected>a</option><option>b</option><option selected>c</option></select>
  <input type="number" name="ngpus" value="1"><input name="runtime" value="&quot;01:00&quot;">
  <input type="radio" name="size" value="s"><input type="radio" name="size" value="l" checked>
  <input type="checkbox" name="debug"><input type="checkbox" name="mail" checked>
  <textarea name="comment">
one &amp; two</textarea>
  <input name="old" value="x" disabled><input type="submit" name="go" value="Start"><input value="nameless">
</form>
"""


def spawn_form() -> Form:
    """Return the form above, parsed."""
    return parse_forms(FORM)[1]


def test_form_submits_its_defaults() -> None:
    """A form submits its selected options, ticked boxes and texts, and nothing else.

    Where no option is selected, the first one counts. Disabled fields and buttons are left out.
    """
    assert spawn_form().fill({}) == [
        ("brics_project", "project2.portal"),
        ("partition", "workq"),
        ("features", "a"),
        ("features", "c"),
        ("ngpus", "1"),
        ("runtime", '"01:00"'),
        ("size", "l"),
        ("mail", "on"),
        ("comment", "one & two"),
    ]


def test_choices_are_unescaped() -> None:
    """A select offers its values without the disabled placeholder, and its labels are unescaped."""
    field = spawn_form().field("brics_project")

    assert field is not None
    assert field.offers == ("project1.portal", "project2.portal")
    assert field.choices[1].label == "Project <1> & co"
    assert spawn_form().action == "/hub/spawn?a=1&_xsrf=t"
    assert spawn_form().multipart


def test_form_submits_values_outside_its_choices() -> None:
    """Given values replace the defaults, even if the form has no such choice or field.

    Refusing them is the task of the hub.
    """
    filled = spawn_form().fill({"features": "z", "unknown": "1"})

    assert [pair for pair in filled if pair[0] in {"features", "unknown"}] == [("features", "z"), ("unknown", "1")]


@pytest.mark.parametrize(
    ("form", "pairs"),
    [
        ("<form><fieldset disabled><input name=a></fieldset><input name=b value=1></form>", [("b", "1")]),
        ("<form><select name=a><optgroup disabled><option>1</optgroup><option>2</select></form>", [("a", "2")]),
        ("<form><input name=a value=1><input name=a value=2></form>", [("a", "1"), ("a", "2")]),
        ("<form><input name=a value=1 value=2></form>", [("a", "1")]),
        ("<form id=f></form><input name=a value=1 form=f><input name=b>", [("a", "1")]),
        ("<form><input name=a value=1>", [("a", "1")]),
        ("<form><template><input name=a></template></form>", []),
    ],
    ids=["fieldset", "optgroup", "repeated name", "repeated attribute", "outside", "unclosed", "template"],
)
def test_form_is_read_as_html_defines_it(form: str, pairs: list[tuple[str, str]]) -> None:
    """Fields are submitted as a browser would submit them.

    See https://html.spec.whatwg.org/#constructing-form-data-set .
    """
    assert parse_forms(form)[0].fill({}) == pairs


def project_form(*values: str) -> Form:
    """Return a spawn form with these projects."""
    options = "".join(f"<option value='{value}'>" for value in values)
    return parse_forms(f"<form><select name=brics_project>{options}</select></form>")[0]


@pytest.mark.parametrize("offered", ["project1", "project1.portal"])
def test_project_matches_up_to_the_first_dot(offered: str) -> None:
    """A project matches with and without its portal, but not by a prefix of its name."""
    assert match_project("project1", project_form("project11.portal", offered)) == offered


def test_full_name_of_a_project_is_unambiguous() -> None:
    """A project with its portal matches exactly."""
    assert match_project("a.x", project_form("a.x", "a.y")) == "a.x"


@pytest.mark.parametrize(
    ("project", "sentence"),
    [
        ("a", "project a could be any of what the spawn form offers: a.x, a.y"),
        ("c", "project c is not among what the spawn form offers: a.x, a.y, b.x"),
    ],
)
def test_error_about_a_project_lists_the_choices(project: str, sentence: str) -> None:
    """The error for an ambiguous project lists the matches, that for an unknown one all choices."""
    with pytest.raises(HubError) as caught:
        match_project(project, project_form("a.x", "a.y", "b.x"))

    assert caught.value.message == sentence
    assert not isinstance(caught.value, SpawnRefused)  # nothing was submitted to the hub


def test_project_needs_a_field() -> None:
    """A form without a project field is an error."""
    with pytest.raises(HubError, match="no field brics_project"):
        match_project("a", Form())


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (
            '<p class="login_error">Invalid username &amp; <b>password</b></p><p>Other</p>',
            "Invalid username & password",
        ),
        ('<p class="spawn-error-msg alert">Error: no <i>such</i> project</p><form><p>x</p></form>', "no such project"),
        ('<nav><p>Home</p></nav><div class="error"><h1>403 : Forbidden</h1><p>Not yours.</p></div>', "Not yours."),
        ('<div class="error"><h1>404 : Not Found</h1></div><script>var p = "<p>no</p>";</script>', "404 : Not Found"),
        ("<h1>Spawn failed</h1><p>It failed.</p><p>Why</p></p><p>Retry?</p>", "It failed. Why Retry?"),
        ('<p class="hidden">not shown</p><p>shown<br>twice</p>', "shown twice"),
        ('<p hidden>not shown</p><p>shown<span class="hidden">not</span></p>', "shown"),
        ('<span class="login_error">No such user</span><p>Other</p>', "No such user"),
        ("", ""),
    ],
)
def test_sentence_of_an_error_page(page: str, sentence: str) -> None:
    """The sentence is the page's error message, else its paragraphs, else its heading."""
    assert sentence_of_page(page) == sentence


def test_page_without_an_error_has_no_refusal() -> None:
    """Ordinary paragraphs of the login or spawn page are not errors."""
    assert refusal_of_page("<h1>Sign in</h1><p>Welcome</p>") == ""


def test_events_are_parsed_from_the_stream() -> None:
    """Complete JSON events are returned, and everything else in the stream is skipped.

    An event's data lines are joined.
    """
    stream = (
        b'\n\n: hi\ndata: {"progress": 1}\n\n\nevent: x\ndata:{"a":\ndata: 2}\n\ndata: {oops\n\ndata: [1]\n\ndata: {}'
    )

    assert list(parse_events(stream.split(b"\n"))) == [{"progress": 1}, {"a": 2}]


def test_event_carries_the_slurm_job() -> None:
    """The spawner's extra key becomes a SlurmState in which missing values are empty."""
    slurm = {"job_id": 7, "state": "PENDING", "reason": "Resources", "node": None, "later": "ignored"}

    event = progress_event({"progress": 10.0, "message": "waits", "slurm": slurm}, clock=lambda: 5.0)

    state = SlurmState(job_id="7", state="PENDING", reason="Resources", node="")
    assert event == ProgressEvent(progress=10, message="waits", slurm=state, at=5.0)


@pytest.mark.parametrize("slurm", [None, "text", {}, {"state": "PENDING"}])
def test_event_without_a_job_has_none(slurm: object) -> None:
    """An event of another spawner, or before the job exists, has no Slurm state."""
    assert progress_event({"slurm": slurm, "ready": "yes", "progress": "x"}, clock=lambda: 0.0) == ProgressEvent(
        progress=0
    )
