// Connections that are tracked now.
import { ask, repeat } from "./api.js";
import { element, Rows } from "./dom.js";
import { count, duration, size, word } from "./words.js";

export function endpoint(side) {
  const address = side.address.includes(":") ? `[${side.address}]` : side.address;
  return side.port ? `${address}:${side.port}` : side.address;
}

const profileName = (flow) => (flow.profile ? flow.profile.name || String(flow.profile.n) : "-");

// What came from the server: packets that were seen, or what the client has acknowledged where only its own come by.
export function received(flow) {
  if (flow.server.bytes > 0 || flow.proto !== "tcp") return flow.server.bytes;
  return Math.max(0, (flow.server.pos || 0) - 1);
}


export function fill(flow, row) {
  row.append(
    element("span", { class: "a" }, flow.host || endpoint(flow.server)),
    element("span", { class: "c" }, `${size(flow.client.bytes)} / ${size(received(flow))}`),
    element("span", { class: "b" }, `${flow.l7 && flow.l7 !== "unknown" ? flow.l7 : flow.proto} · ${profileName(flow)} · ${endpoint(flow.client)} → ${endpoint(flow.server)}`),
    element("span", { class: `d ${received(flow) > 0 ? "good" : "warn"}` }, `${flow.state} · ${duration(flow.age_ms)}`));
}

function details(flow) {
  const rows = [["host", flow.host], ["client", endpoint(flow.client)], ["server", endpoint(flow.server)],
    ["protocol", `${flow.proto}, ${flow.l7}`], ["profile", profileName(flow)], ["state", flow.state],
    ["out", `${size(flow.client.bytes)}, ${count(flow.client.packets)}`], ["in", `${size(received(flow))}, ${count(flow.server.packets)}`],
    ["age", duration(flow.age_ms)], ["idle", duration(flow.idle_ms)], ["held", flow.held || null],
    ["retransmissions", count(flow.retransmissions)], ["cutoff", word(flow.cutoff_in && flow.cutoff_out ? "yes" : "no")]];
  const list = element("dl", {});
  for (const [key, value] of rows.filter(([, v]) => v)) list.append(element("dt", {}, word(key)), element("dd", {}, String(value)));
  const links = flow.host ? [element("p", {}, element("a", { href: `#hosts/${encodeURIComponent(flow.host)}` }, word("whyThis")), " · ",
    element("a", { href: `#ladder/${encodeURIComponent(flow.host)}` }, word("traceThis")))] : [];
  return [element("h2", {}, flow.host || endpoint(flow.server)), list, ...links];
}

function fits(flow, text) {
  return !text || [flow.host, flow.proto, flow.l7, flow.state, profileName(flow), endpoint(flow.client), endpoint(flow.server)]
    .join(" ").toLowerCase().includes(text);
}

export default function flows(view) {
  let all = [];
  const filter = element("input", { type: "search", placeholder: word("filterFlows"), "aria-label": word("filterFlows") });
  const counted = element("span", { class: "quiet", role: "status" });
  const aside = element("section", { class: "card" }, element("p", { class: "quiet" }, word("pickFlow")));
  const rows = new Rows(word("flows"), fill, (flow) => aside.replaceChildren(...details(flow)));
  const none = element("p", { class: "empty" }, word("asking"));
  rows.box.hidden = true;
  const draw = () => {
    const text = filter.value.trim().toLowerCase();
    const shown = all.filter((flow) => fits(flow, text));
    rows.set(shown, (a, b) => a.id === b.id && a.worker === b.worker);
    counted.textContent = word("countOf", count(shown.length), count(all.length));
    none.textContent = word("noFlows");
    none.hidden = shown.length > 0;
  };
  filter.addEventListener("input", draw);
  view.append(element("div", { class: "tools" }, filter, counted), element("div", { class: "split" }, element("div", {}, rows.box, none), aside));
  return repeat(async () => {
    all = (await ask("flows", { limit: 20000 })).filter((line) => line.flow).map((line) => line.flow);
    all.sort((a, b) => a.idle_ms - b.idle_ms);
    draw();
  }, () => (all.length > 2000 ? 8000 : 3000));
}
