// The playground's picture: loss and share of seeds that learn against the learning rate, what the
// neuron at the chosen rate does, and a sentence that says it. Uses chart.js and controls.js.

const ROLES = ["complete", "dropped"];

class Picture {
  constructor(parent, height, choose) {
    this.root = element("div", {class: "picture"}, parent);
    this.legend(element("div", {class: "legend"}, this.root));
    const panels = element("div", {class: "panels"}, this.root);
    const x = {low: 1e-4, high: 10, log: true, label: "learning rate η",
      ticks: [[1e-4, "10⁻⁴"], [1e-3, "10⁻³"], [1e-2, "10⁻²"], [0.1, "10⁻¹"], [1, "1"], [10, "10"]]};
    this.loss = new Chart(panels, {title: "Loss, as a share of the first", height, x,
      y: {low: 0.004, high: 6, log: true, ticks: [[0.01, "1 %"], [0.1, "10 %"], [1, "100 %"]]}});
    this.share = new Chart(panels, {title: "Seeds that learn", height, x,
      y: {low: 0, high: 1, ticks: [[0, "0"], [0.5, "50 %"], [1, "100 %"]]}});
    this.neuron = new Chart(this.root, {title: "Spikes and membrane u", height, left: 62, top: 58,
      x: {low: 0, high: 1, ticks: [], label: "time step t"}, y: {low: 0, high: 1, ticks: []}});
    this.summary = element("p", {class: "summary"}, this.root);
    this.marks = this.make_marks();
    for (const chart of [this.loss, this.share]) this.choosing(chart, choose);
  }

  legend(parent) {
    const item = (role, label) => {
      const item = element("span", {class: role}, parent);
      const swatch = element("svg", {width: 28, height: 10, "aria-hidden": "true"}, item);
      element("path", {d: "M1 5h26", class: role === "rule" ? role : `middle ${role}`}, swatch);
      return element("span", {}, item, label);
    };
    item("complete", "complete, ρ = 1");
    this.dropped_label = item("dropped", "");
    item("rule", "learnt: below 20 %, not silent");
  }

  make_marks() {
    const {loss, share, neuron} = this, each = make => ROLES.map(make);
    const here = [loss, share].map(chart => {
      const line = chart.path("here"), grip = element("path", {class: "grip"}, chart.edges);
      return eta => {
        const x = +chart.x.at(eta).toFixed(1);
        line(`M${x} ${chart.top}V${chart.height - chart.bottom}`);
        grip.setAttribute("d", `M${x - 5} ${chart.top - 6}h10v4l-5 6l-5 -6z`);
      };
    });
    return {
      solved: loss.path("rule"),
      thin: each(role => loss.path(`thin ${role}`)),
      middle: each(role => loss.path(`middle ${role}`)),
      outside: each((role, method) => loss.beyond(role, 3 * method - 1.5)),
      guesses: ["your guess", "answer"].map(label => {
        const line = share.path("rule"), text = element("text", {"text-anchor": "end"}, share.edges);
        return (part, shift) => {
          const y = share.y.at(part), end = share.width - share.right;
          line(`M${share.left} ${y.toFixed(1)}H${end}`);
          for (const [key, value] of Object.entries({x: end, y: y + shift})) text.setAttribute(key, value);
          text.textContent = label;
        };
      }),
      shares: each(role => share.path(`middle ${role}`)),
      dots: each(role => share.path(`dots ${role}`)),
      here,
      threshold: neuron.path("rule"),
      rows: element("g", {}, neuron.svg),
      spikes: ["target", ...ROLES].map(role => element("path", {class: `spikes ${role}`}, neuron.edges)),
      membranes: each(role => neuron.path(`membrane ${role}`)),
      far: each((role, method) => neuron.beyond(role, 3 * method - 1.5)),
    };
  }

  // Two shares of seeds, drawn from now on: the reader's guess for the dashed curve, and what is true.
  guess(guess, answer) {
    this.guesses = [guess, answer];
  }

  // A press on a chart, or a stroke along it, chooses the learning rate, as the slider does.
  choosing({svg}, choose) {
    const at = ({clientX}) => choose(clip(this.loss.x.value(clientX - svg.getBoundingClientRect().left), 1e-4, 10));
    svg.addEventListener("pointerdown", event => {
      if (event.button) return;
      svg.setPointerCapture(event.pointerId);
      at(event);
    });
    svg.addEventListener("pointermove", event => { if (svg.hasPointerCapture(event.pointerId)) at(event); });
  }

  draw(population, chosen, settings) {
    const reached = [0, 1].map(method => population.reached(method));
    ROLES.forEach((_, method) => this.draw_method(method, population.rates, reached[method]));
    this.marks.solved(`M${this.loss.left} ${this.loss.y.at(SOLVED)}H${this.loss.width}`);
    for (const here of this.marks.here) here(settings.eta);
    this.guesses?.forEach((part, i) => this.marks.guesses[i](part, part < this.guesses[1 - i] ? 14 : -4));
    this.draw_neuron(chosen.seeds[0], settings);
    this.say(population, reached, settings);
  }

  draw_method(method, xs, {seeds, share}) {
    const {loss, marks} = this, curves = seeds.map(seed => seed.loss);
    marks.thin[method](curves.map(ys => loss.line(xs, ys)).join(""));
    marks.middle[method](loss.line(xs, xs.map((_, l) => median(curves.map(ys => ys[l])))));
    marks.outside[method](curves.flatMap(ys => ys.map((y, l) => [xs[l], y])));
    marks.shares[method](this.share.line(xs, share));
    marks.dots[method](xs.map((x, l) => dot(method, this.share.x.at(x), this.share.y.at(share[l]))).join(""));
  }

  draw_neuron({task, methods}, {threshold, T, rho, seed, eta}) {
    const {neuron, marks} = this, ts = Array.from({length: T}, (_, t) => t + 1);
    neuron.caption.textContent = `Seed ${seed} at η = ${digits(eta)}: spikes and u`;
    const every = [10, 20, 25, 50, 100].find(step => T / step <= (neuron.width < 500 ? 4 : 8));
    neuron.set({low: 0, high: T + 1, ticks: ts.filter(t => t % every === 0).map(t => [t, t])},
      {low: -1.5 * threshold, high: 2 * threshold, ticks: [[-threshold, "−θ"], [0, "0"], [threshold, "θ"]]});
    marks.threshold(`M${neuron.left} ${neuron.y.at(threshold)}H${neuron.width}`);
    marks.rows.replaceChildren();
    const trains = [task.target, ...methods.map(method => method.runs[0].spikes)];
    ["target", "ρ = 1", `ρ = ${digits(rho, 2)}`].forEach((label, row) => {
      const y = 12 + 16 * row, fired = ts.filter((_, t) => trains[row][t]);
      element("text", {x: neuron.left - 6, y: y + 4, "text-anchor": "end"}, marks.rows, label);
      if (!fired.length) element("text", {x: neuron.left + 8, y: y + 4}, marks.rows, "never fires");
      marks.spikes[row].setAttribute("d", fired.map(t => `M${neuron.x.at(t).toFixed(1)} ${y - 6}v12`).join(""));
    });
    methods.forEach(({runs: [{membrane}]}, method) => {
      marks.membranes[method](neuron.line(ts, membrane));
      marks.far[method](ts.map((t, i) => [t, membrane[i]]));
    });
  }

  // Two sentences that say what is seen, at the learning rate nearest to the chosen one and at all.
  say({update, rates, seeds}, reached, {eta, rho}) {
    const distance = rates.map(rate => Math.abs(Math.log(rate / eta))), l = distance.indexOf(Math.min(...distance));
    const [one, other] = reached.map(({share}) => Math.round(seeds.length * share[l]));
    const [wide, narrow] = reached.map(({decades}) => decades.toFixed(2)), without = rho ? `with ρ = ${digits(rho, 2)}` : "without it";
    const text = `After ${update} updates at η = ${digits(rates[l], 2)}, ${one} of ${seeds.length} seeds have learnt with the term, `
      + `${other} ${without}. Over all rates: ${wide} decades with the term, ${narrow} ${without}.`;
    if (this.summary.textContent !== text) this.summary.textContent = text;
  }

  // What a screen reader hears of the charts: set when training rests, not at each frame.
  describe() {
    for (const {svg, caption} of [this.loss, this.share, this.neuron])
      svg.setAttribute("aria-label", `${caption.textContent}. ${this.summary.textContent}`);
  }
}

// Circles for the complete gradient, squares for the other.
function dot(method, x, y) {
  return method ? `M${(x - 2).toFixed(1)} ${(y - 2).toFixed(1)}h4v4h-4z`
    : `M${(x - 2.5).toFixed(1)} ${y.toFixed(1)}a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0`;
}

function median(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b), n = sorted.length;
  return n ? (sorted[n - 1 >> 1] + sorted[n >> 1]) / 2 : NaN;
}
