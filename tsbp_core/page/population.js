// Many neurons learn at once: for each seed one neuron a learning rate, by the complete gradient
// and by one that keeps only `rho` of the term. Uses engine.js and random.js.
//
// settings: {rho, decay, threshold, reset, surrogate, width, unit, tau, target, T, N, optimizer}

function make_lif(settings, rho) {
  const {surrogate, width, unit, decay, threshold, reset} = settings;
  return LIF({decay, threshold, reset, surrogate: with_width(surrogate, width, unit), reset_gradient: rho});
}

// Tasks are kept while settings change that they do not depend on.
const tasks = new Map();
function task_of(seed, settings, lif) {
  const {T, N, tau, target} = settings;
  const key = [seed, T, N, tau, target, ...target === "teacher" ? [lif.decay, lif.threshold, lif.reset] : []].join();
  if (!tasks.has(key)) {
    if (tasks.size >= 64) tasks.clear();
    tasks.set(key, make_task(seed, Settings({steps: T, inputs: N, tau, target}), lif));
  }
  return tasks.get(key);
}

class Population {
  constructor(settings, seeds, rates = LEARNING_RATES, updates = Settings().updates) {
    this.updates = updates;
    this.update = 0;  // how many losses every neuron has
    this.rates = rates;
    this.seeds = [];
    this.work = this.#work(settings, seeds);
  }

  // Do one piece of work, of a few milliseconds at the most. True when a round is done: one more
  // update of every neuron. Afterwards `update` is `updates`, and nothing happens any more.
  piece() {
    return Boolean(this.work.next().value);
  }

  get finished() {
    return this.update === this.updates;
  }

  *#work(settings, seeds) {
    const lifs = [1, settings.rho].map(rho => make_lif(settings, rho));
    for (const seed of seeds) {
      const task = task_of(seed, settings, lifs[0]), never = new Float64Array(settings.T);
      const [silent] = TraceLoss(task.target, settings.tau)(never);
      const methods = lifs.map(lif => {
        const method = {losses: [], runs: [], diverged: []};
        const watch = (i, l, run) => { method.runs[l] = run; };
        method.steps = train(task, lif, this.rates, {optimizer: settings.optimizer, updates: this.updates, watch});
        return method;
      });
      this.seeds.push({seed, task, silent, methods});
      yield false;
    }
    while (!this.finished) {
      for (const {methods} of this.seeds) for (const method of methods) {
        const {losses, diverged} = method.steps.next().value;
        method.losses.push(losses);
        method.diverged = diverged;
        if (method === methods[1] && methods === this.seeds.at(-1).methods) this.update++;
        yield this.update === method.losses.length;
      }
    }
  }

  // What a method has reached, for each seed and rate: `loss`, averaged over the last 20 updates, as
  // a share of the first (NaN if that is 0), and whether it has `learnt`: loss below 20 % of the
  // first, and of what it would be if the neuron never fired. `share` is that of the seeds that have
  // learnt, at each rate; `decades`, over how many of learning rate a seed has, on average.
  reached(method) {
    const seeds = this.seeds.map(({silent, methods}) => {
      const {losses, diverged} = methods[method], last = losses.slice(-LAST), first = losses[0];
      const loss = this.rates.map((_, l) => last.reduce((sum, at) => sum + at[l], 0) / last.length / first[l]);
      return {loss, learnt: loss.map((share, l) => !diverged[l] && share < SOLVED * Math.min(1, silent / first[l]))};
    });
    const share = this.rates.map((_, l) => seeds.filter(seed => seed.learnt[l]).length / seeds.length);
    return {seeds, share, decades: share.reduce((sum, part) => sum + part, 0) / 8};
  }
}
