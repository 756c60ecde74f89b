// The same by host name; for one of them what is done with it, and why.
import { ask, complain, repeat } from "./api.js";
import { element, Rows } from "./dom.js";
import { endpoint, received } from "./flows.js";
import { count, duration, size, word } from "./words.js";

// Of the connections there are, and of those that have ended.
const sum = (host, field) => host[field] + (host.past ? host.past[field] : 0);

function fill(host, row) {
  const silent = sum(host, "answered") === 0;
  row.append(
    element("span", { class: "a" }, host.name),
    element("span", { class: "c" }, size(sum(host, "bytes"))),
    element("span", { class: "b" }, `${word("connections")}: ${count(host.flows)} · ${word("profile").toLowerCase()}: ${(host.profiles || []).join(", ")}`),
    element("span", { class: `d ${silent ? "bad" : "good"}` }, word("answeredOf", count(sum(host, "answered")), count(sum(host, "flows")))));
}

function search(found) {
  const parts = [element("h3", {}, word(found.informed ? "onceKnown" : "atFirst"))];
  const list = element("ul", {});
  for (const profile of found.profiles || []) {
    const name = profile.name || String(profile.n);
    list.append(element("li", {}, `${name}: `, element("span", { class: profile.refused_by ? "quiet" : "good" },
      profile.refused_by ? word("refusedBy", profile.refused_by) : word("wins"))));
  }
  for (const instance of found.instances || [])
    list.append(element("li", { class: "mono" }, word(instance.called ? "calls" : "callsNot", instance.call)));
  return [...parts, list];
}

async function why(name, aside) {
  const flows = await ask("flows", { host: name, limit: 20 });
  const fields = { host: name };
  const like = flows.map((line) => line.flow).find(Boolean);
  if (like) { // what is explained is such a connection as there are
    Object.assign(fields, { port: like.server.port, proto: like.proto });
    if (like.l7 && like.l7 !== "unknown") fields.l7 = like.l7;
  }
  const found = await ask("find", fields);
  const matches = found.filter((line) => line.match).map((line) => line.match);
  const parts = [element("h2", {}, name), element("p", {}, element("a", { href: `#ladder/${encodeURIComponent(name)}` }, word("traceThis")))];
  parts.push(element("h3", {}, word("resets")));
  parts.push(matches.length
    ? element("ul", {}, ...matches.map((m) => element("li", {}, element("b", {}, m.entry), " ", element("span", { class: "quiet" }, m.file))))
    : element("p", { class: "quiet" }, word("noList")));
  for (const line of found.filter((l) => l.explain)) for (const s of line.explain.searches || []) parts.push(...search(s));
  const known = flows.filter((line) => line.flow).map((line) => line.flow);
  if (known.length) {
    parts.push(element("h3", {}, word("flows")), element("ul", {}, ...known.map((flow) => element("li", {},
      `${endpoint(flow.server)} `, element("span", { class: received(flow) > 0 ? "good" : "bad" },
        received(flow) > 0 ? size(received(flow)) : word("silent")), element("span", { class: "quiet" }, ` ${duration(flow.age_ms)}`)))));
  }
  aside.replaceChildren(...parts);
}

export default function hosts(view, wanted) {
  let all = [];
  const filter = element("input", { type: "search", placeholder: word("filterHosts"), "aria-label": word("filterHosts") });
  const counted = element("span", { class: "quiet", role: "status" });
  const aside = element("section", { class: "card" }, element("p", { class: "quiet" }, word("pickHost")));
  const rows = new Rows(word("hosts"), fill, (host) => why(host.name, aside).catch(complain));
  const none = element("p", { class: "empty" }, word("asking"));
  rows.box.hidden = true;
  const draw = () => {
    const text = filter.value.trim().toLowerCase();
    const shown = all.filter((host) => host.name.toLowerCase().includes(text));
    rows.set(shown, (a, b) => a.name === b.name);
    counted.textContent = word("countOf", count(shown.length), count(all.length));
    none.textContent = word("noHosts");
    none.hidden = shown.length > 0;
  };
  filter.addEventListener("input", draw);
  view.append(element("div", { class: "tools" }, filter, counted), element("div", { class: "split" }, element("div", {}, rows.box, none), aside));
  if (wanted) why(wanted, aside).catch(complain);
  return repeat(async () => {
    all = (await ask("hosts", { limit: 10000 })).filter((line) => line.host).map((line) => line.host);
    draw();
  }, () => 4000);
}
