// What makes set-ups fail, and what to do about it.
import { post } from "./api.js";
import { element } from "./dom.js";
import { word } from "./words.js";

const LEVELS = { problem: "bad", warning: "warn", note: "" };

function card(finding) {
  const level = finding.level in LEVELS ? finding.level : "note";
  return element("section", { class: "card" },
    element("h2", {}, element("span", { class: `pill ${LEVELS[level]}` }, word(level)), " ", finding.where || word("thisMachine")),
    element("p", {}, finding.text), element("p", {}, element("strong", {}, `${word("whatToDo")} `), finding.advice),
    element("p", { class: "quiet mono" }, finding.code));
}

export default function doctor(view) {
  const button = element("button", { type: "button" }, word("lookAgain"));
  const said = element("span", { class: "quiet", role: "status" });
  const found = element("div", { class: "findings" });
  let left = false;
  async function look() {
    button.disabled = true;
    said.textContent = word("looking");
    try {
      const { findings } = await post("doctor");
      if (left) return;
      const order = Object.keys(LEVELS);
      findings.sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
      found.replaceChildren(...findings.map(card));
      said.textContent = findings.length ? word("findings", findings.length) : word("nothingFound");
    } catch (error) { said.textContent = word("failed", error.message); }
    button.disabled = false;
  }
  button.addEventListener("click", look);
  view.append(element("div", { class: "tools" }, button, said), found);
  look();
  return () => { left = true; };
}
