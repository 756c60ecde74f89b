// The frame of the page: sections, language, and whether the daemon answers.
import { get, stream } from "./api.js";
import { element } from "./dom.js";
import { current, duration, other, word } from "./words.js";
import overview from "./overview.js";
import flows from "./flows.js";
import hosts from "./hosts.js";
import learn from "./learn.js";
import lists from "./lists.js";
import ladder from "./ladder.js";
import doctor from "./doctor.js";
import blockcheck from "./blockcheck.js";

const sections = { overview, flows, hosts, learn, lists, ladder, doctor, blockcheck };
const view = document.getElementById("view");
export const page = { hello: null, samples: [], listeners: new Set() };
let leave = () => {};

function frame() {
  document.documentElement.lang = current();
  document.querySelectorAll("[data-word]").forEach((e) => { e.textContent = word(e.dataset.word); });
  document.getElementById("language").textContent = word("language");
  const nav = document.querySelector("nav");
  nav.setAttribute("aria-label", word("sections"));
  nav.replaceChildren(...Object.keys(sections).map((name) => element("a", { href: `#${name}` }, word(name))));
}

// "#hosts/www.example.com": the section, and what it is to show.
function show() {
  const [name, ...rest] = decodeURIComponent(location.hash.slice(1)).split("/");
  const section = sections[name] ? name : "overview";
  leave();
  view.replaceChildren();
  document.querySelectorAll("nav a").forEach((link) => {
    if (link.getAttribute("href") === `#${section}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  });
  document.title = `${word(section)} - nfqws2`;
  leave = sections[section](view, rest.join("/"), page) || (() => {});
}

function state(good) {
  const box = document.getElementById("state");
  const last = page.samples.at(-1);
  box.className = `pill ${good ? "good" : "bad"}`;
  box.textContent = good && last ? word("running", duration(last.uptime_s * 1000)) : good ? "" : word("gone");
}

function live() {
  stream("live", {}, {
    sample(sample) {
      page.samples.push(sample);
      if (page.samples.length > 720) page.samples.shift();
      state(true);
      page.listeners.forEach((listener) => listener());
    },
    gone() { state(false); },
  }).onerror = () => state(false);
}

async function begin() {
  frame();
  try {
    page.hello = await get("hello");
    page.samples = (await get("history")).samples;
    state(true);
  } catch { state(false); }
  addEventListener("hashchange", () => { show(); view.focus(); });
  document.getElementById("language").addEventListener("click", () => { other(); frame(); show(); state(true); });
  show();
  live();
}

begin();
