// Asking the server, which asks the daemon (docs/control.md).
import { toast } from "./dom.js";
import { word } from "./words.js";

// Names come from the network: control characters, and such that reverse the direction of what follows, are shown as
// what they are, odd.
const odd = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

function parsed(text) {
  return JSON.parse(text, (_, value) => (typeof value === "string" ? value.replace(odd, "\ufffd") : value));
}

async function checked(response) {
  if (response.ok) return response;
  let reason = response.statusText;
  try { reason = parsed(await response.text()).error; } catch { /* no more is known */ }
  throw new Error(reason || String(response.status));
}

// The lines of an answer.
export async function ask(what, fields = {}) {
  const query = new URLSearchParams(fields).toString();
  const response = await checked(await fetch(`api/${what}${query ? "?" + query : ""}`));
  return parsed(await response.text()).lines;
}

export async function get(what) {
  return parsed(await (await checked(await fetch(`api/${what}`))).text());
}

// What changes something, or is long. The header cannot come from another site without being asked about.
export async function post(what, body = "") {
  const response = await fetch(`api/${what}`, { method: "POST", headers: { "X-Nfqws2": "1" }, body });
  return parsed(await (await checked(response)).text());
}

// Events until close() is called. `handlers`: by the name of the event.
export function stream(what, fields, handlers) {
  const source = new EventSource(`api/${what}?${new URLSearchParams(fields)}`);
  for (const [name, handle] of Object.entries(handlers))
    source.addEventListener(name, (event) => handle(event.data ? parsed(event.data) : null));
  return source;
}

export function complain(error) {
  toast(word("failed", error.message));
}

// Calls `work` now and again until the returned function is called; not while nobody looks.
export function repeat(work, pause) {
  let timer = 0, over = false;
  const round = async () => {
    if (!document.hidden) {
      try { await work(); } catch (error) { if (!over) complain(error); }
    }
    if (!over) timer = setTimeout(round, pause());
  };
  round();
  return () => { over = true; clearTimeout(timer); };
}
