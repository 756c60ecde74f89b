// Which strategies were learned; for one host all that were tried, to pin one or to begin anew.
import { ask, complain, post, repeat } from "./api.js";
import { element, Rows } from "./dom.js";
import { count, duration, word } from "./words.js";

const nameOf = (one) => (one.host === "*" ? word("allHosts") : one.host);
const isNumber = (value) => typeof value === "number";

function inForce(one) {
  if (isNumber(one.pin)) return word("pinnedTo", one.pin);
  return isNumber(one.strategy) ? word("strategyOf", one.strategy) : "";
}

function rateOf(strategy) {
  const tries = strategy.ok + strategy.bad;
  return tries ? `${Math.round(100 * strategy.ok / tries)} %` : "-";
}

function fill(one, row) {
  const tried = one.strategies || [];
  const sum = (field) => tried.reduce((all, strategy) => all + strategy[field], 0);
  row.append(
    element("span", { class: "a" }, nameOf(one)),
    element("span", { class: "c" }, inForce(one)),
    element("span", { class: "b" }, one.key),
    element("span", { class: `d ${sum("ok") ? "good" : "bad"}` }, word("countOf", count(Math.round(sum("ok"))), count(Math.round(sum("ok") + sum("bad"))))));
}

function show(one, aside, may, changed) {
  const change = (fields) => async () => {
    try {
      await post("learn/change", JSON.stringify({ host: one.host, key: one.key, ...fields }));
      await changed();
    } catch (error) { complain(error); }
  };
  const button = (text, fields) => element("button", { type: "button", onclick: change(fields) }, text);
  const writes = may && one.host !== "*";
  const rows = (one.strategies || []).map((strategy) => element("tr", {},
    element("td", {}, word("strategyOf", strategy.n)),
    element("td", { class: "n" }, rateOf(strategy)),
    element("td", { class: "n" }, word("countOf", count(Math.round(strategy.ok)), count(Math.round(strategy.ok + strategy.bad)))),
    element("td", { class: "n wide" }, strategy.last_ok_at ? duration(Math.max(0, Date.now() - strategy.last_ok_at * 1000)) : "-"),
    element("td", {}, ...(writes && strategy.n !== one.pin ? [button(word("pin"), { action: "pin", strategy: strategy.n })] : []))));
  const head = (key, style) => element("th", { class: style, scope: "col" }, key ? word(key) : "");
  aside.replaceChildren(element("h2", {}, nameOf(one)), element("p", {}, inForce(one)),
    element("table", {}, element("thead", {}, element("tr", {}, head(""), head("worked", "n"), head("connections", "n"),
      head("lastWorked", "n wide"), head(""))), element("tbody", {}, ...rows)),
    ...(writes ? [element("p", {}, ...(isNumber(one.pin) ? [button(word("unpin"), { action: "pin" }), " "] : []),
      button(word("forget"), { action: "forget" }))] : []));
}

export default function learn(view, _, page) {
  let all = [];
  const may = page.hello && !page.hello.readonly && page.hello.access === "all";
  const filter = element("input", { type: "search", placeholder: word("filterHosts"), "aria-label": word("filterHosts") });
  const counted = element("span", { class: "quiet", role: "status" });
  const aside = element("section", { class: "card" }, element("p", { class: "quiet" }, word("pickLearned")));
  const none = element("p", { class: "empty" }, word("asking"));
  const same = (a, b) => a.host === b.host && a.key === b.key;
  const rows = new Rows(word("learn"), fill, (one) => show(one, aside, may, () => load(one)));
  rows.box.hidden = true;
  const draw = () => {
    const text = filter.value.trim().toLowerCase();
    const shown = all.filter((one) => nameOf(one).toLowerCase().includes(text));
    rows.set(shown, same);
    counted.textContent = word("countOf", count(shown.length), count(all.length));
    none.textContent = word("noneLearned");
    none.hidden = shown.length > 0;
  };
  async function load(chosen) {
    all = (await ask("learn", { limit: 10000 })).filter((line) => line.learn).map((line) => line.learn);
    draw();
    const now = chosen && all.find((one) => same(one, chosen));
    if (now) show(now, aside, may, () => load(now));
    else if (chosen) aside.replaceChildren(element("p", { class: "quiet" }, word("pickLearned")));
  }
  filter.addEventListener("input", draw);
  view.append(element("div", { class: "tools" }, filter, counted), element("div", { class: "split" }, element("div", {}, rows.box, none), aside));
  return repeat(() => load(), () => 5000);
}
