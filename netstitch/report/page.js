"use strict";
(() => {
  const root = document.documentElement;
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const fronts = [...document.querySelectorAll(".chart.front")];
  const details = JSON.parse(document.getElementById("networks-data").textContent);
  const table = document.getElementById("networks");
  const body = table ? table.tBodies[0] : null;

  // -- light and dark

  const asked = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  function colours() {
    const found = { "font.color": colour("--text") };
    for (const axis of ["xaxis", "yaxis"]) {
      found[`${axis}.gridcolor`] = colour("--line");
      found[`${axis}.linecolor`] = colour("--line");
      found[`${axis}.tickcolor`] = colour("--line");
    }
    return found;
  }
  function paint(dark) {
    root.dataset.theme = dark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(dark));
    for (const place of document.querySelectorAll(".chart")) {
      if (place.data) Plotly.relayout(place, colours());
    }
  }
  root.dataset.theme = asked.matches ? "dark" : "light";
  button.setAttribute("aria-pressed", String(asked.matches));
  button.addEventListener("click", () => paint(root.dataset.theme !== "dark"));
  asked.addEventListener("change", (event) => paint(event.matches));

  // -- charts, drawn when they come into sight

  function draw(place) {
    const chart = charts[place.dataset.chart];
    Plotly.newPlot(place, structuredClone(chart.data), chart.layout, { responsive: true, displaylogo: false,
      modeBarButtonsToRemove: ["select2d", "lasso2d"] });
    Plotly.relayout(place, colours());
    if (place.classList.contains("front")) {
      place.on("plotly_click", (event) => {
        const told = event.points.find((point) => point.customdata);
        if (told) choose(told.customdata[0], false);
      });
      limit([place]);
      place.on("plotly_relayout", () => write(place));
    }
    write(place);
  }

  // -- names beside marks, where they cover nothing; others are said under the mouse

  const sides = [["bottom center", -0.5, 0.7], ["middle right", 0, -0.5],
    ["top center", -0.5, -1.7], ["middle left", -1, -0.5], ["bottom right", 0, 0.4],
    ["top right", 0, -1.4], ["bottom left", -1, 0.4], ["top left", -1, -1.4]];
  function write(place) {
    const { xaxis, yaxis } = place._fullLayout;
    charts[place.dataset.chart].data.forEach((trace, index) => {
      if (!trace.text) return;
      const at = trace.x.map((x, i) => [xaxis.l2p(x), yaxis.l2p(trace.y[i])]);
      const taken = at.map(([x, y]) => [x - 6, y - 6, x + 6, y + 6]);
      const text = trace.text.map(() => ""), side = trace.text.map(() => sides[0][0]);
      const order = [...at.keys()].sort((a, b) => trace.text[a].length - trace.text[b].length);
      for (const i of order) {
        const [width, height] = [6.6 * trace.text[i].length, 14];
        for (const [name, left, top] of sides) {
          const [x, y] = [at[i][0] + left * width + 8 * Math.sign(left + 0.5), at[i][1] + top * height];
          const box = [x, y, x + width, y + height];
          const clear = taken.every((one, j) => j === i || box[0] >= one[2] || box[2] <= one[0] ||
            box[1] >= one[3] || box[3] <= one[1]);
          if (!clear || box[0] < 0 || box[1] < 0 || box[2] > xaxis._length || box[3] > yaxis._length) continue;
          [text[i], side[i]] = [trace.text[i], name];
          taken.push(box);
          break;
        }
      }
      Plotly.restyle(place, { text: [text], textposition: [side] }, [index]);
    });
  }
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "400px" });
  for (const place of document.querySelectorAll(".chart")) seen.observe(place);

  // -- the least accuracy of the front's charts

  function limit(places) {
    const chosen = document.querySelector("input[name=floor]:checked");
    if (!chosen) return;
    const floor = Number(chosen.value);
    for (const place of places) {
      if (!place.data) continue;
      const top = charts[place.dataset.chart].top;
      const margin = 0.03 * (top - floor) || 0.01;
      Plotly.relayout(place, { "yaxis.range": [floor - margin, top + 3 * margin],
        "xaxis.range": [0, charts[place.dataset.chart].right] });
    }
  }
  for (const each of document.querySelectorAll("input[name=floor]")) {
    each.addEventListener("change", () => limit(fronts));
  }

  // -- the threshold of a cascade: of its chart, the first trace has all, the last the one chosen

  function move(slider) {
    const place = slider.closest(".threshold");
    const curve = charts[place.dataset.curve];
    const [all, index] = [curve.data[0], Number(slider.value)];
    place.querySelector("output").value = curve.told[index];
    Plotly.restyle(place.querySelector(".chart"),
      { x: [[all.x[index]]], y: [[all.y[index]]] }, [curve.data.length - 1]);
  }
  document.addEventListener("input", (event) => {
    if (event.target.closest(".threshold")) move(event.target);
  });

  // -- one network or cascade

  function choose(label, move) {
    if (!Object.hasOwn(details, label)) return;
    const place = document.getElementById("details");
    place.innerHTML = details[label]; // text of users is escaped where it was written
    document.getElementById("chosen-none").hidden = true;
    for (const chart of place.querySelectorAll(".chart")) draw(chart);
    for (const row of body.rows) row.setAttribute("aria-selected", String(row.dataset.label === label));
    if (move) {
      place.querySelector("h3").focus({ preventScroll: true });
      place.scrollIntoView({ block: "nearest" });
    }
    history.replaceState(null, "", `#${encodeURIComponent(label)}`);
  }
  document.addEventListener("click", async (event) => {
    const row = event.target.closest("button.choose");
    if (row) choose(row.closest("tr").dataset.label, true);
    const copy = event.target.closest("button.copy");
    if (copy) {
      try {
        await navigator.clipboard.writeText(copy.dataset.text);
        copy.textContent = "Copied";
      } catch { // a page from a file may not
        getSelection().selectAllChildren(copy.previousElementSibling);
      }
    }
  });

  // -- sort and filter

  function value(row, column) {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  }
  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }
  function sort(head) {
    const column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const each of head.parentElement.cells) each.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const empty = (row) => row.cells[column].textContent === "";
    const rows = [...body.rows].sort((a, b) => empty(a) - empty(b) ||
      (down ? -1 : 1) * compare(value(a, column), value(b, column)));
    body.append(...rows);
  }
  function filter() {
    const form = document.getElementById("filter").elements;
    const text = form.text.value.trim().toLowerCase();
    const cost = form.cost.value === "" ? Infinity : Number(form.cost.value);
    const least = form.accuracy.value === "" ? -Infinity : Number(form.accuracy.value);
    let shown = 0;
    for (const row of body.rows) {
      row.hidden = !(row.textContent.toLowerCase().includes(text) &&
        Number(row.dataset.cost) <= cost && Number(row.dataset.accuracy) >= least);
      shown += row.hidden ? 0 : 1;
    }
    document.getElementById("count").value = `${shown} of ${body.rows.length} ${body.dataset.called}`;
  }
  if (table) {
    for (const head of table.tHead.rows[0].cells) {
      head.querySelector("button").addEventListener("click", () => sort(head));
    }
    const form = document.getElementById("filter");
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    filter();
    const wanted = decodeURIComponent(location.hash.slice(1));
    choose(Object.hasOwn(details, wanted) ? wanted : document.body.dataset.first, false);
  }
})();
