"""A host as an IDE is one, in a terminal: tools, approval, forms, links with a QR code, progress. To try the server by hand:

    .venv-examples-terminal/bin/python agent_examples/terminal_host.py

`--auto` plays one payment: every question is answered with yes, and the sandbox's person approves at the bank.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import anyio
import mcp_types as types
import segno
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from rich.console import Console
from rich.prompt import Confirm, Prompt
from rich.table import Table
from scene import ORDER, Scene, person_reads, scene

CALL_SECONDS = 60  # await_payment takes up to 45 s
AUTO = "--auto" in sys.argv
console = Console()


def yes(question: str) -> bool:
    """The person's answer. What a server says is shown as it is, never as markup."""
    console.print(question, markup=False, highlight=False, soft_wrap=True)
    return AUTO or Confirm.ask("Yes?", console=console)


async def answer(context: Any, asked: types.ElicitRequestParams) -> types.ElicitResult:
    """A question of the server: a link to open, or a form to fill in."""
    if isinstance(asked, types.ElicitRequestURLParams):
        return types.ElicitResult(action="accept" if open_link(asked.message, asked.url) else "decline")
    if not yes(asked.message):
        return types.ElicitResult(action="decline")
    content: dict[str, Any] = {}
    for name, field in asked.requested_schema["properties"].items():
        title = field.get("title", name)
        content[name] = yes(title) if field["type"] == "boolean" else Prompt.ask(title, console=console)
    return types.ElicitResult(action="accept", content=content)


def open_link(words: str, url: str) -> bool:
    """Show the link and a code for the phone; the person opens it in a browser of their own."""
    code = io.StringIO()
    segno.make(url, micro=False).terminal(out=code, compact=True)
    console.print(code.getvalue(), markup=False, highlight=False)
    if not yes(f"{words}\n{url}"):
        return False
    if AUTO:
        person_reads(url)
    return True


async def progress(done: float, total: float | None, message: str | None) -> None:
    """What the server says while it waits."""
    console.print(f"… {message or done}", markup=False, style="dim")


async def run(client: Client, tool: types.Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    """One call, after the person's approval if it may change something."""
    reads_only = bool(tool.annotations and tool.annotations.read_only_hint)
    if not reads_only and not yes(f"Let {tool.name} run with {json.dumps(arguments, ensure_ascii=False)}?"):
        return {"outcome": "not run"}
    result = await client.call_tool(tool.name, arguments, progress_callback=progress)
    found: dict[str, Any] = result.structured_content
    table = Table(title=f"{tool.name}: {'error' if result.is_error else 'answer'}", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")  # a link that is cut off cannot be opened
    for name, value in found.items():
        table.add_row(name, json.dumps(value, ensure_ascii=False))
    console.print(table, markup=False)
    return found


async def play(client: Client, tools: dict[str, types.Tool]) -> None:
    """One payment from end to end."""
    created = await run(client, tools["create_payment"], ORDER)
    await run(client, tools["await_payment"], {"payment_id": created["payment_id"]})


async def by_hand(client: Client, tools: dict[str, types.Tool]) -> None:
    """Whatever the person types, until they have had enough."""
    while (name := Prompt.ask("Tool, or nothing to leave", console=console, default="")) != "":
        if name not in tools:
            console.print(f"The tools are {', '.join(tools)}", markup=False)
            continue
        typed = Prompt.ask("Arguments as JSON", console=console, default=json.dumps(ORDER, ensure_ascii=False))
        try:
            await run(client, tools[name], json.loads(typed))
        except ValueError as error:
            console.print(f"That is not JSON: {error}", markup=False)


async def main(stage: Scene) -> int:
    """Run it; with `--auto`, 0 only if the bank paid once."""
    environment = {**stage.env, "BLIKK_ASK_ABOVE_ISK": "1000"}  # so that there is a form to see
    server = StdioServerParameters(command=stage.command, args=stage.args, env=environment)
    async with Client(server, elicitation_callback=answer, read_timeout_seconds=CALL_SECONDS) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        table = Table("tool", "what it does", title="Tools")
        for tool in tools.values():
            table.add_row(tool.name, tool.description or "")
        console.print(table, markup=False)
        await (play if AUTO else by_hand)(client, tools)
    console.print(f"The bank made {len(stage.paid())} payment(s).")
    return 0 if len(stage.paid()) == 1 or not AUTO else 1


if __name__ == "__main__":
    with scene() as stage:
        sys.exit(anyio.run(main, stage))
