// The frames of explorers.py in JavaScript: chapters 10 and 13.

const range = (low, high, n) => Array.from({length: n}, (_, i) => low + (high - low) * i / (n - 1));
const percent = share => `${(100 * share).toFixed(0)}%`;
const mean = values => values.reduce((total, value) => total + value, 0) / values.length;
const middle = values => {
  const sorted = values.slice().sort((a, b) => a - b), n = sorted.length;
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

// Currents of the probe's neurons; what is drawn with them, their credits, is not used here.
const draw = (() => {
  const kept = new Map();
  return (steps, instances) => {
    const rng = default_rng(1), key = `${steps},${instances}`;
    if (!kept.has(key)) {
      const x = Array.from({length: instances}, () => new Float64Array(steps));
      for (let t = 0; t < steps; t++) for (const one of x) { one[t] = rng.normal(0.3, 0.5); rng.normal(0, 1); }
      kept.set(key, x);
    }
    return kept.get(key);
  };
})();

// How much of the last step's credit reaches each step: products of J.
function reach(J) {
  const products = new Float64Array(J.length).fill(1);
  for (let t = J.length - 2; t >= 0; t--) products[t] = products[t + 1] * J[t];
  return products;
}

// Chapter 10: J over the membrane, and how much credit of step 50 arrives at each step.
FRAMES.credit_back = ({slope, unit, reset}) => {
  const u = range(-1, 2.5, 176), steps = [...Array(50).keys()];
  const seen = [1, 0].map(reset_gradient => {
    const lif = LIF({decay: 0.9, reset, surrogate: Sigmoid(1 / slope, unit), reset_gradient});
    const J = draw(50, 1000).map(x => forward(x, lif).membrane.map(u => jacobian_at(u, lif)));
    const size = J.map(reach), at = t => size.map(one => abs(one[t]));
    return {lif, J: J.flatMap(one => [...one]), curve: u.map(u => jacobian_at(u, lif)), at,
      rms: steps.map(t => sqrt(mean(at(t).map(square))))};
  });
  const [{lif, J, at, rms}, dropped] = seen, share = test => J.filter(test).length / J.length;
  const text = `h is ${digits(lif.surrogate.scale)} high. |J| is above 1 at ${percent(share(j => abs(j) > 1))} of the steps and J negative at `
    + `${percent(share(j => j < 0))}. A step multiplies the root mean square by ${sqrt(mean(J.map(square))).toFixed(2)}; `
    + `with the term dropped, by ${dropped.rms[48].toFixed(2)}.`;
  return [[[...seen.map(one => one.curve), [-1, 1]], [rms, dropped.rms, steps.map(t => middle(at(t))), [1]]], text];
};

// Chapter 13: a surrogate against the heights at which a step can amplify.
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
