"use strict";
(() => {
  const make = (tag, properties, parent) => {
    const element = Object.assign(document.createElement(tag), properties);
    if (parent) parent.append(element);
    return element;
  };

  // Tables: a click on a heading sorts, a field filters the long ones.
  const LONG = 8;
  const valueOf = (row, column) => {
    const text = (row.cells[column]?.textContent ?? "").trim().replace(/,/g, "").replace(/^\u2212/, "-");
    // A number may have its interval or unit behind it; 22:1234 is a place, and sorted as text.
    const found = /^-?\d*\.?\d+(e[-+]?\d+)?(?=$|[\s(%\u2013])/i.exec(text);
    return found ? Number(found[0]) : text.toLowerCase();
  };
  const compare = (a, b) => {
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
  };
  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[0];
    const [head, ...rows] = body.rows;
    if (rows.length < 2 || table.querySelector("[colspan]")) {
      table.tabIndex = 0;
      continue;
    }
    [...head.cells].forEach((cell, column) => {
      const button = make("button", { type: "button" });
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const down = cell.getAttribute("aria-sort") === "ascending";
        for (const other of head.cells) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        const sign = down ? -1 : 1;
        rows.sort((a, b) => sign * compare(valueOf(a, column), valueOf(b, column)));
        body.append(head, ...rows);
      });
    });
    if (rows.length <= LONG) continue;
    const field = make("input", { type: "search", placeholder: "search this table" });
    field.setAttribute("aria-label", "search this table");
    const count = make("output", {});
    const line = make("div", { className: "search" });
    line.append(field, count);
    table.before(line);
    field.addEventListener("input", () => {
      const wanted = field.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = wanted ? `${shown} of ${rows.length} rows` : "";
    });
  }

  // Pictures: a cursor that shows the values below it, in every panel that has the same axis.
  const shown = (value) => {
    if (value === null) return "";
    const size = Math.abs(value);
    return size !== 0 && (size < 0.001 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  };
  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const dataOf = (panel, x, y) => {
    const [left, top, right, bottom] = panel.box;
    const across = (x - left) / (right - left);
    const up = (bottom - y) / (bottom - top);
    const [low, high] = panel.log ? panel.y.map(Math.log2) : panel.y;
    const value = low + up * (high - low);
    return [panel.x[0] + across * (panel.x[1] - panel.x[0]), panel.log ? 2 ** value : value];
  };
  const inside = (panel, x, y) => x >= panel.box[0] && x <= panel.box[2] && y >= panel.box[1] && y <= panel.box[3];
  const nearest = (xs, x) => {
    let best = 0;
    for (let i = 1; i < xs.length; i += 1) if (Math.abs(xs[i] - x) < Math.abs(xs[best] - x)) best = i;
    return best;
  };
  const windowWords = (view, panel, x, y) => {
    const place = Math.round(x) - view.start;
    if (place < 0 || place >= view.letters.length) return "";
    const words = [`${view.unit} ${(place + view.start).toLocaleString("en")}`, `base ${view.letters[place]}`];
    for (const row of view.rows) words.push(`${row.name} ${shown(row.values[place])}`);
    if (panel.log && view.plane) {
      const row = nearest(view.plane.periods.map(Math.log2), Math.log2(y));
      view.plane.bytes ??= bytesOf(view.plane.values);
      const size = view.plane.bytes[row * view.letters.length + place] * view.plane.step;
      words.push(`period ${shown(view.plane.periods[row])} bp`, `modulus ${shown(size)}`);
    }
    return words.join(" \u00b7 ");
  };
  const curveWords = (panel, x) => {
    const words = [];
    for (const line of panel.lines) {
      const i = nearest(line.x, x);
      words.push(`${line.name}: ${panel.names[0]} ${shown(line.x[i])}, ${line.label || panel.names[1]} ${shown(line.y[i])}`);
    }
    return words.join("\n");
  };
  for (const holder of document.querySelectorAll(".hover")) {
    const found = JSON.parse(holder.querySelector("script").textContent);
    const tip = make("output", { className: "tip", hidden: true }, holder);
    const lines = found.panels.map(() => make("i", { className: "line", hidden: true }, holder));
    let last = null;
    const hide = () => {
      for (const element of [tip, ...lines]) element.hidden = true;
    };
    const show = (panel, x, y) => {
      const [at, value] = dataOf(panel, x, y);
      last = { panel, x, y };
      const words = found.window ? windowWords(found.window, panel, at, value) : curveWords(panel, at);
      found.panels.forEach((other, i) => {
        const across = (at - other.x[0]) / (other.x[1] - other.x[0]);
        const joined = other === panel || (found.window && across >= 0 && across <= 1);
        lines[i].hidden = !joined;
        if (!joined) return;
        const [left, top, right, bottom] = other.box;
        lines[i].style.left = `${100 * (left + across * (right - left))}%`;
        lines[i].style.top = `${100 * top}%`;
        lines[i].style.height = `${100 * (bottom - top)}%`;
      });
      tip.hidden = words === "";
      tip.textContent = words;
      tip.style.left = x < 0.5 ? `${100 * x + 1}%` : "auto";
      tip.style.right = x < 0.5 ? "auto" : `${100 * (1 - x) + 1}%`;
      tip.style.top = `${100 * y}%`;
    };
    holder.addEventListener("pointermove", (event) => {
      const frame = holder.getBoundingClientRect();
      const x = (event.clientX - frame.left) / frame.width;
      const y = (event.clientY - frame.top) / frame.height;
      const panel = found.panels.find((one) => inside(one, x, y));
      if (panel) show(panel, x, y);
      else hide();
    });
    holder.addEventListener("pointerleave", hide);
    holder.addEventListener("blur", hide);
    holder.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!way) return;
      event.preventDefault();
      const panel = last ? last.panel : found.panels[0];
      const [left, top, right, bottom] = panel.box;
      const step = (right - left) / (found.window ? Math.abs(panel.x[1] - panel.x[0]) : 50);
      const x = last ? last.x + way * step : (left + right) / 2;
      show(panel, Math.min(Math.max(x, left), right), last ? last.y : (top + bottom) / 2);
    });
  }

  // Several pictures of one thing: a button for each, one shown at a time.
  for (const group of document.querySelectorAll(".switch")) {
    const figures = [...group.querySelectorAll("figure")];
    const line = make("div", { className: "buttons" });
    group.prepend(line);
    const buttons = figures.map((figure) => {
      const button = make("button", { type: "button", textContent: figure.dataset.name }, line);
      button.addEventListener("click", () => choose(figure));
      return button;
    });
    const choose = (wanted) => {
      figures.forEach((figure, i) => {
        figure.hidden = figure !== wanted;
        buttons[i].setAttribute("aria-pressed", String(figure === wanted));
      });
    };
    choose(figures[0]);
  }
})();
