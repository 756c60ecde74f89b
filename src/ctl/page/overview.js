// Rates and memory of the last hour, profiles and their instances, what the daemon is.
import { ask, repeat } from "./api.js";
import { element, sparkline } from "./dom.js";
import { count, duration, rate, size, word } from "./words.js";

function rates(samples, key) {
  const values = [];
  for (let i = 1; i < samples.length; i++) {
    const span = samples[i].at - samples[i - 1].at;
    values.push(span > 0 ? Math.max(0, (samples[i][key] - samples[i - 1][key]) / span) : 0);
  }
  return values;
}

function tile(name, value, unit, more, series) {
  return element("div", { class: "tile" },
    element("div", { class: "name" }, name),
    element("div", { class: "value" }, value, unit ? element("small", {}, unit) : null),
    element("div", { class: "more" }, more),
    sparkline(series, `${name}, ${word("lastHour")}`));
}

function tiles(samples) {
  const last = samples.at(-1);
  if (!last) return [];
  const packets = rates(samples, "packets"), bytes = rates(samples, "bytes");
  const modified = rates(samples, "modified"), dropped = rates(samples, "dropped");
  const now = (values) => values.at(-1) ?? 0;
  const errors = samples.map((s) => s.lua_errors + s.queue_lost);
  return [
    tile(word("packets"), rate(now(packets)), word("perSecond"), word("inAll", count(last.packets)), [packets]),
    tile(word("traffic"), size(now(bytes)), word("perSecond"), word("inAll", size(last.bytes)), [bytes]),
    tile(word("treated"), rate(now(modified) + now(dropped)), word("perSecond"),
      word("modifiedDropped", count(last.modified), count(last.dropped)), [modified, dropped]),
    tile(word("flowsNow"), count(last.flows), "", word("newFlows", count(last.flows_seen), count(last.flows_evicted)),
      [samples.map((s) => s.flows)]),
    tile(word("memory"), size(last.rss), "", word("heldNow", count(last.held)), [samples.map((s) => s.rss)]),
    tile(word("losses"), count(errors.at(-1)), "", word("luaErrors", count(last.lua_errors), count(last.queue_lost)),
      [errors.map((e) => e - errors[0])]),
  ];
}

function profiles(lines) {
  const cell = (text, style) => element("td", { class: style }, String(text));
  const rows = [];
  for (const { profile } of lines.filter((line) => line.profile)) {
    rows.push(element("tr", {}, element("td", {}, element("b", {}, profile.name || String(profile.n))), cell(count(profile.flows), "n wide"),
      cell(count(profile.packets), "n"), cell("", "n"), cell("", "n"), cell("", "n wide"), cell("", "n wide"), cell("", "n wide")));
    for (const i of profile.instances || [])
      rows.push(element("tr", { class: "sub" }, element("td", {}, i.name, i.errors ? element("div", { class: "bad" }, `${word("errors")}: ${count(i.errors)}`) : null), cell("", "n wide"), cell("", "n"), cell(count(i.called), "n"), cell(count(i.sent), "n"),
        cell(count(i.modified), "n wide"), cell(count(i.dropped), "n wide"), cell(count(i.errors), i.errors ? "n wide bad" : "n wide")));
  }
  const head = (key, style) => element("th", { class: style, scope: "col" }, word(key));
  return element("table", {}, element("thead", {}, element("tr", {}, head("profile"), head("flowsOf", "n wide"), head("packetsOf", "n"),
    head("called", "n"), head("sent", "n"), head("modified", "n wide"), head("dropped", "n wide"), head("errors", "n wide"))),
  element("tbody", {}, ...rows));
}

function facts(status) {
  const uses = Object.entries(status.features || {}).filter(([, value]) => value)
    .map(([key, value]) => (value === true ? key : `${key} ${value}`)).join(", ");
  const rows = [["version", status.version], ["pid", status.pid], ["queue", (status.queues || []).join(", ")],
    ["workers", status.workers > 1 ? status.workers : null], ["features", uses], ["config", status.config]];
  const list = element("dl", {});
  for (const [key, value] of rows.filter(([, v]) => v)) list.append(element("dt", {}, word(key)), element("dd", {}, String(value)));
  if (status.options)
    list.append(element("dt", {}, word("options")), element("dd", { class: "mono" },
      ...status.options.split("\n").filter(Boolean).map((line) => element("div", {}, line))));
  return list;
}

function messages(status) {
  const all = status.messages || [];
  if (!all.length) return element("p", { class: "good" }, word("noErrors"));
  return element("dl", {}, ...all.slice().reverse().flatMap((m) => [
    element("dt", {}, word("ago", duration(Math.max(0, Date.now() - m.at * 1000)))), element("dd", { class: "bad" }, m.text)]));
}

export default function overview(view, _, page) {
  const top = element("div", { class: "tiles" });
  const table = element("div"), about = element("div"), trouble = element("div");
  view.append(top, element("section", { class: "card" }, element("h2", {}, word("profiles")), table),
    element("section", { class: "card" }, element("h2", {}, word("messages")), trouble),
    element("section", { class: "card" }, element("h2", {}, word("daemon")), about));
  const draw = () => top.replaceChildren(...tiles(page.samples));
  draw();
  page.listeners.add(draw);
  const end = repeat(async () => {
    table.replaceChildren(profiles(await ask("counters")));
    const line = (await ask("status")).find((l) => l.status);
    if (line) { about.replaceChildren(facts(line.status)); trouble.replaceChildren(messages(line.status)); }
  }, () => 5000);
  return () => { page.listeners.delete(draw); end(); };
}
