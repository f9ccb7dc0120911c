// An explorer: controls, a picture, and a sentence that says what is seen. What is shown comes from
// one of FRAMES, computed here (`data.compute`); from a table (`data.frames`); or from the kernel
// (`data.follow`). Uses chart.js, controls.js and guess.js.
//
// A frame is [panels, sentence], where panels[p][s] has the points of series s: y, [x, y], the
// positions of an "hline" or "vline", the ends [x, y, x2, y2] of "arrows", the squares of "pixels", or
// the place of an "image".

const PICTURES = {panels: (root, data) => {
  const columns = Math.max(...data.panels.map(panel => panel.span));  // 0: as many as there is room for
  const grid = element("div", {class: columns ? "panels spanned" : "panels", style: `--columns: ${columns}`}, root);
  const views = data.panels.map(panel => new View(grid, panel, data.height));
  return ([panels, sentence]) => views.forEach((view, p) => view.draw(panels[p], sentence));
}};
const FRAMES = {};

// The axes of a panel and the marks of its series.
class View {
  constructor(parent, panel, height) {
    const {title, bare, span, xlim, ylim, xlabel, ylabel, series} = panel;
    const box = element("div", {class: bare ? "panel bare" : "panel", style: `--span: ${span}`}, parent);
    const axis = ([low, high] = [0, 1], log, label, ticks) =>
      ({low, high, log, label, ticks: ticks?.map(value => [value, value]) ?? (label ? round_ticks({low, high, log}) : [])});
    this.panel = panel;
    this.chart = new Chart(box, {title, height, top: ylabel ? 22 : 8, ratio: bare ? (ylim[1] - ylim[0]) / (xlim[1] - xlim[0]) : 0,
      x: axis(xlim, panel.xlog, xlabel, panel.xticks), y: axis(ylim ?? undefined, panel.ylog, ylabel)});
    const legend = element("div", {class: "legend"});
    if (!bare) this.chart.svg.before(legend);
    this.marks = series.map(one => {
      if (one.label) swatch(one, legend);
      return MARKS[one.kind](this.chart, `role-${one.role}`, one.role, panel.images);
    });
    this.chart.redraw = () => this.drawn && this.draw(this.drawn, this.sentence);
  }

  draw(drawn, sentence) {
    const {chart, panel} = this, all = drawn.map((values, s) => this.points(values, panel.series[s].kind));
    Object.assign(this, {drawn, sentence});
    if (!panel.ylim) chart.set({}, around(all, panel));
    chart.svg.setAttribute("aria-label", `${panel.title}. ${sentence}`);
    this.marks.forEach((mark, s) => mark(all[s], drawn[s]));
  }

  // Rows of numbers: [x, y], or for arrows [x, y, x2, y2].
  points(values, kind) {
    const [first] = values, {xlim, x} = this.panel;
    if (kind === "image" || kind === "pixels") return [];
    if (kind === "vline") return Array.from(values, x => [x, NaN]);
    if (kind === "hline") return Array.from(values, y => [xlim[0], y]);
    if (typeof first !== "object" || first === null) return Array.from(values, (y, i) => [x[i], y ?? NaN]);
    return Array.from(first, (_, i) => values.map(column => column[i] ?? NaN));
  }
}

// Limits of y around what is drawn.
function around(all, {ylog}) {
  const ys = all.flatMap(points => points.flatMap(([, y, , y2]) => [y, y2])).filter(Number.isFinite);
  const low = Math.min(...ys), high = Math.max(...ys), room = 0.06 * (high - low) || 1;
  const axis = {low: low === 0 ? 0 : low - room, high: high + room, log: ylog};
  return {...axis, ticks: round_ticks(axis)};
}

const at = (chart, [x, y]) => [chart.x.at(x), chart.y.at(y)];
const inside = ({x_axis, y_axis}) => ([x, y]) =>
  x >= x_axis.low && x <= x_axis.high && y >= y_axis.low && y <= y_axis.high;

// By kind: makes the mark in a chart, and returns what sets its points.
const MARKS = {
  line: (chart, role) => course(chart, role, points => chart.line(...columns(points))),
  steps: (chart, role) => course(chart, role, points => {
    const [xs, ys] = columns(points), middle = i => (xs[i] + xs[i + 1]) / 2, corners = [];
    xs.forEach((x, i) => corners.push([i ? middle(i - 1) : x, ys[i]], [i + 1 < xs.length ? middle(i) : x, ys[i]]));
    return chart.line(...columns(corners));
  }),
  vline: (chart, role) => course(chart, role, points =>
    points.map(([x]) => `M${chart.x.at(x).toFixed(1)} ${chart.top}V${chart.height - chart.bottom}`).join("")),
  hline: (chart, role) => course(chart, role, points =>
    points.map(([, y]) => `M${chart.left} ${chart.y.at(y).toFixed(1)}H${chart.width - chart.right}`).join("")),
  raster: (chart, role) => course(chart, role, points => points.filter(inside(chart)).map(point => {
    const [x, y] = at(chart, point);
    return `M${x.toFixed(1)} ${y - 6}v12`;
  }).join(""), "line solid", "edges"),
  dots: (chart, role, name) => course(chart, role, points => shapes(chart, points, name), "dot", "edges"),
  stems: (chart, role, name) => {
    const stems = course(chart, role, points => points.map(([x, y]) =>
      `M${chart.x.at(x).toFixed(1)} ${chart.y.at(0).toFixed(1)}L${at(chart, [x, y]).map(v => v.toFixed(1)).join(" ")}`).join(""));
    const heads = course(chart, role, points => shapes(chart, points, name), "dot", "edges");
    return points => { stems(points); heads(points); };
  },
  // Filled heads; open ones in the role "wrong", so that colour does not say it alone.
  arrows: (chart, role) => {
    const heads = chart.path(`${role} head`), shafts = chart.path(`${role} line solid`);
    return points => {
      const drawn = points.map(([x, y, x2, y2]) => arrow(...at(chart, [x, y]), ...at(chart, [x2, y2])));
      shafts(drawn.map(([shaft]) => shaft).join(""));
      heads(drawn.map(([, head]) => head).join(""));
    };
  },
  // Squares of `size` on a grid as wide as the chart, from its upper left corner.
  pixels: (chart, role) => {
    const squares = chart.path(`pixels ${role}`);
    return (_, [xs, ys, [size, columns]]) => {
      const px = value => Math.round(value * chart.width / columns);  // whole pixels: no gaps
      squares(xs.map((x, i) => {
        const [left, top] = [x, ys[i]].map(px), [right, bottom] = [x + size, ys[i] + size].map(px);
        return `M${left} ${top}H${right}V${bottom}H${left}z`;
      }).join(""));
    };
  },
  // One of the panel's images, which says what it is.
  image: (chart, role, name, images) => {
    const node = element("image", {width: "100%", height: "100%"}, chart.inside);
    return (_, [place]) => {
      node.setAttribute("href", images[place].source);
      chart.svg.setAttribute("aria-label", images[place].alt);
    };
  },
};

// A path, and arrows at the edges for what lies beyond them.
function course(chart, role, make, kind = "line", group = "inside") {
  const node = element("path", {class: `${kind} ${role}`}, chart[group]), beyond = chart.beyond(role);
  return points => {
    node.setAttribute("d", make(points));
    beyond(points.filter(([, y]) => Number.isFinite(y)));
  };
}

const columns = points => [points.map(([x]) => x), points.map(([, y]) => y)];

// Rings for the truth, squares for the dropped term, dots for all else.
function shapes(chart, points, role) {
  return points.filter(inside(chart)).map(point => {
    const [x, y] = at(chart, point).map(v => +v.toFixed(1));
    return role === "dropped" ? `M${x - 3} ${y - 3}h6v6h-6z` : circle(x, y, role === "truth" ? 5 : 3.2);
  }).join("");
}

const circle = (x, y, r) => `M${(x - r).toFixed(1)} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;

function arrow(x, y, x2, y2, size = 5) {
  const length = Math.hypot(x2 - x, y2 - y) || 1, [c, s] = [(x2 - x) / length, (y2 - y) / length];
  const point = (along, across) => `${(x2 - along * c - across * s).toFixed(1)} ${(y2 - along * s + across * c).toFixed(1)}`;
  return [`M${x.toFixed(1)} ${y.toFixed(1)}L${point(size, 0)}`,
    `M${point(0, 0)}L${point(1.6 * size, 0.7 * size)}L${point(1.6 * size, -0.7 * size)}z`];
}

function swatch({kind, role, label}, legend) {
  const item = element("span", {class: `role-${role}`}, legend);
  const svg = element("svg", {width: 26, height: 12, "aria-hidden": "true"}, item);
  const [shaft, head] = arrow(2, 6, 24, 6);
  const draw = {
    raster: [["line solid", "M13 1v10"]], arrows: [["line solid", shaft], ["head", head]],
    dots: [["dot", role === "dropped" ? "M10 3h6v6h-6z" : circle(13, 6, role === "truth" ? 5 : 3.2)]],
  }[kind] ?? [["line", "M1 6H25"]];
  for (const [kind, d] of draw) element("path", {class: `${kind} role-${role}`, d}, svg);
  item.append(` ${label}`);
}

function explore(root) {
  if (root.dataset.frame !== undefined) return;
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const fields = data.controls, names = Object.keys(fields), key = `${data.key}:`;
  const first = read_fields("", fields);
  let settings = first;
  element("div", {class: "title"}, root, data.title);
  element("p", {class: "question"}, root, data.question);
  const change = (name, value) => set({...settings, [name]: value});
  const show = make_controls(root, root.id, fields, names, (name, value) => { rest(); change(name, value); });
  const picture = PICTURES[data.picture](root, data, change);
  const foot = element("div", {class: "foot"}, root);
  const summary = element("p", {class: "summary", "aria-live": "polite"}, foot);
  const bar = names.length && element("div", {class: "bar"}, foot);
  const rest = fields[data.sweep] ? player(bar, fields[data.sweep], () => settings[data.sweep], value => change(data.sweep, value),
    on => summary.setAttribute("aria-live", on ? "off" : "polite")) : () => {};
  const start = (changed = {}) => { rest(); set({...first, ...changed}); };
  if (bar) element("button", {type: "button", ...KEYS}, bar, "reset").addEventListener("click", () => start());
  const link = bar && element("a", {class: "keep", ...KEYS}, bar, "link to these settings");

  function frame() {
    if (data.compute) return FRAMES[data.compute](settings);
    const [panels, sentence] = data.frames[names.reduce((n, name) => n * fields[name].count + +settings[name], 0)];
    return [panels.map(all => all.map(place => data.pool[place])), sentence];
  }

  function set(wanted) {
    const begun = performance.now();
    settings = wanted;
    show(settings);
    draw(frame());
    root.dataset.frame = Object.values(settings).join(",");
    root.dataset.redrawMs = (performance.now() - begun).toFixed(2);
    if (link) link.href = `#${key}${write_settings(settings)}`;
  }

  function draw(shown) {
    picture(shown, settings);
    summary.textContent = shown[1];
  }

  function read_link() {
    let text;
    try {
      text = decodeURIComponent(location.hash.slice(1));
    } catch {
      return;  // such as #50%, which is no link of ours
    }
    if (text.startsWith(key)) set(read_fields(text.slice(key.length), fields));
  }

  if (data.follow) follow(data.follow, shown => {
    root.classList.toggle("busy", shown.busy === true);
    root.classList.toggle("failed", shown.error !== undefined);
    if (shown.error !== undefined) summary.textContent = shown.error;
    if (shown.panels) draw([shown.panels, shown.text]);
    root.dataset.frame = +(root.dataset.frame ?? 0) + 1;
    const focused = root.closest(".widget-vbox")?.querySelectorAll("[tabindex], [contenteditable], input, select") ?? [];
    for (const node of focused) node.setAttribute(...Object.entries(KEYS)[0]);  // the kernel's sliders, too
  });
  else {
    set(settings);
    read_link();
    addEventListener("hashchange", read_link);
    if (data.guess) predict(root, data.guess, value => start(data.guess.see ? {[data.guess.see]: value} : {}));
  }
}

// A button that moves a slider from where it is, or from its low end, to its high end. What is late
// is left out, so that nothing queues. Returns what stops it.
function player(parent, {label, low, high, step, log}, value, change, playing) {
  const button = element("button", {type: "button", class: "play", ...KEYS}, parent), steps = Math.round((high - low) / step);
  const few = steps < 24 || matchMedia("(prefers-reduced-motion: reduce)").matches;
  const moves = few ? Math.min(steps, 12) : steps, time = few ? 700 * moves : 8000;
  let begun = 0, from, last, frame;

  function play(on) {
    cancelAnimationFrame(frame);
    button.textContent = on ? "❚❚ stop" : "▶ play";
    button.setAttribute("aria-label", on ? "stop" : `play: move ${label}`);
    playing(on);
    if (!on) return begun = 0;
    const now = log ? Math.log10(value()) : value();
    from = now < high ? (now - low) / (high - low) : 0;
    begun = performance.now();
    last = undefined;
    frame = requestAnimationFrame(move);
  }

  function move(now) {
    const share = Math.min(1, from + Math.max(0, now - begun) / time), at = low + step * Math.round(Math.floor(share * moves + 1e-9) / moves * steps);
    if (at !== last) change(log ? 10 ** at : +at.toFixed(6));
    last = at;
    if (share < 1) frame = requestAnimationFrame(move);
    else play(false);
  }

  button.addEventListener("click", () => play(!begun));
  play(false);
  return () => { if (begun) play(false); };
}

// The kernel's frames: the text of a widget's element, which is replaced with each of them.
function follow(id, show) {
  let last;
  const look = () => {
    const node = document.getElementById(id);
    if (!node || node === last) return;
    last = node;
    show(JSON.parse(node.textContent));
  };
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
  look();
}
