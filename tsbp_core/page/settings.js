// The playground's settings: their ranges and where they start. Uses engine.js
// and controls.js.

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
  seed: {label: "seed shown below", low: 0, high: 31, step: 1, start: 0, apart: true, most: ({seeds}) => seeds - 1},
};
const COMPACT = ["eta", "rho", "decay", "width"];

function read_settings(text) {
  const settings = read_fields(text, FIELDS);
  settings.seed = Math.min(settings.seed, settings.seeds - 1);
  return settings;
}
