// The neuron in the page: the functions of neuron.py, surrogates.py, numpy_lif.py and of the toy's
// training, in double precision and under the same names. Where Python has arrays [T, ...] of many
// neurons, here is one neuron, [T]; the step functions take numbers. random.js has default_rng.

// ---- neuron.py: the parameters, and one time step forward and backward

function LIF({decay = 0.8, threshold = 1, reset = "zero", surrogate = FastSigmoid(), reset_gradient = 1} = {}) {
  for (const [name, value] of Object.entries({decay, reset_gradient}))
    if (!(value >= 0 && value <= 1)) throw RangeError(`${name} must be in [0, 1], got ${value}`);
  if (!(threshold > 0 && threshold < Infinity))
    throw RangeError(`threshold must be positive and finite, got ${threshold}`);
  if (!["zero", "subtract", "none"].includes(reset))
    throw RangeError(`reset must be one of zero, subtract, none, got ${reset}`);
  return {decay, threshold, reset, surrogate, reset_gradient};
}

// Membrane before the spike: u[t] = lambda v[t-1] + x[t].
function charge(x, v, lif) {
  return lif.decay * v + x;
}

// Membrane after the spike, v[t].
function reset(u, s, lif) {
  if (lif.reset === "zero") return u * (1 - s);
  if (lif.reset === "subtract") return u - lif.threshold * s;
  return u;
}

// How v[t] follows u[t], directly and by way of the spike: dv/du + rho dv/ds h.
function reset_slope(u, s, h, lif) {
  if (lif.reset === "none") return 1;
  const [lost, dv_du] = lif.reset === "zero" ? [u, 1 - s] : [lif.threshold, 1];
  return lif.reset_gradient ? dv_du - lif.reset_gradient * lost * h : dv_du;
}

// One step of the backward pass: delta[t] = dL/du[t].
function credit(g, eps, h, slope) {
  return g * h + eps * slope;
}

// ---- surrogates.py: h = derivative, sigma = primitive, z = u - threshold

function heaviside(z) {
  return z >= 0 ? 1 : 0;
}

// A family is its area at peak 1, h and sigma. unit "peak": h(0) = 1; "area": h has the integral 1.
function Surrogate(unit, size, peak_area, h, sigma) {
  if (unit !== "peak" && unit !== "area") throw RangeError(`unit must be peak or area, got ${unit}`);
  if (!(size > 0 && size < Infinity)) throw RangeError(`width must be positive and finite, got ${size}`);
  const scale = unit === "peak" ? 1 : 1 / peak_area;
  return {unit, scale, peak_area, derivative: z => scale * h(z), primitive: z => scale * sigma(z)};
}

const {abs, exp, sqrt, tanh, atan, PI} = Math;
const clip = (x, low, high) => Math.min(Math.max(x, low), high);
const square = x => x * x;

const Sigmoid = (width = 0.2, unit = "peak") => Surrogate(unit, width, 4 * width,
  z => { const e = exp(-abs(z) / width); return clip(4 * e / square(1 + e), 0, 1); },
  z => 2 * width * (1 + tanh(z / (2 * width))));

const FastSigmoid = (slope = 10, unit = "peak") => Surrogate(unit, slope, 2 / slope,
  z => 1 / square(1 + slope * abs(z)),
  z => 1 / slope + z / (1 + slope * abs(z)));

const Triangle = (width = 1, unit = "peak") => Surrogate(unit, width, width,
  z => clip(1 - abs(z) / width, 0, 1),
  z => { const c = clip(z / width, -1, 1); return width * (0.5 + c - c * abs(c) / 2); });

const Rectangle = (width = 1, unit = "peak") => Surrogate(unit, width, width,
  z => abs(z) < width / 2 ? 1 : 0,
  z => clip(z + width / 2, 0, width));

const Gaussian = (width = 0.4, unit = "peak") => Surrogate(unit, width, width * sqrt(2 * PI),
  z => exp(-0.5 * square(z / width)),
  z => 0.5 * width * sqrt(2 * PI) * (1 + erf(z / (width * sqrt(2)))));

const Arctan = (width = 0.5, unit = "peak") => Surrogate(unit, width, PI * width,
  z => 1 / (1 + square(z * (1 / width))),
  z => width * (atan(z / width) + PI / 2));

const FAMILIES = {Sigmoid, FastSigmoid, Triangle, Rectangle, Gaussian, Arctan};

// The surrogate of a family, by name, of a width: the fast sigmoid has the slope 1 / width.
function with_width(family, width, unit) {
  return FAMILIES[family](family === "FastSigmoid" ? 1 / width : width, unit);
}

// The error function, which JavaScript lacks: its series, all terms positive; 1 beyond 6.
function erf(x) {
  if (abs(x) > 6) return Math.sign(x);
  let sum = x, term = x;
  for (let n = 1; abs(term) > 1e-17 * abs(sum); n++) sum += term *= 2 * x * x / (2 * n + 1);
  return 2 / sqrt(PI) * exp(-x * x) * sum;
}

// ---- numpy_lif.py: the neuron over time

function forward(x, lif, smooth = false) {
  const spike = smooth ? lif.surrogate.primitive : heaviside;
  const s = new Float64Array(x.length), u = new Float64Array(x.length);
  for (let t = 0, v = 0; t < x.length; t++) {
    u[t] = charge(x[t], v, lif);
    s[t] = spike(u[t] - lif.threshold);
    v = reset(u[t], s[t], lif);
  }
  return {spikes: s, membrane: u};
}

function backward(g, {spikes: s, membrane: u}, lif) {
  const delta = new Float64Array(u.length);
  for (let t = u.length - 1, eps = 0; t >= 0; t--) {
    const h = lif.surrogate.derivative(u[t] - lif.threshold);
    delta[t] = credit(g[t], eps, h, reset_slope(u[t], s[t], h, lif));
    eps = lif.decay * delta[t];
  }
  return delta;
}

// Synaptic trace a[t] = (1 - 1/tau) a[t-1] + s[t]/tau.
function trace(s, tau) {
  if (!(tau >= 1 && tau < Infinity)) throw RangeError(`tau must be at least 1 step and finite, got ${tau}`);
  const keep = 1 - 1 / tau, a = new Float64Array(s.length);
  for (let t = 0, previous = 0; t < s.length; t++) previous = a[t] = keep * previous + s[t] / tau;
  return a;
}

// dL/ds of the trace, given e = dL/da: the same filter, run backward in time.
function trace_backward(e, tau) {
  const keep = 1 - 1 / tau, d = new Float64Array(e.length);
  for (let t = e.length - 1, next = 0; t >= 0; t--) next = d[t] = keep * next + e[t] / tau;
  return d;
}

// L = 1/2 sum of (a[t] - a*[t])^2 between traces: a function that returns L and dL/ds.
function TraceLoss(target, tau = 3) {
  const target_trace = trace(target, tau);
  return spikes => {
    const error = trace(spikes, tau);
    let sum = 0;
    for (let t = 0; t < error.length; t++) {
      error[t] -= target_trace[t];
      sum += square(error[t]);
    }
    return [0.5 * sum, trace_backward(error, tau)];
  };
}

// ---- the toy: one neuron learns a spike train

const LAST = 20, SOLVED = 0.2;
const LEARNING_RATES = Array.from({length: 41}, (_, i) => 10 ** (-4 + i / 8));
const Settings = changed => ({steps: 100, inputs: 100, rate: 0.1, tau: 3, weight_mean: 0.05,
  weight_std: 0.2, updates: 300, target: "random", ...changed});

// Inputs, first weights and target of one seed. In place of the inputs' traces it keeps, for each
// step, which of them fire: a weighted sum of traces is the trace of a weighted sum.
function make_task(seed, p, lif) {
  const rng = default_rng(seed), draw = (n, one) => Float64Array.from({length: n}, one);
  const weight = () => rng.normal(p.weight_mean, p.weight_std), spike = () => rng.random() < p.rate ? 1 : 0;
  const fired = Array.from({length: p.steps}, () => {
    const places = [];
    for (let n = 0; n < p.inputs; n++) if (spike()) places.push(n);
    return places;
  });
  const task = {fired, tau: p.tau, weights: draw(p.inputs, weight)};
  if (p.target === "random") task.target = draw(p.steps, spike);
  else if (p.target === "teacher") task.target = run_neuron(task, draw(p.inputs, weight), lif).spikes;
  else task.target = draw(p.steps, (_, t) => (t + 1) % Math.round(1 / p.rate) === 0 ? 1 : 0);
  return task;
}

function run_neuron(task, w, lif) {
  const sum = new Float64Array(task.fired.length);
  for (let t = 0; t < sum.length; t++) {
    const places = task.fired[t];
    for (let k = 0; k < places.length; k++) sum[t] += w[places[k]];
  }
  return forward(trace(sum, task.tau), lif);
}

// dL/dw [N], given g = dL/ds [T].
function weight_gradient(task, g, run, lif) {
  const dx = trace_backward(backward(g, run, lif), task.tau), dw = new Float64Array(task.weights.length);
  for (let t = 0; t < dx.length; t++) {
    const places = task.fired[t], d = dx[t];
    for (let k = 0; k < places.length; k++) dw[places[k]] += d;
  }
  return dw;
}

// Train one neuron a learning rate. A generator: each step is one update of all, and yields the
// losses before it, [L]. `watch` is called before each update with its number, l, the run and dL/ds.
function* train(task, lif, learning_rates, {optimizer = "adam", updates = 300, watch} = {}) {
  const loss = TraceLoss(task.target, task.tau);
  const neurons = learning_rates.map(lr => ({lr, w: task.weights.slice(), diverged: false,
    m: new Float64Array(task.weights.length), m2: new Float64Array(task.weights.length)}));
  for (let i = 0; i < updates; i++) {
    const losses = new Float64Array(neurons.length);
    neurons.forEach((neuron, l) => {
      const {lr, w, m, m2} = neuron;
      const run = run_neuron(task, w, lif), [value, g] = loss(run.spikes);
      losses[l] = value;
      watch?.(i, l, run, g);
      const dw = weight_gradient(task, g, run, lif);
      if (neuron.diverged ||= !dw.every(Number.isFinite)) return;
      const warm = 1 - 0.9 ** (i + 1), warm2 = 1 - 0.999 ** (i + 1);
      for (let n = 0; n < w.length; n++) {
        let step = dw[n];
        if (optimizer === "adam") {
          m[n] += 0.1 * (dw[n] - m[n]);
          m2[n] += 0.001 * (dw[n] * dw[n] - m2[n]);
          step = m[n] / warm / (sqrt(m2[n] / warm2) + 1e-8);
        }
        w[n] -= lr * step;
      }
    });
    yield {losses, weights: neurons.map(neuron => neuron.w), diverged: neurons.map(neuron => neuron.diverged)};
  }
}
