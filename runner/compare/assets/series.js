// What is drawn: points of a configuration or a run, smoothed, and their value at any step.

function smooth(values, weight) {
  if (!weight) return values;
  let kept = 0, share = 1;
  return values.map((value) => {
    kept = kept * weight + (1 - weight) * value;
    share *= weight;
    return kept / (1 - share); // without the pull towards the zero it started from
  });
}

function makeSeries(data, metric, state) {
  const series = [];
  for (const line of data.metrics[metric].lines) {
    if (state.hidden.has(line.configuration)) continue;
    const look = lookOf(line.configuration);
    const name = data.configurations[line.configuration].name;
    for (const run of line.seeds) {
      if (run.counted && line.band && !state.seeds) continue;
      const values = smooth(run.values, state.smoothing);
      const label = run.seed === null ? run.name : `${name} · seed ${run.seed}`;
      series.push({ kind: "seed", look, name: label, place: line.configuration, steps: data.steps[run.at], values, status: run.status });
    }
    if (!line.band) continue;
    const { mean, sd, ends, n, at } = line.band;
    series.push({
      kind: "line", look, name, n, place: line.configuration, steps: data.steps[at], status: "completed",
      values: smooth(mean, state.smoothing), sd: sd && smooth(sd, state.smoothing),
      ends: ends && ends.map((end) => smooth(end, state.smoothing)), raw: state.smoothing ? mean : null,
    });
  }
  return series;
}

function lookOf(place) {
  return `c${place % 7} d${Math.floor(place / 7) % 4}`;
}

function nearestIndex(steps, step) {
  let low = 0, high = steps.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < step) low = middle + 1;
    else high = middle;
  }
  return low > 0 && step - steps[low - 1] <= steps[low] - step ? low - 1 : low;
}

// From where to where the band goes: a deviation to either side, or the interval of a single run.
function reach({ values, sd, ends }, index) {
  if (ends) return [ends[0][index], ends[1][index]];
  const spread = sd ? sd[index] : 0;
  return [values[index] - spread, values[index] + spread];
}

// The value at a step: exact where one was kept, on the straight line between its neighbours elsewhere.
function valueAt(series, step) {
  const { steps, values, sd, ends } = series;
  if (!steps.length || step < steps[0] || step > steps[steps.length - 1]) return null;
  let index = nearestIndex(steps, step);
  if (steps[index] === step) return { value: values[index], sd: sd ? sd[index] : null, ends: ends ? ends.map((end) => end[index]) : null, exact: true };
  if (steps[index] > step) index -= 1;
  const share = (step - steps[index]) / (steps[index + 1] - steps[index]);
  const between = (list) => list[index] + share * (list[index + 1] - list[index]);
  return { value: between(values), sd: sd ? between(sd) : null, ends: ends ? ends.map(between) : null, exact: false };
}

function extent(series, log, logX) {
  let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
  for (const one of series) {
    one.steps.forEach((step, index) => {
      const value = one.values[index], [low, high] = reach(one, index);
      if ((log && value <= 0) || (logX && step <= 0)) return;
      x0 = Math.min(x0, step);
      x1 = Math.max(x1, step);
      y0 = Math.min(y0, log && low <= 0 ? value : low);
      y1 = Math.max(y1, high);
    });
  }
  if (x0 > x1) return null;
  const [bottom, top] = padded(y0, y1, log);
  const [left, right] = x0 === x1 ? padded(x0, x1, logX) : [x0, x1];
  return { x0: left, x1: right, y0: bottom, y1: top };
}
