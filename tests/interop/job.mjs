// What both TypeScript clients do with the server. Takes a connected client, returns what it saw as plain data.

const PAYMENT = {
  amount: 4900,
  currency: "ISK",
  creditor_name: "Kaffihúsið Kría ehf.",
  creditor_ssn: "551073-0339",
  creditor_iban: "IS14 0159 2600 7654 5510 7303 39",
  idempotency_key: "interop-order-1",
};

// The sandbox ends a payment of this amount at once, as paid.
const PAID_AT_ONCE = { ...PAYMENT, amount: 151, idempotency_key: "interop-order-2" };

/** What to do, from the command line: {command, args, mode, tick}; `tick` is what the person answers when asked. */
export function orders() {
  return JSON.parse(process.argv[2]);
}

export async function play(client) {
  const call = (name, args) => client.callTool({ name, arguments: args });
  const tools = (await client.listTools()).tools;
  const created = await call("create_payment", PAYMENT);
  const payment_id = created.structuredContent.payment_id;
  return {
    server: client.getServerVersion(),
    tools,
    created,
    status: payment_id && (await call("get_payment_status", { payment_id })),
    waited: payment_id && (await call("await_payment", { payment_id, wait_seconds: 5 })),
    paid: await call("create_payment", PAID_AT_ONCE),
    refused: await call("create_payment", { ...PAYMENT, amount: "4900", idempotency_key: "interop-order-3" }),
    unknown_tool: await call("no_such_tool", {}).then(
      () => "no error",
      (error) => error.code,
    ),
  };
}

/** A person who always gives the same answer, and what they were asked. */
export function person(tick) {
  const asked = [];
  const answer = (request) => {
    asked.push(request.params.message);
    return { action: "accept", content: { confirm: tick } };
  };
  return { asked, answer };
}

export function tell(report) {
  process.stdout.write(JSON.stringify(report));
}
