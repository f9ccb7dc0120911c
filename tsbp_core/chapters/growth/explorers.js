// The frames of explorers.py in JavaScript: chapters 10 and 14.

const range = (low, high, n) => Array.from({length: n}, (_, i) => low + (high - low) * i / (n - 1));
const percent = share => `${(100 * share).toFixed(0)}%`;
const middle = values => {
  const sorted = values.sort(), n = sorted.length;  // a typed array's order is that of numbers
  return (sorted[n - 1 >> 1] + sorted[n >> 1]) / 2;
};

// J = du[t+1]/du[t] at a membrane, where it reaches the threshold with a spike.
function jacobian_at(u, lif) {
  const z = u - lif.threshold, h = lif.surrogate.derivative(z);
  return lif.decay * reset_slope(u, heaviside(z), h, lif);
}

function growth_bound({decay, threshold, reset}) {
  if (decay === 0) return Infinity;
  return reset === "subtract" ? (1 + 1 / decay) / threshold : 1 / (decay * threshold);
}

// Membranes of the probe's 1000 neurons over 50 steps, step by step. They are kept, as they do not
// depend on the surrogate.
const STEPS = 50, NEURONS = 1000;
const currents = (() => {
  let kept;
  return () => {
    if (kept) return kept;
    const rng = default_rng(1), one = () => { const x = rng.normal(0.3, 0.5); rng.normal(0, 1); return x; };
    return kept = Float64Array.from({length: STEPS * NEURONS}, one);  // each with a credit, not used here
  };
})();
const membranes = (() => {
  const kept = {};
  return lif => kept[lif.reset] ??= (x => {
    const u = new Float64Array(x.length), v = new Float64Array(NEURONS);
    for (let k = 0, i = 0; k < x.length; k++, i = k % NEURONS) {
      u[k] = charge(x[k], v[i], lif);
      v[i] = reset(u[k], heaviside(u[k] - lif.threshold), lif);
    }
    return u;
  })(currents());
})();

// Of the last step's credit, the part that reaches each step, by neuron: products of J. Returns what
// `look` makes of their sizes, which it may sort, at each step.
function reach(J, look) {
  const products = new Float64Array(NEURONS).fill(1), seen = [];
  for (let t = STEPS - 1; t >= 0; t--) {
    if (t < STEPS - 1) for (let i = 0; i < NEURONS; i++) products[i] *= J[t * NEURONS + i];
    seen[t] = look(products.map(abs));
  }
  return seen;
}
const mean_square = values => values.reduce((total, value) => total + value * value, 0) / values.length;

// Chapter 10: J over the membrane, and how much credit of step 50 arrives at each step.
FRAMES.credit_back = ({slope, unit, reset}) => {
  const line = Float64Array.from(range(-1, 2.5, 176));
  const [lif, cut] = [1, 0].map(reset_gradient => LIF({decay: 0.9, reset, surrogate: Sigmoid(1 / slope, unit), reset_gradient}));
  const factors = (u, lif) => u.map(u => jacobian_at(u, lif)), u = membranes(lif), J = factors(u, lif);
  const arrived = reach(J, sizes => [sqrt(mean_square(sizes)), middle(sizes)]), rms = arrived.map(([size]) => size);
  const dropped = reach(factors(u, cut), sizes => sqrt(mean_square(sizes)));
  let above = 0, negative = 0;
  for (const j of J) { above += abs(j) > 1; negative += j < 0; }
  const text = `h is ${digits(lif.surrogate.scale)} high. |J| is above 1 at ${percent(above / J.length)} of the steps and J negative at `
    + `${percent(negative / J.length)}. A step multiplies the root mean square by ${sqrt(mean_square(J)).toFixed(2)}; `
    + `with the term dropped, by ${dropped[48].toFixed(2)}.`;
  return [[[factors(line, lif), factors(line, cut), [-1, 1]], [rms, dropped, arrived.map(([, typical]) => typical), [1]]], text];
};

// Chapter 14: a surrogate against the heights at which a step can amplify.
FRAMES.tall_surrogate = ({family, width, unit, decay}) => {
  const surrogate = with_width(family, width, unit), z = range(-1.5, 1.5, 61), peak = surrogate.derivative(0);
  const lifs = ["subtract", "zero"].map(reset => LIF({decay, reset, surrogate}));
  const bounds = lifs.map(growth_bound), jacobians = lifs.map(lif => z.map(z => jacobian_at(z + 1, lif)));
  const [soft, hard] = bounds.map(bound => Number.isFinite(bound) ? bound.toFixed(2) : "inf");
  const can = jacobians.map(J => J.some(j => abs(j) > 1) ? "can" : "cannot");
  const text = `Peak ${digits(peak)}; bounds ${soft} (soft reset) and ${hard} (hard). At the membranes drawn, a step of the soft reset ${can[0]} amplify, `
    + `one of the hard reset ${can[1]}.`;
  return [[[z.map(surrogate.derivative), ...bounds.map(bound => Number.isFinite(bound) ? [bound] : [])], [...jacobians, [-1, 1]]], text];
};
