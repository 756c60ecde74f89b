// What blockcheck2 has found at last: what works, what kind of blocking it is, options for the config.
import { get } from "./api.js";
import { element } from "./dom.js";
import { current, duration, word } from "./words.js";

const PROTOCOLS = { http: "HTTP", https_tls12: "TLS 1.2", https_tls13: "TLS 1.3", http3: "HTTP/3", dns: "DNS" };
const STATES = { works: "good", open: "good", fails: "bad", aborted: "warn" };

function titleOf(one) {
  const test = one.test.replace(/^curl_test_/, "");
  return [PROTOCOLS[test] || test, one.ipv ? `IPv${one.ipv}` : "", one.domain].filter(Boolean).join(" \u00b7 ");
}

function stateOf(test) {
  if (test.state === "works") return word("strategiesWork", test.count);
  return word({ open: "worksAlone", fails: "nothingWorks" }[test.state] || "notTested");
}

function result(test) {
  const [first, ...others] = test.strategies;
  const more = test.count - test.strategies.length;
  return element("div", { class: "tested" },
    element("h3", {}, titleOf(test)),
    element("p", {}, element("span", { class: `pill ${STATES[test.state] || ""}` }, stateOf(test)), test.text ? ` ${test.text}` : ""),
    first ? element("p", { class: "mono" }, first) : null,
    others.length ? element("details", {}, element("summary", {}, word("others", test.count - 1)),
      element("ul", { class: "mono" }, ...others.map((one) => element("li", {}, one))),
      more > 0 ? element("p", { class: "quiet" }, word("andMore", more)) : null) : null);
}

function kind(one) {
  const name = `kind ${one.kind}`;
  return element("div", { class: "tested" }, element("h3", {}, titleOf(one)),
    element("p", {}, element("strong", {}, word.has(name) ? word(name) : one.kind)),
    element("p", { class: "quiet" }, one.evidence));
}

function card(title, ...children) {
  return element("section", { class: "card" }, element("h2", {}, word(title)), ...children);
}

function options(title, text) {
  return text.trim() ? card(title, element("pre", { class: "mono", tabindex: "0" }, `NFQWS2_OPT="\n${text.trim()}\n"`)) : null;
}

function about(found) {
  const at = found.at * 1000;
  const facts = [["when", `${new Date(at).toLocaleString(current())} (${word("ago", duration(Math.max(0, Date.now() - at)))})`],
    ["sites", found.domains], ["scanLevel", found.scanlevel], ["version", found.nfqws2]];
  return card("blockcheck", element("dl", {}, ...facts.filter(([, value]) => value).flatMap(([key, value]) =>
    [element("dt", {}, word(key)), element("dd", {}, value)])));
}

export default function blockcheck(view) {
  const said = element("p", { class: "empty", role: "status" }, word("looking"));
  let left = false;
  view.append(said);
  get("blockcheck").then(({ result: found }) => {
    if (left) return;
    if (!found) { said.textContent = word("neverChecked"); return; }
    const parts = [about(found), found.tests.length ? card("whatWorks", ...found.tests.map(result)) : null,
      found.blocking.length ? card("kindOfBlocking", ...found.blocking.map(kind)) : null,
      options("optionsLearn", found.learn), options("optionsBest", found.options)];
    view.replaceChildren(...parts.filter(Boolean));
  }).catch((error) => { said.textContent = word("failed", error.message); });
  return () => { left = true; };
}
