// An explorer: controls, a picture, and a sentence that says what is seen. What is shown comes from
// one of FRAMES, computed here (`data.compute`); from a table (`data.frames`); or from the kernel
// (`data.follow`). Uses chart.js and controls.js.
//
// A frame is [panels, sentence], where panels[p][s] has the points of series s: y, [x, y], the
// positions of an "hline" or "vline", or the ends [x, y, x2, y2] of "arrows".

const PICTURES = {panels: (root, data) => {
  const grid = element("div", {class: "panels"}, root);
  const views = data.panels.map(panel => new View(grid, panel, data.height));
  return ([panels, sentence]) => views.forEach((view, p) => view.draw(panels[p], sentence));
}};
const FRAMES = {};

// The axes of a panel and the marks of its series.
class View {
  constructor(parent, panel, height) {
    const box = element("div", {class: "panel"}, parent);
    const axis = ([low, high] = [0, 1], log, label) => ({low, high, log, label, ticks: label ? round_ticks({low, high, log}) : []});
    this.panel = panel;
    this.chart = new Chart(box, {title: panel.title, height, top: panel.ylabel ? 22 : 8,
      x: axis(panel.xlim, panel.xlog, panel.xlabel), y: axis(panel.ylim ?? undefined, panel.ylog, panel.ylabel)});
    const legend = element("div", {class: "legend"});
    this.chart.svg.before(legend);
    this.marks = panel.series.map(series => {
      if (series.label) swatch(series, legend);
      return MARKS[series.kind](this.chart, `role-${series.role}`, series.role);
    });
    this.chart.redraw = () => this.drawn && this.draw(this.drawn, this.sentence);
  }

  draw(drawn, sentence) {
    const {chart, panel} = this, all = drawn.map((values, s) => this.points(values, panel.series[s].kind));
    Object.assign(this, {drawn, sentence});
    if (!panel.ylim) chart.set({}, around(all, panel));
    this.marks.forEach((mark, s) => mark(all[s]));
    chart.svg.setAttribute("aria-label", `${panel.title}. ${sentence}`);
  }

  // Rows of numbers: [x, y], or for arrows [x, y, x2, y2].
  points(values, kind) {
    const [first] = values, {xlim, x} = this.panel;
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
  let settings = read_fields("", fields);
  element("div", {class: "title"}, root, data.title);
  element("p", {class: "question"}, root, data.question);
  const show = make_controls(root, root.id, fields, names, (name, value) => set({...settings, [name]: value}));
  const picture = PICTURES[data.picture](root, data, (name, value) => set({...settings, [name]: value}));
  const foot = element("div", {class: "foot"}, root);
  const summary = element("p", {class: "summary", "aria-live": "polite"}, foot);
  const link = names.length && element("a", {class: "keep", ...KEYS}, foot, "link to these settings");

  function frame() {
    if (data.compute) return FRAMES[data.compute](settings);
    const [panels, sentence] = data.frames[names.reduce((n, name) => n * fields[name].count + +settings[name], 0)];
    return [panels.map(all => all.map(place => data.pool[place])), sentence];
  }

  function set(wanted) {
    const start = performance.now();
    settings = wanted;
    show(settings);
    draw(frame());
    root.dataset.frame = Object.values(settings).join(",");
    root.dataset.redrawMs = (performance.now() - start).toFixed(2);
    if (link) link.href = `#${key}${write_settings(settings)}`;
  }

  function draw(shown) {
    picture(shown, settings);
    summary.textContent = shown[1];
  }

  function read_link() {
    const text = decodeURIComponent(location.hash.slice(1));
    if (text.startsWith(key)) set(read_fields(text.slice(key.length), fields));
  }

  if (data.follow) follow(data.follow, shown => {
    root.classList.toggle("busy", shown.busy === true);
    root.classList.toggle("failed", shown.error !== undefined);
    if (shown.error !== undefined) summary.textContent = shown.error;
    if (shown.panels) draw([shown.panels, shown.text]);
    root.dataset.frame = +(root.dataset.frame ?? 0) + 1;
  });
  else {
    set(settings);
    read_link();
    addEventListener("hashchange", read_link);
  }
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
