"""What each path of the state server says of a newcomer, a holder and a former holder."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from http import HTTPStatus

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bootstrap.base.codec import decode
from bootstrap.base.state import FileSystemState, State, TimelineEntry
from bootstrap.base.takeovers import Takeover
from bootstrap.show.answers import Answer, answer
from bootstrap.show.view import HistoryDocument, PastHolder, StateDocument, View

NEWCOMER = View(
    service="monitor", role="newcomer", is_ready=False, is_healthy=False, state=State(phase="booting", sentence="waits")
)
PAST = PastHolder(
    generation=6,
    instance_id="i-0",
    zone="us-east-1b",
    image_id="ami-0",
    image_version="1",
    ground="terminated",
    is_released=True,
    renewed_at="2026-01-01T00:00:00Z",
)
HOLDER = View(
    service="monitor",
    role="holder",
    is_ready=True,
    is_healthy=True,
    state=State(
        phase="ready",
        sentence="healthy",
        instance_id="i-1",
        zone="us-east-1a",
        generation=7,
        timeline=(TimelineEntry(name="lease", start_s=1.0, duration_s=2.5, outcome="ok", detail='"<terminated>"'),),
    ),
    serves_for_s=3700.0,
    age_s=2.0,
    left_s=43.0,
    holders=(PAST,),
    takeovers=(
        Takeover(
            generation=7,
            at="2026-01-02T00:00:00Z",
            predecessor_generation=6,
            predecessor_id="i-0",
            predecessor_zone="us-east-1b",
            instance_id="i-1",
            zone="us-east-1a",
            image_id="ami-1",
            image_version="2",
            ground="terminated",
            why="EC2 says that i-0 is terminated",
            ready_after_s=12.5,
            phases=(TimelineEntry(name="lease", start_s=1.0, duration_s=2.5, outcome="ok"),),
        ),
    )
    * 3,
    file_system=FileSystemState(id="fs-1", options="hard,rw", total_bytes=2**40, used_bytes=3 * 2**29),
)
UNHEALTHY = replace(HOLDER, is_ready=False, is_healthy=False, state=replace(HOLDER.state, sentence="missed 1 of 3"))
FORMER = replace(HOLDER, role="former-holder", is_ready=False, state=replace(HOLDER.state, phase="stopping"))
PATHS = ("/", "/live", "/ready", "/health", "/state", "/history", "/metrics")


def said(path: str, view: View, authorization: str = "", token: str = "") -> Answer:
    return answer(path, authorization, token, lambda: view)


@pytest.mark.parametrize(
    ("view", "live", "ready", "health"),
    [(NEWCOMER, 200, 503, 503), (HOLDER, 200, 200, 200), (UNHEALTHY, 200, 503, 503), (FORMER, 200, 503, 200)],
)
def test_only_a_healthy_holder_is_ready_and_the_sentence_says_why_not(
    view: View, live: int, ready: int, health: int
) -> None:
    assert [said(path, view).status for path in ("/live", "/ready", "/health")] == [live, ready, health]
    assert view.state.sentence in said("/ready", view).body.decode()
    assert view.role in said("/live", view).body.decode()


def test_state_and_history_are_documents_with_a_version() -> None:
    document = decode(StateDocument, said("/state?pretty", HOLDER).body, unknown_keys="refuse")
    assert (document.version, document.role, document.state, document.lease_left_s) == (1, "holder", HOLDER.state, 43.0)
    assert json.loads(said("/state", NEWCOMER).body)["lease_left_s"] is None
    assert document.file_system == HOLDER.file_system
    history = decode(HistoryDocument, said("/history", HOLDER).body, unknown_keys="refuse")
    assert (history.holders, history.takeovers) == ((PAST,), HOLDER.takeovers)


@pytest.mark.parametrize(("query", "count"), [("", 3), ("limit=2", 2), ("limit=1&limit=9", 3), ("other=1", 3)])
def test_history_is_as_long_as_it_is_asked_for(query: str, count: int) -> None:
    found = decode(HistoryDocument, said(f"/history?{query}", HOLDER).body, unknown_keys="refuse")
    assert found.takeovers == HOLDER.takeovers[:count]


@pytest.mark.parametrize("limit", ["0", "-1", "ten", "1.5", "\u0663", "x" * 5000])
def test_a_limit_that_is_none_is_named(limit: str) -> None:
    found = said(f"/history?limit={limit}", HOLDER)
    assert (found.status, b"/history?limit=5" in found.body) == (HTTPStatus.BAD_REQUEST, True)


def test_the_page_has_a_picture_of_each_takeover_and_says_what_is_in_use() -> None:
    page = Page(said("/", HOLDER).body.decode())
    assert page.open == []
    assert page.text.count("i-1 in us-east-1a from i-0 in us-east-1b, ready after 12.5 s (terminated)") == 3
    assert "EC2 says that i-0 is terminated" in page.text
    assert page.attributes.count("left:28.6%;width:71.4%") == 4, "three takeovers, and the last boot"
    assert "fs-1, 1.5 GiB in use" in page.text
    first = replace(HOLDER.takeovers[0], predecessor_id="")
    assert "from nobody" in Page(said("/", replace(HOLDER, takeovers=(first,))).body.decode()).text


def test_metrics_are_those_of_prometheus() -> None:
    families = {each.name: each for each in text_string_to_metric_families(said("/metrics", HOLDER).body.decode())}
    values = {name: each.samples[0].value for name, each in families.items() if each.samples}
    assert values["soloist_ready"] == values["soloist_lease_holder"] == 1.0
    assert (values["soloist_lease_generation"], values["soloist_lease_remaining_seconds"]) == (7.0, 43.0)
    assert families["soloist_boot_phase_seconds"].samples[0].labels == {"phase": "lease"}
    assert values["process_resident_memory_bytes"] > 0
    assert families["soloist_info"].samples[0].labels["instance_id"] == "i-1"
    newcomer = said("/metrics", NEWCOMER).body.decode()
    assert "soloist_ready 0.0" in newcomer
    assert "soloist_lease_age_seconds" not in newcomer, "there is no lease, so its age is no number"
    troubled = replace(HOLDER, state=replace(HOLDER.state, reason="file-system-full"))
    assert 'soloist_trouble{reason="file-system-full"} 1.0' in said("/metrics", troubled).body.decode()


class Page(HTMLParser):
    """The text of a page, and its tags that are open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.attributes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [value or "" for _, value in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("view", "word"),
    [
        (NEWCOMER, "booting"),
        (HOLDER, "ready"),
        (UNHEALTHY, "unhealthy"),
        (FORMER, "stopping"),
        (replace(HOLDER, state=replace(HOLDER.state, reason="clock-skew")), "ready, with a trouble"),
        (replace(NEWCOMER, state=State(phase="failed", sentence="no zone")), "failed"),
    ],
)
def test_the_page_says_first_what_is_so(view: View, word: str) -> None:
    page = Page(said("/", view).body.decode())
    assert page.open == []
    assert f"monitor: {word}" in page.text
    assert view.state.sentence in page.text
    assert ("ready for 1 h 1 min" in page.text) is (view.serves_for_s is not None)


def test_whatever_a_text_holds_the_page_stays_a_page() -> None:
    evil = "<script>alert(1)</script>\"'>"
    timeline = (TimelineEntry(name=evil, start_s=0.0, duration_s=0.0, outcome="failed", detail=evil),)
    state = State(phase="ready", sentence=evil, zone=evil, reason=evil, updated_at=evil, timeline=timeline)
    past = replace(PAST, instance_id=evil, zone=evil, ground=evil, renewed_at=evil, image_version=evil)
    took = replace(HOLDER.takeovers[0], at=evil, predecessor_id=evil, why=evil, ground=evil, phases=timeline)
    seen = FileSystemState(id=evil, options=evil)
    view = replace(HOLDER, service=evil, state=state, holders=(past,), takeovers=(took,), file_system=seen)
    view = replace(view, network_interface_mac=evil)
    text = said("/", view).body.decode()
    assert "<script" not in text
    page = Page(text)
    assert (page.open, page.attributes.count(evil)) == ([], 2), "the title of each phase, and no attribute of its own"


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer secreT", "secret", "Bearer sécret"])
def test_without_the_token_only_load_balancers_get_an_answer(authorization: str) -> None:
    status = {path: said(path, HOLDER, authorization, "secret").status for path in PATHS}
    assert {path for path in PATHS if status[path] == HTTPStatus.OK} == {"/live", "/ready"}
    assert status["/state"] == HTTPStatus.UNAUTHORIZED
    assert {said(path, HOLDER, "Bearer secret", "secret").status for path in PATHS} == {HTTPStatus.OK}


@pytest.mark.parametrize("path", ["/stat", "//state", "/state/", "", "*", "/\x00é" + "x" * 4000])
def test_another_path_is_not_found_and_the_answer_names_those_there_are(path: str) -> None:
    found = said(path, HOLDER, token="secret")
    assert found.status == HTTPStatus.NOT_FOUND
    assert b"/ready" in found.body
    assert len(found.body) < 400
