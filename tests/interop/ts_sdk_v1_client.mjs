// The TypeScript SDK, version 1: the handshake era.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { orders, person, play, tell } from "./job.mjs";

const { command, args, tick } = orders();
const canAsk = tick !== null;
const { asked, answer } = person(tick);
const client = new Client(
  { name: "interop-ts-v1", version: "1" },
  { capabilities: canAsk ? { elicitation: { form: {} } } : {} },
);
if (canAsk) client.setRequestHandler(ElicitRequestSchema, answer);
await client.connect(new StdioClientTransport({ command, args, env: process.env }));
tell({ ...(await play(client)), asked });
await client.close();
