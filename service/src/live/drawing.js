"use strict";
// How numbers are written and how tables, lines and gauges are drawn. Rows are found again by
// their key and only changed where they differ, so that neither focus nor selection is lost.
// Never here: what the page shows (page.js).

const $ = (id) => document.getElementById(id);
const svgSpace = document.querySelector("svg").namespaceURI;

/** An element with a class and text. */
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Sets text only where it differs. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setClass(element, className) {
  if (element.className !== className) element.className = className;
}

// --- numbers --------------------------------------------------------------------------------

const NONE = "–";
const whole = (n) => Math.round(n).toLocaleString("en-US");

/** A rate or a small count. */
function number(n) {
  if (n === null || n === undefined) return NONE;
  return n > 0 && n < 9.95 ? n.toFixed(1) : whole(n);
}

/** A duration, to three digits. */
function duration(ms) {
  if (ms === null || ms === undefined) return NONE;
  if (ms < 0.9995) return `${ms.toFixed(2)} ms`;
  if (ms < 9.995) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  const seconds = ms / 1000;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** An objective, as it was written. */
const objective = (share) => `${Number((share * 100).toFixed(4))} %`;

/** A share in per cent, never rounded up to all of it. */
function percent(share) {
  if (share === null || share === undefined) return NONE;
  if (share >= 1) return "100 %";
  const digits = share > 0.99 ? 2 : 1;
  const scale = 10 ** digits;
  return `${(Math.floor(share * 100 * scale) / scale).toFixed(digits)} %`;
}

function bytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (n >= 999.5 && unit < units.length - 1) { n /= 1000; unit += 1; }
  return `${n >= 99.5 || unit === 0 ? whole(n) : n.toFixed(1)} ${units[unit]}`;
}

const clock = (ms) => `${new Date(ms).toISOString().slice(11, 19)} UTC`;
const day = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
const words = (name) => name.replaceAll("_", " ");

// --- drawings -------------------------------------------------------------------------------

/** Two minutes of a number as bars, what is bad of it on top in another colour. */
function spark(host, all, bad, label, full) {
  const most = Math.max(1, full || 0, ...all);
  const POINTS = 120;
  let svg = host.querySelector("svg");
  if (!svg) {
    svg = document.createElementNS(svgSpace, "svg");
    svg.setAttribute("class", "spark");
    svg.setAttribute("viewBox", `0 0 ${POINTS} 30`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    for (const name of ["base", "all", "over"]) {
      const path = document.createElementNS(svgSpace, "path");
      path.setAttribute("class", name);
      svg.append(path);
    }
    host.append(svg);
  }
  const start = POINTS - all.length;
  const bars = (of, from) => of.map((n, i) => {
    // What is bad must be seen, however little it is beside the rest.
    const height = Math.max((n / most) * 28, from ? 3 : 0.6);
    const below = from ? ((all[i] - bad[i]) / most) * 28 : 0;
    const top = Math.max(29.5 - height - below, 0);
    return n > 0 ? `M${start + i + 0.1} ${top.toFixed(2)}h.8v${height.toFixed(2)}h-.8z` : "";
  }).join("");
  const [base, good, over] = svg.children;
  base.setAttribute("d", `M0 29.7H${POINTS}`);
  good.setAttribute("d", bars(bad ? all.map((n, i) => n - bad[i]) : all, false));
  over.setAttribute("d", bad ? bars(bad, true) : "");
  svg.setAttribute("aria-label", `${label}, two minutes: ${whole(all.at(-1) ?? 0)} now, at most ${whole(Math.max(0, ...all))}`);
}

/** How full something is. */
function gauge(host, ratio, text) {
  let bar = host.querySelector(".gauge");
  if (!bar) {
    bar = make("span", "gauge");
    bar.append(make("i"));
    bar.setAttribute("aria-hidden", "true");
    host.append(bar, make("span", "of"));
  }
  setClass(bar, ratio >= 0.9 ? "gauge full" : "gauge");
  bar.firstChild.style.width = `${Math.min(100, ratio * 100)}%`;
  write(host.querySelector(".of"), text);
}

// --- tables and lists -----------------------------------------------------------------------

/**
 * Keeps children in step with rows, by key: makes, moves and removes them, and has each drawn.
 */
function each(host, rows, key, make, draw) {
  const known = new Map([...host.children].map((child) => [child.dataset.key, child]));
  let place = host.firstElementChild;
  for (const row of rows) {
    const name = key(row);
    let child = known.get(name);
    known.delete(name);
    if (!child) {
      child = make(row);
      child.dataset.key = name;
    }
    if (child === place) place = place.nextElementSibling;
    else host.insertBefore(child, place);
    draw(child, row);
  }
  for (const gone of known.values()) gone.remove();
}

/**
 * A table of rows by name. The columns say how a cell is written or drawn; the first one is the
 * row's header. Without rows the table gives way to a sentence.
 */
function table(id, columns, rows, none) {
  const host = $(id);
  let empty = host.nextElementSibling;
  if (!empty || !empty.classList.contains("empty")) {
    empty = make("p", "empty", none);
    host.after(empty);
    const head = make("tr");
    for (const column of columns) {
      const cell = make("th", column.left ? "left" : "", column.label);
      cell.scope = "col";
      head.append(cell);
    }
    const thead = make("thead");
    thead.append(head);
    host.append(thead, make("tbody"));
  }
  host.hidden = rows.length === 0;
  empty.hidden = rows.length > 0;
  const build = () => {
    const line = make("tr");
    columns.forEach((column, i) => {
      const cell = make(i === 0 ? "th" : "td");
      if (i === 0) cell.scope = "row";
      else cell.dataset.label = column.label;
      line.append(cell);
    });
    return line;
  };
  const draw = (line, row) => columns.forEach((column, i) => {
    const cell = line.children[i];
    const classes = [column.left ? "left" : "", column.class || "", column.mark ? column.mark(row) : ""];
    setClass(cell, classes.filter(Boolean).join(" "));
    if (column.draw) column.draw(cell, row);
    else write(cell, column.text(row));
  });
  each(host.tBodies[0], rows, (row) => row.name, build, draw);
}

/** A name with an explanation below it. */
function titled(cell, name, note) {
  if (!cell.firstChild) cell.append(make("span"), make("small"));
  write(cell.children[0], name);
  write(cell.children[1], note);
}

/** Terms and what they are. */
function terms(id, rows) {
  each($(id), rows, ([term]) => term, ([term]) => {
    const [entry, value] = [make("div"), make("dd")];
    value.append(make("span"), make("small"));
    entry.append(make("dt", "", term), value);
    return entry;
  }, (entry, [, text, mark, note]) => {
    const value = entry.lastChild;
    write(value.children[0], text);
    write(value.children[1], note ? ` ${note}` : "");
    setClass(value, mark || "");
  });
}
