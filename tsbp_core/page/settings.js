// The playground's settings: their ranges, their controls, and the link that keeps them. Uses
// engine.js and chart.js.

const same = Object.fromEntries(Object.keys(FAMILIES).map(name => [name, name]));
const FIELDS = {  // `apart`: training need not start afresh
  eta: {label: "learning rate η", low: -4, high: 1, step: 0.01, start: 0.01, log: true, apart: true},
  rho: {label: "ρ, dashed curves", low: 0, high: 1, step: 0.01, start: 0},
  decay: {label: "decay λ", low: 0, high: 1, step: 0.01, start: 0.8},
  threshold: {label: "threshold θ", low: 0.2, high: 3, step: 0.01, start: 1},
  width: {label: "surrogate's width", low: -2, high: 0.3, step: 0.01, start: 0.2, log: true},
  surrogate: {label: "surrogate", choices: same, start: "Sigmoid"},
  unit: {label: "its unit", choices: {area: "area 1", peak: "peak 1"}, start: "area"},
  reset: {label: "reset", choices: {zero: "hard", subtract: "soft", none: "none"}, start: "zero"},
  optimizer: {label: "optimiser", choices: {adam: "Adam", sgd: "plain descent"}, start: "adam"},
  target: {label: "target", choices: {random: "random", teacher: "a teacher's", regular: "regular"}, start: "random"},
  tau: {label: "trace τs", low: 1, high: 10, step: 0.1, start: 3},
  T: {label: "steps T", low: 20, high: 400, step: 1, start: 100},
  N: {label: "inputs N", low: 5, high: 400, step: 1, start: 100},
  seeds: {label: "seeds", low: 1, high: 32, step: 1, start: 8},
  seed: {label: "seed shown below", low: 0, high: 31, step: 1, start: 0, apart: true},
};
const COMPACT = ["eta", "rho", "decay", "width"];
const KEYS = {"data-lm-suppress-shortcuts": "true"};  // JupyterLab leaves the keys alone

const digits = (value, n = 3) => String(+value.toPrecision(n));

// Settings from a link's text, each forced into its range; what it does not name is the default.
function read_settings(text) {
  const given = new URLSearchParams(text), settings = {};
  for (const [name, {choices, low, high, step, log, start}] of Object.entries(FIELDS)) {
    const value = given.get(name);
    if (choices) settings[name] = Object.hasOwn(choices, value) ? value : start;
    else if (value === null || !Number.isFinite(+value)) settings[name] = start;
    else settings[name] = log ? clip(+value, 10 ** low, 10 ** high) : clip(+value, low, high);
    if (step === 1) settings[name] = Math.round(settings[name]);
  }
  settings.seed = Math.min(settings.seed, settings.seeds - 1);
  return settings;
}

function write_settings(settings) {
  const short = value => typeof value === "number" ? +value.toPrecision(4) : value;
  return String(new URLSearchParams(Object.entries(settings).map(([name, value]) => [name, short(value)])));
}

// One row a setting; `change` is called with name and value. Returns what shows settings.
function make_controls(parent, id, names, change) {
  const form = element("div", {class: "controls"}, parent), shows = {};
  for (const name of names) {
    const {label, choices, low, high, step, log} = FIELDS[name];
    const row = element("div", {class: "control"}, form);
    element("label", {for: `${id}-${name}`}, row, label);
    if (choices) {
      const select = element("select", {id: `${id}-${name}`, ...KEYS}, row);
      for (const [value, text] of Object.entries(choices)) element("option", {value}, select, text);
      select.addEventListener("change", () => change(name, select.value));
      shows[name] = value => { select.value = value; };
    } else {
      const input = element("input", {type: "range", id: `${id}-${name}`, min: low, max: high, step, ...KEYS}, row);
      const output = element("output", {for: `${id}-${name}`}, row);
      input.addEventListener("input", () => change(name, log ? 10 ** +input.value : +input.value));
      shows[name] = (value, {seeds}) => {
        if (name === "seed") input.max = seeds - 1;
        input.value = log ? Math.log10(value) : value;
        output.textContent = digits(value);
        input.setAttribute("aria-valuetext", output.textContent);
      };
    }
  }
  return settings => { for (const name of names) shows[name](settings[name], settings); };
}
