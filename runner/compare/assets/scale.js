// Scales, ticks and numbers: pure functions.

function makeScale(low, high, from, to, log) {
  const pass = log ? Math.log10 : (value) => value;
  const back = log ? (value) => 10 ** value : (value) => value;
  const start = pass(low), span = pass(high) - start || 1;
  return {
    low, high, log,
    of: (value) => from + ((pass(value) - start) / span) * (to - from),
    at: (pixel) => back(start + ((pixel - from) / (to - from)) * span),
    part: (share) => back(start + share * span),
  };
}

function padded(low, high, log) {
  if (log) {
    const factor = low === high ? 2 : (high / low) ** 0.04;
    return [low / factor, high * factor];
  }
  const space = low === high ? Math.abs(low) * 0.1 || 1 : (high - low) * 0.04;
  return [low - space, high + space];
}

function ticks(scale, count) {
  const found = scale.log ? logTicks(scale.low, scale.high, count) : [];
  return found.length > 1 ? found : evenTicks(scale.low, scale.high, count);
}

function evenTicks(low, high, count) {
  const rough = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => size >= rough * 0.999);
  const found = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high + step * 1e-9; place += 1) {
    found.push(Number((place * step).toPrecision(12)));
  }
  return found;
}

function logTicks(low, high, count) {
  const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
  const digits = last - first <= 2 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil((last - first) / count));
  const found = [];
  for (let power = first; power <= last; power += every) {
    for (const digit of digits) found.push(Number(`${digit}e${power}`));
  }
  return found.filter((value) => value >= low * 0.9999 && value <= high * 1.0001);
}

function showNumber(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return String(Number(value.toPrecision(5))).includes("e")
    ? Number(value.toPrecision(5)).toString().replace("e+", "e")
    : value.toExponential(size >= 1e6 ? 3 : 4).replace("e+", "e").replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(5)));
}

function showStep(value) {
  return Number.isInteger(value) ? value.toLocaleString("en-US").replace(/,/g, "\u202f") : showNumber(value);
}
