// The frames of explorers.py in JavaScript: chapters 1 to 4.

const range = (low, high, n) => Array.from({length: n}, (_, i) => low + (high - low) * i / (n - 1));
const draws = (n, one) => Float64Array.from({length: n}, one);
const sum = values => values.reduce((total, value) => total + value, 0);
const dot_product = (a, b) => sum(a.map((value, i) => value * b[i]));
const norm = a => sqrt(dot_product(a, a));
const fixed = (value, n = 2) => value.toFixed(n);
const percent = share => `${(100 * share).toFixed(0)}%`;
const times_of = spikes => [...spikes.keys()].filter(t => spikes[t]).map(t => t + 1);

// Chapter 1: a neuron at a constant current.
FRAMES.constant_current = ({decay, current, threshold, reset: kind}) => {
  const lif = LIF({decay, threshold, reset: kind});
  const {spikes: s, membrane: u} = forward(new Float64Array(40).fill(current), lif);
  const saw = Array.from(u).flatMap((before, t) => [before, reset(before, s[t], lif)]);
  const fired = times_of(s);
  const text = decay < 1
    ? `${fired.length} spikes in 40 steps. Without a spike the membrane would settle at ${fixed(current / (1 - decay))}, against a threshold of ${digits(threshold)}.`
    : `${fired.length} spikes in 40 steps. With decay 1 nothing leaks.`;
  return [[[saw, [fired, fired.map(t => u[t - 1])], [threshold]], [trace(s, 3), [fired, fired.map(() => 0)]]], text];
};

// Chapter 2: a surrogate's bump, and where its slope leads.
const STRIDE = 0.25, STEEP = 0.05, DROP = 0.7;
const one_weight = (() => {
  const rng = default_rng(4), spikes = rate => draws(60, () => rng.random() < rate ? 1 : 0);
  return {inputs: trace(spikes(0.2), 3), loss: TraceLoss(spikes(0.1)), weights: range(0.2, 4, 95)};
})();
FRAMES.bump_width = ({family, width}) => {
  const surrogate = with_width(family, width, "area"), lif = LIF({surrogate});
  const {inputs, loss, weights} = one_weight, z = range(-2, 2, 81);
  const run = (w, smooth = false) => forward(inputs.map(a => w * a), lif, smooth);
  const true_loss = w => loss(run(w).spikes)[0];
  const hard = weights.map(true_loss), smooth = weights.map(w => loss(run(w, true).spikes)[0]);
  const slope = weights.map(w => dot_product(backward(loss(run(w).spikes)[1], run(w), lif), inputs));
  const there = weights.map((w, i) => true_loss(w - STRIDE * Math.sign(slope[i])));
  const leads = i => abs(slope[i]) > STEEP ? Math.sign(hard[i] - there[i]) : NaN;
  const share = way => weights.filter((_, i) => leads(i) === way).length / weights.length;
  const arrows = way => {
    const at = [...weights.keys()].filter(i => i % 6 === 0 && leads(i) === way);
    const scale = i => Math.min(STRIDE, DROP / abs(slope[i]));
    return [at.map(i => weights[i]), at.map(i => hard[i]),
      at.map(i => weights[i] - scale(i) * Math.sign(slope[i])), at.map(i => hard[i] - scale(i) * abs(slope[i]))];
  };
  const steep = weights.filter((_, i) => abs(slope[i]) > STEEP).length / weights.length;
  const apart = sum(smooth.map((value, i) => abs(value - hard[i]))) / weights.length;
  const text = `The peak of h is ${fixed(surrogate.derivative(0))}. At ${percent(steep)} of the weights the surrogate gives a slope above ${STEEP}. `
    + `A step of ${STRIDE} down it lowers the true loss at ${percent(share(1))} and raises it at ${percent(share(-1))} of all; `
    + `smooth and true loss are ${fixed(apart)} apart on average.`;
  return [[[z.map(surrogate.derivative), z.map(surrogate.primitive)],
    [hard, smooth, arrows(1), arrows(0), arrows(-1)]], text];
};

// Chapter 3: the credit of each time step, for any rho.
FRAMES.credit_by_rho = ({rho, decay, reset}) => {
  const lif = rho => LIF({decay, reset, surrogate: Sigmoid(0.2), reset_gradient: rho});
  const uniform = default_rng(1), normal = default_rng(3);
  const run = forward(draws(24, () => 0.8 * uniform.random()), lif(0)), g = draws(24, () => normal.normal(0, 1));
  const [delta, detached] = [rho, 0].map(rho => backward(g, run, lif(rho))), fired = times_of(run.spikes);
  const turned = [...delta].filter((d, t) => d * detached[t] < 0).length, size = norm(detached);
  const text = `At ρ = ${digits(rho, 2)} the gradient has ${fixed(norm(delta) / size)} times the length of the detached one and a cosine of `
    + `${fixed(dot_product(delta, detached) / norm(delta) / size)} with it; ${turned} of 24 credits have turned their sign.`;
  return [[[[fired, fired.map(() => 0)], detached, delta]], text];
};

// Chapter 4: both gradients against differences of the smooth twin.
FRAMES.twin_differences = ({width, decay, reset}) => {
  const lif = rho => LIF({decay, reset, surrogate: Sigmoid(width), reset_gradient: rho}), normal = default_rng(11);
  const x = draws(20, () => normal.normal(0.3, 0.5)), loss = TraceLoss(new Float64Array(20)), step = 1e-5;
  const run = forward(x, lif(1), true), g = loss(run.spikes)[1];
  const loss_at = x => loss(forward(x, lif(1), true).spikes)[0];
  const differences = x.map((_, t) => {
    const [up, down] = [step, -step].map(nudge => loss_at(x.map((value, k) => k === t ? value + nudge : value)));
    return (up - down) / (2 * step);
  });
  const [complete, detached] = [1, 0].map(rho => backward(g, run, lif(rho)));
  const error = gradient => norm(gradient.map((value, t) => value - differences[t])) / norm(differences);
  const touched = [...run.membrane.slice(0, -1)].filter(u => lif(1).surrogate.derivative(u - 1) > 0.05).length;
  const text = `Relative error with the term ${error(complete).toExponential(0)}, without it ${fixed(error(detached))}. In ${touched} of the 19 steps `
    + "with a future the membrane is in reach of the bump (h above 0.05).";
  return [[[differences, complete, detached]], text];
};

// Chapter 3: three steps, small enough for a pencil, and what flows back along each edge.
FRAMES.pencil = ({x1, x2, x3, g1, g2, g3, edge, reset: kind, seen}) => {
  const x = [x1, x2, x3], g = [g1, g2, g3];
  const lif = rho => LIF({decay: 0.5, reset: kind, surrogate: Triangle(1), reset_gradient: rho});
  const run = forward(x, lif(1)), {spikes: s, membrane: u} = run;
  const v = u.map((u, t) => reset(u, s[t], lif(1))), h = u.map(u => lif(1).surrogate.derivative(u - 1));
  const dv_ds = u.map(u => kind === "zero" ? -u : -1), dv_du = s.map(s => kind === "zero" ? 1 - s : 1);
  const [delta, kept, dropped] = [+edge, 1, 0].map(rho => backward(g, run, lif(rho)));
  const eps = delta.map((_, t) => t < 2 ? 0.5 * delta[t + 1] : 0), list = d => [...d].map(value => fixed(value, 3)).join(", ");
  const text = `Credit of the three inputs: ${list(kept)} with the green edge, ${list(dropped)} without it. Spikes: ${[...s].join(", ")}.`;
  return [[[x, g, u, s, v, h, dv_ds, dv_du, delta, eps, [+edge], [seen]]], text];
};

const SEEN = 9, GAP = 250;
PICTURES.unrolled = (root, data, change) => {
  root.classList.add("unrolled");
  const bar = element("div", {class: "bar"}, root), scroller = element("div", {class: "scroller"}, root);
  const button = element("button", {type: "button", ...KEYS}, bar, "▶ let credit flow back");
  const svg = element("svg", {class: "graph", role: "img", viewBox: "0 0 668 300"}, scroller);
  let timer;
  button.addEventListener("click", () => {
    clearInterval(timer);
    let seen = 0;
    change("seen", seen);
    timer = setInterval(() => { change("seen", ++seen); if (seen === SEEN) clearInterval(timer); }, 700);
  });
  return ([[values], sentence]) => {
    svg.replaceChildren();
    svg.setAttribute("aria-label", `The neuron unrolled over three steps. ${sentence}`);
    draw_unrolled(svg, values);
  };
};

// Edges as credit takes them, from right to left: the slider says how many have been taken.
function draw_unrolled(svg, [x, g, u, s, v, h, dv_ds, dv_du, delta, eps, [rho], [seen]]) {
  const short = value => digits(+value.toFixed(3)).replace("-", "−");
  const places = t => ({g: [88 + GAP * t, 16], s: [88 + GAP * t, 88], u: [88 + GAP * t, 178], x: [88 + GAP * t, 268], v: [213 + GAP * t, 178]});
  const say = (x, y, text, role, anchor = "middle") => element("text", {x, y, "text-anchor": anchor, class: role}, svg, text);
  const edge = (from, to, order, flow, role = "truth") => {
    const far = Math.hypot(to[0] - from[0], to[1] - from[1]), cut = 24 / far;
    const at = part => from.map((value, k) => value + (to[k] - value) * part), on = order <= seen;
    const [shaft, head] = arrow(...at(from[1] < 20 ? 0.1 : cut), ...at(1 - cut), on ? 6 : 4), now = on ? role : "faint";
    const width = on ? 1.5 + 3 * Math.min(1, abs(flow)) : 1;
    element("path", {class: `line role-${now}`, d: shaft, style: `stroke-width: ${width}`}, svg);
    element("path", {class: `head role-${now}`, d: head}, svg);
    return on;
  };
  for (let t = 2; t >= 0; t--) {
    const at = places(t), first = t < 2 ? 8 - 3 * t : 1, later = first - 1, credit = g[t] + (t < 2 ? rho * eps[t] * dv_ds[t] : 0);
    if (edge(at.g, at.s, first, g[t])) say(at.g[0] + 6, 46, `g[${t + 1}] = ${short(g[t])}`, "", "start");
    if (edge(at.s, at.u, first + (t === 2), credit * h[t])) {
      say(at.s[0] - 8, 128, `× h = ${short(h[t])}`, "factor", "end");
      say(at.s[0] - 8, 145, short(credit * h[t]), "flow", "end");
    }
    if (t < 2) {
      if (edge(places(t + 1).u, at.v, later - 1, eps[t])) {
        say(at.v[0] + 62, 170, "× λ = 0.5", "factor");
        say(at.v[0] + 62, 196, short(eps[t]), "flow");
      }
      if (edge(at.v, at.u, later, eps[t] * dv_du[t])) {
        say(at.u[0] + 62, 196, `× ${short(dv_du[t])}`, "factor");
        say(at.u[0] + 62, 212, short(eps[t] * dv_du[t]), "flow");
      }
      if (edge(at.v, at.s, later, rho * eps[t] * dv_ds[t], rho ? "reset" : "dropped")) {
        say(at.s[0] + 84, 118, rho ? `× ${short(dv_ds[t])}` : "cut", `factor role-${rho ? "reset" : "dropped"}`, "start");
        say(at.s[0] + 84, 134, short(rho * eps[t] * dv_ds[t] + 0), `flow role-${rho ? "reset" : "dropped"}`, "start");
      }
    }
    if (edge(at.u, at.x, SEEN, delta[t])) say(at.x[0] + 8, 228, `δ[${t + 1}] = ${short(delta[t])}`, "flow", "start");
    for (const [name, value] of Object.entries({s: s[t], u: u[t], x: x[t], ...t < 2 && {v: v[t]}})) {
      const [cx, cy] = at[name];
      element("circle", {cx, cy, r: 22, class: name === "s" && value ? "node fired" : "node"}, svg);
      say(cx, cy - 2, `${name}[${t + 1}]`);
      say(cx, cy + 13, short(value), "value");
    }
  }
}
