// Ties controls, legend and chart together.

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const state = {
  metric: 0, smoothing: 0, log: data.log, logX: data.logX, seeds: false, hidden: new Set(), highlight: null,
};

function fillLegend(chart) {
  const list = byId("legend");
  const present = new Set(data.metrics[state.metric].lines.map((line) => line.configuration));
  list.replaceChildren();
  data.configurations.forEach((configuration, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(!state.hidden.has(place)));
    button.append(swatch(lookOf(place)), document.createTextNode(configuration.name));
    const n = document.createElement("span");
    n.className = "n";
    n.textContent = present.has(place) ? (configuration.runs > 1 ? `n=${configuration.n}` : "") : "not logged";
    button.append(n);
    button.title = "click: show or hide; shift-click: only this one";
    button.addEventListener("click", (event) => (event.shiftKey ? only(place, chart) : toggle(place, chart)));
    for (const [event, highlighted] of [["pointerenter", place], ["pointerleave", null], ["focus", place], ["blur", null]]) {
      button.addEventListener(event, () => {
        state.highlight = highlighted;
        chart.draw();
      });
    }
    const item = document.createElement("li");
    item.append(button);
    list.append(item);
  });
}

function toggle(place, chart) {
  if (!state.hidden.delete(place)) state.hidden.add(place);
  shown(chart);
}

function only(place, chart) {
  state.hidden = new Set(data.configurations.keys());
  state.hidden.delete(place);
  shown(chart);
}

function shown(chart) {
  byId("legend").querySelectorAll("button").forEach((button, place) => {
    button.setAttribute("aria-pressed", String(!state.hidden.has(place)));
  });
  chart.draw();
}

function anew(chart) {
  chart.view = chart.cursor = null; // a view belongs to its metric and scale
  chart.draw();
}

function wire(chart, zoom) {
  byId("metric").addEventListener("change", (event) => {
    state.metric = Number(event.target.value);
    fillLegend(chart);
    anew(chart);
  });
  byId("smoothing").addEventListener("input", (event) => {
    state.smoothing = Number(event.target.value);
    byId("smoothed").textContent = String(state.smoothing);
    chart.draw();
  });
  for (const [id, key] of [["log", "log"], ["logx", "logX"], ["seeds", "seeds"]]) {
    byId(id).checked = state[key];
    byId(id).addEventListener("change", (event) => {
      state[key] = event.target.checked;
      if (key === "seeds") chart.draw();
      else anew(chart);
    });
  }
  byId("closer").addEventListener("click", () => zoom.middle(0.7));
  byId("farther").addEventListener("click", () => zoom.middle(1 / 0.7));
  byId("reset").addEventListener("click", () => zoom.show(null));
  byId("all").addEventListener("click", () => {
    state.hidden.clear();
    shown(chart);
  });
  byId("none").addEventListener("click", () => {
    state.hidden = new Set(data.configurations.keys());
    shown(chart);
  });
}

function start() {
  document.querySelectorAll("table.sortable").forEach(sortable);
  document.querySelectorAll(".picture").forEach((button) => enlargeable(button, byId("enlarged")));
  byId("nothing").hidden = data.metrics.length > 0;
  byId("plot").hidden = data.metrics.length === 0;
  if (!data.metrics.length) return;
  data.metrics.forEach((metric, place) => byId("metric").add(new Option(metric.name, String(place))));
  const seeds = data.metrics.flatMap((metric) => metric.lines.flatMap((line) => line.seeds));
  byId("ends").hidden = seeds.every((seed) => seed.counted && seed.status === "completed");
  const chart = new Chart(byId("chart"), byId("readout"), data, state);
  fillLegend(chart);
  wire(chart, new Zoom(chart));
  chart.draw();
}

start();
