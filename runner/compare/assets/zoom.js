// Pointer, wheel and keyboard on the chart.

class Zoom {
  constructor(chart) {
    this.chart = chart;
    this.fingers = new Map();
    this.start = null;
    const { svg } = chart;
    svg.addEventListener("pointerdown", (event) => this.down(event));
    svg.addEventListener("pointermove", (event) => this.move(event));
    svg.addEventListener("pointerup", (event) => this.up(event));
    svg.addEventListener("pointercancel", (event) => this.up(event, true));
    svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && !this.start && chart.point(null));
    svg.addEventListener("dblclick", () => this.show(null));
    svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    svg.addEventListener("keydown", (event) => this.key(event));
    svg.addEventListener("blur", () => chart.point(null));
  }

  place(event) {
    const box = this.chart.svg.getBoundingClientRect();
    const { left, right, top, bottom } = this.chart.frame;
    return {
      x: Math.min(Math.max(event.clientX - box.left, left), right),
      y: Math.min(Math.max(event.clientY - box.top, top), bottom),
    };
  }

  down(event) {
    if (!this.chart.whole || (event.pointerType === "mouse" && event.button !== 0)) return;
    this.chart.svg.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, this.place(event));
    this.start = event.pointerType === "mouse" ? this.place(event) : null;
    this.pinch = null;
    this.hover(event);
  }

  move(event) {
    if (!this.chart.whole) return;
    if (this.fingers.has(event.pointerId)) this.fingers.set(event.pointerId, this.place(event));
    if (this.fingers.size === 2) this.pinched();
    else if (this.start) this.drawBox(this.start, this.place(event));
    else this.hover(event);
  }

  up(event, cancelled) {
    const from = this.start, to = this.chart.whole && this.place(event);
    this.fingers.delete(event.pointerId);
    this.start = this.pinch = null;
    if (this.box) this.box.remove();
    this.box = null;
    if (!from || !to || cancelled) return;
    const wide = Math.abs(to.x - from.x) > 8, high = Math.abs(to.y - from.y) > 8;
    if (wide || high) this.show(this.between(from, to, wide, high));
  }

  between(from, to, wide, high) {
    const { x, y } = this.chart;
    const [left, right] = [from.x, to.x].sort((one, other) => one - other);
    const [top, bottom] = [from.y, to.y].sort((one, other) => one - other);
    return {
      x0: wide ? x.at(left) : x.low, x1: wide ? x.at(right) : x.high,
      y0: high ? y.at(bottom) : y.low, y1: high ? y.at(top) : y.high,
    };
  }

  drawBox(from, to) {
    const { left, right, top, bottom } = this.chart.frame;
    const wide = Math.abs(to.x - from.x) > 8, high = Math.abs(to.y - from.y) > 8;
    this.chart.point(null);
    this.box = this.box || make("rect", { class: "box" }, this.chart.svg);
    const sides = {
      x: wide ? Math.min(from.x, to.x) : left, width: wide ? Math.abs(to.x - from.x) : right - left,
      y: high ? Math.min(from.y, to.y) : top, height: high ? Math.abs(to.y - from.y) : bottom - top,
    };
    for (const [key, value] of Object.entries(sides)) this.box.setAttribute(key, value);
    this.box.toggleAttribute("hidden", !wide && !high);
  }

  hover(event) {
    const { x, y } = this.place(event);
    const best = this.chart.nearest(x, y);
    this.chart.point(best && { step: best.step, series: best.series.name });
  }

  pinched() {
    const [one, other] = [...this.fingers.values()];
    const now = { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, apart: Math.hypot(one.x - other.x, one.y - other.y) };
    const before = this.pinch;
    this.pinch = now;
    if (before && now.apart > 10) this.around(now, before.apart / now.apart, before);
  }

  wheel(event) {
    if (!this.chart.whole) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 18 : event.deltaMode === 2 ? 300 : 1);
    const place = this.place(event);
    this.around(place, Math.exp(Math.max(-200, Math.min(200, pixels)) * 0.002), place);
  }

  // Zooms by a factor around a place, which may have been dragged there from another one.
  around(place, factor, from) {
    if (!this.chart.whole) return;
    const { x, y, frame } = this.chart;
    const sides = (scale, at, was, low, high) => [low, high].map((edge) => scale.at(was + (edge - at) * factor));
    const [x0, x1] = sides(x, place.x, from.x, frame.left, frame.right);
    const [y0, y1] = sides(y, place.y, from.y, frame.bottom, frame.top);
    this.show({ x0, x1, y0, y1 });
  }

  middle(factor) {
    const { left, right, top, bottom } = this.chart.frame;
    const place = { x: (left + right) / 2, y: (top + bottom) / 2 };
    this.around(place, factor, place);
  }

  show(view) {
    const { whole } = this.chart;
    if (view && whole) {
      view.x0 = Math.max(view.x0, whole.x0);
      view.x1 = Math.min(view.x1, whole.x1);
      view.y0 = Math.max(view.y0, whole.y0);
      view.y1 = Math.min(view.y1, whole.y1);
      const all = ["x", "y"].every((axis) => view[`${axis}0`] <= whole[`${axis}0`] && view[`${axis}1`] >= whole[`${axis}1`]);
      const apart = (low, high) => high - low > Math.max(Math.abs(low), Math.abs(high)) * 1e-9;
      if (!apart(view.x0, view.x1) || !apart(view.y0, view.y1)) return;
      if (all) view = null;
    }
    this.chart.view = view;
    this.chart.draw();
  }

  key(event) {
    const turn = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (turn) this.walk(turn * (event.shiftKey ? 10 : 1));
    else if (event.key === "+" || event.key === "=") this.middle(0.7);
    else if (event.key === "-") this.middle(1 / 0.7);
    else if (event.key === "0" || event.key === "Escape") this.show(null);
    else return;
    event.preventDefault();
  }

  walk(turn) {
    const { series, cursor, x, whole } = this.chart;
    if (!whole) return;
    const inside = (step) => step >= x.low && step <= x.high;
    const steps = [...new Set(series.flatMap((one) => one.steps))].filter(inside).sort((one, other) => one - other);
    if (!steps.length) return;
    const from = cursor ? nearestIndex(steps, cursor.step) + turn : turn > 0 ? 0 : steps.length - 1;
    this.chart.point({ step: steps[Math.min(Math.max(from, 0), steps.length - 1)], series: null });
  }
}
