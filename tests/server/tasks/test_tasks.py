"""`await_payment` as a task (MCP's extension, SEP-2663): the call returns at once, and the result is fetched later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from jsonschema import Draft202012Validator

from blikk_mcp.desk import tasks as tasks_module
from blikk_mcp.desk.tasks import HEAD_START_SECONDS, KEPT_SECONDS, MAX_ASK_AGAIN_SECONDS, TTL_SECONDS
from blikk_payments.channel.wire import Status
from blikk_tools.await_payment import WATCH_SECONDS
from blikk_tools.result import output_schema
from tests.expecting import assert_fields
from tests.payments.doubles import ScriptedChannel, after, never, unread
from tests.payments.factories import LINK, NEWER_LINK, answer
from tests.server.tasks.client import SECRET, TASKS, TaskClient, task_client

pytestmark = pytest.mark.anyio

WAITS = answer(Status.SCA_REQUIRED, LINK)
WAITS_AS_READ = answer(Status.SCA_REQUIRED, LINK, payment_id="pay-1")
OPENS_LINKS: dict[str, Any] = {**TASKS, "elicitation": {"url": {}}}
SHAPE = Draft202012Validator(output_schema())


async def flat(client: TaskClient, task_id: str) -> dict[str, Any]:
    """The result of a task that has ended, after checking that it is what the call would have answered."""
    task = await client.get(task_id)
    assert task["status"] == "completed", task
    result = task["result"]
    told = result["structuredContent"]
    assert result["resultType"] == "complete"
    assert json.loads(result["content"][0]["text"]) == told
    assert result["isError"] is bool(told["error_code"])
    assert [error.message for error in SHAPE.iter_errors(told)] == []  # pyright: ignore[reportUnknownMemberType]
    return told


async def test_the_call_returns_at_once_and_the_result_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SEP-2663: working, then completed with what the call would have answered. A task is there as soon as it is told."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        client.house.channel.tell("pay-1", Status.SUCCESS, at=100)
        await client.create()
        started = anyio.current_time()
        begun = await client.wait()
        assert anyio.current_time() - started <= HEAD_START_SECONDS
        assert (begun["resultType"], begun["status"]) == ("task", "working")
        assert begun["createdAt"] == begun["lastUpdatedAt"] == "2026-03-02T12:00:00.000Z"
        assert begun["ttlMs"] == TTL_SECONDS * 1000
        assert "result" not in begun

        await anyio.sleep(50)
        working = await client.get(begun["taskId"])
        assert (working["resultType"], working["status"]) == ("complete", "working")
        assert "result" not in working

        await anyio.sleep(60)
        assert (await flat(client, begun["taskId"]))["outcome"] == "paid"
        ended = await client.get(begun["taskId"])
        assert (ended["createdAt"], ended["lastUpdatedAt"]) == ("2026-03-02T12:00:00.000Z", "2026-03-02T12:01:40.000Z")
        # It can be fetched again.
        assert (await flat(client, begun["taskId"]))["outcome"] == "paid"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.SCA_REQUIRED, "Waiting for the person to approve at their bank"),
        (Status.PENDING, "Waiting for the bank"),
    ],
)
async def test_a_task_says_what_it_waits_for_and_how_soon_to_ask_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: Status, words: str
) -> None:
    """The client is to ask at the pace at which there may be news."""
    async with task_client(monkeypatch, tmp_path, answer(status)) as client:
        await client.create()
        task_id = await client.begin()
        soon = await client.get(task_id)
        await anyio.sleep(300)
        late = await client.get(task_id)
    assert soon["statusMessage"] == late["statusMessage"] == words
    assert 1_000 <= soon["pollIntervalMs"] <= late["pollIntervalMs"] == MAX_ASK_AGAIN_SECONDS * 1000


async def test_after_news_a_task_is_to_be_asked_for_sooner_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What has just changed may soon change again; what stands for minutes may not."""
    async with task_client(monkeypatch, tmp_path, answer(Status.PENDING)) as client:
        await client.create()
        task_id = await client.begin()
        client.house.channel.tell("pay-1", Status.SCA_COMPLETE, at=anyio.current_time() + 300)
        await anyio.sleep(295)
        late = await client.get(task_id)
        await anyio.sleep(15)
        after_news = await client.get(task_id)
    assert after_news["lastUpdatedAt"] > late["lastUpdatedAt"]
    assert after_news["pollIntervalMs"] < late["pollIntervalMs"]


async def test_a_task_speaks_the_persons_language(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """BLIKK_LANGUAGE: a status message may be shown to the person."""
    async with task_client(monkeypatch, tmp_path, WAITS, settings={"BLIKK_LANGUAGE": "is"}) as client:
        await client.create()
        assert "Beðið eftir samþykki" in (await client.wait())["statusMessage"]


@pytest.mark.parametrize(
    "capabilities", [{}, {"extensions": {}}, {"tasks": {}}, {"extensions": {"a.example/tasks": {}}}]
)
async def test_a_client_that_did_not_declare_it_gets_the_ordinary_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capabilities: dict[str, Any]
) -> None:
    """SEP-2663: no task for a client that did not declare the extension in this very request, whatever it said before."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        task_id = await client.begin()
        started = anyio.current_time()
        result = await client.wait(declares=capabilities, wait_seconds=10)
        assert result["resultType"] == "complete"
        assert result["structuredContent"]["outcome"] == "needs_human"
        assert anyio.current_time() - started == pytest.approx(10, abs=0.1)
        for method in ("tasks/get", "tasks/cancel", "tasks/update"):
            error = (await client.ask(method, capabilities, taskId=task_id, inputResponses={}))["error"]
            assert (error["code"], error["data"]) == (-32021, {"requiredCapabilities": TASKS})
        assert (await client.get(task_id))["status"] == "working"


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", "2025-11-25"])
async def test_the_handshake_era_gets_the_ordinary_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    """SEP-2663: the extension is not defined there, whatever a client declares."""
    async with task_client(monkeypatch, tmp_path, WAITS, version=version) as client:
        await client.create()
        started = anyio.current_time()
        result = await client.wait(wait_seconds=10)
        assert result["structuredContent"]["outcome"] == "needs_human"
        assert anyio.current_time() - started == pytest.approx(10, abs=0.1)
        for method in ("tasks/get", "tasks/cancel", "tasks/update"):
            assert (await client.ask(method, taskId="any"))["error"]["code"] == -32601


async def test_a_person_who_was_not_told_is_told_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A task before the person knows of the link would wait for nobody."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        result = await client.wait(human_informed=False)
        assert result["structuredContent"]["approval_url"] == LINK


async def test_other_tools_are_no_tasks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """create_payment's result carries the link, and the others answer at once."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        assert (await client.create())["approval_url"] == LINK
        for name, given in (("get_payment_status", {"payment_id": "pay-1"}), ("list_payments", {})):
            answered = await client.ask("tools/call", name=name, arguments=given)
            assert answered["result"]["resultType"] == "complete"


async def test_where_there_is_nothing_to_wait_for_there_is_no_task(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A payment that has ended, one that Blikk does not know, one without an id, and arguments that are wrong."""
    lost = unread()
    async with task_client(monkeypatch, tmp_path, answer(Status.SCA_REQUIRED, LINK), lost) as client:
        client.house.channel.tell("pay-1", Status.REJECTED, at=1)
        await client.create()
        await anyio.sleep(2)
        for payment_id, outcome, code in (("pay-1", "failed", ""), ("pay-no-such", "unknown", "not_found")):
            result = await client.wait(payment_id)
            assert result["resultType"] == "complete"
            assert_fields(result["structuredContent"], outcome=outcome, error_code=code)
        reads = len(client.house.channel.read_at)
        await client.wait("pay-no-such")
        assert len(client.house.channel.read_at) == reads + 1
        wrong = (await client.wait(wait_seconds="5"))["structuredContent"]
        assert wrong["error_code"] == "invalid_arguments"


async def test_a_task_knows_what_another_call_has_just_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A payment that get_payment_status calls paid is not waited for by anybody."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        task_id = await client.begin()
        await anyio.sleep(0.5)
        client.house.channel.tell("pay-1", Status.SUCCESS, at=anyio.current_time())
        named = {"payment_id": "pay-1"}
        looked = await client.ask("tools/call", name="get_payment_status", arguments=named)
        assert looked["result"]["structuredContent"]["outcome"] == "paid"
        assert (await flat(client, task_id))["outcome"] == "paid"


async def test_cancelling_a_task_stops_the_watching_and_not_the_payment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """tasks/cancel is acknowledged with nothing; Blikk is not asked any more, and the payment goes its way."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        client.house.channel.tell("pay-1", Status.SUCCESS, at=100)
        await client.create()
        task_id = await client.begin()
        acknowledged = await client.ask("tasks/cancel", taskId=task_id)
        assert set(acknowledged["result"]) == {"resultType", "_meta"}
        task = await client.get(task_id)
        assert task["status"] == "cancelled"
        assert "The payment itself was not cancelled and may still be paid" in task["statusMessage"]

        await anyio.sleep(1)
        reads = len(client.house.channel.read_at)
        await anyio.sleep(200)
        assert len(client.house.channel.read_at) == reads
        assert (await client.get(task_id))["status"] == "cancelled"
        assert (await client.wait())["structuredContent"]["outcome"] == "paid"


async def test_cancelling_what_has_ended_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The result is there to be fetched."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        client.house.channel.tell("pay-1", Status.SUCCESS, at=10)
        await client.create()
        task_id = await client.begin()
        await anyio.sleep(20)
        assert "result" in await client.ask("tasks/cancel", taskId=task_id)
        assert (await flat(client, task_id))["outcome"] == "paid"


async def test_answers_that_nobody_asked_for_are_acknowledged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SEP-2663: what is not outstanding is to be ignored; a task of ours never asks for input."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        task_id = await client.begin()
        given = {"sca": {"action": "accept"}}
        acknowledged = await client.ask("tasks/update", taskId=task_id, inputResponses=given)
        assert set(acknowledged["result"]) == {"resultType", "_meta"}
        assert (await client.get(task_id))["status"] == "working"


@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel", "tasks/update"])
@pytest.mark.parametrize("task_id", ["", "no-such-task", "x" * 10_000, "pay-1"])
async def test_a_handle_that_is_none_is_an_invalid_parameter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, method: str, task_id: str
) -> None:
    """SEP-2663: -32602, which says what to do and repeats nothing."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        await client.begin()
        error = (await client.ask(method, taskId=task_id, inputResponses={}))["error"]
        assert error["code"] == -32602
        assert "await_payment" in error["message"]
        assert not task_id or task_id not in client.lines[-1]
        assert (await client.ask(method))["error"]["code"] == -32602
        assert (await client.ask(method, taskId=5))["error"]["code"] == -32602


async def test_a_wait_ends_with_the_state_so_far_and_is_there_to_be_fetched_for_a_while(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A link's life and settling; then the model is woken to ask the person, and later the task is forgotten."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        task_id = await client.begin()
        await anyio.sleep(WATCH_SECONDS - 10)
        assert (await client.get(task_id))["status"] == "working"
        await anyio.sleep(20)
        told = await flat(client, task_id)
        assert_fields(told, outcome="needs_human", final=False, approval_url=LINK)
        await anyio.sleep(KEPT_SECONDS - 20)
        assert (await flat(client, task_id)) == told
        await anyio.sleep(20)
        assert (await client.get(task_id))["code"] == -32602


async def test_after_a_restart_a_task_is_unknown_and_the_payment_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Tasks live as long as the process; the ledger is what lasts."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        task_id = await client.begin()
    channel = client.house.channel
    async with task_client(monkeypatch, tmp_path, channel=channel) as client:
        assert (await client.get(task_id))["code"] == -32602
        again = await client.begin()
        assert again != task_id
        channel.tell("pay-1", Status.SUCCESS, at=anyio.current_time() + 5)
        await anyio.sleep(10)
        told = await flat(client, again)
        assert_fields(told, outcome="paid", amount=1_000, idempotency_key="order-0001")


async def test_an_outcome_that_is_not_known_completes_the_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SEP-2663: `failed` is for errors of the protocol; not knowing is a result, and what is known of a payment stays."""
    channel = ScriptedChannel(WAITS)
    async with task_client(monkeypatch, tmp_path, channel=channel) as client:
        await client.create()
        channel.every_read = unread(503)
        known, unheard = await client.begin(), await client.begin("pay-of-another-house")
        await anyio.sleep(WATCH_SECONDS + 60)
        for task_id, outcome in ((known, "needs_human"), (unheard, "unknown")):
            told = await flat(client, task_id)
            assert_fields(told, outcome=outcome, error_code="blikk_unavailable", final=False)


async def test_a_key_whose_outcome_is_unknown_is_answered_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is no id to wait with; only the operator can say more."""
    async with task_client(monkeypatch, tmp_path, TimeoutError("lost")) as client:
        assert (await client.create())["outcome"] == "unknown"
        told = (await client.wait("order-0001"))["structuredContent"]
        assert (told["outcome"], told["error_code"]) == ("unknown", "outcome_unknown")


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_an_answer_that_ends_a_wait_ends_a_task(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int
) -> None:
    """401, 403 and 404 end a wait at once."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        task_id = await client.begin()
        client.house.channel.every_read = unread(status)
        await anyio.sleep(10)
        assert (await flat(client, task_id))["outcome"] == "needs_human"


async def test_a_defect_ends_a_task_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wait that breaks must not take the server with it."""

    def broken(reading: object, until: object) -> bool:
        raise RuntimeError("a defect")

    async with task_client(monkeypatch, tmp_path, WAITS, WAITS) as client:
        await client.create()
        task_id = await client.begin()
        monkeypatch.setattr("blikk_payments.reading._ends_wait", broken)
        await anyio.sleep(10)
        told = await flat(client, task_id)
        assert (told["error_code"], told["payment_id"]) == ("internal_error", "pay-1")
        monkeypatch.undo()
        assert (await client.ask("tools/list"))["result"]["tools"]


async def test_blikk_that_hangs_holds_up_no_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """At once means at once; what Blikk says is for the task to wait for."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        client.house.channel.every_read = never
        started = anyio.current_time()
        await client.begin()
        assert anyio.current_time() - started <= HEAD_START_SECONDS + 0.1


@pytest.mark.parametrize(
    "later",
    [(Status.SCA_REQUIRED, NEWER_LINK), (Status.SCA_REQUIRED, "")],
    ids=["another link", "the bank's app"],
)
@pytest.mark.parametrize("first", [(Status.USER_ONBOARDING_REQUIRED, LINK), (Status.PENDING, "")])
async def test_what_the_person_does_not_know_of_wakes_the_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: tuple[Status, str], later: tuple[Status, str]
) -> None:
    """A call would come back with it when its time is up; a task has no such end and would keep it to itself."""
    async with task_client(monkeypatch, tmp_path, answer(*first)) as client:
        client.house.channel.tell("pay-1", *later, at=20)
        await client.create()
        task_id = await client.begin()
        await anyio.sleep(10)
        assert (await client.get(task_id))["status"] == "working"
        await anyio.sleep(15)
        told = await flat(client, task_id)
        assert (told["outcome"], told["approval_url"]) == ("needs_human", later[1])


async def opened_by_the_client(client: TaskClient, action: str = "accept", **more: Any) -> dict[str, Any]:
    """What await_payment answers a client that was asked to show the link, when it comes back with the answer."""
    asked = await client.wait(declares=OPENS_LINKS, human_informed=False, **more)
    assert asked["resultType"] == "input_required"
    given = {"payment_id": "pay-1", "human_informed": False, **more}
    repeated = {"requestState": asked["requestState"], "inputResponses": {"approval_link": {"action": action}}}
    answered = await client.ask("tools/call", OPENS_LINKS, name="await_payment", arguments=given, **repeated)
    return answered["result"]


async def test_a_link_that_a_client_opened_is_waited_for_as_a_task(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The person is informed, too, who agreed to open the link that the client showed; once is enough."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        started = anyio.current_time()
        begun = await opened_by_the_client(client)
        assert begun["resultType"] == "task"
        assert (await client.wait(declares=OPENS_LINKS, human_informed=False))["resultType"] == "task"
        assert anyio.current_time() - started <= 2 * HEAD_START_SECONDS
        client.house.channel.tell("pay-1", Status.SCA_REQUIRED, NEWER_LINK, at=anyio.current_time() + 5)
        await anyio.sleep(10)
        assert (await flat(client, begun["taskId"]))["approval_url"] == NEWER_LINK
        # A newer link is a question of its own.
        assert (await client.wait(declares=OPENS_LINKS, human_informed=False))["resultType"] == "input_required"


async def test_a_link_that_is_replaced_while_its_task_begins_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the person agreed to open is what they know of, not what the next reading says."""
    reads = 0
    for replaced in (False, True):
        folder = tmp_path / str(replaced)
        folder.mkdir()
        async with task_client(monkeypatch, folder, WAITS) as client:
            channel = client.house.channel
            if replaced:
                channel.reads.extend([WAITS_AS_READ] * (reads - 1))
                channel.every_read = answer(Status.SCA_REQUIRED, NEWER_LINK, payment_id="pay-1")
            await client.create()
            begun = await opened_by_the_client(client)
            # The last reading of a call that ends with a task is the first of its task.
            reads = len(channel.read_at)
            assert begun["resultType"] == ("complete" if replaced else "task")
    assert begun["structuredContent"]["approval_url"] == NEWER_LINK


async def test_a_link_that_a_client_closed_is_no_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Closed or declined, nobody may have read it: the ordinary result carries it."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        result = await opened_by_the_client(client, "decline")
        assert result["structuredContent"]["approval_url"] == LINK


async def test_the_number_of_tasks_is_bounded_and_beyond_it_a_call_waits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An agent that asks in a circle fills no memory; whoever comes then is served as without tasks."""
    monkeypatch.setattr(tasks_module, "MAX_TASKS", 2)
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        first, second = await client.begin(), await client.begin()
        assert first != second
        started = anyio.current_time()
        result = await client.wait(wait_seconds=7)
        assert result["structuredContent"]["outcome"] == "needs_human"
        assert anyio.current_time() - started == pytest.approx(7, abs=0.1)
        await anyio.sleep(TTL_SECONDS)
        await client.begin()


async def test_a_client_that_opened_the_link_waits_in_its_call_where_there_is_no_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As it does without tasks: for the time it asked for."""
    monkeypatch.setattr(tasks_module, "MAX_TASKS", 0)
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        started = anyio.current_time()
        result = await opened_by_the_client(client, wait_seconds=9)
        assert result["structuredContent"]["outcome"] == "needs_human"
        assert anyio.current_time() - started == pytest.approx(9, abs=0.2)


async def test_a_call_that_is_cancelled_before_its_task_leaves_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody would ever ask for it."""
    monkeypatch.setattr(tasks_module, "MAX_TASKS", 1)
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        client.house.channel.every_read = after(2 * HEAD_START_SECONDS, WAITS_AS_READ)
        given = {"payment_id": "pay-1", "human_informed": True}
        number = await client.send("tools/call", name="await_payment", arguments=given)
        await anyio.sleep(HEAD_START_SECONDS / 2)
        await client.notify("notifications/cancelled", requestId=number)
        await anyio.sleep(0.1)
        client.house.channel.every_read = None
        reads = len(client.house.channel.read_at)
        await anyio.sleep(100)
        assert len(client.house.channel.read_at) == reads
        await client.begin()


@pytest.mark.parametrize("questions", [200, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_thousands_of_questions_about_a_payments_tasks_cost_blikk_what_one_wait_costs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, questions: int
) -> None:
    """The poller's pace is the payment's, however often a client asks, and however many tasks it has for one payment."""
    reads: list[int] = []
    for tasks, asked in ((1, 0), (3, questions)):
        folder = tmp_path / str(asked)
        folder.mkdir()
        async with task_client(monkeypatch, folder, WAITS) as client:
            await client.create()
            client.house.channel.tell("pay-1", Status.SUCCESS, at=anyio.current_time() + 100)
            before = len(client.house.channel.read_at)
            handles = [await client.begin() for _ in range(tasks)]
            for number in range(asked):
                await client.get(handles[number % tasks])
                await anyio.sleep(90 / asked)
            await anyio.sleep(110)
            assert {(await flat(client, handle))["outcome"] for handle in handles} == {"paid"}
            reads.append(len(client.house.channel.read_at) - before)
    alone, together = reads
    assert together <= alone


async def test_a_secret_in_a_tasks_result_is_taken_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What Blikk sends back is redacted on its way out, in both halves, wherever in the message it stands."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        client.house.channel.tell("pay-1", Status.REJECTED, at=10, bank_text=f"refused for {SECRET} indeed")
        await client.create()
        task_id = await client.begin()
        await anyio.sleep(20)
        told = await flat(client, task_id)
    assert told["outcome"] == "failed"
    assert "refused for" in told["untrusted_bank_text"]
    assert not any(SECRET[:16] in line for line in client.lines)


async def test_the_end_of_the_server_ends_what_it_waits_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A task outlives its call, never its process."""
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        await client.create()
        await client.begin()
        started = anyio.current_time()
    assert anyio.current_time() - started < 2
    reads = len(client.house.channel.read_at)
    await anyio.sleep(100)
    assert len(client.house.channel.read_at) == reads


async def test_a_task_has_a_line_in_the_log_when_it_begins_and_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator sees what was waited for and what came of it, and nothing for every question in between."""
    caplog.set_level("INFO", "blikk_mcp")
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        client.house.channel.tell("pay-1", Status.SUCCESS, at=100)
        await client.create()
        kept, cancelled = await client.begin(), await client.begin()
        await client.ask("tasks/cancel", taskId=cancelled)
        for _ in range(5):
            await client.get(kept)
            await anyio.sleep(30)
    told = [(record.message, getattr(record, "fields", {})) for record in caplog.records]
    waits = [(event, fields.get("outcome"), fields.get("payment_id")) for event, fields in told[1:]]
    assert waits == [
        ("tool_call", "task", "pay-1"),
        ("tool_call", "task", "pay-1"),
        ("task_cancelled", None, None),
        ("tool_call", "paid", "pay-1"),
    ]
    assert not any(kept in str(fields) for _, fields in told)


async def test_a_host_with_cards_finds_the_cards_hints_in_a_tasks_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the call would have answered is answered, `_meta` included, long after the call."""
    cards = {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}
    async with task_client(monkeypatch, tmp_path, WAITS) as client:
        client.house.channel.tell("pay-1", Status.SUCCESS, at=10)
        await client.create()
        begun = await client.wait(declares={"extensions": {**TASKS["extensions"], **cards}})
        without = await client.begin()
        await anyio.sleep(20)
        result = (await client.get(begun["taskId"]))["result"]
        assert result["_meta"]["blikk-mcp/card"]["language"] == "en"
        assert "_meta" not in (await client.get(without))["result"]


async def test_it_is_advertised_where_it_may_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SEP-2663: server/discover tells of the extension, without settings; the handshake era does not know it."""
    async with task_client(monkeypatch, tmp_path) as client:
        found = (await client.ask("server/discover"))["result"]["capabilities"]["extensions"]
        assert found["io.modelcontextprotocol/tasks"] == {}
