// The TypeScript SDK, version 2: both eras, by `mode`: "legacy", "auto", or a revision to insist on.

import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { orders, person, play, tell } from "./job.mjs";

const { command, args, mode, tick } = orders();
const canAsk = tick !== null;
const { asked, answer } = person(tick);
const client = new Client(
  { name: "interop-ts-v2", version: "1" },
  {
    capabilities: canAsk ? { elicitation: { form: {} } } : {},
    versionNegotiation: { mode: ["legacy", "auto"].includes(mode) ? mode : { pin: mode } },
  },
);
if (canAsk) client.setRequestHandler("elicitation/create", answer);
await client.connect(new StdioClientTransport({ command, args, env: process.env }));
tell({ ...(await play(client)), asked, protocol: client.getNegotiatedProtocolVersion() });
await client.close();
