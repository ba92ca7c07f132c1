// The chart: axes, lines, bands and the crosshair, drawn as SVG.

const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes, parent, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

class Chart {
  constructor(svg, readout, data, state) {
    Object.assign(this, { svg, readout, data, state, view: null, cursor: null });
    new ResizeObserver(() => this.draw()).observe(svg);
  }

  draw() {
    const { svg, state, data } = this;
    const width = svg.clientWidth, height = svg.clientHeight;
    if (!width || !data.metrics.length) return;
    const metric = data.metrics[state.metric];
    this.series = makeSeries(data, state.metric, state);
    this.whole = extent(this.series, state.log, state.logX);
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("aria-label", `${metric.name} over steps`);
    this.overlay = null;
    if (!this.whole) {
      const why = this.series.length ? "nothing here is above zero: no logarithmic axis" : "no configuration is shown";
      make("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, svg, why);
      this.point(null);
      return;
    }
    this.fit(width, height);
    this.drawAxes();
    this.drawSeries();
    this.overlay = make("g", {}, svg);
    this.point(this.cursor);
  }

  // Scales, with as much room on the left as the longest number there needs.
  fit(width, height) {
    const { x0, x1, y0, y1 } = this.view || this.whole;
    const top = 12, bottom = height - 42, right = width - 26;
    this.y = makeScale(y0, y1, bottom, top, this.state.log);
    this.rungs = ticks(this.y, Math.max(3, (bottom - top) / 60));
    const left = 14 + 7 * Math.max(2, ...this.rungs.map((value) => showNumber(value).length));
    this.x = makeScale(x0, x1, left, right, this.state.logX);
    this.frame = { left, right, top, bottom };
  }

  drawAxes() {
    const { left, right, top, bottom } = this.frame;
    const group = make("g", { class: "axes" }, this.svg);
    make("text", { x: (left + right) / 2, y: bottom + 36, "text-anchor": "middle", class: "axis-title" }, group, "step");
    for (const value of ticks(this.x, Math.max(2, (right - left) / 110))) {
      const x = this.x.of(value);
      make("line", { x1: x, x2: x, y1: top, y2: bottom, class: "rule" }, group);
      make("text", { x, y: bottom + 17, "text-anchor": "middle" }, group, showStep(value));
    }
    for (const value of this.rungs) {
      const y = this.y.of(value);
      make("line", { x1: left, x2: right, y1: y, y2: y, class: "rule" }, group);
      make("text", { x: left - 7, y: y + 4, "text-anchor": "end" }, group, showNumber(value));
    }
  }

  drawSeries() {
    const { left, right, top, bottom } = this.frame;
    const clip = make("clipPath", { id: "inside" }, this.svg);
    make("rect", { x: left, y: top, width: right - left, height: bottom - top }, clip);
    const group = make("g", { "clip-path": "url(#inside)" }, this.svg);
    for (const series of this.series) {
      const only = this.state.highlight;
      const dimmed = only !== null && only !== series.place ? " dimmed" : "";
      const holder = make("g", { class: `${series.look}${dimmed}`, "data-configuration": series.place }, group);
      if ((series.sd || series.ends) && series.steps.length > 1) make("path", { d: this.bandPath(series), class: "band" }, holder);
      if (series.raw) make("path", { d: this.path(series.steps, series.raw), class: "raw" }, holder);
      make("path", { d: this.path(series.steps, series.values), class: series.kind }, holder);
      if (series.steps.length === 1) this.single(series, holder);
      if (series.status !== "completed") this.end(series, holder);
    }
  }

  shows(step, value) {
    return (!this.state.log || value > 0) && (!this.state.logX || step > 0);
  }

  path(steps, values) {
    let text = "", pen = "M";
    steps.forEach((step, index) => {
      if (!this.shows(step, values[index])) {
        pen = "M";
        return;
      }
      text += `${pen}${this.x.of(step).toFixed(1)},${this.y.of(values[index]).toFixed(1)}`;
      pen = "L";
    });
    return text;
  }

  bandPath(series) {
    const { steps, values } = series;
    const floor = this.state.log ? this.y.low : -Infinity;
    const kept = steps.map((_, index) => index).filter((index) => this.shows(steps[index], values[index]));
    const at = (index, value) => `${this.x.of(steps[index]).toFixed(1)},${this.y.of(Math.max(value, floor)).toFixed(1)}`;
    const above = kept.map((index) => at(index, reach(series, index)[1]));
    const below = kept.map((index) => at(index, reach(series, index)[0])).reverse();
    return kept.length ? `M${above.concat(below).join("L")}Z` : "";
  }

  // A lone point, its deviation or interval as a bar.
  single(series, parent) {
    const { steps, values, sd, ends } = series;
    const [step] = steps, [value] = values, x = this.shows(step, value) ? this.x.of(step) : null;
    if (x === null) return;
    if (sd || ends) {
      const [low, high] = reach(series, 0).map((end) => this.y.of(Math.max(end, this.y.low)));
      make("path", { d: `M${x - 6},${low}h12m-6,0V${high}m-6,0h12`, class: "end bar" }, parent);
    }
    this.dot(step, value, "point", parent);
  }

  dot(step, value, look, parent) {
    if (this.shows(step, value)) make("circle", { cx: this.x.of(step), cy: this.y.of(value), r: 4, class: look }, parent);
  }

  end(series, parent) {
    const last = series.steps.length - 1;
    if (last < 0 || !this.shows(series.steps[last], series.values[last])) return;
    const x = this.x.of(series.steps[last]), y = this.y.of(series.values[last]);
    if (series.status === "failed") make("path", { d: `M${x - 4},${y - 4}l8,8m0,-8l-8,8`, class: "end" }, parent);
    else make("circle", { cx: x, cy: y, r: 4, class: "end" }, parent);
  }

  // The kept point whose step is nearest to a pixel, among all series; of points one above another the nearest.
  nearest(px, py) {
    let best = null;
    for (const series of this.series) {
      if (!series.steps.length) continue;
      const middle = nearestIndex(series.steps, this.x.at(px));
      for (let index = Math.max(0, middle - 3); index <= Math.min(series.steps.length - 1, middle + 3); index += 1) {
        const step = series.steps[index], value = series.values[index];
        if (!this.shows(step, value) || step < this.x.low || step > this.x.high) continue;
        const far = Math.abs(this.x.of(step) - px), above = Math.abs(this.y.of(value) - py);
        const nearer = !best || far < best.far - 0.5 || (far < best.far + 0.5 && above < best.above);
        if (nearer) best = { far, above, step, series };
      }
    }
    return best;
  }

  point(cursor) {
    this.cursor = cursor;
    this.readout.hidden = true;
    if (!this.overlay) return;
    this.overlay.replaceChildren();
    if (!cursor || !this.whole || cursor.step < this.x.low || cursor.step > this.x.high) return;
    const x = this.x.of(cursor.step), { top, bottom, left, right } = this.frame;
    make("line", { x1: x, x2: x, y1: top, y2: bottom, class: "cursor" }, this.overlay);
    const found = this.series.map((series) => ({ series, at: valueAt(series, cursor.step) })).filter((entry) => entry.at);
    for (const { series, at } of found) {
      const inside = this.shows(cursor.step, at.value) && at.value >= this.y.low && at.value <= this.y.high;
      if (inside) this.dot(cursor.step, at.value, "point", make("g", { class: series.look }, this.overlay));
    }
    fillReadout(this.readout, cursor, found);
    const beyond = x + 14 + this.readout.offsetWidth > this.svg.clientWidth;
    const place = beyond ? Math.max(0, x - 14 - this.readout.offsetWidth) : x + 14;
    this.readout.style.transform = `translate(${place}px, ${top + 4}px)`;
  }
}

function fillReadout(readout, cursor, found) {
  const most = 14;
  found.sort((one, other) => other.at.value - one.at.value);
  readout.replaceChildren();
  row(readout, "", `step ${showStep(cursor.step)}`, "");
  for (const { series, at } of found.slice(0, most)) {
    let spread = at.sd === null ? "" : ` ± ${showNumber(Number(at.sd.toPrecision(2)))} (${series.n})`;
    if (at.ends) spread = ` (${at.ends.map(showNumber).join(" to ")})`;
    const name = row(readout, series.look, series.name, `${at.exact ? "" : "≈ "}${showNumber(at.value)}${spread}`);
    if (cursor.series === series.name) name.className = "nearest";
  }
  if (found.length > most) row(readout, "", `and ${found.length - most} more`, "");
  readout.hidden = false;
}

function row(parent, look, name, value) {
  const line = document.createElement("div");
  if (look) line.append(swatch(look));
  for (const [kind, text] of [["name", name], ["value", value]]) {
    const part = document.createElement("span");
    part.className = kind;
    part.textContent = text;
    line.append(part);
  }
  parent.append(line);
  return line;
}

function swatch(look) {
  const node = make("svg", { class: `swatch ${look}`, viewBox: "0 0 28 10", "aria-hidden": "true" });
  make("line", { x1: 1, y1: 5, x2: 27, y2: 5 }, node);
  return node;
}
