// The makers' own library for tasks, over lines of JSON-RPC that nobody else has parsed: it checks every shape.

import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { withTasks } from "@modelcontextprotocol/ext-tasks/client";
import { orders, tell } from "./job.mjs";

const TASKS = "io.modelcontextprotocol/tasks";
const PREFIX = "io.modelcontextprotocol/";
const { command, python, payments } = orders();
const server = spawn(command, ["--sandbox"], { stdio: ["pipe", "pipe", "ignore"] });
const waiting = new Map();
let lastId = 0;

createInterface({ input: server.stdout }).on("line", (line) => {
  const message = JSON.parse(line);
  waiting.get(message.id)?.(
    message.error ? { kind: "error", error: message.error } : { kind: "result", result: message.result },
  );
});

function dispatch({ method, params }) {
  const id = ++lastId;
  const _meta = {
    ...params?._meta,
    [`${PREFIX}protocolVersion`]: "2026-07-28",
    [`${PREFIX}clientInfo`]: { name: "interop-ext-tasks", version: "1" },
    [`${PREFIX}clientCapabilities`]: { extensions: { [TASKS]: {} } },
  };
  server.stdin.write(JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta } }) + "\n");
  return new Promise((resolve) => waiting.set(id, resolve));
}

const found = (await dispatch({ method: "server/discover" })).result.capabilities.extensions;
const nobody = () => () => {};
const session = withTasks({
  endpointId: "blikk",
  taskCapabilities: { generation: "v2", capabilities: found[TASKS] },
  invalidated: false,
  dispatch,
  onServerRequest: nobody,
  onNotification: nobody,
  onInvalidated: nobody,
});

const seen = [];
for (const [payment, end] of payments) {
  const made = await (await session.callTool("create_payment", payment)).settle();
  const { payment_id } = made.outcome.result.structuredContent;
  // A link may take longer than a call of create_payment; nobody is informed before there is one.
  const told = await (await session.callTool("await_payment", { payment_id })).settle();
  const { approval_url } = told.outcome.result.structuredContent;
  const wait = await session.callTool("await_payment", { payment_id, human_informed: true });
  if (end === "approve") {
    const approving = "import sys; from blikk_sandbox.person import approve_now; approve_now(sys.argv[1])";
    execFileSync(python, ["-c", approving, approval_url]);
  } else {
    await wait.cancel();
  }
  const { outcome } = await wait.settle();
  const task = await session.task(wait.handle.taskId).snapshot();
  seen.push({ kind: wait.kind, status: outcome.status, result: outcome.result, task });
}
const unknown = await session.task("no-such-task").snapshot().then(
  () => "found",
  (error) => error.code,
);
tell({ seen, unknown });
await session.close();
server.stdin.end();
