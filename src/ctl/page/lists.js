// Host lists and ip sets.
import { ask, complain, post, repeat } from "./api.js";
import { element, toast } from "./dom.js";
import { count, duration, size, word } from "./words.js";

function table(lists) {
  if (!lists.length) return element("p", { class: "empty" }, word("noLists"));
  const head = (key, style) => element("th", { class: style, scope: "col" }, word(key));
  const rows = lists.map((list) => {
    const state = list.error ? ["bad", list.error] : list.loading ? ["warn", word("loading")] : list.loaded ? ["good", word("loaded")] : ["bad", word("notLoaded")];
    const age = list.modified_at ? duration(Math.max(0, Date.now() - list.modified_at * 1000)) : "-";
    return element("tr", {},
      element("td", {}, list.file, element("div", { class: `${state[0]}` }, state[1]),
        ...(list.warnings || []).map((w) => element("div", { class: "warn" }, typeof w === "string" ? w : JSON.stringify(w)))),
      element("td", { class: "wide" }, list.kind + (list.automatic ? ` (${word("automatic")})` : "")),
      element("td", { class: "n" }, count(list.entries)), element("td", { class: "n wide" }, size(list.size)), element("td", { class: "n" }, age),
      element("td", { class: "wide" }, (list.uses || []).map((use) => (use.exclude ? "−" : "") + use.profile).join(", ")));
  });
  return element("table", {}, element("thead", {}, element("tr", {}, head("file"), head("kind", "wide"), head("entries", "n"),
    head("size", "n wide"), head("listAge", "n"), head("profiles", "wide"))), element("tbody", {}, ...rows));
}

export default function lists(view, _, page) {
  const card = element("section", { class: "card" });
  const may = page.hello && !page.hello.readonly && page.hello.access === "all";
  const button = element("button", { type: "button" }, word("reload"));
  const show = (lines) => card.replaceChildren(table(lines.filter((line) => line.list).map((line) => line.list)));
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = word("reloading");
    try {
      show((await post("lists/reload")).lines);
      toast(word("reloaded"));
    } catch (error) { complain(error); }
    button.disabled = false;
    button.textContent = word("reload");
  });
  view.append(...(may ? [element("div", { class: "tools" }, button)] : []), card);
  return repeat(async () => show(await ask("lists")), () => 5000);
}
