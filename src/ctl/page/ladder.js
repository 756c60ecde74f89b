// Who sent what: a live trace, or a file. The server draws (the same code as nfqws2ctl ladder).
import { complain, post, stream } from "./api.js";
import { element, toast } from "./dom.js";
import { count, current, word } from "./words.js";

const most = 2000; // packets; of more nobody sees a picture
const largest = 4 << 20; // bytes of a file

function legend() {
  const line = (tone, key) => {
    const item = element("li", {});
    item.innerHTML = `<svg class="ladder" width="34" height="10" aria-hidden="true"><path class="arrow ${tone}" d="M2 5h30"/></svg>`;
    item.append(word(key));
    return item;
  };
  const host = element("li", {});
  host.innerHTML = '<svg class="ladder" width="18" height="12" aria-hidden="true"><rect class="host" x="2" y="1" width="14" height="10" rx="1"/></svg>';
  host.append(word("hostName"));
  return element("ul", { class: "legend" }, line("original", "original"), line("piece", "piece"), line("decoy", "decoy"), line("changed", "changed"), host);
}

// Pictures come as SVG, one after the other; they are parsed as XML, so that nothing in them is a script.
async function draw(lines, box) {
  const width = box.clientWidth < 600 ? 340 : 760;
  const { pictures } = await post(`ladder?width=${width}&lang=${current()}`, lines);
  if (!pictures.length) return false;
  box.replaceChildren(...pictures.map((text) => {
    const picture = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    return element("section", { class: "card" }, document.importNode(picture, true));
  }));
  return true;
}

export default function ladder(view, wanted) {
  let source = null, lines = [], timer = 0;
  const host = element("input", { type: "text", placeholder: word("traceHost"), "aria-label": word("traceHost"), value: wanted });
  const button = element("button", { type: "submit" }, word("start"));
  const note = element("p", { class: "quiet", role: "status" });
  const box = element("div", { class: "ladders" });
  const file = element("input", { type: "file", hidden: true, accept: ".jsonl,.json,.log,.txt" });
  const open = element("button", { type: "button", class: "plain", onclick: () => file.click() }, word("openFile"));
  const redraw = () => {
    clearTimeout(timer);
    timer = setTimeout(() => draw(lines.join("\n"), box).catch(complain), 250);
  };
  const stop = () => {
    if (source) source.close();
    source = null;
    button.textContent = word("start");
  };
  const start = () => {
    lines = [];
    box.replaceChildren();
    note.textContent = word("waiting");
    button.textContent = word("stopTrace");
    const fields = { packets: most, seconds: 300 };
    if (host.value.trim()) fields.host = host.value.trim();
    source = stream("trace", fields, {
      trace(line) {
        lines.push(JSON.stringify(line));
        note.textContent = word("tracedPackets", count(lines.length));
        redraw();
      },
      done(end) {
        if (end && end.lost) note.textContent += `, ${word("lostPackets", count(end.lost))}`;
        if (end && end.error) toast(word("failed", end.error));
        stop();
      },
    });
    source.onerror = stop;
  };
  const form = element("form", { class: "tools" }, host, button, open, file);
  form.addEventListener("submit", (event) => { event.preventDefault(); if (source) stop(); else start(); });
  file.addEventListener("change", async () => {
    const chosen = file.files[0];
    file.value = "";
    if (!chosen) return;
    if (chosen.size > largest) { toast(word("fileTooLarge")); return; }
    stop();
    try {
      note.textContent = chosen.name;
      if (!(await draw(await chosen.text(), box))) toast(word("notATrace"));
    } catch (error) { complain(error); }
  });
  view.append(element("p", { class: "quiet" }, word("ladderIntro")), form, legend(), note, box);
  if (wanted) start();
  return () => { stop(); clearTimeout(timer); };
}
