// Vercel's AI SDK. Against the sandbox, with the SDK's own mock model where ANTHROPIC_API_KEY is not set:
//
//     npm --prefix agent_examples install && node agent_examples/ai_sdk_agent.mjs

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { anthropic } from "@ai-sdk/anthropic";
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as StdioTransport } from "@ai-sdk/mcp/mcp-stdio";
import { generateText, stepCountIs } from "ai";
import { MockLanguageModelV3 } from "ai/test";

const COMMAND = fileURLToPath(new URL("../.venv/bin/blikk-mcp", import.meta.url));
const MAX_STEPS = 12;
const MAX_TURNS = 6;
const ORDER = {
  amount: 1500, // whole krónur
  currency: "ISK",
  creditor_name: "Bókabúðin Lind",
  creditor_ssn: "551073-0339",
  creditor_iban: "IS14 0159 2600 7654 5510 7303 39",
  idempotency_key: "order-2026-11-0042", // made from the purchase, not from the attempt
};
const SYSTEM =
  "You make payments with the tools of blikk-mcp. Show the person each human_instruction word for word and then end " +
  "your turn, so that they can act; when they come back, call await_payment with human_informed=true. Only outcome paid is paid.";

// What a good model does, move by move, through the SDK's interface for tests.
function scriptedModel() {
  let paymentId = "";
  const usage = { inputTokens: { total: 0 }, outputTokens: { total: 0 } };
  const say = (text) => ({ content: [{ type: "text", text }], finishReason: { unified: "stop" }, usage, warnings: [] });
  const call = (toolName, input) => ({
    content: [{ type: "tool-call", toolCallId: crypto.randomUUID(), toolName, input: JSON.stringify(input) }],
    finishReason: { unified: "tool-calls" },
    usage,
    warnings: [],
  });
  const wait = () => call("await_payment", { payment_id: paymentId, human_informed: true });
  return new MockLanguageModelV3({
    doGenerate: async ({ prompt }) => {
      const last = prompt.at(-1);
      if (last.role !== "tool") return paymentId ? wait() : call("create_payment", ORDER);
      // The SDK shows a model the text half of a result.
      const { output } = last.content[0];
      const text = output.type === "content" ? output.value[0].text : output.value.content[0].text;
      const result = JSON.parse(text);
      paymentId = result.payment_id;
      if (result.outcome === "pending" && !result.error_code) return wait();
      return say(result.human_instruction || `The payment's outcome is ${result.outcome}.`);
    },
  });
}

// The person knows only what the agent said: they open the link in it and press the bank's own button.
async function personReads(said) {
  const url = said.match(/http:\/\/127\.0\.0\.1:[0-9]+\/bank\/[^\s"<>)*]+/)?.[0];
  if (!url) return;
  const page = await fetch(url, { headers: { "Sandbox-Visitor": "person" } });
  const html = await page.text();
  if (!html.includes('value="approve"')) return; // the link was repeated and has been used
  const form = new URLSearchParams({ decision: "approve" });
  for (const [input] of html.matchAll(/<input[^>]*type="hidden"[^>]*>/g))
    form.set(input.match(/name="([^"]*)"/)[1], input.match(/value="([^"]*)"/)[1]);
  const cookie = page.headers.getSetCookie().map((text) => text.split(";")[0]).join("; ");
  await fetch(url, { method: "POST", body: form, headers: { cookie, origin: new URL(url).origin } });
}

const sandbox = spawn(COMMAND, ["sandbox", "--speed", "20"], { stdio: ["ignore", "pipe", "ignore"] });
const folder = mkdtempSync(join(tmpdir(), "blikk-example-"));
let client;
try {
  const where = JSON.parse((await createInterface(sandbox.stdout)[Symbol.asyncIterator]().next()).value);
  const env = { PATH: process.env.PATH, BLIKK_LEDGER: join(folder, "ledger.sqlite3"), BLIKK_LOG_LEVEL: "error" };
  const transport = new StdioTransport({ command: COMMAND, args: ["serve", "--sandbox-at", where.base_url], env });
  client = await createMCPClient({ transport });
  const tools = await client.tools();
  const model = process.env.ANTHROPIC_API_KEY ? anthropic("claude-sonnet-4-5") : scriptedModel();
  const paid = async () => (await (await fetch(`${where.control_url}/record`)).json()).paid;

  const messages = [];
  let text = `Please pay order 2026-11-0042 with these details: ${JSON.stringify(ORDER)}`;
  for (let turn = 0; turn < MAX_TURNS && !(turn > 1 && (await paid()).length); turn++) {
    console.log(`\nperson: ${text}`);
    messages.push({ role: "user", content: text });
    const answer = await generateText({ model, system: SYSTEM, tools, messages, stopWhen: stepCountIs(MAX_STEPS) });
    messages.push(...answer.response.messages);
    console.log(`\nagent: ${answer.text}`);
    await personReads(answer.text);
    text = "I have done what you asked me to. How did the payment end?";
  }
  console.log(`\nThe bank made ${(await paid()).length} payment(s).`);
  process.exitCode = (await paid()).length === 1 ? 0 : 1;
} finally {
  await client?.close();
  sandbox.kill();
  rmSync(folder, { recursive: true });
}
