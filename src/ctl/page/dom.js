// Making elements: text is always text, never markup.

// element("p", { class: "quiet" }, "text", child)
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

// A line of values as a picture, the newest at the right; a second line has the same scale.
export function sparkline(series, label) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("class", "spark");
  picture.setAttribute("viewBox", "0 0 200 40");
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", label);
  const most = Math.max(1e-9, ...series.flat());
  series.forEach((values, n) => {
    if (values.length < 2) return;
    const points = values.map((value, i) =>
      `${((i / (values.length - 1)) * 200).toFixed(1)} ${(38 - (Math.max(value, 0) / most) * 35).toFixed(1)}`);
    const add = (style, d) => {
      const path = document.createElementNS(SVG, "path");
      if (style) path.setAttribute("class", style);
      path.setAttribute("d", d);
      picture.append(path);
    };
    if (n === 0) add("fill", `M0 40L${points.join("L")}L200 40Z`);
    add(n === 0 ? "" : "second", `M${points.join("L")}`);
  });
  return picture;
}

// Many rows of the same height, of which only those in sight exist. `render(row, button)` fills a button.
export class Rows {
  constructor(label, render, choose) {
    this.all = [];
    this.chosen = -1;
    this.render = render;
    this.choose = choose;
    this.inner = element("div");
    this.box = element("div", { class: "rows", role: "listbox", tabindex: "0", "aria-label": label }, this.inner);
    this.box.addEventListener("scroll", () => this.draw());
    this.box.addEventListener("keydown", (event) => this.key(event));
  }

  set(rows, sameAs) {
    const old = this.all[this.chosen];
    this.all = rows;
    this.chosen = old ? rows.findIndex((row) => sameAs(row, old)) : -1;
    this.inner.style.height = `${rows.length * 56}px`;
    this.box.hidden = rows.length === 0; // before drawing: what is hidden has no height
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / 56) - 4);
    const last = Math.min(this.all.length, first + Math.ceil((this.box.clientHeight || 760) / 56) + 9);
    const made = [];
    for (let i = first; i < last; i++) {
      const row = element("div", {
        class: "row", role: "option", id: `row-${i}`, "aria-selected": String(i === this.chosen),
        "aria-setsize": this.all.length, "aria-posinset": i + 1, onclick: () => this.pick(i),
      });
      row.style.top = `${i * 56}px`;
      this.render(this.all[i], row);
      made.push(row);
    }
    this.inner.replaceChildren(...made);
    if (this.chosen >= 0) this.box.setAttribute("aria-activedescendant", `row-${this.chosen}`);
  }

  pick(index) {
    if (index < 0 || index >= this.all.length) return;
    this.chosen = index;
    const top = index * 56;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    if (top + 56 > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + 56 - this.box.clientHeight;
    this.draw();
    this.choose(this.all[index]);
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / 56) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.pick(Math.min(this.all.length - 1, Math.max(0, this.chosen + moves[event.key])));
  }
}

export function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { box.textContent = ""; }, 6000);
}
