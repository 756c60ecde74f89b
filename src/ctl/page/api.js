// Asking the server, which asks the daemon (docs/control.md).
import { toast } from "./dom.js";
import { word } from "./words.js";

async function checked(response) {
  if (response.ok) return response;
  let reason = response.statusText;
  try { reason = (await response.json()).error; } catch { /* no more is known */ }
  throw new Error(reason || String(response.status));
}

// The lines of an answer.
export async function ask(what, fields = {}) {
  const query = new URLSearchParams(fields).toString();
  const response = await checked(await fetch(`api/${what}${query ? "?" + query : ""}`));
  return (await response.json()).lines;
}

export async function get(what) {
  return (await checked(await fetch(`api/${what}`))).json();
}

// What changes something. The header cannot come from another site without being asked about.
export async function post(what, body = "") {
  return checked(await fetch(`api/${what}`, { method: "POST", headers: { "X-Nfqws2": "1" }, body }));
}

// Events until close() is called. `handlers`: by the name of the event.
export function stream(what, fields, handlers) {
  const source = new EventSource(`api/${what}?${new URLSearchParams(fields)}`);
  for (const [name, handle] of Object.entries(handlers))
    source.addEventListener(name, (event) => handle(event.data ? JSON.parse(event.data) : null));
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
