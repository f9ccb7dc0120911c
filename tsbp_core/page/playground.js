// The playground: one neuron learns a spike train at 41 learning rates at once, with the term and
// without. Uses all the other scripts named in playground.py.

const BUDGET = 10;  // milliseconds of work a frame, so that input is answered and frames are kept

function playground(root) {
  if (root.dataset.update !== undefined) return;
  const {compact, presets, controls, guess} = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let settings = read_settings(presets[0].settings);
  let population, chosen;  // all learning rates; the chosen one alone
  let playing = true, asked = 0, visible = false, waiting = false, dirty = true, cost = 0, drawn = 0;

  // ---- what stands on the page

  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Playground");
  const button = (label, parent, action) => {
    const node = element("button", {type: "button", ...KEYS}, parent, label);
    node.addEventListener("click", action);
    return node;
  };
  const menu = element("div", {class: "presets", role: "group", "aria-label": "Show me"}, root);
  const preset_buttons = presets.map(preset => button(preset.name, menu, () => begin(read_settings(preset.settings))));
  const captions = element("div", {class: "captions"}, root);  // in one place, as high as the longest
  const caption_of = [...presets, {caption: "Settings of your own."}].map(({caption, chapter}) => {
    const node = element("p", {}, captions, `${caption} `);
    if (chapter) element("a", {href: `${chapter}.html`, ...KEYS}, node, `Chapter ${parseInt(chapter)}`);
    return node;
  });
  const bar = element("div", {class: "bar"}, root);
  const play_button = button("", bar, () => play(!playing || population.finished));
  button("step", bar, () => { play(false); asked = population.update + 1; });
  button("restart", bar, () => begin(settings));
  const progress = element("progress", {max: 300, "aria-label": "updates done"}, bar);
  const counter = element("span", {class: "counter"}, bar);
  const link = element("a", KEYS, bar, compact ? "all settings" : "link to these settings");
  const stage = element("div", {class: "stage"}, root);
  const picture = new Picture(stage, compact ? 180 : 210, eta => change("eta", eta));
  for (const chart of [picture.loss, picture.share, picture.neuron]) chart.redraw = redraw;
  const show = make_controls(stage, root.id, FIELDS, controls ?? (compact ? COMPACT : Object.keys(FIELDS)), change);

  // ---- what happens

  // Train from the start with these settings.
  function begin(wanted) {
    settings = wanted;
    population = new Population(settings, Array.from({length: settings.seeds}, (_, seed) => seed));
    choose();
    play(true);
  }

  // Train the neurons at the chosen learning rate, by both gradients, as far as the others.
  function choose() {
    chosen = new Population(settings, [settings.seed], [settings.eta]);
    const text = write_settings(settings), mine = presets.find(one => write_settings(read_settings(one.settings)) === text);
    presets.forEach((preset, i) => preset_buttons[i].setAttribute("aria-pressed", preset === mine));
    caption_of.forEach((node, i) => node.classList.toggle("shown", presets[i] === mine));
    link.href = `${compact ? "playground.html" : ""}#${text}`;
    picture.dropped_label.textContent = `${settings.rho ? "part of the term" : "term dropped"}, ρ = ${digits(settings.rho, 2)}`;
    show(settings);
    redraw();
  }

  function change(name, value) {
    const wanted = {...settings, [name]: value};
    wanted.seed = Math.min(wanted.seed, wanted.seeds - 1);
    if (!FIELDS[name].apart) return begin(wanted);
    settings = wanted;
    choose();
  }

  function play(on) {
    if (on && population.finished) return begin(settings);
    playing = on;
    asked = 0;
    picture.summary.setAttribute("aria-live", on ? "off" : "polite");
    redraw();
  }

  function redraw() {
    dirty = true;
    if (!waiting && visible) requestAnimationFrame(frame);
    waiting ||= visible;
  }

  // ---- a frame: the picture, then a bounded share of work

  function frame(now) {
    waiting = false;
    const end = performance.now() + BUDGET, behind = () => chosen.update < population.update;
    const busy = () => !population.finished && (playing || asked > population.update);
    while (behind() && performance.now() < end) chosen.piece();
    // On a slow machine pictures are left out before training slows down.
    if (dirty && !behind() && !(busy() && (still || now - drawn < 4 * cost))) {
      const begun = performance.now();
      draw();
      cost = performance.now() - begun;
      drawn = now;
      dirty = false;
    }
    if (busy()) {
      let round;
      do round = population.piece(); while (!round && performance.now() < end);
      dirty ||= round;
    }
    if (population.finished) playing = false;
    say_how_far();
    const more = busy() || dirty || behind();
    if (!more) rest();
    else if (visible) requestAnimationFrame(frame);
    waiting = more && visible;
  }

  function draw() {
    root.dataset.update = population.update;
    picture.root.classList.toggle("stale", !population.update);
    if (population.update) picture.draw(population, chosen, settings);
  }

  function say_how_far() {
    play_button.textContent = playing ? "❚❚ pause" : population.finished ? "↻ again" : "▶ train";
    progress.value = population.update;
    counter.textContent = `update ${population.update} of 300`;
  }

  function rest() {
    picture.summary.setAttribute("aria-live", "polite");
    picture.describe();
  }

  function read_link() {
    const text = location.hash.slice(1);
    if (!compact && /(^|&)eta=/.test(text) && text !== write_settings(settings)) begin(read_settings(text));
  }

  root.dataset.update = 0;
  begin(settings);
  say_how_far();
  read_link();
  addEventListener("hashchange", read_link);
  addEventListener("beforeprint", () => {
    for (const one of [population, chosen]) while (!one.finished) one.piece();
    draw();
  });
  const seen = new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting && !root.classList.contains("guessing");
    redraw();
  });
  if (guess) predict(root, guess, percent => {
    picture.guess(percent / 100, guess.answer / 100);
    seen.unobserve(root);
    seen.observe(root);  // looks again
  });
  seen.observe(root);
}
document.querySelectorAll(".tsbp-playground").forEach(playground);
