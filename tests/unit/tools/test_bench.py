"""The benchmark without podman: cases, metrics, results, ratios, chart and load generators."""

import base64
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import case, results
from bench.case import PROJECT, Tool, expand
from bench.chart import LABEL_CHARACTERS, render
from bench.edit_loop import replace_recording
from bench.edits import KINDS, Kind
from bench.load import split_into_batches, with_unknown_key
from bench.load_generator import Connections, poll_count, run_at_rate
from bench.measure import MeasurementError, measure, read_metrics
from bench.report import compare_runs, quantile, ratio
from bench.results import Results, Series
from bench.run import load_other_tool, main, render_results
from hubpod.errors import UsageError
from hubpod_harness.slurm import SlurmUnavailableError
from hubpod_harness.users import User

TAG = "{http://www.w3.org/2000/svg}"
CASES = """
[words]
say = "sh -c 'echo {text}'"
text = "from {instance}"

[[case]]
name = "one"
command = ["{say}"]

[[case]]
name = "edit"
title = "edit of the {kind}"
opt_in = true
setup = ["touch {folder}/{each}"]
command = ["sh -c 'echo {round} >> {folder}/{each}'", "cat {folder}/{each}"]
reads = "metrics"
[case.each]
hub-configuration = "hub.py"
wrappers = "wrapper.py"
"""


def tool(tmp_path: Path, text: str = CASES, name: str = "mine") -> Tool:
    """Write a case file and load it."""
    path = tmp_path / f"{name}.toml"
    path.write_text(text)
    return case.load(path)


def series(*values: float, metric: str = "", of: str = "mine", title: str = "one") -> Series:
    """Return the values of one metric of the case `one`."""
    return Series(case="one", title=title, metric=metric, tool=of, values=values)


def test_our_own_case_file_is_valid() -> None:
    """The default case file loads, and defines every placeholder that it uses."""
    own = case.load(PROJECT / "tools" / "bench" / "cases.toml", "hubpod")

    words = dict.fromkeys(("python", "bench", "project", "folder", "instance", "round"), "x") | dict(own.words)
    commands = [line for each in own.cases for line in (*each.setup, *each.command, *each.reset, *each.teardown)]
    assert not [line for line in commands if "{" in expand(line, words)]
    names = {each.name for each in own.cases}
    assert {"cold", "up", "up-after-down", "up-again", "down", "spawn", "bare", "stack", "people"} <= names
    assert len([name for name in names if name.startswith("edit-")]) > 3
    assert {"watch-authenticator", "watch-wrappers", "suite-one-process", "suite-two-processes"} <= names


def test_each_entry_becomes_a_case(tmp_path: Path) -> None:
    """A table `each` expands into one case per entry."""
    mine = tool(tmp_path)

    assert [each.name for each in mine.cases] == ["one", "edit-hub-configuration", "edit-wrappers"]
    assert mine.cases[1].title == "edit of the hub configuration"
    assert mine.cases[2].setup == ("touch {folder}/wrapper.py",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "contains no case"),
        ("[[case]", "Expected"),
        ("[[case]]\nname = 'x'", "case x: name and command are required"),
        ("[[case]]\nname = 'x'\ncommands = ['y']", "case x: unknown key 'commands'; did you mean 'command'"),
        ("[[case]]\nname = 'x'\ncommand = 'y'", "case x: invalid value 'y' of command"),
        ("[[case]]\nname = 'x'\ncommand = ['y']\nreads = 'z'", "case x: invalid value 'z' of reads"),
        ("[[case]]\nname = 'x'\ncommand = ['y']\nrounds = true", "case x: invalid value True of rounds"),
    ],
)
def test_an_invalid_case_file_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    """The error names the file and the case."""
    with pytest.raises(UsageError) as caught:
        tool(tmp_path, text)

    assert caught.value.message.startswith(f"{tmp_path / 'mine.toml'}: ")
    assert sentence in caught.value.message


def test_cases_are_selected_by_name(tmp_path: Path) -> None:
    """Without names, opt-in cases are left out. A name may also be another tool's."""
    mine, other = tool(tmp_path), tool(tmp_path, "[[case]]\nname = 'theirs'\ncommand = ['true']", "other")

    assert case.select([mine, other], ()) == ("one",)
    assert case.select([mine, other], ("edit-wrappers", "theirs")) == ("edit-wrappers", "theirs")
    with pytest.raises(UsageError, match=r"--case edit-wraper: no such case; did you mean 'edit-wrappers'"):
        case.select([mine], ("edit-wraper",))


def test_an_undefined_placeholder_is_refused() -> None:
    """Defined placeholders are expanded recursively, and a misspelt one is an error."""
    assert expand("{a} b", {"a": "{c} d", "c": "e"}) == "e d b"
    with pytest.raises(UsageError, match="undefined placeholder 'instanze'"):
        expand("up {instanze}", {"instance": "x"})


def test_a_case_limits_its_rounds(tmp_path: Path) -> None:
    """The case's limit and the requested number both apply."""
    mine = tool(tmp_path, "[[case]]\nname = 'x'\ncommand = ['true']\nrounds = 2")

    assert [len(found.values) for found in measure([mine], "x", 5, lambda _: None)] == [2]
    assert [len(found.values) for found in measure([mine], "x", 1, lambda _: None)] == [1]


def test_tools_are_measured_in_turns(tmp_path: Path) -> None:
    """Rounds alternate the order, and each tool has its own directory and instance name."""
    log = tmp_path / "log"
    text = f"""
[[case]]
name = "one"
setup = ["sh -c 'echo setup >> {log}; echo 7 > {{folder}}/kept'"]
command = ["sh -c 'echo NAME {{round}} {{instance}} >> {log}; cat {{folder}}/kept'"]
reset = ["sh -c 'echo reset >> {log}'"]
teardown = ["sh -c 'echo teardown >> {log}'", "false"]
"""
    tools = [tool(tmp_path, text.replace("NAME", name), name) for name in ("mine", "other")]

    found = list(measure(tools, "one", 2, lambda _: None))

    lines = [line.split() for line in log.read_text().splitlines()]
    rounds = [line[:2] for line in lines if len(line) > 1]
    assert rounds == [["mine", "1"], ["other", "1"], ["other", "2"], ["mine", "2"]]
    assert len({line[2] for line in lines if len(line) > 1}) == 2
    assert [line[0] for line in lines].count("reset") == 4
    assert [line[0] for line in lines[-2:]] == ["teardown", "teardown"]
    assert [(each.tool, len(each.values)) for each in found] == [("mine", 2), ("other", 2)]


def test_a_failing_command_ends_its_case_after_the_teardown(tmp_path: Path) -> None:
    """The error contains the command's output."""
    text = "[[case]]\nname = 'one'\ncommand = [\"sh -c 'echo no >&2; exit 3'\"]\nteardown = ['touch PATH']"
    mine = tool(tmp_path, text.replace("PATH", str(tmp_path / "gone")))

    with pytest.raises(MeasurementError, match="exited with status 3") as caught:
        list(measure([mine], "one", 2, lambda _: None))

    assert caught.value.detail == ("no",)
    assert (tmp_path / "gone").exists()


def test_metrics_come_from_the_source_that_the_case_names() -> None:
    """It is the duration, a probe's steps after the click, or the output's last line."""
    steps = [("login", 1.0, 1.0), ("submit", 1.5, 0.5), ("ready", 3.0, 1.5), ("open", 3.1, 0.1), ("kernel", 4.0, 0.9)]
    report = {"timeline": [{"name": name, "at_s": at, "took_s": took} for name, at, took in steps]}

    assert read_metrics("time", 2.5, "whatever") == {"": 2.5}
    assert read_metrics("probe", 2.5, json.dumps(report)) == {"click to ready": 2.0, "click to kernel": 3.0}
    assert read_metrics("metrics", 2.5, 'said before\n{"a": 1}\n') == {"a": 1.0}


@pytest.mark.parametrize(("reads", "output"), [("probe", "{}"), ("probe", "no"), ("metrics", ""), ("metrics", "[1]")])
def test_output_without_metrics_is_an_error(reads: str, output: str) -> None:
    """A round without metrics fails its case."""
    with pytest.raises(MeasurementError, match="the output has no metrics"):
        read_metrics(reads, 1.0, output)


def test_results_survive_a_round_trip_through_a_file(tmp_path: Path) -> None:
    """The file contains every round and the machine facts, and another file is refused."""
    found = Results(machine={"processors": 2}, series=(series(1.0, 2.0), series(3.0, metric="memory, MiB")))

    found.save(tmp_path / "kept.json")

    assert results.load(tmp_path / "kept.json") == found
    (tmp_path / "kept.json").write_text("{}")
    with pytest.raises(UsageError, match="contains no results"):
        results.load(tmp_path / "kept.json")


def test_results_of_earlier_commits_can_be_read(tmp_path: Path) -> None:
    """Their key for the metric is `figure`."""
    row = {"case": "one", "title": "one", "figure": "live", "tool": "mine", "values": [1]}
    (tmp_path / "kept.json").write_text(json.dumps({"machine": {}, "series": [row]}))

    assert results.load(tmp_path / "kept.json").series == (series(1.0, metric="live"),)


def test_a_ratio_covers_all_pairs() -> None:
    """Every round is divided by every round, which shows whether a difference exceeds the noise."""
    found = ratio((2.0, 4.0), (1.0, 2.0))
    twice = ratio((2.0,) * 5, (1.0,) * 5)

    assert found is not None
    assert (found.low, found.median, found.high, found.greater) == (1.0, 2.0, 4.0, 0.75)
    assert twice is not None
    assert (twice.low, twice.high) == (2.0, 2.0)
    assert ratio((1.0,), (0.0,)) is None


def test_a_comparison_warns_when_machines_differ() -> None:
    """Load and date differ between any two runs, and give no warning."""
    now = Results(
        machine={"processors": 2, "podman": "5.4", "date": "b"}, series=(series(2.0), series(1.0, metric="x"))
    )
    before = Results(machine={"processors": 2, "podman": "4.3", "date": "a"}, series=(series(1.0),))

    lines = list(compare_runs(now, before))

    assert lines[0] == "different machine: podman is 5.4, was 4.3"
    assert [line.split() for line in lines[2:]] == [["one", "2.00", "2.00", "2.00", "100%"]]
    assert "different machine" not in "".join(compare_runs(before, before))


def positions(root: ET.Element, identifier: str) -> list[float]:
    """Return the x coordinates of the dots, or of the median, in a row of a chart."""
    (group,) = [each for each in root.iter(f"{TAG}g") if each.attrib.get("id") == identifier]
    dots = [float(each.attrib["x"]) for each in group.iter(f"{TAG}use")]
    return dots or [float(path.attrib["d"].split()[1]) for path in group.iter(f"{TAG}path")]


def texts(root: ET.Element) -> list[str]:
    """Return the texts of a chart, in the order of drawing."""
    return [each.text or "" for each in root.iter(f"{TAG}text")]


def test_the_chart_has_a_dot_for_each_round() -> None:
    """Dots are in the order of their values, with a bar at the median. Only durations are drawn."""
    rows = [series(1.0, 9.0, 4.0, title="<up>"), series(100.0, metric="memory, MiB"), series(2.0, of="other")]

    root = ET.fromstring(render("title", "", rows))  # noqa: S314 - our own text

    mine, other = positions(root, "dots-0"), positions(root, "dots-1")
    assert len(mine) == 3
    assert mine[0] < other[0] < mine[2] < mine[1]
    assert positions(root, "median-0") == pytest.approx([mine[2]], abs=0.1)
    assert positions(root, "median-1") == pytest.approx(other, abs=0.1)
    assert "dots-2" not in {each.attrib.get("id") for each in root.iter()}
    assert {"<up>", "4.00 s", "mine", "other"} <= set(texts(root))


def test_tools_are_in_adjacent_rows() -> None:
    """The second tool's row shows the ratio, and a long title never hides the metric."""
    title = "an edit of something that has a long name, then `dev.reload`"
    rows = [
        series(value, metric=metric, of=of, title=title)
        for of, value in (("mine", 2.0), ("other", 3.0))
        for metric in ("live", "command ended")
    ]

    root = ET.fromstring(render("title", "", rows))  # noqa: S314 - our own text

    labels = [text for text in texts(root) if text.startswith("an edit")]
    notes = [text for text in texts(root) if text in {"2.00 s", "3.00 s, 1.50 times"}]
    assert [label.rpartition(", ")[2] for label in labels] == ["live", "live", "command ended", "command ended"]
    assert max(map(len, labels)) <= LABEL_CHARACTERS
    assert notes == ["2.00 s", "3.00 s, 1.50 times"] * 2


def test_the_committed_chart_shows_the_committed_results() -> None:
    """docs/performance.svg is drawn from performance.json, and the drawing is repeatable."""
    found = results.load(PROJECT / "docs" / "performance.json")

    chart = render_results(found)

    committed = ET.parse(PROJECT / "docs" / "performance.svg").getroot()  # noqa: S314 - our own file
    assert texts(ET.fromstring(chart)) == texts(committed)  # noqa: S314
    assert chart == render_results(found)


class RefusingHandler(BaseHTTPRequestHandler):
    """Records tokens, and answers each request with 401."""

    protocol_version = "HTTP/1.1"
    tokens: list[str]

    def do_GET(self) -> None:
        """Record the token and refuse."""
        self.tokens.append(self.headers["X-Token"])
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Discard log messages."""


@contextmanager
def refusing_server() -> Iterator[tuple[str, list[str]]]:
    """Run a server, and yield its URL and the tokens that it receives."""
    tokens: list[str] = []
    handler = type("Handler", (RefusingHandler,), {"tokens": tokens})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/x", tokens
        server.shutdown()


def test_requests_are_sent_at_the_rate() -> None:
    """No request is sent before it is due, and each is counted by its outcome."""
    with refusing_server() as (url, tokens):
        connections = Connections(url)

        load = run_at_rate(100, 0.2, lambda: connections.get("/x", {"X-Token": "t"}), workers=2)

    assert tokens == ["t"] * 20
    assert load.outcomes == {401: 20}
    assert len(load.durations_s) == 20
    assert load.rate <= 110


def test_a_refused_connection_is_an_outcome() -> None:
    """A failed request does not end the measurement."""
    with refusing_server() as (url, _):
        pass

    load = run_at_rate(100, 0.02, lambda: Connections(url).get("/x", {}), workers=1)

    assert load.outcomes == {"ConnectionRefusedError": 2}


def test_quantiles_are_measured_values() -> None:
    """The quantile is the nearest rank, and NaN without values."""
    values = list(range(1, 101))

    assert [quantile(values, share) for share in (0.0, 0.5, 0.95, 0.99, 1.0)] == [1, 50, 95, 99, 100]
    assert math.isnan(quantile([], 0.5))


def test_a_token_with_an_unknown_key_differs_only_in_its_key() -> None:
    """The key id is random, and the other fields stay."""
    header = base64.urlsafe_b64encode(b'{"alg": "RS256", "kid": "known"}').decode().rstrip("=")

    first, second = with_unknown_key(f"{header}.payload.signature"), with_unknown_key(f"{header}.payload.signature")

    fields = json.loads(base64.urlsafe_b64decode(first.partition(".")[0] + "=="))
    assert first.endswith(".payload.signature")
    assert (fields["alg"], fields["kid"] == "known", first == second) == ("RS256", False, False)


def test_users_are_split_into_batches() -> None:
    """The last batch has the remaining users."""
    users = [User(name=str(number), projects=()) for number in range(5)]

    assert [len(batch) for batch in split_into_batches(users, 2)] == [2, 2, 1]
    assert [user for batch in split_into_batches(users, 2) for user in batch] == users


def test_a_failing_query_is_repeated() -> None:
    """A failure neither ends the measurement nor counts as zero."""
    answers: list[int | Exception] = [SlurmUnavailableError("no answer"), 2, SlurmUnavailableError("no answer"), 0]

    def query() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert poll_count(query, wanted=0, timeout_s=60.0, interval_s=0.0) == 0
    assert answers == []


def test_a_query_without_an_answer_gives_nan() -> None:
    """After the timeout the last answer counts, and a failure gives NaN."""

    def fail() -> int:
        raise SlurmUnavailableError("no answer")

    assert math.isnan(poll_count(fail, wanted=0, timeout_s=0.0))
    assert poll_count(lambda: 3, wanted=0, timeout_s=0.0) == 3
    assert poll_count(lambda: 3, timeout_s=60.0) == 3


def test_the_cases_can_be_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Our own cases are listed first, then those of another tool."""
    tool(tmp_path)

    assert main(["--list", "--against", str(tmp_path / "mine.toml")]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("cold ")
    assert lines[-1].split() == ["edit-wrappers", "edit", "of", "the", "wrappers,", "opt-in"]


def test_a_recording_replaces_the_previous_one(tmp_path: Path) -> None:
    """Only the text between the markers changes, and the new text is taken literally."""
    document = tmp_path / "loop.md"
    document.write_text("before\n<!-- loop -->\nold\n<!-- /loop -->\nafter\n")

    replace_recording(document, r"new \1")
    replace_recording(document, r"newer \1")

    assert document.read_text() == "before\n<!-- loop -->\n\nnewer \\1\n<!-- /loop -->\nafter\n"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_each_kind_of_edit_is_valid(kind: Kind) -> None:
    """The edited file exists, and a Python file stays valid Python."""
    path = PROJECT / kind.path.replace("containers/jupyterhub/_dev_build_data", "packages").replace(
        "containers/slurm/_dev_build_data", "packages"
    )

    text = path.read_text() + kind.lines.format(word="word")

    assert path.suffix != ".py" or compile(text, str(path), "exec")
    assert "word" in text


@pytest.mark.parametrize("cases", ["tools/bench/cases.toml", "tests/bench/cases.toml"])
def test_another_checkout_is_measured_by_its_own_cases(tmp_path: Path, cases: str) -> None:
    """The commands run in it, with its scripts. Earlier commits have them in tests/bench."""
    file = tmp_path / cases
    file.parent.mkdir(parents=True)
    command = "command = ['touch seen', 'test -e {project}/seen', 'cat {bench}/metrics']"
    file.write_text(f"[[case]]\nname = 'one'\nreads = 'figures'\n{command}\n")
    (file.parent / "metrics").write_text('{"a": 1}')

    other = load_other_tool(tmp_path)

    assert [found.values for found in measure([other], "one", 1, lambda _: None)] == [(1.0,)]
    assert (tmp_path / "seen").exists()


def test_another_checkout_is_listed_beside_this_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory without cases is refused."""
    (tmp_path / "before" / "tools" / "bench").mkdir(parents=True)
    own = PROJECT / "tools" / "bench" / "cases.toml"
    (tmp_path / "before" / "tools" / "bench" / "cases.toml").write_text(own.read_text())

    assert main(["--list", "--against", str(tmp_path / "before")]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names[: len(names) // 2] == names[len(names) // 2 :]
    with pytest.raises(UsageError, match="not a checkout of this project"):
        main(["--list", "--against", str(tmp_path)])


def test_two_tools_with_the_same_name_are_refused(tmp_path: Path) -> None:
    """The check comes before the first measurement."""
    tool(tmp_path, name="hubpod")

    with pytest.raises(UsageError, match="two of the tools have the same name"):
        main(["--against", str(tmp_path / "hubpod.toml")])


@pytest.mark.parametrize("option", ["--json=nosuch/a", "--svg=.", "--rounds=0"])
def test_an_invalid_option_is_refused_before_measuring(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Results are never lost to a file that cannot be written."""
    with pytest.raises(SystemExit, match="2"):
        main([option])

    assert option.partition("=")[2] in capsys.readouterr().err


@pytest.mark.parametrize(
    "script", ["bench/run", "bench/load", "bench/edits", "bench/edit_loop", "soak/run", "power/run"]
)
def test_each_script_finds_its_modules(script: str, tmp_path: Path) -> None:
    """The scripts need no PYTHONPATH, and run from any directory."""
    argv = [sys.executable, str(PROJECT / "tools" / f"{script}.py"), "--help"]

    result = subprocess.run(argv, cwd=tmp_path, env={"PATH": os.defpath}, capture_output=True, text=True, check=False)

    assert "usage:" in result.stdout, result.stderr
