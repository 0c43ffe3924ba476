"use strict";
/* Everything that comes from outside is shown with textContent; the one picture is the QR code of a result's _meta. */
const WORDS = {
  en: {
    title: "Payment", amount: "Amount", payee: "To", account: "Account", bank_says: "Message from the bank",
    environment: {
      production: "Real payment", stage: "Test: no real money", sandbox: "Sandbox: no real money",
      custom: "Not one of Blikk's addresses",
    },
    open: "Open at your bank", register: "Register at your bank", host: "The page is at {host}.",
    lookalike: "Check this address with care: its letters may look like others.",
    not_opened: "The link could not be opened from here. Use the link in the conversation instead.",
    scan: "Or scan it with your phone.", only_here: "This link works on this computer only.",
    qr: "QR code of the link to {host}, for your phone",
    safety: "Nothing is paid until you approve at your bank. Nobody but your bank may ask you for codes.",
    unread: "The status could not be checked just now. Trying again.", newest: "Fetching the newest link.",
    left: "This card no longer follows the payment. Ask in the conversation.",
    states: {
      loading: ["Getting the payment ready", ""],
      open_link: ["Waiting for your approval",
        "Check that amount and payee are the same at your bank, and approve only if you want this payment."],
      onboarding: ["First, register at your bank", "After that you will be asked to approve the payment itself."],
      bank_app: ["Approve it in your bank's app",
        "Check that amount and payee are the same there. If the app shows nothing, look in Blikk's merchant portal."],
      other_open: ["Do not approve this payment",
        "Blikk says {figure}, which is not what was asked for. Tell whoever runs the payment service."],
      other_paid: ["Paid, but not as asked for", "Blikk says {figure}. Tell whoever runs the payment service."],
      pending: ["Waiting for the bank", "Nothing for you to do now. It is not paid until it says so here."],
      paid: ["Paid", "There is nothing more to do."],
      REJECTED: ["Not paid", "The payment was rejected and no money was moved. Still want it? Ask in the conversation."],
      CANCELLED: ["Not paid", "The payment was cancelled and no money was moved. Still want it? Ask in the conversation."],
      ERROR: ["Not paid", "It was not approved in time, or the bank could not make it. No money was moved. "
        + "Still want it? Ask in the conversation."],
      unknown: ["It is not known whether this was paid",
        "Please do not pay it again before somebody has looked for it in Blikk's merchant portal."],
      refused: ["This payment was not made", "The conversation says why."],
      stopped: ["The request was stopped", "Ask in the conversation what became of the payment."],
    },
  },
  is: {
    title: "Greiðsla", amount: "Upphæð", payee: "Viðtakandi", account: "Reikningur", bank_says: "Skilaboð frá bankanum",
    environment: {
      production: "Raunveruleg greiðsla", stage: "Prófun: engir raunverulegir peningar",
      sandbox: "Prófunarumhverfi: engir raunverulegir peningar", custom: "Ekki lén Blikk",
    },
    open: "Opna hjá bankanum", register: "Skrá mig hjá bankanum", host: "Vefsíðan er á {host}.",
    lookalike: "Skoðaðu þessa vefslóð vel: stafirnir geta líkst öðrum stöfum.",
    not_opened: "Ekki tókst að opna hlekkinn héðan. Notaðu hlekkinn í samtalinu í staðinn.",
    scan: "Eða skannaðu með símanum.", only_here: "Þessi hlekkur virkar aðeins í þessari tölvu.",
    qr: "QR-kóði með hlekk á {host}, fyrir símann",
    safety: "Ekkert er greitt fyrr en þú samþykkir hjá bankanum. Gefðu engum kóða nema bankanum þínum.",
    unread: "Ekki tókst að athuga stöðuna núna. Reynt verður aftur.", newest: "Sæki nýjasta hlekkinn.",
    left: "Hér er ekki lengur fylgst með greiðslunni. Spurðu í samtalinu.",
    states: {
      loading: ["Greiðslan er í undirbúningi", ""],
      open_link: ["Beðið eftir samþykki þínu",
        "Gættu að því að upphæð og viðtakandi séu þau sömu hjá bankanum og samþykktu aðeins ef þú vilt að greiðslan fari fram."],
      onboarding: ["Fyrst þarftu að skrá þig hjá bankanum", "Að því loknu verður óskað eftir því að þú samþykkir greiðsluna sjálfa."],
      bank_app: ["Samþykktu í appi bankans þíns",
        "Gættu að því að upphæð og viðtakandi séu þau sömu þar. Ef ekkert birtist í appinu skaltu líta í söluaðilagátt Blikk."],
      other_open: ["Ekki samþykkja þessa greiðslu",
        "Blikk segir {figure}, en það er ekki það sem beðið var um. Láttu rekstraraðila þjónustunnar vita."],
      other_paid: ["Greitt, en ekki eins og beðið var um", "Blikk segir {figure}. Láttu rekstraraðila þjónustunnar vita."],
      pending: ["Beðið eftir bankanum", "Þú þarft ekkert að gera núna. Ekkert er greitt fyrr en það stendur hér."],
      paid: ["Greitt", "Þú þarft ekki að gera neitt meira."],
      REJECTED: ["Ekki greitt", "Greiðslunni var hafnað og engir peningar færðust. Viltu samt greiða? Láttu vita í samtalinu."],
      CANCELLED: ["Ekki greitt", "Hætt var við greiðsluna og engir peningar færðust. Viltu samt greiða? Láttu vita í samtalinu."],
      ERROR: ["Ekki greitt", "Greiðslan var ekki samþykkt í tæka tíð eða bankinn gat ekki framkvæmt hana. Engir peningar færðust. "
        + "Viltu samt greiða? Láttu vita í samtalinu."],
      unknown: ["Ekki er vitað hvort þetta var greitt",
        "Vinsamlegast greiddu þetta ekki aftur fyrr en einhver hefur leitað að greiðslunni í söluaðilagátt Blikk."],
      refused: ["Þessi greiðsla var ekki framkvæmd", "Í samtalinu kemur fram hvers vegna."],
      stopped: ["Beiðnin var stöðvuð", "Spurðu í samtalinu hvað varð um greiðsluna."],
    },
  },
};
const FIRST_MS = 2000, LONGEST_MS = 15000, FAILING_MS = 60000, GROWTH = 1.25;
const CALL_MS = 30000, FOLLOWED_MS = 30 * 60000;
const LINK_MS = 60000; // a link is shown only while the answer that brought it is younger
const HINT = "blikk-mcp/card";
const NO_MORE = ["unauthorized", "wrong_channel", "not_found", "not_configured", "invalid_arguments"];
const COLOURS = ["--color-background-primary", "--color-text-primary", "--color-text-secondary", "--color-border-primary"];
const LOOKS = [...COLOURS, "--font-sans", "--border-radius-md"];

const root = document.documentElement;
const part = (id) => document.getElementById(id);
const asked = new Map();
let lastId = 0, language = "en", closed = false, stopped = false;
let result = null, qr = "", cautions = "", blikkSays = "", madeAt = 0, lookup = null, input = {};
let timer = 0, delay = FIRST_MS, followedSince = 0, checking = false, unread = false, left = false;

function send(message) {
  window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
}

function ask(method, params) {
  const id = ++lastId;
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => { asked.delete(id); reject(new Error("no answer")); }, CALL_MS);
    asked.set(id, (answer) => {
      clearTimeout(late);
      if (answer.error) reject(new Error("refused")); else resolve(answer.result ?? {});
    });
    send({ id, method, params });
  });
}

function say(id, text) {
  if (part(id).textContent !== text) part(id).textContent = text;
}

function read(answer) {
  if (answer.structuredContent) return answer.structuredContent;
  try { return JSON.parse(answer.content[0].text); } catch { return null; }
}

/* Takes over what a call answered. A failed reading changes nothing of what is known. */
function take(answer, answeredAt) {
  const found = read(answer);
  if (!found || typeof found.outcome !== "string") return false;
  const failedReading = found.error_code && found.error_code !== "outcome_unknown" && found.outcome !== "refused";
  left = failedReading && NO_MORE.includes(found.error_code);
  if (result && (failedReading || result.final)) return !failedReading;
  const hint = answer._meta?.[HINT] ?? {};
  result = found;
  stopped = false;
  qr = /^data:image\/svg\+xml;base64,[A-Za-z0-9+/]+=*$/.test(hint.qr ?? "") ? hint.qr : "";
  cautions = typeof hint.cautions === "string" ? hint.cautions : "";
  blikkSays = typeof hint.blikk_says === "string" ? hint.blikk_says : "";
  madeAt = answeredAt ?? (Number(hint.made_at) || 0) * 1000;
  if (Object.hasOwn(WORDS, hint.language)) language = hint.language;
  if (found.payment_id) lookup = { payment_id: found.payment_id };
  else if (found.idempotency_key) lookup = { idempotency_key: found.idempotency_key };
  return !failedReading;
}

function isOver() {
  return result !== null && (result.final || result.outcome === "refused"
    || (result.outcome === "unknown" && ["", "outcome_unknown"].includes(result.error_code)));
}

/* The address to open, or null: checked here once more, whatever the server checked. */
function approvalAddress() {
  if (!result || isOver() || !["open_link", "onboarding"].includes(result.human_action)) return null;
  if (!/^https?:\/\/[!-[\]-~]{1,2040}$/.test(result.approval_url)) return null;
  let address;
  try { address = new URL(result.approval_url); } catch { return null; }
  const secure = address.protocol === "https:" && address.port === "" && address.hostname.includes(".");
  const local = address.protocol === "http:" && ["127.0.0.1", "localhost", "[::1]"].includes(address.hostname)
    && ["sandbox", "custom"].includes(result.environment);
  const plain = address.username === "" && address.password === "" && address.hostname === result.approval_host;
  return plain && (secure || local) ? address : null;
}

function isFresh() {
  return !left && Math.abs(Date.now() - madeAt) < LINK_MS;
}

function stateOf(address) {
  if (!result) return stopped ? ["stopped", "doubt"] : ["loading", ""];
  if (blikkSays && result.outcome === "paid") return ["other_paid", "doubt"];
  if (blikkSays && ["pending", "needs_human"].includes(result.outcome)) return ["other_open", "doubt"];
  switch (result.outcome) {
    case "paid": return ["paid", "good"];
    case "failed": return [["REJECTED", "CANCELLED"].includes(result.status) ? result.status : "ERROR", "bad"];
    case "refused": return ["refused", "bad"];
    case "pending": return ["pending", ""];
    case "needs_human":
      if (result.human_action === "onboarding") return ["onboarding", ""];
      return [result.human_action === "none" || address ? "open_link" : "bank_app", ""];
    default: return ["unknown", "doubt"];
  }
}

function render() {
  const words = WORDS[language];
  root.lang = language;
  document.title = words.title;
  for (const element of document.querySelectorAll("[data-word]")) {
    if (element.textContent !== words[element.dataset.word]) element.textContent = words[element.dataset.word];
  }
  const address = approvalAddress();
  const open = address !== null && isFresh();
  const [state, tone] = stateOf(address);
  say("state", words.states[state][0]);
  say("advice", words.states[state][1].replace("{figure}", () => blikkSays));
  part("status").dataset.tone = tone;

  const environment = result && Object.hasOwn(words.environment, result.environment) ? result.environment : "";
  part("environment").hidden = !environment;
  part("environment").dataset.kind = environment;
  say("environment", words.environment[environment] ?? "");
  const facts = { amount: result?.amount ? amountInWords(result.amount) : "", payee: result?.creditor_name, account: result?.creditor_account };
  for (const [id, text] of Object.entries(facts)) {
    say(id, text || "");
    part(id).closest("div").hidden = !text;
  }
  part("facts").hidden = !Object.values(facts).some(Boolean);
  say("cautions", isOver() ? "" : cautions);
  part("cautions").hidden = isOver() || !cautions;

  const hadFocus = document.activeElement === part("open");
  part("approval").hidden = !open;
  if (hadFocus && !open) part("status").focus();
  if (!open) say("opening", "");
  const host = open ? result.approval_host : "";
  say("open", result?.human_action === "onboarding" ? words.register : words.open);
  say("host", words.host.replace("{host}", () => host) + (/(^|\.)xn--/.test(host) ? ` ${words.lookalike}` : ""));
  part("phone").hidden = !open || !qr;
  if (open && qr) {
    part("qr").src = qr;
    part("qr").alt = words.qr.replace("{host}", () => host);
    say("scan", address.protocol === "http:" ? words.only_here : words.scan);
  } else {
    part("qr").removeAttribute("src");
  }
  say("bank_text", result?.untrusted_bank_text || "");
  part("bank").hidden = !result?.untrusted_bank_text;
  const note = left ? "left" : unread ? "unread" : address && !open ? "newest" : "";
  say("note", note ? words[note] : "");
  part("note").hidden = !note;
  part("safety").hidden = result?.outcome !== "needs_human" || isOver();
}

function amountInWords(amount) {
  const grouped = String(amount).replace(/\B(?=(\d{3})+$)/g, language === "is" ? "." : ",");
  return language === "is" ? `${grouped} kr.` : `${grouped} ISK`;
}

function follow(afterMs) {
  clearTimeout(timer);
  if (closed || left || !lookup || isOver() || document.hidden) return;
  followedSince ||= Date.now();
  left = Date.now() - followedSince > FOLLOWED_MS;
  if (left) render(); else timer = setTimeout(check, afterMs);
}

async function check() {
  if (checking) return;
  checking = true;
  const before = `${result?.outcome} ${result?.status}`;
  try {
    unread = !take(await ask("tools/call", { name: "get_payment_status", arguments: lookup }), Date.now());
  } catch {
    unread = true;
  }
  checking = false;
  if (closed) return;
  const changed = before !== `${result?.outcome} ${result?.status}`;
  delay = changed ? FIRST_MS : Math.min(delay * (unread ? 2 : GROWTH), unread ? FAILING_MS : LONGEST_MS);
  render();
  follow(delay);
}

function startAgain(afterMs) {
  delay = FIRST_MS;
  followedSince = 0;
  left = false;
  render();
  follow(afterMs);
}

part("open").addEventListener("click", async () => {
  if (!approvalAddress() || !isFresh()) { startAgain(0); return; }
  say("opening", "");
  try {
    const answer = await ask("ui/open-link", { url: result.approval_url });
    if (answer.isError) throw new Error("not opened");
  } catch {
    if (!part("approval").hidden) say("opening", WORDS[language].not_opened);
  }
  startAgain(FIRST_MS);
});

function applyContext(context) {
  if (["light", "dark"].includes(context.theme)) root.style.colorScheme = context.theme;
  const variables = context.styles?.variables ?? {};
  // All of a palette or nothing of it: half of one may be unreadable on half of ours.
  const whole = COLOURS.every((name) => variables[name]);
  for (const name of LOOKS) {
    if (variables[name] && (whole || !COLOURS.includes(name))) root.style.setProperty(name, variables[name]);
  }
  if (context.locale && !result) language = /^is\b/i.test(context.locale) ? "is" : "en";
  render();
}

const NOTICES = {
  "ui/notifications/tool-input": (params) => { input = params.arguments ?? {}; },
  "ui/notifications/tool-result": (params) => {
    unread = !take(params);
    if (left) render(); else startAgain(isFresh() ? FIRST_MS : 0);
  },
  "ui/notifications/tool-cancelled": () => {
    if (result) return;
    // A stopped call may have made its payment all the same: look.
    if (input.payment_id) lookup = { payment_id: input.payment_id };
    else if (input.idempotency_key) lookup = { idempotency_key: input.idempotency_key };
    stopped = true;
    startAgain(0);
  },
  "ui/notifications/host-context-changed": applyContext,
};

window.addEventListener("message", (event) => {
  const message = event.data;
  if (event.source !== window.parent || message?.jsonrpc !== "2.0") return;
  if (message.method === undefined) {
    asked.get(message.id)?.(message);
    asked.delete(message.id);
  } else if (message.id === undefined) {
    NOTICES[message.method]?.(message.params ?? {});
  } else if (message.method === "ping" || message.method === "ui/resource-teardown") {
    if (message.method !== "ping") { closed = true; clearTimeout(timer); }
    send({ id: message.id, result: {} });
  } else {
    send({ id: message.id, error: { code: -32601, message: "Method not found" } });
  }
});
document.addEventListener("visibilitychange", () => { if (document.hidden) clearTimeout(timer); else startAgain(0); });

render();
ask("ui/initialize", { appInfo: { name: "blikk-mcp", version: "1" }, appCapabilities: {}, protocolVersion: "2026-01-26" })
  .then((answer) => {
    applyContext(answer.hostContext ?? {});
    send({ method: "ui/notifications/initialized", params: {} });
    const measure = () => send({
      method: "ui/notifications/size-changed", params: { height: Math.ceil(root.getBoundingClientRect().height) },
    });
    new ResizeObserver(measure).observe(root);
  }, () => {});
